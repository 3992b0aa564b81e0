"""The venue in memory with the account's own record: what reconciliation compares the ledger with."""

from memory_venue import Behaviour, MemoryVenue
from temporal_rig import D

from arbsaga.domain.money import Size, Usd
from arbsaga.domain.orders import FillStatus, OrderState, OrderTerms
from arbsaga.errors import VenueError
from arbsaga.venues.port import AccountFill, MarketListing, OpenOrder


class AccountVenue(MemoryVenue):
    """The venue in memory with what reconciliation asks: open orders, fills, cash. `gone`: cash nobody booked."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = D(0)
        self.cancelled: list[str] = []

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        if self.down:
            raise VenueError(self.down)
        return tuple(
            OpenOrder(
                order_id,
                held.terms.instrument.token,
                held.terms.side,
                held.terms.limit,
                held.terms.size,
                Size(sum((fill.size for fill in held.fills), D(0))),
                held.sent_ms,
            )
            for order_id, held in self.orders.items()
            if held.state is OrderState.LIVE
        )

    async def fills_since(self, after_ms: int) -> tuple[AccountFill, ...]:
        return tuple(
            AccountFill(order_id, held.terms.instrument.token, held.terms.side, fill)
            for order_id, held in self.orders.items()
            for fill in held.fills
            if fill.time_ms >= after_ms
        )

    async def cash(self) -> Usd:
        alive = [
            (held.terms.side, fill)
            for held in self.orders.values()
            for fill in held.fills
            if fill.status is not FillStatus.FAILED
        ]
        spent = sum(((1 if side == "BUY" else -1) * fill.size * fill.price for side, fill in alive), D(0))
        return Usd(self.cash_left - self.gone - spent)

    async def listing(self, market: str) -> MarketListing:
        known = next(held.terms.instrument for held in self.orders.values() if held.terms.instrument.market == market)
        return MarketListing(known, known.other(), open=True)

    async def cancel(self, known):
        self.cancelled.append(known.order_id)
        return await super().cancel(known)

    def arrive(self, terms: OrderTerms, fills: str, settle_to: FillStatus = FillStatus.CONFIRMED) -> str:
        """An order reaches the venue although nobody waits for it any more."""
        order_id = self.order_id(terms)
        self._arrive(order_id, terms, Behaviour(fills=D(fills), settle_to=settle_to))
        return order_id
