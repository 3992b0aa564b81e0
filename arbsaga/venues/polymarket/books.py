"""Order books by request, best first, and the check of one that looks like a placeholder."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from arbsaga.domain.books import Book, Level
from arbsaga.domain.money import Price, Size
from arbsaga.errors import BadMessage, VenueError
from arbsaga.venues.polymarket.market_frames import Best
from arbsaga.venues.polymarket.records import decimal, epoch_ms
from arbsaga.venues.polymarket.rest import Rest

MAX_BOOKS = 500
"""Tokens in one POST /books."""
_LOW, _HIGH = Decimal("0.01"), Decimal("0.99")


class Books:
    """Public reads of books and best prices. Every method raises VenueError."""

    def __init__(self, rest: Rest, clob_url: str) -> None:
        self._rest, self._clob = rest, clob_url

    async def read(self, tokens: Sequence[str], now_ms: int) -> tuple[Book, ...]:
        """The books in the order asked, all from one answer, as of `now_ms`. Raises VenueError if one is missing."""
        assert len(tokens) <= MAX_BOOKS, "all books come from one answer"
        raw = await self._rest.post(self._clob, "/books", [{"token_id": token} for token in tokens])
        found = {book.token: book for book in map(_reader(now_ms), raw if isinstance(raw, list) else ())}
        missing = [token for token in tokens if token not in found]
        if missing:
            raise VenueError(f"the venue has no book of {missing[0]} ({len(missing)} of {len(tokens)} are missing)")
        books = tuple(found[token] for token in tokens)
        await self._refuse_placeholders(books)
        return books

    async def _refuse_placeholders(self, books: Sequence[Book]) -> None:
        """A book stuck at 0.01/0.99 while the market trades elsewhere was served for days (py-clob-client #180)."""
        odd = [book for book in books if _looks_empty(book)]
        prices = await self.best_prices([book.token for book in odd]) if odd else {}
        for book in odd:
            if prices.get(book.token, (None, None)) != (book.bids[0].price, book.asks[0].price):
                raise VenueError(f"stale book: {book.token} is served as 0.01/0.99, its prices are not")

    async def best_prices(self, tokens: Sequence[str]) -> dict[str, Best]:
        """(best bid, best ask) by token; None for an empty side. BUY is what a buyer pays: the ask."""
        asked = [{"token_id": token, "side": side} for token in tokens for side in ("SELL", "BUY")]
        raw = await self._rest.post(self._clob, "/prices", asked)
        try:
            return {token: (_price(sides.get("SELL")), _price(sides.get("BUY"))) for token, sides in raw.items()}
        except (AttributeError, ValueError) as error:
            raise BadMessage(f"prices that cannot be read: {error!r}") from error


def _looks_empty(book: Book) -> bool:
    return bool(book.bids and book.asks) and book.bids[0].price <= _LOW and book.asks[0].price >= _HIGH


def _price(value: object) -> Price | None:
    """No price is told as nothing, "", or the bound of its side."""
    price = decimal(value) if value not in (None, "") else Decimal(0)
    return Price(price) if 0 < price < 1 else None


def _reader(now_ms: int) -> Any:  # noqa: ANN401  a function of one argument
    def read(raw: Mapping[str, Any]) -> Book:
        try:
            bids, asks = _levels(raw["bids"]), _levels(raw["asks"])
            time_ms = epoch_ms(raw.get("timestamp") or 0)
            # Never by position: documents and wire disagree on which end is best.
            bids.sort(key=lambda level: level.price, reverse=True)
            asks.sort(key=lambda level: level.price)
            return Book(str(raw["asset_id"]), tuple(bids), tuple(asks), 0, time_ms, now_ms)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadMessage(f"a book that cannot be read: {error!r}") from error

    return read


def _levels(raw: Sequence[Mapping[str, Any]]) -> list[Level]:
    levels = [Level(Price(decimal(level["price"])), Size(decimal(level["size"]))) for level in raw]
    return [level for level in levels if level.size > 0]
