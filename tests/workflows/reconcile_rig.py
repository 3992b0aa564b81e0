"""What tests of reconciliation share: an account's world, one run of it, trades in their middle."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from account_venue import AccountVenue
from memory_venue import Behaviour
from temporal_rig import FAST, D, Rig, make_plan, until
from temporalio.client import WorkflowHandle
from temporalio.testing import ActivityEnvironment
from test_desk_workflow import LIMITS, status_of
from test_trades import assert_sent_once, held, phase_is

from activities import reconcile as reconciling_module
from arbsaga.domain.money import Usd
from arbsaga.domain.orders import OrderState
from arbsaga.reconcile import findings
from arbsaga.risk.reconciling import ReconcileAsk, Reconciled
from arbsaga.saga.judge import entry_orders
from arbsaga.saga.messages import Phase, TradePlan, TradeRecord
from workers.connect import TemporalSettings, connect
from workers.reconciler import reconciling
from workers.start import start_desk
from workers.temporal_server import EmbeddedTemporal
from workflows.arbitrage import ArbitrageWorkflow
from workflows.messages import reconcile_id
from workflows.reconcile import ReconcileWorkflow

NOTHING = "nothing to do"
LONG = replace(FAST, entry=600_000, send_by=10_000)
"""For trades that are still in their middle when something happens, however slow the machine is."""


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same policy in less time."""
    for kind, grace in findings.GRACE_MS.items():
        monkeypatch.setitem(findings.GRACE_MS, kind, grace // 10)
    monkeypatch.setattr(reconciling_module, "QUIET_MS", 300)
    monkeypatch.setattr(reconciling_module, "CAPITAL_GRACE_MS", 300)
    monkeypatch.setattr(reconciling_module, "LOOK_EVERY_S", 0.1)


@pytest.fixture
async def rig(temporal_server: EmbeddedTemporal, tmp_path: Path) -> AsyncIterator[Rig]:
    """A world whose account is open at the venue and in the ledger."""
    client = await connect(TemporalSettings(temporal_server.address))
    rig = Rig(client, temporal_server.address, tmp_path, AccountVenue())
    yield rig
    rig.ledger.close()


@pytest.fixture
def account(rig: Rig) -> str:
    name = f"acc-{secrets.token_hex(4)}"
    rig.ledger.open_account(name, rig.venue.name, rig.venue.cash_left)
    return name


def worker(rig: Rig):
    more = reconciling(rig.client, rig.venue, rig.ledger, rig.pager, rig.task_queue)
    return rig.worker([*rig.activities(), *more])


async def reconcile(rig: Rig, account: str) -> str:
    """One run; what it says."""
    result: Reconciled = await asyncio.wait_for(
        rig.client.execute_workflow(
            ReconcileWorkflow.run,
            account,
            id=f"{reconcile_id(account)}/{secrets.token_hex(3)}",
            task_queue=rig.task_queue,
        ),
        40,
    )
    return result.summary.partition(": ")[2]


def planned(account: str, **more: object) -> TradePlan:
    return replace(make_plan(**more), account=account)


async def open_desk(rig: Rig, account: str) -> None:
    desk = await start_desk(rig.client, account, rig.task_queue)
    await desk.execute_update("set_limits", LIMITS)


async def ended_again(rig: Rig, plan: TradePlan) -> TradeRecord:
    handle = rig.client.get_workflow_handle_for(ArbitrageWorkflow.run, f"basket/{plan.basket.key}")
    return await asyncio.wait_for(handle.result(), 30)


async def watching(rig: Rig, plan: TradePlan, *fills: str) -> WorkflowHandle:
    """The trade once it is WATCHING, so much of each leg filled and the rest at the venue."""
    for leg, part in zip(plan.basket.legs, fills, strict=True):
        rig.venue.next(leg.instrument, Behaviour(fills=D(part)))
    rig.quote(plan)
    handle = await rig.start(plan)
    await until(lambda: phase_is(handle, Phase.WATCHING))
    return handle


def assert_even(rig: Rig, plan: TradePlan) -> None:
    """The exchange's record: legs equal, nothing rests, nothing sent twice; and the ledger has the same."""
    shares = held(rig, plan)
    assert len(set(shares)) == 1
    assert not [one for one in rig.venue.orders.values() if one.state is OrderState.LIVE]
    assert_sent_once(rig)
    booked = rig.ledger.positions(plan.account)
    assert [booked.get(leg.instrument.token, D(0)) for leg in plan.basket.legs] == shares


async def run_once(rig: Rig, account: str, **more: object) -> Reconciled:
    """The activity by itself, told what the run before it would have told it."""
    (activity,) = reconciling(rig.client, rig.venue, rig.ledger, rig.pager, rig.task_queue)
    result: Reconciled = await asyncio.wait_for(ActivityEnvironment().run(activity, ReconcileAsk(account, **more)), 40)
    return result


async def left_behind(rig: Rig, account: str) -> TradePlan:
    """A trade that ended FLAT because its orders never came."""
    plan = planned(account, patience=replace(FAST, entry=400, send_by=300, http=100, prove=100))
    for leg in plan.basket.legs:
        rig.venue.next(leg.instrument, Behaviour(arrives=False, answer=False))
    record = await rig.trade(plan)
    assert record.phase is Phase.FLAT
    return plan


async def free(rig: Rig, account: str) -> bool:
    status = await status_of(rig, account)
    return status.reserved == status.invested == 0


async def reserved(rig: Rig, account: str) -> bool:
    return (await status_of(rig, account)).reserved > 0


async def invested(rig: Rig, account: str, amount: Usd) -> bool:
    status = await status_of(rig, account)
    return (status.reserved, status.invested) == (0, amount)


async def broken_off(rig: Rig, account: str) -> TradePlan:
    """Both legs filled at the venue, intents in the ledger, and no workflow that goes on with them."""
    plan = planned(account)
    rig.quote(plan)
    orders = entry_orders(plan)
    intents = [(terms, rig.venue.order_id(terms)) for terms in orders]
    rig.ledger.intend(intents, account=account, workflow_id=f"basket/{plan.basket.key}", lease_id=plan.lease_id)
    for terms in orders:
        rig.venue.arrive(terms, "1")
    await asyncio.sleep(0.4)
    return plan


async def record_of(rig: Rig, plan: TradePlan) -> TradeRecord:
    record: TradeRecord = await rig.trade(plan)
    return record


async def unblocked(rig: Rig, account: str) -> bool:
    return (await status_of(rig, account)).blocked == ()
