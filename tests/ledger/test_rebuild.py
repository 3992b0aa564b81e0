"""The ledger made again from histories is the ledger: on the real server, with real activities, executions deleted."""

import asyncio
import json
import secrets
import threading
from dataclasses import replace
from decimal import Decimal as D
from typing import Any

from google.protobuf.json_format import MessageToDict
from memory_venue import Behaviour
from rebuild_make import Trades, changed, changed_payloads, path_of, rebuilt, rows, unequal
from temporal_rig import Rig, make_plan, until
from temporalio.api.common.v1 import Payloads

from arbsaga.domain.orders import OrderState, OrderView
from arbsaga.ledger import Ledger
from arbsaga.ledger.rebuilt import order_key
from arbsaga.saga.messages import Phase, Seen, TradePlan
from workers.converter import DATA_CONVERTER
from workers.histories import on_server
from workers.rebuild import (
    CLASH,
    CLOSED,
    CONTRADICTION,
    FOREIGN,
    INCOMPLETE,
    KEPT,
    LATER,
    NO_HISTORY,
    UNANSWERED,
    UNDER_WAY,
    UNREAD,
    UNSHOWN,
)
from workflows.messages import held_id


def account() -> str:
    return f"acc-{secrets.token_hex(4)}"


async def test_equal_after_executions_were_deleted(rig: Rig) -> None:
    """Every table, row by row. Only a posting's number and millisecond may differ: nothing is left to be said."""
    trades = Trades(rig, account())
    rig.ledger.open_account(trades.account, "memory", D(1_000))
    async with rig.worker():
        await trades.lived()
        clean = trades.plans["clean"]
        token = clean.basket.legs[0].instrument.token
        rig.ledger.book_payout(trades.account, "memory", token, D(12), D(12), f"{token}/12")
        rig.ledger.halt("by hand")
        phases = {kind: rig.ledger.trade(plan.trade_id).row for kind, plan in trades.plans.items()}
        assert phases["running"] is None
        found = {row.phase for row in phases.values() if row}
        assert found >= {Phase.COMMITTED, Phase.FLAT, Phase.HELD, Phase.REFUSED}
        baskets = [f"basket/{plan.basket.key}" for plan in trades.ended]
        await trades.forget(*baskets, held_id(trades.plans["resolved"].trade_id))

        path, report = await rebuilt(rig, path_of(rig))
        assert set(report.kinds) <= {FOREIGN}, "other tests trade on this server"
        assert unequal(path_of(rig), path) == {}
        for (entry, before_ms), (same, after_ms) in zip(*(times(one) for one in (path_of(rig), path)), strict=True):
            assert entry == same
            assert abs(before_ms - after_ms) < 2_000
        path.unlink()

        # The archive alone tells it all: without a single order or trade in the old ledger the same is made.
        no_trade = "DELETE FROM postings WHERE trade_id != '' OR entry LIKE 'close/%'"
        emptied = changed(path_of(rig), *(f"DELETE FROM {table}" for table in ("fills", "orders", "trades")), no_trade)
        path, report = await rebuilt(rig, emptied)
        assert not report.explained
        assert unequal(path_of(rig), path) == {}
        assert fence(path) == fence(path_of(rig))
        await abort(rig, trades)


def times(path) -> list[tuple[Any, ...]]:
    return rows(path, "(SELECT entry, max(time_ms) FROM postings GROUP BY entry)")


def fence(path) -> set[tuple[Any, ...]]:
    return set(rows(path, "orders", "trade_id, leg, attempt, order_id, terms, intended"))


async def abort(rig: Rig, trades: Trades) -> None:
    handle = rig.client.get_workflow_handle(f"basket/{trades.plans['running'].basket.key}")
    await handle.signal("abort", "the test is over")
    await handle.result()


async def test_from_the_server_alone(rig: Rig) -> None:
    """The old ledger is gone: all that the server still has is booked again, closed histories are archived anew, and
    what is in no history (opening balance, payouts, flags) is missing."""
    trades = Trades(rig, account())
    async with rig.worker():
        await trades.lived()
        path, report = await rebuilt(rig, None, accounts=[trades.account])
        await abort(rig, trades)
    assert report.explained
    assert set(report.kinds) <= {FOREIGN}
    assert not rows(path, "flags")
    running = trades.plans["running"].trade_id
    ours = [row for row in rows(path_of(rig), "histories", "trade_id") if row[0] != running]
    assert rows(path, "histories", "trade_id") == ours
    made = Ledger.open(f"sqlite:///{path}")
    for plan in trades.ended:
        assert made.trade(plan.trade_id).row == rig.ledger.trade(plan.trade_id).row
    assert made.postings_balance() == 0
    made.close()


async def test_an_order_whose_sending_was_never_answered_is_not_sent_again(rig: Rig) -> None:
    """The worker dies after the intent was written: the history shows what it was to send, so the fence is whole."""
    plan = make_plan()
    rig.quote(plan)
    hanging = asyncio.Event()
    for leg in plan.basket.legs:
        rig.venue.next(leg.instrument, Behaviour(before=hanging.wait))
    worker = asyncio.create_task(rig.worker().run())
    await rig.start(plan)
    await until(lambda: len(rig.ledger.intents_by_trade(plan.trade_id)) == 2)
    path, report = await rebuilt(rig, None, accounts=[plan.account])
    assert len(report.kinds[UNANSWERED]) == 2
    made = Ledger.open(f"sqlite:///{path}")
    before, after = rig.ledger.intents(plan.account), made.intents(plan.account)
    assert after == before
    again = [(intent.terms, intent.order_id) for intent in after]
    assert made.intend(again, account=plan.account, workflow_id="w", lease_id="l") == (False, False)
    assert all(intent.state is OrderState.UNKNOWN for intent in after)
    made.close()
    path.unlink()
    _, report = await rebuilt(rig, path_of(rig))
    assert set(report.kinds) <= {UNANSWERED, FOREIGN}
    await rig.client.get_workflow_handle(f"basket/{plan.basket.key}").terminate("the test is over")
    hanging.set()
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


async def test_no_intent_is_written_before_the_history_shows_it(rig: Rig, monkeypatch) -> None:
    """At the moment an intent is written, the server's history of its trade already has its terms: so a rebuilt
    ledger can never lack an order that was sent."""
    loop, checked = asyncio.get_running_loop(), []
    write = rig.ledger.intend

    async def shown(workflow_id: str) -> set[tuple[str, int, int]]:
        histories = [history async for history in on_server(rig.client)]
        sent = (one for history in histories for one in history.sent)
        return {order_key(one.terms) for one in sent if one.workflow_id == workflow_id}

    def checking(orders, *, workflow_id, **others):
        known = asyncio.run_coroutine_threadsafe(shown(workflow_id), loop).result(20)
        checked.extend(order_key(terms) in known for terms, _ in orders)
        return write(orders, workflow_id=workflow_id, **others)

    plan = make_plan()
    rig.venue.next(plan.basket.legs[1].instrument, *[Behaviour(refuse="no liquidity")] * 2)
    monkeypatch.setattr(rig.ledger, "intend", checking)
    async with rig.worker():
        await rig.trade(plan)
    assert len(checked) > 2
    assert all(checked)


async def test_what_somebody_changed_is_found(rig: Rig) -> None:
    """A fill taken out, an amount changed, a trade taken out, an order slipped in: each is told, none is explained;
    an order that no history shows is kept in the fence all the same."""
    plan, other = make_plan(), make_plan()
    async with rig.worker():
        await rig.trade(plan)
        await rig.trade(other)
    lost = changed(
        path_of(rig),
        f"DELETE FROM fills WHERE trade_id = '{plan.trade_id}' AND leg = 0",
        f"UPDATE postings SET amount = amount + 1 WHERE trade_id = '{plan.trade_id}' AND book = 'fees'",
        f"UPDATE postings SET amount = amount + 1 WHERE trade_id = '{plan.trade_id}' AND book = 'cash:memory'",
        f"UPDATE trades SET profit = '99' WHERE trade_id = '{plan.trade_id}'",
        "INSERT INTO orders SELECT trade_id, leg, 77, '0x77', account, workflow_id, lease_id, terms, created_ms, state,"
        f" matched, reason, evidence, denied_ms, 1 FROM orders WHERE trade_id = '{plan.trade_id}' AND leg = 0",
        f"DELETE FROM trades WHERE trade_id = '{other.trade_id}'",
    )
    path, report = await rebuilt(rig, lost)
    assert not report.explained
    assert report.kinds[UNSHOWN] == [f"{plan.trade_id}/0/77"]
    assert report.kinds["trades that differ (profit)"] == [plan.trade_id]
    assert report.kinds["trades that the old ledger does not have"] == [other.trade_id]
    assert len(report.kinds["fills that the old ledger does not have"]) == 1
    assert len(report.kinds["postings that differ (amount)"]) == 2
    assert [line.split(":")[0] for line in report.lines()][-1]
    assert {row[:3] for row in fence(path)} == {row[:3] for row in fence(lost)}


async def test_without_the_server_the_archive_is_used(rig: Rig) -> None:
    """What is archived is rebuilt; trades that were not are taken over from the old ledger, and said."""
    plan, running = make_plan(), make_plan()
    async with rig.worker():
        await rig.trade(plan)
        await rig.trade(running)
        await until(lambda: rig.ledger.history(plan.trade_id) and rig.ledger.history(running.trade_id))
    without = changed(path_of(rig), f"DELETE FROM histories WHERE trade_id = '{running.trade_id}'")
    path, report = await rebuilt(rig, without, server=False)
    assert report.kinds == {NO_HISTORY: [running.trade_id]}
    assert unequal(without, path) == {}


async def test_a_junk_archive_is_said_and_changes_nothing(rig: Rig) -> None:
    """The old ledger's own rows of the trade are taken over; without any, orders may be missing, and it is said."""
    plans = [make_plan(), make_plan(), make_plan()]
    async with rig.worker():
        for plan in plans:
            await rig.trade(plan)
        await until(lambda: all(rig.ledger.history(plan.trade_id) for plan in plans))
    junk = changed(path_of(rig), f"UPDATE histories SET history = x'00' WHERE trade_id = '{plans[0].trade_id}'")
    path, report = await rebuilt(rig, junk, server=False)
    assert set(report.kinds) == {UNREAD, NO_HISTORY}
    assert not report.explained, "the old ledger may be a restored one: what came later stands in this history alone"
    assert not report.complete
    assert unequal(junk, path) == {}
    path.unlink()
    for table in ("fills", "orders", "trades"):
        junk = changed(junk, f"DELETE FROM {table} WHERE trade_id = '{plans[0].trade_id}'")
    _, report = await rebuilt(rig, junk, server=False)
    assert report.kinds[INCOMPLETE] == [f"{plans[0].trade_id} (no history, or a torn one)"]
    assert not report.complete


async def test_what_no_history_has_is_taken_over_and_what_the_archive_lacks_is_kept(rig: Rig) -> None:
    """A record that no workflow made (a reconciler wrote it), and a history that only the server has: both are said."""
    plan = make_plan()
    async with rig.worker():
        record = await rig.trade(plan)
        await until(lambda: rig.ledger.history(plan.trade_id))
    later = replace(record, phase=Phase.HELD, reason="looked at again", time_ms=record.time_ms + 5)
    rig.ledger.record(later)
    old = changed(path_of(rig), "DELETE FROM histories")
    path, report = await rebuilt(rig, old)
    assert {LATER: [plan.trade_id], KEPT: [plan.trade_id]}.items() <= report.kinds.items()
    assert report.explained
    assert unequal(path_of(rig), path).keys() <= {"histories"}, "the same events, but maps in another order"


async def test_a_record_under_way_is_booked(rig: Rig, monkeypatch) -> None:
    """The workflow has recorded its end, the ledger has not answered yet: it will be booked, so it is, and is said."""
    plan = make_plan()
    held_back = threading.Event()
    write = rig.ledger.record
    monkeypatch.setattr(rig.ledger, "record", lambda record: held_back.wait(20) and write(record))
    rig.quote(plan)
    async with rig.worker():
        handle = await rig.start(plan)
        await until(lambda: recording(rig, plan))
        path, report = await rebuilt(rig, path_of(rig))
        held_back.set()
        await handle.result()
    assert report.kinds[UNDER_WAY] == [plan.trade_id]
    assert report.explained
    made = Ledger.open(f"sqlite:///{path}")
    assert made.trade(plan.trade_id).row == rig.ledger.trade(plan.trade_id).row
    made.close()


async def recording(rig: Rig, plan: TradePlan) -> bool:
    histories = [history async for history in on_server(rig.client) if history.trade_id == plan.trade_id]
    return any(not booked.done for history in histories for booked in history.booked)


async def test_a_record_that_leaves_out_an_order_was_not_written(rig: Rig) -> None:
    """The ledger answers such a record with the order and writes nothing: booked, a trade that goes on would have
    ended. An order that it named is in the fence. Unanswered, the record will get that answer. A null is of before."""
    plan = make_plan()
    async with rig.worker():
        record = await rig.trade(plan)
        await until(lambda: rig.ledger.history(plan.trade_id))
    whole = rig.ledger.history(plan.trade_id)
    forgotten = OrderView(replace(record.orders[0].terms, attempt=9), "0xforgotten", OrderState.DONE)
    answer = Seen(plan.trade_id, (forgotten,), record.time_ms)
    emptied = [f"DELETE FROM {table}" for table in ("fills", "trades")]
    for answered, written in ((None, True), (answer, False)):
        rig.ledger.archive(plan.trade_id, await _with_answer(whole, answered))
        path, _ = await rebuilt(rig, changed(path_of(rig), *emptied, "DELETE FROM orders"), server=False)
        assert bool(rows(path, "trades")) is written
        assert ("0xforgotten" in {row[3] for row in fence(path)}) is not written
        path.unlink()

    events = [one for one in json.loads(whole)["events"] if not _answers_record(one, whole)]
    rig.ledger.archive(plan.trade_id, json.dumps({"events": events}))
    orders = [(forgotten.terms, forgotten.order_id)]
    rig.ledger.intend(orders, account=plan.account, workflow_id="w", lease_id="l")
    path, report = await rebuilt(rig, changed(path_of(rig), *emptied), server=False)
    assert not rows(path, "trades")
    assert UNDER_WAY not in report.kinds


async def _with_answer(whole: str, answer: Seen | None) -> str:
    """The history with another answer to its record."""
    history = json.loads(whole)
    (event,) = (one for one in history["events"] if _answers_record(one, whole))
    (payload,) = await DATA_CONVERTER.encode([answer])
    event["activityTaskCompletedEventAttributes"]["result"] = MessageToDict(Payloads(payloads=[payload]))
    return json.dumps(history)


def _answers_record(event: dict[str, Any], whole: str) -> bool:
    (record,) = (one["eventId"] for one in json.loads(whole)["events"] if _activity_of(one) == "record")
    return bool(event.get("activityTaskCompletedEventAttributes", {}).get("scheduledEventId") == record)


async def test_a_record_of_another_order_than_was_intended_is_left_out(rig: Rig) -> None:
    """A history that names two ids for one attempt contradicts itself: nothing of that record is booked."""
    plan = make_plan()
    async with rig.worker():
        record = await rig.trade(plan)
        await until(lambda: rig.ledger.history(plan.trade_id))
    history = rig.ledger.history(plan.trade_id)
    other = changed_payloads(history, "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED", "input", _with_another_id)
    rig.ledger.archive(plan.trade_id, other)
    old = changed(path_of(rig), *(f"DELETE FROM {table}" for table in ("fills", "orders", "trades")))
    path, report = await rebuilt(rig, old, server=False)
    assert report.kinds[CONTRADICTION] == [plan.trade_id]
    assert report.kinds[CLASH] == [record.orders[0].terms.key]
    assert not report.explained
    assert not report.complete, "the other id may be an order that was sent"
    assert not rows(path, "trades")
    assert {row[3] for row in fence(path)} == {view.order_id for view in record.orders}


def _with_another_id(body: dict[str, Any]) -> dict[str, Any]:
    if "phase" in body:
        body["orders"][0]["order_id"] = "0xother"
    return body


async def test_profit_booked_at_another_moment_is_no_difference_to_judge(rig: Rig) -> None:
    """Positions shared by trades may be empty in between in one order of booking and not in another."""
    plan = make_plan()
    async with rig.worker():
        await rig.trade(plan)
        await until(lambda: rig.ledger.history(plan.trade_id))
    token = plan.basket.legs[0].instrument.token
    rig.ledger.book_payout(plan.account, "memory", token, D(12), D(12), f"{token}/12")
    assert rig.ledger.profit(plan.account) > 0
    old = changed(
        path_of(rig),
        "UPDATE postings SET amount = amount + 1 WHERE entry LIKE 'close/%' AND book = 'profit'",
        "UPDATE postings SET amount = amount - 1 WHERE entry LIKE 'close/%' AND book LIKE 'position:%'",
    )
    _, report = await rebuilt(rig, old)
    assert len(report.kinds[CLOSED]) == 1
    assert report.explained


async def test_terms_of_an_answer_go_before_terms_of_a_question(rig: Rig) -> None:
    """A reset asks for the same attempt with other terms; what was written down, and sent, is what the answer tells."""
    plan = make_plan()
    async with rig.worker():
        await rig.trade(plan)
        await until(lambda: rig.ledger.history(plan.trade_id))
    history = json.loads(rig.ledger.history(plan.trade_id))
    lost = {
        **history,
        "events": [one for one in history["events"] if "activityTaskCompletedEventAttributes" not in one],
    }
    asked = changed_payloads(json.dumps(lost), "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED", "input", _with_other_terms)
    rig.ledger.archive(f"{plan.trade_id}/another-run", asked)
    path, report = await rebuilt(rig, path_of(rig), server=False)
    assert fence(path) == fence(path_of(rig))
    assert UNANSWERED not in report.kinds


def _with_other_terms(body: dict[str, Any]) -> dict[str, Any]:
    for terms in body.get("ask", {}).get("orders", ()):
        terms["limit"], terms["created_ms"] = "0.01", terms["created_ms"] - 60_000
    return body


async def test_orders_that_only_a_record_names_are_in_the_fence(rig: Rig) -> None:
    """A reset takes back the run that sent them: its history is not archived, but the later run's record has their ids.
    Two attempts with one id contradict each other: the first stays."""
    plan = make_plan()
    async with rig.worker():
        await rig.trade(plan)
        await until(lambda: rig.ledger.history(plan.trade_id))
    history = json.loads(rig.ledger.history(plan.trade_id))
    sends = [one for one in history["events"] if _activity_of(one) == "place_legs"]
    assert len(sends) == 1
    unsent = json.dumps({"events": [one for one in history["events"] if one not in sends]})
    rig.ledger.archive(plan.trade_id, unsent)
    old = changed(path_of(rig), *(f"DELETE FROM {table}" for table in ("fills", "orders", "trades")))
    path, report = await rebuilt(rig, old, server=False)
    assert fence(path) == fence(path_of(rig))
    assert CONTRADICTION not in report.kinds
    path.unlink()
    rig.ledger.archive(
        plan.trade_id, changed_payloads(unsent, "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED", "input", _with_one_id)
    )
    old = changed(path_of(rig), *(f"DELETE FROM {table}" for table in ("fills", "orders", "trades")))
    _, report = await rebuilt(rig, old, server=False)
    assert report.kinds[CLASH] == [f"{plan.trade_id}/1/1"]
    assert report.kinds[CONTRADICTION] == [plan.trade_id]
    assert not report.complete, "the second attempt is not in the fence"


def _activity_of(event: dict[str, Any]) -> str:
    return str(event.get("activityTaskScheduledEventAttributes", {}).get("activityType", {}).get("name", ""))


def _with_one_id(body: dict[str, Any]) -> dict[str, Any]:
    if "phase" in body:
        body["orders"][1]["order_id"] = body["orders"][0]["order_id"]
    return body
