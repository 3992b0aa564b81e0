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
    `step` in USD is what the venue rounds a fee up to; `rounding` in USD is what rounding the balance can cost beyond
    that in one fill (Kalshi: one unit of the account's precision, $0.01 or $0.0001; getting_started/fee_rounding).
    """

    rate: Decimal = ZERO
    exponent: int = 1
    step: Decimal = FEE_STEP
    rounding: Usd = NO_USD

    def taker_fee(self, size: Size, price: Price, fills: int = 1) -> Usd:
        """The most that these shares cost as taker in fees, in USD, rounded up to the venue's step.

        `fills` is in how many fills they come: the balance is rounded after each.
        """
        if self.rate == 0:
            return Usd(fills * self.rounding)
        return Usd(ceil_to(size * self.per_share(price), self.step) + fills * self.rounding)

    def per_share(self, price: Price) -> Decimal:
        """The unrounded fee of one share at `price`, in USD."""
        return self.rate * (price * (1 - price)) ** self.exponent


NO_FEE = FeeSchedule()
