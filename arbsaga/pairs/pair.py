"""A pair: two markets whose questions a person has compared, and what that person saw."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from arbsaga.domain.money import Usd
from arbsaga.errors import UserError
from arbsaga.venues.port import Question

VENUES = ("polymarket", "kalshi")
"""Venues whose markets can be paired."""
PAPER = "paper"
"""Who approves the simulated pairs of paper trading, and nothing else. No person is called so."""
NAME = r"^[a-z0-9][a-z0-9-]{0,59}$"
"""A pair's name becomes part of a workflow's id."""


class Relation(StrEnum):
    """What YES of the one market says about the other. The truth tables are in docs/pairs.md."""

    IDENTITY = "identity"
    """YES of `a` and YES of `b` are the same."""
    COMPLEMENT = "complement"
    """YES of `a` is NO of `b`."""
    SUBSET = "subset"
    """YES of `a` implies YES of `b`: `a` is the narrower question."""
    SUPERSET = "superset"
    """YES of `b` implies YES of `a`: `a` is the wider question."""


class Orientation(StrEnum):
    """Whether the two questions ask for the same thing or for opposite things.

    Said beside the relation, so that a slip in the one is caught by the other: only `complement` is opposite.
    """

    SAME = "same"
    OPPOSITE = "opposite"

    @classmethod
    def of(cls, relation: Relation) -> "Orientation":
        """The only orientation that a relation agrees with."""
        return cls.OPPOSITE if relation is Relation.COMPLEMENT else cls.SAME


@dataclass(frozen=True, slots=True)
class MarketRef:
    """A market of a venue, as `Question.market` names it. Written `polymarket:0x…`, `kalshi:TICKER`."""

    venue: str
    market: str

    @classmethod
    def parse(cls, text: str) -> "MarketRef":
        """Read `VENUE:MARKET`. Raises UserError, also for a venue that is not known."""
        venue, colon, market = text.partition(":")
        if not colon or not market:
            raise UserError(f"{text!r} names no market: write VENUE:MARKET, e.g. kalshi:KXFED-26DEC-T4.00")
        if venue not in VENUES:
            raise UserError(f"{text!r}: no venue {venue!r}, known are {', '.join(VENUES)}")
        return cls(venue, market)

    def __str__(self) -> str:
        return f"{self.venue}:{self.market}"

    def names(self, question: Question) -> bool:
        """Whether the question is this market's."""
        return (self.venue, self.market.lower()) == (question.venue, question.market.lower())


@dataclass(frozen=True, slots=True)
class Pair:
    """Two related markets. Each tuple is (of `a`, of `b`), as they were when the pair was approved.

    `cutoffs` are close times in ms since the epoch, `statuses` the venues' words, `hashes` those of `text_hash`.
    `void_rule` and `tie_rule` are the approver's words on how each venue resolves a cancelled event and a draw.
    `cap_usd` bounds what may be invested in the pair at a time, should the two resolve differently. Without
    `approved_by` nothing is traded; `approved_ms` is then 0.
    """

    name: str
    a: MarketRef
    b: MarketRef
    relation: Relation
    orientation: Orientation
    cutoffs: tuple[int, int]
    statuses: tuple[str, str]
    hashes: tuple[str, str]
    cap_usd: Usd
    approved_by: str = ""
    approved_ms: int = 0
    void_rule: str = ""
    tie_rule: str = ""
    notes: str = ""

    @property
    def event(self) -> str:
        """The event that the pair's baskets belong to."""
        return f"pairs/{self.name}"

    @property
    def markets(self) -> frozenset[tuple[str, str]]:
        """Both markets, whichever is `a`."""
        return frozenset((ref.venue, ref.market.lower()) for ref in (self.a, self.b))


def text_hash(question: Question) -> str:
    """SHA-256 (hex) of everything that is asked: title and rules, to the letter."""
    return hashlib.sha256(f"{question.title}\n\n{question.rules}".encode()).hexdigest()
