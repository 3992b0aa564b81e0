"""The one pricing function: what a basket costs at real depth, against what it pays.

It walks the books of all legs at once, one common slice at a time, and stops where the next
slice no longer passes the gates or the budget is spent. So the average passes them too. Where each
fill is rounded as well, a slice can cost more than it brings: then the walk goes back to the best of its stops.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm

from arbsaga.domain.baskets import Basket, Leg
from arbsaga.domain.books import Book, Level
from arbsaga.domain.instruments import Side
from arbsaga.domain.money import MICRO, NO_USD, ZERO, Price, Size, Usd, ceil_to, floor_to


@dataclass(frozen=True, slots=True)
class Gates:
    """What a basket must pass to be traded.

    `max_price_ratio`: price over payout before fees must be under this. `min_edge`: USD of profit
    per $1 of payout after fees (may be negative, for drills). `min_depth`: shares that every leg's
    book must offer at its limit or better. `budget`: USD that may be spent, fees included.
    """

    max_price_ratio: Decimal = Decimal("0.98")
    min_edge: Decimal = Decimal("0.005")
    min_depth: Size = Size(Decimal(10))
    budget: Usd = Usd(Decimal(100))


@dataclass(frozen=True, slots=True)
class LegQuote:
    """One leg of a priced basket: `size` shares up to `limit`, costing `cost` + `fee` USD in at least `fills` fills."""

    leg: Leg
    size: Size
    limit: Price
    cost: Usd
    fee: Usd
    fills: int = 1


@dataclass(frozen=True, slots=True)
class Quote:
    """A basket that passes the gates: `size` units cost `cost` + `fees` USD and pay `payout` USD."""

    basket: Basket
    size: Size
    legs: tuple[LegQuote, ...]
    cost: Usd
    fees: Usd
    payout: Usd

    @property
    def edge(self) -> Usd:
        """The profit in USD, fees included."""
        return Usd(self.payout - self.cost - self.fees)

    @property
    def edge_bps(self) -> Decimal:
        """The profit in basis points of the payout."""
        return (self.edge / self.payout * 10_000).quantize(Decimal("0.1"))


@dataclass(frozen=True, slots=True)
class NoTrade:
    """Why a basket is not traded, in a trader's words, and its best edge per $1 of payout if known."""

    reason: str
    edge: Decimal | None = None


def price_basket(basket: Basket, books: Mapping[str, Book], gates: Gates) -> Quote | NoTrade:
    """The largest size of the basket that passes the gates on these books, or why there is none.

    `books` maps each leg's token to its book. Sizes come in steps that every leg's venue accepts,
    limits on its tick grid. The text before the colon of a reason names the gate.
    """
    sides = []
    for leg in basket.legs:
        book = books.get(leg.instrument.token)
        if book is None:
            return NoTrade(f"no book: {leg.instrument.title}")
        levels = _reachable(leg, book)
        if not levels:
            return NoTrade(f"empty book: {leg.instrument.title}")
        sides.append(levels)
    top = [levels[0].price for levels in sides]
    edge = unit_edge(basket, top)
    if reason := _gate(basket, top, gates):
        return NoTrade(reason, edge)
    best, reason = None, ""
    for quote in _quotes(basket, _walk(basket, sides, gates), sides, gates):
        if refusal := _refusal(quote, sides, gates):
            reason = reason or refusal
        elif best is None or _surplus(quote, gates) > _surplus(best, gates):
            best = quote
    return best or NoTrade(reason, edge)


def unit_edge(basket: Basket, prices: Sequence[Price]) -> Decimal:
    """Profit per $1 of payout of one unit at these prices, fees included and not rounded."""
    return (basket.payout - _unit_cost(basket, prices)) / basket.payout


def _reachable(leg: Leg, book: Book) -> tuple[Level, ...]:
    """The levels that an order can take at all: its limit must stay a tick inside 0 and 1."""
    levels = book.against(leg.side)
    worst = leg.instrument.worst_limit(leg.side)
    if levels and _signed(leg) * levels[-1].price > _signed(leg) * worst:
        return tuple(book.within(leg.side, worst))
    return levels


def _unit_cost(basket: Basket, prices: Sequence[Price]) -> Decimal:
    pairs = zip(basket.legs, prices, strict=True)
    return sum((leg.ratio * (_signed(leg) * price + _fee_per_share(leg, price)) for leg, price in pairs), ZERO)


def _fee_per_share(leg: Leg, price: Price) -> Decimal:
    return leg.instrument.rules.fee.per_share(price)


def _signed(leg: Leg) -> int:
    return 1 if leg.side is Side.BUY else -1


def _gate(basket: Basket, prices: Sequence[Price], gates: Gates) -> str:
    """Why one more unit at these prices is not wanted, or empty."""
    price = sum((_signed(leg) * at * leg.ratio for leg, at in zip(basket.legs, prices, strict=True)), ZERO)
    if price >= gates.max_price_ratio * basket.payout:
        return f"price: {price:f} is not under {gates.max_price_ratio} of the payout {basket.payout}"
    profit = basket.payout - _unit_cost(basket, prices)
    if profit < gates.min_edge * basket.payout:
        return f"edge: {profit / basket.payout:.4f} per $1 is under {gates.min_edge} after fees"
    return ""


def _walk(basket: Basket, sides: Sequence[tuple[Level, ...]], gates: Gates) -> list[Decimal]:
    """How many units can be had until a level runs out, for each in turn, and at last until the next slice fails.

    The gates fail it, or the budget, or there is none. The best prices have passed the gates.
    """
    at = [0] * len(sides)
    reach = [levels[0].size for levels in sides]  # summed in shares, so that a ratio is divided by once only
    units, spent = ZERO, ZERO
    stops: list[Decimal] = []
    while True:
        prices = [levels[index].price for levels, index in zip(sides, at, strict=True)]
        if _gate(basket, prices, gates):
            return stops
        unit_cost = _unit_cost(basket, prices)
        limits = [size / leg.ratio for size, leg in zip(reach, basket.legs, strict=True)]
        until = min(limits)
        cost = (until - units) * unit_cost
        if spent + cost > gates.budget:
            return [*stops, units + (gates.budget - spent) / unit_cost]
        units, spent = until, spent + cost
        stops.append(units)
        for index, limit in enumerate(limits):
            if limit > until:
                continue
            at[index] += 1
            if at[index] == len(sides[index]):
                return stops
            reach[index] = Size(reach[index] + sides[index][at[index]].size)


def _quotes(
    basket: Basket, stops: Sequence[Decimal], sides: Sequence[tuple[Level, ...]], gates: Gates
) -> Iterator[Quote]:
    """The basket at the largest size; where a fill is rounded by itself, also as far as each level, larger ones first.

    Between two stops each unit brings the same and costs no new rounding, so no size between them is the best.
    """
    largest = _quote(basket, stops[-1], sides, gates)
    yield largest
    if not any(leg.instrument.rules.fee.rounding for leg in basket.legs):
        return
    size = largest.size
    for units in reversed(stops[:-1]):
        quote = _quote(basket, units, sides, gates)
        if ZERO < quote.size < size:
            size = quote.size
            yield quote


def _surplus(quote: Quote, gates: Gates) -> Decimal:
    """USD of profit beyond what the gate asks for."""
    return quote.edge - gates.min_edge * quote.payout


def _quote(basket: Basket, units: Decimal, sides: Sequence[tuple[Level, ...]], gates: Gates) -> Quote:
    """The basket at the largest size up to `units` that every leg's venue accepts and the budget pays."""
    step = _common_step(tuple((leg.instrument.rules.size_step, leg.ratio) for leg in basket.legs))
    size = floor_to(max(units, ZERO), step)
    while True:
        legs = tuple(_leg_quote(leg, Size(size), levels) for leg, levels in zip(basket.legs, sides, strict=True))
        cost, fees = sum((quote.cost for quote in legs), NO_USD), sum((quote.fee for quote in legs), NO_USD)
        if size <= 0 or cost + fees <= gates.budget:
            return Quote(basket, Size(size), legs, Usd(cost), Usd(fees), Usd(size * basket.payout))
        size -= step  # rounding fees up can pass the budget by a hair


@lru_cache(maxsize=256)
def _common_step(legs: tuple[tuple[Decimal, Decimal], ...]) -> Decimal:
    """The smallest step of units that is a whole number of size steps, and a finite decimal, for every leg."""
    steps = [Fraction(step) / Fraction(ratio) for step, ratio in legs]
    top = lcm(*(step.numerator for step in steps))
    bottom = gcd(*(step.denominator for step in steps))
    finite = gcd(bottom, 10 ** bottom.bit_length())  # 1/3 has no last decimal: whole units then
    return Decimal(top) / finite


def _refusal(quote: Quote, sides: Sequence[tuple[Level, ...]], gates: Gates) -> str:
    """Why the venue or the gates refuse this size, or empty. A smaller one has less depth at its limit."""
    for leg_quote, levels in zip(quote.legs, sides, strict=True):
        instrument, side = leg_quote.leg.instrument, leg_quote.leg.side
        depth = _depth(leg_quote, levels)
        if depth < gates.min_depth:
            return f"depth: only {depth:f} shares at {leg_quote.limit}, {gates.min_depth} wanted: {instrument.title}"
        if not instrument.allows(leg_quote.size, leg_quote.limit, side):
            return f"minimum: {leg_quote.size:f} @ {leg_quote.limit} is under the venue's: {instrument.title}"
    if quote.edge < gates.min_edge * quote.payout:
        return f"edge: {quote.edge:f} on {quote.payout:f} is under {gates.min_edge} per $1 once fees are rounded up"
    return ""


def _depth(quote: LegQuote, levels: tuple[Level, ...]) -> Decimal:
    sign = _signed(quote.leg)
    return sum((level.size for level in levels if sign * level.price <= sign * quote.limit), ZERO)


def _leg_quote(leg: Leg, units: Size, levels: tuple[Level, ...]) -> LegQuote:
    size = Size(units * leg.ratio)
    cost, fee, worst = take(leg, size, levels)
    fills = next(count for count, level in enumerate(levels, 1) if level.price == worst)
    return LegQuote(leg, size, leg.instrument.limit_for(leg.side, worst), cost, fee, fills)


def take(leg: Leg, size: Size, levels: tuple[Level, ...]) -> tuple[Usd, Usd, Price]:
    """What taking `size` shares from these levels costs: (cost, fee, worst price). Sells cost less than 0.

    The levels must hold the size.
    """
    left, cost, fee, limit = Decimal(size), ZERO, ZERO, levels[0].price
    for level in levels:
        part = min(left, level.size)
        cost += _signed(leg) * part * level.price
        fee += leg.instrument.rules.fee.taker_fee(Size(part), level.price)
        limit, left = level.price, left - part
        if left <= 0:
            break
    assert left <= 0, "the levels hold the size"
    return Usd(ceil_to(cost, MICRO)), Usd(fee), limit
