"""The user stream: wakes who waits, survives what a socket can do, and is not believed when it is silent."""

import asyncio
import time

import orjson
import pytest

from arbsaga.domain.orders import OrderState
from arbsaga.venues.polymarket.rest import Credentials
from arbsaga.venues.polymarket.sockets import Keepalive
from arbsaga.venues.polymarket.user_stream import UserStream
from arbsaga.venues.told import MAX_RECORDS

from .make import ORDER_ID, maker_record, order_record, trade_record
from .rig import until

FAST = Keepalive(ping=50, dead=400, check=20, retry=10, retry_max=50, steady=10_000)
OTHER = "0x" + "cd" * 32


def order(**changes):
    return order_record(event_type="order", type="PLACEMENT", timestamp="1790000000000") | changes


def trade(**changes):
    return trade_record(event_type="trade", type="TRADE", timestamp="1790000001000") | changes


@pytest.fixture
async def stream(stub):
    """A stream that is connected to the stub."""
    credentials = Credentials("0xaddress", "the-key", "c2VjcmV0", "pass")
    running = UserStream(stub.url.replace("http", "ws") + "/ws/user", credentials, FAST, expect_ms=150)
    running.start()
    assert await running.proved(2)
    yield running
    await running.close()


async def test_logs_in_for_all_markets(stub, stream):
    assert stub.frames == [{"type": "user", "auth": {"apiKey": "the-key", "secret": "c2VjcmV0", "passphrase": "pass"}}]


async def test_wakes_a_waiter(stub, stream):
    waiting = asyncio.create_task(stream.news([ORDER_ID], 5))
    await asyncio.sleep(0)
    began = time.monotonic()
    await stub.send(order())
    assert await waiting
    assert time.monotonic() - began < 1
    (seen,) = stream.read(ORDER_ID)
    assert seen.state is OrderState.LIVE


async def test_what_was_told_before_the_wait_is_not_missed(stub, stream):
    """A trade can arrive before the answer of the post that caused it: then there is nothing to wait for."""
    await stub.send(trade())
    await until(lambda: stream.knows(ORDER_ID))
    assert await stream.news([OTHER, ORDER_ID], 5)
    stream.read(ORDER_ID)
    assert not await stream.news([ORDER_ID], 0.05)


async def test_other_orders_wake_nobody(stub, stream):
    waiting = asyncio.create_task(stream.news(["0xnobody"], 0.2))
    await stub.send(order(), trade())
    assert not await waiting


async def test_a_trade_is_news_of_every_order_in_it(stub, stream):
    """As maker our order stands inside maker_orders."""
    await stub.send(trade(taker_order_id="0xtaker", maker_orders=[maker_record(order_id=OTHER)]))
    assert await stream.news([OTHER], 2)


async def test_frames_of_every_form(stub, stream):
    """One event, several in an array, an empty array."""
    await stub.send("[]", orjson.dumps([order(), trade()]).decode(), order(type="CANCELLATION"))
    await until(lambda: len(stream.read(ORDER_ID)) == 3)
    assert stream.skipped == 0


@pytest.mark.parametrize(
    "junk",
    [
        '{"event_type": "order", ',
        '[null, 7, "order", {"event_type": 3}, []]',
        '{"event_type": "no_such_event"}',
        '{"event_type": "trade", "id": "t1"}',
        '{"event_type": "order", "id": 7}',
        "7",
    ],
)
async def test_junk_is_counted_and_skipped(stub, stream, junk):
    await stub.send(junk, order())
    assert await stream.news([ORDER_ID], 2)
    assert stream.skipped >= 1
    assert stream.interruptions == 0


async def test_oversized_frame_is_an_interruption_not_an_end(stub, stream):
    await stub.send("[" + " " * (9 * 1024 * 1024) + "]")
    await until(lambda: stream.interruptions == 1)
    await until(lambda: stream.alive)
    await stub.send(order())
    assert await stream.news([ORDER_ID], 2)


async def test_interruption_wakes_waiters_and_it_logs_in_again(stub, stream):
    """What was told meanwhile is lost: everyone looks by request (no replay)."""
    waiting = asyncio.create_task(stream.news([ORDER_ID], 5))
    await asyncio.sleep(0)
    await stub.sockets[0].close()
    assert await waiting
    await until(lambda: stream.alive and len(stub.frames) == 2)


async def test_not_alive_before_the_first_pong(stub):
    """An open connection proves nothing; the login may be refused."""
    stub.pongs = False
    credentials = Credentials("0xaddress", "the-key", "c2VjcmV0", "pass")
    running = UserStream(stub.url.replace("http", "ws") + "/ws/user", credentials, FAST)
    running.start()
    await until(lambda: stub.frames)
    assert not running.alive
    assert not await running.proved(0.05)
    await running.close()


async def test_dead_connection_is_replaced(stub, stream):
    """No frame of any kind for a while, although TCP stands."""
    stub.pongs = False
    await until(lambda: stream.interruptions >= 1)
    assert not stream.alive


async def test_refused_logins_are_not_repeated_ever_faster(stub):
    """The official client makes six connections a second here, since each open resets its pause."""

    async def refuse(socket):
        await socket.close()

    stub.on_connect = refuse
    credentials = Credentials("0xaddress", "the-key", "wrong", "pass")
    patient = Keepalive(ping=50, dead=400, check=20, retry=100, retry_max=5_000, steady=10_000)
    running = UserStream(stub.url.replace("http", "ws") + "/ws/user", credentials, patient)
    running.start()
    await asyncio.sleep(1.5)
    assert 1 <= len(stub.sockets) <= 9
    assert not running.alive
    await running.close()


class TestSilence:
    """Trap 7.13: the socket answers PONG and tells nothing."""

    async def test_expected_order_that_is_not_told_of_replaces_the_connection(self, stub, stream):
        stream.expect(ORDER_ID)
        await until(lambda: stream.interruptions == 1)
        await until(lambda: stream.alive)

    async def test_told_in_time_is_no_silence(self, stub, stream):
        stream.expect(ORDER_ID)
        await stub.send(order())
        await asyncio.sleep(0.4)
        assert stream.interruptions == 0


async def test_nothing_grows_for_ever(stub, stream, monkeypatch):
    for _ in range(MAX_RECORDS + 10):
        stream.frame(orjson.dumps(order()), 0)
    assert len(stream.read(ORDER_ID)) == MAX_RECORDS
    monkeypatch.setattr("arbsaga.venues.told.MAX_ORDERS", 3)
    for number in range(5):
        stream.frame(orjson.dumps(order(id=f"0x{number}")), 0)
    assert [stream.knows(f"0x{number}") for number in range(5)] == [False, False, True, True, True]
    assert not stream.knows(ORDER_ID)


async def test_stream_that_has_ended_is_not_alive(stub, stream):
    """Whatever ended it: nobody may wait for news that cannot come."""
    stream._task.cancel()
    await asyncio.gather(stream._task, return_exceptions=True)
    assert not stream.alive
