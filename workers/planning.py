"""From an opportunity to the plan of a trade: the one place where a trade gets its id."""

import secrets
from datetime import UTC, datetime
from decimal import Decimal

from arbsaga.detect import Opportunity
from arbsaga.domain.money import NO_USD, Price, Usd
from arbsaga.domain.pricing import LegQuote, Quote
from arbsaga.saga.messages import Patience, PlannedLeg, TradePlan, UndoLimits
from workers.desk_client import Taken

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_DEAREST = Price(Decimal("0.5"))
"""The price at which `p * (1 - p)`, and so the fee of a share, is highest."""


def new_trade_id(now_ms: int) -> str:
    """A new name for a trade, e.g. `261120T110732481-k3f9qa`: sorts by time, unique for ever (30 random bits)."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    return f"{at:%y%m%dT%H%M%S}{now_ms % 1000:03d}-{''.join(secrets.choice(_ALPHABET) for _ in range(6))}"


def most_spent(quote: Quote) -> Usd:
    """The most USD that entering can cost: every share at its limit, at the dearest fee. What has to be reserved."""
    return Usd(sum((_most(leg) for leg in quote.legs), NO_USD))


def _most(leg: LegQuote) -> Usd:
    return Usd(leg.size * leg.limit + leg.leg.instrument.rules.fee.taker_fee(leg.size, _DEAREST))


def plan_trade(
    opportunity: Opportunity, taken: Taken, *, account: str, patience: Patience, undo: UndoLimits
) -> TradePlan:
    """The plan of a new trade on this opportunity, with the capital taken for it."""
    quote = opportunity.quote
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
