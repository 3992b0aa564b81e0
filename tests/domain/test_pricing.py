"""The one pricing function, against a brute force in exact fractions."""

from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from fractions import Fraction as F
from math import ceil, floor

import pytest
from hypothesis import event, given, note
from hypothesis import strategies as st

from arbsaga.domain.baskets import Basket, BasketKind, Leg, yes_of_all
from arbsaga.domain.instruments import Side
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.pricing import Gates, NoTrade, Quote, price_basket, take, unit_edge

from .make import PROPERTY, book, instrument, levels, rules

GATES = Gates()


# --- the reference: tries every size, shares no code with the domain -------------------------------------


@dataclass
class Taken:
    """What one leg of one size comes to."""

    size: F
    worst: F
    limit: F
    cost: F
    fee: F
    depth: F


def ref_take(leg, size, side_levels) -> Taken | None:
    sign, left, cost, fee, worst = (1 if leg.side is Side.BUY else -1), size, F(0), F(0), None
    schedule = leg.instrument.rules.fee
    for level in side_levels:
        if left <= 0:
            break
        part, worst = min(left, F(level.size)), F(level.price)
        cost += sign * part * worst
        fee += F(ceil(part * ref_fee(schedule, worst) * 100_000), 100_000)
        left -= part
    if left > 0:
        return None
    tick = F(leg.instrument.rules.tick)
    limit = ceil(worst / tick) * tick if sign > 0 else floor(worst / tick) * tick
    depth = sum((F(level.size) for level in side_levels if sign * F(level.price) <= sign * limit), F(0))
    return Taken(size, worst, limit, F(ceil(cost * 10**6), 10**6), fee, depth)


def ref_fee(schedule, price: F) -> F:
    return F(schedule.rate) * (price * (1 - price)) ** schedule.exponent


def ref_passes(basket, taken, gates) -> bool:
    """The gates for one size, all but the rounding of fees: the marginal unit, depth, budget, the venue's rules."""
    payout, price, unit = F(basket.payout), F(0), F(0)
    for leg, one in zip(basket.legs, taken, strict=True):
        sign, of = (1 if leg.side is Side.BUY else -1), leg.instrument.rules
        price += sign * F(leg.ratio) * one.worst
        unit += F(leg.ratio) * (sign * one.worst + ref_fee(of.fee, one.worst))
        tick = F(of.tick)
        if not tick <= one.limit <= 1 - tick or one.depth < F(gates.min_depth):
            return False
        if one.size < F(of.min_size) or (sign > 0 and one.size * one.limit < F(of.min_notional)):
            return False
    if price >= F(gates.max_price_ratio) * payout or payout - unit < F(gates.min_edge) * payout:
        return False
    return sum(one.cost + one.fee for one in taken) <= F(gates.budget)


def reference(basket, books, gates, step: F, most: int) -> tuple[F, list[Taken]] | None:
    """The largest size (units) among all multiples of `step` that every venue takes and that passes."""
    for count in range(most, 0, -1):
        units = count * step
        sizes = [units * F(leg.ratio) for leg in basket.legs]
        steps = [F(leg.instrument.rules.size_step) for leg in basket.legs]
        if any((size / one).denominator != 1 for size, one in zip(sizes, steps, strict=True)):
            continue
        taken = [
            ref_take(leg, size, books[leg.instrument.token].against(leg.side))
            for leg, size in zip(basket.legs, sizes, strict=True)
        ]
        if None not in taken and ref_passes(basket, taken, gates):
            return units, taken
    return None


# --- what is drawn ---------------------------------------------------------------------------------------

STEP, MOST = F(1, 4), 160  # sizes are tried up to 40 units, in quarters


@st.composite
def situations(draw):
    """A basket of 2 to 4 legs near its payout, its books with prices off the grid too, and gates."""
    count = draw(st.integers(2, 4))
    payout = draw(st.sampled_from(["1", "1", "2"]))
    legs, books = [], {}
    for index in range(count):
        name = "abcd"[index]
        of = rules(
            tick=draw(st.sampled_from(["0.01", "0.001", "0.05"])),
            rate=draw(st.sampled_from(["0", "0.05", "0.07"])),
            min_size=draw(st.sampled_from(["1", "1", "1", "5"])),
            size_step=draw(st.sampled_from(["1", "0.5"])),
            min_notional=draw(st.sampled_from(["0", "1"])),
        )
        side = draw(st.sampled_from([Side.BUY] * 6 + [Side.SELL]))
        legs.append(Leg(instrument(name, of=of), side, Decimal(draw(st.sampled_from(["1", "1", "1", "0.5", "2"])))))
        centre = 1000 * int(payout) // count if side is Side.BUY else 100
        best = draw(st.integers(max(1, min(centre - 250, 900)), min(centre - 10, 998)))
        books[f"{name}-yes"] = draw(one_book(f"{name}-yes", best, side))
    basket = Basket("k", BasketKind.COMPLEMENT, "t", "e", tuple(legs), Usd(Decimal(payout)))
    gates = Gates(
        max_price_ratio=Decimal(draw(st.sampled_from(["0.98", "0.9", "1.2"]))),
        min_edge=Decimal(draw(st.sampled_from(["0.005", "0", "-0.05"]))),
        min_depth=Size(Decimal(draw(st.sampled_from(["0", "3", "3", "10"])))),
        budget=Usd(Decimal(draw(st.sampled_from(["100", "20", "9.03", "7.77", "0.5"])))),
    )
    return basket, books, gates


@st.composite
def one_book(draw, token, best, side):
    """Up to four levels from `best` (in thousandths) on, each at most 12 shares."""
    gaps = draw(st.lists(st.sampled_from([1, 5, 10, 20, 100]), max_size=3))
    prices, sign = [best], (1 if side is Side.BUY else -1)
    for gap in gaps:
        prices.append(prices[-1] + sign * gap)
    sizes = [draw(st.sampled_from(["0.3", "2", "5.25", "8", "10", "12", "12.9"])) for _ in prices]
    pairs = [(f"{price / 1000:.3f}", size) for price, size in zip(prices, sizes, strict=True) if 0 < price < 1000]
    return book(token, *pairs) if side is Side.BUY else book(token, bids=pairs)


# --- properties ------------------------------------------------------------------------------------------


@PROPERTY
@given(situations())
def test_it_finds_the_largest_size_that_passes(situation):
    """The same size, cost, fees and limits as trying every size; a reason exactly when none passes."""
    basket, books, gates = situation
    best = reference(basket, books, gates, STEP, MOST)
    found = price_basket(basket, books, gates)
    note(f"{found}")
    event("quoted" if isinstance(found, Quote) else found.reason.partition(":")[0])
    if best is None:
        assert isinstance(found, NoTrade)
        assert found.reason
        return
    units, taken = best
    cost, fees, payout = sum(one.cost for one in taken), sum(one.fee for one in taken), units * F(basket.payout)
    if payout - cost - fees < F(gates.min_edge) * payout:
        assert isinstance(found, NoTrade)
        assert found.reason.startswith("edge: ")
        return
    assert isinstance(found, Quote)
    assert (F(found.size), F(found.cost), F(found.fees), F(found.payout)) == (units, cost, fees, payout)
    assert [(F(leg.size), F(leg.limit)) for leg in found.legs] == [(one.size, one.limit) for one in taken]


@PROPERTY
@given(situations())
def test_a_quote_keeps_every_promise(situation):
    """Within budget and depth; every leg on the venue's grid and over its minimums; the edge is what is left."""
    basket, books, gates = situation
    quote = price_basket(basket, books, gates)
    assert_no_float(quote)
    if isinstance(quote, NoTrade):
        return
    assert quote.cost + quote.fees <= gates.budget
    assert quote.edge == quote.payout - quote.cost - quote.fees >= gates.min_edge * quote.payout
    assert quote.edge_bps == (quote.edge / quote.payout * 10_000).quantize(Decimal("0.1"))
    for one in quote.legs:
        of, depth = one.leg.instrument.rules, books[one.leg.instrument.token].depth(one.leg.side, one.limit)
        assert depth >= max(one.size, gates.min_depth)
        assert one.size == quote.size * one.leg.ratio
        assert one.size % of.size_step == 0 <= one.size - of.min_size
        assert one.limit % of.tick == 0
        assert of.tick <= one.limit <= 1 - of.tick
        assert one.leg.side is Side.SELL or one.size * one.limit >= of.min_notional


def assert_no_float(value):
    if is_dataclass(value):
        for field in fields(value):
            assert_no_float(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            assert_no_float(item)
    else:
        assert not isinstance(value, float)


# --- cases a trader would check by hand ------------------------------------------------------------------


def yes_basket(*prices_and_sizes, **of):
    """A YES basket with one level per leg, and its books."""
    names = "abcdefgh"[: len(prices_and_sizes)]
    basket = yes_of_all("e", "Who wins?", [instrument(name, of=rules(**of)) for name in names])
    books = {f"{name}-yes": book(f"{name}-yes", pair) for name, pair in zip(names, prices_and_sizes, strict=True)}
    return basket, books


def test_a_three_way_event_at_94_cents_with_fees():
    """40 shares of each at 0.30 + 0.31 + 0.33 with a rate of 0.04: costs, fees and edge by hand."""
    basket, books = yes_basket(("0.30", "50"), ("0.31", "40"), ("0.33", "60"), rate="0.04")
    quote = price_basket(basket, books, GATES)
    assert isinstance(quote, Quote)
    assert (quote.size, quote.cost, quote.payout) == (40, Decimal("37.6"), 40)
    assert quote.fees == Decimal("0.336") + Decimal("0.34224") + Decimal("0.35376")
    assert quote.edge == Decimal("1.368")
    assert quote.edge_bps == 342
    assert unit_edge(basket, [Price(Decimal(p)) for p in ("0.30", "0.31", "0.33")]) == Decimal("0.0342")


def test_the_budget_is_never_passed_by_rounding_fees_up():
    """10.01 units spend the budget to the last digit before rounding, so that they are one step too many."""
    basket, books = yes_basket(("0.31", "500"), ("0.31", "500"), rate="0.07")
    a_unit = Decimal(2) * (Decimal("0.31") + Decimal("0.07") * Decimal("0.31") * Decimal("0.69"))
    gates = Gates(budget=Usd(Decimal("10.01") * a_unit))
    quote = price_basket(basket, books, gates)
    assert isinstance(quote, Quote)
    assert quote.size == Decimal("10.00")
    assert quote.cost + quote.fees <= gates.budget


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"missing": "b-yes"}, "no book: "),
        ({"empty": "b-yes"}, "empty book: "),
        ({"prices": ("0.50", "0.48")}, "price: 0.98 is not under"),
        ({"prices": ("0.45", "0.50"), "rate": "0.10"}, "edge: 0.0002 per $1"),
        ({"size": "9.99"}, "depth: only 9.99 shares at 0.40"),
        ({"min_size": "50"}, "minimum: 20.00 @ 0.40 is under"),
        ({"prices": ("0.995", "0.40"), "ratio": "2", "edge": "-1"}, "empty book: "),
    ],
)
def test_the_reason_names_the_gate(change, gate):
    """Each gate refuses on its own, in a trader's words."""
    first, second = change.get("prices", ("0.40", "0.40"))
    size, of = change.get("size", "20"), {key: change[key] for key in ("rate", "min_size") if key in change}
    basket, books = yes_basket((first, size), (second, size), **of)
    books.pop(change.get("missing"), None)
    if "empty" in change:
        books[change["empty"]] = book(change["empty"])
    gates = Gates(Decimal(change.get("ratio", "0.98")), Decimal(change.get("edge", "0.005")))
    refused = price_basket(basket, books, gates)
    assert isinstance(refused, NoTrade)
    assert refused.reason.startswith(gate)
    assert (refused.edge is None) is (gate[:2] in {"no", "em"})


def test_an_edge_that_only_rounding_takes_away_is_no_trade():
    """At the gate exactly, fees rounded up are a hair more than the formula: the trade would be under it."""
    basket, books = yes_basket(("0.30", "10.01"), ("0.30", "10.01"), rate="0.05", min_size="1")
    exact = unit_edge(basket, [Price(Decimal("0.30"))] * 2)
    refused = price_basket(basket, books, Gates(min_edge=exact))
    assert isinstance(refused, NoTrade)
    assert "once fees are rounded up" in refused.reason


def test_a_level_that_runs_out_does_not_take_the_other_legs_further():
    """12 shares at the first level of one leg, 12.9 of the other: 12.9 units, the other's next level is too dear."""
    basket, books = yes_basket(("0.30", "12"), ("0.30", "12.9"))
    books = {
        "a-yes": book("a-yes", ("0.30", "12"), ("0.31", "12")),
        "b-yes": book("b-yes", ("0.30", "12.9"), ("0.90", "10")),
    }
    quote = price_basket(basket, books, GATES)
    assert isinstance(quote, Quote)
    assert quote.size == Decimal("12.9")
    assert [leg.limit for leg in quote.legs] == [Decimal("0.31"), Decimal("0.30")]


def test_depth_at_the_limit_counts_even_when_the_budget_buys_less():
    """A budget of $6 buys 7 units of a deep basket; the gate asks for depth, not for size."""
    basket, books = yes_basket(("0.40", "500"), ("0.40", "500"))
    quote = price_basket(basket, books, Gates(budget=Usd(Decimal(6))))
    assert isinstance(quote, Quote)
    assert quote.size == Decimal("7.5")


def test_sizes_fit_the_grid_of_every_leg():
    """Ratios of 2 and 3 shares per unit on a grid of 0.01: units in steps that both legs accept."""
    legs = (Leg(instrument("a"), ratio=Decimal(2)), Leg(instrument("b"), ratio=Decimal(3)))
    basket = Basket("k", BasketKind.COMPLEMENT, "t", "e", legs, Usd(Decimal(3)))
    books = {"a-yes": book("a-yes", ("0.40", "20.03")), "b-yes": book("b-yes", ("0.40", "200"))}
    quote = price_basket(basket, books, GATES)
    assert isinstance(quote, Quote)
    assert [one.size for one in quote.legs] == [Decimal("20.02"), Decimal("30.03")]


def test_thirds_of_a_step_become_whole_steps():
    """A ratio of 3 on every leg: a unit's step has no last decimal, so whole steps are taken."""
    legs = tuple(Leg(instrument(name), ratio=Decimal(3)) for name in "ab")
    basket = Basket("k", BasketKind.COMPLEMENT, "t", "e", legs, Usd(Decimal(3)))
    books = {f"{name}-yes": book(f"{name}-yes", ("0.40", "20")) for name in "ab"}
    quote = price_basket(basket, books, GATES)
    assert isinstance(quote, Quote)
    assert {one.size for one in quote.legs} == {Decimal("19.98")}


def test_taking_more_than_the_levels_hold_is_a_mistake():
    """The caller sizes the order to the book."""
    with pytest.raises(AssertionError):
        take(Leg(instrument()), Size(Decimal(6)), levels(("0.40", "5")))


def test_a_sale_is_rounded_down_to_the_micro():
    """Proceeds lose the fraction of the smallest unit: against us."""
    cost, _, limit = take(
        Leg(instrument(), Side.SELL), Size(Decimal("0.000003")), levels(("0.5", "0.000001"), ("0.4", "9"))
    )
    assert (cost, limit) == (Decimal("-0.000001"), Decimal("0.4"))
