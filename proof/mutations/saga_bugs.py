"""Bugs re-created in the saga: each function gives the replacements (owner, name, value) that bring its bug back."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from arbsaga.domain.money import Size
from arbsaga.domain.orders import FillSums, OrderState, OrderTerms, OrderView, Purpose, TimeInForce
from arbsaga.saga import judge, story, undo
from arbsaga.saga.effects import Effects
from arbsaga.saga.messages import CancelLeg, Phase, PlaceLegs, TradePlan, TradeRecord
from arbsaga.saga.trade import Trade
from proof.mutations.mutation import Patch

REDUCING = (Purpose.EXIT, Purpose.HEDGE)
RENEWED_MS = 10_000
"""Send-by of an order that is sent again: the bug is the second order, not its lateness."""


def unwind_of_the_wrong_leg() -> list[Patch]:
    """Reducing orders are sent for the leg next to the one that filled."""
    right = undo.undo_orders

    def wrong(trade: Trade, way: undo.WayOut, now_ms: int) -> tuple[OrderTerms, ...]:
        return tuple(_moved(trade, order, place) for place, order in enumerate(right(trade, way, now_ms)))

    return [(undo, "undo_orders", wrong)]


def _moved(trade: Trade, order: OrderTerms, place: int) -> OrderTerms:
    if order.purpose not in REDUCING:
        return order
    leg = (order.leg + 1) % len(trade.legs)
    instrument = trade.legs[leg].instrument
    if order.purpose is Purpose.HEDGE:
        instrument = instrument.other()
    return replace(order, leg=leg, attempt=trade.next_attempt(leg) + place, instrument=instrument)


def entry_again_while_unknown() -> list[Patch]:
    """An entry whose fate is unknown is sent again as a new order."""
    right = story._look

    async def look(
        fx: Effects, trade: Trade, orders: Sequence[OrderView], until_ms: int, *, abort: bool = False
    ) -> Trade:
        lost = [view for view in orders if view.state is OrderState.UNKNOWN and view.terms.attempt == 1]
        again = [_renewed(view.terms, fx.now_ms()) for view in lost if trade.next_attempt(view.terms.leg) == 2]
        if again:
            seen = await fx.exit_leg(PlaceLegs(trade.plan.trade_id, tuple(again)))
            return trade.with_orders(seen.orders)
        return await right(fx, trade, orders, until_ms, abort=abort)

    return [(story, "_look", look)]


def _renewed(terms: OrderTerms, now_ms: int) -> OrderTerms:
    return replace(terms, attempt=terms.attempt + 1, created_ms=now_ms, send_by_ms=now_ms + RENEWED_MS)


def any_fill_is_the_whole_order() -> list[Patch]:
    """A leg that filled at all counts as filled in full."""
    right = OrderView.__dict__["sums"]

    def sums(view: OrderView) -> FillSums:
        true: FillSums = right.__get__(view, OrderView)
        return true._replace(known=view.terms.size, most=view.terms.size) if true.known else true

    return [(OrderView, "sums", property(sums))]


def delayed_is_nothing_filled() -> list[Patch]:
    """An order that the venue holds back counts as over, with nothing filled."""
    over = (OrderState.DONE, OrderState.ABSENT, OrderState.PENDING)
    return [(OrderState, "final", property(lambda state: state in over))]


def cancel_means_not_filled() -> list[Patch]:
    """Whatever a cancel answered, the order is over and filled no more than was known."""

    async def withdraw(fx: Effects, trade: Trade, orders: Sequence[OrderView]) -> Trade:
        await fx.all_in_order([fx.cancel_leg(CancelLeg(trade.plan.trade_id, view)) for view in orders])
        return trade.with_orders(replace(view, state=OrderState.DONE) for view in orders)

    return [(story, "_withdraw", withdraw)]


def one_shot_unwind() -> list[Patch]:
    """One undo order, and the trade is called flat, whatever became of it."""
    right = judge._unwind

    def once(trade: Trade) -> judge.Step:
        return judge.End(Phase.FLAT, "unwound") if trade.undo_orders else right(trade)

    return [(judge, "_unwind", once)]


def matched_is_final() -> list[Patch]:
    """A match is never waited for to settle."""
    return [(Trade, "unsettled", property(lambda _trade: ()))]


def exit_larger_than_the_fill() -> list[Patch]:
    """A reducing order is sent for twice what filled."""
    right = undo.undo_orders

    def twice(trade: Trade, way: undo.WayOut, now_ms: int) -> tuple[OrderTerms, ...]:
        orders = right(trade, way, now_ms)
        return tuple(replace(one, size=Size(one.size * 2)) if one.purpose in REDUCING else one for one in orders)

    return [(undo, "undo_orders", twice)]


def not_found_is_absent_at_once() -> list[Patch]:
    """The first "not found" proves that an order never existed: no quiet time."""
    return [(judge, "quiet_after", lambda _trade, view: view.terms.created_ms)]


def equal_dollars() -> list[Patch]:
    """Entries fix the dollars of each leg instead of its shares."""
    right = judge.entry_orders

    def dollars(plan: TradePlan) -> tuple[OrderTerms, ...]:
        return tuple(replace(order, time_in_force=TimeInForce.FAK) for order in right(plan))

    return [(judge, "entry_orders", dollars)]


def replay_asks_for_something_else() -> list[Patch]:
    """Entries are stamped with the moment they are made, not with the decision's."""
    right, moments = judge.entry_orders, itertools.count()

    def drifting(plan: TradePlan) -> tuple[OrderTerms, ...]:
        return tuple(replace(order, created_ms=order.created_ms + next(moments)) for order in right(plan))

    return [(judge, "entry_orders", drifting)]


def held_silently() -> list[Patch]:
    """A trade that needs a person ends without telling one."""

    async def end(fx: Effects, trade: Trade, how: judge.End) -> TradeRecord:
        record = trade.record(how.phase, how.reason, fx.now_ms())
        await fx.record(record)
        fx.show(record)
        return record

    return [(story, "_end", end)]


def residue_without_limit() -> list[Patch]:
    """Whatever is left over is called residue."""
    return [(judge, "balanced", lambda _trade: True)]
