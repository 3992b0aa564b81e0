"""Makes an approved pair of two questions that a person has read, or says why there can be none. Pure."""

import re
from dataclasses import dataclass

from arbsaga.domain.money import Usd
from arbsaga.errors import UserError
from arbsaga.pairs.checking import is_disputed
from arbsaga.pairs.pair import NAME, PAPER, MarketRef, Orientation, Pair, Relation, text_hash
from arbsaga.pairs.polarity import Comparison, compare
from arbsaga.venues.port import Question


@dataclass(frozen=True, slots=True)
class Approval:
    """What the person says: see `Pair`. Without an `orientation`, the titles must agree with the relation."""

    name: str
    relation: Relation
    by: str
    cap_usd: Usd
    orientation: Orientation | None = None
    void_rule: str = ""
    tie_rule: str = ""
    notes: str = ""


def approve(approval: Approval, a: Question, b: Question, now_ms: int, *, simulated: bool = False) -> Pair:
    """The pair as it is approved at `now_ms`, by a person unless it is `simulated`. Raises UserError, one line."""
    if not re.match(NAME, approval.name):
        raise UserError(f"{approval.name!r}: a name is 1 to 60 small letters, digits and hyphens")
    if not approval.by.strip():
        raise UserError("a pair is approved by a person: give --by NAME")
    if approval.by.strip().lower() == PAPER and not simulated:
        raise UserError(f"{PAPER!r} is what approves simulated pairs, and no person: give --by with your name")
    for question in (a, b):
        _require_open(question, now_ms)
    orientation = approval.orientation
    if orientation is None:
        _require_straight(approval.relation, compare(a.title, b.title))
        orientation = Orientation.of(approval.relation)
    return Pair(
        name=approval.name,
        a=MarketRef(a.venue, a.market),
        b=MarketRef(b.venue, b.market),
        relation=approval.relation,
        orientation=orientation,
        cutoffs=(a.closes_ms, b.closes_ms),
        statuses=(a.status, b.status),
        hashes=(text_hash(a), text_hash(b)),
        cap_usd=approval.cap_usd,
        approved_by=approval.by.strip(),
        approved_ms=now_ms,
        void_rule=approval.void_rule,
        tie_rule=approval.tie_rule,
        notes=approval.notes,
    )


def _require_open(question: Question, now_ms: int) -> None:
    where = f"{question.venue}:{question.market}"
    if not question.open or is_disputed(question):
        raise UserError(f"{where} is {question.status} and takes no orders: only open markets are paired")
    if not question.rules.strip():
        raise UserError(f"{where} has no rules text: there is nothing to compare or to watch")
    if question.closes_ms <= now_ms:
        known = "has passed its close time" if question.closes_ms else "does not say when it closes"
        raise UserError(f"{where} {known}: such a market is not paired")


def _require_straight(relation: Relation, titles: Comparison) -> None:
    """A slip between yes and no is caught here: both legs would then win or lose together."""
    mend = "read both again; if you are sure, say so by --orientation"
    if Orientation.of(relation) is not titles.orientation:
        asked = "opposite things" if titles.orientation is Orientation.OPPOSITE else "the same thing"
        needed = Orientation.of(relation)
        raise UserError(f"inverted: the titles seem to ask for {asked}, not so {relation}: {mend} {needed}")
    nested = (Relation.SUBSET, Relation.SUPERSET)
    if relation in nested and titles.relation in nested and relation is not titles.relation:
        wider = "first" if titles.relation is Relation.SUPERSET else "second"
        raise UserError(f"inverted: the {wider} title seems the wider one, not so {relation}: {mend} same")
