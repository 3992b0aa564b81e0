"""Cases of books: by request and by stream they are the exchange's, or it is said that they are not."""

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from arbsaga.domain.instruments import Outcome, Side

from .benches import Trouble
from .desk import Keeper, needs, now_ms, until


@pytest.fixture
async def streamed(desk):
    """(desk, a keeper that has both books of the first market from the stream)."""
    desk.bench.offer(desk.yes, Side.SELL, "0.60", "20")
    desk.bench.offer(desk.yes, Side.BUY, "0.40", "30")
    keeper = Keeper()
    async with streaming(desk, keeper):
        yield desk, keeper


@asynccontextmanager
async def streaming(desk, keeper):
    """The books of both outcomes are told to the keeper meanwhile."""
    stream = asyncio.create_task(desk.venue.stream_books([desk.yes.token, desk.no.token], keeper))
    try:
        await until(lambda: keeper.has(desk.bench, desk.yes, desk.no))
        yield
    finally:
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)


async def test_c59_books_by_request(desk):
    """C59 Books by request are the exchange's, best first, in the order asked, and NO mirrors YES."""
    for price, size in (("0.55", "5"), ("0.60", "7.5"), ("0.52", "9")):
        desk.bench.offer(desk.yes, Side.SELL, price, size)
    desk.bench.offer(desk.yes, Side.BUY, "0.45", "11")
    desk.bench.offer(desk.no, Side.BUY, "0.44", "12")
    asked_ms = now_ms()
    books = await desk.venue.books([desk.no.token, desk.yes.token])
    assert [book.token for book in books] == [desk.no.token, desk.yes.token]
    for book, instrument in zip(books, (desk.no, desk.yes), strict=True):
        bids = {level.price: level.size for level in book.bids}
        asks = {level.price: level.size for level in book.asks}
        assert (bids, asks) == desk.bench.book(instrument)
        assert [level.price for level in book.bids] == sorted(bids, reverse=True)
        assert [level.price for level in book.asks] == sorted(asks)
        assert asked_ms - 50 <= book.read_ms <= now_ms()


async def test_c60_empty_book(desk):
    """C60 A market without any order has a book with nothing in it."""
    (book,) = await desk.venue.books([desk.yes.token])
    assert (book.bids, book.asks) == ((), ())


async def test_c61_books_by_stream(streamed):
    """C61 Offers that come, shrink and go reach the books of both outcomes, with the time of each frame."""
    desk, keeper = streamed
    offer = desk.bench.offer(desk.yes, Side.SELL, "0.55", "15")
    await until(lambda: keeper.has(desk.bench, desk.yes, desk.no))
    frames = len(keeper.commits)
    (view,) = await desk.post(desk.terms(desk.yes, price="0.55", size="10"))
    await until(lambda: keeper.has(desk.bench, desk.yes, desk.no))
    assert view.known == 10
    desk.bench.withdraw(offer)
    await until(lambda: keeper.has(desk.bench, desk.yes, desk.no))
    assert len(keeper.commits) > frames
    assert keeper.commits == sorted(keeper.commits)
    assert keeper.gaps == []
    asked = await desk.venue.books([desk.yes.token])
    assert {level.price: level.size for level in asked[0].asks} == keeper.books[desk.yes.token][1]


async def test_c62_book_stream_breaks(streamed):
    """C62 A broken connection is a gap in every book of it, and then the books come anew by themselves."""
    desk, keeper = streamed
    desk.bench.strike(Trouble.BOOK_STREAM_BREAKS)
    desk.bench.offer(desk.yes, Side.SELL, "0.55", "15")
    await until(lambda: bool(keeper.gaps))
    assert keeper.gaps[0][0] == {desk.yes.token, desk.no.token}
    desk.bench.offer(desk.yes, Side.SELL, "0.57", "15")
    await until(lambda: keeper.has(desk.bench, desk.yes, desk.no))


async def test_c63_message_about_books_is_lost(streamed):
    """C63 A lost message shows with the next one: a gap, or best prices that our books do not have."""
    desk, keeper = streamed
    desk.bench.strike(Trouble.BOOKS_LOST)
    desk.bench.offer(desk.yes, Side.SELL, "0.55", "15")
    await asyncio.sleep(0.15)
    desk.bench.offer(desk.yes, Side.SELL, "0.70", "5")
    await until(lambda: bool(keeper.gaps) or Decimal("0.70") in keeper.books[desk.yes.token][1])
    assert keeper.gaps or keeper.doubts
    if keeper.gaps:
        await until(lambda: keeper.has(desk.bench, desk.yes, desk.no))
        return
    async with streaming(desk, Keeper()):  # whoever keeps the books has them told anew
        pass


async def test_c64_last_message_about_books_is_lost(streamed):
    """C64 A lost message after which nothing comes is found out by asking: a gap, then the books are right again."""
    desk, keeper = streamed
    desk.bench.strike(Trouble.BOOKS_LOST)
    desk.bench.offer(desk.yes, Side.SELL, "0.55", "15")
    await until(lambda: bool(keeper.gaps) and keeper.has(desk.bench, desk.yes, desk.no))


@needs(Trouble.BOOKS_TWICE)
async def test_c65_messages_about_books_come_twice(streamed):
    """C65 A repeated message changes nothing."""
    desk, keeper = streamed
    desk.bench.strike(Trouble.BOOKS_TWICE)
    for price in ("0.55", "0.56", "0.57"):
        desk.bench.offer(desk.yes, Side.SELL, price, "15")
    await until(lambda: keeper.has(desk.bench, desk.yes, desk.no))


@needs(Trouble.BOOKS_OUT_OF_ORDER)
async def test_c66_messages_about_books_come_out_of_order(streamed):
    """C66 Messages in the wrong order never leave a wrong book: once it is quiet, the books are the exchange's."""
    desk, keeper = streamed
    desk.bench.strike(Trouble.BOOKS_OUT_OF_ORDER, 0.2)
    for price in ("0.55", "0.56", "0.57", "0.58"):
        desk.bench.withdraw(desk.bench.offer(desk.yes, Side.SELL, price, "15"))
        desk.bench.offer(desk.yes, Side.SELL, price, "7")
    await asyncio.sleep(0.25)
    desk.bench.calm()
    desk.bench.offer(desk.yes, Side.SELL, "0.70", "5")
    await until(lambda: keeper.has(desk.bench, desk.yes, desk.no))


async def test_c67_book_stream_over_a_restart(streamed):
    """C67 The exchange restarts: a gap, and then the books as they are now."""
    desk, keeper = streamed
    await desk.bench.stop()
    await until(lambda: bool(keeper.gaps))
    await desk.bench.start()
    desk.bench.offer(desk.yes, Side.SELL, "0.65", "15")
    await until(lambda: keeper.has(desk.bench, desk.yes, desk.no))


@pytest.mark.parametrize("winner", list(Outcome))
async def test_c68_book_stream_of_a_market_that_is_decided(streamed, winner):
    """C68 When a market is decided, its books are given up: who keeps them is told that it takes no more orders."""
    desk, keeper = streamed
    desk.bench.resolve(desk.yes.market, winner)
    await until(lambda: desk.yes.market in keeper.over)
    assert set(keeper.over) == {desk.yes.market}
