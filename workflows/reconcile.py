"""One reconciliation of an account's venue with the ledger: a schedule starts it every minute.

Its result is one line for the UI, and what the next run is told: how often trades were run again, for one.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from arbsaga.risk.reconciling import ReconcileAsk, Reconciled

LIMIT = timedelta(seconds=90)
"""More than a run gives itself. The schedule leaves out a run that would begin meanwhile."""
HEARTBEAT = timedelta(seconds=5)
RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=3)
"""A run that fails is made up for by the next one."""


@workflow.defn
class ReconcileWorkflow:
    """Look at the venue, then at the ledger; act on what differs."""

    @workflow.run
    async def run(self, account: str) -> Reconciled:
        """What was found and done."""
        before = Reconciled("")
        if workflow.has_last_completion_result():
            before = workflow.get_last_completion_result(Reconciled) or before
        done: Reconciled = await workflow.execute_activity(
            "reconcile",
            ReconcileAsk(account, before.reopened, before.compared_ms),
            result_type=Reconciled,
            start_to_close_timeout=LIMIT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            summary=f"compare the venue with the ledger of {account}",
        )
        workflow.set_current_details(done.summary)
        return done
