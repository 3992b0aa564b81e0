"""Pricing across two venues with rules of their own, against every size there is, in whole numbers.

Units of the reference: prices in 1/10,000 of a dollar, sizes in 1/100 of a share, money in millionths of a dollar.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from hypothesis import event, given, note
from hypothesis import strategies as st

from arbsaga.domain.baskets import BasketKind, cross
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Band, Outcome
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.pricing import Gates, NoTrade, Quote, price_basket

from .make import PROPERTY, book, instrument, rules

HAIR = 6 * 10
"""Millionths: six fills, each rounded up to 1/100,000 of a dollar, can make a larger size look worse by so much."""


@dataclass(frozen=True)
class LegRules:
    """One venue's market in whole numbers. `prices` are all that an order may have."""

    prices: tuple[int, ...]
    step: int
    min_size: int
    min_notional: int
    rate: int  # hundredths
    fee_step: int
    rounding: int
    levels: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Priced:
    """One size of a basket. `surplus` is its profit beyond what the gate asks for."""

    limits: tuple[int, int]
    cost: int
    fees: int
    surplus: int


def take(of: LegRules, size: int) -> tuple[int, int, int] | None:
    """(cost, fees, worst price) of so many shares, or None when the levels do not hold them."""
    left, cost, fees, worst = size, 0, 0, 0
    for worst, depth in of.levels:
        part = min(left, depth)
        cost += part * worst
        fees += -(-of.rate * part * worst * (10_000 - worst) // (10**6 * of.fee_step)) * of.fee_step + of.rounding
        left -= part
        if not left:
            return cost, fees, worst
    return None


def fits(of: LegRules, size: int, worst: int, min_depth: int) -> int | None:
    """The limit of an order of this size that the venue takes and that has its depth, or None."""
    limit = next((price for price in of.prices if price >= worst), None)
    if limit is None or size % of.step or size < of.min_size or size * limit < of.min_notional:
        return None
    return limit if sum(depth for price, depth in of.levels if price <= limit) >= min_depth else None


def price(legs: tuple[LegRules, LegRules], size: int, gates: Gates) -> Priced | None:
    """This size of the basket if it passes every gate but the edge in all."""
    taken = [take(of, size) for of in legs]
    if None in taken:
        return None
    limits = [fits(of, size, one[2], int(gates.min_depth * 100)) for of, one in zip(legs, taken, strict=True)]
    cost, fees = sum(one[0] for one in taken), sum(one[1] for one in taken)
    worst = [one[2] for one in taken]
    least = int(gates.min_edge * 10**4)
    unit_fees = sum(of.rate * at * (10_000 - at) for of, at in zip(legs, worst, strict=True))  # 1e-10 of a dollar
    if None in limits or sum(worst) >= gates.max_price_ratio * 10_000:
        return None
    if 10**10 - sum(worst) * 10**6 - unit_fees < least * 10**6 or cost + fees > gates.budget * 10**6:
        return None
    return Priced((limits[0], limits[1]), cost, fees, size * 10_000 - cost - fees - least * size)


# --- what is drawn ---------------------------------------------------------------------------------------

GRIDS = {
    "cent": [(0, 10_000, 100)],
    "tapered": [(0, 1_000, 10), (1_000, 9_000, 100), (9_000, 10_000, 10)],
    "edges": [(0, 100, 1), (100, 9_900, 10), (9_900, 10_000, 1)],
}


def prices_of(grid: str) -> tuple[int, ...]:
    return tuple(sorted({at for a, b, tick in GRIDS[grid] for at in range(a, b + 1, tick)} - {0, 10_000}))


def bands_of(grid: str) -> tuple[Band, ...]:
    return tuple(Band(Price(D4(a)), Price(D4(b)), D4(tick)) for a, b, tick in GRIDS[grid])


def D4(count: int) -> Decimal:
    return Decimal(count) / 10_000


def D2(count: int) -> Decimal:
    return Decimal(count) / 100


@st.composite
def one_book(draw, best: int):
    """Up to three levels from `best` on."""
    gaps = draw(st.lists(st.sampled_from([10, 50, 100, 300]), max_size=2))
    sizes = st.sampled_from([1, 7, 100, 301, 500, 640, 900, 900])
    at, levels = best, [(best, draw(sizes))]
    for gap in gaps:
        at += gap
        levels.append((at, draw(sizes)))
    return tuple((price, size) for price, size in levels if price < 10_000)


@st.composite
def situations(draw):
    """One leg by Polymarket's rules, one by Kalshi's: books that are near an arbitrage, and gates."""
    best = draw(st.sampled_from([30, 950, 3_000, 4_200, 5_000, 6_000, 8_800]))
    gap = draw(st.sampled_from([100, 300, 600, 600, 1_500]))
    other = max(20, min(9_990, (10_000 - best - gap) // 10 * 10))
    tick = draw(st.sampled_from([10, 100]))
    poly = LegRules(
        prices=tuple(range(tick, 10_000, tick)),
        step=1,
        min_size=draw(st.sampled_from([500, 100])),
        min_notional=draw(st.sampled_from([10**6, 10**6, 0])),
        rate=draw(st.sampled_from([0, 4])),
        fee_step=10,
        rounding=0,
        levels=draw(one_book(best)),
    )
    grid, step = draw(st.sampled_from(sorted(GRIDS))), draw(st.sampled_from([1, 1, 100]))
    kalshi = LegRules(
        prices=prices_of(grid),
        step=step,
        min_size=step,
        min_notional=0,
        rate=draw(st.sampled_from([7, 7, 0])),
        fee_step=1,
        rounding=draw(st.sampled_from([10_000, 10_000, 100, 0])),
        levels=draw(one_book(other)),
    )
    gates = Gates(
        max_price_ratio=Decimal(draw(st.sampled_from(["0.98", "0.98", "1.1"]))),
        min_edge=Decimal(draw(st.sampled_from(["0.005", "0.005", "0", "-0.03"]))),
        min_depth=Size(Decimal(draw(st.sampled_from(["0", "0", "3"])))),
        budget=Usd(Decimal(draw(st.sampled_from(["100", "100", "7.5", "3.03"])))),
    )
    return poly, kalshi, grid, gates, draw(st.booleans())


def basket_of(poly: LegRules, kalshi: LegRules, grid: str, swapped: bool):
    """The same as the domain has it: basket and books."""
    shared = {"nets": True, "pocket": "2", "bands": bands_of(grid)}
    ours = [
        rules(str(D4(poly.prices[0])), "0", str(D2(poly.min_size)), "0.01", str(Decimal(poly.min_notional) / 10**6)),
        rules(str(D4(kalshi.prices[0])), "0", str(D2(kalshi.min_size)), str(D2(kalshi.step)), "0", **shared),
    ]
    legs, books = [], {}
    for venue, outcome, of, whole in zip(
        ("poly", "kalshi"), (Outcome.YES, Outcome.NO), ours, (poly, kalshi), strict=True
    ):
        fee = FeeSchedule(D2(whole.rate), 1, Decimal(whole.fee_step) / 10**6, Usd(Decimal(whole.rounding) / 10**6))
        legs.append(replace(instrument(venue, outcome, replace(of, fee=fee)), venue=venue))
        books[legs[-1].token] = book(legs[-1].token, *[(str(D4(at)), str(D2(size))) for at, size in whole.levels])
    a, b = reversed(legs) if swapped else legs
    return cross("p", "t", BasketKind.IDENTITY, a, b), books


# --- properties ------------------------------------------------------------------------------------------


@PROPERTY
@given(situations())
def test_no_size_is_better_than_the_one_found(situation):
    """Of all sizes that both venues take and that pass, the one with the most profit beyond the gate; else a reason.

    Its cost, fees and limits are those of the reference. Where no fill is rounded by itself it is the largest.
    """
    poly, kalshi, grid, gates, swapped = situation
    basket, books = basket_of(poly, kalshi, grid, swapped)
    found = price_basket(basket, books, gates)
    note(f"{found}")
    legs = (kalshi, poly) if swapped else (poly, kalshi)
    most = min(sum(size for _, size in of.levels) for of in legs)
    all_sizes = {size: one for size in range(1, most + 1) if (one := price(legs, size, gates)) is not None}
    best = max((one.surplus for one in all_sizes.values()), default=-1)
    event("quoted" if isinstance(found, Quote) else found.reason.partition(":")[0])
    if isinstance(found, NoTrade):
        assert best < HAIR
        return
    size = int(found.size * 100)
    one = all_sizes[size]
    assert one.surplus >= max(0, best - HAIR)
    assert (found.cost, found.fees) == (Decimal(one.cost) / 10**6, Decimal(one.fees) / 10**6)
    assert [leg.limit for leg in found.legs] == [D4(limit) for limit in one.limits]
    assert all(leg.leg.instrument.allows(leg.size, leg.limit) for leg in found.legs)
    if not kalshi.rounding:
        assert size == max(all_sizes)
    elif size < max(all_sizes):
        event("went back to an earlier stop")


# --- by hand ---------------------------------------------------------------------------------------------


def by_hand(poly_levels, kalshi_levels, *, step=1, rounding=10_000, min_size=500):
    poly = LegRules(tuple(range(100, 10_000, 100)), 1, min_size, 10**6, 0, 10, 0, poly_levels)
    kalshi = LegRules(prices_of("tapered"), step, step, 0, 7, 1, rounding, kalshi_levels)
    return basket_of(poly, kalshi, "tapered", False)


def quoted(basket, books, **gates) -> Quote:
    quote = price_basket(basket, books, Gates(**({"min_depth": Size(Decimal(0))} | gates)))
    assert isinstance(quote, Quote)
    return quote


def test_whole_contracts_on_one_side_make_whole_shares_on_the_other():
    """12.34 shares here and 11.99 contracts there, of which whole ones are traded: 11 of each."""
    quote = quoted(*by_hand(((4_000, 1_234),), ((5_000, 1_199),), step=100))
    assert [leg.size for leg in quote.legs] == [11, 11]
    assert quoted(*by_hand(((4_000, 1_234),), ((5_000, 1_199),))).size == Decimal("11.99")


def test_a_fill_that_costs_more_in_rounding_than_it_brings_is_left_out():
    """0.10 contracts more at the next level would bring 0.7 cents and be rounded by a cent."""
    levels = ((4_000, 1_010),), ((5_000, 1_000), (5_050, 10))
    assert quoted(*by_hand(*levels)).size == 10
    assert quoted(*by_hand(*levels, rounding=100)).size == Decimal("10.1")


def test_a_level_worth_its_rounding_is_reached_through_one_that_is_not():
    """A sliver at the second level is not worth a cent, but the third level pays for both."""
    levels = ((4_000, 3_000),), ((5_000, 1_000), (5_010, 10), (5_020, 1_500))
    assert quoted(*by_hand(*levels)).size == Decimal("25.10")


def test_the_venues_minimum_is_kept_when_rounding_speaks_for_less():
    """4.9 contracts would earn a hair more than 5.1, but 5 shares is the least that the other venue takes."""
    levels = ((4_000, 510),), ((5_000, 490), (5_400, 20))
    assert quoted(*by_hand(*levels)).size == Decimal("5.1")
    assert quoted(*by_hand(*levels, min_size=100)).size == Decimal("4.9")


def test_rounding_can_take_the_whole_edge_of_a_small_book():
    """One contract earns 0.6 cents after its fee; a cent of rounding leaves nothing."""
    basket, books = by_hand(((4_800, 100),), ((4_975, 100),), min_size=100)
    refused = price_basket(basket, books, Gates(min_depth=Size(Decimal(0)), min_edge=Decimal(0)))
    assert isinstance(refused, NoTrade)
    assert refused.reason.startswith("minimum: ")  # $0.48 is under the venue's dollar
    basket, books = by_hand(((4_800, 300),), ((4_975, 300),), min_size=100)
    refused = price_basket(basket, books, Gates(min_depth=Size(Decimal(0)), min_edge=Decimal("0.005")))
    assert isinstance(refused, NoTrade)
    assert "once fees are rounded up" in refused.reason


@pytest.mark.parametrize("budget", ["3", "9.05", "9.06"])
def test_the_budget_pays_the_rounding_too(budget):
    """The size is the largest whose cost, fee and rounding the budget pays."""
    basket, books = by_hand(((4_000, 1_000),), ((5_000, 1_000),), min_size=100)
    quote = quoted(basket, books, budget=Usd(Decimal(budget)))
    assert quote.cost + quote.fees <= Decimal(budget)
    assert quote.cost + quote.fees + Decimal("0.01") > Decimal(budget)
