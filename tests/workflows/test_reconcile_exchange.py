"""Reconciliation on the simulated exchange through the real venue, judged by the exchange's truth journal."""

import asyncio
import secrets
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from memory_venue import now_ms
from temporal_rig import D, until
from temporalio.client import WorkflowHandle
from test_end_to_end import ENDS, PATIENCE, Stage, ended, stage, theatre  # noqa: F401 - fixtures
from test_trades import phase_is

from activities import reconcile as reconciling_module
from activities.desk import DeskActivities
from activities.trading import TradingActivities
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.orders import OrderState
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.reconcile import findings
from arbsaga.saga.judge import entry_orders
from arbsaga.saga.messages import Phase, TradePlan, TradeRecord
from workers.reconciler import reconciling
from workers.start import tell_desk
from workers.worker import build_worker
from workflows.arbitrage import ArbitrageWorkflow
from workflows.messages import reconcile_id
from workflows.reconcile import ReconcileWorkflow

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same policy in less time."""
    for kind, grace in findings.GRACE_MS.items():
        monkeypatch.setitem(findings.GRACE_MS, kind, grace // 5)
    monkeypatch.setattr(reconciling_module, "QUIET_MS", 500)
    monkeypatch.setattr(reconciling_module, "CAPITAL_GRACE_MS", 500)
    monkeypatch.setattr(reconciling_module, "LOOK_EVERY_S", 0.2)


@asynccontextmanager
async def reconciled(stage: Stage):  # noqa: F811 - not the fixture
    """A worker in this process; gives what runs one reconciliation and says what it did, and the pages."""
    ledger = Ledger.open(f"sqlite:///{stage.folder}/ledger.sqlite", alert_log=stage.folder / "alerts.jsonl")
    ledger.open_account(stage.account, stage.venue.name, Usd(D(2_000)))
    paged: list[str] = []
    pager = Pager([], stage.folder / "alerts.jsonl", paged.append)
    trading = TradingActivities(stage.venue, ledger, pager)

    async def tell(note: object) -> None:
        await tell_desk(stage.client, stage.task_queue, note)

    desk = DeskActivities(stage.client, ledger, tell)
    more = reconciling(stage.client, stage.venue, ledger, pager, stage.task_queue)

    async def run() -> str:
        name = f"{reconcile_id(stage.account)}/{secrets.token_hex(3)}"
        done = await stage.client.execute_workflow(
            ReconcileWorkflow.run, stage.account, id=name, task_queue=stage.task_queue
        )
        return done.summary.partition(": ")[2]

    async with build_worker(stage.client, [*trading.all(), *desk.all(), *more], stage.task_queue):
        yield run, paged
    ledger.close()


async def run_again(stage: Stage, plan: TradePlan) -> TradeRecord:  # noqa: F811 - not the fixture
    handle: WorkflowHandle = stage.client.get_workflow_handle_for(ArbitrageWorkflow.run, f"basket/{plan.basket.key}")
    record = await ended(handle)
    assert record.plan.trade_id == plan.trade_id
    return record


async def test_a_terminated_trade_keeps_the_promise(stage: Stage) -> None:  # noqa: F811 - the fixture
    """One order rests when the workflow is terminated, its siblings have filled: equal legs, equal books."""
    async with reconciled(stage) as (reconcile, paged):
        assert await reconcile() == "nothing to do"
        plan = await stage.plan(patience=replace(PATIENCE, entry=60_000, send_by=5_000))
        stage.fault("lose_leg,count=1,only=entry")
        handle = await stage.start(plan)
        await until(lambda: phase_is(handle, Phase.WATCHING), 20)
        await asyncio.sleep(0.6)
        assert await reconcile() == "nothing to do"  # it runs
        await handle.terminate("by hand")
        said = await reconcile()
        assert f"{plan.trade_id} is run again: its workflow is gone" in said
        record = await run_again(stage, plan)
        assert not any(order.open for order in stage.truth.orders.values())
        stage.keeps_the_promise(record)
        assert await reconcile() == "nothing to do"
        assert paged == []


async def test_a_post_that_comes_after_the_quiet_time_is_undone(stage: Stage) -> None:  # noqa: F811 - the fixture
    """The trade has ended when its orders reach the exchange and fill: it is run again, and ends with equal legs."""
    stage.fault("late_post,seconds=7,count=1")
    async with reconciled(stage) as (reconcile, _):
        plan = await stage.plan()
        first = await ended(await stage.start(plan))
        known = len(stage.truth.orders)
        await until(lambda: any_late(stage, first), 20)
        said = ""
        for _ in range(4):
            said += await reconcile()
            if "is run again" in said:
                break
        assert f"{plan.trade_id} is run again" in said, (first.phase, known)
        record = await run_again(stage, plan)
        assert record.phase in ENDS
        await until(lambda: settled(stage), 20)
        stage.keeps_the_promise(record)


def any_late(stage: Stage, first: TradeRecord) -> bool:  # noqa: F811 - not the fixture
    """Whether an order that the trade took for absent has filled."""
    absent = [view.order_id for view in first.orders if view.state is OrderState.ABSENT]
    assert absent, first
    return any(stage.truth.fills_of(order_id) for order_id in absent)


def settled(stage: Stage) -> bool:  # noqa: F811 - not the fixture
    truth = stage.truth
    return all(fill.settled for order_id in truth.orders for fill in truth.fills_of(order_id))


async def test_a_strangers_order_is_cancelled(stage: Stage) -> None:  # noqa: F811 - the fixture
    """The exchange's own record has it cancelled, and a person is paged once. Last: the books never heard of it."""
    async with reconciled(stage) as (reconcile, paged):
        plan = await stage.plan()
        terms = entry_orders(plan)[0]
        tick = Price(terms.instrument.rules.tick)
        at = now_ms()
        size = Size(D(200))
        stranger = replace(terms, trade_id="nobody's", limit=tick, size=size, created_ms=at, send_by_ms=at + 5_000)
        (rests,) = await stage.venue.post([stranger])
        assert rests.state is OrderState.LIVE
        said = await reconcile()
        assert f"order {rests.order_id} that nobody intended was cancelled, 0 filled" in said
        assert not stage.truth.orders[rests.order_id].open
        assert "cancelled" not in await reconcile()
        assert len([text for text in paged if "over:" not in text]) == 1
