"""Replay that compares arguments too: the SDK's Replayer only compares the order and the types of commands.

Every command a replay makes is held against the event that it made the first time: an activity's
input, a signal's target and input, a child's id and input, a timer's length, search attributes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.worker import (
    Interceptor,
    Replayer,
    SignalExternalWorkflowInput,
    StartActivityInput,
    StartChildWorkflowInput,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle, ChildWorkflowHandle

from workers.converter import DATA_CONVERTER
from workers.worker import WORKFLOWS, sandbox

Command = tuple[str, Any]


@dataclass
class Recorder(Interceptor):
    """Notes every command with its arguments, in the order they were made."""

    commands: list[Command] = field(default_factory=list)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:  # noqa: A002 - the SDK's names and types
        commands = self.commands

        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:  # noqa: A002 - the SDK's names and types
                commands.append((f"activity {input.activity}", encoded(input.args)))
                return super().start_activity(input)

            async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:  # noqa: A002 - the SDK's names and types
                commands.append((f"signal {input.signal} {input.workflow_id}", encoded(input.args)))
                await super().signal_external_workflow(input)

            async def start_child_workflow(self, input: StartChildWorkflowInput) -> ChildWorkflowHandle[Any, Any]:  # noqa: A002 - the SDK's names and types
                commands.append((f"child {input.id}", encoded(input.args)))
                return await super().start_child_workflow(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

        return Inbound


def encoded(arguments: Sequence[object]) -> list[bytes]:
    return [payload.data for payload in DATA_CONVERTER.payload_converter.to_payloads(list(arguments))]


def recorded(history: WorkflowHistory, run_id: str | None = None) -> list[Command]:
    """The same commands as the history has them, with the run's id as a replay has it."""

    def data(payloads: Payloads) -> list[bytes]:
        ours, theirs = (run_id or history.run_id).encode(), history.run_id.encode()
        return [payload.data.replace(ours, theirs) for payload in payloads.payloads]

    commands: list[Command] = []
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            activity = event.activity_task_scheduled_event_attributes
            commands.append((f"activity {activity.activity_type.name}", data(activity.input)))
        elif event.event_type == EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
            signal = event.signal_external_workflow_execution_initiated_event_attributes
            commands.append(
                (f"signal {signal.signal_name} {signal.workflow_execution.workflow_id}", data(signal.input))
            )
        elif event.event_type == EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
            child = event.start_child_workflow_execution_initiated_event_attributes
            commands.append((f"child {child.workflow_id}", data(child.input)))
    return commands


async def replay(
    history: WorkflowHistory, *, sandboxed: bool = False, whole: bool = True, run_id: str | None = None
) -> None:
    """Raises when the history does not replay to the same commands with the same arguments.

    `whole` False: the run was cut off from outside, so a replay may go on to commands that it never made.
    `run_id`: of the run, where it came from a reset: the Replayer takes it for the run that was reset.
    """
    recorder = Recorder()
    replayer = Replayer(
        workflows=WORKFLOWS,
        data_converter=DATA_CONVERTER,
        interceptors=[recorder],
        workflow_runner=sandbox() if sandboxed else UnsandboxedWorkflowRunner(),
    )
    await replayer.replay_workflow(history)
    made, had = sorted(recorder.commands), sorted(recorded(history, run_id))
    missing = [name for name, arguments in had if made.count((name, arguments)) < had.count((name, arguments))]
    added = [name for name, arguments in made if made.count((name, arguments)) > had.count((name, arguments))]
    if missing or (whole and added):
        found = f"{missing} became {added}"
        raise AssertionError(f"the replay made other commands, or the same with other arguments: {found}")


async def differs(history: WorkflowHistory, *, whole: bool = True, run_id: str | None = None) -> str:
    """Why the history does not replay, or empty."""
    try:
        await replay(history, whole=whole, run_id=run_id)
    except Exception as error:  # noqa: BLE001 - whatever a replay fails with is a finding about this history
        return f"the history of {history.workflow_id} does not replay: {error}"
    return ""
