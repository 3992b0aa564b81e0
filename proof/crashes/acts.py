"""What is done to a trade from outside, at moments that the exchange's own record names."""

import asyncio
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from arbsaga.ledger import Ledger
from arbsaga.saga.messages import TradePlan
from proof.crashes import kalshi
from proof.crashes.scenario import Act, Do, Scenario
from proof.crashes.setting import Setting
from workers.converter import DATA_CONVERTER
from workers.start import start_trade
from workflows.arbitrage import ArbitrageWorkflow

LOOK_EVERY_S = 0.01
MOMENT_LIMIT_S = 30
FIRST_TASK_EVENT = 4
"""Started, task scheduled, task started, task completed: what a reset to the first task names."""


class Truth:
    """The lines that the truth journal gets from now on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._from = path.stat().st_size

    def count(self, kind: str) -> int:
        """How many lines of a kind there are by now."""
        return sum(line["kind"] == kind for line in self._lines())

    def unstruck(self, faults: Iterable[str]) -> list[str]:
        """The names of those faults that have not struck by now."""
        struck = {line["name"] for line in self._lines() if line["kind"] == "fault"}
        return sorted({re.split("[:,]", fault)[0] for fault in faults} - struck)

    def _lines(self) -> Iterator[Mapping[str, Any]]:
        with self._path.open("rb") as file:
            file.seek(self._from)
            lines = file.read().splitlines(keepends=True)
        yield from (orjson.loads(line) for line in lines if line.endswith(b"\n"))


class Outsider:
    """A person with the Temporal UI and the command line, and whatever befalls Kalshi."""

    def __init__(self, client: Client, ledger: Ledger, setting: Setting) -> None:
        self._client, self._ledger, self._setting = client, ledger, setting
        self._pausing: set[asyncio.Task[None]] = set()
        self.cut_off: list[str] = []
        """The runs that were terminated, by hand or by a reset."""

    async def act(self, scenario: Scenario, workflow_id: str, truths: Mapping[str, Truth]) -> tuple[str, ...]:
        """Do everything in order; says what could not be done, because its moment never came or was over."""
        missed = []
        for act in scenario.acts:
            if not await _comes(act, truths[act.venue]):
                missed.append(f"{act.do} at {act.count} {act.kind} never came")
            elif not await self._do(act.do, workflow_id, scenario.away_s):
                missed.append(f"{act.do} came too late: the trade had ended")
        return tuple(missed)

    async def _do(self, do: Do, workflow_id: str, away_s: float) -> bool:
        try:
            match do:
                case Do.ABORT:
                    await self._client.get_workflow_handle(workflow_id).signal(ArbitrageWorkflow.abort, "enough")
                case Do.CANCEL:
                    await self._client.get_workflow_handle(workflow_id).cancel()
                case Do.TERMINATE:
                    await self._terminate(workflow_id)
                case Do.RESET | Do.RESET_LAST:
                    await self._reset(workflow_id, to_last=do is Do.RESET_LAST)
                case Do.HALT:
                    await asyncio.to_thread(self._ledger.halt, "by hand")
                case Do.KILL:
                    kalshi.kill(self._setting.folder)
                case Do.PAUSE:
                    pausing = asyncio.create_task(kalshi.pause(self._setting.kalshi, away_s))
                    self._pausing.add(pausing)
                    pausing.add_done_callback(self._pausing.discard)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # what it says of a workflow that is over
                raise
            return False
        return True

    async def _terminate(self, workflow_id: str) -> None:
        """Terminate, then run the same plan again, as the page of the watchdog says."""
        handle = self._client.get_workflow_handle(workflow_id)
        self.cut_off.append((await handle.describe()).run_id or "")
        plan = await planned(await handle.fetch_history())
        await handle.terminate("by hand")
        assert await start_trade(self._client, plan, self._setting.queue) is not None, "nothing else trades this basket"

    async def _reset(self, workflow_id: str, *, to_last: bool) -> None:
        handle = self._client.get_workflow_handle(workflow_id)
        run_id = (await handle.describe()).run_id
        self.cut_off.append(run_id or "")
        event = last_task(await handle.fetch_history()) if to_last else FIRST_TASK_EVENT
        await self._client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=self._client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
                workflow_task_finish_event_id=event,
                request_id=secrets.token_hex(8),
            )
        )


async def planned(history: WorkflowHistory) -> TradePlan:
    """The plan that a trade's workflow was started with."""
    started = history.events[0].workflow_execution_started_event_attributes
    (plan,) = await DATA_CONVERTER.decode(list(started.input.payloads), [TradePlan])
    assert isinstance(plan, TradePlan), "the converter gives what it is asked for"
    return plan


def last_task(history: WorkflowHistory) -> int:
    """The event of the last workflow task that was completed; of the first one where none was."""
    done = [
        event.event_id for event in history.events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    ]
    return done[-1] if done else FIRST_TASK_EVENT


async def _comes(act: Act, truth: Truth) -> bool:
    end = time.monotonic() + MOMENT_LIMIT_S
    while truth.count(act.kind) < act.count:
        if time.monotonic() > end:
            return False
        await asyncio.sleep(LOOK_EVERY_S)
    return True
