"""The scanner: watches every basket of the venues' events, and of pairs, and offers what passes the gates.

A frame re-prices only the baskets it touched, and those only when their best prices pass; so that a
decision is made in the frame that brought it. It knows nothing of how a trade is run.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from arbsaga.detect.admission import Admission
from arbsaga.detect.books import MS, LiveBooks
from arbsaga.detect.counters import Counters
from arbsaga.detect.index import BasketIndex
from arbsaga.detect.pairs import WatchedPair
from arbsaga.detect.settings import ScanSettings
from arbsaga.detect.streams import Streams
from arbsaga.detect.watches import Watch, others
from arbsaga.domain.books import Book, BookRef, trouble
from arbsaga.domain.pricing import Quote
from arbsaga.errors import VenueError
from arbsaga.saga.messages import Phase
from arbsaga.venues.port import EventListing, Venue

log = structlog.get_logger(__name__)

BURST_S = 0.05
"""Markets of one event close together: so long after the first, the events are listed anew."""


@dataclass(frozen=True, slots=True)
class Opportunity:
    """A basket worth trading, and the books it was found on.

    `decided_ms` is when it was decided (ms since the epoch), `decided_ns` when the bytes of the
    deciding frame came in (monotonic); an opportunity found between frames has the time of its pricing.
    """

    quote: Quote
    books: tuple[BookRef, ...]
    decided_ms: int
    decided_ns: int


class Scanner:
    """Books in, opportunities out.

    `on_opportunity` answers True when it started a trade, which is then in flight until `ended` is
    called; False leaves the opportunity to be tried at the next change or pass. Best edge first.
    """

    def __init__(
        self,
        venue: Venue,
        settings: ScanSettings,
        on_opportunity: Callable[[Opportunity], bool],
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // MS,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.settings = settings
        self.counters = Counters()
        self.books = LiveBooks(
            settings.books,
            on_frame=self._on_frame,
            on_closed=self._on_closed,
            counters=self.counters,
            now_ms=now_ms,
            now_ns=now_ns,
        )
        self._venue, self._offer_to = venue, on_opportunity
        self._now_ms, self._now_ns = now_ms, now_ns
        self._index = BasketIndex(settings.gates, settings.baskets)
        self._admission = Admission(settings.admission)
        self._list_now = asyncio.Event()
        self._follow_now = False
        self._streams = 0

    async def run(self) -> None:
        """Scan until cancelled. A venue that does not answer is asked again; anything unforeseen is raised."""
        async with asyncio.TaskGroup() as group:
            streams = Streams(self._venue, self.books, self.settings.streams, group)
            group.create_task(self._keep_passing())
            group.create_task(self._keep_streams(streams))

    def ended(self, basket_key: str, phase: Phase) -> None:
        """The basket's trade ended: it may be entered again, after a pause if it failed; HELD stays blocked."""
        self._admission.ended(basket_key, phase, self._now_ms())

    def resumed(self, basket_key: str, tokens: Iterable[str]) -> None:
        """A trade on this basket is still open from before this process: it is in flight."""
        self._admission.resumed(basket_key, tokens)

    def watch_pairs(self, pairs: Sequence[WatchedPair]) -> None:
        """Watch the baskets of these pairs, and no others, beside the events'. One that has not changed stays as it is.

        To be told again whenever a pair, one of its listings or what is left of its cap changes. A pair whose market
        has closed is not watched until it is told again.
        """
        before = self._index.pair_tokens()
        self._begin(self._index.refresh_pairs(pairs))
        if self._index.pair_tokens() != before:
            self._follow_now = True
            self._list_now.set()

    def stats(self) -> dict[str, int]:
        """What was counted, and how much is watched now."""
        watches = self._index.watches
        return self.counters.as_dict() | {
            "events": len({watch.event for watch in watches}),
            "baskets": len(watches),
            "near": sum(1 for watch in watches if watch.near),
            "books": self.books.live,
            "streams": self._streams,
            "in_flight": len(self._admission.in_flight),
        }

    # --- the loops ----------------------------------------------------------------------------------

    async def _keep_passing(self) -> None:
        while True:
            await asyncio.sleep(self.settings.admission.pass_ms / 1000)
            self.sweep()

    async def _keep_streams(self, streams: Streams) -> None:
        """List the events every so often, or soon after a market closed; tend the streams in between."""
        due_ns = 0
        while True:
            if self._list_now.is_set() or self._now_ns() >= due_ns:
                self._list_now.clear()
                if await self.discover() or self._follow_now:
                    self._follow_now = False
                    await streams.follow(self._index.tokens(), self._now_ns())
                due_ns = self._now_ns() + self.settings.discovery_ms * MS
            await streams.tend(self._now_ns())
            self._streams = streams.count
            await self._pause()

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._list_now.wait(), self.settings.streams.tend_ms / 1000)
        except TimeoutError:
            return
        await asyncio.sleep(BURST_S)

    async def discover(self) -> bool:
        """List the venue's events and build their baskets. False when the venue did not answer."""
        self.counters.discoveries += 1
        try:
            listings = await self._venue.events()
        except VenueError as error:
            self.counters.failed_discoveries += 1
            log.warning("events not listed", error=str(error))
            return False
        self.take(listings)
        return True

    def take(self, listings: Sequence[EventListing]) -> None:
        """Watch the baskets of these events, and no others."""
        self._begin(self._index.refresh(listings))

    def _begin(self, watches: Iterable[Watch]) -> None:
        """Tell new watches the prices that are known already."""
        for watch in watches:
            for at, token in enumerate(watch.tokens):
                watch.move(at, self.books.ask(token))

    def sweep(self) -> None:
        """One pass over every basket that passes at its best prices, whether or not its books have changed."""
        self._admission.prune(self._now_ms())
        self._decide([watch for watch in self._index.watches if watch.near], self._now_ns())

    # --- a frame ------------------------------------------------------------------------------------

    def _on_frame(self, received_ns: int, tokens: Sequence[str]) -> None:
        near: dict[str, Watch] = {}
        touched, best_ask = self._index.touched, self.books.ask
        for token in tokens:
            ask = best_ask(token)
            for watch, at in touched(token):
                if ask != watch.asks[at]:
                    watch.move(at, ask)
                if watch.near:
                    near[watch.key] = watch
        if near:
            self._decide(near.values(), received_ns)

    def _on_closed(self, market: str) -> None:
        self._index.retire(market)
        self._list_now.set()

    def _decide(self, watches: Iterable[Watch], decided_ns: int) -> None:
        """Price these baskets and offer the best ones first."""
        found = [(watch, quote, books) for watch in watches for quote, books in self._priced(watch)]
        found.sort(key=lambda one: one[1].edge, reverse=True)
        for watch, quote, books in found:
            self._offer(watch, quote, books, decided_ns)

    def _priced(self, watch: Watch) -> list[tuple[Quote, tuple[Book, ...]]]:
        """The basket's quote and the books it rests on, or nothing, counted by its reason."""
        now_ms = self._now_ms()
        refusal = self._admission.refusal(watch.key, watch.tokens, now_ms, watch.others)
        if not refusal:
            self.counters.decisions += 1
            quote = watch.price(self.books.book)
            if isinstance(quote, Quote):
                books = tuple(self._proved(leg.leg.instrument.token) for leg in quote.legs)
                refusal = self._trouble(quote, books, now_ms)
                if not refusal:
                    watch.said = ""
                    return [(quote, books)]
            else:
                refusal = quote.reason
        self._refuse(watch, refusal)
        return []

    def _trouble(self, quote: Quote, books: tuple[Book, ...], now_ms: int) -> str:
        """Why the books of these legs are not believed together, or empty."""
        limits = self.settings
        said = trouble(
            books,
            now_ms,
            limits.max_book_age_ms,
            limits.max_book_skew_ms,
            venues=[leg.leg.instrument.venue for leg in quote.legs],
            max_age_by_venue=limits.max_age_ms_by_venue,
            max_cross_skew_ms=limits.max_cross_skew_ms,
        )
        return said or ""

    def _proved(self, token: str) -> Book:
        book = self.books.book(token)
        assert book is not None, "a priced book is believed"
        return book

    def _refuse(self, watch: Watch, refusal: str) -> None:
        """Count a basket once for each new kind of reason, not in every frame."""
        kind = refusal.partition(":")[0]
        if kind != watch.said:
            watch.said = kind
            self.counters.refused[kind] += 1

    def _offer(self, watch: Watch, quote: Quote, books: tuple[Book, ...], decided_ns: int) -> None:
        now_ms = self._now_ms()
        instruments = [leg.leg.instrument for leg in quote.legs]
        tokens = [instrument.token for instrument in instruments]
        if not self._index.holds(watch):  # a trade that has just started told its pair anew, with less of its cap left
            return
        refusal = self._admission.refusal(watch.key, tokens, now_ms, others(instruments))
        if refusal:  # one offered before it may have started
            self._refuse(watch, refusal)
            return
        self.counters.opportunities += 1
        refs = tuple(BookRef(book.token, book.generation, book.time_ms) for book in books)
        if self._offer_to(Opportunity(quote, refs, now_ms, decided_ns)):
            self.counters.started += 1
            self._admission.started(watch.key, tokens, now_ms)
        else:
            self.counters.waiting += 1
