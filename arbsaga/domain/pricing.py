"""The one pricing function: what a basket costs at real depth, against what it pays.

It walks the books of all legs at once, one common slice at a time, and stops where the next
slice no longer passes the gates or the budget is spent. So the average passes them too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from arbsaga.domain.baskets import Basket, Leg
from arbsaga.domain.books import Book, Level
from arbsaga.domain.instruments import Side
from arbsaga.domain.money import MICRO, NO_USD, ZERO, Price, Size, Usd, ceil_to, floor_to

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Gates:
    """What a basket must pass to be traded.

    `max_price_ratio`: price over payout before fees must be under this. `min_edge`: USD of profit
    per $1 of payout after fees (may be negative, for drills). `min_depth`: shares that every leg
    must offer at its limit. `budget`: USD that may be spent, fees included.
    """

    max_price_ratio: Decimal = Decimal("0.98")
    min_edge: Decimal = Decimal("0.005")
    min_depth: Size = Size(Decimal(10))
    budget: Usd = Usd(Decimal(100))


@dataclass(frozen=True, slots=True)
class LegQuote:
    """One leg of a priced basket: `size` shares up to `limit`, costing `cost` + `fee` USD."""

    leg: Leg
    size: Size
    limit: Price
    cost: Usd
    fee: Usd


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

    `books` maps each leg's token to its book. Sizes come in steps that every leg's venue accepts.
    """
    sides = []
    for leg in basket.legs:
        book = books.get(leg.instrument.token)
        if book is None:
            return NoTrade(f"no book: {leg.instrument.title}")
        levels = book.against(leg.side)
        if not levels:
            return NoTrade(f"empty book: {leg.instrument.title}")
        sides.append(levels)
    top = [levels[0].price for levels in sides]
    edge = unit_edge(basket, top)
    if reason := _gate(basket, top, edge, gates):
        return NoTrade(reason, edge)
    depths = _walk(basket, sides, gates)
    return _quote(basket, depths, sides, gates, edge)


def unit_edge(basket: Basket, prices: Sequence[Price]) -> Decimal:
    """Profit per $1 of payout of one unit at these prices, fees included and not rounded."""
    pairs = zip(basket.legs, prices, strict=True)
    cost = sum((leg.ratio * (_signed(leg) * price + _fee_per_share(leg, price)) for leg, price in pairs), ZERO)
    return (basket.payout - cost) / basket.payout


def _fee_per_share(leg: Leg, price: Price) -> Decimal:
    return leg.instrument.rules.fee.per_share(price)


def _signed(leg: Leg) -> int:
    return 1 if leg.side is Side.BUY else -1


def _gate(basket: Basket, prices: Sequence[Price], edge: Decimal, gates: Gates) -> str | None:
    price = sum((_signed(leg) * at * leg.ratio for leg, at in zip(basket.legs, prices, strict=True)), ZERO)
    if price >= gates.max_price_ratio * basket.payout:
        return f"price {price} is not under {gates.max_price_ratio} of the payout {basket.payout}"
    if edge < gates.min_edge:
        return f"edge {edge:.4f} per $1 is under {gates.min_edge} after fees"
    return None


def _walk(basket: Basket, sides: Sequence[tuple[Level, ...]], gates: Gates) -> Size:
    """How many units can be had before the next slice fails the gates or the budget is spent."""
    at = [0] * len(sides)
    left = [levels[0].size / leg.ratio for levels, leg in zip(sides, basket.legs, strict=True)]
    units, spent = ZERO, ZERO
    while True:
        prices = [levels[index].price for levels, index in zip(sides, at, strict=True)]
        if _gate(basket, prices, unit_edge(basket, prices), gates):
            return Size(units)
        unit_cost = basket.payout * (1 - unit_edge(basket, prices))
        step = min(left)
        if unit_cost > 0 and spent + step * unit_cost > gates.budget:
            return Size(units + (gates.budget - spent) / unit_cost)
        units, spent = units + step, spent + step * unit_cost
        for index, leg in enumerate(basket.legs):
            left[index] -= step
            if left[index] > 0:
                continue
            at[index] += 1
            if at[index] == len(sides[index]):
                return Size(units)
            left[index] = sides[index][at[index]].size / leg.ratio


def _quote(
    basket: Basket, units: Size, sides: Sequence[tuple[Level, ...]], gates: Gates, edge: Decimal
) -> Quote | NoTrade:
    step = max(leg.instrument.rules.size_step / leg.ratio for leg in basket.legs)
    size = Size(floor_to(units, step))
    while size > 0:
        legs = tuple(_leg_quote(leg, size, levels) for leg, levels in zip(basket.legs, sides, strict=True))
        if sum((quote.cost + quote.fee for quote in legs), NO_USD) <= gates.budget:
            break
        size = Size(size - step)  # rounding fees up can pass the budget by a hair
    if size < gates.min_depth:
        return NoTrade(f"only {size} shares at the limit, {gates.min_depth} wanted", edge)
    for quote in legs:
        if not quote.leg.instrument.allows(quote.size, quote.limit):
            return NoTrade(
                f"{quote.size} @ {quote.limit} is under the venue's minimum: {quote.leg.instrument.title}",
                edge,
            )
    return Quote(
        basket,
        size,
        legs,
        cost=Usd(sum((quote.cost for quote in legs), NO_USD)),
        fees=Usd(sum((quote.fee for quote in legs), NO_USD)),
        payout=Usd(size * basket.payout),
    )


def _leg_quote(leg: Leg, units: Size, levels: tuple[Level, ...]) -> LegQuote:
    size = Size(units * leg.ratio)
    cost, fee, limit = take(leg, size, levels)
    return LegQuote(leg, size, limit, cost, fee)


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
