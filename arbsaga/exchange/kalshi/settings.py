"""Settings of the Kalshi engine. What the venue does not document is a setting here, pessimistic by default."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Amounts are base units."""

    seed: int = 0
    precision: int = 10_000
    """What balances are aligned to: $0.01 (cleared through a broker), or 100 = $0.0001 for a direct member."""
    taker_rate: Decimal = Decimal("0.07")
    flat_fee: int = 20_000
    """USD per contract of a series with `flat` fees. The venue's table is not in its API: this is a stand-in."""
    post_only_cross: Literal["refuse", "cancel"] = "refuse"
    """A post-only order that crosses: 400 invalid_order, or accepted and canceled at once."""
    ioc_zero_fill: Literal["accept", "refuse"] = "accept"
    """An immediate_or_cancel order that finds nothing: 201 with fill_count 0, or 409."""
    thursday_pause: bool = False
    """Whether trading pauses on Thursdays 03:00-05:00 New York time, as at the venue."""
