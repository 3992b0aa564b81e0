"""Whether a pair may be traded now, and which outcomes of it together pay at least $1. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from arbsaga.domain.instruments import Outcome
from arbsaga.pairs.pair import PAPER, MarketRef, Pair, Relation, text_hash
from arbsaga.venues.port import Question

_NO, _YES = Outcome.NO, Outcome.YES


@dataclass(frozen=True, slots=True)
class Live:
    """The pair is as it was approved and may be traded."""


@dataclass(frozen=True, slots=True)
class Disabled:
    """The pair may not be traded: `reason` is one line."""

    reason: str


State = Live | Disabled


def state(pair: Pair, question_a: Question, question_b: Question, now_ms: int, *, paper: bool = False) -> State:
    """Whether the two questions, as the venues put them now, are still those that were approved.

    `paper`: whether no real money is traded, so that a pair which no person approved may be.
    """
    reasons = list(_reasons(pair, (question_a, question_b), now_ms))
    if pair.approved_by == PAPER and not paper:
        reasons.insert(0, "approved by paper trading, not by a person: real money is not traded on it")
    return Disabled("; ".join(reasons)) if reasons else Live()


def guaranteed(pair: Pair) -> tuple[tuple[Outcome, Outcome], ...]:
    """The pairs of (outcome of `a`, outcome of `b`) of which at least one wins in every state the relation allows.

    Either market may pay between 0 and 1 or resolve unlike the other: that is what the exposure cap is for.
    """
    return {
        Relation.IDENTITY: ((_YES, _NO), (_NO, _YES)),
        Relation.COMPLEMENT: ((_YES, _YES), (_NO, _NO)),
        Relation.SUBSET: ((_NO, _YES),),
        Relation.SUPERSET: ((_YES, _NO),),
    }[pair.relation]


def _reasons(pair: Pair, questions: tuple[Question, Question], now_ms: int) -> Iterator[str]:
    if not pair.approved_by:
        yield f"unapproved: compare both texts, then `arbsaga pairs approve {pair.name}`"
    for index, ref in enumerate((pair.a, pair.b)):
        question = questions[index]
        assert ref.names(question), f"{ref} was asked about, {question.venue}:{question.market} answered"
        yield from _changes(ref, question, pair.statuses[index])
        if text_hash(question) != pair.hashes[index]:
            yield f"the text of {ref} has changed since it was approved"
        if question.closes_ms != pair.cutoffs[index]:
            yield f"{ref} now closes {when(question.closes_ms)}, not {when(pair.cutoffs[index])} as approved"
    if now_ms >= min(pair.cutoffs):
        yield f"past its cutoff, {when(min(pair.cutoffs))}"


def _changes(ref: MarketRef, question: Question, approved_status: str) -> Iterator[str]:
    """A dispute is said to be one, whatever was approved: a market under dispute must not be re-approved blindly."""
    if is_disputed(question):
        yield f"the resolution of {ref} is disputed"
    elif question.status != approved_status:
        yield f"{ref} is {question.status}, it was {approved_status} when approved"
    elif not question.open:
        yield f"{ref} takes no orders"


def is_disputed(question: Question) -> bool:
    """Whether the venue says that its resolution is contested (Kalshi and UMA: `disputed`)."""
    return question.status.lower() == "disputed"


def when(time_ms: int) -> str:
    """A time in UTC to the second, or `at no known time` for 0."""
    if not time_ms:
        return "at no known time"
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
