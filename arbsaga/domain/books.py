"""An order book as it was at one moment, and whether it may still be trusted."""

from collections.abc import Iterator
from dataclasses import dataclass

from arbsaga.domain.instruments import Side
from arbsaga.domain.money import NO_SIZE, Price, Size


@dataclass(frozen=True, slots=True)
class Level:
    """`size` shares are offered or wanted at `price` USD a share."""

    price: Price
    size: Size


@dataclass(frozen=True, slots=True)
class Book:
    """One token's order book. Both sides are best first.

    `generation` counts the interruptions of the stream that fed it: two books, or a book and an
    order, belong together only when nothing was interrupted between them. `time_ms` is the
    venue's own time of the last change, `read_ms` ours of the last proof that it was current;
    both in ms since the epoch.
    """

    token: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    generation: int
    time_ms: int
    read_ms: int

    def against(self, side: Side) -> tuple[Level, ...]:
        """The levels that an order of `side` trades with, best first."""
        return self.asks if side is Side.BUY else self.bids

    def within(self, side: Side, limit: Price) -> Iterator[Level]:
        """The levels that an order of `side` with this limit can reach, best first."""
        for level in self.against(side):
            if (level.price > limit) if side is Side.BUY else (level.price < limit):
                return
            yield level

    def depth(self, side: Side, limit: Price) -> Size:
        """The shares that an order of `side` can get at `limit` or better."""
        return Size(sum((level.size for level in self.within(side, limit)), NO_SIZE))

    @property
    def crossed(self) -> bool:
        """Whether a bid meets an ask: the book is torn or stale."""
        return bool(self.bids and self.asks) and self.bids[0].price >= self.asks[0].price


@dataclass(frozen=True, slots=True)
class BookRef:
    """Which book a decision was made on."""

    token: str
    generation: int
    time_ms: int


def trouble(books: tuple[Book, ...], now_ms: int, max_age_ms: int, max_skew_ms: int) -> str | None:
    """Why these books may not be decided on together, or None when they may.

    A book is stale when its last proof is older than `max_age_ms`; the set is torn when the books
    of one stream were proved at moments more than `max_skew_ms` apart.
    """
    for book in books:
        if now_ms - book.read_ms > max_age_ms:
            return f"stale book: {book.token} was last proved {now_ms - book.read_ms} ms ago"
        if book.crossed:
            return f"crossed book: {book.token} bids {book.bids[0].price}, asks {book.asks[0].price}"
    reads = [book.read_ms for book in books]
    if reads and max(reads) - min(reads) > max_skew_ms:
        return f"torn read: the books were proved {max(reads) - min(reads)} ms apart"
    return None
