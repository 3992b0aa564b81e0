"""Double-entry bookkeeping, pure: what happened becomes lines that sum to zero in every unit.

Money is one unit, each token another. A position's USD is what was put into it less what came out; only when
its last share is gone does the rest become profit or loss. So the books do not depend on the order in which
fills arrive, and a fill that the venue takes back is undone by the opposite lines.
"""

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from arbsaga.domain.instruments import Side
from arbsaga.domain.money import MICRO, ZERO, Size, Usd, ceil_to, floor_to
from arbsaga.domain.orders import Fill, FillStatus, OrderTerms

USD = "USD"
FEES = "fees"
PROFIT = "profit"
OPENING = "opening equity"

Lines = Mapping[tuple[str, str], Decimal]
"""(book, unit) to amount: positive is what we have (cash, shares, a cost), negative where it came from."""


def cash_book(venue: str) -> str:
    """The book of our money at a venue."""
    return f"cash:{venue}"


def position_book(token: str) -> str:
    """The book of our shares of a token and of the money in them."""
    return f"position:{token}"


def market_book(venue: str) -> str:
    """The other side of every share we get or give."""
    return f"market:{venue}"


def of_fill(terms: OrderTerms, fill: Fill) -> Lines:
    """What a fill moves; nothing when it FAILED, since the venue then takes it back whole.

    The value is size * price, rounded against us to a millionth of a dollar: up for a buy, down for a sell. The
    venue rounds each match down, so on sizes that are not whole cents the books may differ by one millionth.
    """
    if fill.status is FillStatus.FAILED:
        return {}
    venue, token = terms.instrument.venue, terms.instrument.token
    buys = terms.side is Side.BUY
    value = ceil_to(fill.size * fill.price, MICRO) if buys else -floor_to(fill.size * fill.price, MICRO)
    shares = fill.size if buys else -fill.size
    return _lines(
        (cash_book(venue), USD, -value - fill.fee),
        (position_book(token), USD, value),
        (FEES, USD, fill.fee),
        (position_book(token), token, shares),
        (market_book(venue), token, -shares),
    )


def of_payout(venue: str, token: str, shares: Size, usd: Usd) -> Lines:
    """Shares given up for money at resolution, merge or redemption; `usd` is 0 for the losing side."""
    return _lines(
        (cash_book(venue), USD, usd),
        (position_book(token), USD, -usd),
        (position_book(token), token, -shares),
        (market_book(venue), token, shares),
    )


def of_opening(venue: str, cash: Usd) -> Lines:
    """The money an account starts with."""
    return _lines((cash_book(venue), USD, cash), (OPENING, USD, -cash))


def of_close(token: str, left: Usd) -> Lines:
    """What is `left` in a position without shares: a loss when positive, a profit when negative."""
    return _lines((position_book(token), USD, -left), (PROFIT, USD, left))


def difference(wanted: Lines, booked: Lines) -> Lines:
    """The lines to add so that what is booked becomes what is wanted: nothing is ever edited."""
    keys = {**wanted, **booked}
    return _lines(
        *((book, unit, wanted.get((book, unit), ZERO) - booked.get((book, unit), ZERO)) for book, unit in keys)
    )


def _lines(*lines: tuple[str, str, Decimal]) -> Lines:
    result = {(book, unit): amount for book, unit, amount in lines if amount}
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for (_, unit), amount in result.items():
        sums[unit] += amount
    assert not any(sums.values()), f"lines must sum to zero in every unit: {result}"
    return result
