"""Reads the bodies of orders: types, required fields and enums. What the market thinks of them is the engine's part."""

import re
from typing import Any, Final, TypeVar

from aiohttp import web

from arbsaga.exchange.kalshi.auth import ApiKey
from arbsaga.exchange.kalshi.model import BookSide, NewOrder, SelfTrade, TimeInForce
from arbsaga.exchange.kalshi.replies import flat, nested, not_found
from arbsaga.exchange.kalshi.shapes import read_count, read_price
from arbsaga.exchange.kalshi.venue import VENUE, Caller, Venue, acting, received_of

Json = dict[str, Any]

_SIDES: Final[dict[str, BookSide]] = {"bid": "bid", "ask": "ask"}
_TIMES: Final[dict[str, TimeInForce]] = {
    "fill_or_kill": "fill_or_kill",
    "good_till_canceled": "good_till_canceled",
    "immediate_or_cancel": "immediate_or_cancel",
}
_SELF_TRADES: Final[dict[str, SelfTrade]] = {"taker_at_cross": "taker_at_cross", "maker": "maker"}
_CLIENT_ID: Final = re.compile(r"[\w\-:+=/]{1,64}", re.ASCII)
_AUTO_ROUTE: Final = -1
_LAST_SECOND: Final = 253_402_300_799
"""The end of the year 9999: no later moment can be written."""

T = TypeVar("T", bound=str)


def read_order(request: web.Request, key: ApiKey, body: object) -> NewOrder:
    """One order of a create. Raises Refusal: 400, 403, 404."""
    venue, fields = request.app[VENUE], as_object(body)
    ticker = text(fields, "ticker")
    caller = acting(key, fields.get("subaccount"))
    route(venue, ticker, fields.get("exchange_index"))
    check_region(venue, key, ticker)
    received_ns, received_ms = received_of(request)
    return NewOrder(
        account_id=caller.account_id,
        ticker=ticker,
        side=side_of(fields),
        price=read_price(fields.get("price")),
        count=read_count(fields.get("count")),
        time_in_force=_one_of(_TIMES, fields, "time_in_force"),
        self_trade_prevention=_one_of(_SELF_TRADES, fields, "self_trade_prevention_type"),
        client_order_id=client_id(fields, "client_order_id"),
        post_only=_flag(fields, "post_only"),
        reduce_only=_flag(fields, "reduce_only"),
        cancel_order_on_pause=_flag(fields, "cancel_order_on_pause"),
        expiration_time=seconds(fields, "expiration_time"),
        order_group_id=text(fields, "order_group_id", ""),
        received_ms=received_ms,
        received_ns=received_ns,
    )


def route(venue: Venue, ticker: str, exchange_index: object) -> int:
    """The shard a request goes to: the market's own, unless it names another, which does not know the market.

    Raises Refusal(404), or Refusal(400) for what is no shard.
    """
    shard = venue.shard_of(ticker)
    if exchange_index is None or exchange_index == _AUTO_ROUTE:
        return shard
    if isinstance(exchange_index, bool) or not isinstance(exchange_index, int):
        raise nested(400, "invalid_parameters", details="exchange_index must be a whole number")
    if exchange_index != shard:
        raise not_found("market")
    return shard


def check_region(venue: Venue, key: ApiKey, ticker: str) -> None:
    """Raises Refusal(403) where the key's location attestation does not cover the market's category."""
    event = venue.engine.events[venue.market(ticker).event_ticker]
    category = str(venue.engine.series[event.series_ticker].texts.get("category", ""))
    key.check_region(category, venue.settings.closed_regions, venue.now())


def own_order(venue: Venue, caller: Caller, order_id: str, ticker: object, exchange_index: object) -> str:
    """An order's id, where the shard that the request goes to knows it. Raises Refusal(404).

    Without a ticker or a shard the venue looks on shard 0 alone.
    """
    found = venue.engine.order(order_id)
    if found is None or found.account_id != caller.account_id:
        raise not_found("order")
    shard = venue.shard_of(found.ticker)
    if isinstance(ticker, str) and ticker:
        asked = venue.shard_of(ticker)
    else:
        asked = exchange_index if isinstance(exchange_index, int) else 0
    if asked not in (shard, _AUTO_ROUTE):
        raise not_found("order")
    return order_id


def as_object(body: object) -> Json:
    """A JSON object. Raises Refusal(400)."""
    if not isinstance(body, dict):
        raise flat("a JSON object is expected")
    return body


def text(fields: Json, name: str, default: str | None = None) -> str:
    """A text; without a default it is required. Raises Refusal(400)."""
    value = fields.get(name)
    if value is None or value == "":
        if default is None:
            raise nested(400, "invalid_parameters", details=f"{name} is required")
        return default
    if not isinstance(value, str):
        raise flat(f"json: cannot unmarshal {name}: a string is expected")
    return value


def client_id(fields: Json, name: str) -> str:
    """A client order id, "" where absent: at most 64 word characters and - : + = / (a dot was refused)."""
    value = text(fields, name, "")
    if value and not _CLIENT_ID.fullmatch(value):
        raise nested(400, "invalid_parameters", details=f"{name} has other than 1..64 of A-Z a-z 0-9 _ - : + = /")
    return value


def seconds(fields: Json, name: str) -> int | None:
    """A Unix time in seconds. Raises Refusal(400)."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise flat(f"json: cannot unmarshal {name}: a whole number is expected")
    if not 0 <= value <= _LAST_SECOND:
        raise nested(400, "invalid_parameters", details=f"{name} must be a Unix time in seconds")
    return value


def side_of(fields: Json) -> BookSide:
    """bid or ask. Raises Refusal(400)."""
    return _one_of(_SIDES, fields, "side")


def limit_of(fields: Json) -> int:
    """An order group's limit: `contracts_limit` (whole contracts) or `contracts_limit_fp`. Raises Refusal(400)."""
    whole = fields.get("contracts_limit")
    if isinstance(whole, int) and not isinstance(whole, bool) and 0 <= whole < 1_000_000_000:
        return read_count(str(whole), "contracts_limit")
    return read_count(fields.get("contracts_limit_fp"), "contracts_limit_fp")


def _flag(fields: Json, name: str) -> bool:
    value = fields.get(name, False)
    if value is not None and not isinstance(value, bool):
        raise flat(f"json: cannot unmarshal {name}: a boolean is expected")
    return bool(value)


def _one_of(allowed: dict[str, T], fields: Json, name: str) -> T:
    found = allowed.get(text(fields, name))
    if found is None:
        raise nested(400, "invalid_parameters", details=f"{name} must be one of {', '.join(allowed)}")
    return found
