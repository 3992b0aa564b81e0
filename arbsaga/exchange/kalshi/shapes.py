"""Numbers and records in the form the venue sends them: fixed-point strings, never JSON numbers for money or counts."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from arbsaga.exchange.kalshi.model import (
    Fill,
    Group,
    Market,
    Order,
    Placed,
    Position,
    Reduced,
    Settlement,
    Trade,
)
from arbsaga.exchange.kalshi.replies import flat, nested
from arbsaga.exchange.model import BookView
from arbsaga.exchange.units import ONE, parse

Json = dict[str, Any]

_PRICE: Final = re.compile(r"[0-9]{1,2}(\.[0-9]{1,4})?")
_COUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")
_OWN_REASONS: Final = frozenset({"", "UserCancel", "GroupCancel", "ImmediateOrCancel"})
_CENT: Final = 10_000
_STRUCTURES: Final = {
    ((0, ONE, 10_000),): "linear_cent",
    ((0, ONE, 1_000),): "deci_cent",
    ((0, 100_000, 1_000), (100_000, 900_000, 10_000), (900_000, ONE, 1_000)): "tapered_deci_cent",
}


def dollars(units: int) -> str:
    """USD or a price with 4 decimals, and up to 6 where they are needed: 560_000 is "0.5600"."""
    sign, units = ("-", -units) if units < 0 else ("", units)
    text = f"{units // ONE}.{units % ONE:06d}"
    return sign + (text[:-2] if text.endswith("00") else text[:-1] if text.endswith("0") else text)


def micro_dollars(units: int) -> str:
    """USD with 6 decimals, as fees are told."""
    sign, units = ("-", -units) if units < 0 else ("", units)
    return f"{sign}{units // ONE}.{units % ONE:06d}"


def contracts(units: int) -> str:
    """Contracts with 2 decimals: 10_000_000 is "10.00"."""
    sign, units = ("-", -units) if units < 0 else ("", units)
    return f"{sign}{units // ONE}.{units % ONE // _CENT:02d}"


def cents(units: int) -> int:
    """Whole cents, cut off towards zero."""
    return units // _CENT if units >= 0 else -(-units // _CENT)


def read_price(value: object) -> int:
    """A YES price as base units. Raises Refusal: the flat one for a JSON number, which the venue does not take."""
    return _read(value, _PRICE, "price", "invalid_price")


def read_count(value: object, name: str = "count") -> int:
    """Contracts as base units, in steps of 0.01. Raises Refusal."""
    return _read(value, _COUNT, name, "invalid_order_size")


def _read(value: object, form: re.Pattern[str], name: str, code: str) -> int:
    if value is None:
        raise nested(400, "invalid_parameters", details=f"{name} is required")
    if not isinstance(value, str):
        raise flat(f"json: cannot unmarshal {name}: a fixed-point string is expected")
    if not form.fullmatch(value):
        raise nested(400, code, details=f"{name} {value[:40]!r} is not a fixed-point number")
    return parse(value)


def moment(ms: int) -> str:
    """RFC 3339 in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sides(side: str) -> Json:
    """A bid is an order for YES, an ask one for NO, whatever it closes."""
    return {"book_side": side, "outcome_side": "yes" if side == "bid" else "no"}


def prices(price: int) -> Json:
    """A YES price, both ways."""
    return {"yes_price_dollars": dollars(price), "no_price_dollars": dollars(ONE - price)}


def order(found: Order, exchange_index: int, user_id: str, subaccount: int) -> Json:
    """An order of GET /portfolio/orders."""
    shape = _order(found, exchange_index, user_id) | {
        "type": "limit",
        "no_price_dollars": dollars(ONE - found.price),
        "created_time": moment(found.created_ms),
        "last_update_time": moment(found.updated_ms or found.created_ms),
        "cancel_order_on_pause": found.new.cancel_order_on_pause,
        "subaccount_number": subaccount,
    }
    if found.expiration_time is not None:
        shape["expiration_time"] = moment(found.expiration_time * 1000)
    return shape


def user_order(found: Order, exchange_index: int, user_id: str) -> Json:
    """The message of the user_orders channel."""
    shape = _order(found, exchange_index, user_id) | {"created_ts_ms": found.created_ms}
    if found.updated_ms:
        shape["last_updated_ts_ms"] = found.updated_ms
    if found.expiration_time is not None:
        shape["expiration_ts_ms"] = found.expiration_time * 1000
    return shape


def _order(found: Order, exchange_index: int, user_id: str) -> Json:
    shape = {
        "order_id": found.order_id,
        "user_id": user_id,
        "client_order_id": found.client_order_id,
        "ticker": found.ticker,
        "exchange_index": exchange_index,
        "status": found.status,
        "yes_price_dollars": dollars(found.price),
        "fill_count_fp": contracts(found.fill_count),
        "remaining_count_fp": contracts(found.remaining_count),
        "initial_count_fp": contracts(found.initial_count),
        "taker_fill_cost_dollars": dollars(found.taker_cost),
        "maker_fill_cost_dollars": dollars(found.maker_cost),
        "taker_fees_dollars": dollars(found.taker_fees),
        "maker_fees_dollars": dollars(found.maker_fees),
        **sides(found.side),
    }
    if found.new.order_group_id:
        shape["order_group_id"] = found.new.order_group_id
    if found.reason not in _OWN_REASONS:
        shape["last_update_reason"] = found.reason
    return shape


def placed(answer: Placed) -> Json:
    """The answer to a create; the averages are there only where something was filled."""
    shape: Json = {
        "order_id": answer.order_id,
        "fill_count": contracts(answer.fill_count),
        "remaining_count": contracts(answer.remaining_count),
        "ts_ms": answer.ms,
    }
    if answer.client_order_id:
        shape["client_order_id"] = answer.client_order_id
    if answer.average_fill_price is not None:
        shape["average_fill_price"] = f"{answer.average_fill_price:.4f}"
    if answer.average_fee_paid is not None:
        shape["average_fee_paid"] = f"{answer.average_fee_paid:.4f}"
    return shape


def canceled(answer: Reduced) -> Json:
    """The answer to a cancel."""
    shape: Json = {"order_id": answer.order_id, "reduced_by": contracts(answer.reduced_by), "ts_ms": answer.ms}
    return shape | ({"client_order_id": answer.client_order_id} if answer.client_order_id else {})


def fill(found: Fill, subaccount: int) -> Json:
    """A fill of GET /portfolio/fills."""
    return {
        "fill_id": found.fill_id,
        "trade_id": found.trade_id,
        "order_id": found.order_id,
        "ticker": found.ticker,
        "market_ticker": found.ticker,
        "exchange_index": found.exchange_index,
        "count_fp": contracts(found.count),
        "is_taker": found.is_taker,
        "fee_cost": micro_dollars(found.fee),
        "created_time": moment(found.ms),
        "ts": found.ms // 1000,
        "subaccount_number": subaccount,
        **sides(found.side),
        **prices(found.price),
    }


def fill_message(found: Fill, subaccount: int) -> Json:
    """The message of the fill channel."""
    shape: Json = {
        "trade_id": found.trade_id,
        "order_id": found.order_id,
        "market_ticker": found.ticker,
        "exchange_index": found.exchange_index,
        "is_taker": found.is_taker,
        "yes_price_dollars": dollars(found.price),
        "count_fp": contracts(found.count),
        "fee_cost": micro_dollars(found.fee),
        "post_position_fp": contracts(found.position),
        "ts_ms": found.ms,
        **sides(found.side),
    }
    if found.client_order_id:
        shape["client_order_id"] = found.client_order_id
    return shape | ({"subaccount": subaccount} if subaccount else {})


def position(ticker: str, found: Position, exchange_index: int) -> Json:
    """A market position of GET /portfolio/positions."""
    return {
        "ticker": ticker,
        "position_fp": contracts(found.net),
        "market_exposure_dollars": dollars(found.cost),
        "total_traded_dollars": dollars(found.traded),
        "realized_pnl_dollars": dollars(found.realized),
        "fees_paid_dollars": dollars(found.fees),
        "last_updated_ts": moment(found.updated_ms),
        "exchange_index": exchange_index,
    }


def position_message(ticker: str, found: Position, user_id: str) -> Json:
    """The message of the market_positions channel."""
    return {
        "user_id": user_id,
        "market_ticker": ticker,
        "position_fp": contracts(found.net),
        "position_cost_dollars": dollars(found.cost),
        "realized_pnl_dollars": dollars(found.realized),
        "fees_paid_dollars": dollars(found.fees),
    }


def settlement(found: Settlement, event_ticker: str) -> Json:
    """A settlement: only the net position paid. `revenue` and `value` are whole cents."""
    held_yes = found.position > 0
    return {
        "ticker": found.ticker,
        "event_ticker": event_ticker,
        "market_result": found.result,
        "yes_count_fp": contracts(max(found.position, 0)),
        "no_count_fp": contracts(max(-found.position, 0)),
        "yes_total_cost_dollars": dollars(found.cost if held_yes else 0),
        "no_total_cost_dollars": dollars(0 if held_yes else found.cost),
        "revenue": cents(found.revenue),
        "value": cents(found.value),
        "fee_cost": dollars(found.fee),
        "settled_time": moment(found.ms),
        "exchange_index": found.exchange_index,
    }


def trade(found: Trade) -> Json:
    """A trade of the tape; the channel adds its time in ms."""
    return {
        "trade_id": found.trade_id,
        "count_fp": contracts(found.count),
        "taker_outcome_side": "yes" if found.taker_side == "bid" else "no",
        "taker_book_side": found.taker_side,
        "is_block_trade": False,
        **prices(found.price),
    }


def group(found: Group) -> Json:
    """An order group."""
    return {
        "is_auto_cancel_enabled": not found.triggered,
        "contracts_limit_fp": contracts(found.limit),
        "orders": list(found.order_ids),
    }


def levels(found: Iterable[tuple[int, int]], *, mirrored: bool = False) -> list[list[str]]:
    """Price levels ascending, the best bid last; `mirrored` tells YES offers as the NO bids they are."""
    shown = sorted((ONE - price if mirrored else price, size) for price, size in found)
    return [[dollars(price), contracts(size)] for price, size in shown]


def book(view: BookView, depth: int = 0) -> Json:
    """Bids of both sides; `depth` keeps the best, 0 all."""
    yes, no = levels(view.bids), levels(view.asks, mirrored=True)
    return {"yes_dollars": yes[-depth:], "no_dollars": no[-depth:]}


def price_ranges(found: Market) -> list[Json]:
    """The price grid of a market."""
    return [{"start": dollars(a), "end": dollars(b), "step": dollars(step)} for a, b, step in found.price_ranges]


def price_structure(found: Market) -> str:
    """The grid's label, which no client should build on."""
    return _STRUCTURES.get(found.price_ranges, "custom")
