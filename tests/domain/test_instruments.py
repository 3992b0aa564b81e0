"""What the venue takes as an order, and the two outcomes of a market."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbsaga.domain.instruments import Outcome, Side
from arbsaga.domain.money import Price, Size

from .make import PROPERTY, instrument, rules


@pytest.mark.parametrize(
    ("size", "price", "side", "taken"),
    [
        ("10", "0.40", Side.BUY, True),
        ("4.99", "0.40", Side.BUY, False),  # under the minimum size
        ("5", "0.19", Side.BUY, False),  # under $1
        ("5", "0.19", Side.SELL, True),  # the $1 minimum is for marketable buys
        ("5", "0.20", Side.BUY, True),
        ("10", "0.405", Side.BUY, False),  # off the tick grid
        ("10.005", "0.40", Side.BUY, False),  # finer than the venue's size step
        ("10", "0.00", Side.SELL, False),
        ("10", "1.00", Side.BUY, False),
        ("10", "0.99", Side.BUY, True),
    ],
)
def test_the_venue_takes_only_orders_on_its_grid_and_over_its_minimums(size, price, side, taken):
    """Tick, size step, minimum size and the $1 minimum each refuse on their own."""
    assert instrument().allows(Size(Decimal(size)), Price(Decimal(price)), side) is taken


@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_other_outcome_of_the_other_is_the_first(outcome):
    """YES and NO name each other."""
    one = instrument("m", outcome)
    assert one.other().other() == one
    assert (one.other().token, one.other().complement) == (one.complement, one.token)
    assert one.other().outcome is not outcome


@pytest.mark.parametrize("side", list(Side))
def test_the_opposite_of_the_opposite_is_the_side(side):
    """BUY and SELL are each other's opposite."""
    assert side.opposite is not side
    assert side.opposite.opposite is side


@PROPERTY
@given(st.integers(1, 9999), st.sampled_from(["0.01", "0.001", "0.0025"]), st.sampled_from(list(Side)))
def test_a_limit_reaches_the_price_on_the_tick_grid(price, tick, side):
    """The limit is rounded against us: the order can always trade at the price it is made for."""
    one, at = instrument(of=rules(tick=tick)), Price(Decimal(price) / 10_000)
    limit = one.limit_for(side, at)
    assert limit % Decimal(tick) == 0
    assert 0 <= (limit - at if side is Side.BUY else at - limit) < Decimal(tick)


def test_sizes_and_limits_stay_inside_the_grid():
    """Sizes are floored; a limit is a tick inside 0 and 1."""
    one = instrument()
    assert one.floor_size(Decimal("7.129")) == Decimal("7.12")
    assert one.worst_limit(Side.BUY) == Decimal("0.99")
    assert one.worst_limit(Side.SELL) == Decimal("0.01")
