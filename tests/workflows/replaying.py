"""Replay that compares arguments too: the SDK's Replayer only compares the order and the types of commands.

Every command a replay makes is held against the event that it made the first time: an activity's
input, a signal's target and input, a child's id and input, a timer's length, search attributes.
"""

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
    WorkflowOutboundInterceptor,
)

from workers.converter import DATA_CONVERTER
from workers.worker import WORKFLOWS, sandbox

Command = tuple[str, Any]


@dataclass
class Recorder(Interceptor):
    """Notes every command with its arguments, in the order they were made."""

    commands: list[Command] = field(default_factory=list)

    def workflow_interceptor_class(self, input: Any) -> type[WorkflowInboundInterceptor]:  # noqa: A002 - the SDK's name
        commands = self.commands

        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: StartActivityInput) -> Any:  # noqa: A002 - the SDK's name
                commands.append((f"activity {input.activity}", encoded(input.args)))
                return super().start_activity(input)

            async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:  # noqa: A002 - the SDK's name
                commands.append((f"signal {input.signal} {input.workflow_id}", encoded(input.args)))
                await super().signal_external_workflow(input)

            async def start_child_workflow(self, input: StartChildWorkflowInput) -> Any:  # noqa: A002 - the SDK's name
                commands.append((f"child {input.id}", encoded(input.args)))
                return await super().start_child_workflow(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

        return Inbound


def encoded(arguments: Any) -> list[bytes]:
    return [payload.data for payload in DATA_CONVERTER.payload_converter.to_payloads(list(arguments))]


def recorded(history: WorkflowHistory) -> list[Command]:
    """The same commands as the history has them."""
    commands: list[Command] = []
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            told = event.activity_task_scheduled_event_attributes
            commands.append((f"activity {told.activity_type.name}", data(told.input)))
        elif event.event_type == EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
            told = event.signal_external_workflow_execution_initiated_event_attributes
            commands.append((f"signal {told.signal_name} {told.workflow_execution.workflow_id}", data(told.input)))
        elif event.event_type == EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
            told = event.start_child_workflow_execution_initiated_event_attributes
            commands.append((f"child {told.workflow_id}", data(told.input)))
    return commands


def data(payloads: Payloads) -> list[bytes]:
    return [payload.data for payload in payloads.payloads]


async def replay(history: WorkflowHistory, *, sandboxed: bool = False) -> None:
    """Raises when the history does not replay to the same commands with the same arguments."""
    recorder = Recorder()
    replayer = Replayer(
        workflows=WORKFLOWS,
        data_converter=DATA_CONVERTER,
        interceptors=[recorder],
        workflow_runner=sandbox() if sandboxed else UnsandboxedWorkflowRunner(),
    )
    await replayer.replay_workflow(history)
    made, had = sorted(recorder.commands), sorted(recorded(history))
    assert made == had, "the replay made other commands, or the same with other arguments"
