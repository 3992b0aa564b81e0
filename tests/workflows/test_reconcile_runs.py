"""The runs of reconciliation: when they happen, how long they take, what each tells the next one and the doctor."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import reconcile_rig
from memory_venue import now_ms
from reconcile_rig import NOTHING, run_once, worker
from temporal_rig import D, Rig, until
from temporalio.client import ScheduleOverlapPolicy

from activities import reconcile as reconciling_module
from activities.reopening import NO_RUN
from arbsaga.domain.money import Usd
from arbsaga.errors import Unavailable
from arbsaga.ledger import Ledger
from arbsaga.reconcile import findings
from workers.doctor import Status, Subject, examine
from workers.reconciler import keep_reconciling, last_reconciled
from workflows.messages import reconcile_id
from workflows.reconcile import LIMIT

rig, account, _hurry = reconcile_rig.rig, reconcile_rig.account, reconcile_rig.hurry


async def test_the_schedule_runs_at_once_and_every_minute(rig: Rig, account: str) -> None:
    """Made again it is changed, not doubled; the doctor can tell when it last ran."""
    assert await last_reconciled(rig.client, account) is None
    schedule = rig.client.get_schedule_handle(reconcile_id(account))
    async with worker(rig):
        try:
            await keep_reconciling(rig.client, account, rig.task_queue)
            await until(lambda: ran(schedule, 1))
            await keep_reconciling(rig.client, account, rig.task_queue)
            await until(lambda: ran(schedule, 2))
            found = await schedule.describe()
            assert [one.every.total_seconds() for one in found.schedule.spec.intervals] == [60]
            assert found.schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
            last = await last_reconciled(rig.client, account)
            assert abs((datetime.now(UTC) - last).total_seconds()) < 30
        finally:
            await schedule.delete()


async def test_runs_that_decide_nothing_are_not_taken_for_comparisons(rig: Rig, account: str) -> None:
    """The doctor would say "compared 12 s ago" of a venue that has been down for an hour."""
    schedule = rig.client.get_schedule_handle(reconcile_id(account))
    rig.venue.down = "502 bad gateway"
    async with worker(rig):
        try:
            await keep_reconciling(rig.client, account, rig.task_queue)
            await until(lambda: ran(schedule, 1))
            with pytest.raises(Unavailable, match=r"could not be compared .*502 bad gateway"):
                await last_reconciled(rig.client, account)
            rig.venue.down = ""
            await schedule.trigger()
            await until(lambda: ran(schedule, 2))
            last = await last_reconciled(rig.client, account)
            rig.venue.down = "502 bad gateway"
            await schedule.trigger()
            await until(lambda: ran(schedule, 3))
            assert await last_reconciled(rig.client, account) == last
        finally:
            await schedule.delete()


async def test_a_run_that_is_terminated_is_no_comparison(
    rig: Rig, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a person, in the UI; while it runs it says nothing either way. Nor is one that the server forgot by now."""
    schedule = rig.client.get_schedule_handle(reconcile_id(account))
    try:
        await keep_reconciling(rig.client, account, rig.task_queue)  # and no worker
        await until(lambda: begun(schedule))
        assert await last_reconciled(rig.client, account) is None
        (run,) = (await schedule.describe()).info.recent_actions
        await rig.client.get_workflow_handle(run.action.workflow_id).terminate("by hand")
        with pytest.raises(Unavailable, match="the last run terminated"):
            await last_reconciled(rig.client, account)
        find = rig.client.get_workflow_handle
        monkeypatch.setattr(rig.client, "get_workflow_handle", lambda name, **_: find(name, run_id=NO_RUN))
        with pytest.raises(Unavailable, match="the last run is long ago"):
            await last_reconciled(rig.client, account)
    finally:
        await schedule.delete()


async def begun(schedule) -> bool:
    return bool((await schedule.describe()).info.recent_actions)


async def test_a_run_ends_by_a_clock_that_nobody_sets(rig: Rig, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall's is set back again and again: a case that never ripens does not keep the run for ever."""
    rig.venue.gone = D(100)
    monkeypatch.setitem(findings.GRACE_MS, findings.Kind.CASH, 3_600_000)
    monkeypatch.setattr(reconciling_module, "LOOKS_LIMIT_S", 1.0)
    wall, looks = now_ms(), []

    def set_back() -> int:
        looks.append(time.monotonic())
        return wall - 60_000 * len(looks)

    monkeypatch.setattr(reconciling_module, "now_ms", set_back)
    result = await run_once(rig, account)
    assert result.summary.endswith(NOTHING)
    assert result.compared_ms < wall
    assert looks[-1] - looks[0] < 3


async def test_a_run_that_takes_too_long_tells_its_counts(
    rig: Rig, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last look may begin as late as is allowed; what is done then has its time too, within the workflow's."""
    last_look = reconciling_module.LOOKS_LIMIT_S + 2 * reconciling_module.VENUE_LIMIT_S
    assert last_look + reconciling_module.DEAL_LIMIT_S < reconciling_module.RUN_LIMIT_S < LIMIT.total_seconds()
    monkeypatch.setattr(reconciling_module, "RUN_LIMIT_S", 0.3)
    rig.venue.open_orders = asyncio.Event().wait
    result = await run_once(rig, account, reopened={"t": 2})
    assert result.summary.endswith("the rest is left to the next run: this one took 0.3 s")
    assert result.reopened == {"t": 2}


async def ran(schedule, times: int) -> bool:
    info = (await schedule.describe()).info
    return info.num_actions >= times and not info.running_actions


async def test_the_doctor_warns_of_runs_that_do_not_compare(tmp_path: Path) -> None:
    """Temporal is well, so it is no trouble of the server's."""

    async def cannot(_client: object) -> datetime | None:
        raise Unavailable("venue and ledger could not be compared (502 bad gateway): look")

    def no_key() -> None:
        raise Unavailable("no key")

    async def get_system_info(_request: object) -> SimpleNamespace:
        return SimpleNamespace(server_version="1.32.0")

    async def temporal() -> SimpleNamespace:
        return SimpleNamespace(workflow_service=SimpleNamespace(get_system_info=get_system_info), namespace="default")

    subject = Subject(
        open_venue=no_key,
        connect=temporal,
        last_reconciled=cannot,
        open_ledger=lambda: Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite"),
        clob_url="http://127.0.0.1:9",
        wanted=Usd(D(10)),
        page_services=1,
    )
    checks = {check.name: check for check in await examine(subject)}
    assert checks["temporal"].status is Status.OK
    assert (checks["reconciled"].status, "502 bad gateway" in checks["reconciled"].line) == (Status.WARN, True)
