"""Histories that are torn, junk, or of another version: what can be read is, and what cannot is said."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rebuild_make import changed_payloads
from temporal_rig import Rig, make_plan, until
from temporalio.service import RPCError, RPCStatusCode

from workers.histories import of_archive, on_server, running


@pytest.fixture
async def whole(rig: Rig) -> str:
    """A committed trade's history as JSON."""
    plan = make_plan()
    async with rig.worker():
        await rig.trade(plan)
    return (await rig.client.get_workflow_handle(f"basket/{plan.basket.key}").fetch_history()).to_json()


async def test_a_whole_history_tells_every_order_and_record(whole: str) -> None:
    """Two entries with their ids, one record, no problem."""
    history = await of_archive("t", whole)
    assert history.problem == ""
    assert [sent.terms.leg for sent in history.sent] == [0, 1]
    assert all(sent.order_id.startswith("0x") for sent in history.sent)
    assert [booked.done for booked in history.booked] == [True]
    assert history.booked[0].record.plan.trade_id == history.trade_id != "t"


async def test_events_that_are_missing_are_said(whole: str) -> None:
    """At the end, in the middle, at the beginning: whatever is left is used where its trade is known."""
    history = json.loads(whole)
    events = history["events"]
    end = await of_archive("t", json.dumps({"events": events[:-1]}))
    assert (end.problem, len(end.sent), len(end.booked)) == ("torn: its end is missing", 2, 1)
    middle = await of_archive("t", json.dumps({"events": events[:3] + events[4:]}))
    assert middle.problem.startswith("torn: events are missing")
    beginning = await of_archive("held/t/run", json.dumps({"events": events[1:]}))
    assert (beginning.trade_id, beginning.problem) == ("t", "torn: its beginning is missing")
    assert (await of_archive("t", json.dumps({"events": []}))).problem == "torn: its beginning is missing"


@pytest.mark.parametrize("json", ["", "no json", "[]", "7", '{"events": 7}', '{"events": [7]}', '{"other": []}'])
async def test_junk_is_no_history(json: str) -> None:
    """Whatever stands there: one problem, no exception."""
    history = await of_archive("t/run", json)
    assert history.trade_id == "t"
    assert history.problem


async def test_an_answer_that_is_lost_leaves_orders_possibly_sent(whole: str) -> None:
    """Without the answer of the sending, its orders have no id yet: they may have been sent."""
    history = json.loads(whole)
    history["events"] = [
        event
        for event in history["events"]
        if not (event["eventType"].endswith("TASK_COMPLETED") and _of_activity(event))
    ]
    read = await of_archive("t", json.dumps(history))
    assert [sent.order_id for sent in read.sent] == ["", ""]
    assert [booked.done for booked in read.booked] == [False]


def _of_activity(event: dict[str, object]) -> bool:
    return "activityTaskCompletedEventAttributes" in event


async def test_a_message_of_another_version_is_said_and_the_rest_is_read(whole: str) -> None:
    """A record without what this version needs; a plan without it: then not even the trade is known."""
    scheduled = "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED"

    def other(body: dict[str, object]) -> dict[str, object]:
        return {key: value for key, value in body.items() if key != "phase"} | {"a_new_field": 1}

    read = await of_archive("t", changed_payloads(whole, scheduled, "input", other))
    assert "record: written by another version of arbsaga?" in read.problem
    assert (len(read.sent), len(read.booked)) == (2, 0)
    started = changed_payloads(whole, "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED", "input", lambda body: {"new": body})
    read = await of_archive("t", started)
    assert (read.trade_id, read.account, read.sent) == ("t", "", ())
    assert "another version" in read.problem
    history = json.loads(whole)
    history["events"][0]["workflowExecutionStartedEventAttributes"]["workflowType"]["name"] = "NewWorkflow"
    assert "NewWorkflow is none of this version's" in (await of_archive("t", json.dumps(history))).problem


async def test_the_trades_of_an_account_that_run_now_are_known_by_their_beginnings(rig: Rig) -> None:
    """Not one that ended, nor another account's; without a worker too."""
    account = f"acc-{make_plan().trade_id}"
    ended, goes_on, foreign = (replace(make_plan(), account=name) for name in (account, account, "another"))
    async with rig.worker():
        await rig.trade(ended)
    handles = [await rig.start(plan) for plan in (goes_on, foreign)]
    await until(lambda: _known(rig, account, [goes_on.trade_id]))
    for handle in handles:
        await handle.terminate("the test is over")
    await until(lambda: _known(rig, account, []))


async def _known(rig: Rig, account: str, trade_ids: list[str]) -> bool:
    return [history.trade_id for history in await running(rig.client, account)] == trade_ids


class Server:
    """A server with one trade, whose history cannot be fetched."""

    def __init__(self, status: RPCStatusCode) -> None:
        self.error = RPCError("not now", status, b"")

    async def list_workflows(self, query: str) -> AsyncIterator[SimpleNamespace]:
        yield SimpleNamespace(id="basket/b", run_id="r")

    def get_workflow_handle(self, workflow_id: str, *, run_id: str) -> "Server":
        return self

    async def fetch_history(self) -> None:
        raise self.error


async def test_an_execution_deleted_while_reading_is_left_out_and_a_server_that_goes_away_is_not() -> None:
    """What was deleted after it was listed is as if it had been before; half of the server's word is none."""
    assert [history async for history in on_server(Server(RPCStatusCode.NOT_FOUND))] == []
    with pytest.raises(RPCError, match="not now"):
        assert [history async for history in on_server(Server(RPCStatusCode.UNAVAILABLE))]
