"""Posting: once, at the same time, never late, and never an exception for an outcome."""

from dataclasses import replace
from decimal import Decimal

import pytest

from arbsaga.domain.instruments import Outcome, Side
from arbsaga.domain.orders import OrderState, TimeInForce
from arbsaga.errors import VenueError
from arbsaga.exchange.kalshi.settings import EngineSettings
from arbsaga.venues.kalshi import KalshiSettings

from .rig import QUICK, RULES, instrument, key, one, pem, terms, until


async def test_an_order_that_rests(rig, venue):
    """LIVE, by its client_order_id, at the venue once."""
    order = terms()
    view = await one(venue, order)
    assert (view.state, view.matched, view.order_id) == (OrderState.LIVE, 0, venue.order_id(order))
    [at_venue] = rig.orders()
    assert (at_venue.client_order_id, at_venue.side, at_venue.price) == (view.order_id, "bid", 400_000)


async def test_an_order_that_fills(rig, venue):
    """DONE with the venue's fill_count; its fills come from the stream or a look, with the billed fee."""
    await rig.offer("RAIN-A", "ask", "0.39", "12.34")
    view = await one(venue, terms(size="12.34"))
    assert (view.state, view.matched) == (OrderState.DONE, Decimal("12.34"))
    (view,) = await venue.look([view])
    [fill] = view.fills
    assert (fill.size, fill.price, fill.status.final) == (Decimal("12.34"), Decimal("0.39"), True)
    assert fill.fee == Decimal("0.207400")  # 0.07 * 12.34 * 0.39 * 0.61 = 0.205499, and the balance down to a cent
    assert view.explained


async def test_a_part_fills(rig, venue):
    """LIVE: what is left rests. Filled is fill_count."""
    await rig.offer("RAIN-A", "ask", "0.39", "4")
    view = await one(venue, terms())
    assert (view.state, view.matched) == (OrderState.LIVE, 4)


@pytest.mark.parametrize(
    ("outcome", "side", "limit", "book_side", "price"),
    [
        (Outcome.YES, Side.BUY, "0.40", "bid", 400_000),
        (Outcome.YES, Side.SELL, "0.40", "ask", 400_000),
        (Outcome.NO, Side.BUY, "0.30", "ask", 700_000),
        (Outcome.NO, Side.SELL, "0.30", "bid", 700_000),
    ],
)
async def test_every_side_is_of_the_yes_book(rig, venue, outcome, side, limit, book_side, price):
    """Buying NO at n is an ask at 1 - n."""
    await one(venue, terms(instrument(outcome=outcome), side=side, limit=limit))
    [at_venue] = rig.orders()
    assert (at_venue.side, at_venue.price) == (book_side, price)


async def test_no_fills_in_its_own_price(rig, venue):
    """NO bought at 0.30 from a YES bid at 0.71 costs 0.29."""
    await rig.offer("RAIN-A", "bid", "0.71", "10")
    view = await one(venue, terms(instrument(outcome=Outcome.NO), limit="0.30"))
    (view,) = await venue.look([view])
    assert [fill.price for fill in view.fills] == [Decimal("0.29")]
    assert rig.net("RAIN-A") == -10


async def test_legs_go_together_and_alone(rig, venue):
    """One refused leg leaves the others as they are."""
    legs = [terms(leg=index, limit=limit) for index, limit in enumerate(("0.40", "0.41", "0.99"))]
    await rig.offer("RAIN-B", "ask", "0.50", "1")
    legs.append(terms(instrument("RAIN-B"), leg=3, size="5", limit="0.50", kind=TimeInForce.FOK))
    views = await venue.post(legs)
    assert [view.state for view in views] == [OrderState.LIVE] * 3 + [OrderState.DONE]
    assert len(rig.orders()) == 3


async def test_a_late_order_is_not_sent(rig, venue):
    """ABSENT, with no byte at the venue: the fence stands directly before the write."""
    view = await one(venue, terms(left_ms=-1))
    assert view.state is OrderState.ABSENT
    assert "after its last moment" in view.reason
    assert rig.orders() == []
    assert rig.engine.accepted == 0


async def test_off_grid_terms_are_never_sent(rig, venue):
    """VenueError before anything of the request is sent."""
    for bad in (
        terms(limit="0.405"),
        terms(size="1.005"),
        terms(limit="1"),
        terms(size="0"),
    ):
        with pytest.raises(VenueError):
            await venue.post([terms(), bad])
        with pytest.raises(VenueError):
            venue.order_id(bad)
    assert rig.orders() == []


async def test_a_killed_fok_is_refused(rig, venue):
    """409 fill_or_kill_insufficient_resting_volume is a definite no."""
    view = await one(venue, terms(kind=TimeInForce.FOK))
    assert (view.state, view.matched) == (OrderState.DONE, 0)
    assert "fill_or_kill_insufficient_resting_volume" in view.reason


@pytest.mark.parametrize("shape", ["accept", "refuse"])
async def test_an_ioc_that_finds_nothing(start, shape):
    """Over with nothing, in both shapes: 201 with 0.00, or 409."""
    rig = await start(QUICK, EngineSettings(ioc_zero_fill=shape))
    view = await one(await rig.trading(), terms(kind=TimeInForce.FAK))
    assert (view.state, view.matched) == (OrderState.DONE, 0)
    assert view.reason


async def test_an_ioc_fills_what_it_finds(rig, venue):
    """fill_count, not count minus remaining: the rest is canceled and remaining is 0."""
    await rig.offer("RAIN-A", "ask", "0.39", "4")
    view = await one(venue, terms(kind=TimeInForce.FAK))
    assert (view.state, view.matched) == (OrderState.DONE, 4)


async def test_an_order_that_would_meet_our_own(rig, venue):
    """201 with 0.00 and 0.00 (self-trade prevention): over, and nothing filled; the resting order is untouched."""
    resting = await one(venue, terms())
    crossing = await one(venue, terms(side=Side.SELL, limit="0.40"))
    assert (crossing.state, crossing.matched) == (OrderState.DONE, 0)
    assert (await venue.look([resting]))[0].state is OrderState.LIVE


async def test_a_duplicate_is_neither_refused_nor_filled(rig, venue):
    """409 order_already_exists: it reached the engine; the look finds what became of it."""
    order = terms()
    await one(venue, order)
    fresh = rig.venue(venue.settings)
    again = await one(fresh, order)
    assert again.state is OrderState.UNKNOWN
    assert "order_already_exists" in again.evidence[-1]
    assert len(rig.orders()) == 1
    assert (await fresh.look([again]))[0].state is OrderState.LIVE


async def test_a_duplicate_of_a_killed_fok_is_unknown(rig, venue):
    """A killed FOK burns its id, so that a duplicate proves no order."""
    order = terms(kind=TimeInForce.FOK)
    await one(venue, order)
    assert (await one(rig.venue(venue.settings), order)).state is OrderState.UNKNOWN


@pytest.mark.parametrize(
    "spec",
    [
        "drop_response",
        "lost",
        "status,code=500",
        "status,code=502",
        "status,code=503",
        "status,code=504",
        "status,code=502,after=1",
        "status,code=429",
        "status,code=409,variant=some_new_code",
        "status,code=408",
    ],
)
async def test_an_unknown_outcome(rig, venue, spec):
    """Lost answers, gateways, 429 and unlisted codes prove nothing. Nothing is sent a second time."""
    rig.fault(f"{spec},count=1")
    order = terms()
    [view] = await rig.venue(venue.settings).post([order])  # its stream is not connected
    assert view.state is OrderState.UNKNOWN
    assert view.evidence[-1].startswith("post: ")
    assert len(rig.orders()) <= 1
    assert rig.engine.duplicates == 0


async def test_no_answer_in_time(rig, venue):
    """The hard limit covers the whole request."""
    rig.fault("latency,ms=3000,count=1,path=/trade-api/v2/portfolio/events/orders")
    view = await one(rig.venue(venue.settings), terms())  # its stream is not connected
    assert view.state is OrderState.UNKNOWN
    assert "TimeoutError" in view.evidence[0]


@pytest.mark.parametrize(
    "spec",
    [
        "status,code=409,variant=trading_is_paused",
        "status,code=409,variant=exchange_is_paused",
        "status,code=400",
        "status,code=400,variant=market_inactive",
        "reject,text=no such luck",
    ],
)
async def test_a_definite_refusal(rig, venue, spec):
    """DONE with the venue's words, and nothing rests."""
    rig.fault(spec)
    view = await one(venue, terms())
    assert view.in_vain
    assert view.state is OrderState.DONE
    assert view.reason[:3] in ("400", "409")


async def test_not_enough_money(rig, venue):
    """400 insufficient_balance, in the venue's words."""
    view = await one(venue, terms(size="5000"))
    assert view.state is OrderState.DONE
    assert "insufficient_balance" in view.reason
    assert not venue.bars_account(view.reason)


async def test_a_wrong_shard_is_refused(rig, venue):
    """The exchange_index goes with the order explicitly; the shard of another market does not know this one."""
    view = await one(venue, terms(instrument(rules=replace(RULES, pocket="2"))))
    assert view.state is OrderState.DONE
    assert "market_not_found" in view.reason


async def test_a_success_of_200_is_one(start):
    """201 by the documents, 200 was seen."""
    rig = await start(replace(QUICK, created_status=200))
    assert (await one(await rig.trading(), terms())).state is OrderState.LIVE


async def test_nobody_listens(rig, venue):
    """No connection: no byte was sent, and that is proof."""
    dead = rig.venue(KalshiSettings.at("http://127.0.0.1:1", "some-key", pem(key())))
    view = await one(dead, terms())
    assert view.state is OrderState.ABSENT
    assert view.reason.startswith("not sent")


async def test_a_key_that_may_not_trade_bars_the_account(rig):
    """Scope, disabled key: each further order would get the same."""
    reader = rig.venue(await rig.member("reader", scopes=["read"]))
    view = await one(reader, terms())
    assert view.state is OrderState.DONE
    assert reader.bars_account(view.reason)
    gone = rig.venue(await rig.member("gone"))
    await rig.admin("DELETE", f"keys?key_id={gone.settings.key_id}")
    view = await one(gone, terms())
    assert view.state is OrderState.DONE
    assert gone.bars_account(view.reason)


async def test_a_lapsed_attestation_refuses_that_order_and_bars_nothing_else(rig):
    """It once halted the entries at every venue, although only sports, elections and entertainment were closed."""
    lapsed = rig.venue(await rig.member("lapsed", region_expires=1))
    view = await one(lapsed, terms(instrument("GAME-1")))
    assert (view.state, view.in_vain) == (OrderState.DONE, True)
    assert "region_attestation_expired" in view.reason
    assert not lapsed.bars_account(view.reason)
    assert (await one(lapsed, terms())).state is OrderState.LIVE


async def test_resting_orders_end_with_a_pause(rig, venue):
    """cancel_order_on_pause: in a pause of everything nothing could take them back."""
    view = await one(venue, terms())
    await rig.admin("POST", "halt", {"ticker": "RAIN-A", "paused": True})
    await until(lambda: rig.orders()[0].status == "canceled")
    (view,) = await venue.look([view])
    assert (view.state, view.known) == (OrderState.DONE, 0)


async def test_warm_connections(rig, venue):
    """As many connections as were asked for are open before the first order."""
    assert await venue._poster.warm()
    pool = venue._rest._http._transport._pool
    assert len(pool.connections) >= venue.settings.warm_connections


async def test_connections_that_cannot_be_warmed(rig, venue):
    """Said, not raised."""
    await rig.runner.cleanup()
    assert not await venue._poster.warm()
