"""Reconciliation on the real server: capital and people: HELD trades, ends that nobody told, trades run too often."""

import asyncio
from dataclasses import replace

import pytest
import reconcile_rig
from memory_venue import Behaviour, now_ms
from reconcile_rig import (
    LONG,
    NOTHING,
    assert_even,
    free,
    invested,
    left_behind,
    open_desk,
    planned,
    reconcile,
    record_of,
    run_once,
    unblocked,
    watching,
    worker,
)
from temporal_rig import FAST, Rig, until
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from test_desk_workflow import desk_of, status_of, usd
from test_trades import assert_sent_once

from activities.desk import RESOLVED, archive_run
from activities.reopening import NO_RUN
from arbsaga.domain.orders import OrderState
from arbsaga.reconcile.actions import MAX_REOPENED
from arbsaga.risk.desk import Claim, Closed
from arbsaga.saga.judge import entry_orders
from arbsaga.saga.messages import Phase, TradePlan
from arbsaga.saga.trade import Trade
from workers.reconciler import keep_reconciling
from workflows.arbitrage import ArbitrageWorkflow
from workflows.held import HeldWorkflow
from workflows.messages import held_id, reconcile_id

rig, account, _hurry = reconcile_rig.rig, reconcile_rig.account, reconcile_rig.hurry


async def held_trade(rig: Rig, account: str) -> TradePlan:
    """HELD, with an order that was proved absent: a person has been paged."""
    patience = replace(FAST, entry=400, send_by=300, http=100, prove=100, settle=1_200)
    plan = planned(account, patience=patience)
    rig.venue.next(plan.basket.legs[0].instrument, Behaviour(arrives=False, answer=False))
    rig.venue.settle_ms = 60_000
    assert (await record_of(rig, plan)).phase is Phase.HELD
    rig.venue.settle_ms = 40
    await until(lambda: blocked(rig, account))
    return plan


async def blocked(rig: Rig, account: str) -> bool:
    return len((await status_of(rig, account)).blocked) == 1


async def test_a_late_fill_of_a_held_trade_is_booked_and_paged_by_its_watch(rig: Rig, account: str) -> None:
    """A person decides on it, so it is not run again under their hands; but they must know."""
    async with worker(rig):
        await open_desk(rig, account)
        plan = await held_trade(rig, account)
        absent = next(view for view in rig.ledger.trade(plan.trade_id).orders if view.state is OrderState.ABSENT)
        late = rig.venue.arrive(absent.terms, "1")
        paged = len(rig.paged)
        said = await reconcile(rig, account)
        assert f"the watch over {plan.trade_id} looks again" in said
        await until(lambda: rig.ledger.filled([late]).get(late) == absent.terms.size)
        await until(lambda: len(rig.paged) > paged)
        assert "the fills of a held trade have changed" in rig.paged[-1]
        assert rig.ledger.trade(plan.trade_id).row.phase is Phase.HELD
        assert "looks again" not in await reconcile(rig, account)
        await held_of(rig, plan).signal(HeldWorkflow.resolve, "sold by hand")
        await held_of(rig, plan).result()
        await until(lambda: unblocked(rig, account))
        run_id = (await held_of(rig, plan).describe()).run_id
        await until(lambda: rig.ledger.history(f"{held_id(plan.trade_id)}/{run_id}"))


def held_of(rig: Rig, plan: TradePlan):
    return rig.client.get_workflow_handle_for(HeldWorkflow.run, held_id(plan.trade_id))


async def test_a_held_trade_whose_watch_is_gone_is_watched_again(rig: Rig, account: str) -> None:
    """Terminated in the UI: without it a person's decision would reach nobody. One that was resolved stays so."""
    async with worker(rig):
        await open_desk(rig, account)
        plan = await held_trade(rig, account)
        await held_of(rig, plan).terminate("by hand")
        assert f"{plan.trade_id} is watched again" in await reconcile(rig, account)
        assert "watched again" not in await reconcile(rig, account)
        await held_of(rig, plan).signal(HeldWorkflow.resolve, "sold by hand")
        assert (await held_of(rig, plan).result()).reason.endswith("resolved: sold by hand")
        await until(lambda: unblocked(rig, account))
        assert "watched again" not in await reconcile(rig, account)


async def test_capital_that_nobody_gives_back_is_freed(rig: Rig, account: str) -> None:
    """A trade that sent no order; and one that was terminated between its record and its word to the desk."""
    async with worker(rig):
        await open_desk(rig, account)
        plan = planned(account)
        record = await record_of(rig, plan)
        await until(lambda: invested(rig, account, record.spent))
        ghost = Claim("t-ghost", "basket/yes:ghost", "yes:ghost", "lease", usd(5))
        untold = Claim(plan.trade_id, f"basket/{plan.basket.key}", plan.basket.key, plan.lease_id, plan.reserved)
        await desk_of(rig, account).signal("claim", ghost)
        await desk_of(rig, account).signal("reopened", untold)
        said = await reconcile(rig, account)
        assert "t-ghost sent no order: its capital is free" in said
        assert f"{plan.trade_id} is run again: its end was never told" in said
        await until(lambda: invested(rig, account, record.spent))
        assert await reconcile(rig, account) == NOTHING
    assert_even(rig, plan)


@pytest.mark.parametrize("end", ["FLAT", "HELD", "resolved"])
async def test_a_desk_that_was_never_told_of_an_end_is_told(rig: Rig, account: str, end: str) -> None:
    """The workflow was terminated after its record: the trade is not run again, and ends at its desk as it should."""
    async with worker(rig):
        await open_desk(rig, account)
        plan = planned(account)
        intents = [(terms, rig.venue.order_id(terms)) for terms in entry_orders(plan)]
        key = plan.basket.key
        rig.ledger.intend(intents, account=account, workflow_id=f"basket/{key}", lease_id=plan.lease_id)
        phase, reason = (Phase.HELD, f"why{RESOLVED}sold") if end == "resolved" else (Phase(end), "why")
        rig.ledger.record(Trade(plan).record(phase, reason, now_ms()))
        claim = Claim(plan.trade_id, f"basket/{key}", key, plan.lease_id, plan.reserved)
        await desk_of(rig, account).signal("claim", claim)
        said = await reconcile(rig, account)
        assert f"{plan.trade_id} ended {phase}, which its desk is told" in said
        assert "run again" not in said
        await until(lambda: blocked(rig, account) if end == "HELD" else free(rig, account))
        if end == "HELD":
            assert (await held_of(rig, plan).query(HeldWorkflow.status)).plan == plan
        assert await reconcile(rig, account) == NOTHING


async def test_a_trade_that_ends_while_it_is_looked_at_is_left_alone(
    rig: Rig, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row was read, then it recorded its end and closed, then its workflow was found closed: it was run again."""
    async with worker(rig):
        plan = planned(account, patience=LONG)
        handle = await watching(rig, plan, "1", "0.5")
        await asyncio.sleep(0.4)
        loop, read = asyncio.get_running_loop(), rig.ledger.trade

        async def end() -> None:
            await handle.signal(ArbitrageWorkflow.abort, "tidy up")
            await handle.result()

        def read_before_the_end(trade_id: str):
            context.undo()
            story = read(trade_id)
            asyncio.run_coroutine_threadsafe(end(), loop).result(20)
            return story

        with monkeypatch.context() as context:
            context.setattr(rig.ledger, "trade", read_before_the_end)
            assert await reconcile(rig, account) == NOTHING
    assert_even(rig, plan)


async def test_a_trade_that_breaks_off_again_and_again_is_held(rig: Rig, account: str) -> None:
    """Run again three times by the schedule, which remembers; then a person is paged and it is theirs."""
    async with worker(rig):
        await open_desk(rig, account)
        plan = planned(account, patience=LONG)
        handle = await watching(rig, plan, "0.5", "0")
        await asyncio.sleep(0.4)

        async def cannot_cancel(known):
            return (await rig.venue.look((known,)))[0]

        rig.venue.cancel = cannot_cancel  # so that each run is still WATCHING when it is terminated
        schedule = rig.client.get_schedule_handle(reconcile_id(account))
        await keep_reconciling(rig.client, account, rig.task_queue)
        try:
            for _ in range(MAX_REOPENED):
                await handle.terminate("by hand")
                handle = await triggered(schedule, lambda before=handle: another_run(rig, plan, before))
            await handle.terminate("by hand")
            await triggered(schedule, lambda: is_held(rig, plan))
            await until(lambda: blocked(rig, account))
            assert any("run again 3 times, and still" in text for text in rig.paged)
            assert (await held_of(rig, plan).query(HeldWorkflow.status)).plan == plan
        finally:
            await schedule.delete()
    assert_sent_once(rig)


async def test_a_flat_trade_that_is_held_keeps_its_capital_and_blocks_its_basket(rig: Rig, account: str) -> None:
    """A late fill although it was run again three times: the desk had heard of its end, and must hear of this one."""
    async with worker(rig):
        await open_desk(rig, account)
        plan = await left_behind(rig, account)
        await until(lambda: free(rig, account))
        rig.venue.arrive(entry_orders(plan)[0], "0.5")
        result = await run_once(rig, account, reopened={plan.trade_id: MAX_REOPENED})
        assert f"{plan.trade_id} is HELD" in result.summary
        await until(lambda: blocked(rig, account))
        status = await status_of(rig, account)
    assert (status.reserved, status.blocked) == (plan.reserved, (plan.basket.key,))


async def test_a_trade_that_is_held_while_another_is_in_its_basket_keeps_its_own_history(
    rig: Rig, account: str
) -> None:
    """The basket's newest run is the other's. One that the server has lost is done with."""
    async with worker(rig):
        await open_desk(rig, account)
        plan = planned(account, patience=LONG)
        handle = await watching(rig, plan, "1", "0")
        own = handle.first_execution_run_id or handle.result_run_id
        await handle.terminate("by hand")
        other = replace(planned(account, patience=LONG), basket=plan.basket, decided_ms=now_ms())
        running = await watching(rig, other, "0", "0")
        await asyncio.sleep(0.4)
        assert "is HELD" in (await run_once(rig, account, reopened={plan.trade_id: MAX_REOPENED})).summary
        history = await until(lambda: rig.ledger.history(plan.trade_id))
        assert str(own) in history
        await running.signal(ArbitrageWorkflow.abort, "tidy up")
        await running.result()
        assert await archive_run(rig.client, rig.ledger, Closed("lost", f"basket/{plan.basket.key}", NO_RUN))
        assert rig.ledger.history("lost") is None


async def is_held(rig: Rig, plan: TradePlan) -> bool:
    story = rig.ledger.trade(plan.trade_id)
    return bool(story and story.row and story.row.phase is Phase.HELD)


async def triggered(schedule, condition):
    """What the condition gives; a trigger while a run is under way is left out, so it is pulled again."""
    for _ in range(12):
        await schedule.trigger()
        for _ in range(20):
            if met := await condition():
                return met
            await asyncio.sleep(0.1)
    raise AssertionError("it did not come about in time")


async def another_run(rig: Rig, plan: TradePlan, before: WorkflowHandle) -> WorkflowHandle | None:
    found = await rig.client.get_workflow_handle(f"basket/{plan.basket.key}").describe()
    old = before.run_id or before.first_execution_run_id
    if found.run_id == old or found.status is not WorkflowExecutionStatus.RUNNING:
        return None
    return rig.client.get_workflow_handle_for(ArbitrageWorkflow.run, found.id, run_id=found.run_id)
