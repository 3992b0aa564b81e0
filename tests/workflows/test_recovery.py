"""What a crash, a zombie, a reset, a terminate or an eviction does to a trade: nothing is sent twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from memory_venue import Behaviour, now_ms
from temporal_rig import FAST, ROOMY, D, Rig, make_plan, until
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.worker import Interceptor
from test_trades import assert_sent_once, held, phase_is

from arbsaga.domain.instruments import Side
from arbsaga.domain.money import Size
from arbsaga.domain.orders import OrderState, OrderTerms, Purpose, TimeInForce
from arbsaga.saga import judge
from arbsaga.saga.messages import Phase, TradePlan
from proof.crashes.replaying import recorded, replay
from workflows.arbitrage import ArbitrageWorkflow


class Silent(Interceptor):
    """A worker whose activities say nothing: dead, as far as the server can tell."""


@asynccontextmanager
async def dying_worker(rig: Rig, monkeypatch: pytest.MonkeyPatch, release: asyncio.Event) -> AsyncIterator[None]:
    """A worker without heartbeats, whose activities hang until released."""
    with monkeypatch.context() as patch:
        patch.setattr("workers.worker.Heartbeats", Silent)
        worker = rig.worker()
    async with worker:
        try:
            yield
        finally:
            release.set()


async def test_a_worker_that_dies_after_sending_is_replaced_once_it_is_silent(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The orders reached the venue, the answer is lost: another worker finds them, nothing is sent again."""
    plan = make_plan(patience=ROOMY)
    release = asyncio.Event()
    for leg in plan.basket.legs:
        rig.venue.next(leg.instrument, Behaviour(after=release.wait))
    rig.quote(plan)
    async with dying_worker(rig, monkeypatch, release):
        handle = await rig.start(plan)
        await until(lambda: len(rig.venue.orders) == 2)
        async with (await rig.another()).worker():
            began = asyncio.get_running_loop().time()
            await until(lambda: phase_is(handle, Phase.COMMITTED))
            took = asyncio.get_running_loop().time() - began
            record = await handle.result()
            release.set()
    assert record.phase is Phase.COMMITTED
    assert took < 6, "two seconds of silence, then on; without heartbeats it is the seven of the step"
    assert any("no answer" in line for view in record.orders for line in view.evidence)
    assert len(rig.venue.posts) == 2
    assert_sent_once(rig)


async def test_a_zombie_that_wakes_up_late_sends_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped before sending, declared dead, then woken: its orders are over their send-by time."""
    plan = make_plan(patience=FAST)
    release = asyncio.Event()
    for leg in plan.basket.legs:
        rig.venue.next(leg.instrument, Behaviour(before=release.wait))
    rig.quote(plan)
    async with dying_worker(rig, monkeypatch, release):
        handle = await rig.start(plan)
        await until(lambda: rig.ledger.intent(plan.trade_id, 1, 1))
        async with (await rig.another()).worker():
            record = await asyncio.wait_for(handle.result(), 20)
            release.set()
    assert record.phase is Phase.FLAT
    assert rig.venue.posts == []


async def test_a_reset_to_the_beginning_sends_nothing_again(rig: Rig) -> None:
    """Reset from the UI runs the story anew: the ledger's fence answers with the orders as they were."""
    plan = make_plan(patience=replace(ROOMY, send_by=20_000))
    async with rig.worker():
        first = await rig.trade(plan)
        again = await reset_to_the_beginning(rig, plan)
    assert first.phase is Phase.COMMITTED
    assert again["phase"] == "COMMITTED"
    assert len(rig.venue.posts) == 2
    assert_sent_once(rig)
    assert rig.ledger.trade(plan.trade_id).row.spent == first.spent


async def reset_to_the_beginning(rig: Rig, plan: TradePlan) -> dict[str, object]:
    handle = rig.client.get_workflow_handle(f"basket/{plan.basket.key}")
    run_id = (await handle.describe()).run_id
    await rig.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=rig.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=run_id),
            workflow_task_finish_event_id=4,
            request_id="reset-1",
        )
    )
    return await asyncio.wait_for(rig.client.get_workflow_handle(handle.id).result(), 20)


async def test_a_reset_undoes_nothing_again(rig: Rig) -> None:
    """The first run completed a leg. The second, for which selling the other is cheaper, finds that order first."""
    plan = make_plan()
    refused = plan.basket.legs[1].instrument
    rig.venue.next(refused, Behaviour(refuse="no"))
    async with rig.worker():
        first = await rig.trade(plan)
        rig.venue.quote(refused, "0.99", "0.01")
        again = await reset_to_the_beginning(rig, plan)
    assert [view.terms.purpose for view in first.orders] == ["enter", "enter", "complete"]
    assert (first.phase, again["phase"]) == (Phase.COMMITTED, "COMMITTED")
    assert len(rig.venue.posts) == 3
    assert held(rig, plan) == [12, 12]


async def test_an_order_that_only_the_ledger_knows_is_undone_before_the_end(rig: Rig) -> None:
    """Legs that look equal are not: a run that was reset, or a worker thought dead, sold some of one.

    As much is sold of the other. Buying back what was sold is no way yet: the sale is not settled, and if it FAILED
    the leg would be larger than planned.
    """
    rig.venue.settle_ms = 500
    plan = make_plan(patience=ROOMY)
    rig.quote(plan)
    async with rig.worker():
        handle = await rig.start(plan)
        await until(lambda: phase_is(handle, Phase.SETTLING))
        leg = plan.basket.legs[0].instrument
        terms = OrderTerms(
            plan.trade_id,
            0,
            2,
            Purpose.EXIT,
            leg,
            Side.SELL,
            Size(D(7)),
            D("0.39"),
            TimeInForce.GTC,
            now_ms(),
            now_ms(),
        )
        order_id = rig.venue.order_id(terms)
        rig.ledger.intend([(terms, order_id)], account=plan.account, workflow_id=handle.id, lease_id="")
        rig.venue.settle_ms = 4_000  # this sale is still on its way to the chain when it is found
        rig.venue._arrive(order_id, terms, Behaviour())
        record = await asyncio.wait_for(handle.result(), 25)
    assert {view.terms.purpose for view in record.orders} == {Purpose.ENTER, Purpose.EXIT}
    assert held(rig, plan) == [5, 5]
    assert rig.ledger.trade(plan.trade_id).row.phase is record.phase is Phase.COMMITTED


async def test_a_terminated_trade_that_is_run_again_finds_its_orders(rig: Rig) -> None:
    """The same plan after Terminate: its orders are looked up, however late it is, and it ends in order."""
    plan = make_plan(patience=replace(FAST, entry=60_000, send_by=300))
    for leg in plan.basket.legs:
        rig.venue.next(leg.instrument, Behaviour(fills=D("0.5")))
    rig.quote(plan)
    async with rig.worker():
        handle = await rig.start(plan)
        await until(lambda: phase_is(handle, Phase.WATCHING))
        await handle.terminate("by hand")
        await asyncio.sleep(0.4)  # past send_by
        again = await rig.start(plan)
        await until(lambda: phase_is(again, Phase.WATCHING))
        await again.signal(ArbitrageWorkflow.abort, "tidy up")
        record = await asyncio.wait_for(again.result(), 20)
    assert len(rig.venue.posts) == 2
    assert record.phase is Phase.COMMITTED
    assert held(rig, plan) == [6, 6]
    assert all(order.state is OrderState.DONE for order in rig.venue.orders.values())


@pytest.mark.parametrize("sandboxed", [True, False])
async def test_histories_replay_with_the_same_arguments(rig: Rig, sandboxed: bool) -> None:
    """Clean, one-sided, unknown and aborted trades: the same commands, down to the arguments' bytes."""
    plans = [make_plan() for _ in range(4)]
    rig.venue.next(plans[1].basket.legs[1].instrument, Behaviour(refuse="no"))
    rig.venue.next(plans[2].basket.legs[0].instrument, Behaviour(answer=False), Behaviour(refuse="no"))
    rig.venue.next(plans[3].basket.legs[0].instrument, Behaviour(fills=D(0)))
    async with rig.worker():
        await asyncio.gather(*(rig.trade(plan) for plan in plans))
    for plan in plans:
        history = await rig.client.get_workflow_handle(f"basket/{plan.basket.key}").fetch_history()
        assert any(name == "activity place_legs" for name, _ in recorded(history))
        await replay(history, sandboxed=sandboxed)


async def test_replay_with_other_arguments_is_caught(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison works: a story that asks for something else on replay is found out."""
    plan = make_plan()
    async with rig.worker():
        await rig.trade(plan)
    history = await rig.client.get_workflow_handle(f"basket/{plan.basket.key}").fetch_history()
    monkeypatch.setattr(judge, "quiet_after", lambda trade, view: 0)
    await replay(history)  # what decided nothing changes nothing
    entry_orders = judge.entry_orders
    monkeypatch.setattr(judge, "entry_orders", lambda plan: tuple(reversed(entry_orders(plan))))
    with pytest.raises(Exception, match=r"arguments|every order is answered"):
        await replay(history)


# With no cache the SDK evicts a workflow whose local activity still runs, cannot find it to cancel, and warns.
@pytest.mark.filterwarnings("ignore:Cannot find activity to cancel:UserWarning")
async def test_eviction_on_every_task_changes_nothing(rig: Rig) -> None:
    """With no cache at all each task replays the whole trade, and it still ends right."""
    patience = replace(ROOMY, send_by=30_000, entry=30_000)  # a validation that is evicted starts again seconds later
    plans = [make_plan(patience=patience) for _ in range(3)]
    rig.venue.next(plans[1].basket.legs[1].instrument, Behaviour(refuse="no"))
    rig.venue.next(plans[2].basket.legs[0].instrument, Behaviour(answer=False))
    async with rig.worker(max_cached_workflows=0):
        records = await asyncio.gather(*(rig.trade(plan) for plan in plans))
    assert records[0].phase is Phase.COMMITTED
    assert records[2].phase is Phase.COMMITTED
    for plan in plans:
        left = held(rig, plan)
        assert left[0] == left[1]
    assert_sent_once(rig)
