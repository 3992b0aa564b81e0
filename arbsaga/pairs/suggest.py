"""Looks for markets of two venues that may ask the same, by their titles, outcomes and dates. It only suggests."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from rapidfuzz import fuzz, process, utils

from arbsaga.pairs.checking import DAY_MS
from arbsaga.pairs.pair import MarketRef, Relation
from arbsaga.pairs.polarity import Comparison, compare
from arbsaga.venues.port import EventListing, MarketListing

LIKE_EVENTS: Final = 10
"""Events of the other venue whose markets are compared with an event's."""
EVENT_SCORE: Final = 60
MIN_SCORE: Final = 70
"""Of 100: less alike is not worth a person's time."""
FAR_DAYS: Final = 30
"""Closing this much apart counts as nothing alike."""
_WEIGHTS: Final = (5, 3, 2)
"""Of titles, outcomes and dates, of 10."""
_DOUBT: Final = 3
"""Points that each doubt costs."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two markets that may be a pair. `score` is 0 to 100; `why` says what it is made of, in words."""

    a: MarketRef
    b: MarketRef
    title_a: str
    title_b: str
    relation: Relation
    score: int
    why: tuple[str, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """An open market with the words that it needs to be understood."""

    market: MarketListing
    title: str
    outcome: str

    @property
    def ref(self) -> MarketRef:
        return MarketRef(self.market.yes.venue, self.market.yes.market)


def suggest(
    events_a: Sequence[EventListing],
    events_b: Sequence[EventListing],
    *,
    known: Collection[frozenset[tuple[str, str]]] = (),
    limit: int = 20,
) -> tuple[Candidate, ...]:
    """The likeliest pairs of open markets, best first, at most `limit`; without the `known` ones (`Pair.markets`)."""
    titles = {index: utils.default_process(event.title) for index, event in enumerate(events_b)}
    found = [
        candidate
        for event in events_a
        for other in _like(event, events_b, titles)
        for candidate in _candidates(event, other)
        if _key(candidate) not in known
    ]
    return tuple(sorted(found, key=lambda candidate: (-candidate.score, str(candidate.a), str(candidate.b)))[:limit])


def _like(event: EventListing, others: Sequence[EventListing], titles: Mapping[int, str]) -> Iterator[EventListing]:
    wanted = utils.default_process(event.title)
    found = process.extract(
        wanted, titles, scorer=fuzz.token_set_ratio, processor=None, score_cutoff=EVENT_SCORE, limit=LIKE_EVENTS
    )
    for _, _, index in found:
        yield others[index]


def _candidates(a: EventListing, b: EventListing) -> Iterator[Candidate]:
    for first, second in product(_asked(a), _asked(b)):
        compared = compare(first.title, second.title)
        if compared.relation is None:
            continue
        score, why = _score(first, second, compared)
        if score >= MIN_SCORE:
            doubts = (*compared.doubts, *_dates_apart(first.market, second.market))
            yield Candidate(
                first.ref, second.ref, first.title, second.title, compared.relation, score, tuple(why), doubts
            )


def _asked(event: EventListing) -> list[_Asked]:
    return [_Asked(market, _title(event, market), market.yes.title) for market in event.markets if market.open]


def _title(event: EventListing, market: MarketListing) -> str:
    """Event and outcome together, without saying twice what the one has of the other: two negations would cancel."""
    outcome = market.yes.title
    if fuzz.token_set_ratio(event.title, outcome, processor=utils.default_process) == 100:
        return max(event.title, outcome, key=len)
    return f"{event.title} {outcome}"


def _score(a: _Asked, b: _Asked, compared: Comparison) -> tuple[int, list[str]]:
    titles = fuzz.token_set_ratio(a.title, b.title, processor=utils.default_process)
    outcomes = max(fuzz.WRatio(a.outcome, b.outcome, processor=utils.default_process), _same_in(a, b))
    apart = _days_apart(a.market, b.market)
    dates = 50.0 if apart is None else max(0.0, 100 - 100 * apart / FAR_DAYS)
    parts = (titles, outcomes, dates)
    score = sum(weight * part for weight, part in zip(_WEIGHTS, parts, strict=True)) / sum(_WEIGHTS)
    score -= _DOUBT * len(compared.doubts)
    closing = "at times not told by both" if apart is None else f"{apart:.1f} days apart"
    return round(score), [f"titles {titles:.0f} alike", f"outcomes {outcomes:.0f} alike", f"close {closing}"]


def _same_in(a: _Asked, b: _Asked) -> float:
    """An outcome is often a label at the one venue ("Norris") and a whole question at the other."""
    both = (fuzz.token_set_ratio(a.outcome, b.title, processor=utils.default_process),
            fuzz.token_set_ratio(b.outcome, a.title, processor=utils.default_process))  # fmt: skip
    return min(both)


def _days_apart(a: MarketListing, b: MarketListing) -> float | None:
    if not a.closes_ms or not b.closes_ms:
        return None
    return abs(a.closes_ms - b.closes_ms) / DAY_MS


def _dates_apart(a: MarketListing, b: MarketListing) -> Iterator[str]:
    apart = _days_apart(a, b)
    if apart is None:
        yield "one venue does not say when its market closes"
    elif apart > 1:
        yield f"they close {apart:.0f} days apart"


def _key(candidate: Candidate) -> frozenset[tuple[str, str]]:
    return frozenset((ref.venue, ref.market.lower()) for ref in (candidate.a, candidate.b))
