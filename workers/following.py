"""A trade's workflow followed from outside: its result, and what becomes of the trade when the workflow breaks off."""

import asyncio
import math
import time

import structlog
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from activities.reopening import MEMO
from arbsaga.errors import ArbsagaError
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import Phase, TradeRecord
from arbsaga.saga.trade import Trade
from workflows.arbitrage import ArbitrageWorkflow

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 0.5
LAST_ORDER_S = 20.0
"""Longer than any trade may take from its decision to its first orders (10 s to send them, 5 s for the request)."""
Handle = WorkflowHandle[ArbitrageWorkflow, TradeRecord]
Aftermath = Handle | TradeRecord | Phase
LOST_AFTER_S = 180.0
"""The reconciler runs a trade again, or pages that it cannot, within about a minute; a restart may cost two."""
TELL_EVERY_S = 60.0


async def result(handle: Handle) -> TradeRecord | None:
    """The trade's record, through any restart of Temporal; None when the server does not know the trade (any more).

    Raises WorkflowFailureError when the workflow broke off: terminated, or a bug. What keeps the answer away is
    logged at once and every TELL_EVERY_S.
    """
    told = -math.inf
    while True:
        try:
            return await handle.result()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            if time.monotonic() - told >= TELL_EVERY_S:
                told = time.monotonic()
                log.warning("how a trade ends cannot be asked", workflow_id=handle.id, error=error.message)
            await asyncio.sleep(LOOK_EVERY_S)


async def trade_of(run: WorkflowExecution) -> str:
    """The id of the trade that this run of a basket is of; empty where nothing tells."""
    return str((await run.memo()).get(MEMO, ""))


async def after_break_off(client: Client, ledger: Ledger, workflow_id: str, trade_id: str) -> Aftermath:
    """What becomes of a trade whose workflow broke off just now, or is lost, once that is known.

    The run that goes on with it: the reconciler starts one within about a minute. Its record where it has ended
    without one. REFUSED where it sent no order, which nobody goes on with; HELD where nothing became of it for
    LOST_AFTER_S: nothing tells its plan, which the reconciler has paged, or nobody reconciles.
    """
    began = time.monotonic()
    while True:
        try:
            run = await _running(client, workflow_id, trade_id)
            if run is not None:
                return run
            story = await asyncio.to_thread(ledger.trade, trade_id)
            if story is not None and story.row is not None and story.row.ended:
                row = story.row
                return Trade(row.plan, story.orders).record(row.phase, row.reason, row.updated_ms)
            intents = await asyncio.to_thread(ledger.intents_by_trade, trade_id)
            if not intents and time.monotonic() - began >= LAST_ORDER_S:
                return Phase.REFUSED
        except (RPCError, ArbsagaError) as error:
            log.warning("what becomes of a broken-off trade is not known yet", trade_id=trade_id, error=str(error))
            began = time.monotonic()  # the reconciler could not see either
        else:
            if time.monotonic() - began >= LOST_AFTER_S:
                log.error("nobody goes on with a broken-off trade", trade_id=trade_id, seconds=LOST_AFTER_S)
                return Phase.HELD
        await asyncio.sleep(LOOK_EVERY_S)


async def _running(client: Client, workflow_id: str, trade_id: str) -> Handle | None:
    """The newest run of the basket, where it is this trade's and runs."""
    try:
        found = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    if found.status is not WorkflowExecutionStatus.RUNNING or await trade_of(found) != trade_id:
        return None
    return client.get_workflow_handle_for(ArbitrageWorkflow.run, workflow_id, run_id=found.run_id)
