"""Fees: the venue's formula, rounded up to its step."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from arbsaga.domain.fees import FEE_STEP, NO_FEE, FeeSchedule
from arbsaga.domain.money import Price, Size

from .make import PROPERTY

PRICES = st.integers(1, 9999).map(lambda ticks: Price(Decimal(ticks) / 10_000))
SIZES = st.integers(1, 10**9).map(lambda micro: Size(Decimal(micro) / 10**6))
RATES = st.sampled_from([Decimal(rate) for rate in ("0.03", "0.04", "0.05", "0.07")])


@PROPERTY
@given(RATES, st.sampled_from([1, 2]), SIZES, PRICES)
def test_a_fee_is_the_formula_rounded_up(rate, exponent, size, price):
    """`size * rate * (p (1 - p)) ** exponent`, never less, and less than one step more."""
    exact = Fraction(size) * Fraction(rate) * (Fraction(price) * (1 - Fraction(price))) ** exponent
    fee = FeeSchedule(rate, exponent).taker_fee(size, price)
    assert isinstance(fee, Decimal)
    assert 0 <= Fraction(fee) - exact < Fraction(FEE_STEP)
    assert fee % FEE_STEP == 0


def test_the_documented_peak():
    """100 crypto shares (rate 0.07) at 0.50 cost $1.75: the example of the venue's own pages."""
    assert FeeSchedule(Decimal("0.07")).taker_fee(Size(Decimal(100)), Price(Decimal("0.5"))) == Decimal("1.75")


def test_a_market_without_fees_costs_nothing():
    """Rate 0 is no fee, not the smallest fee."""
    assert NO_FEE.taker_fee(Size(Decimal(3)), Price(Decimal("0.3"))) == 0
