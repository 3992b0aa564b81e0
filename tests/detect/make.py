"""Builders for the tests of detection: events, a clock that stands still, and a venue in memory."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal

from arbsaga.detect import LiveBooks, Scanner, ScanSettings
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome, Side
from arbsaga.domain.money import Price, Size
from arbsaga.errors import VenueError
from arbsaga.venues.port import BookSink, EventListing, MarketListing

MS = 1_000_000


class Clock:
    """Wall and monotonic time, moved by hand."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def now_ms(self) -> int:
        return self.ms

    def now_ns(self) -> int:
        return (self.ms - 400_000) * MS


def market(name: str, *, open_: bool = True, rate: str = "0", tick: str = "0.01") -> MarketListing:
    rules = MarketRules(Decimal(tick), fee=FeeSchedule(Decimal(rate)))
    yes = Instrument("venue", name, f"{name}-yes", f"{name}-no", Outcome.YES, f"{name} wins", rules)
    return MarketListing(yes, yes.other(), open_)


def event(name: str, markets: Sequence[MarketListing | str], *, neg_risk=True, exhaustive=True) -> EventListing:
    listed = tuple(one if isinstance(one, MarketListing) else market(f"{name}{one}") for one in markets)
    return EventListing(name, f"Who wins {name}?", neg_risk, exhaustive, listed)


def prices(*pairs: tuple[str, str]) -> dict[Price, Size]:
    return {Price(Decimal(price)): Size(Decimal(size)) for price, size in pairs}


def books(clock: Clock | None = None, **more) -> LiveBooks:
    clock = clock or Clock()
    return LiveBooks(now_ms=clock.now_ms, now_ns=clock.now_ns, **more)


def show(sink: BookSink, token: str, asks=(), bids=(), *, time_ms=1, received_ns=0, commit=True) -> None:
    """A whole book in one frame."""
    sink.snapshot(token, prices(*bids), prices(*asks), time_ms)
    if commit:
        sink.commit(received_ns, [token])


def move(sink: BookSink, token: str, side: Side, price: str, size: str, *, time_ms=2) -> None:
    sink.change(token, side, Price(Decimal(price)), Size(Decimal(size)), time_ms)


class FakeVenue:
    """Events and streams in memory: what is put in `shown` is sent as snapshots when a stream begins."""

    name = "venue"

    def __init__(self, listings: Sequence[EventListing] = (), shown: Mapping[str, tuple] | None = None) -> None:
        self.listings = list(listings)
        self.shown = dict(shown or {})
        self.running: list[tuple[str, ...]] = []
        self.begun: list[tuple[str, ...]] = []
        self.fails: list[VenueError] = []
        self.ends: list[BaseException | None] = []
        self.listed = 0

    async def events(self) -> tuple[EventListing, ...]:
        self.listed += 1
        if self.fails:
            raise self.fails.pop()
        return tuple(self.listings)

    async def stream_books(self, tokens: Sequence[str], sink: BookSink) -> None:
        tokens = tuple(tokens)
        self.begun.append(tokens)
        self.running.append(tokens)
        try:
            for token in tokens:
                if token in self.shown:
                    asks, bids = self.shown[token]
                    sink.snapshot(token, prices(*bids), prices(*asks), 1)
            sink.commit(self.clock_ns(), tokens)
            if self.ends:
                if (end := self.ends.pop()) is not None:
                    raise end
                return
            await asyncio.Event().wait()
        finally:
            self.running.remove(tokens)

    def clock_ns(self) -> int:
        return 0


def scanner(listings: Sequence[EventListing] = (), settings: ScanSettings | None = None, start=True, clock=None):
    """A scanner of these events, fed by hand: (scanner, its opportunities, its clock)."""
    clock, found = clock or Clock(), []

    def offered(opportunity) -> bool:
        found.append(opportunity)
        return start(opportunity) if callable(start) else start

    one = Scanner(FakeVenue(), settings or ScanSettings(), offered, now_ms=clock.now_ms, now_ns=clock.now_ns)
    one.take(listings)
    follow(one)
    return one, found, clock


def follow(one: Scanner) -> None:
    """Expect the tokens of every basket that is watched, as the scanner's streams would."""
    for groups in one._index.tokens().values():
        for tokens in groups:
            one.books.follow(tokens)


async def until(condition, seconds: float = 5.0) -> None:
    """Poll until the condition holds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it never came about"
        await asyncio.sleep(0.005)
