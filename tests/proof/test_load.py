"""The load layer sees what it claims to see: waits in a history, and limits that a broken desk lets through."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from arbsaga.domain.money import Usd
from bench.site import exchange
from proof.load import theatre as theatres
from proof.load.burst import Burst, burst
from proof.load.crowd import starved
from proof.load.histories import Wait, longest, workers_of
from proof.load.machine import fewer, slowdown
from proof.load.theatre import theatre
from workers.desk_client import DeskClient, Taken


def event(number: int, kind: int, seconds: float) -> HistoryEvent:
    made = HistoryEvent(event_id=number, event_type=kind)
    made.event_time.FromNanoseconds(round(seconds * 1e9))
    return made


def history(activity: str) -> list[HistoryEvent]:
    """A workflow task that waited 1 s and took 0.5 s, then an activity that waited 2 s and took 30 s."""
    events = [
        event(1, EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, 0),
        event(2, EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED, 1),
        event(3, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, 1.5),
        event(4, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, 1.5),
        event(5, EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED, 3.5),
        event(6, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, 33.5),
    ]
    events[1].workflow_task_started_event_attributes.scheduled_event_id = 1
    events[1].workflow_task_started_event_attributes.identity = "worker 7"
    events[2].workflow_task_completed_event_attributes.started_event_id = 2
    events[3].activity_task_scheduled_event_attributes.activity_type.name = activity
    events[4].activity_task_started_event_attributes.scheduled_event_id = 4
    events[5].activity_task_completed_event_attributes.scheduled_event_id = 4
    events[5].activity_task_completed_event_attributes.started_event_id = 5
    return events


def test_a_slow_activity_is_a_wait() -> None:
    assert longest("t", history("place_legs")) == Wait(30, "place_legs to end", "t")


def test_watching_a_quiet_order_is_none() -> None:
    """But that the watch began late is one."""
    assert longest("t", history("poll_fills")) == Wait(2, "poll_fills to start", "t")


def test_who_worked_is_told() -> None:
    assert workers_of(history("record")) == {"worker 7"}


def test_more_than_ten_seconds_is_starvation() -> None:
    assert starved(Wait(10, "record to start", "t"), 10) == []
    assert [one.split(":")[0] for one in starved(Wait(10.1, "record to start", "t"), 10.1)] == [
        "t was starved",
        "a trade was starved",
    ]


def test_a_burst_stays_within_its_budget_and_a_desk_that_gives_too_much_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same burst twice on real processes: as it is, and with leases that are never empty."""

    def take(desk: DeskClient, amount: Usd, _: int, *, live_ms: int = 1_000) -> Taken:
        lease = desk._lease
        return Taken(lease.lease_id, lease.expires_ms, amount)

    async def both() -> tuple[Burst, Burst]:
        async with theatre(site, tmp_path) as place:
            good = await burst(place, await place.seat("good"), offered=12, budget=2)
            monkeypatch.setattr(DeskClient, "take", take)
            monkeypatch.setattr("proof.load.burst.LIMIT_S", 4.0)
            return good, await burst(place, await place.seat("bad"), offered=6, budget=2)

    with exchange(tmp_path) as site:
        good, bad = asyncio.run(both())
    assert good.wrong == []
    assert good.entered == 2
    assert good.looks > 3
    assert any("I5 trades have" in one for one in bad.wrong), bad.wrong
    assert any("I5" in one and "the desk gave out" in one for one in bad.wrong), bad.wrong
    assert any("were entered of 2" in one for one in bad.wrong), bad.wrong


def test_a_busy_machine_is_asked_for_less() -> None:
    """A quiet one never; and there is always something to judge."""
    assert slowdown() >= 1
    assert [fewer(200, slower) for slower in (1, 4, 100)] == [200, 50, 10]
    assert fewer(5, 100) == 5


def test_memory_of_a_process_is_read() -> None:
    """Of this one: more than an interpreter has, less than the machine. A process that is gone has none."""
    assert 5 < theatres.rss_mb(os.getpid()) < 10_000
    assert theatres.rss_mb(2**22 + 1) == 0
    assert abs(theatres.now_ms() / 1000 - time.time()) < 5
