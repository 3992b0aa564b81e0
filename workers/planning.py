"""From an opportunity to the plan of a trade: the one place where a trade gets its id."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from arbsaga.detect import Opportunity
from arbsaga.domain.books import Book
from arbsaga.domain.money import NO_USD, Price, Usd
from arbsaga.domain.pricing import Gates, LegQuote, Quote, price_basket
from arbsaga.saga.messages import Patience, PlannedLeg, TradePlan, UndoLimits
from workers.desk_client import Taken

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_DEAREST = Price(Decimal("0.5"))
"""The price at which `p * (1 - p)`, and so the fee of a share, is highest."""


PRICINGS = 3
SLIGHTLY_LESS = Decimal("0.999")


def new_trade_id(now_ms: int) -> str:
    """A new name for a trade, e.g. `261120T110732481-k3f9qa`: sorts by time, unique for ever (30 random bits)."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    return f"{at:%y%m%dT%H%M%S}{now_ms % 1000:03d}-{''.join(secrets.choice(_ALPHABET) for _ in range(6))}"


def most_spent(quote: Quote) -> Usd:
    """The most USD that entering can cost: every share at its limit, with the dearest fee up to it. To be reserved."""
    return Usd(sum((_most(leg) for leg in quote.legs), NO_USD))


def _most(leg: LegQuote) -> Usd:
    dearest = min(leg.limit, _DEAREST)
    return Usd(leg.size * leg.limit + leg.leg.instrument.rules.fee.taker_fee(leg.size, dearest))


def affordable(quote: Quote, limit: Usd, books: Mapping[str, Book], gates: Gates) -> Quote | None:
    """The quote, priced anew for less until it can cost at most `limit` USD; None when it is nothing then.

    The budget of the gates bounds what the book asks; at its limits an order can cost a little more.
    """
    for _ in range(PRICINGS):
        most = most_spent(quote)
        if most <= limit:
            return quote
        budget = Usd((quote.cost + quote.fees) * limit / most * SLIGHTLY_LESS)
        again = price_basket(quote.basket, books, replace(gates, budget=budget))
        if not isinstance(again, Quote):
            return None
        quote = again
    return None


def plan_trade(
    opportunity: Opportunity, quote: Quote, taken: Taken, *, account: str, patience: Patience, undo: UndoLimits
) -> TradePlan:
    """The plan of a new trade: what of the opportunity can be afforded, with the capital taken for it."""
    return TradePlan(
        trade_id=new_trade_id(opportunity.decided_ms),
        account=account,
        basket=quote.basket,
        units=quote.size,
        legs=tuple(PlannedLeg(leg.size, leg.limit) for leg in quote.legs),
        cost=quote.cost,
        fees=quote.fees,
        edge=quote.edge,
        reserved=taken.amount,
        lease_id=taken.lease_id,
        lease_expires_ms=taken.expires_ms,
        decided_ms=opportunity.decided_ms,
        decided_ns=opportunity.decided_ns,
        books=opportunity.books,
        patience=patience,
        undo=undo,
    )
