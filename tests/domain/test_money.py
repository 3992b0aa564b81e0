"""Rounding: to the grid, never past the value, exact for every number of digits."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arbsaga.domain.money import ceil_to, floor_to

from .make import PROPERTY

VALUES = st.decimals(-10_000, 10_000, places=20)
STEPS = st.sampled_from([Decimal(step) for step in ("0.01", "0.00001", "0.000001", "0.0025", "0.03", "1", "2.5")])


@PROPERTY
@given(VALUES, STEPS)
@example(Decimal("0.08999999999999999999999999999"), Decimal("0.03"))  # the quotient has 30 digits: 2.99... not 3
def test_floor_is_the_nearest_multiple_below(value, step):
    """`floor_to` answers a multiple of the step, at most the value and less than a step away."""
    floored = Fraction(floor_to(value, step))
    assert (floored / Fraction(step)).denominator == 1
    assert 0 <= Fraction(value) - floored < Fraction(step)


@PROPERTY
@given(VALUES, STEPS)
@example(Decimal("0.09000000000000000000000000001"), Decimal("0.03"))
def test_ceil_is_the_nearest_multiple_above(value, step):
    """`ceil_to` answers a multiple of the step, at least the value and less than a step away."""
    raised = Fraction(ceil_to(value, step))
    assert (raised / Fraction(step)).denominator == 1
    assert 0 <= raised - Fraction(value) < Fraction(step)


@pytest.mark.parametrize("rounding", [floor_to, ceil_to])
def test_a_step_is_positive(rounding):
    """A step of nothing is a mistake of the caller."""
    with pytest.raises(AssertionError):
        rounding(Decimal(1), Decimal(0))
