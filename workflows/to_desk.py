"""How a trade's workflow speaks to its account's desk."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError

from arbsaga.risk.desk import Claim, Closed, DeskNote, Ended
from workflows.messages import desk_id

_LIMIT = timedelta(seconds=10)
_FOREVER = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_interval=timedelta(seconds=5))


async def tell_desk(account: str, signal: str, body: Claim | Closed | Ended | str) -> None:
    """Signal the desk; where it is not running, an activity starts it. Never cancel the task that runs this.

    (The SDK fails the workflow task when a pending signal's future was cancelled.)
    """
    try:
        await workflow.get_external_workflow_handle(desk_id(account)).signal(signal, body)
    except FailureError as error:
        workflow.logger.warning("the desk is not running", extra={"account": account, "error": str(error)})
        await workflow.execute_activity(
            "tell_desk",
            DeskNote(account, signal, body),
            start_to_close_timeout=_LIMIT,
            retry_policy=_FOREVER,
            summary=f"tell the desk: {signal}",
        )
