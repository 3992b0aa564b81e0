"""HELD: handed over once, watched, and ended by a person or by the market."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace

from memory_venue import Behaviour, now_ms
from temporal_rig import FAST, D, Rig, make_plan, until
from test_desk_workflow import LIMITS, desk_of, status_of, usd

from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderView
from arbsaga.saga.messages import Phase, TradePlan, TradeRecord
from proof.crashes.replaying import replay
from workers.desk_client import DeskClient
from workflows import messages
from workflows.desk import DeskWorkflow
from workflows.held import HeldWorkflow
from workflows.messages import held_id

STUBBORN = replace(FAST, settle=900)


async def held_trade(rig: Rig, account: str) -> tuple[TradePlan, TradeRecord]:
    """A trade whose fills never settle: it is HELD after 0.9 s."""
    rig.venue.settle_ms = 60_000
    plan = replace(make_plan(patience=STUBBORN), account=account)
    record = await rig.trade(plan)
    assert record.phase is Phase.HELD
    return plan, record


def held_of(rig: Rig, plan: TradePlan):
    return rig.client.get_workflow_handle_for(HeldWorkflow.run, held_id(plan.trade_id))


def account() -> str:
    return f"acc-{secrets.token_hex(4)}"


async def test_a_held_trade_pages_keeps_its_capital_and_blocks_its_basket(rig: Rig) -> None:
    """Until a person resolves it; then the desk is free and the ledger says who decided what."""
    name = account()
    async with rig.worker():
        desk = DeskClient(rig.client, name, rig.task_queue, want=usd(50))
        await desk.start(LIMITS)
        plan, _ = await held_trade(rig, name)
        assert len(rig.paged) == 1
        assert "trade held" in rig.paged[0]
        status = await status_of(rig, name)
        assert (status.reserved, status.blocked) == (plan.reserved, (plan.basket.key,))
        await desk._renew()
        assert desk.blocked(plan.basket.key)
        watched = await held_of(rig, plan).query(HeldWorkflow.status)
        assert watched.plan == plan
        await held_of(rig, plan).signal(HeldWorkflow.resolve, "sold by hand")
        record = await held_of(rig, plan).result()
        assert record.reason.endswith("; resolved: sold by hand")
        await until(lambda: unblocked(rig, name))
        assert rig.ledger.trade(plan.trade_id).row.reason == record.reason
        await desk.close()


async def unblocked(rig: Rig, name: str) -> bool:
    status = await status_of(rig, name)
    return (status.reserved, status.blocked) == (0, ())


async def test_a_payout_ends_the_watch(rig: Rig) -> None:
    """The market resolved: the desk hears of it first, and tells the watch."""
    name = account()
    async with rig.worker():
        plan, _ = await held_trade(rig, name)
        await desk_of(rig, name).signal(DeskWorkflow.paid_out, plan.trade_id)
        record = await asyncio.wait_for(held_of(rig, plan).result(), 10)
        assert "the market paid out" in record.reason


async def test_a_payout_of_an_ordinary_trade_tells_nobody(rig: Rig) -> None:
    """Only a HELD trade has a watch; a watch that is gone is no error."""
    name = account()
    async with rig.worker():
        plan, _ = await held_trade(rig, name)
        await held_of(rig, plan).terminate("by hand")
        await desk_of(rig, name).signal(DeskWorkflow.paid_out, plan.trade_id)
        await until(lambda: unblocked(rig, name))


async def test_the_watch_books_what_settles_later(rig: Rig) -> None:
    """Fills that are confirmed after the hand-over reach the ledger."""
    async with rig.worker():
        plan, _ = await held_trade(rig, account())
        for order in rig.venue.orders.values():
            order.fills = [replace(fill, status=FillStatus.CONFIRMED) for fill in order.fills]
        await until(lambda: all(view.confirmed == 12 for view in rig.ledger.trade(plan.trade_id).orders))
        await held_of(rig, plan).signal(HeldWorkflow.resolve, "seen")
        await held_of(rig, plan).result()
        await replay(await held_of(rig, plan).fetch_history())


async def test_the_watch_continues_as_new(rig: Rig, monkeypatch) -> None:
    """With what it knew, and with a decision that came meanwhile."""
    monkeypatch.setattr(messages, "MAX_EVENTS", 5)
    async with rig.worker():
        plan, _ = await held_trade(rig, account())
        first = (await held_of(rig, plan).describe()).run_id
        await until(lambda: another_run(rig, plan, first))
        await held_of(rig, plan).signal(HeldWorkflow.resolve, "seen")
        assert (await held_of(rig, plan).result()).reason.endswith("seen")


async def another_run(rig: Rig, plan: TradePlan, first: str) -> bool:
    return (await held_of(rig, plan).describe()).run_id != first


async def test_a_ui_cancel_of_the_watch_is_a_decision(rig: Rig) -> None:
    """It is recorded and frees the desk, like any other."""
    async with rig.worker():
        plan, _ = await held_trade(rig, account())
        await held_of(rig, plan).cancel()
        assert "resolved: " in (await held_of(rig, plan).result()).reason


async def test_a_decision_made_before_the_hand_over_counts(rig: Rig) -> None:
    """`resolve` on the trade itself is carried over, and a second hand-over finds the first."""
    rig.venue.settle_ms = 60_000
    plan = replace(make_plan(patience=STUBBORN), account=account())
    rig.quote(plan)
    async with rig.worker():
        handle = await rig.start(plan)
        await handle.signal("resolve", "let it go")
        await handle.result()
        record = await asyncio.wait_for(held_of(rig, plan).result(), 10)
        assert record.reason.endswith("resolved: let it go")


async def test_an_order_that_cannot_be_cancelled_is_watched(rig: Rig) -> None:
    """It rests on when the trade is HELD; when it fills at last, the ledger hears of it."""
    plan = replace(make_plan(patience=replace(STUBBORN, entry=200)), account=account())
    first = plan.basket.legs[0].instrument
    rig.venue.next(first, Behaviour(fills=D(0)))

    async def cancel(known: OrderView) -> OrderView:
        return (await rig.venue.look((known,)))[0]

    rig.venue.cancel = cancel
    async with rig.worker():
        record = await rig.trade(plan)
        assert record.phase is Phase.HELD
        order = next(order for order in rig.venue.orders.values() if order.terms.instrument == first)
        order.state = OrderState.DONE
        order.fills = [Fill("late", order.terms.size, order.terms.limit, usd(0), FillStatus.CONFIRMED, now_ms())]
        await until(lambda: all(view.confirmed == 12 for view in rig.ledger.trade(plan.trade_id).orders))
        await held_of(rig, plan).signal(HeldWorkflow.resolve, "seen")
        await held_of(rig, plan).result()


async def test_a_held_trade_that_filled_nothing_blocks_its_basket_after_its_desk_was_lost(rig: Rig) -> None:
    """Its orders are unknown, so the ledger has no position of it. In the end they are proved absent, and booked so."""
    name, plan = account(), make_plan(patience=STUBBORN)
    plan = replace(plan, account=name)
    for leg in plan.basket.legs:
        rig.venue.next(leg.instrument, Behaviour(arrives=False, answer=False))
    look = rig.venue.look

    async def no_answer(known: Sequence[OrderView]) -> tuple[OrderView, ...]:
        return tuple(known)

    rig.venue.look = no_answer
    async with rig.worker():
        assert (await rig.trade(plan)).phase is Phase.HELD
        await until(lambda: blocks(rig, plan))
        rig.venue.look = look
        await desk_of(rig, name).terminate("by hand")
        desk = DeskClient(rig.client, name, rig.task_queue, want=usd(50))
        await desk.start(LIMITS)
        assert await blocks(rig, plan)
        await until(lambda: {view.state for view in rig.ledger.trade(plan.trade_id).orders} == {OrderState.ABSENT})
        await desk.close()


async def blocks(rig: Rig, plan: TradePlan) -> bool:
    status = await status_of(rig, plan.account)
    return (status.reserved, status.blocked) == (plan.reserved, (plan.basket.key,))


async def test_an_order_that_a_held_trade_did_not_know_of_is_kept_too(rig: Rig) -> None:
    """The ledger names it when the watch writes down what is new."""
    name = account()
    async with rig.worker():
        plan, record = await held_trade(rig, name)
        terms = replace(record.orders[0].terms, attempt=2, size=D(1))
        order_id = rig.venue.order_id(terms)
        rig.ledger.intend([(terms, order_id)], account=name, workflow_id="w", lease_id="")
        rig.venue._arrive(order_id, terms, Behaviour())
        await held_of(rig, plan).signal(HeldWorkflow.resolve, "done")
        kept = await held_of(rig, plan).result()
    assert [view.order_id for view in kept.orders].count(order_id) == 1
    assert len(rig.ledger.trade(plan.trade_id).orders) == 3
