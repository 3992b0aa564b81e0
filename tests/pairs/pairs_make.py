"""Pairs and questions to test with: two markets, one at each venue, that ask the same."""

from dataclasses import replace
from decimal import Decimal

from arbsaga.domain.money import Usd
from arbsaga.pairs.pair import MarketRef, Orientation, Pair, Relation, text_hash
from arbsaga.venues.port import Question

NOW = 1_790_000_000_000
DAY = 86_400_000
A = Question(
    "polymarket",
    "0x" + "ab" * 32,
    "Fed cut in December?",
    "By the FOMC statement.",
    "active",
    True,
    NOW + DAY,
    NOW + DAY,
)
B = Question(
    "kalshi",
    "KXFED-26DEC-CUT",
    "Fed cut in December?",
    "By the Fed's target.",
    "active",
    True,
    NOW + 2 * DAY,
    NOW + 3 * DAY,
)
PAIR = Pair(
    name="fed-cut",
    a=MarketRef(A.venue, A.market),
    b=MarketRef(B.venue, B.market),
    relation=Relation.IDENTITY,
    orientation=Orientation.SAME,
    cutoffs=(A.closes_ms, B.closes_ms),
    statuses=(A.status, B.status),
    hashes=(text_hash(A), text_hash(B)),
    cap_usd=Usd(Decimal("40")),
    approved_by="Ada",
    approved_ms=NOW - DAY,
    void_rule="both refund",
    tie_rule="none",
)


def pair(**changes):
    """The pair with changes; the orientation goes along with the relation."""
    if "relation" in changes:
        changes.setdefault("orientation", Orientation.of(changes["relation"]))
    return replace(PAIR, **changes)


def other(number):
    """Another pair, over other markets."""
    return pair(
        name=f"pair-{number}", a=MarketRef("polymarket", f"0x{number:064x}"), b=MarketRef("kalshi", f"KX-{number}")
    )
