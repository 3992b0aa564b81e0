"""What to send when the legs are not equal: complete, exit, or hedge with the complement.

Each way is priced on fresh books to the trade's result as it would then be; the best one within
the loss budget is taken. Shares that would still be left over count as worth nothing. A book that
cannot be read offers nothing, but may soon: a way that loses money without it waits a while. What a venue refuses
again and again is no way while there is another, however good its book looks.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from arbsaga.domain.baskets import Leg
from arbsaga.domain.books import Book, Level
from arbsaga.domain.instruments import Instrument, Side
from arbsaga.domain.money import NO_SIZE, ZERO, Price, Size, Usd
from arbsaga.domain.orders import OrderTerms, OrderView, Purpose, TimeInForce
from arbsaga.domain.pricing import take
from arbsaga.saga.messages import Market
from arbsaga.saga.trade import Trade

REFUSALS: Final = 2
"""So many refusals in a row of the same move, and another way is taken where there is one."""

Kind = tuple[int, Purpose]
"""What a move does: to which leg, and for what."""


@dataclass(frozen=True, slots=True)
class Move:
    """One order of a way out: `cost` USD with fees (negative when it brings money in)."""

    leg: int
    purpose: Purpose
    instrument: Instrument
    side: Side
    size: Size
    limit: Price
    cost: Usd


@dataclass(frozen=True, slots=True)
class WayOut:
    """Orders to send together, and the trade's result in USD if they all fill. `equal`: the legs are then equal."""

    moves: tuple[Move, ...]
    result: Usd
    equal: bool


def tokens_to_read(trade: Trade) -> tuple[str, ...]:
    """The books that undoing needs: every leg's, and the complement's where it could hedge a leg that has too much."""
    tokens = [leg.instrument.token for leg in trade.legs]
    tokens += [
        leg.instrument.complement
        for index, leg in enumerate(trade.legs)
        if trade.surplus(index) > 0 and not leg.instrument.rules.nets
    ]
    return tuple(tokens)


def looked(trade: Trade, tokens: Sequence[str], market: Market, now_ms: int) -> Trade:
    """The trade with a note of since when one of these books, which it needs, cannot be read."""
    blind = len({book.token for book in market.books}.intersection(tokens)) < len(tokens)
    since_ms = (trade.blind_ms or now_ms) if blind else 0
    return trade if since_ms == trade.blind_ms else replace(trade, blind_ms=since_ms)


def hasty(trade: Trade, way: WayOut, now_ms: int) -> bool:
    """Whether it is too soon for a way that loses money: a book that cannot be read may show a better one.

    A venue that hiccups is waited for as long as one side may be open untold (`Patience.one_sided`). From then on being
    naked is worse than a loss within the budget.
    """
    return bool(trade.blind_ms) and way.result < 0 and now_ms - trade.blind_ms < trade.plan.patience.one_sided


def choose(trade: Trade, market: Market) -> WayOut | None:
    """The best way out within the loss budget, or None when there is none now.

    Moves that were refused twice in a row are left out of it: a venue that has paused trading shows its books all the
    same. Without them there may be no way: then they are tried again.
    """
    refused = spurned(trade)
    other = _best(trade, market, refused) if refused else None
    return other or _best(trade, market, ())


def spurned(trade: Trade) -> frozenset[Kind]:
    """The moves whose last orders were all refused, or never sent: over, with a reason, and with nothing filled."""
    orders: dict[Kind, list[OrderView]] = {}
    for view in sorted(trade.orders, key=lambda view: view.terms.attempt):
        orders.setdefault((view.terms.leg, view.terms.purpose), []).append(view)
    return frozenset(
        kind
        for kind, sent in orders.items()
        if len(sent) >= REFUSALS and all(view.in_vain and view.reason for view in sent[-REFUSALS:])
    )


def _best(trade: Trade, market: Market, without: Collection[Kind]) -> WayOut | None:
    ways = [way for target in _targets(trade) if _helps(trade, way := _way_to(trade, target, market, without))]
    best = max(ways, key=lambda way: (way.result, -len(way.moves)), default=None)
    return best if best is not None and best.result >= -trade.plan.undo.loss_budget else None


def _helps(trade: Trade, way: WayOut) -> bool:
    """Whether a way lowers the worst case, or makes the legs equal by reducing only.

    Completing some of several missing legs, or selling a leg whose siblings cannot be sold, would cost
    money and leave more naked than before.
    """
    if not way.moves:
        return False
    reduces = all(move.purpose is not Purpose.COMPLETE for move in way.moves)
    return way.result > trade.payout - trade.spent or (way.equal and reduces)


def undo_orders(trade: Trade, way: WayOut, now_ms: int) -> tuple[OrderTerms, ...]:
    """The orders of a way out, stamped and fenced. Two orders on one leg get two attempts."""
    orders: list[OrderTerms] = []
    for move in way.moves:
        sent_before = sum(1 for order in orders if order.leg == move.leg)
        orders.append(
            OrderTerms(
                trade_id=trade.plan.trade_id,
                leg=move.leg,
                attempt=trade.next_attempt(move.leg) + sent_before,
                purpose=move.purpose,
                instrument=move.instrument,
                side=move.side,
                size=move.size,
                limit=move.limit,
                time_in_force=TimeInForce.GTC,
                created_ms=now_ms,
                send_by_ms=now_ms + trade.plan.patience.send_by,
            )
        )
    return tuple(orders)


def _targets(trade: Trade) -> list[Decimal]:
    """The levels (units) at which the legs could be made equal, lowest first.

    Each that some leg has now, but never more than was planned: a leg can have outgrown it (a hedge that FAILED
    after its leg was completed). Where what is uneven is too little for any order: so far below the lowest
    that the venue takes an order on every leg. And nothing at all: out of everything.
    """
    units = [trade.least(index) / leg.ratio for index, leg in enumerate(trade.legs)]
    step = max(leg.instrument.rules.min_size / leg.ratio for leg in trade.legs)
    levels = (*units, min(units) - step, ZERO)
    return sorted({min(trade.plan.units, max(ZERO, level)) for level in levels})


def _way_to(trade: Trade, target: Decimal, market: Market, without: Collection[Kind]) -> WayOut:
    books = {book.token: book for book in market.books}
    sellable = dict(market.sellable)
    moves: list[Move] = []
    after: list[Decimal] = []
    pairs = ZERO
    for index, leg in enumerate(trade.legs):
        gap = trade.least(index) - target * leg.ratio
        if gap > 0:
            options = _reductions(index, leg, gap, books, sellable)
        else:
            options = _completions(index, leg, min(-gap, _room(trade, index)), books) if gap else []
        allowed = [move for move in options if move and (index, move.purpose) not in without]
        chosen = [max(allowed, key=_brings)] if allowed else []
        moves += chosen
        change = sum((move.size for move in chosen), ZERO)
        held = trade.least(index) + (change if gap < 0 else -change)
        hedged = sum((move.size for move in chosen if move.purpose is Purpose.HEDGE), trade.hedges(index))
        pairs += trade.pairs_of(held, hedged)
        after.append(held / leg.ratio)
    cost = sum((move.cost for move in moves), ZERO)
    payout = max(ZERO, min(after)) * trade.plan.basket.payout + pairs
    return WayOut(tuple(moves), Usd(payout - trade.spent - cost), equal=min(after) == max(after))


def _room(trade: Trade, index: int) -> Decimal:
    """How much a leg may still be completed: a sale or hedge of it that FAILS must not bring it above its plan."""
    return trade.plan.legs[index].size - trade.least(index) - trade.returning(index)


def _completions(index: int, leg: Leg, gap: Decimal, books: Mapping[str, Book]) -> list[Move | None]:
    return [_move(index, Purpose.COMPLETE, leg.instrument, leg.side, gap, books)]


def _reductions(
    index: int, leg: Leg, gap: Decimal, books: Mapping[str, Book], sellable: Mapping[str, Size]
) -> list[Move | None]:
    """Exit what is settled and sellable, or hedge: whichever brings more is taken."""
    instrument = leg.instrument
    ready = min(gap, sellable.get(instrument.token, NO_SIZE)) if leg.side is Side.BUY else gap
    leave = _move(index, Purpose.EXIT, instrument, leg.side.opposite, ready, books)
    # Where the venue nets both outcomes, buying the complement is the same order as selling.
    nets = instrument.rules.nets
    return [leave, None if nets else _move(index, Purpose.HEDGE, instrument.other(), leg.side, gap, books)]


def _brings(move: Move) -> tuple[Decimal, Decimal]:
    """What a move brings in all: a hedge's pairs pay $1 each later. At a tie, money now."""
    pairs = move.size if move.purpose is Purpose.HEDGE else ZERO
    return (pairs - move.cost, -pairs)


def _move(  # noqa: PLR0917 - the leg, the order and the books are one question
    index: int, purpose: Purpose, instrument: Instrument, side: Side, wanted: Decimal, books: Mapping[str, Book]
) -> Move | None:
    """The order for up to `wanted` shares that the book can fill now and the venue accepts."""
    book = books.get(instrument.token)
    levels = _reachable(book, instrument, side) if book else ()
    depth = sum((level.size for level in levels), NO_SIZE)
    size = instrument.floor_size(min(wanted, depth))
    if size <= 0:
        return None
    cost, fee, worst = take(Leg(instrument, side), size, levels)
    limit = instrument.limit_for(side, worst)
    if not instrument.allows(size, limit, side):
        return None
    return Move(index, purpose, instrument, side, size, limit, Usd(cost + fee))


def _reachable(book: Book, instrument: Instrument, side: Side) -> tuple[Level, ...]:
    """The levels that an order can take at all: those within the limits that its venue allows."""
    levels = book.against(side)
    if levels and not instrument.rules.lowest() <= levels[-1].price <= instrument.rules.highest():
        return tuple(book.within(side, instrument.worst_limit(side)))
    return levels
