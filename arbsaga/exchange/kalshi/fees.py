"""Fees of a fill: the model fee, and its rounding with the accumulator of each order.

Model fee in USD = rate x multiplier x contracts x P x (1 - P), P the YES price: the same for NO. Rounding as in
docs.kalshi.com/getting_started/fee_rounding (the copy that rounds the trade fee to 6 decimals; an older one had 4).
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Final

from arbsaga.exchange.kalshi.model import Event, FeeType, Market, Series
from arbsaga.exchange.kalshi.settings import EngineSettings
from arbsaga.exchange.units import ONE

MAKER_SHARE: Final[dict[FeeType, Fraction]] = {
    "quadratic": Fraction(0),
    "quadratic_with_maker_fees": Fraction(1, 4),
    "quadratic_with_combo_maker_fees": Fraction(1, 2),
    "flat": Fraction(0),
}
"""What a maker pays of the taker's rate."""


def check_fees(fee_type: FeeType | None, multiplier: Decimal | None) -> None:
    """Raises ValueError on a fee type that is not the venue's, or a multiplier below 0."""
    if fee_type is not None and fee_type not in MAKER_SHARE:
        raise ValueError(f"fee type {fee_type!r} is none of {', '.join(MAKER_SHARE)}")
    if multiplier is not None and not (multiplier.is_finite() and multiplier >= 0):
        raise ValueError(f"a fee multiplier is not below 0, not {multiplier}")


@dataclass(frozen=True, slots=True)
class Schedule:
    """What applies to a market now."""

    fee_type: FeeType
    multiplier: Decimal
    taker_rate: Decimal
    flat_fee: int

    def trade_fee(self, price: int, count: int, *, is_taker: bool) -> int:
        """The model fee in base units of USD, rounded up to 6 decimals."""
        share = Fraction(1) if is_taker else MAKER_SHARE[self.fee_type]
        if self.fee_type == "flat":
            return ceil(share * Fraction(self.multiplier) * self.flat_fee * count / ONE)
        rate = share * Fraction(self.taker_rate) * Fraction(self.multiplier)
        return ceil(rate * count * price * (ONE - price) / ONE**2)


def schedule(series: Series, event: Event, market: Market, settings: EngineSettings, now_ms: int) -> Schedule:
    """The fees of a market: its series', unless its event overrides them, and none until its waiver ends."""
    fee_type = event.fee_type_override or series.fee_type
    multiplier = series.fee_multiplier if event.fee_multiplier_override is None else event.fee_multiplier_override
    if now_ms < market.fee_waiver_until_ms:
        multiplier = Decimal(0)
    return Schedule(fee_type, multiplier, settings.taker_rate, settings.flat_fee)


def charge(revenue: int, trade_fee: int, carry: int, precision: int) -> tuple[int, int]:
    """(fee billed, accumulator after it) of one fill, in base units of USD. `revenue` is negative where it pays.

    The balance moves by whole precision units, rounded down; what that takes beyond the trade fee goes into the
    accumulator, which gives back whole units as it fills, never more than is billed now.
    """
    net = revenue - trade_fee
    rounding = net - net // precision * precision
    gross = trade_fee + rounding
    rebate = min(carry + rounding, gross) // precision * precision
    return gross - rebate, carry + rounding - rebate
