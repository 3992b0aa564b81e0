"""The worker that runs trades: workflows in the sandbox, activities with heartbeats, fast to move on after a death."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.heartbeat import Heartbeats
from arbsaga import __version__
from arbsaga.risk.desk import Claim, Closed, DeskNote, DeskStatus, Ended, LeaseAnswer, LeaseAsk
from arbsaga.risk.funded import DepthAnswer, FundedOrders
from arbsaga.risk.reconciling import ReconcileAsk, Reconciled
from arbsaga.saga.messages import (
    CancelLeg,
    Market,
    Page,
    PollFills,
    ReadBooks,
    Seen,
    TradePlan,
    TradeRecord,
    ValidateDepth,
)
from workers.converter import warm
from workflows.arbitrage import ArbitrageWorkflow
from workflows.desk import DeskWorkflow
from workflows.held import HeldWorkflow
from workflows.reconcile import ReconcileWorkflow

PURE = (
    "arbsaga",
    *(f"workflows.{name}" for name in ("arbitrage", "attributes", "messages", "runtime", "to_desk", "words")),
)
"""Passed through the sandbox: no state, no I/O, no clock; a lint test holds them to it. Loading `arbitrage` anew cost
each trade 1.3 ms on its way to the wire; desk and held, which nobody waits for, are loaded in the sandbox."""
WORKFLOWS: tuple[type, ...] = (ArbitrageWorkflow, HeldWorkflow, DeskWorkflow, ReconcileWorkflow)
MESSAGES = (
    *(TradePlan, ValidateDepth, DepthAnswer, FundedOrders, Seen, PollFills, CancelLeg, ReadBooks, Market),
    *(TradeRecord, Page, Claim, Ended, Closed, LeaseAsk, LeaseAnswer, DeskStatus, DeskNote, ReconcileAsk, Reconciled),
)
STICKY_LIMIT = timedelta(milliseconds=500)
"""A task for a dead worker's cache goes to any worker after this (10 s by default)."""
BEAT_LIMIT = timedelta(milliseconds=800)
"""The SDK sends a heartbeat at most so often; also how late an abort reaches a running watch."""
GRACE = timedelta(seconds=5)
MAX_ACTIVITIES = 2_000
"""Watches are long: at 100 (the default) 100 settling trades would keep every order from being sent."""
MAX_TASKS = 40


def sandbox() -> SandboxedWorkflowRunner:
    """The sandbox that workflows run in."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PURE))


def build_worker(
    client: Client,
    activities: Sequence[Callable[..., Any]],
    task_queue: str,
    *,
    workflows: Sequence[type] = WORKFLOWS,
    max_cached_workflows: int = 1_000,
) -> Worker:
    """A worker on the client's own connection, as eager start needs it. Not started yet.

    `activities` are `TradingActivities(...).all()` and `DeskActivities(...).all()`.
    """
    # The live view's handler runs outside of the sandbox: it writes to a pipe.
    workflow.logger.unsafe_disable_sandbox()
    workflow.logger.workflow_info_on_message = False
    warm(MESSAGES)
    return Worker(
        client,
        task_queue=task_queue,
        workflows=workflows,
        activities=activities,
        workflow_runner=sandbox(),
        # The SDK would hash every loaded module instead: half a second that a restarted trader does not have.
        build_id=__version__,
        interceptors=[Heartbeats()],
        max_cached_workflows=max_cached_workflows,
        max_concurrent_workflow_tasks=MAX_TASKS,
        max_concurrent_activities=MAX_ACTIVITIES,
        max_concurrent_local_activities=MAX_ACTIVITIES,
        sticky_queue_schedule_to_start_timeout=STICKY_LIMIT,
        max_heartbeat_throttle_interval=BEAT_LIMIT,
        default_heartbeat_throttle_interval=BEAT_LIMIT,
        graceful_shutdown_timeout=GRACE,
    )
