"""The schedule that reconciles an account every minute, and when it last did."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    WorkflowExecutionStatus,
)
from temporalio.service import RPCError, RPCStatusCode

from activities.reconcile import ReconcileActivities
from activities.reopening import Reopening, Starters
from arbsaga.errors import Unavailable
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.risk.reconciling import Reconciled
from arbsaga.saga.messages import TradePlan
from arbsaga.venues.port import Venue
from workers.start import start_trade, start_watch, tell_desk
from workflows.messages import TASK_TIMEOUT, reconcile_id
from workflows.reconcile import ReconcileWorkflow

EVERY = timedelta(minutes=1)
CATCH_UP = timedelta(seconds=30)
"""Runs that were missed for longer are left out: the next one judges anew anyway."""


def reconciling(
    client: Client, venue: Venue, ledger: Ledger, pager: Pager, task_queue: str
) -> list[Callable[..., Any]]:
    """The reconciler's activities, as a worker registers them."""

    async def run_again(plan: TradePlan) -> bool:
        return await start_trade(client, plan, task_queue) is not None

    starters = Starters(partial(tell_desk, client, task_queue), run_again, partial(start_watch, client, task_queue))
    return ReconcileActivities(venue, ledger, pager, Reopening(client, venue, ledger, pager, starters)).all()


async def keep_reconciling(client: Client, account: str, task_queue: str) -> None:
    """Have the account reconciled now and every minute; safe to call again. Raises Unavailable."""
    wanted = _schedule(account, task_queue)
    handle = client.get_schedule_handle(reconcile_id(account))
    try:
        try:
            await client.create_schedule(handle.id, wanted, trigger_immediately=True)
        except ScheduleAlreadyRunningError:
            await handle.update(lambda _: ScheduleUpdate(wanted))
            await handle.trigger()
    except RPCError as error:
        raise Unavailable(f"the reconciliation cannot be scheduled: {error.message}") from error


async def last_reconciled(client: Client, account: str) -> datetime | None:
    """When the account's venue and ledger were last compared, by the newest run that tells; None where none has ended.

    Raises RPCError; Unavailable, with one line, where runs ended and none of them could compare.
    """
    try:
        known = await client.get_schedule_handle(reconcile_id(account)).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    failed = ""
    for recent in reversed(known.info.recent_actions):
        assert isinstance(recent.action, ScheduleActionExecutionStartWorkflow), "the schedule starts workflows"
        result = await _result(client, recent.action)
        if isinstance(result, Reconciled) and result.compared_ms:
            return datetime.fromtimestamp(result.compared_ms / 1000, UTC)
        if result is not None:
            failed = failed or (result if isinstance(result, str) else result.summary)
    if failed:
        raise Unavailable(f"venue and ledger could not be compared ({failed}): look at its runs in the Temporal UI")
    return None


async def _result(client: Client, run: ScheduleActionExecutionStartWorkflow) -> Reconciled | str | None:
    """What a run told, or how it broke off; None while it is under way."""
    handle = client.get_workflow_handle(run.workflow_id, run_id=run.first_execution_run_id, result_type=Reconciled)
    try:
        status = (await handle.describe()).status
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return "the last run is long ago"
        raise
    if status is WorkflowExecutionStatus.RUNNING:
        return None
    if status is not WorkflowExecutionStatus.COMPLETED:
        return f"the last run {status.name.lower() if status else 'ended'}"
    result: Reconciled = await handle.result()
    return result


def _schedule(account: str, task_queue: str) -> Schedule:
    action = ScheduleActionStartWorkflow(
        ReconcileWorkflow.run,
        account,
        id=reconcile_id(account),
        task_queue=task_queue,
        task_timeout=TASK_TIMEOUT,
        static_summary=f"reconcile {account} with its venue",
    )
    return Schedule(
        action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(EVERY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )
