"""Trades on the real server, against a venue in memory."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from memory_venue import Behaviour, MemoryVenue
from temporal_rig import FAST, D, Rig, make_plan, until
from temporalio.client import WorkflowExecutionStatus

from arbsaga.domain.orders import FillStatus, OrderState, Purpose
from arbsaga.saga.messages import Phase, TradePlan, TradeRecord
from workers.start import start_trade
from workflows.arbitrage import ArbitrageWorkflow

NEVER = asyncio.Event


def assert_sent_once(rig: Rig) -> None:
    assert rig.venue.refused_duplicates == 0
    assert len(set(rig.venue.posts)) == len(rig.venue.posts), "an order was sent twice"


def held(rig: Rig, plan: TradePlan) -> list[Decimal]:
    """Shares per leg by the venue, a complement counted off."""
    legs = plan.basket.legs
    return [rig.venue.held(leg.instrument.token) - rig.venue.held(leg.instrument.complement) for leg in legs]


async def test_a_clean_trade_commits_in_few_events(rig: Rig) -> None:
    """Both legs fill, every fill is confirmed, the ledger has it, and the history stays short."""
    plan = make_plan()
    async with rig.worker():
        record = await rig.trade(plan)
    assert record.phase is Phase.COMMITTED, record.reason
    assert record.hedged == D(12)
    assert held(rig, plan) == [12, 12]
    row = rig.ledger.trade(plan.trade_id).row
    assert (row.phase, row.spent) == (Phase.COMMITTED, record.spent)
    history = await rig.client.get_workflow_handle(f"basket/{plan.basket.key}").fetch_history()
    assert len(history.events) <= 60
    assert_sent_once(rig)


async def test_search_attributes_and_summaries_tell_the_trade(rig: Rig) -> None:
    """The UI finds the trade by its result, and its activities read as a trader would say them."""
    plan = make_plan()
    async with rig.worker():
        await rig.trade(plan)
    handle = rig.client.get_workflow_handle(f"basket/{plan.basket.key}")
    found = (await handle.describe()).typed_search_attributes
    known = {pair.key.name: pair.value for pair in found}
    assert known["Phase"] == known["Result"] == "COMMITTED"
    assert (known["Kind"], known["Venues"], known["Event"]) == ("yes-of-all", ["memory"], plan.basket.event)
    assert known["Profit"] == pytest.approx(2.16)
    history = await handle.fetch_history()
    summaries = [event.user_metadata.summary.data.decode() for event in history.events if event.user_metadata.summary]
    assert '"buy 12 YES Lakers @ 0.41, buy 12 YES Celtics @ 0.41"' in summaries


async def test_a_refused_leg_is_undone(rig: Rig) -> None:
    """One leg fills, the other is refused by the venue: the filled one is sold again, or hedged."""
    plan = make_plan()
    rig.quote(plan)
    rig.venue.next(plan.basket.legs[1].instrument, Behaviour(refuse="no liquidity"))
    rig.venue.asks[plan.basket.legs[1].instrument.token] = ()
    async with rig.worker():
        rig.quote = lambda _: None
        await_start = start_trade(rig.client, plan, rig.task_queue)
        record = await (await await_start).result()
    assert record.phase is Phase.REFUSED  # no depth for the second leg any more: zero orders
    assert rig.venue.posts == []


async def test_a_lost_leg_ends_flat(rig: Rig) -> None:
    """The depth was there, but the venue refuses the second leg: nothing stays one-sided."""
    plan = make_plan()
    rig.venue.next(plan.basket.legs[1].instrument, Behaviour(refuse="no liquidity"), Behaviour(refuse="no liquidity"))
    async with rig.worker():
        record = await rig.trade(plan)
    assert record.phase in (Phase.FLAT, Phase.COMMITTED), record.reason
    left = held(rig, plan)
    assert left[0] == left[1] or record.phase is Phase.COMMITTED
    assert_sent_once(rig)


async def test_a_thin_book_sends_nothing(rig: Rig) -> None:
    """Fresh depth under the planned size: REFUSED, zero orders, and the reason says which leg."""
    plan = make_plan()
    rig.quote(plan)
    rig.venue.quote(plan.basket.legs[1].instrument, "0.41", "0.39", size="11.99")
    async with rig.worker():
        handle = await rig.start(plan)
        record = await handle.result()
    assert record.phase is Phase.REFUSED
    assert record.reason == "only 11.99 YES Celtics at 0.41 now, 12 wanted"
    assert rig.venue.posts == []


async def test_an_unknown_post_that_filled_is_found(rig: Rig) -> None:
    """The venue took the order and dropped the connection: the order is looked up, not sent again."""
    plan = make_plan()
    rig.venue.next(plan.basket.legs[0].instrument, Behaviour(answer=False))
    async with rig.worker():
        record = await rig.trade(plan)
    assert record.phase is Phase.COMMITTED, record.reason
    assert len(rig.venue.posts) == 2
    assert_sent_once(rig)


async def test_an_unknown_post_that_never_arrived_is_proved_and_paged(rig: Rig) -> None:
    """One leg filled, the other is unknown for too long: a person is paged, then the proof, then the way out."""
    plan = make_plan()
    rig.venue.next(plan.basket.legs[0].instrument, Behaviour(arrives=False, answer=False))
    async with rig.worker():
        record = await rig.trade(plan)
    assert record.phase in (Phase.FLAT, Phase.COMMITTED)
    first = next(view for view in record.orders if (view.terms.leg, view.terms.attempt) == (0, 1))
    assert first.state is OrderState.ABSENT
    assert len(rig.paged) == 1
    assert "unknown" in rig.paged[0]
    left = held(rig, plan)
    assert left[0] == left[1]
    assert_sent_once(rig)


async def test_a_failed_settlement_reopens_the_trade(rig: Rig) -> None:
    """MATCHED is provisional: a fill that fails on the chain goes back to the judge."""
    plan = make_plan()
    rig.venue.next(plan.basket.legs[0].instrument, Behaviour(settle_to=FillStatus.FAILED))
    async with rig.worker():
        record = await rig.trade(plan)
    left = held(rig, plan)
    assert left[0] == left[1]
    assert any(view.terms.purpose is not Purpose.ENTER for view in record.orders)
    assert_sent_once(rig)


async def test_an_abort_ends_the_watch_and_cancels_what_rests(rig: Rig) -> None:
    """The abort signal reaches a running watch; the resting orders are cancelled; the trade is FLAT."""
    plan = make_plan(patience=replace(FAST, entry=30_000))
    for leg in plan.basket.legs:
        rig.venue.next(leg.instrument, Behaviour(fills=D(0)))
    rig.quote(plan)
    async with rig.worker():
        handle = await rig.start(plan)
        await until(lambda: len(rig.venue.orders) == 2)
        await until(lambda: phase_is(handle, Phase.WATCHING))
        await handle.signal(ArbitrageWorkflow.abort, "changed my mind")
        record = await asyncio.wait_for(handle.result(), 10)
    assert (record.phase, record.reason) == (Phase.FLAT, "changed my mind")
    assert all(order.state is OrderState.DONE for order in rig.venue.orders.values())


async def test_a_ui_cancel_is_an_abort(rig: Rig) -> None:
    """Cancelling in the UI ends the trade in order: the workflow completes, nothing is left running."""
    plan = make_plan(patience=replace(FAST, entry=30_000))
    for leg in plan.basket.legs:
        rig.venue.next(leg.instrument, Behaviour(fills=D(0)))
    rig.quote(plan)
    async with rig.worker():
        handle = await rig.start(plan)
        await until(lambda: phase_is(handle, Phase.WATCHING))
        await handle.cancel()
        record = await asyncio.wait_for(handle.result(), 10)
        description = await handle.describe()
    assert record.phase is Phase.FLAT
    assert description.status is WorkflowExecutionStatus.COMPLETED
    assert not description.raw_description.pending_activities


async def test_a_cancel_while_compensating_changes_nothing(rig: Rig) -> None:
    """sdk-python #1813: a cancel in the middle of undoing neither stops it nor leaves an activity running."""
    plan = make_plan()
    release = asyncio.Event()
    first, second = (leg.instrument for leg in plan.basket.legs)
    slow = Behaviour(before=release.wait)
    rig.venue.next(first, Behaviour(), slow)
    rig.venue.next(first.other(), slow)
    rig.venue.next(second, Behaviour(refuse="no"), slow)
    rig.quote(plan)
    async with rig.worker():
        handle = await rig.start(plan)
        await until(lambda: phase_is(handle, Phase.UNWINDING))
        for _ in range(3):
            await handle.cancel()
            await asyncio.sleep(0.1)
        release.set()
        record = await asyncio.wait_for(handle.result(), 20)
        description = await handle.describe()
    assert description.status is WorkflowExecutionStatus.COMPLETED
    assert not description.raw_description.pending_activities
    left = held(rig, plan)
    assert left[0] == left[1], record
    assert_sent_once(rig)


async def test_a_basket_is_never_in_two_trades(rig: Rig) -> None:
    """The workflow id is the in-flight lock."""
    plan = make_plan(patience=replace(FAST, entry=5_000))
    rig.venue.next(plan.basket.legs[0].instrument, Behaviour(fills=D(0)))
    rig.quote(plan)
    async with rig.worker():
        handle = await rig.start(plan)
        assert await start_trade(rig.client, replace(plan, trade_id="another"), rig.task_queue) is None
        await handle.signal(ArbitrageWorkflow.abort, "done")
        await handle.result()


async def phase_is(handle, phase: Phase) -> bool:
    status: TradeRecord = await handle.query(ArbitrageWorkflow.status)
    return status.phase is phase


async def test_a_slow_venue_is_not_waited_for_twice(rig: Rig) -> None:
    """A venue that cannot be asked for books refuses the trade in its own words."""
    plan = make_plan()
    rig.quote(plan)
    rig.venue.down = "503 for books"
    async with rig.worker():
        record = await (await rig.start(plan)).result()
    assert (record.phase, record.reason) == (Phase.REFUSED, "the venue cannot be asked: 503 for books")
    assert isinstance(rig.venue, MemoryVenue)
