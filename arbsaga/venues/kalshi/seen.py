"""Our orders and fills as the venue tells them, by REST or on the user stream, in one form; and what they add.

The two sources differ in names and in times. What cannot be understood raises BadMessage, for that record alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

import structlog

from arbsaga.domain.evidence import merge
from arbsaga.domain.instruments import Outcome, Side
from arbsaga.domain.money import NO_SIZE, Size, Usd
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderView
from arbsaga.errors import BadMessage
from arbsaga.venues.kalshi.orders import own_price
from arbsaga.venues.kalshi.records import outcome_of
from arbsaga.venues.kalshi.wire import decimal, moment_ms

Raw = Mapping[str, Any]
_Seen = TypeVar("_Seen")
_BIDS: Final = {"bid": True, "ask": False}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """One record of an order, which proves that it exists. `bid`: for YES. Contracts, and USD per YES contract.

    `client_id` is empty for an order that was made without one. `matched` is the venue's fill_count.
    """

    venue_id: str
    client_id: str
    ticker: str
    bid: bool
    yes_price: Decimal
    size: Size
    matched: Size
    state: OrderState
    reason: str
    created_ms: int

    @property
    def left(self) -> Size:
        """Contracts that rest. The venue's own remaining_count is 0 for a canceled order, whatever it filled."""
        return Size(max(self.size - self.matched, NO_SIZE) if not self.state.final else NO_SIZE)


@dataclass(frozen=True, slots=True)
class FillSeen:
    """One record of a fill: final at once at this venue. `fee` in USD is what was billed.

    `net` is the signed position in the market after it (+ YES, - NO), where the record has it (the stream's has).
    """

    fill_id: str
    venue_id: str
    client_id: str
    ticker: str
    bid: bool
    yes_price: Decimal
    size: Size
    fee: Usd
    time_ms: int
    net: Decimal | None

    def fill(self, outcome: Outcome) -> Fill:
        """The fill, in the price of an outcome."""
        price = own_price(outcome, self.yes_price)
        return Fill(self.fill_id, self.size, price, self.fee, FillStatus.CONFIRMED, self.time_ms)

    @property
    def outcome(self) -> Outcome:
        """The outcome that the venue says it was for: YES for a bid, NO for an ask, whatever it closes."""
        return Outcome.YES if self.bid else Outcome.NO


def read_order(raw: Raw) -> OrderSeen:
    """An order of GET /portfolio/orders, or a `user_order` of the stream. Raises BadMessage."""
    try:
        size, matched = decimal(raw["initial_count_fp"]), decimal(raw["fill_count_fp"])
        state, reason = _state(raw, size, matched)
        return OrderSeen(
            venue_id=_id(raw["order_id"]),
            client_id=str(raw.get("client_order_id") or ""),
            ticker=_id(raw["ticker"]),
            bid=_BIDS[raw["book_side"]],
            yes_price=decimal(raw["yes_price_dollars"]),
            size=Size(size),
            matched=Size(matched),
            state=state,
            reason=reason,
            created_ms=_time_ms(raw, "created_ts_ms", "created_time"),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadMessage(f"an order that cannot be read: {error!r}") from error


def _state(raw: Raw, size: Decimal, matched: Decimal) -> tuple[OrderState, str]:
    """(state, the venue's reason for an end). What does not say that it is over can fill."""
    status = raw.get("status")
    if status == "canceled":
        return OrderState.DONE, str(raw.get("last_update_reason") or "canceled")
    if status == "executed" or matched >= size:
        return OrderState.DONE, ""
    return OrderState.LIVE, ""


def read_fill(raw: Raw) -> FillSeen:
    """A fill of GET /portfolio/fills or of the stream; the latter has no fill_id: the trade's names both.

    Raises BadMessage.
    """
    try:
        net = raw.get("post_position_fp")
        return FillSeen(
            fill_id=_id(raw.get("trade_id") or raw.get("fill_id")),
            venue_id=_id(raw["order_id"]),
            client_id=str(raw.get("client_order_id") or ""),
            ticker=_id(raw.get("market_ticker") or raw.get("ticker")),
            bid=_BIDS[raw["book_side"]],
            yes_price=decimal(raw["yes_price_dollars"]),
            size=Size(_positive(raw["count_fp"])),
            fee=Usd(decimal(raw["fee_cost"])),
            time_ms=_time_ms(raw, "ts_ms", "created_time"),
            net=None if net is None else decimal(net),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadMessage(f"a fill that cannot be read: {error!r}") from error


def readable(read: Callable[[Raw], _Seen], items: list[Raw]) -> tuple[_Seen, ...]:
    """Those of the records that can be read; each other one is logged."""
    found = []
    for item in items:
        try:
            found.append(read(item))
        except BadMessage as error:
            log.warning("record left out", why=str(error))
    return tuple(found)


def add(view: OrderView, seen: OrderSeen | FillSeen, source: str) -> OrderView:
    """The view with one record of this order merged in."""
    if isinstance(seen, OrderSeen):
        return merge(view, source, state=seen.state, matched=seen.matched, reason=seen.reason)
    _, outcome = outcome_of(view.terms.instrument.token)
    after = merge(view, f"{source}, fill", state=OrderState.LIVE, fills=(seen.fill(outcome),))
    # The fill proves that the order exists. Whether all of it is over, only its size can say.
    return merge(after, source, state=OrderState.DONE) if after.filled >= view.terms.size else after


def side_of(bid: bool, outcome: Outcome) -> Side:
    """What a bid or an ask is in an outcome."""
    return Side.BUY if bid == (outcome is Outcome.YES) else Side.SELL


def _id(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"no id: {value!r}")
    return value


def _positive(value: object) -> Decimal:
    number = decimal(value)
    if number <= 0:
        raise ValueError(f"no size: {value!r}")
    return number


def _time_ms(raw: Raw, stamp: str, moment: str) -> int:
    """Ms since the epoch: the stream sends a number, REST a text."""
    return int(decimal(raw[stamp])) if raw.get(stamp) else moment_ms(raw[moment])
