"""How long capital is locked."""

from decimal import Decimal

import pytest

from arbsaga.domain.resolution import days_to_resolution

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
