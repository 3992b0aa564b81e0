"""The venue on the simulated exchange: the journal of the exchange is the judge, faults are what live venues do."""

import asyncio
from decimal import Decimal

import pytest

from arbsaga.domain.orders import FillStatus, OrderState
from arbsaga.exchange.engine import EngineSettings
from arbsaga.exchange.polymarket.venue import WireSettings
from arbsaga.exchange.units import to_decimal

from .rig import terms, until

SOON = 2_000


async def follow(venue, views, condition, seconds=8.0):
    """Looks, woken by the stream, until the condition holds for the views."""
    ids = [view.order_id for view in views]

    async def looked():
        nonlocal views
        await venue.news(ids, 100)
        views = await venue.look(views)
        return condition(views)

    await until(looked, seconds)
    return views


def settled(views):
    return all(view.explained and all(fill.status.final for fill in view.fills) for view in views)


def exchange_says(rig, view):
    """(status, matched shares) of the order at the exchange, or None if it never was there."""
    order = rig.engine.order(view.order_id)
    return order and (order.status, to_decimal(order.matched))


def fees_billed(rig, wallet):
    trades = rig.engine.trades(wallet)
    return sum((to_decimal(fill.fee) for trade in trades for fill in trade.fills if fill.address == wallet), Decimal(0))


@pytest.fixture
async def legs(rig):
    """(venue, YES of each market of the neg-risk event, 50 shares offered at 0.30 in each)."""
    venue = await rig.started()
    for market in rig.markets("3"):
        rig.offer(market, "SELL", "0.30", "50")
    return venue, [yes for yes, _ in await rig.instruments(venue, "3")]


def entries(instruments, **options):
    return [terms(one, price="0.30", leg=leg, **options) for leg, one in enumerate(instruments)]


async def test_basket_fills_settles_and_adds_up(rig, legs):
    """Ids are the exchange's, fills and fees are those it billed, and the cash is what it says."""
    venue, instruments = legs
    views = await venue.post(entries(instruments))
    views = await follow(venue, views, settled)
    assert [view.order_id for view in views] == [venue.order_id(view.terms) for view in views]
    assert {exchange_says(rig, view) for view in views} == {("MATCHED", 10)}
    assert {view.confirmed for view in views} == {10}
    spent = sum(view.spent for view in views)
    assert sum(fill.fee for view in views for fill in view.fills) == fees_billed(rig, venue.wallet) > 0
    assert await venue.cash() == 1000 - spent
    assert set((await venue.positions([one.token for one in instruments])).values()) == {10}


@pytest.mark.parametrize("event", ["1", "2", "3", "4"], ids=["v1", "v2", "v1 neg-risk", "v2 neg-risk"])
@pytest.mark.parametrize("kind", [0, 3], ids=["eoa", "deposit wallet"])
async def test_every_market_and_wallet(rig, event, kind):
    """Both protocol versions, neg-risk or not, from a key's own address and from a deposit wallet: buy and sell."""
    venue = await rig.started(signature_type=kind)
    (yes, no), *_ = await rig.instruments(venue, event)
    market = rig.markets(event)[0]
    rig.offer(market, "SELL", "0.40", "20")
    rig.offer(market, "BUY", "0.35", "20")
    for one, price in ((yes, "0.40"), (no, "0.65")):
        bought = await follow(venue, await venue.post([terms(one, price=price)]), settled)
        assert bought[0].confirmed == 10
    sold = await follow(venue, await venue.post([terms(yes, "SELL", price="0.35")]), settled)
    assert sold[0].confirmed == 10
    assert await venue.positions([yes.token, no.token]) == {yes.token: 0, no.token: 10}
    spent = bought[0].spent
    assert spent == Decimal("6.5") + fees_of(bought)
    assert fees_billed(rig, venue.wallet) >= fees_of(bought) + fees_of(sold)


def fees_of(views):
    return sum((fill.fee for view in views for fill in view.fills), Decimal(0))


async def test_several_prices_and_makers_are_billed_as_computed(rig):
    """Fees per fill, rounded up, against what the exchange billed; bought cheaper than the limit."""
    venue = await rig.started()
    ((yes, _),) = await rig.instruments(venue, "1")
    market = rig.markets("1")[0]
    for price, size in (("0.31", "7.77"), ("0.31", "5.55"), ("0.33", "6.01"), ("0.37", "9")):
        rig.offer(market, "SELL", price, size)
    (view,) = await follow(venue, await venue.post([terms(yes, price="0.35", size="30")]), lambda views: views[0].fills)
    assert (view.state, view.filled) == (OrderState.LIVE, Decimal("19.33"))
    (view,) = await follow(venue, [await venue.cancel(view)], settled)
    assert (view.state, view.matched) == (OrderState.DONE, Decimal("19.33"))
    assert {fill.price for fill in view.fills} == {Decimal("0.31"), Decimal("0.33")}
    assert fees_of([view]) == fees_billed(rig, venue.wallet)
    assert await venue.cash() == 1000 - view.spent


async def test_resting_order_filled_as_maker(rig):
    """Trap 4.2: our part is inside maker_orders, at our own price and without a fee."""
    venue = await rig.started()
    ((yes, _),) = await rig.instruments(venue, "1")
    views = await venue.post([terms(yes, price="0.40"), terms(yes, price="0.39")])
    assert {view.state for view in views} == {OrderState.LIVE}
    rig.offer(rig.markets("1")[0], "SELL", "0.39", "14")
    first, second = await follow(venue, views, lambda seen: seen[0].confirmed == 10 and seen[1].confirmed == 4)
    assert {fill.price for fill in first.fills} == {Decimal("0.40")}
    assert (second.state, second.known, fees_of([first, second])) == (OrderState.LIVE, 4, 0)
    ended = await venue.cancel(second)
    assert (ended.state, ended.known, ended.reason) == (OrderState.DONE, 4, "canceled")
    assert await venue.cash() == 1000 - first.spent - ended.spent


class TestKilled:
    """Trap 7.12: FOK and FAK without a match are refusals, not errors."""

    @pytest.mark.parametrize("kind", ["FOK", "FAK"])
    async def test_nothing_to_match(self, rig, kind):
        venue = await rig.started()
        ((yes, _),) = await rig.instruments(venue, "1")
        (view,) = await venue.post([terms(yes, price="0.40", kind=kind)])
        assert (view.state, view.known, kind in view.reason) == (OrderState.DONE, 0, True)
        assert await venue.open_orders() == ()

    async def test_part_of_a_fak(self, rig):
        venue = await rig.started()
        ((yes, _),) = await rig.instruments(venue, "1")
        rig.offer(rig.markets("1")[0], "SELL", "0.40", "6")
        views = await venue.post([terms(yes, price="0.40", kind="FAK")])
        assert (views[0].state, views[0].known) == (OrderState.DONE, 6)
        (view,) = await follow(venue, views, settled)
        assert view.confirmed == 6


async def test_fok_buy_fixes_dollars(rig):
    """Trap 2.5: cheaper than the limit it gets more shares than asked, and the evidence says so."""
    venue = await rig.started()
    ((yes, _),) = await rig.instruments(venue, "1")
    rig.offer(rig.markets("1")[0], "SELL", "0.40", "50")
    (view,) = await follow(venue, await venue.post([terms(yes, price="0.50", kind="FOK")]), settled)
    assert (view.state, view.confirmed, view.terms.size) == (OrderState.DONE, Decimal("12.5"), 10)


async def test_refused_by_the_exchange(rig, legs):
    """The venue's own text is the reason; the other legs are not touched by it."""
    venue, instruments = legs
    rig.fault(
        "reject,count=1,text=not enough balance / allowance: the balance is not enough -> balance: 1, order amount: 2"
    )
    views = await venue.post(entries(instruments))
    refused = [view for view in views if view.reason]
    assert len(refused) == 1
    assert refused[0].reason.startswith("not enough balance / allowance")
    assert exchange_says(rig, refused[0]) is None
    assert {view.known for view in views if not view.reason} == {10}


class TestLostAnswers:
    """Trap 7.1: the answer is lost, the orders are not; nothing is sent again, and all of it is found."""

    @pytest.mark.parametrize(
        "fault",
        ["drop_response", "status,code=500,after=1", "status,code=503,after=1", "status,code=425,after=1"],
    )
    async def test_accepted_orders_are_found_by_id(self, rig, legs, fault):
        venue, instruments = legs
        rig.fault(f"{fault},count=1")
        views = await venue.post(entries(instruments))
        assert {exchange_says(rig, view) for view in views} == {("MATCHED", 10)}
        views = await follow(venue, views, settled)
        assert {view.confirmed for view in views} == {10}
        assert (rig.engine.accepted, rig.engine.duplicates) == (3, 0)

    @pytest.mark.parametrize("fault", ["drop_user_events", "freeze_stream,channel=user,seconds=60"])
    async def test_found_without_the_stream(self, rig, legs, fault):
        """By request alone: the stream answers PONG and tells nothing."""
        venue, instruments = legs
        rig.fault(fault)
        rig.fault("drop_response,count=1")
        views = await venue.post(entries(instruments))
        assert {view.state for view in views} == {OrderState.UNKNOWN}
        views = await follow(venue, views, settled)
        assert {view.confirmed for view in views} == {10}

    async def test_found_by_trades_alone(self, start):
        """Trap 7.11: finished orders are hidden by id, and the stream tells nothing."""
        rig = await start(
            EngineSettings(mined_ms=(50, 50), confirmed_ms=(50, 50)), WireSettings(hide_finished_orders=True)
        )
        venue = await rig.started()
        ((yes, _),) = await rig.instruments(venue, "1")
        rig.offer(rig.markets("1")[0], "SELL", "0.30", "50")
        rig.fault("drop_user_events")
        rig.fault("drop_response,count=1")
        (view,) = await follow(venue, await venue.post([terms(yes, price="0.30")]), settled)
        assert (view.state, view.confirmed) == (OrderState.DONE, 10)

    @pytest.mark.parametrize("fault", ["status,code=500", "status,code=503,variant=disabled"])
    async def test_order_that_never_was_is_denied(self, rig, fault):
        """Unknown until every source, and a cancel by id, has said that it does not know it."""
        venue = await rig.started()
        ((yes, _),) = await rig.instruments(venue, "1")
        rig.fault(fault)
        (view,) = await venue.post([terms(yes, price="0.30")])
        assert (view.state, view.denied_ms) == (OrderState.UNKNOWN, 0)
        rig.calm()
        (view,) = await venue.look([view])
        assert (view.state, view.denied_ms > 0) == (OrderState.UNKNOWN, True)

    async def test_late_post_is_found_after_the_denial(self, rig):
        """Fault late_post: delivered after everyone had said no, and after a cancel by id."""
        venue = await rig.started()
        ((yes, _),) = await rig.instruments(venue, "1")
        rig.fault("late_post,seconds=0.6,count=1")
        (view,) = await venue.post([terms(yes, price="0.30")])
        (denied,) = await venue.look([view])
        assert (denied.state, denied.denied_ms > 0) == (OrderState.UNKNOWN, True)
        (found,) = await follow(venue, [denied], lambda views: views[0].state is not OrderState.UNKNOWN)
        assert (found.state, found.denied_ms) == (OrderState.LIVE, 0)
        assert (await venue.cancel(found)).state is OrderState.DONE

    async def test_same_order_again_is_a_duplicate_and_nothing_else(self, rig, legs):
        """Trap 7.2: a second process that posts it learns nothing wrong, and the exchange has one order."""
        venue, instruments = legs
        (order,) = entries(instruments[:1])
        await venue.post([order])
        (again,) = await venue.post([order])
        assert "Duplicated" in "".join(again.evidence)
        (again,) = await venue.look([again])
        assert (again.state, again.known) == (OrderState.DONE, 10)
        assert (rig.engine.accepted, rig.engine.duplicates) == (1, 1)


@pytest.mark.parametrize("variant", ["missing", "malformed"])
async def test_partial_batch(rig, legs, variant):
    """Fault partial_batch: every leg was taken; only the one without a usable entry is unknown, and is found."""
    venue, instruments = legs
    rig.fault("drop_user_events")
    rig.fault(f"partial_batch,count=1,variant={variant}")
    views = await venue.post(entries(instruments))
    assert [view.state for view in views] == [OrderState.DONE, OrderState.DONE, OrderState.UNKNOWN]
    (last,) = await venue.look(views[2:])
    assert (last.state, last.known) == (OrderState.DONE, 10)


class TestDelays:
    async def test_delayed_order_is_pending_and_then_matches(self, rig, legs):
        """Fault delayed (trap 7.21): accepted, not to be cancelled, filled seconds later."""
        venue, instruments = legs
        rig.fault("delayed,seconds=0.4,count=1")
        views = await venue.post(entries(instruments[:1]))
        assert views[0].state in (OrderState.PENDING, OrderState.LIVE)
        assert views[0].known == 0
        canceled = await venue.cancel(views[0])
        assert not canceled.state.final
        (view,) = await follow(venue, [canceled], settled)
        assert view.confirmed == 10

    async def test_unmatched_order_rests(self, rig, legs):
        """Fault unmatched (trap 2.4): the official client calls it rejected; it is on the book."""
        venue, instruments = legs
        rig.fault("drop_user_events")
        rig.fault("unmatched,count=1")
        (view,) = await venue.post(entries(instruments[:1]))
        assert view.state is OrderState.UNKNOWN
        (view,) = await venue.look([view])
        assert view.state is OrderState.LIVE
        assert (await venue.cancel(view)).state is OrderState.DONE


class TestSettlement:
    """Trap 7.3: MATCHED is provisional."""

    async def test_failed_fill_is_taken_back(self, rig, legs):
        venue, instruments = legs
        rig.fault("fail_settlement,count=1")
        views = await venue.post(entries(instruments))
        assert {view.known for view in views} == {10}
        views = await follow(venue, views, settled)
        failed = [view for view in views if view.failed]
        assert [(view.known, view.confirmed, view.failed) for view in failed] == [(0, 0, 10)]
        assert failed[0].state is OrderState.DONE
        assert await venue.cash() == 1000 - sum(view.spent for view in views)

    async def test_retried_settlement_confirms_in_the_end(self, rig, legs):
        venue, instruments = legs
        rig.fault("retry_settlement")
        views = await follow(venue, await venue.post(entries(instruments)), settled)
        assert {view.confirmed for view in views} == {10}

    @pytest.mark.parametrize("fault", ["duplicate_events", "reorder_events,seconds=0.3", "malformed_frame,count=3"])
    async def test_stream_trouble_changes_nothing(self, rig, legs, fault):
        """Twice, late, out of order, or junk between: each fill counts once."""
        venue, instruments = legs
        rig.fault(fault)
        views = await follow(venue, await venue.post(entries(instruments)), settled)
        assert {(view.confirmed, len(view.fills)) for view in views} == {(10, 1)}

    @pytest.mark.parametrize("fault", ["drop_stream,count=1", "oversized_frame,count=1,bytes=9000000"])
    async def test_interrupted_stream_is_looked_up(self, rig, legs, fault):
        venue, instruments = legs
        rig.fault(f"{fault},channel=user" if "drop" in fault else fault)
        views = await follow(venue, await venue.post(entries(instruments)), settled)
        assert {view.confirmed for view in views} == {10}
        await until(venue.streaming)


class TestCancel:
    async def test_cancel_that_loses_the_race_shows_the_fill(self, rig):
        """Fault cancel_loses: filled just before."""
        venue = await rig.started()
        ((yes, _),) = await rig.instruments(venue, "1")
        (view,) = await venue.post([terms(yes, price="0.40")])
        rig.fault("cancel_loses,count=1")
        view = await venue.cancel(view)
        assert (view.state, view.known) == (OrderState.DONE, 10)
        assert exchange_says(rig, view) == ("MATCHED", 10)

    async def test_failed_cancel_leaves_it_resting(self, rig):
        venue = await rig.started()
        ((yes, _),) = await rig.instruments(venue, "1")
        (view,) = await venue.post([terms(yes, price="0.40")])
        rig.fault("cancel_error,count=1")
        view = await venue.cancel(view)
        assert view.state is OrderState.LIVE
        assert (await venue.cancel(view)).state is OrderState.DONE

    async def test_wiped_order_is_seen_canceled(self, rig):
        """Trap 2.6: at game start the venue cancels what rests, without being asked."""
        venue = await rig.started()
        ((yes, _),) = await rig.instruments(venue, "1")
        views = await venue.post([terms(yes, price="0.40")])
        rig.engine.wipe(rig.markets("1")[0].condition_id)
        (view,) = await follow(venue, views, lambda seen: seen[0].state.final)
        assert (view.known, view.reason[:8]) == (0, "canceled")

    async def test_gone_order_on_a_venue_that_hides_finished_ones(self, start, monkeypatch):
        """Trap 7.19: no endless cancel loop on `already canceled or matched`."""
        monkeypatch.setattr("arbsaga.venues.polymarket.prover.GONE_MS", 200)
        rig = await start(EngineSettings(), WireSettings(hide_finished_orders=True))
        venue = await rig.started()
        ((yes, _),) = await rig.instruments(venue, "1")
        (view,) = await venue.post([terms(yes, price="0.40")])
        rig.fault("drop_user_events")
        rig.engine.wipe(rig.markets("1")[0].condition_id)

        async def over():
            nonlocal view
            view = await venue.cancel(view)
            return view.state is OrderState.DONE

        await until(over)
        assert view.known == 0


class TestRestart:
    async def test_restart_and_post_only(self, start):
        """Trap 7.20: 425 proves nothing, then two minutes of post-only are plain refusals."""
        rig = await start()
        venue = await rig.started()
        ((yes, _),) = await rig.instruments(venue, "1")
        rig.fault("restart,seconds=0.4,post_only_seconds=60,count=1")
        (view,) = await venue.post([terms(yes, price="0.30")])
        assert view.state is OrderState.UNKNOWN

        async def over():
            (refused,) = await venue.post([terms(yes, price="0.30")])
            return "post-only mode" in refused.reason and refused.state is OrderState.DONE

        await until(over)


@pytest.mark.parametrize("price", ["0.30", "0.10"], ids=["matched", "resting"])
async def test_stream_that_does_not_tell_of_an_accepted_order_is_replaced(rig, legs, price):
    """Trap 7.13: frozen, with PONG alive."""
    venue, instruments = legs
    stream = venue._session.stream
    stream._expect_ns = 100_000_000
    rig.fault("freeze_stream,channel=user,seconds=60,count=1")
    await venue.post([terms(instruments[0], price=price)])
    await until(lambda: stream.interruptions == 1)
    rig.calm()
    await until(venue.streaming)


async def test_cancels_are_by_id_only(rig, legs, monkeypatch):
    """Trap 7.23: a cancel-all can leave a debt that blocks later cancels; nothing here needs one."""
    venue, instruments = legs
    asked = []
    wrapped = venue._session._client._ctx.secure_clob.delete_json

    async def note(path, **options):
        asked.append(path)
        return await wrapped(path, **options)

    monkeypatch.setattr(venue._session._client._ctx.secure_clob, "delete_json", note)
    views = await venue.post([terms(one, price="0.10") for one in instruments])
    await asyncio.gather(*map(venue.cancel, views))
    assert asked == ["/order"] * 3
    assert await venue.open_orders() == ()


async def test_news_wakes_within_the_frame(rig, legs):
    """The user stream, not a poll, brings the settlement."""
    venue, instruments = legs
    views = await venue.post(entries(instruments[:1]))
    await venue.look(views)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await venue.news([views[0].order_id], 3_000)
    assert loop.time() - began < 1
    (view,) = await venue.look(views)
    assert view.fills[0].status is not FillStatus.MATCHED
