"""Fees: the venue's formula, rounded up to its step."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbsaga.domain.fees import FEE_STEP, NO_FEE, FeeSchedule
from arbsaga.domain.money import Price, Size, Usd

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


# --- Kalshi: 0.07, rounded up to 6 decimals, and the balance to a cent ($0.0001 for direct members) ------------

KALSHI_RATE = Decimal("0.07")


def kalshi(precision: str) -> FeeSchedule:
    return FeeSchedule(KALSHI_RATE, step=Decimal("0.000001"), rounding=Usd(Decimal(precision)))


def billed(fills: list[tuple[int, int]], precision: int) -> int:
    """What the venue bills a buyer for these fills of one order, in millionths of a dollar.

    `fills` are (hundredths of a contract, price in 1/10,000). Written after getting_started/fee_rounding.
    """
    carry = total = 0
    for count, price in fills:
        revenue = -count * price
        fee = -(-7 * count * price * (10_000 - price) // 10**6)
        rounding = (revenue - fee) - (revenue - fee) // precision * precision
        rebate = min(carry + rounding, fee + rounding) // precision * precision
        carry += rounding - rebate
        total += fee + rounding - rebate
    return total


@pytest.mark.parametrize(
    ("count", "price", "precision", "fee", "out"),
    [
        ("1", "0.055", "0.01", "0.003639", "0.06"),  # the venue's own example: 0.003639 + 0.001361
        ("1", "0.055", "0.0001", "0.003639", "0.0587"),
        ("100", "0.56", "0.01", "1.7248", "57.73"),
        ("100", "0.56", "0.0001", "1.7248", "57.7248"),
    ],
)
def test_the_documented_fills_cost_no_more_than_is_said_before(count, price, precision, fee, out):
    """The model fee to 6 decimals plus less than one unit of the account's precision."""
    size, at = Size(Decimal(count)), Price(Decimal(price))
    paid = Decimal(out) - size * at
    assert paid == Decimal(billed([(int(size * 100), int(at * 10_000))], int(Decimal(precision) * 10**6))) / 10**6
    said = kalshi(precision).taker_fee(size, at)
    assert said == Decimal(fee) + Decimal(precision)
    assert 0 <= said - paid <= Decimal(precision)


@PROPERTY
@given(
    st.lists(st.tuples(st.integers(1, 5_000), st.integers(1, 9_999)), min_size=1, max_size=8),
    st.sampled_from(["0.01", "0.0001"]),
)
def test_the_fills_of_an_order_cost_no_more_than_is_said_before(fills, precision):
    """Whatever the sizes, the prices and what the venue gives back; what is said is at most a unit a fill too much."""
    schedule = kalshi(precision)
    said = sum(schedule.taker_fee(Size(Decimal(c) / 100), Price(Decimal(p) / 10_000)) for c, p in fills)
    paid = Decimal(billed(fills, int(Decimal(precision) * 10**6))) / 10**6
    assert paid <= said <= paid + len(fills) * Decimal(precision)


@PROPERTY
@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=8), st.integers(1, 9_999))
def test_the_fills_at_one_price_cost_no_more_than_their_count_says(counts, price):
    """An order that comes in so many fills at its limit, asked for in one go."""
    size, at = Size(Decimal(sum(counts)) / 100), Price(Decimal(price) / 10_000)
    said = kalshi("0.01").taker_fee(size, at, len(counts))
    assert Decimal(billed([(count, price) for count in counts], 10_000)) / 10**6 <= said


def test_a_waived_fee_leaves_the_rounding():
    """Without a fee a fraction of a cent is still rounded away, in each fill."""
    waived = FeeSchedule(rounding=Usd(Decimal("0.01")))
    assert waived.taker_fee(Size(Decimal(1)), Price(Decimal("0.055"))) == Decimal("0.01")
    assert waived.taker_fee(Size(Decimal(1)), Price(Decimal("0.055")), 3) == Decimal("0.03")
