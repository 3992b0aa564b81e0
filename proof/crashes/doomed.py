"""The worker that is cut off: it starts the trade, as a trading process does, and works on it until its point."""

import asyncio
import os
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from activities.depth import now_ms
from activities.desk import DeskActivities
from activities.trading import TradingActivities
from arbsaga.saga.messages import TradePlan, TradeRecord
from proof.crashes import child
from proof.crashes.knife import Knife
from proof.crashes.setting import Case, Setting
from workers.start import start_trade, tell_desk
from workers.worker import build_worker
from workflows.arbitrage import ArbitrageWorkflow
from workflows.messages import basket_id

START_TRIES = 20


def main(setting: Setting, case: Case, plan: TradePlan, wire: Connection) -> None:
    """Work until cut, or until the trade has ended: then `wire` gets the moments that passed."""
    child.begin(setting.folder / "doomed.log")
    with child.mutated(setting.mutation):
        asyncio.run(_work(setting, case, plan, wire))
    os._exit(0)


async def _work(setting: Setting, case: Case, plan: TradePlan, wire: Connection) -> None:
    knife = Knife(case.cut, wire)
    knife.fit()
    client = await child.connected(setting.temporal)
    venue = setting.venue()
    knife.fit_post(venue)
    await venue.start()
    ledger = setting.ledger()
    trading = TradingActivities(venue, ledger, setting.pager())
    desk = DeskActivities(client, ledger, partial(tell_desk, client, setting.desk_queue))
    cache = 0 if case.forgetful else 1_000
    async with build_worker(client, [*trading.all(), *desk.all()], setting.queue, max_cached_workflows=cache):
        handle = await _start(client, replace_times(plan), setting.queue)
        wire.send(("started", plan.trade_id))
        await _ended(handle)
        wire.send(("over", tuple(knife.trace)))
        os._exit(0)


def replace_times(plan: TradePlan) -> TradePlan:
    """The plan, decided now."""
    return replace(plan, decided_ms=now_ms(), lease_expires_ms=now_ms() + 60_000)


async def _ended(handle: WorkflowHandle[ArbitrageWorkflow, TradeRecord]) -> None:
    """Wait for the trade's end, through outages of the server."""
    while True:
        try:
            await handle.result()
            return
        except RPCError:
            await asyncio.sleep(0.2)
        except WorkflowFailureError:  # terminated from outside: whoever did that starts the trade again
            return


async def _start(client: Client, plan: TradePlan, queue: str) -> WorkflowHandle[ArbitrageWorkflow, TradeRecord]:
    """Start the trade; where the server's answer is lost it may have started, and is asked for again."""
    for _ in range(START_TRIES):
        try:
            handle = await start_trade(client, plan, queue)
        except RPCError:
            await asyncio.sleep(0.2)
            continue
        return handle or client.get_workflow_handle_for(ArbitrageWorkflow.run, basket_id(plan.basket.key))
    raise AssertionError(f"the trade could not be started in {START_TRIES} tries")
