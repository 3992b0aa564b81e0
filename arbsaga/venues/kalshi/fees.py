"""What a market charges a taker: 0.07 x multiplier x contracts x P x (1 - P) USD, P the price of either outcome.

Each fill's fee is rounded up to $0.000001, then the balance is rounded down to the account's precision, which costs up
to one unit of it (docs.kalshi.com, getting_started/fee_rounding; the rebates of the rounding are left out, against us).
"""

from decimal import Decimal
from typing import Final

from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.money import MICRO, Usd
from arbsaga.errors import UserError
from arbsaga.venues.kalshi.records import EventSeen, MarketSeen, SeriesSeen

TAKER_RATE: Final = Decimal("0.07")
QUADRATIC: Final = frozenset({"quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees"})
"""Fee types that differ in what a maker pays only. `flat` is a table on paper, which is in no API."""
WAIVER_MS: Final = 600_000
"""A waiver that ends within this time is none: the trade may outlast it."""


class UnknownFees(UserError):
    """A market whose fees cannot be computed: it must not be traded."""


def fee_schedule(
    market: MarketSeen, event: EventSeen, series: SeriesSeen | None, precision: Decimal, now_ms: int
) -> FeeSchedule:
    """The fees of a market: its series', unless its event overrides them, and none while they are waived.

    `precision` in USD is the account's. Raises UnknownFees.
    """
    if series is None:
        raise UnknownFees(f"{market.ticker} is not traded: its series {event.series} is not listed, nor are its fees")
    fee_type = event.fee_type or series.fee_type
    multiplier = series.fee_multiplier if event.fee_multiplier is None else event.fee_multiplier
    if fee_type not in QUADRATIC:
        raise UnknownFees(f"{market.ticker} is not traded: fees of the type {fee_type!r} are not known to arbsaga")
    if multiplier is None or multiplier < 0:
        raise UnknownFees(f"{market.ticker} is not traded: its fee multiplier is {multiplier}")
    if market.waiver_ms > now_ms + WAIVER_MS:
        multiplier = Decimal(0)
    return FeeSchedule(rate=TAKER_RATE * multiplier, step=MICRO, rounding=Usd(precision))


def forbidding(precision: Decimal) -> FeeSchedule:
    """Stands in where fees are unknown: up to $0.25 a contract, so that nothing looks worth trading."""
    return FeeSchedule(rate=Decimal(1), step=MICRO, rounding=Usd(precision))
