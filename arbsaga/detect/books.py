"""Live order books, fed by market streams: what is true now, and which of it may be believed.

A venue's stream has no sequence numbers and no gap signal, so a book is only as good as its last
proof. Each frame of a stream proves all books of that stream; an interruption, best prices that are
not the venue's, or a crossing that stays take the belief away until the next snapshot.
"""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from arbsaga.detect.counters import Counters
from arbsaga.detect.settings import BookSettings
from arbsaga.domain.books import Book, Level
from arbsaga.domain.instruments import Side
from arbsaga.domain.money import ZERO, Price, Size

ONE = Decimal(1)
MOST = Decimal(10**12)
"""No level holds this many shares: more is a malformed number."""
MS = 1_000_000

Levels = dict[Price, Size]
Change = tuple[Side, Price, Size, int]


class Stream:
    """One connection's worth of tokens: they are proved, interrupted and begun anew together.

    `generation` is a number that no stream ever had before, new at each interruption. `proved_ns`
    is when the last frame came in, `began_ns` when the stream was begun or last interrupted
    (monotonic). `suspect` says why it should be begun anew, or is empty. `tokens` are those that
    a snapshot is expected of.
    """

    __slots__ = ("began_ns", "generation", "proved_ns", "suspect", "tokens")

    def __init__(self, generation: int, now_ns: int) -> None:
        self.tokens: set[str] = set()
        self.generation = generation
        self.proved_ns = 0
        self.began_ns = now_ns
        self.suspect = ""


class _LiveBook:
    """One token's levels by price. A best price is cached until the level that gave it goes."""

    __slots__ = (
        "asks",
        "best_ask",
        "best_bid",
        "bids",
        "cached",
        "crossed_ns",
        "live",
        "lost_ms",
        "market",
        "said",
        "stale_ask",
        "stale_bid",
        "stream",
        "time_ms",
        "token",
        "waiting",
    )

    def __init__(self, token: str, market: str, stream: Stream) -> None:
        self.token, self.market, self.stream = token, market, stream
        self.bids: Levels = {}
        self.asks: Levels = {}
        self.best_bid: Price | None = None
        self.best_ask: Price | None = None
        self.stale_bid = self.stale_ask = False
        self.cached: tuple[tuple[Level, ...], tuple[Level, ...]] | None = None
        self.live = False
        self.time_ms = 0
        self.said: tuple[Price | None, Price | None] | None = None
        self.crossed_ns = 0
        self.waiting: deque[Change] = deque()  # changes since the interruption, until the snapshot
        self.lost_ms = 0  # the time of the last change that `waiting` had no room for

    def put(self, side: Side, price: Price, size: Size) -> None:
        self.cached = None
        if side is Side.BUY:
            if size:
                self.bids[price] = size
                if self.best_bid is None or price > self.best_bid:
                    self.best_bid = price
            elif self.bids.pop(price, None) is not None and price == self.best_bid:
                self.stale_bid = True
        elif size:
            self.asks[price] = size
            if self.best_ask is None or price < self.best_ask:
                self.best_ask = price
        elif self.asks.pop(price, None) is not None and price == self.best_ask:
            self.stale_ask = True

    def refresh(self) -> None:
        """Find the best prices again where the level that gave one has gone."""
        if self.stale_bid:
            self.best_bid, self.stale_bid = max(self.bids, default=None), False
        if self.stale_ask:
            self.best_ask, self.stale_ask = min(self.asks, default=None), False

    def fill(self, bids: Levels, asks: Levels) -> None:
        self.bids, self.asks = bids, asks
        self.stale_bid = self.stale_ask = True
        self.cached = self.said = None
        self.crossed_ns = 0
        self.refresh()

    def levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Both sides best first; built once per change."""
        if self.cached is None:
            bids = tuple(Level(price, self.bids[price]) for price in sorted(self.bids, reverse=True))
            asks = tuple(Level(price, self.asks[price]) for price in sorted(self.asks))
            self.cached = bids, asks
        return self.cached

    def wrong(self) -> str:
        """Why the venue's own best prices show that a message was missed, or empty."""
        if self.said is None:
            return ""
        bid, ask = self.said
        self.said = None
        if (bid is None or bid == self.best_bid) and (ask is None or ask == self.best_ask):
            return ""
        return f"the venue's best is {bid}/{ask}, ours {self.best_bid}/{self.best_ask}"


class LiveBooks:
    """A `BookSink`: books by token, and how far they can be believed. For one thread, and never awaits.

    `on_frame(received_ns, tokens)` is called when a frame was applied as a whole, `on_closed(market)`
    when a market takes no more orders. Clocks: ms since the epoch and monotonic ns.
    """

    def __init__(
        self,
        settings: BookSettings | None = None,
        *,
        on_frame: Callable[[int, Sequence[str]], None] = lambda _ns, _tokens: None,
        on_closed: Callable[[str], None] = lambda _market: None,
        counters: Counters | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // MS,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.settings = settings or BookSettings()
        self.counters = counters or Counters()
        self._on_frame, self._on_closed = on_frame, on_closed
        self._now_ms, self._now_ns = now_ms, now_ns
        self._books: dict[str, _LiveBook] = {}
        self._generations = itertools.count(1)

    # --- which tokens -------------------------------------------------------------------------------

    def follow(self, tokens: Mapping[str, str]) -> Stream:
        """Expect these tokens (each with its market) on a new stream. They need a new snapshot each."""
        stream = Stream(next(self._generations), self._now_ns())
        for token, market in tokens.items():
            self.forget([token])
            self._books[token] = _LiveBook(token, market, stream)
            stream.tokens.add(token)
        return stream

    def forget(self, tokens: Iterable[str]) -> None:
        """These tokens are no longer wanted."""
        for token in tokens:
            book = self._books.pop(token, None)
            if book is not None:
                book.stream.tokens.discard(token)

    # --- what is true -------------------------------------------------------------------------------

    def book(self, token: str) -> Book | None:
        """The token's book as of its stream's last frame, or None when there is none to be believed."""
        book = self._books.get(token)
        if book is None or not book.live:
            return None
        bids, asks = book.levels()
        age_ms = (self._now_ns() - book.stream.proved_ns) // MS
        return Book(token, bids, asks, book.stream.generation, book.time_ms, self._now_ms() - age_ms)

    def ask(self, token: str) -> Price | None:
        """The best ask, or None without one. Only `book` says whether it can be believed."""
        book = self._books.get(token)
        if book is None:
            return None
        if book.stale_ask:
            book.refresh()
        return book.best_ask

    def missing(self, stream: Stream) -> list[str]:
        """The stream's tokens that wait for a snapshot."""
        return [token for token in stream.tokens if not self._books[token].live]

    @property
    def live(self) -> int:
        """How many books are believed."""
        return sum(1 for book in self._books.values() if book.live)

    # --- BookSink -----------------------------------------------------------------------------------

    def snapshot(self, token: str, bids: Mapping[Price, Size], asks: Mapping[Price, Size], time_ms: int) -> None:
        """The whole book of a token as of `time_ms`; changes that came in meanwhile and are newer are kept.

        Sizes are absolute, so that a change of the same ms can be applied twice (nautilus_trader #4635).
        """
        book = self._books.get(token)
        if book is None:
            self.counters.strange += 1
            return
        self.counters.snapshots += 1
        book.stream.tokens.add(token)
        if not (_sane(bids) and _sane(asks)):
            self._malformed(book, "a snapshot")
        elif time_ms < book.lost_ms:
            self._distrust(book, "the snapshot is older than changes that were not kept")
        else:
            book.fill({price: size for price, size in bids.items() if size}, {p: s for p, s in asks.items() if s})
            book.time_ms, book.live = time_ms, True
            self._replay(book)

    def _replay(self, book: _LiveBook) -> None:
        snapshot_ms = book.time_ms
        for side, price, size, changed_ms in book.waiting:
            if changed_ms >= snapshot_ms:
                book.put(side, price, size)
                book.time_ms = changed_ms
        self._forget_waiting(book)
        book.refresh()

    def change(self, token: str, side: Side, price: Price, size: Size, time_ms: int) -> None:
        """A level's new absolute size; 0 removes it."""
        self.counters.changes += 1
        book = self._books.get(token)
        if book is None:
            self.counters.strange += 1
            return
        try:
            sane = ZERO < price < ONE and ZERO <= size < MOST
        except InvalidOperation:  # a NaN
            sane = False
        if not sane:
            self._malformed(book, f"a level of {size} @ {price}")
        elif book.live:
            book.put(side, price, size)
            book.time_ms = time_ms
        else:
            self._wait(book, (side, price, size, time_ms))

    def best(self, token: str, bid: Price | None, ask: Price | None) -> None:
        """The venue's own best prices at the end of this frame; None: it did not say."""
        book = self._books.get(token)
        if book is not None:
            book.said = (bid, ask)

    def commit(self, received_ns: int, tokens: Sequence[str]) -> None:
        """A whole frame was applied: its stream is proved, its books are checked, the listener decides."""
        self.counters.messages += 1
        for token in tokens:
            book = self._books.get(token)
            if book is None:
                continue
            book.stream.proved_ns = received_ns
            if book.stale_bid or book.stale_ask:
                book.refresh()
            if book.live and (wrong := book.wrong() or self._crossed(book, received_ns)):
                self.counters.caught += 1
                self._distrust(book, wrong)
        self._on_frame(received_ns, tokens)

    def gap(self, tokens: Sequence[str], reason: str) -> None:
        """The stream was interrupted: these books are stale until their next snapshot."""
        self.counters.gaps += 1
        streams = set()
        for token in tokens:
            book = self._books.get(token)
            if book is not None:
                book.live = False
                self._forget_waiting(book)
                streams.add(book.stream)
        for stream in streams:
            stream.generation = next(self._generations)
            stream.began_ns = self._now_ns()

    def closed(self, market: str) -> None:
        """The market takes no more orders, or other ones: its books are dropped until a new snapshot."""
        for book in self._books.values():
            if book.market == market:
                book.live = False
                book.fill({}, {})
                self._forget_waiting(book)
                book.stream.tokens.discard(book.token)  # a snapshot is no longer missed
        self._on_closed(market)

    # --- belief -------------------------------------------------------------------------------------

    def _crossed(self, book: _LiveBook, now_ns: int) -> str:
        bid, ask = book.best_bid, book.best_ask
        if bid is None or ask is None or bid < ask:
            book.crossed_ns = 0
        elif not book.crossed_ns:
            book.crossed_ns = now_ns
        elif now_ns - book.crossed_ns > self.settings.crossed_ms * MS:
            return f"crossed for {(now_ns - book.crossed_ns) // MS} ms: {bid}/{ask}"
        return ""

    def _malformed(self, book: _LiveBook, what: str) -> None:
        self.counters.malformed += 1
        self._distrust(book, f"malformed: {what}")

    def _distrust(self, book: _LiveBook, reason: str) -> None:
        """Stop believing a book. Its stream has lost something: it counts as interrupted, and is begun anew."""
        book.live, book.crossed_ns = False, 0
        book.stream.generation = next(self._generations)
        book.stream.suspect = book.stream.suspect or f"{book.token}: {reason}"

    def _wait(self, book: _LiveBook, change: Change) -> None:
        """Keep a change until the snapshot that is in flight."""
        book.waiting.append(change)
        if len(book.waiting) > self.settings.max_waiting:
            book.lost_ms = book.waiting.popleft()[3]

    @staticmethod
    def _forget_waiting(book: _LiveBook) -> None:
        book.waiting.clear()
        book.lost_ms = 0


def _sane(levels: Mapping[Price, Size]) -> bool:
    try:
        return all(ZERO < price < ONE and ZERO <= size < MOST for price, size in levels.items())
    except InvalidOperation:  # a NaN
        return False
