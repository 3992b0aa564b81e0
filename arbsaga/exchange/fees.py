"""What the taker pays: shares * rate * (p * (1 - p)) ** exponent, in USD with 5 decimals; makers pay nothing.

(docs.polymarket.com trading/fees.) The direction of rounding is not documented: it is a setting.
"""

from typing import Literal

from arbsaga.exchange.model import Market
from arbsaga.exchange.units import ONE

Rounding = Literal["up", "down", "half_even"]

_STEP = 10
"""Base units in 0.00001 USD, the smallest fee."""


def taker_fee(shares: int, price: int, usd: int, market: Market, rounding: Rounding) -> int:
    """Fee in USD base units for one fill, a multiple of 0.00001 USD, capped at the fill's own value `usd`.

    The contracts cap the fee by the fill's collateral, so that a SELL of dust never costs money.
    """
    rate, exponent = market.fee_rate, market.fee_exponent
    if not rate:
        return 0
    numerator, denominator = rate.as_integer_ratio()
    numerator *= shares * (price * (ONE - price)) ** exponent
    denominator *= ONE ** (2 * exponent) * _STEP
    return min(_divide(numerator, denominator, rounding) * _STEP, usd)


def _divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    if rounding == "up":
        return -(-numerator // denominator)
    quotient, rest = divmod(numerator, denominator)
    if rounding == "half_even" and (2 * rest, quotient % 2) > (denominator, 0):
        return quotient + 1
    return quotient
