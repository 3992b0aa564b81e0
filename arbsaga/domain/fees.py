"""What a venue charges for a fill, computed before it bills."""

from dataclasses import dataclass
from decimal import Decimal

from arbsaga.domain.money import NO_USD, ZERO, Price, Size, Usd, ceil_to

FEE_STEP = Decimal("0.00001")
"""Polymarket rounds a fee to 5 decimals of a dollar; the direction is undocumented, so we round up."""


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """`size * rate * (price * (1 - price)) ** exponent` dollars, charged to the taker.

    `rate` is 0 for a market without fees (Polymarket `feeSchedule.rate`, 0.03 to 0.07 in 2026);
    `exponent` is 1 on every market seen so far. Source: docs.polymarket.com, trading/fees.
    """

    rate: Decimal = ZERO
    exponent: int = 1

    def taker_fee(self, size: Size, price: Price) -> Usd:
        """The fee of one fill as taker, rounded up to the venue's step, in USD."""
        if self.rate == 0:
            return NO_USD
        return Usd(ceil_to(size * self.per_share(price), FEE_STEP))

    def per_share(self, price: Price) -> Decimal:
        """The unrounded fee of one share at `price`, in USD."""
        return self.rate * (price * (1 - price)) ** self.exponent


NO_FEE = FeeSchedule()
