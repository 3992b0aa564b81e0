"""From an opportunity to the plan of a trade: the one place where a trade gets its id."""

import secrets
from datetime import UTC, datetime

from activities.heartbeat import BEAT_PART
from arbsaga.detect import FillRates, Opportunity, less_certain_first
from arbsaga.domain.capital import affordable, most_spent
from arbsaga.domain.money import Usd
from arbsaga.domain.pricing import Quote
from arbsaga.saga.messages import Patience, PlannedLeg, TradePlan, UndoLimits
from workers.desk_client import Taken

__all__ = ["affordable", "beat_ms", "most_spent", "new_trade_id", "plan_trade"]

BEATS_PER_S = 80
"""A beat is a write to the server's disk, and a disk that syncs in 4 ms takes 250 in a second."""
SHORTEST_BEAT_MS, LONGEST_BEAT_MS = 2_000, 30_000
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


def new_trade_id(now_ms: int) -> str:
    """A new name for a trade, e.g. `261120T110732481-k3f9qa`: sorts by time, unique for ever (30 random bits)."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    return f"{at:%y%m%dT%H%M%S}{now_ms % 1000:03d}-{''.join(secrets.choice(_ALPHABET) for _ in range(6))}"


def beat_ms(in_flight: int) -> int:
    """How long the worker of a trade may be silent, when so many are watched: two seconds, more for over 64 trades.

    With 200 trades at 2 s the beats alone, one in 0.8 s for each, kept the server's disk from everything else.
    """
    most = round(in_flight / BEATS_PER_S / BEAT_PART * 1000)
    return max(SHORTEST_BEAT_MS, min(LONGEST_BEAT_MS, most))


def plan_trade(
    opportunity: Opportunity,
    quote: Quote,
    taken: Taken,
    *,
    account: str,
    patience: Patience,
    undo: UndoLimits,
    rates: FillRates | None = None,
    cap: Usd | None = None,
) -> TradePlan:
    """The plan of a new trade: what of the opportunity can be afforded, with the capital taken for it.

    With `rates` the leg that is less certain to fill goes first (setting `less-certain-first`); else all at once.
    `cap` is the pair's, where the basket is one's.
    """
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
        first=less_certain_first(quote, rates) if rates is not None else (),
        cap=cap,
    )
