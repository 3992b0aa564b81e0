"""How long capital is locked, and what that makes of an edge."""

from decimal import Decimal

import pytest

from arbsaga.domain.money import Usd
from arbsaga.domain.resolution import days_to_resolution, yearly_return

DAY = 86_400_000


@pytest.mark.parametrize(
    ("resolves", "days"),
    [
        ((10 * DAY, 12 * DAY), "11"),
        ((12 * DAY, 10 * DAY), "11"),
        ((DAY + DAY // 2, DAY), "0.5"),
        ((DAY - 1, 5), "0"),
        ((0, 12 * DAY), None),  # a venue that does not say
    ],
)
def test_capital_is_locked_until_the_later_market_pays(resolves, days):
    """Both legs must pay before the basket has."""
    found = days_to_resolution(DAY, *resolves)
    assert found == (None if days is None else Decimal(days))


@pytest.mark.parametrize(
    ("edge", "spent", "days", "rate"),
    [("2", "100", "73", "0.10"), ("2", "100", "1", "7.3"), ("2", "100", "0.2", "7.3"), ("-1", "100", "365", "-0.01")],
)
def test_an_edge_by_the_year(edge, spent, days, rate):
    """2 % in 73 days is 10 % a year; less than a day counts as one."""
    assert yearly_return(Usd(Decimal(edge)), Usd(Decimal(spent)), Decimal(days)) == Decimal(rate)


def test_a_return_on_nothing_does_not_exist():
    """Without capital there is nothing to annualise."""
    with pytest.raises(AssertionError):
        yearly_return(Usd(Decimal(1)), Usd(Decimal(0)), Decimal(1))
