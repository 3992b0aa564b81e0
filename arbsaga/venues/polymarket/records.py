"""Orders and trades as the venue tells them, by REST or on the user stream, in one form.

Read leniently: the two sources differ in prefixes, in seconds and milliseconds, and in what they leave
out. What cannot be understood raises BadMessage, for that record alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from arbsaga.domain.instruments import Side
from arbsaga.domain.money import Price, Size
from arbsaga.domain.orders import FillStatus, OrderState
from arbsaga.errors import BadMessage

_MS_FROM = 10**11
"""Epoch numbers below this are seconds: documents say ms, examples show both."""

_FILL_STATUS = {status.value: status for status in FillStatus}
DUST = Size(Decimal("0.01"))
"""The venue calls an order matched when less than this is left of it."""


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """One record of an order, which proves that it exists. Sizes in shares."""

    order_id: str
    token: str
    side: Side
    price: Price
    size: Size
    matched: Size
    state: OrderState
    reason: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class Part:
    """One resting order's part of a trade, in that order's own token and price."""

    order_id: str
    owner: str
    token: str
    side: Side
    price: Price
    size: Size


@dataclass(frozen=True, slots=True)
class TradeSeen:
    """One record of a trade: the taker's order, and the resting orders it met.

    `taken`: whether we are the taker. `detailed`: whether the record lists the resting orders; the
    user stream may leave them out.
    """

    trade_id: str
    status: FillStatus
    time_ms: int
    taker: Part
    makers: tuple[Part, ...]
    taken: bool
    detailed: bool

    @property
    def order_ids(self) -> tuple[str, ...]:
        """Every order it touches."""
        return (self.taker.order_id, *(part.order_id for part in self.makers))


def read_order(raw: Mapping[str, Any]) -> OrderSeen:
    """An OpenOrder of REST, or an `order` event of the user stream. Raises BadMessage."""
    try:
        size, matched = decimal(raw["original_size"]), decimal(raw["size_matched"])
        state, reason = _state(raw, size, matched)
        return OrderSeen(
            order_id=_id(raw["id"]),
            token=str(raw["asset_id"]),
            side=Side(raw["side"]),
            price=Price(decimal(raw["price"])),
            size=Size(size),
            matched=Size(matched),
            state=state,
            reason=reason,
            created_ms=epoch_ms(raw.get("created_at") or raw.get("timestamp") or 0),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadMessage(f"an order that cannot be read: {error!r}") from error


def _state(raw: Mapping[str, Any], size: Decimal, matched: Decimal) -> tuple[OrderState, str]:
    """(state, the venue's reason for an end).

    What does not say that it is over can fill: LIVE, UNMATCHED (its delay ended without a match, it
    rests), a status nobody knows.
    """
    status = str(raw.get("status") or "").upper().removeprefix("ORDER_STATUS_")
    if status.startswith("CANCELED") or raw.get("type") == "CANCELLATION":
        return OrderState.DONE, status.lower() if status.startswith("CANCELED") else "canceled"
    if status == "MATCHED":
        return (OrderState.DONE if size - matched <= DUST or _immediate(raw) else OrderState.LIVE), ""
    if matched >= size:
        return OrderState.DONE, ""
    if status == "INVALID":
        return OrderState.DONE, "invalid"
    return (OrderState.PENDING if status == "DELAYED" else OrderState.LIVE), ""


def _immediate(raw: Mapping[str, Any]) -> bool:
    return raw.get("order_type") in ("FOK", "FAK")


def read_trade(raw: Mapping[str, Any]) -> TradeSeen:
    """A trade of REST, or a `trade` event of the user stream. Raises BadMessage."""
    try:
        return TradeSeen(
            trade_id=str(raw["id"]),
            # MATCHED_NOT_BROADCASTED, and whatever may come to be: a match that is not final.
            status=_FILL_STATUS.get(str(raw["status"]).upper().removeprefix("TRADE_STATUS_"), FillStatus.MATCHED),
            time_ms=epoch_ms(raw.get("match_time") or raw.get("matchtime") or raw["timestamp"]),
            taker=_part(raw, "taker_order_id", "size"),
            makers=tuple(_part(maker, "order_id", "matched_amount") for maker in raw.get("maker_orders") or ()),
            taken=raw.get("trader_side") == "TAKER",
            detailed=raw.get("maker_orders") is not None,
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadMessage(f"a trade that cannot be read: {error!r}") from error


def _part(raw: Mapping[str, Any], order_id: str, size: str) -> Part:
    return Part(
        order_id=_id(raw[order_id]),
        owner=str(raw.get("owner") or ""),
        token=str(raw["asset_id"]),
        side=Side(raw["side"]),
        price=Price(decimal(raw["price"])),
        size=Size(decimal(raw[size])),
    )


def _id(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"no order id: {value!r}")
    return value.lower()


def decimal(value: object) -> Decimal:
    """A finite number, sent as text or as a number. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"no number: {value!r}")  # noqa: TRY004  one kind of error for every bad value
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"no number: {value!r}") from None
    if not number.is_finite():
        raise ValueError(f"no finite number: {value!r}")
    return number


def epoch_ms(value: object) -> int:
    """A time as ms since the epoch, from seconds or ms, as number or text. Raises ValueError."""
    number = int(decimal(value))
    return number * 1000 if number < _MS_FROM else number


def condition_id(text: str) -> str:
    """A condition id in 32 bytes. Gamma writes Protocol V2's in 31, without the last byte, which is 00."""
    return text.lower() + "00" if len(text) == 64 else text.lower()
