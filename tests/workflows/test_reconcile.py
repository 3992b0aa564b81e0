"""Reconciliation on the real server: what no test foresaw is found, acted on once, and left alone when it is well."""

import asyncio
from dataclasses import replace

import pytest
import reconcile_rig
from memory_venue import now_ms
from reconcile_rig import (
    LONG,
    NOTHING,
    assert_even,
    broken_off,
    ended_again,
    free,
    invested,
    left_behind,
    open_desk,
    planned,
    reconcile,
    record_of,
    reserved,
    run_once,
    unblocked,
    watching,
    worker,
)
from temporal_rig import D, Rig, until
from test_desk_workflow import status_of
from test_trades import held, phase_is

from arbsaga.domain.orders import FillStatus, OrderState
from arbsaga.errors import Unavailable, VenueError
from arbsaga.notify import read_alerts
from arbsaga.saga.judge import entry_orders
from arbsaga.saga.messages import Phase, TradePlan, TradeRecord
from workers.following import after_break_off
from workflows.arbitrage import ArbitrageWorkflow

rig, account, _hurry = reconcile_rig.rig, reconcile_rig.account, reconcile_rig.hurry


async def test_nothing_is_done_on_a_healthy_account(rig: Rig, account: str) -> None:
    """Not before a trade, not in the middle of one whose orders rest, not after it; and nobody is paged."""
    async with worker(rig):
        await open_desk(rig, account)
        assert await reconcile(rig, account) == NOTHING
        plan = planned(account, patience=LONG)
        handle = await watching(rig, plan, "0.5", "0")
        await asyncio.sleep(0.4)  # longer than what counts as quiet
        assert await reconcile(rig, account) == NOTHING
        assert rig.venue.cancelled == []
        await handle.signal(ArbitrageWorkflow.abort, "tidy up")
        record = await ended_again(rig, plan)
        assert await reconcile(rig, account) == NOTHING
    assert record.phase in (Phase.COMMITTED, Phase.FLAT)
    assert rig.paged == []
    assert_even(rig, plan)


async def test_an_orphan_order_is_cancelled_and_paged_once(rig: Rig, account: str) -> None:
    """Somebody else trades with our key, or our fence has a hole. The second run finds nothing to do."""
    plan = planned(account)
    rig.quote(plan)
    orphan = rig.venue.arrive(replace(entry_orders(plan)[0], trade_id="nobody's"), "0")
    async with worker(rig):
        said = await reconcile(rig, account)
        again = await reconcile(rig, account)
    assert f"order {orphan} that nobody intended was cancelled" in said
    assert again == "paged: over: an order rests at the venue that no trade ever intended" or again == NOTHING
    assert rig.venue.cancelled == [orphan]
    assert len([text for text in rig.paged if "over:" not in text]) == 1


async def test_an_order_from_before_the_account_was_opened_is_left_alone(rig: Rig) -> None:
    """Its owner placed it by hand under the same key: a person is told, and decides."""
    plan = planned("acc-by-hand")
    rig.quote(plan)
    by_hand = rig.venue.arrive(replace(entry_orders(plan)[0], trade_id="by hand"), "0")
    rig.venue.orders[by_hand].sent_ms -= 60_000
    rig.ledger.open_account(plan.account, rig.venue.name, rig.venue.cash_left)
    async with worker(rig):
        said = await reconcile(rig, plan.account)
    assert said == "paged: an order rests at the venue that no trade ever intended"
    assert rig.venue.cancelled == []
    assert "it is left alone" in rig.paged[0]


async def test_a_late_order_is_cancelled_and_what_it_filled_is_undone(rig: Rig, account: str) -> None:
    """A post delivered after the quiet time: half of it fills, the rest would fill later. Its trade ends anew."""
    async with worker(rig):
        await open_desk(rig, account)
        plan = await left_behind(rig, account)
        await until(lambda: free(rig, account))
        late = rig.venue.arrive(entry_orders(plan)[0], "0.5")
        said = await reconcile(rig, account)
        record = await ended_again(rig, plan)
        again = await reconcile(rig, account)
        assert "was cancelled, 6 filled" in said
        assert f"{plan.trade_id} is run again" in said
        assert rig.venue.orders[late].state is OrderState.DONE
        assert record.phase in (Phase.COMMITTED, Phase.FLAT)
        assert_even(rig, plan)
        assert "run again" not in again
        assert rig.ledger.trade(plan.trade_id).row.phase is record.phase
        status = await status_of(rig, account)
        held_now = record.spent if record.payout > 0 else 0
        assert (status.reserved, status.invested, status.blocked) == (0, held_now, ())


async def test_a_terminated_trade_ends_by_itself(rig: Rig, account: str) -> None:
    """Terminated in the UI while one leg is filled and the other half: booked, made equal, ended, capital accounted."""
    async with worker(rig):
        await open_desk(rig, account)
        plan = planned(account, patience=LONG)
        handle = await watching(rig, plan, "1", "0.5")
        await until(lambda: reserved(rig, account))
        await handle.terminate("by hand")
        going_on = asyncio.ensure_future(after_break_off(rig.client, rig.ledger, handle.id, plan.trade_id))
        await asyncio.sleep(0.4)
        said = await reconcile(rig, account)
        record = await ended_again(rig, plan)
        after = await asyncio.wait_for(going_on, 10)  # what the trader that started it follows
        assert record == (after if isinstance(after, TradeRecord) else await after.result())
        assert said.endswith(f"{plan.trade_id} is run again: its workflow is gone")
        assert record.phase is Phase.COMMITTED
        assert_even(rig, plan)
        await until(lambda: invested(rig, account, record.spent))
        assert await reconcile(rig, account) == NOTHING
        await until(lambda: rig.ledger.history(plan.trade_id))
        terminated = handle.first_execution_run_id or handle.result_run_id
        assert rig.ledger.history(f"{plan.trade_id}/{terminated}")


async def test_a_trade_whose_history_is_lost_ends_from_its_orders_alone(rig: Rig, account: str) -> None:
    """The Temporal server lost its database: it knows of no such workflow, and the intents tell the plan."""
    plan = planned(account)
    rig.quote(plan)
    orders = entry_orders(plan)
    intents = [(terms, rig.venue.order_id(terms)) for terms in orders]
    rig.ledger.intend(intents, account=account, workflow_id=f"basket/{plan.basket.key}", lease_id=plan.lease_id)
    rig.venue.arrive(orders[0], "1")
    rig.venue.arrive(orders[1], "0.5")
    await asyncio.sleep(0.4)
    async with worker(rig):
        assert f"{plan.trade_id} is run again" in await reconcile(rig, account)
        record = await ended_again(rig, plan)
    assert record.phase in (Phase.COMMITTED, Phase.FLAT)
    assert (record.plan.basket.key, record.plan.reserved) == (plan.basket.key, plan.reserved)
    assert_even(rig, plan)


async def test_a_plan_that_another_version_wrote_is_told_by_its_orders(rig: Rig, account: str) -> None:
    """Neither its run on the server nor the archive can be read: the trade is not left alone for that."""
    plan = await broken_off(rig, account)
    workflow_id = f"basket/{plan.basket.key}"
    old = await rig.client.start_workflow(
        "ArbitrageWorkflow", {"written": "by version 0"}, id=workflow_id, task_queue="nobody's"
    )
    await old.terminate("by hand")
    rig.ledger.archive(plan.trade_id, '{"events": [{"eventType": "of another version"}]}')
    await until(lambda: listed(rig, workflow_id))
    async with worker(rig):
        assert f"{plan.trade_id} is run again" in await reconcile(rig, account)
        assert (await ended_again(rig, plan)).phase is Phase.COMMITTED
    assert_even(rig, plan)


async def listed(rig: Rig, workflow_id: str) -> bool:
    return (await rig.client.count_workflows(f"WorkflowId = '{workflow_id}'")).count > 0


@pytest.mark.parametrize("error", [VenueError("502 bad gateway"), RuntimeError("a bug")])
async def test_one_bad_case_starves_no_other_and_loses_no_count(rig: Rig, account: str, error: Exception) -> None:
    """An order that the venue cannot cancel; and a trade to be run again, which the next run is told."""
    plan = await broken_off(rig, account)
    orphan = rig.venue.arrive(replace(entry_orders(plan)[0], trade_id="nobody's"), "0")

    async def cannot_cancel(known):
        raise error

    rig.venue.cancel = cannot_cancel
    async with worker(rig):
        result = await run_once(rig, account, reopened={"another": 1})
        await ended_again(rig, plan)
    assert f"orphan-order/{orphan} is left to the next run: {error}" in result.summary
    assert result.reopened == {"another": 1, plan.trade_id: 1}


async def test_what_the_venue_lists_twice_counts_once(rig: Rig, account: str) -> None:
    """Pages move on while they are read: no late fill of shares that are booked, and an orphan is cancelled."""
    orders, fills = rig.venue.open_orders, rig.venue.fills_since

    async def orders_twice():
        return 2 * await orders()

    async def fills_twice(after_ms):
        return 2 * await fills(after_ms)

    rig.venue.open_orders, rig.venue.fills_since = orders_twice, fills_twice
    async with worker(rig):
        await open_desk(rig, account)
        plan = planned(account)
        assert (await record_of(rig, plan)).phase is Phase.COMMITTED
        assert await reconcile(rig, account) == NOTHING
        orphan = rig.venue.arrive(replace(entry_orders(plan)[0], trade_id="nobody's"), "0")
        assert f"order {orphan} that nobody intended was cancelled" in await reconcile(rig, account)
    assert rig.venue.cancelled == [orphan]


def take_back(rig: Rig, plan: TradePlan, leg: int) -> None:
    """The venue shows every fill of a leg's entry FAILED from now on."""
    order = rig.venue.orders[rig.venue.order_id(entry_orders(plan)[leg])]
    order.fills = [replace(fill, status=FillStatus.FAILED, time_ms=now_ms()) for fill in order.fills]


async def test_a_fill_taken_back_after_the_end_reopens_its_trade(rig: Rig, account: str) -> None:
    """COMMITTED, then a leg's fill FAILED: what is left of the other leg is not left alone."""
    async with worker(rig):
        await open_desk(rig, account)
        plan = planned(account)
        assert (await record_of(rig, plan)).phase is Phase.COMMITTED
        take_back(rig, plan, 1)
        assert held(rig, plan) == [12, 0]
        said = await reconcile(rig, account)
        assert f"{plan.trade_id} is run again: the venue took back 12" in said
        record = await ended_again(rig, plan)
        assert record.phase in (Phase.COMMITTED, Phase.FLAT)
    assert_even(rig, plan)


async def test_a_trade_that_waits_for_its_basket_is_run_again_later(rig: Rig, account: str) -> None:
    """Another trade of the same basket runs: the workflow id is its. Until then the desk blocks the basket."""
    async with worker(rig):
        await open_desk(rig, account)
        plan = planned(account, patience=LONG)
        handle = await watching(rig, plan, "1", "0")
        await handle.terminate("by hand")
        other = replace(planned(account, patience=LONG), basket=plan.basket, decided_ms=now_ms())
        running = await watching(rig, other, "0", "0")
        await asyncio.sleep(0.4)
        assert f"{plan.trade_id} waits for its basket" in await reconcile(rig, account)
        assert (await status_of(rig, account)).blocked == (plan.basket.key,)
        assert await phase_is(running, Phase.WATCHING)
        await running.signal(ArbitrageWorkflow.abort, "tidy up")
        await running.result()
        assert f"{plan.trade_id} is run again" in await reconcile(rig, account)
        record = await ended_again(rig, plan)
        assert record.plan.trade_id == plan.trade_id
        await until(lambda: unblocked(rig, account))
    assert record.phase in (Phase.COMMITTED, Phase.FLAT)
    assert_even(rig, plan)


async def test_shares_and_cash_that_differ_are_paged_once(rig: Rig, account: str) -> None:
    """Somebody bought with our key, and somebody took money: whose they are, only a person knows."""
    plan = planned(account)
    rig.venue.arrive(replace(entry_orders(plan)[0], trade_id="nobody's"), "1")
    rig.venue.gone = D(100)
    token = plan.basket.legs[0].instrument.token
    await asyncio.sleep(0.2)  # its settlement
    async with worker(rig):
        said = await reconcile(rig, account)
        again = await reconcile(rig, account)
    assert f"paged: the venue has more shares than the ledger of {token}" in said
    assert "paged: the venue has -104.92" in said
    assert again == NOTHING
    assert len(rig.paged) == 2
    assert rig.venue.cancelled == []


async def test_the_watchdogs_page_is_the_reconcilers(rig: Rig, account: str) -> None:
    """One alert log, one key: whoever finds it first, a person is paged once."""
    rig.venue.gone = D(100)
    async with worker(rig):
        await reconcile(rig, account)
    (alert,) = read_alerts(rig.folder / "alerts.jsonl")
    assert alert.page.key == "watchdog/cash/account/1"


async def test_a_venue_that_is_down_decides_nothing(rig: Rig, account: str) -> None:
    """A terminated trade is not judged on half of the evidence; the next run, when it can see, judges it."""
    async with worker(rig):
        plan = planned(account, patience=LONG)
        handle = await watching(rig, plan, "1", "0.5")
        await handle.terminate("by hand")
        await asyncio.sleep(0.4)
        rig.venue.down = "502 bad gateway"
        assert await reconcile(rig, account) == "nothing more is decided: memory: 502 bad gateway"
        assert rig.venue.cancelled == []
        rig.venue.down = ""
        assert f"{plan.trade_id} is run again" in await reconcile(rig, account)
        await ended_again(rig, plan)
    assert_even(rig, plan)


async def test_a_ledger_that_is_locked_decides_nothing(rig: Rig, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it everything at the venue would look like a stranger's."""
    plan = planned(account)
    rig.venue.arrive(replace(entry_orders(plan)[0], trade_id="nobody's"), "0")

    def locked(*_: object) -> None:
        raise Unavailable("the ledger is locked")

    async with worker(rig):
        monkeypatch.setattr(rig.ledger, "intents_by_order", locked)
        assert await reconcile(rig, account) == "nothing more is decided: the ledger is locked"
    assert rig.venue.cancelled == []
