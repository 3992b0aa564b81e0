"""A trade's life, as a trader would tell it.

Validate the depth of every leg, or send nothing. Send all legs at once; or some of them first, and the others for
what those filled. Watch them fill; withdraw what is left; prove what is unknown. If the legs are equal, wait until
every fill is confirmed and commit. If not, undo, round after round, until they are. If that cannot be done, hold and
page a person.

Everything that branches is in `judge.py` and `undo.py`; everything that touches the world is an effect.
"""

from collections.abc import Sequence
from dataclasses import replace

from arbsaga.domain.orders import OrderState, OrderView
from arbsaga.saga import judge, undo
from arbsaga.saga.effects import Effects
from arbsaga.saga.judge import End, Enter, Prove, Settle, Watch, Withdraw
from arbsaga.saga.messages import (
    CancelLeg,
    Phase,
    PlaceLegs,
    PollFills,
    ReadBooks,
    Seen,
    TradePlan,
    TradeRecord,
    ValidateDepth,
)
from arbsaga.saga.trade import Trade

LONGEST_LOOK_MS = 10_000
"""How long asking every source about an order may take: two reads and a cancel by id, at a venue that is slow."""
MAX_STEPS = 5_000
"""Steps of one trade: far above any real one, so that a loop that learns nothing ends HELD."""


async def arbitrage(fx: Effects, plan: TradePlan) -> TradeRecord:
    """Run one trade from its plan to REFUSED, COMMITTED, FLAT or HELD, and record it."""
    known, steps = await enter(fx, plan), 0
    while isinstance(known, Trade):
        if steps == MAX_STEPS:
            known = await _end(fx, known, End(Phase.HELD, f"no end after {MAX_STEPS} steps"))
        else:
            known, steps = await take_step(fx, known), steps + 1
    return known


async def enter(fx: Effects, plan: TradePlan) -> Trade | TradeRecord:
    """Validate the depth and send the first entries; the trade with their first evidence, or REFUSED."""
    trade = Trade(plan)
    fx.show(trade.record(Phase.VALIDATING, "", fx.now_ms()))
    report = await fx.validate_depth(ValidateDepth(plan))
    if refusal := judge.refuse_entry(plan, report, fx.now_ms(), fx.abort_reason()):
        return await _end(fx, trade, End(Phase.REFUSED, refusal))
    return await _place(fx, trade, PlaceLegs(plan.trade_id, judge.entry_orders(plan)))


async def take_step(fx: Effects, trade: Trade) -> Trade | TradeRecord:
    """One step of a trade that has placed its entries. All it remembers is in the trade and what `fx` tells."""
    trade = judge.conclude(trade, fx.now_ms())
    trade = await _page_if_one_sided(fx, trade)
    step = judge.next_step(trade, fx.now_ms(), fx.abort_reason())
    if isinstance(step, End):
        return await _end(fx, trade, step)
    return await _carry_out(fx, trade, step)


async def _carry_out(fx: Effects, trade: Trade, step: judge.Step) -> Trade:
    match step:
        case Watch(orders, until_ms):
            fx.show(trade.record(Phase.WATCHING, "", fx.now_ms()))
            return await _look(fx, trade, orders, until_ms, abort=not fx.abort_reason())
        case Withdraw(orders):
            return await _withdraw(fx, trade, orders)
        case Prove(orders, until_ms):
            return await _look(fx, trade, orders, until_ms)
        case Settle(orders, until_ms):
            fx.show(trade.record(Phase.HEDGED, "", fx.now_ms()))
            fx.show(trade.record(Phase.SETTLING, "", fx.now_ms()))
            return await _settle(fx, trade, orders, until_ms)
        case Enter(orders):
            return await _place(fx, trade, PlaceLegs(trade.plan.trade_id, orders, follows=True))
        case _:
            fx.show(trade.record(Phase.UNWINDING, "", fx.now_ms()))
            return await _unwind(fx, trade)


async def _place(fx: Effects, trade: Trade, ask: PlaceLegs) -> Trade:
    fx.show(trade.record(Phase.PLACING, "", fx.now_ms()))
    return _fold(trade, await fx.place_legs(ask))


async def _look(fx: Effects, trade: Trade, orders: Sequence[OrderView], until_ms: int, *, abort: bool = False) -> Trade:
    """Wait for news of these orders; an abort ends the wait, never the orders' evidence.

    A look that has begun may take longer than until `until_ms`: a venue that is slow to answer still proves something.
    """
    ask = PollFills(trade.plan.trade_id, tuple(orders), until_ms, trade.plan.patience.poll)
    longest = trade.plan.patience.http if abort else LONGEST_LOOK_MS
    first = await fx.first_of("fills", fx.poll_fills(ask), until_ms + longest, abort=abort)
    return trade if first.answer is None else _fold(trade, first.answer)


async def _withdraw(fx: Effects, trade: Trade, orders: Sequence[OrderView]) -> Trade:
    """Cancel by id, all at once. What did not end there may have filled: look again after a pause."""
    asks = [fx.cancel_leg(CancelLeg(trade.plan.trade_id, view)) for view in orders]
    for seen in await fx.all_in_order(asks):
        trade = _fold(trade, seen)
    resting = [view for view in trade.open if view.state is not OrderState.UNKNOWN]
    if not resting:
        return trade
    trade = replace(trade, cancels=trade.cancels + 1)
    return await _look(fx, trade, resting, fx.now_ms() + _pause(fx, trade))


async def _settle(fx: Effects, trade: Trade, orders: Sequence[OrderView], until_ms: int) -> Trade:
    """Wait for the chain. MATCHED is provisional: a FAILED fill goes back to the judge."""
    ask = PollFills(trade.plan.trade_id, tuple(orders), until_ms, trade.plan.patience.poll, settled=True)
    first = await fx.first_of("settlement", fx.poll_fills(ask), until_ms, abort=False)
    return trade if first.answer is None else _fold(trade, first.answer)


async def _unwind(fx: Effects, trade: Trade) -> Trade:
    """One round: read books, take the cheapest way out, send it. Never more than is proved to be held."""
    others = tuple(view.terms.key for view in trade.orders if view not in trade.unsettled)
    tokens = undo.tokens_to_read(trade)
    ask = ReadBooks(trade.plan.trade_id, tokens, trade.unsettled, others)
    market = await fx.read_books(ask)
    if market.orders != trade.unsettled:
        return trade.with_orders(market.orders)  # settlement moved on, or a reset: the judge looks again first
    trade = undo.looked(trade, tokens, market, fx.now_ms())
    way = undo.choose(trade, market)
    if way is None or undo.hasty(trade, way, fx.now_ms()):
        return await _wait_for_a_way(fx, trade)
    trade = replace(trade, blind_ms=0) if trade.blind_ms else trade
    orders = undo.undo_orders(trade, way, fx.now_ms())
    asks = [fx.exit_leg(PlaceLegs(trade.plan.trade_id, (order,))) for order in orders]
    for seen in await fx.all_in_order(asks):
        trade = _fold(trade, seen)
    if all(view.in_vain for view in trade.orders[-len(orders) :]):
        await fx.sleep(_pause(fx, trade))  # refused: asking again at once would use up every try
    return trade


async def _wait_for_a_way(fx: Effects, trade: Trade) -> Trade:
    """Waiting is no failed round while shares are unsettled, which cannot be sold yet, or a venue does not answer."""
    if trade.unsettled:
        return await _settle(fx, trade, trade.unsettled, fx.now_ms() + trade.plan.patience.undo)
    await fx.sleep(_pause(fx, trade))
    return trade if trade.blind_ms else replace(trade, fruitless=trade.fruitless + 1)


async def _page_if_one_sided(fx: Effects, trade: Trade) -> Trade:
    if not judge.one_sided(trade, fx.now_ms()):
        return trade
    blind = judge.blind_for(trade, fx.now_ms()) > 0
    what = "the venue that undoing needs does not answer" if blind else "another is unknown"
    to_do = f"Look at the {'venue' if blind else 'unknown order at the venue'}; the trade goes on by itself."
    await fx.page(judge.page_for(trade, "one-sided", f"one leg has filled and {what}", to_do))
    return replace(trade, paged=True)


async def _end(fx: Effects, trade: Trade, end: End) -> Trade | TradeRecord:
    """The end, once it is written down. Where orders were left out it is none: the trade knows of them now."""
    record = trade.record(end.phase, end.reason, fx.now_ms())
    if end.phase is Phase.HELD:
        to_do = f"Decide, then: arbsaga resolve {trade.plan.trade_id}"
        await fx.page(judge.page_for(trade, "held", f"trade held: {end.reason}", to_do))
    left_out = await fx.record(record)
    if left_out.orders:
        return _fold(trade, left_out)
    fx.show(record)
    return record


def _pause(fx: Effects, trade: Trade) -> int:
    """A pause in ms with jitter; it grows with the tries that moved nothing, to a minute at most."""
    patience = trade.plan.patience
    tries = patience.retry_max * max(1, (trade.fruitless + trade.cancels + trade.refused) // 4)
    longest = min(max(tries, judge.blind_for(trade, fx.now_ms()) // 4), 60_000)
    return patience.retry_min + int(fx.jitter() * max(0, longest - patience.retry_min))


def _fold(trade: Trade, seen: Seen) -> Trade:
    assert seen.trade_id == trade.plan.trade_id, "an answer belongs to the trade that asked"
    return trade.with_orders(seen.orders)
