"""Prices, sizes and money: three different decimals that the type checker keeps apart.

Never a float. Every rounding is named, and rounds against us.
"""

from decimal import Decimal
from typing import NewType

Price = NewType("Price", Decimal)
"""USD per share, between 0 and 1 for an outcome share."""
Size = NewType("Size", Decimal)
"""A number of shares (or contracts), never negative."""
Usd = NewType("Usd", Decimal)
"""Money in US dollars (pUSD on Polymarket). Negative means paid or lost."""

ZERO = Decimal(0)
NO_SIZE = Size(ZERO)
NO_USD = Usd(ZERO)
MICRO = Decimal("0.000001")
"""The smallest unit of pUSD and of a Polymarket share."""


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` (> 0) that is not above `value`. Exact: a quotient is never rounded up to it."""
    assert step > 0, "a step is positive"
    steps, rest = divmod(value, step)
    return (steps - 1 if rest < 0 else steps) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` (> 0) that is not below `value`. Exact, like `floor_to`."""
    assert step > 0, "a step is positive"
    steps, rest = divmod(value, step)
    return (steps + 1 if rest > 0 else steps) * step
