"""The private channels: what they told, when they can be believed, and what an interruption does."""

import asyncio
import json
from dataclasses import replace

import pytest
from aiohttp import web
from pydantic import SecretStr

from arbsaga.domain.orders import OrderState
from arbsaga.venues.kalshi.names import Names
from arbsaga.venues.kalshi.seen import FillSeen, OrderSeen
from arbsaga.venues.kalshi.signing import Signer
from arbsaga.venues.kalshi.sockets import Keepalive
from arbsaga.venues.kalshi.user_stream import UserStream

from .rig import BRISK, key, one, pem, seen, terms, until


def stream():
    """One that is not connected."""
    return UserStream("ws://127.0.0.1:1/x", Signer("id", SecretStr(pem(key()))), Names(), Keepalive())


def order_message(**more):
    return {
        "order_id": "v-1",
        "client_order_id": "c-1",
        "ticker": "RAIN-A",
        "status": "resting",
        "book_side": "bid",
        "yes_price_dollars": "0.4000",
        "fill_count_fp": "0.00",
        "remaining_count_fp": "10.00",
        "initial_count_fp": "10.00",
        "created_ts_ms": 1_790_000_000_000,
    } | more


def fill_message(**more):
    return {
        "trade_id": "t-1",
        "order_id": "v-1",
        "client_order_id": "c-1",
        "market_ticker": "RAIN-A",
        "book_side": "bid",
        "yes_price_dollars": "0.3900",
        "count_fp": "4.00",
        "fee_cost": "0.010000",
        "post_position_fp": "4.00",
        "ts_ms": 1_790_000_000_500,
    } | more


def frame(kind, msg):
    return json.dumps({"type": kind, "sid": 1, "msg": msg}).encode()


async def test_it_is_alive_once_both_channels_are_there(rig, venue):
    """And a ping was answered."""
    assert venue.streaming()
    await venue._stream.close()
    assert not venue.streaming()


async def test_alive_needs_a_pong_and_both_acks():
    """An open socket alone is no proof."""
    made = stream()
    made.pong()
    made.frame(frame("subscribed", {"channel": "fill", "sid": 1}), 0)
    assert not made._proved.is_set()
    made.frame(frame("subscribed", {"channel": "user_orders", "sid": 2}), 0)
    assert made._proved.is_set()
    made.closed("gone")
    assert not made._proved.is_set()
    assert made.interruptions == 1


async def test_news_wakes(rig, venue):
    """A resting order fills: whoever waits hears of it, once."""
    view = await one(venue, terms())
    view = await seen(venue, view, lambda view: view.state is OrderState.LIVE)
    await until(lambda: venue._stream.knows(view.order_id))
    await venue.look([view])
    waiting = asyncio.create_task(venue.news([view.order_id], 5_000))
    await asyncio.sleep(0.01)
    await rig.admin("POST", "order", {"ticker": "RAIN-A", "side": "ask", "price": "0.40", "count": "3"})
    assert await waiting
    view = await seen(venue, view, lambda view: view.filled == 3)
    assert not await venue.news([view.order_id], 50)


async def test_no_news_of_others(rig, venue):
    """Another order's frames wake nobody."""
    view = await one(venue, terms())
    await until(lambda: venue._stream.knows(view.order_id))
    await venue.look([view])
    waiting = asyncio.create_task(venue.news([view.order_id], 150))
    await one(venue, terms(limit="0.20"))
    assert not await waiting


async def test_a_fill_before_the_answer(rig, venue):
    """Frames are not ordered against answers: what came first is kept, and merged when the answer comes."""
    await rig.offer("RAIN-A", "ask", "0.39", "10")
    rig.fault("latency,ms=300,count=1,path=/trade-api/v2/portfolio/events/orders")
    view = await one(venue, terms())
    assert (view.state, view.filled) == (OrderState.DONE, 10)


async def test_a_fill_without_our_id_is_kept_until_it_is_known():
    """client_order_id is optional in a fill: the order's own frame names it."""
    made = stream()
    msg = fill_message()
    del msg["client_order_id"]
    made.frame(frame("fill", msg), 0)
    assert not made.knows("c-1")
    made.frame(frame("user_order", order_message()), 0)
    kinds = [type(record) for record in made.read("c-1")]
    assert kinds == [FillSeen, OrderSeen]


@pytest.mark.parametrize("spec", ["drop_stream,count=1", "overflow,channel=user_orders,count=1"])
async def test_an_interruption_is_news_and_is_mended(rig, venue, spec):
    """Whoever waits asks REST again; the connection comes back by itself. Error 25 ends a subscription for good."""
    view = await one(venue, terms())
    await until(lambda: venue._stream.knows(view.order_id))
    await venue.look([view])
    before = venue._stream.interruptions
    rig.fault(spec)
    waiting = asyncio.create_task(venue.news([view.order_id], 5_000))
    await rig.admin("POST", "order", {"ticker": "RAIN-A", "side": "ask", "price": "0.40", "count": "3"})
    assert await waiting
    await until(lambda: venue._stream.interruptions > before and venue.streaming())
    view = await seen(venue, view, lambda view: view.filled == 3)
    assert view.state is OrderState.LIVE


@pytest.mark.parametrize("spec", ["gap", "freeze_stream,seconds=1"])
async def test_missed_frames_are_found_by_requests(rig, venue, spec):
    """No sequence numbers: a lost frame cannot be noticed, so REST is the proof."""
    view = await one(venue, terms())
    rig.fault(spec)
    await rig.admin("POST", "order", {"ticker": "RAIN-A", "side": "ask", "price": "0.40", "count": "3"})
    view = await seen(venue, view, lambda view: view.filled == 3)
    assert any("fills" in line for line in view.evidence)


async def test_a_silent_stream_is_replaced(rig, venue):
    """It answers pings and tells nothing: what REST knows of an order must soon be told."""
    venue._stream._expect_ns = 100_000_000
    rig.fault("freeze_stream,seconds=60")
    before = venue._stream.interruptions
    view = await one(venue, terms())
    await until(lambda: venue._stream.interruptions > before)
    rig.calm()
    await until(venue.streaming)
    assert (await venue.look([view]))[0].state is OrderState.LIVE


@pytest.mark.parametrize("variant", ["json", "unknown", "array"])
async def test_junk_is_skipped(rig, venue, variant):
    """Counted; the connection stays, since REST has it too."""
    rig.fault(f"malformed_frame,variant={variant},count=1")
    await one(venue, terms())
    await until(lambda: venue._stream.skipped == 1)
    assert venue.streaming()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1]",
        b'"x"',
        b'{"type": "fill"}',
        frame("fill", fill_message(count_fp="0.00")),
        frame("fill", fill_message(count_fp="-1.00")),
        frame("fill", fill_message(fee_cost=None)),
        frame("fill", fill_message(yes_price_dollars="NaN")),
        frame("fill", fill_message(trade_id=None)),
        frame("user_order", order_message(book_side="up")),
        frame("user_order", order_message(order_id="")),
        frame("user_order", order_message(initial_count_fp=None)),
        frame("no_such", {}),
    ],
)
async def test_odd_frames_are_skipped(data):
    """None of them raises, none is kept."""
    made = stream()
    made.frame(data, 0)
    assert made.skipped == 1
    assert not made._told


async def test_the_newest_position_counts():
    """By the venue's time, not by the order of arrival."""
    made = stream()
    made.frame(frame("fill", fill_message(ts_ms=20, post_position_fp="7.00")), 0)
    made.frame(frame("fill", fill_message(trade_id="t-0", ts_ms=10, post_position_fp="4.00")), 0)
    assert made.position("RAIN-A").net == 7
    assert made.position("RAIN-B") is None


@pytest.mark.parametrize(("side", "nets", "last"), [("bid", "372", "7"), ("ask", "372", "2"), ("bid", "73", "7")])
async def test_fills_of_one_moment(side, nets, last):
    """Told in any order: the last one is that which moved the position furthest."""
    made = stream()
    for net in nets:
        made.frame(frame("fill", fill_message(trade_id=net, book_side=side, post_position_fp=f"{net}.00")), 0)
    assert str(made.position("RAIN-A").net) == f"{last}.00"


def test_what_is_kept_is_bounded(monkeypatch):
    """The longest untouched go first."""
    monkeypatch.setattr("arbsaga.venues.told.MAX_ORDERS", 2)
    monkeypatch.setattr("arbsaga.venues.kalshi.user_stream.MAX_MARKETS", 2)
    made = stream()
    for number in range(3):
        more = {"order_id": f"v-{number}", "client_order_id": f"c-{number}"}
        made.frame(frame("user_order", order_message(**more)), 0)
        made.frame(frame("fill", fill_message(market_ticker=f"M-{number}", **more)), 0)
    assert [made.knows(f"c-{number}") for number in range(3)] == [False, True, True]
    assert made.moved() == ("M-1", "M-2")


async def test_repeated_and_reordered_frames(rig, venue):
    """Each fill counts once, and a state never goes back."""
    rig.fault("duplicate_events")
    rig.fault("reorder_events,seconds=0.2")
    await rig.offer("RAIN-A", "ask", "0.38", "4")
    await rig.offer("RAIN-A", "ask", "0.39", "6")
    view = await one(venue, terms())
    view = await seen(venue, view, lambda view: view.explained)
    await asyncio.sleep(0.25)
    (view,) = await venue.look([view])
    assert (view.state, view.filled, len(view.fills)) == (OrderState.DONE, 10, 2)


async def test_a_server_that_answers_no_ping_is_dead():
    """Given up after `dead`, and the next connection is tried."""

    async def mute(request):
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    app = web.Application()
    app.add_routes([web.get("/ws", mute)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    signer = Signer("id", SecretStr(pem(key())))
    made = UserStream(f"ws://127.0.0.1:{runner.addresses[0][1]}/ws", signer, Names(), replace(BRISK, dead=100))
    made.start()
    await until(lambda: made.interruptions >= 2)
    assert not made.alive
    await made.close()
    await runner.cleanup()


async def test_a_refused_handshake_is_tried_again(rig):
    """401: a wrong key, or a clock that will be set; never a crash."""
    settings = await rig.member()
    await rig.admin("DELETE", f"keys?key_id={settings.key_id}")
    venue = rig.venue(settings)
    venue._stream.start()
    await until(lambda: venue._stream.interruptions >= 2)
    assert not venue.streaming()
