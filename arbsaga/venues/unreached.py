"""A venue that could not be started: it stands in its place until it can be."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NoReturn

from arbsaga.domain.books import Book
from arbsaga.domain.instruments import Instrument
from arbsaga.domain.money import Size, Usd
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView
from arbsaga.errors import VenueError
from arbsaga.venues.port import (
    AccountFill,
    BookSink,
    EventListing,
    Funds,
    MarketListing,
    OpenOrder,
    Question,
    Venue,
)


def not_sent(terms: OrderTerms, order_id: str, why: str) -> OrderView:
    """An order that was provably not sent."""
    return OrderView(terms, order_id, OrderState.ABSENT, reason=f"not sent: {why}")


class Unreached(Venue):
    """In the place of `part`, which did not start because of `why`. What would ask the venue raises VenueError."""

    def __init__(self, name: str, part: Venue, why: str) -> None:
        self.name, self._part, self._why = name, part, why

    def _raise(self) -> NoReturn:
        raise VenueError(f"{self.name} cannot be reached: {self._why}")

    def order_id(self, terms: OrderTerms) -> str:
        """See Venue: it needs no connection."""
        return self._part.order_id(terms)

    async def post(self, orders: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        """See Venue: nothing is sent."""
        return tuple(not_sent(terms, self.order_id(terms), f"{self.name} cannot be reached") for terms in orders)

    def bars_account(self, refusal: str) -> bool:
        """See Venue."""
        return self._part.bars_account(refusal)

    async def look(self, known: Sequence[OrderView]) -> tuple[OrderView, ...]:
        """Raises VenueError: nothing is known."""
        del known
        self._raise()

    async def cancel(self, known: OrderView) -> OrderView:
        """Raises VenueError: nothing is known."""
        del known
        self._raise()

    async def news(self, order_ids: Sequence[str], timeout_ms: int) -> bool:
        """See Venue: there is none."""
        del order_ids
        await asyncio.sleep(timeout_ms / 1000)
        return False

    def streaming(self) -> bool:
        """See Venue."""
        return False

    async def barred(self, instruments: Sequence[Instrument]) -> str:
        """See Venue."""
        del instruments
        return f"{self.name} cannot be reached"

    async def funds(self, buys: Sequence[Instrument]) -> Funds:
        """Raises VenueError."""
        del buys
        self._raise()

    async def sellable(self, token: str) -> Size:
        """Raises VenueError."""
        del token
        self._raise()

    async def cash(self) -> Usd:
        """Raises VenueError."""
        self._raise()

    async def positions(self, tokens: Sequence[str]) -> Mapping[str, Size]:
        """Raises VenueError."""
        del tokens
        self._raise()

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        """Raises VenueError."""
        self._raise()

    async def fills_since(self, after_ms: int) -> tuple[AccountFill, ...]:
        """Raises VenueError."""
        del after_ms
        self._raise()

    async def books(self, tokens: Sequence[str]) -> tuple[Book, ...]:
        """Raises VenueError."""
        del tokens
        self._raise()

    async def events(self) -> tuple[EventListing, ...]:
        """Raises VenueError."""
        self._raise()

    async def listing(self, market: str) -> MarketListing:
        """Raises VenueError."""
        del market
        self._raise()

    async def question(self, market: str) -> Question:
        """Raises VenueError."""
        del market
        self._raise()

    async def stream_books(self, tokens: Sequence[str], sink: BookSink) -> None:
        """Raises VenueError."""
        del tokens, sink
        self._raise()

    async def start(self) -> None:
        """Raises VenueError: another one is started in its place."""
        self._raise()

    async def close(self) -> None:
        """What did not start is closed already."""
