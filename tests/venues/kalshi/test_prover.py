"""What became of an order: proved by id, by listings, by the stream, in spite of lag, lost answers and races."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from arbsaga.domain.instruments import Outcome, Side
from arbsaga.domain.orders import OrderState, OrderView, TimeInForce
from arbsaga.venues.kalshi.account import Listed
from arbsaga.venues.kalshi.rest import Answer, RefusedRead
from arbsaga.venues.kalshi.wire import read_fault

from .rig import LAGGING, QUICK, instrument, now_ms, one, seen, terms, unknown, until

ABSENT, DONE, LIVE, UNKNOWN = OrderState.ABSENT, OrderState.DONE, OrderState.LIVE, OrderState.UNKNOWN


async def silent(rig, venue):
    """Another process of the same account, whose user stream is not connected."""
    return rig.venue(venue.settings)


@pytest.mark.parametrize("spec", ["drop_response", "status,code=502,after=1"])
async def test_unknown_then_found(rig, venue, spec):
    """The order was taken, its answer lost: a listing finds it by its client_order_id. Nothing is posted again."""
    quiet = await silent(rig, venue)
    await rig.offer("RAIN-A", "ask", "0.39", "4")
    rig.fault(f"{spec},count=1")
    view = await one(quiet, terms())
    assert view.state is UNKNOWN
    (view,) = await quiet.look([view])
    assert (view.state, view.known, view.filled) == (LIVE, 4, 4)
    assert rig.engine.accepted == 1
    assert rig.engine.duplicates == 0


async def test_a_lost_answer_is_told_by_the_stream(rig, venue):
    """The stream knows our client_order_id too, and needs no request."""
    rig.fault("drop_response,count=1")
    view = await one(venue, terms())
    view = await seen(venue, view, lambda view: view.state is LIVE)
    assert any(line.startswith("stream") for line in view.evidence)


async def test_never_arrived(rig, venue):
    """denied_ms, with the moment of which orders and fills were listed; the order itself stays UNKNOWN."""
    quiet = await silent(rig, venue)
    rig.fault("lost,count=1")
    view = await one(quiet, terms())
    before = now_ms()
    (view,) = await quiet.look([view])
    assert view.state is UNKNOWN
    assert before - 1_000 <= view.denied_ms <= now_ms()


async def test_a_denial_is_as_old_as_the_reads(start):
    """Reads lag writes: what was listed now tells of a while ago, and denies no later moment."""
    rig = await start(replace(QUICK, read_lag_ms=1_500))
    venue = await rig.trading()
    quiet = await silent(rig, venue)
    rig.fault("lost,count=1")
    view = await one(quiet, terms())
    (view,) = await quiet.look([view])
    assert 0 < view.denied_ms <= now_ms() - 1_500


async def test_lag_is_no_denial(start):
    """Taken, not yet listed: the denial is of a moment before it was sent, and the order is found later."""
    rig = await start(LAGGING)
    venue = await rig.trading()
    quiet = await silent(rig, venue)
    rig.fault("drop_response,count=1")
    view = await one(quiet, terms())
    (early,) = await quiet.look([view])
    assert early.state is LIVE or early.denied_ms <= early.terms.created_ms
    found = await seen(quiet, early, lambda view: view.state is LIVE)
    assert found.denied_ms == 0


async def test_stale_reads_deny_nothing_newer(rig, venue):
    """as_of_time says how old reads are."""
    quiet = await silent(rig, venue)
    rig.fault("drop_response,count=1")
    view = await one(quiet, terms())
    rig.fault("stale_read,seconds=30")
    (view,) = await quiet.look([view])
    assert view.state is UNKNOWN
    assert view.denied_ms <= view.terms.created_ms - 25_000
    rig.calm()
    assert (await seen(quiet, view, lambda view: view.state is LIVE)).denied_ms == 0


async def test_a_late_post_overturns_a_denial(rig, venue):
    """The bytes arrive after everybody had said no: the order exists, even where ABSENT was concluded."""
    quiet = await silent(rig, venue)
    rig.fault("late_post,seconds=0.4,count=1")
    view = await one(quiet, terms())
    (denied,) = await quiet.look([view])
    assert denied.denied_ms
    concluded = replace(denied, state=ABSENT)
    found = await seen(quiet, concluded, lambda view: view.state is LIVE)
    assert found.denied_ms == 0


async def test_a_fill_of_an_order_that_is_not_listed_yet(rig, venue, monkeypatch):
    """Fills listed ahead of their order could be ours: that is no denial."""
    quiet = await silent(rig, venue)
    await rig.offer("RAIN-A", "ask", "0.39", "4")
    rig.fault("drop_response,count=1")
    view = await one(quiet, terms(size="4"))

    async def none(_params):
        return Listed((), 0)

    monkeypatch.setattr(quiet._account, "orders", none)
    rig.fault("stale_read,seconds=30,path=/trade-api/v2/portfolio/orders/{order_id}")
    (view,) = await quiet.look([view])
    assert (view.state, view.denied_ms) == (UNKNOWN, 0)
    rig.calm()
    await asyncio.sleep(0.31)  # until a listing is not shared any more
    (view,) = await quiet.look([view])
    assert (view.state, view.filled) == (DONE, 4)


@pytest.mark.parametrize("path", ["exchange/user_data_timestamp", "portfolio/orders", "portfolio/fills"])
async def test_a_failed_source_denies_nothing(rig, venue, path, monkeypatch):
    """Orders, fills and their age: all three, or no denial."""
    quiet = await silent(rig, venue)
    rig.fault("lost,count=1")
    view = await one(quiet, terms())
    get = quiet._rest.get

    async def failing(asked, params=None):
        if asked == f"/{path}":
            raise _refused()
        return await get(asked, params)

    monkeypatch.setattr(quiet._rest, "get", failing)
    (view,) = await quiet.look([view])
    assert (view.state, view.denied_ms) == (UNKNOWN, 0)


def _refused():
    return RefusedRead("/x", read_fault(429, b'{"error": "too many requests"}'))


@pytest.mark.parametrize(("path", "name"), [("/portfolio/orders", "orders"), ("/portfolio/fills", "fills")])
async def test_a_record_that_cannot_be_read_denies_nothing(rig, venue, path, name, monkeypatch):
    """It could be the order that is asked for, or a fill of it."""
    quiet = await silent(rig, venue)
    rig.fault("lost,count=1")
    view = await one(quiet, terms())
    get = quiet._rest.get

    async def odd(asked, params=None):
        return {name: [{"book_side": "new"}], "cursor": ""} if asked == path else await get(asked, params)

    monkeypatch.setattr(quiet._rest, "get", odd)
    (view,) = await quiet.look([view])
    assert (view.state, view.denied_ms) == (UNKNOWN, 0)


async def test_reads_by_id_that_fail(rig, venue, monkeypatch):
    """Order or fills cannot be read: what is known stays, and the log has one line for a while."""
    quiet = await silent(rig, venue)
    await rig.offer("RAIN-A", "ask", "0.39", "4")
    view = await one(quiet, terms())
    get = quiet._rest.get
    broken = ["/portfolio/orders", "/portfolio/fills"]

    async def failing(asked, params=None):
        if any(asked.startswith(path) for path in broken):
            raise _refused()
        return await get(asked, params)

    monkeypatch.setattr(quiet._rest, "get", failing)
    for _ in range(3):
        (view,) = await quiet.look([view])
        assert (view.state, view.matched, view.filled) == (LIVE, 4, 0)
    assert quiet._prover._unsaid == {"order cannot be read": 2, "fills cannot be read": 2}
    broken.clear()
    (view,) = await quiet.look([view])
    assert view.filled == 4


@pytest.mark.parametrize("status", [404, 500])
async def test_a_404_by_id_from_a_gateway_is_no_answer(rig, venue, status, monkeypatch):
    """Nothing follows from either."""
    view = await one(venue, terms())

    async def page(*_, **__):
        return Answer(status, b"<html>404</html>")

    monkeypatch.setattr(venue._rest, "send", page)
    (after,) = await venue.look([view])
    assert after.state is LIVE
    after = await venue.cancel(view)
    assert after.state is LIVE


@pytest.mark.parametrize("raw", [b"{}", b"[]", b"", b'{"reduced_by": "x"}', b'{"reduced_by": null}'])
async def test_a_cancel_whose_answer_cannot_be_read(rig, venue, raw, monkeypatch):
    """It may have been done: the order's record tells."""
    view = await one(venue, terms())
    delete = venue._rest.delete

    async def odd(path, params=None):
        return replace(await delete(path, params), raw=raw)

    monkeypatch.setattr(venue._rest, "delete", odd)
    view = await venue.cancel(view)
    assert any("cancel: cancel failed" in line for line in view.evidence)
    view = await seen(venue, view, lambda view: view.state is DONE)
    assert view.known == 0


async def test_a_cancel_without_an_answer(rig, venue):
    """Nothing is raised; the look afterwards shows what became of it."""
    view = await one(venue, terms())
    rig.fault("latency,ms=5000,count=1,path=/trade-api/v2/portfolio/events/orders/{order_id}")
    view = await venue.cancel(view)
    assert any("no answer" in line for line in view.evidence)
    view = await seen(venue, view, lambda view: view.state is DONE)


async def test_after_a_restart(start):
    """Names are forgotten with the process; a listing finds them again, with all fills, and nothing is posted."""
    rig = await start()
    venue = await rig.trading()
    await rig.offer("RAIN-A", "ask", "0.39", "4")
    resting, filled = terms(), terms(size="4")
    (await one(venue, filled), await one(venue, resting))
    again = await rig.trading("m", usd=None)
    views = await again.look([unknown(again, filled), unknown(again, resting)])
    assert [(view.state, view.filled) for view in views] == [(DONE, 4), (LIVE, 0)]


async def test_the_ack_is_trusted_over_a_lagging_read(start):
    """A GET that still says `resting`, or 404, takes nothing back."""
    rig = await start(replace(QUICK, read_lag_ms=30_000))
    venue = rig.venue(await rig.member())
    await rig.offer("RAIN-A", "ask", "0.39", "4")
    view = await one(venue, terms())
    assert (view.state, view.matched) == (LIVE, 4)
    (view,) = await venue.look([view])
    assert (view.state, view.matched, view.denied_ms) == (LIVE, 4, 0)


async def test_fills_come_from_fills(rig, venue):
    """Two prices are two fills, each at its own: the average of the answer is none of them."""
    quiet = await silent(rig, venue)
    await rig.offer("RAIN-A", "ask", "0.38", "4")
    await rig.offer("RAIN-A", "ask", "0.39", "6")
    view = await one(quiet, terms())
    assert (view.state, view.matched, view.fills) == (DONE, 10, ())
    (view,) = await quiet.look([view])
    assert sorted((fill.price, fill.size) for fill in view.fills) == [(Decimal("0.38"), 4), (Decimal("0.39"), 6)]
    assert view.explained


async def test_the_stream_and_rest_tell_the_same_fill_once(rig, venue):
    """The stream names a fill by its trade only."""
    await rig.offer("RAIN-A", "ask", "0.39", "4")
    view = await one(venue, terms(size="4"))
    view = await seen(venue, view, lambda view: view.filled == 4)
    other = await silent(rig, venue)
    (again,) = await other.look([view])
    (asked,) = await other.look([unknown(other, view.terms)])
    assert again.fills == view.fills == asked.fills


async def test_fractions(rig, venue):
    """0.01 of a contract is normal."""
    await rig.offer("RAIN-A", "ask", "0.39", "0.01")
    view = await one(venue, terms(size="1.01"))
    assert (view.state, view.matched) == (LIVE, Decimal("0.01"))


async def test_cancel(rig, venue):
    """Over, at once, since every contract was taken off."""
    view = await one(venue, terms())
    view = await venue.cancel(view)
    assert (view.state, view.known, view.reason) == (DONE, 0, "canceled")
    assert rig.orders()[0].status == "canceled"


async def test_cancel_without_stream_and_with_lag(start):
    """The ack is proof where it accounts for every contract; the GET still says `resting`."""
    rig = await start(replace(QUICK, read_lag_ms=30_000))
    venue = rig.venue(await rig.member())
    view = await venue.cancel(await one(venue, terms()))
    assert (view.state, view.known) == (DONE, 0)


async def test_a_cancel_does_not_hide_fills(start):
    """The lagging read does not show what filled in between: an acknowledged cancel is not over before that is seen."""
    rig = await start(replace(QUICK, read_lag_ms=600))
    venue = rig.venue(await rig.member())
    view = await one(venue, terms())
    await rig.admin("POST", "order", {"ticker": "RAIN-A", "side": "ask", "price": "0.40", "count": "3"})
    view = await venue.cancel(view)
    assert (view.state, view.most) == (LIVE, 10)
    view = await seen(venue, view, lambda view: view.explained)
    assert (view.state, view.filled) == (DONE, 3)


async def test_a_cancel_that_lost_shows_the_fill(rig, venue):
    """404 of a cancel is not "never existed"."""
    view = await one(venue, terms())
    rig.fault("cancel_loses,count=1")
    view = await venue.cancel(view)
    assert view.state is not ABSENT
    view = await seen(venue, view, lambda view: view.explained)
    assert (view.state, view.filled, view.denied_ms) == (DONE, 10, 0)


async def test_a_404_of_a_cancel_ends_nothing(start):
    """A second cancel says 404 while the read still says `resting`: only the order's own record ends it."""
    rig = await start(LAGGING)
    venue = rig.venue(await rig.member())
    view = await one(venue, terms())
    rig.fault("cancel_loses,count=1")
    view = await venue.cancel(view)
    assert view.state is LIVE
    again = await venue.cancel(view)
    assert any("404" in line for line in again.evidence)
    assert again.denied_ms == 0
    found = await seen(venue, again, lambda view: view.explained)
    assert found.filled == 10


async def test_cancel_fails(rig, venue):
    """500, or no answer at all: still LIVE, nothing raised."""
    view = await one(venue, terms())
    rig.fault("cancel_error,count=1")
    view = await venue.cancel(view)
    assert view.state is LIVE
    assert any("cancel: not canceled: 500" in line for line in view.evidence)


async def test_cancel_while_everything_is_paused(rig, venue):
    """409 exchange_is_paused: it rests on (or was taken off by the pause itself)."""
    view = await one(venue, terms(kind=TimeInForce.GTC))
    rig.fault("restart,seconds=1,count=1")
    view = await venue.cancel(view)
    assert view.state is LIVE
    assert any("503" in line for line in view.evidence)


async def test_cancel_on_another_shard(rig, venue):
    """The cancel goes to the order's shard: without one the venue looks on shard 0 alone."""
    await rig.admin("POST", "deposit", {"address": "m", "amount": "100", "exchange_index": 2})
    coin = instrument("COIN-1")
    coin = replace(coin, rules=replace(coin.rules, pocket="2"))
    view = await one(venue, terms(coin))
    assert (await venue.cancel(view)).state is DONE


async def test_cancel_after_a_restart(rig, venue):
    """Its venue id is found by a listing first."""
    order = terms()
    await one(venue, order)
    again = await silent(rig, venue)
    view = await again.cancel(unknown(again, order))
    assert (view.state, view.known) == (DONE, 0)


async def test_cancel_of_what_was_never_there(rig, venue):
    """Nothing to cancel: the same denial as a look."""
    quiet = await silent(rig, venue)
    rig.fault("lost,count=1")
    view = await quiet.cancel(await one(quiet, terms()))
    assert view.state is UNKNOWN
    assert view.denied_ms
    assert any("not listed" in line for line in view.evidence)


async def test_cancel_of_a_strangers_order(rig, venue):
    """Known by what open_orders told, and by nothing else: no rules, no shard."""
    await one(venue, terms(instrument(outcome=Outcome.NO), limit="0.30"))
    again = await silent(rig, venue)
    [order] = await again.open_orders()
    bare = replace(instrument(outcome=Outcome.NO), rules=replace(instrument().rules, pocket=""))
    stranger = terms(bare, side=order.side, limit=str(order.price))
    view = await again.cancel(OrderView(stranger, order.order_id, LIVE))
    assert view.state is DONE


async def test_cancel_of_an_order_that_is_over_asks_for_nothing(rig, venue):
    """Writes have a limit."""
    await rig.offer("RAIN-A", "ask", "0.39", "10")
    view = await one(venue, terms())
    rig.fault("cancel_error")
    view = await venue.cancel(view)
    assert (view.state, view.filled) == (DONE, 10)
    assert not any("cancel" in line for line in view.evidence)


async def test_a_failed_look_changes_nothing(rig, venue):
    """The venue is gone for a moment."""
    view = await one(venue, terms())
    rig.fault("drop_stream,count=1")
    await rig.runner.cleanup()
    (after,) = await venue.look([view])
    assert replace(after, evidence=()) == replace(view, evidence=())


async def test_one_listing_serves_all(rig, venue, monkeypatch):
    """Many unknown orders of a market cost one listing, not one each."""
    quiet = await silent(rig, venue)
    rig.fault("drop_response")
    views = await quiet.post([terms(leg=leg, limit=f"0.{30 + leg}") for leg in range(5)])
    rig.calm()
    asked = []
    get = quiet._rest.get

    async def counting(path, params=None):
        asked.append(path)
        return await get(path, params)

    monkeypatch.setattr(quiet._rest, "get", counting)
    views = await quiet.look(views)
    assert {view.state for view in views} == {LIVE}
    assert len(asked) == 3


async def test_what_the_stream_told_in_full_needs_no_request(rig, venue):
    """The order is over and each of its fills is there."""
    resting = await one(venue, terms())
    await rig.admin("POST", "order", {"ticker": "RAIN-A", "side": "ask", "price": "0.40", "count": "10"})
    await until(lambda: venue._prover.told(resting).explained)
    await rig.runner.cleanup()
    (view,) = await venue.look([resting])
    assert (view.state, view.filled) == (DONE, 10)


async def test_an_end_by_the_venue_has_its_reason(rig, venue):
    """HaltCancel and the like are the venue's words for it."""
    view = await one(venue, terms())
    await rig.admin("POST", "halt", {"ticker": "RAIN-A", "paused": True})
    view = await seen(venue, view, lambda view: view.state is DONE)
    assert view.reason == "HaltCancel"


async def test_selling_no_closes_it(rig, venue):
    """SELL NO is a bid for YES."""
    await rig.offer("RAIN-A", "bid", "0.70", "10")
    no = instrument(outcome=Outcome.NO)
    await one(venue, terms(no, limit="0.30"))
    await rig.offer("RAIN-A", "ask", "0.72", "10")
    view = await one(venue, terms(no, side=Side.SELL, limit="0.28"))
    (view,) = await venue.look([view])
    assert (view.state, view.fills[0].price) == (DONE, Decimal("0.28"))
    assert rig.net("RAIN-A") == 0
