"""Books by request: best first whatever the wire's order, all or none, and placeholders are not believed."""

import asyncio
from decimal import Decimal

import pytest

from arbsaga.errors import VenueError
from arbsaga.venues.polymarket.books import Books
from arbsaga.venues.polymarket.rest import Rest

A, B = "1001", "1002"


def book(token=A, bids=(("0.10", "5"), ("0.40", "7")), asks=(("0.90", "5"), ("0.60", "8")), **changes):
    return {
        "market": "0x1",
        "asset_id": token,
        "timestamp": "1790000000123",
        "bids": [{"price": price, "size": size} for price, size in bids],
        "asks": [{"price": price, "size": size} for price, size in asks],
    } | changes


@pytest.fixture
async def books(stub):
    rest = Rest(500)
    yield Books(rest, stub.url)
    await rest.close()


async def test_best_first_in_the_order_asked(stub, books):
    stub.answers["POST", "/books"] = [book(B), book(A)]
    first, second = await books.read([A, B], 42)
    assert (first.token, second.token) == (A, B)
    assert [level.price for level in first.bids] == [Decimal("0.40"), Decimal("0.10")]
    assert [level.price for level in first.asks] == [Decimal("0.60"), Decimal("0.90")]
    assert (first.generation, first.time_ms, first.read_ms) == (0, 1_790_000_000_123, 42)
    assert stub.count("POST", "/books") == 1


async def test_empty_levels_are_no_levels(stub, books):
    stub.answers["POST", "/books"] = [book(bids=[("0.10", "0")], asks=[])]
    (read,) = await books.read([A], 42)
    assert (read.bids, read.asks) == ((), ())


@pytest.mark.parametrize(
    "answer",
    [
        [book(A)],
        [],
        {},
        [book(A), book(B, bids=[("NaN", "5")])],
        [book(A), book(B, asks=[("0.5", None)])],
        [book(A), book(B, bids=[("0.5", "1")], timestamp="soon")],
        [book(A), "junk"],
        (404, "No orderbook exists for the requested token id"),
        (500, "down"),
    ],
)
async def test_all_books_or_none(stub, books, answer):
    """A decision on part of the books would be a decision on a torn read."""
    stub.answers["POST", "/books"] = answer
    with pytest.raises(VenueError):
        await books.read([A, B], 42)


async def test_slow_answer_is_a_venue_error(stub, books):
    async def slow(_request):
        await asyncio.sleep(3)

    stub.answers["POST", "/books"] = slow
    with pytest.raises(VenueError, match="no answer"):
        await books.read([A], 42)


PLACEHOLDER = {"bids": [("0.01", "1000")], "asks": [("0.99", "1000")]}


class TestPlaceholder:
    """Trap 7.14: /book stuck at 0.01/0.99 while the market trades elsewhere (py-clob-client #180)."""

    async def test_refused_where_the_prices_say_otherwise(self, stub, books):
        stub.answers["POST", "/books"] = [book(**PLACEHOLDER)]
        stub.answers["POST", "/prices"] = {A: {"BUY": "0.60", "SELL": "0.40"}}
        with pytest.raises(VenueError, match="stale book"):
            await books.read([A], 42)

    async def test_believed_where_the_prices_agree(self, stub, books):
        stub.answers["POST", "/books"] = [book(**PLACEHOLDER)]
        stub.answers["POST", "/prices"] = {A: {"BUY": "0.99", "SELL": "0.01"}}
        assert (await books.read([A], 42))[0].bids[0].price == Decimal("0.01")

    async def test_other_books_are_not_asked_about(self, stub, books):
        stub.answers["POST", "/books"] = [book()]
        await books.read([A], 42)
        assert stub.count("POST", "/prices") == 0

    async def test_fault_stale_book_on_the_exchange(self, rig):
        venue = await rig.started()
        market = rig.markets("1")[0]
        rig.offer(market, "SELL", "0.60", "10")
        rig.offer(market, "BUY", "0.40", "10")
        (read,) = await venue.books([market.token_ids[0]])
        assert (read.bids[0].price, read.asks[0].price) == (Decimal("0.40"), Decimal("0.60"))
        rig.fault("stale_book")
        with pytest.raises(VenueError, match="stale book"):
            await venue.books([market.token_ids[0]])


class TestBestPrices:
    async def test_buy_is_the_ask(self, stub, books):
        """Trap 1.5: BUY is what a buyer pays."""
        stub.answers["POST", "/prices"] = {A: {"BUY": "0.60", "SELL": "0.40"}, B: {"BUY": "1"}}
        assert await books.best_prices([A, B]) == {A: (Decimal("0.40"), Decimal("0.60")), B: (None, None)}

    @pytest.mark.parametrize("answer", [[], {A: 7}, {A: {"BUY": "cheap"}}, (500, "down")])
    async def test_unreadable_prices_are_a_venue_error(self, stub, books, answer):
        stub.answers["POST", "/prices"] = answer
        with pytest.raises(VenueError):
            await books.best_prices([A])
