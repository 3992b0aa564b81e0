"""What a trade can cost at most, in which pocket of which venue, and how much of it a limit pays for."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from arbsaga.domain.baskets import Leg
from arbsaga.domain.books import Book
from arbsaga.domain.instruments import Instrument, Side
from arbsaga.domain.money import NO_USD, Price, Size, Usd
from arbsaga.domain.pricing import Gates, Quote, price_basket

Pocket = tuple[str, str]
"""A venue, and the part of our account there that pays (Kalshi's shard; empty where there is one only)."""

PRICINGS = 3
_DEAREST = Price(Decimal("0.5"))
"""The price at which `p * (1 - p)`, and so the fee of a share, is highest."""


def most_of(leg: Leg, size: Size, limit: Price, fills: int = 1) -> Usd:
    """The most USD that this leg can take: every share at its limit, with the dearest fee up to it. A sale takes none.

    `fills` is in how many fills it comes at least; venues that round each fill cost more for more of them.
    """
    if leg.side is Side.SELL:
        return NO_USD
    fee = leg.instrument.rules.fee.taker_fee(size, min(limit, _DEAREST), fills)
    return Usd(size * limit + fee)


def most_spent(quote: Quote) -> Usd:
    """The most USD that entering can cost, at all venues together. To be reserved."""
    return Usd(sum(most_by_pocket(quote).values(), NO_USD))


def most_by_pocket(quote: Quote) -> dict[Pocket, Usd]:
    """The most USD that entering can cost, by the pocket that pays."""
    legs = quote.legs
    return by_pocket((one.leg.instrument, most_of(one.leg, one.size, one.limit, one.fills)) for one in legs)


def by_pocket(amounts: Iterable[tuple[Instrument, Usd]]) -> dict[Pocket, Usd]:
    """These amounts (USD), each paid for an instrument, summed up by the pocket that pays, in the order met."""
    sums: dict[Pocket, Usd] = {}
    for instrument, amount in amounts:
        pocket = instrument.venue, instrument.rules.pocket
        sums[pocket] = Usd(sums.get(pocket, NO_USD) + amount)
    return sums


def affordable(quote: Quote, limit: Usd, books: Mapping[str, Book], gates: Gates) -> Quote | None:
    """The quote, priced anew for less until it can cost at most `limit` USD; None when it is nothing then.

    The budget of the gates bounds what the book asks; at its limits an order can cost a little more.
    """
    for _ in range(PRICINGS):
        excess = most_spent(quote) - limit
        if excess <= 0:
            return quote
        # The last units cost the limits at most, so that leaving out what they cost takes as much off the worst case.
        budget = Usd(quote.cost + quote.fees - excess)
        again = price_basket(quote.basket, books, replace(gates, budget=budget))
        if not isinstance(again, Quote):
            return None
        quote = again
    return quote if most_spent(quote) <= limit else None
