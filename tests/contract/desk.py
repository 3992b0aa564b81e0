"""What every case does: makes orders, follows them, and holds what the venue says against the truth."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal

import pytest

from arbsaga.domain.instruments import Instrument, Side
from arbsaga.domain.money import Price, Size
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, Purpose, TimeInForce
from arbsaga.venues.port import Venue

from .benches import Bench, Feature, Record, Trouble

DEADLINE_S = 10.0


def needs(*of: Trouble | Feature) -> pytest.MarkDecorator:
    """The case is skipped, with the reason, on a bench that lacks one of these."""
    return pytest.mark.needs(*of)


def now_ms() -> int:
    """Ms since the epoch."""
    return time.time_ns() // 1_000_000


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = DEADLINE_S) -> None:
    """Ask until the condition holds; fails at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < deadline, "it did not become true in time"
        await asyncio.sleep(0.01)


def settled(view: OrderView) -> bool:
    """Whether it is over, every share of it is explained by a fill, and no fill can change."""
    return view.explained and view.settled


def denied(view: OrderView) -> bool:
    """Whether nobody knew it at a moment after it was made. Reads that lag deny for an earlier moment."""
    return view.denied_ms >= view.terms.created_ms


class Desk:
    """One account on one bench, its first market, and an eye on the truth after every word of the venue."""

    def __init__(self, bench: Bench, venue: Venue) -> None:
        self.bench, self.venue = bench, venue
        self._attempts = 0
        self.yes: Instrument
        self.no: Instrument

    async def open(self) -> "Desk":
        """Start the venue and read the first market."""
        await self.venue.start()
        self.yes, self.no = await self.pair(0)
        return self

    async def again(self) -> "Desk":
        """The same account in a new process, as it were: another Venue object, which remembers nothing."""
        return await Desk(self.bench, self.bench.venue()).open()

    async def pair(self, market: int) -> tuple[Instrument, Instrument]:
        """(YES, NO) of one of the bench's markets."""
        listing = await self.venue.listing(self.bench.markets[market])
        return listing.yes, listing.no

    def terms(
        self,
        instrument: Instrument,
        side: Side = Side.BUY,
        *,
        price: str = "0.40",
        size: str = "10",
        kind: TimeInForce = TimeInForce.GTC,
        late_ms: int = 0,
    ) -> OrderTerms:
        """An order's terms; each call is another attempt of one trade. `late_ms`: how long its last moment is over."""
        self._attempts += 1
        at = now_ms()
        return OrderTerms(
            trade_id=f"trade-{id(self)}",
            leg=0,
            attempt=self._attempts,
            purpose=Purpose.ENTER,
            instrument=instrument,
            side=side,
            size=Size(Decimal(size)),
            limit=Price(Decimal(price)),
            time_in_force=kind,
            created_ms=at - late_ms,
            send_by_ms=at - late_ms if late_ms else at + 5_000,
        )

    def unknown(self, terms: OrderTerms) -> OrderView:
        """What a process knows that finds the terms of an order on its disk, and nothing else."""
        return OrderView(terms, self.venue.order_id(terms), OrderState.UNKNOWN)

    async def post(self, *orders: OrderTerms) -> list[OrderView]:
        """Post them at once."""
        views = await self.venue.post(orders)
        assert [view.terms for view in views] == list(orders)
        assert [view.order_id for view in views] == [self.venue.order_id(terms) for terms in orders]
        return [self.agrees(view) for view in views]

    async def buy(self, instrument: Instrument, *, price: str = "0.40", size: str = "10") -> OrderView:
        """A buy that has filled, settled, and is all explained."""
        self.bench.offer(instrument, Side.SELL, price, size)
        (view,) = await self.post(self.terms(instrument, price=price, size=size))
        return await self.follow(view, settled)

    async def rest(self, instrument: Instrument, *, price: str = "0.30", size: str = "10") -> OrderView:
        """A buy that rests."""
        (view,) = await self.post(self.terms(instrument, price=price, size=size))
        return await self.follow(view, lambda view: view.state is OrderState.LIVE)

    async def look(self, view: OrderView) -> OrderView:
        """Look once."""
        (seen,) = await self.venue.look([view])
        return self.agrees(seen, view)

    async def cancel(self, view: OrderView) -> OrderView:
        """Cancel once."""
        return self.agrees(await self.venue.cancel(view), view)

    async def follow(self, view: OrderView, condition: Callable[[OrderView], bool]) -> OrderView:
        """Look, woken by the stream, until the condition holds."""
        seen = view

        async def looked() -> bool:
            nonlocal seen
            if condition(seen):
                return True
            await self.venue.news([seen.order_id], 50)
            seen = await self.look(seen)
            return condition(seen)

        await until(looked)
        return seen

    async def denied(self, view: OrderView) -> OrderView:
        """Look until nobody knows the order: it stays UNKNOWN, since only time proves more."""
        seen = await self.follow(view, denied)
        assert (seen.state, seen.known) == (OrderState.UNKNOWN, 0)
        return seen

    async def wait_for_truth(self, condition: Callable[[Record], bool]) -> Record:
        """The truth, once the condition holds."""
        await until(lambda: condition(self.bench.truth()))
        return self.bench.truth()

    def agrees(self, view: OrderView, before: OrderView | None = None) -> OrderView:
        """What a venue may say of an order at any moment: less than the truth, later than the truth, never against it.

        ABSENT of an order that came, DONE of one that can still fill or that has filled more, a fill that never was,
        or one that is taken back: each of these makes a trade naked without anybody's knowing.
        """
        truth = self.bench.truth()
        order, fills = truth.orders.get(view.order_id), truth.fills_of(view.order_id)
        happened, told = sum((fill.size for fill in fills), Decimal(0)), view.known + view.failed
        assert told <= happened, f"it claims {told} filled, the truth is {happened}: {view.evidence}"
        if view.state is OrderState.ABSENT:
            assert truth.came(view.order_id) == 0, f"it says never sent, but it came: {view.evidence}"
        if view.state is OrderState.DONE:
            assert order is None or not order.open, f"it says over, but it can fill: {view.evidence}"
            assert told == happened, f"it says over with {told}, the truth is {happened}: {view.evidence}"
        if view.state in (OrderState.LIVE, OrderState.PENDING):
            assert order is not None, f"it says that it exists, but it never did: {view.evidence}"
        if before is not None:
            assert told >= before.known + before.failed, f"a fill has gone: {view.evidence}"
        return view

    def one_order(self, view: OrderView) -> Record:
        """The truth, in which the order came exactly once and was accepted."""
        truth = self.bench.truth()
        assert (truth.came(view.order_id), view.order_id in truth.orders) == (1, True)
        return truth


class Keeper:
    """A book sink that keeps plain books from what it is told, and notes the rest."""

    def __init__(self) -> None:
        self.books: dict[str, tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]] = {}
        self.gaps: list[tuple[frozenset[str], str]] = []
        self.commits: list[int] = []
        self.doubts: list[str] = []
        self.over: list[str] = []
        self.snapshots = 0

    def snapshot(self, token: str, bids: Mapping[Price, Size], asks: Mapping[Price, Size], time_ms: int) -> None:
        """See BookSink."""
        assert time_ms >= 0
        self.snapshots += 1
        self.books[token] = dict(bids), dict(asks)

    def change(self, token: str, side: Side, price: Price, size: Size, time_ms: int) -> None:
        """See BookSink. Without a book there is nothing to change: after a gap a snapshot comes first."""
        assert time_ms >= 0
        if token in self.books:
            levels = self.books[token][0 if side is Side.BUY else 1]
            levels[price] = size
            if not size:
                del levels[price]

    def best(self, token: str, bid: Price | None, ask: Price | None) -> None:
        """See BookSink."""
        if token in self.books:
            bids, asks = self.books[token]
            if (max(bids, default=None), min(asks, default=None)) != (bid, ask):
                self.doubts.append(token)

    def commit(self, received_ns: int, tokens: Sequence[str]) -> None:
        """See BookSink."""
        self.commits.append(received_ns)

    def gap(self, tokens: Sequence[str], reason: str) -> None:
        """See BookSink."""
        self.gaps.append((frozenset(tokens), reason))
        for token in tokens:
            self.books.pop(token, None)

    def closed(self, market: str) -> None:
        """See BookSink."""
        self.over.append(market)

    def has(self, bench: Bench, *instruments: Instrument) -> bool:
        """Whether it has these books as the exchange has them."""
        return all(self.books.get(one.token) == bench.book(one) for one in instruments)
