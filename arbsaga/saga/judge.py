"""The judge: every branching decision of a trade, as pure functions of what is known.

`next_step` reads like the policy in `docs/outcomes.md`; the story only carries steps out.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from arbsaga.domain.money import Size, ceil_to
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, Purpose, TimeInForce
from arbsaga.saga.messages import DepthReport, Page, Phase, TradePlan
from arbsaga.saga.trade import Trade


@dataclass(frozen=True, slots=True)
class Watch:
    """Wait for news of these orders until `until_ms`."""

    orders: tuple[OrderView, ...]
    until_ms: int


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Cancel these orders by id and look until it is proved what became of them."""

    orders: tuple[OrderView, ...]


@dataclass(frozen=True, slots=True)
class Prove:
    """Ask every source about these orders until `until_ms`: their fate, or their fills, are not all seen."""

    orders: tuple[OrderView, ...]
    until_ms: int


@dataclass(frozen=True, slots=True)
class Settle:
    """Wait until every fill is final, until `until_ms` at the latest. The legs are equal."""

    orders: tuple[OrderView, ...]
    until_ms: int


@dataclass(frozen=True, slots=True)
class Enter:
    """Send the entries of the legs that waited for the first ones, sized to what those filled."""

    orders: tuple[OrderTerms, ...]


@dataclass(frozen=True, slots=True)
class Unwind:
    """The legs are not equal: complete, exit or hedge, one round."""


@dataclass(frozen=True, slots=True)
class End:
    """The trade is over."""

    phase: Phase
    reason: str


Step = Watch | Withdraw | Prove | Settle | Enter | Unwind | End


def refuse_entry(plan: TradePlan, report: DepthReport, now_ms: int, abort: str) -> str:
    """Why no order may be sent, or empty. Nothing rests on an unknown: no order exists yet."""
    send_by = plan.decided_ms + plan.patience.send_by
    if report.refusal:
        return report.refusal
    if abort:
        return f"aborted before any order: {abort}"
    if now_ms >= send_by:
        return f"too late: decided {now_ms - plan.decided_ms} ms ago, the limit is {plan.patience.send_by} ms"
    if send_by > plan.lease_expires_ms:
        return "the capital's lease expires before the orders would be sent"
    return ""


def entry_orders(plan: TradePlan) -> tuple[OrderTerms, ...]:
    """The entries that are sent first: of every leg, or of those that the plan enters first.

    All are stamped with the decision's time: the same plan is the same orders, whoever sends them.
    """
    legs = plan.first or range(len(plan.legs))
    return tuple(_entry(plan, leg, plan.legs[leg].size, plan.decided_ms) for leg in legs)


def following_orders(trade: Trade, now_ms: int, abort: str) -> tuple[OrderTerms, ...]:
    """The entries of the legs that wait, for as many units as the first legs filled. Every order is final.

    None where nothing waits or filled, where too little filled for the venue of one of them, after an abort, and where
    the capital's lease would expire before they are sent: then what filled is undone as usual.
    """
    plan = trade.plan
    if not trade.waiting or abort or now_ms + plan.patience.send_by > plan.lease_expires_ms:
        return ()
    units = min(plan.units, *(trade.least(leg) / trade.legs[leg].ratio for leg in plan.first))
    sizes = [trade.legs[leg].instrument.floor_size(units * trade.legs[leg].ratio) for leg in trade.waiting]
    orders = tuple(_entry(plan, leg, size, now_ms) for leg, size in zip(trade.waiting, sizes, strict=True))
    sound = all(order.size > 0 and order.instrument.allows(order.size, order.limit, order.side) for order in orders)
    return orders if sound else ()


def _entry(plan: TradePlan, leg: int, size: Size, created_ms: int) -> OrderTerms:
    """The first order of a leg: share-targeted, marketable GTC at the limit.

    A FOK or FAK buy fixes dollars, so that price improvement would leave the legs unequal
    (docs.polymarket.com, order fill rules); a GTC buy gets exactly its shares.
    """
    return OrderTerms(
        trade_id=plan.trade_id,
        leg=leg,
        attempt=1,
        purpose=Purpose.ENTER,
        instrument=plan.basket.legs[leg].instrument,
        side=plan.basket.legs[leg].side,
        size=size,
        limit=plan.legs[leg].limit,
        time_in_force=TimeInForce.GTC,
        created_ms=created_ms,
        send_by_ms=created_ms + plan.patience.send_by,
    )


def next_step(trade: Trade, now_ms: int, abort: str) -> Step:
    """What to do now. Total: every trade that has placed its entries gets an answer.

    Call it on a trade from which `conclude` has drawn what is proved by now.
    """
    if reason := overdue(trade, now_ms):
        return End(Phase.HELD, reason)
    if trade.open:
        return _attend(trade, now_ms, abort)
    if trade.unexplained:
        return Prove(trade.unexplained, now_ms + trade.plan.patience.undo)
    if following := following_orders(trade, now_ms, abort):
        return Enter(following)
    return _finish(trade, abort) if balanced(trade) else _unwind(trade)


def _attend(trade: Trade, now_ms: int, abort: str) -> Step:
    """Wait while every entry can still work out; otherwise cancel what rests, then prove what is unknown."""
    unknown = tuple(view for view in trade.open if view.state is OrderState.UNKNOWN)
    resting = [view for view in trade.open if view.state is not OrderState.UNKNOWN]
    if not resting:
        return Prove(unknown, _next_decision(trade, unknown, now_ms))
    until = min(deadline(trade, view) for view in resting)
    patient = not unknown and not abort and not shortfall(trade) and now_ms < until
    return Watch(trade.open + trade.unexplained, until) if patient else Withdraw(trade.open)


def _next_decision(trade: Trade, unknown: tuple[OrderView, ...], now_ms: int) -> int:
    """When (ms) silence about these orders first decides something: a page, or that they never were."""
    moments = [] if trade.paged else [view.terms.created_ms + trade.plan.patience.one_sided for view in unknown]
    moments += [quiet_after(trade, view) + trade.plan.patience.poll for view in unknown]
    return min((moment for moment in moments if moment > now_ms), default=now_ms + trade.plan.patience.undo)


def _unwind(trade: Trade) -> Step:
    rounds = trade.undo_orders + trade.fruitless
    if rounds >= trade.plan.undo.rounds * len(trade.legs):
        return End(Phase.HELD, f"the legs could not be made equal in {rounds} tries")
    return Unwind()


def _finish(trade: Trade, abort: str) -> Step:
    return Settle(trade.unsettled, settle_by(trade)) if trade.unsettled else _ended(trade, abort)


def _ended(trade: Trade, abort: str) -> End:
    if trade.hedged > 0:
        return End(Phase.COMMITTED, f"{trade.hedged:f} units, every fill confirmed")
    refusals = "; ".join(dict.fromkeys(view.reason for view in trade.orders if view.reason))
    return End(Phase.FLAT, abort or refusals or "no leg filled in time")


def conclude(trade: Trade, now_ms: int) -> Trade:
    """The trade with UNKNOWN orders turned ABSENT where that is proved.

    Only after `send_by` + the HTTP limit + a quiet time, with negative answers everywhere and a
    cancel by id: a timeout is not "not filled" (py-clob-client #273).
    """
    proved = (
        replace(view, state=OrderState.ABSENT, reason=view.reason or "never reached the venue")
        for view in trade.orders
        if view.state is OrderState.UNKNOWN and view.denied_ms >= quiet_after(trade, view)
    )
    return trade.with_orders(proved)


def quiet_after(trade: Trade, view: OrderView) -> int:
    """From when on (ms) a "not found" everywhere proves that the order never existed."""
    patience = trade.plan.patience
    return view.terms.send_by_ms + patience.http + patience.prove


def deadline(trade: Trade, view: OrderView) -> int:
    """Until when (ms) an order may stay at the venue."""
    patience = trade.plan.patience
    life = patience.entry if view.terms.purpose is Purpose.ENTER else patience.undo
    return view.terms.created_ms + life


def shortfall(trade: Trade) -> bool:
    """Whether an entry is over with less than its siblings ask for: then they must not get more.

    Siblings that followed the first legs ask for what those had filled; a fill of theirs may have FAILED since.
    """
    entries = [view for view in trade.orders if view.terms.purpose is Purpose.ENTER]
    followers = [view.terms for view in entries if trade.plan.first and view.terms.leg not in trade.plan.first]
    units = min((terms.size / trade.legs[terms.leg].ratio for terms in followers), default=None)
    return any(
        view.state.final
        and view.known < (view.terms.size if units is None else units * trade.legs[view.terms.leg].ratio)
        for view in entries
    )


def balanced(trade: Trade) -> bool:
    """Whether the legs are equal, but for residue. Every order must be final and explained.

    Residue is what is too little for any order, and all of it together cheap enough to leave. A surplus below
    zero is one of the complement: a fill that FAILED after it was hedged.
    """
    surpluses = [trade.surplus(leg) for leg in range(len(trade.legs))]
    if not all(_too_few(trade, leg, abs(surplus)) for leg, surplus in enumerate(surpluses)):
        return False
    cost = sum(abs(over) * (trade.average_cost(leg) if over > 0 else 1) for leg, over in enumerate(surpluses) if over)
    return cost <= trade.plan.undo.residue_usd


def _too_few(trade: Trade, leg: int, shares: Decimal) -> bool:
    return shares == 0 or (shares < trade.legs[leg].instrument.rules.min_size and shares <= trade.plan.undo.residue)


def overdue(trade: Trade, now_ms: int) -> str:
    """Why a person must look: something stayed unknown or unsettled for too long. Empty when not."""
    limit = trade.plan.patience.settle
    if blind_for(trade, now_ms) >= limit:
        return f"books that undoing needs cannot be read for {limit // 1000} s"
    if now_ms < settle_by(trade):
        return ""
    if trade.open:
        return f"an order's fate is unknown for {limit // 1000} s"
    if trade.unexplained:
        return f"fills of an order are unknown for {limit // 1000} s"
    if trade.unsettled:
        return f"fills are not settled for {limit // 1000} s"
    return ""


def settle_by(trade: Trade) -> int:
    """When (ms) waiting for proof or settlement ends: counted from the last order sent."""
    return max(view.terms.created_ms for view in trade.orders) + trade.plan.patience.settle


def blind_for(trade: Trade, now_ms: int) -> int:
    """For how long (ms) undoing has not been able to read every book that it needs; 0 where nothing is to be undone."""
    return now_ms - trade.blind_ms if trade.blind_ms and not balanced(trade) else 0


def one_sided(trade: Trade, now_ms: int) -> bool:
    """Whether a person is paged, once: a leg has filled while another is UNKNOWN, or cannot be traded, for too long."""
    if trade.paged:
        return False
    if blind_for(trade, now_ms) >= trade.plan.patience.one_sided:
        return True
    unknown = [view for view in trade.open if view.state is OrderState.UNKNOWN]
    late = [view for view in unknown if now_ms - view.terms.created_ms >= trade.plan.patience.one_sided]
    return bool(late) and any(view.known > 0 for view in trade.orders)


def page_for(trade: Trade, kind: str, headline: str, to_do: str) -> Page:
    """A page with what filled, what did not, cost, exposure and what was tried."""
    facts = [
        ("basket", trade.plan.basket.title),
        ("spent", f"{trade.spent:f} USD"),
        ("hedged", f"{trade.hedged:f} units"),
    ]
    for index, leg in enumerate(trade.legs):
        least, most = trade.least(index), trade.most(index)
        held = f"{least:f}" if least == most else f"{least:f} to {most:f}"
        exposure = ceil_to(trade.surplus(index) * trade.average_cost(index), Decimal("0.01"))
        facts.append((f"leg {index} {leg.instrument.title}", f"holds {held}, exposed {exposure:f} USD"))
    for view in trade.orders:
        terms = view.terms
        order = f"{terms.purpose} {terms.side} {terms.size:f} @ {terms.limit:f}"
        facts.append((f"order {terms.leg}/{terms.attempt} {view.order_id}", f"{order}: {_fate(view)}"))
    return Page(trade.plan.trade_id, f"{trade.plan.trade_id}/{kind}", headline, tuple(facts), to_do)


def _fate(view: OrderView) -> str:
    return f"{view.state}, filled {view.known:f}" + (f" ({view.reason})" if view.reason else "")
