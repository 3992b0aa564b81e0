"""Price grids whose tick differs along the price: the examples of Kalshi's `price_ranges`, and lopsided ones."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbsaga.domain.instruments import Band, Outcome, Side
from arbsaga.domain.money import Price, Size

from .make import PROPERTY, instrument, rules

SHAPES = {
    "linear_cent": [("0", "1", "0.01")],
    "deci_cent": [("0", "1", "0.001")],
    "tapered_deci_cent": [("0", "0.1", "0.001"), ("0.1", "0.9", "0.01"), ("0.9", "1", "0.001")],
    "center_half_edge_quint_cent": [("0", "0.1", "0.002"), ("0.1", "0.9", "0.005"), ("0.9", "1", "0.002")],
    "center_deci_edge_centi_cent": [("0", "0.01", "0.0001"), ("0.01", "0.99", "0.001"), ("0.99", "1", "0.0001")],
    "without its ends": [("0.01", "0.99", "0.01")],
    "lopsided": [("0", "0.2", "0.001"), ("0.2", "1", "0.01")],
}
PRICES = st.integers(1, 9999).map(lambda price: Price(Decimal(price) / 10_000))


def banded(shape: str, **more):
    bands = tuple(Band(Price(Decimal(a)), Price(Decimal(b)), Decimal(tick)) for a, b, tick in SHAPES[shape])
    return rules(tick=str(min(band.tick for band in bands)), bands=bands, **more)


def grid(shape: str) -> list[Fraction]:
    """Every price of an order, by counting."""
    prices = set()
    for start, end, tick in SHAPES[shape]:
        at = Fraction(start)
        while at <= Fraction(end):
            prices.add(at)
            at += Fraction(tick)
    return sorted(price for price in prices if 0 < price < 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_grid_of_an_outcome_is_what_counting_gives(shape):
    """Every price from 0.0001 to 0.9999 is allowed exactly when a range counts to it; the other outcome's is 1 less."""
    yes, counted = instrument(of=banded(shape, min_size="0.01", min_notional="0")), set(grid(shape))
    for count in range(1, 10_000):
        price, exact = Price(Decimal(count) / 10_000), Fraction(count, 10_000)
        assert yes.allows(Size(Decimal(1)), price) is (exact in counted)
        assert yes.other().allows(Size(Decimal(1)), price) is (1 - exact in counted)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_worst_limits_are_the_ends_of_the_grid(shape, outcome):
    """The dearest price of a buy and the cheapest of a sale, inside 0 and 1."""
    one = instrument(of=banded(shape))
    counted = grid(shape)
    if outcome is Outcome.NO:
        one, counted = one.other(), sorted(1 - price for price in counted)
    assert Fraction(one.worst_limit(Side.BUY)) == counted[-1]
    assert Fraction(one.worst_limit(Side.SELL)) == counted[0]


@PROPERTY
@given(st.sampled_from(sorted(SHAPES)), PRICES, st.booleans())
def test_a_limit_is_the_nearest_price_of_the_grid_that_is_not_better_for_us(shape, price, other):
    """A buy goes up to the next price, a sale down, across the seams of the ranges too."""
    one, counted = instrument(of=banded(shape)), grid(shape)
    if other:
        one, counted = one.other(), sorted(1 - at for at in counted)
    if not counted[0] <= Fraction(price) <= counted[-1]:
        return
    up, down = one.limit_for(Side.BUY, price), one.limit_for(Side.SELL, price)
    assert Fraction(up) == min(at for at in counted if at >= Fraction(price))
    assert Fraction(down) == max(at for at in counted if at <= Fraction(price))


@pytest.mark.parametrize(
    ("price", "up", "down"),
    [
        ("0.0995", "0.1", "0.099"),
        ("0.1", "0.1", "0.1"),
        ("0.1001", "0.11", "0.1"),
        ("0.8999", "0.9", "0.89"),
        ("0.9", "0.9", "0.9"),
        ("0.9001", "0.901", "0.9"),
    ],
)
def test_the_seams_of_a_tapered_grid(price, up, down):
    """0.001 under 0.10 and over 0.90, else 0.01."""
    of = banded("tapered_deci_cent")
    assert (of.grid_up(Decimal(price)), of.grid_down(Decimal(price))) == (Decimal(up), Decimal(down))


def test_the_other_outcome_has_its_ranges_the_other_way_round():
    """A market with fine ticks for a cheap YES has them for a dear NO; and back again it is the same instrument."""
    yes = instrument(of=banded("lopsided"))
    assert [(band.start, band.end, band.tick) for band in yes.other().rules.bands] == [
        (Decimal(0), Decimal("0.8"), Decimal("0.01")),
        (Decimal("0.8"), Decimal(1), Decimal("0.001")),
    ]
    assert yes.other().other() == yes


@pytest.mark.parametrize("of", [rules(), banded("tapered_deci_cent")])
def test_the_rules_of_an_even_grid_are_both_outcomes_own(of):
    """Nothing is made anew where both outcomes are alike."""
    assert of.mirrored() is of
