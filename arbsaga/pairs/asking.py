"""Asks the venues what the pairs' markets say now, and states each pair."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from arbsaga.domain.resolution import days_to_resolution
from arbsaga.errors import ArbsagaError, UnknownThing
from arbsaga.pairs.checking import Disabled, State, state
from arbsaga.pairs.pair import MarketRef, Pair
from arbsaga.venues.port import Question, Venue

ASKED_AT_ONCE = 8
"""Requests at a time: a small account of Kalshi may make 20 reads a second."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A pair and its state; `days` until both markets are expected to pay, None where a venue does not say."""

    pair: Pair
    state: State
    days: Decimal | None


async def states(
    pairs: Sequence[Pair], venues: Mapping[str, Venue], now_ms: int, *, paper: bool = False
) -> tuple[Stated, ...]:
    """The state of each pair, on `paper` or with real money.

    A venue that does not answer, or no longer has a market, disables what it concerns.
    """
    gate = asyncio.Semaphore(ASKED_AT_ONCE)

    async def asked(ref: MarketRef) -> Question | str:
        async with gate:
            try:
                question = await ask(ref, venues)
            except ArbsagaError as error:
                return " ".join(str(error).split())
        if not ref.names(question):
            return f"{ref.venue} answered about {question.market} when asked about {ref}"
        return question

    refs = tuple(dict.fromkeys(ref for pair in pairs for ref in (pair.a, pair.b)))
    found = dict(zip(refs, await asyncio.gather(*map(asked, refs)), strict=True))
    return tuple(_stated(pair, found[pair.a], found[pair.b], now_ms, paper=paper) for pair in pairs)


async def ask(ref: MarketRef, venues: Mapping[str, Venue]) -> Question:
    """A market's question. Raises UnknownThing, also for a venue that is not configured, and VenueError."""
    venue = venues.get(ref.venue)
    if venue is None:
        raise UnknownThing(f"{ref}: {ref.venue} is not among the venues of the configuration; see venues")
    return await venue.question(ref.market)


def _stated(pair: Pair, a: Question | str, b: Question | str, now_ms: int, *, paper: bool) -> Stated:
    if isinstance(a, Question) and isinstance(b, Question):
        days = days_to_resolution(now_ms, *(question.resolves_ms or question.closes_ms for question in (a, b)))
        return Stated(pair, state(pair, a, b, now_ms, paper=paper), days)
    reasons = dict.fromkeys(answer for answer in (a, b) if isinstance(answer, str))
    return Stated(pair, Disabled("; ".join(reasons)), None)
