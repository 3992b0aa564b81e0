"""Book sockets: reconnect by themselves, report every gap, and are not believed when they fall silent."""

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from arbsaga.errors import VenueError
from arbsaga.venues.polymarket.market_stream import stream_books
from arbsaga.venues.polymarket.sockets import Keepalive

from .rig import until
from .sink import Recorder
from .test_market_frames import YES, book

FAST = Keepalive(ping=50, dead=400, check=20, retry=10, retry_max=50, steady=10_000)
AT = (Decimal("0.40"), Decimal("0.60"))


@asynccontextmanager
async def streaming(stub, tokens, best_prices=None, *, group=100, quiet_ms=60_000):
    """A sink that is fed from the stub."""

    async def nothing(_tokens):
        return {}

    sink = Recorder()
    url = stub.url.replace("http", "ws") + "/ws/market"
    task = asyncio.create_task(
        stream_books(
            url, tokens, sink, group=group, best_prices=best_prices or nothing, quiet_ms=quiet_ms, keepalive=FAST
        )
    )
    try:
        await until(lambda: len(stub.frames) == -(-len(tokens) // group))
        yield sink
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def dump(stub):
    """The stub sends a book of each token on every connection."""

    async def on_connect(socket):
        for token in stub.frames[-1]["assets_ids"]:
            await socket.send_json(book(token))

    stub.on_connect = on_connect


async def test_asks_for_books_and_custom_events(stub):
    async with streaming(stub, [YES]):
        assert stub.frames == [{"type": "market", "assets_ids": [YES], "custom_feature_enabled": True}]


async def test_no_tokens_is_no_end(stub):
    async with streaming(stub, []):
        await asyncio.sleep(0.05)


async def test_tokens_are_split_over_sockets(stub, dump):
    """Trap 8.4: one initial dump over 1 MiB kills the official client's socket, again and again."""
    tokens = [str(number) for number in range(25)]
    async with streaming(stub, [*tokens, tokens[0]], group=10) as sink:
        assert [len(frame["assets_ids"]) for frame in stub.frames] == [10, 10, 5]
        await until(lambda: sorted(sink.books) == sorted(tokens))


async def test_every_end_is_a_gap_and_a_new_dump(stub, dump):
    """Trap 8.4: reconnects are invisible in the official client."""
    async with streaming(stub, [YES, "2"]) as sink:
        await until(lambda: YES in sink.books)
        await stub.sockets[0].close()
        await until(lambda: sink.gaps)
        assert sink.gaps[0][0] == (YES, "2")
        await until(lambda: YES in sink.books)


async def test_one_sockets_end_is_no_gap_of_the_others(stub, dump):
    async with streaming(stub, [YES, "2"], group=1) as sink:
        await until(lambda: len(sink.books) == 2)
        of_two = next(at for at, frame in enumerate(stub.frames) if frame["assets_ids"] == ["2"])
        await stub.sockets[of_two].close()
        await until(lambda: sink.gaps)
        assert [tokens for tokens, _ in sink.gaps] == [("2",)]


async def test_unreadable_frame_makes_its_books_stale_and_asks_anew(stub, dump):
    async with streaming(stub, [YES, "2"]) as sink:
        await until(lambda: YES in sink.books)
        await stub.send('{"event_type": "book", "asset_id": ')
        await until(lambda: len(stub.sockets) == 2)
        assert sink.gaps[0] == ((YES, "2"), "no JSON")
        await until(lambda: len(sink.books) == 2)


async def test_oversized_frame_is_a_gap(stub, dump):
    """Over our limit; one over the library's limit of 1 MiB is read."""
    async with streaming(stub, [YES]) as sink:
        await until(lambda: YES in sink.books)
        await stub.send('{"event_type": "padding"' + " " * 1_500_000 + "}")
        await asyncio.sleep(0.2)
        assert sink.gaps == []
        await stub.send('{"event_type": "padding"' + " " * 5_000_000 + "}")
        await until(lambda: sink.gaps and YES in sink.books)
        assert len(stub.sockets) == 2


class TestSilence:
    """Trap 7.13: PONG is answered, data is not sent; only a request can tell."""

    async def test_books_that_moved_unheard_end_the_connection(self, stub, dump):
        async def moved(_tokens):
            return {YES: (Decimal("0.45"), Decimal("0.60"))}

        async with streaming(stub, [YES], moved, quiet_ms=50) as sink:
            await until(lambda: sink.gaps)
            assert "silent" in sink.gaps[0][1]
            await until(lambda: len(stub.sockets) >= 2)

    async def test_quiet_books_that_have_not_moved_stay(self, stub, dump):
        asked = []

        async def same(tokens):
            asked.append(tuple(tokens))
            return {YES: AT}

        async with streaming(stub, [YES], same, quiet_ms=50) as sink:
            await until(lambda: len(asked) >= 3)
            assert sink.gaps == []

    async def test_one_difference_can_be_a_race(self, stub, dump):
        """The stream catches up between two comparisons: nothing was missed."""
        answers = iter([(Decimal("0.45"), Decimal("0.60"))])

        async def once(_tokens):
            return {YES: next(answers, AT)}

        async with streaming(stub, [YES], once, quiet_ms=50) as sink:
            await until(lambda: next(answers, None) is None)
            await asyncio.sleep(0.3)
            assert sink.gaps == []

    async def test_books_with_news_are_not_compared(self, stub, dump):
        asked = []

        async def note(tokens):
            asked.append(tokens)
            return {}

        async with streaming(stub, [YES], note, quiet_ms=300):
            for _ in range(20):
                await stub.send(book())
                await asyncio.sleep(0.03)
            assert asked == []

    async def test_market_that_is_over_is_not_silence(self, stub, dump):
        """Trap 7.17: market_resolved may never come; a book without any price is not compared."""
        asked = []

        async def none(tokens):
            asked.append(tokens)
            return {}

        async with streaming(stub, [YES], none, quiet_ms=50) as sink:
            await until(lambda: len(asked) >= 3)
            assert sink.gaps == []

    async def test_failed_comparison_proves_nothing(self, stub, dump):
        failed = []

        async def fail(_tokens):
            failed.append(1)
            raise VenueError("down")

        async with streaming(stub, [YES], fail, quiet_ms=50) as sink:
            await until(lambda: len(failed) >= 3)
            assert sink.gaps == []


class TestOnTheExchange:
    async def test_books_are_the_exchanges(self, rig):
        """Through changes and trades, the books kept from the stream are those read by request."""
        venue = await rig.started()
        instruments = [side for event in "1234" for pair in await rig.instruments(venue, event) for side in pair]
        sink = Recorder()
        task = asyncio.create_task(venue.stream_books([one.token for one in instruments], sink))
        await until(lambda: len(sink.books) == len(instruments))
        for place, market in enumerate(rig.markets("3")):
            for price in ("0.30", "0.31", "0.35"):
                rig.offer(market, "SELL", price, str(10 + place))
            rig.offer(market, "BUY", "0.25", "40")
            rig.offer(market, "BUY", "0.30", "6")

        async def same():
            for read in await venue.books([one.token for one in instruments]):
                bids, asks, _ = sink.books[read.token]
                told = (
                    {level.price: level.size for level in read.bids},
                    {level.price: level.size for level in read.asks},
                )
                if told != (bids, asks):
                    return False
            return True

        await until(same)
        assert sink.gaps == []
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    @pytest.mark.parametrize(
        "fault",
        [
            "freeze_stream,count=1",
            "drop_stream,count=1",
            "malformed_frame,count=1",
            "oversized_frame,count=1,bytes=9000000",
        ],
    )
    async def test_trouble_is_a_gap_and_then_the_truth(self, rig, fault):
        """Faults freeze_stream, drop_stream, malformed_frame, oversized_frame: a gap, then the book as it is."""
        venue = await rig.started(quiet_ms=100)
        market = rig.markets("1")[0]
        token = market.token_ids[0]
        sink = Recorder()
        task = asyncio.create_task(venue.stream_books([token], sink))
        await until(lambda: token in sink.books)
        rig.fault(f"{fault},channel=market" if "stream" in fault else fault)
        rig.offer(market, "SELL", "0.60", "10")
        await until(lambda: sink.gaps)
        rig.calm()
        await until(lambda: token in sink.books and sink.books[token][1] == {Decimal("0.60"): 10})
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
