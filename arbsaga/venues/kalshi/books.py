"""Order books by request, of both outcomes of a market."""

from collections.abc import Sequence
from typing import Final

from arbsaga.domain.books import Book, Level
from arbsaga.domain.instruments import Outcome
from arbsaga.domain.money import Price
from arbsaga.errors import BadMessage, VenueError
from arbsaga.venues.kalshi.records import Levels, outcome_of, read_book
from arbsaga.venues.kalshi.rest import Rest

MAX_MARKETS: Final = 100
"""Markets in one GET /markets/orderbooks; the venue does not document its number."""


class Books:
    """Signed reads of books: unsigned ones come from a cache of up to 15 s."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def read(self, tokens: Sequence[str], asked_ms: int) -> tuple[Book, ...]:
        """The books in the order asked, all from one answer, as of `asked_ms`, of at most 100 markets.

        The venue tells no time of the last change: `time_ms` is that of the asking. Raises VenueError if one is
        missing, UnknownThing for a token of another venue.
        """
        wanted = [(token, *outcome_of(token)) for token in tokens]
        tickers = list(dict.fromkeys(ticker for _, ticker, _ in wanted))
        assert len(tickers) <= MAX_MARKETS, "all books come from one answer"
        found = await self._asked(tickers) if tickers else {}
        missing = [ticker for ticker in tickers if ticker not in found]
        if missing:
            raise VenueError(f"the venue has no book of {missing[0]} ({len(missing)} of {len(tickers)} are missing)")
        return tuple(book_of(token, outcome, *found[ticker], asked_ms) for token, ticker, outcome in wanted)

    async def _asked(self, tickers: Sequence[str]) -> dict[str, tuple[Levels, Levels]]:
        """YES bids and YES asks by ticker."""
        raw = (await self._rest.get("/markets/orderbooks", {"tickers": tickers})).get("orderbooks")
        if not isinstance(raw, list):
            raise BadMessage("/markets/orderbooks: an answer without orderbooks")
        return {ticker: (bids, asks) for ticker, bids, asks in map(read_book, raw)}


def book_of(token: str, outcome: Outcome, bids: Levels, asks: Levels, asked_ms: int) -> Book:
    """The book of an outcome, from its market's YES bids and asks: NO's are the same orders, seen from the other side.

    Never by position: documents and wire disagree on which end of a side is best.
    """
    if outcome is Outcome.NO:
        bids, asks = mirrored(asks), mirrored(bids)
    best_first = sorted(bids.items(), reverse=True), sorted(asks.items())
    sides = [tuple(Level(price, size) for price, size in side) for side in best_first]
    return Book(token, sides[0], sides[1], generation=0, time_ms=asked_ms, read_ms=asked_ms)


def mirrored(levels: Levels) -> Levels:
    """Levels of one outcome at the other's prices."""
    return {Price(1 - price): size for price, size in levels.items()}
