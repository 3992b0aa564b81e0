"""From a workflow's history: how long did anything wait that was due? Watching a quiet order is no waiting."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

WATCHING = frozenset({"poll_fills", "page"})
"""Activities that last as long as the world is quiet, or a person's service slow."""


@dataclass(frozen=True, slots=True)
class Wait:
    """So many seconds, for `what`, in which workflow."""

    seconds: float
    what: str
    workflow_id: str


def longest(workflow_id: str, events: Iterable[HistoryEvent]) -> Wait:
    """The longest of a history's waits."""
    waits = (Wait(seconds, what, workflow_id) for seconds, what in _waits(list(events)))
    return max(waits, key=lambda wait: wait.seconds, default=Wait(0, "nothing", workflow_id))


def workers_of(events: Iterable[HistoryEvent]) -> set[str]:
    """Who worked on the workflow's own tasks."""
    started = (event.workflow_task_started_event_attributes.identity for event in events)
    return {identity for identity in started if identity}


def _waits(events: list[HistoryEvent]) -> Iterator[tuple[float, str]]:
    """From each task's scheduling to its start, and from its start to its end, watching left out."""
    at = {event.event_id: event.event_time.ToNanoseconds() / 1e9 for event in events}
    names = {
        event.event_id: event.activity_task_scheduled_event_attributes.activity_type.name
        for event in events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    }
    for event in events:
        now = at[event.event_id]
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
                scheduled = event.workflow_task_started_event_attributes.scheduled_event_id
                yield now - at[scheduled], "a workflow task to start"
            case EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                started = event.workflow_task_completed_event_attributes.started_event_id
                yield now - at[started], "a workflow task to end"
            case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                scheduled = event.activity_task_started_event_attributes.scheduled_event_id
                yield now - at[scheduled], f"{names[scheduled]} to start"
            case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                done = event.activity_task_completed_event_attributes
                if names[done.scheduled_event_id] not in WATCHING:
                    yield now - at[done.started_event_id], f"{names[done.scheduled_event_id]} to end"
            case _:
                pass
