"""Looks for markets of two venues that may ask the same, by their titles, outcomes and dates. It only suggests."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from rapidfuzz import fuzz, process, utils

from arbsaga.pairs.pair import MarketRef, Relation
from arbsaga.pairs.polarity import compare
from arbsaga.venues.port import EventListing, MarketListing

DAY_MS: Final = 86_400_000
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
    """An open market with the words that it needs to be understood, and the same as rapidfuzz compares them."""

    market: MarketListing
    title: str
    plain_title: str
    plain_outcome: str

    @property
    def ref(self) -> MarketRef:
        return MarketRef(self.market.yes.venue, self.market.yes.market)


@dataclass(frozen=True, slots=True)
class _Event:
    """An event's title as rapidfuzz compares it, and its open markets."""

    plain_title: str
    asked: tuple[_Asked, ...]


def suggest(
    events_a: Sequence[EventListing],
    events_b: Sequence[EventListing],
    *,
    known: Collection[frozenset[tuple[str, str]]] = (),
    limit: int = 20,
) -> tuple[Candidate, ...]:
    """The likeliest pairs of open markets, best first, at most `limit`; without the `known` ones (`Pair.markets`)."""
    ours, theirs = [_read(event) for event in events_a], [_read(event) for event in events_b]
    titles = {index: event.plain_title for index, event in enumerate(theirs)}
    found = [
        candidate
        for event in ours
        for other in _like(event, theirs, titles)
        for candidate in _candidates(event, other)
        if _key(candidate) not in known
    ]
    return tuple(sorted(found, key=lambda candidate: (-candidate.score, str(candidate.a), str(candidate.b)))[:limit])


def _read(event: EventListing) -> _Event:
    plain = utils.default_process
    asked = [(market, _title(event, market)) for market in event.markets if market.open]
    return _Event(
        plain(event.title),
        tuple(_Asked(market, title, plain(title), plain(market.yes.title)) for market, title in asked),
    )


def _title(event: EventListing, market: MarketListing) -> str:
    """Event and outcome together, without saying twice what the one has of the other: two negations would cancel."""
    outcome = market.yes.title
    if fuzz.token_set_ratio(event.title, outcome, processor=utils.default_process) == 100:
        return max(event.title, outcome, key=len)
    return f"{event.title} {outcome}"


def _like(event: _Event, others: Sequence[_Event], titles: Mapping[int, str]) -> Iterator[_Event]:
    found = process.extract(
        event.plain_title,
        titles,
        scorer=fuzz.token_set_ratio,
        processor=None,
        score_cutoff=EVENT_SCORE,
        limit=LIKE_EVENTS,
    )
    for _, _, index in found:
        yield others[index]


def _candidates(a: _Event, b: _Event) -> Iterator[Candidate]:
    """Likeness first: reading two titles by rule costs a hundred times as much."""
    for first, second in product(a.asked, b.asked):
        likeness, why = _likeness(first, second)
        if likeness < MIN_SCORE:
            continue
        compared = compare(first.title, second.title)
        score = round(likeness - _DOUBT * len(compared.doubts))
        if compared.relation is None or score < MIN_SCORE:
            continue
        doubts = (*compared.doubts, *_dates_apart(first.market, second.market))
        yield Candidate(first.ref, second.ref, first.title, second.title, compared.relation, score, why, doubts)


def _likeness(a: _Asked, b: _Asked) -> tuple[float, tuple[str, ...]]:
    """0 to 100, and what it is made of."""
    titles = fuzz.token_set_ratio(a.plain_title, b.plain_title)
    outcomes = max(fuzz.WRatio(a.plain_outcome, b.plain_outcome), _outcomes_in_titles(a, b))
    apart = _days_apart(a.market, b.market)
    dates = 50.0 if apart is None else max(0.0, 100 - 100 * apart / FAR_DAYS)
    parts = (titles, outcomes, dates)
    likeness = sum(weight * part for weight, part in zip(_WEIGHTS, parts, strict=True)) / sum(_WEIGHTS)
    closing = "at times not told by both" if apart is None else f"{apart:.1f} days apart"
    return likeness, (f"titles {titles:.0f} alike", f"outcomes {outcomes:.0f} alike", f"close {closing}")


def _outcomes_in_titles(a: _Asked, b: _Asked) -> float:
    """An outcome is often a label at the one venue ("Norris") and a whole question at the other."""
    return min(
        fuzz.token_set_ratio(a.plain_outcome, b.plain_title), fuzz.token_set_ratio(b.plain_outcome, a.plain_title)
    )


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
