"""Starting trades, watches over HELD trades, and desks."""

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from arbsaga.risk.desk import DeskNote
from arbsaga.saga.messages import TradePlan, TradeRecord
from workflows import attributes, words
from workflows.arbitrage import ArbitrageWorkflow
from workflows.desk import DeskWorkflow
from workflows.held import HeldWorkflow
from workflows.messages import TASK_TIMEOUT, DeskStart, HeldTrade, basket_id, desk_id, held_id


async def start_trade(
    client: Client, plan: TradePlan, task_queue: str
) -> WorkflowHandle[ArbitrageWorkflow, TradeRecord] | None:
    """Start the trade, its first task at once in this process. None: the basket is in flight already.

    Raises RPCError when the server's answer is lost: then the trade may have started.
    """
    try:
        return await client.start_workflow(
            ArbitrageWorkflow.run,
            plan,
            id=basket_id(plan.basket.key),
            task_queue=task_queue,
            task_timeout=TASK_TIMEOUT,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            search_attributes=attributes.at_start(plan),
            static_summary=words.short(f"{plan.units:f} × {plan.basket.title}, edge {plan.edge:.2f} USD"),
            memo={"trade_id": plan.trade_id},
            request_eager_start=True,
        )
    except WorkflowAlreadyStartedError:
        return None


async def start_watch(client: Client, task_queue: str, record: TradeRecord) -> None:
    """Watch a HELD trade, unless it is watched."""
    await client.start_workflow(
        HeldWorkflow.run,
        HeldTrade(record),
        id=held_id(record.plan.trade_id),
        task_queue=task_queue,
        task_timeout=TASK_TIMEOUT,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=words.short(f"held: {record.plan.basket.title}: {record.reason}"),
    )


async def start_desk(client: Client, account: str, task_queue: str) -> WorkflowHandle[DeskWorkflow, None]:
    """The account's desk, started where it is not running."""
    return await client.start_workflow(
        DeskWorkflow.run,
        DeskStart(account),
        id=desk_id(account),
        task_queue=task_queue,
        task_timeout=TASK_TIMEOUT,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"the desk of {account}",
    )


async def tell_desk(client: Client, task_queue: str, note: DeskNote) -> None:
    """Signal an account's desk, which is started where it is not running."""
    await client.start_workflow(
        DeskWorkflow.run,
        DeskStart(note.account),
        id=desk_id(note.account),
        task_queue=task_queue,
        task_timeout=TASK_TIMEOUT,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=note.signal,
        start_signal_args=[note.body],
    )
