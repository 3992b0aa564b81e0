"""An order book as it was at one moment, and whether it may still be trusted."""

from collections.abc import Iterator, Mapping, Sequence
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


def trouble(
    books: tuple[Book, ...],
    now_ms: int,
    max_age_ms: int,
    max_skew_ms: int,
    *,
    venues: Sequence[str] = (),
    max_age_by_venue: Mapping[str, int] | None = None,
    max_cross_skew_ms: int | None = None,
) -> str | None:
    """Why these books may not be decided on together, or None when they may. All limits in ms.

    A book is stale when its last proof is older than its venue's limit in `max_age_by_venue`, or else `max_age_ms`.
    The set is torn when books of one venue were proved more than `max_skew_ms` apart, or any two more than
    `max_cross_skew_ms`: venues prove their books each at a pace of its own. `venues` names each book's venue; without
    it all books are of one.
    """
    assert len(venues) in (0, len(books)), "each book has a venue, or none is named"
    named = venues or ("",) * len(books)
    limits = max_age_by_venue or {}
    for venue, book in zip(named, books, strict=True):
        if now_ms - book.read_ms > limits.get(venue, max_age_ms):
            return f"stale book: {book.token} was last proved {now_ms - book.read_ms} ms ago"
        if book.crossed:
            return f"crossed book: {book.token} bids {book.bids[0].price}, asks {book.asks[0].price}"
    for venue in dict.fromkeys(named):
        apart = _apart([book for of, book in zip(named, books, strict=True) if of == venue])
        if apart > max_skew_ms:
            return f"torn read: the books were proved {apart} ms apart"
    if max_cross_skew_ms is not None and (apart := _apart(books)) > max_cross_skew_ms:
        return f"torn read: the books of the venues were proved {apart} ms apart"
    return None


def _apart(books: Sequence[Book]) -> int:
    """How many ms lie between the first and the last proof of these books."""
    reads = [book.read_ms for book in books]
    return max(reads, default=0) - min(reads, default=0)
