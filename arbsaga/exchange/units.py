"""Base units of the exchange: integers only, exact to and from the venue's decimal strings.

1 USD = 1 share = 1_000_000 base units, and a price is USD per share in the same 1e-6 steps, so that a
price of 0.52 is 520_000. (Polymarket: 6 decimals for pUSD, for position tokens and for signed amounts.)
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]{1,6})?")

ONE: Final = 1_000_000
"""One USD, one share, or the price 1, in base units."""


@dataclass(frozen=True, slots=True)
class TickRules:
    """How many decimals a tick allows: of the price, of the limit size, and of the counter amount."""

    price: int
    size: int
    amount: int


TICKS: Final[dict[int, TickRules]] = {
    100_000: TickRules(1, 2, 3),
    10_000: TickRules(2, 2, 4),
    5_000: TickRules(3, 2, 5),
    2_500: TickRules(4, 2, 6),
    1_000: TickRules(3, 2, 5),
    100: TickRules(4, 2, 6),
}
"""The closed set of ticks the official SDK knows, in base units of price, with their precision."""


def parse(text: str) -> int:
    """Base units of a decimal string such as "12.345678". Raises ValueError beyond 6 decimals."""
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"not a decimal number of at most 6 decimals: {text!r}")
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(6, "0"))


def format_units(amount: int) -> str:
    """The shortest exact decimal string of base units: 520_000 is "0.52", 5_000_000 is "5"."""
    sign, amount = ("-", -amount) if amount < 0 else ("", amount)
    whole, fraction = divmod(amount, ONE)
    if not fraction:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{fraction:06d}".rstrip("0")


def to_decimal(amount: int) -> Decimal:
    """Base units as an exact Decimal of USD, shares or price."""
    return Decimal(amount).scaleb(-6)


def decimals(amount: int) -> int:
    """How many decimals an amount really uses, 0..6."""
    count = 6
    while count and amount % 10 == 0:
        amount //= 10
        count -= 1
    return count


def collateral(shares: int, price: int) -> int:
    """USD base units for shares at a price, rounded down.

    The venue's rule for the counter amount of a fill: floor(given * taker amount / maker amount).
    """
    return shares * price // ONE


def collateral_up(shares: int, price: int) -> int:
    """USD base units for shares at a price, rounded up: what a resting BUY must keep aside."""
    return -(-shares * price // ONE)
