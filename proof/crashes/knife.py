"""The knife: makes a worker process pass through named moments, and ends or stops it at the one that is wanted.

It sits where the SDK's Python part meets its core: what is polled there is handed out, what is completed there is
known to the server once the call returns. Nothing of the product is changed but for two ways in: the venue's `post`
(orders are written down by then) and the tracing of a post's bytes.
"""

import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any
from unittest.mock import patch

from temporalio.bridge.proto.activity_task import ActivityTask
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.bridge.worker import Worker

from arbsaga.domain.orders import OrderTerms, OrderView
from arbsaga.venues.kalshi import posting as kalshi_posting
from arbsaga.venues.polymarket import posting
from arbsaga.venues.port import Venue
from proof.crashes.cuts import Counter, Cut, How, Moment

NAMES = {"ArbitrageWorkflow": "task", "HeldWorkflow": "held"}
POSTS = ((posting, "post"), (kalshi_posting, "post_kalshi"))
"""Where each venue's posts are traced, and what one is called."""


class Knife:
    """Counts the moments of this process. `wire` hears of the cut just before it is made."""

    def __init__(self, cut: Cut | None, wire: Connection) -> None:
        self._cut, self._wire = cut, wire
        self._counter = Counter(cut.point if cut else None)
        self._activities: dict[bytes, str] = {}
        self._runs: dict[str, str] = {}
        self._replayed: dict[str, bool] = {}

    @property
    def trace(self) -> list[str]:
        """The names of all the moments so far."""
        return [str(point) for point in self._counter.trace]

    def at(self, moment: Moment, what: str) -> None:
        """Here is a moment. Does not return from the one that kills; returns late from the one that stops."""
        if not self._counter.is_here(moment, what):
            return
        assert self._cut is not None, "only a wanted moment is here"
        self._wire.send(("cut", str(self._cut)))
        os.kill(os.getpid(), signal.SIGKILL if self._cut.how is How.KILL else signal.SIGSTOP)

    def fit(self) -> None:
        """Fit it into this process, for good."""
        poll_activity, complete_activity = Worker.poll_activity_task, Worker.complete_activity_task
        poll_task, complete_task = Worker.poll_workflow_activation, Worker.complete_workflow_activation

        async def handed_out(worker: Worker) -> ActivityTask:
            task = await poll_activity(worker)
            if task.HasField("start"):
                self._activities[task.task_token] = task.start.activity_type
                self.at(Moment.BEFORE, task.start.activity_type)
            return task

        async def answered(worker: Worker, completion: Any) -> None:  # noqa: ANN401 - a message of the SDK's core
            what = self._activities.pop(completion.task_token)
            self.at(Moment.SENT, what)
            await complete_activity(worker, completion)
            self.at(Moment.RECORDED, what)

        async def begun(worker: Worker) -> WorkflowActivation:
            activation = await poll_task(worker)
            self._learn(activation)
            self._task(Moment.BEGUN, activation.run_id)
            return activation

        async def decided(worker: Worker, completion: WorkflowActivationCompletion) -> None:
            self._task(Moment.LOST, completion.run_id)
            await complete_task(worker, completion)
            self._task(Moment.DONE, completion.run_id)

        patch.object(Worker, "poll_activity_task", handed_out).start()
        patch.object(Worker, "complete_activity_task", answered).start()
        patch.object(Worker, "poll_workflow_activation", begun).start()
        patch.object(Worker, "complete_workflow_activation", decided).start()
        for module, name in POSTS:
            patch.object(module._Envelope, "trace", self._traced(module._Envelope.trace, name)).start()

    def fit_post(self, venue: Venue) -> None:
        """A moment between the ledger's note of the orders and their first byte."""
        post = venue.post

        async def posted(orders: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
            self.at(Moment.WRITTEN, "post")
            return await post(orders)

        patch.object(venue, "post", posted).start()

    def _learn(self, activation: WorkflowActivation) -> None:
        evicted = any(job.HasField("remove_from_cache") for job in activation.jobs)
        self._replayed[activation.run_id] = activation.is_replaying or evicted
        for job in activation.jobs:
            if job.HasField("initialize_workflow"):
                kind = job.initialize_workflow.workflow_type
                self._runs[activation.run_id] = NAMES.get(kind, kind)

    def _task(self, moment: Moment, run_id: str) -> None:
        """A replay decides nothing, and neither does an eviction."""
        if not self._replayed[run_id]:
            self.at(moment, self._runs[run_id])

    def _traced(self, trace: Callable[..., Any], name: str) -> Callable[..., Any]:
        async def traced(envelope: object, event: str, info: dict[str, Any]) -> None:
            await trace(envelope, event, info)
            if event.endswith(".send_request_body.complete"):
                self.at(Moment.FLYING, name)

        return traced
