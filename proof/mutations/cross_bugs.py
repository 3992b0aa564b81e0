"""Bugs re-created where two venues meet: the pair, the last look, legs in turn, undoing, what is held already."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from activities import depth
from activities.depth import DepthCheck
from activities.trading import TradingActivities
from arbsaga.domain import books as book_rules
from arbsaga.domain.baskets import Leg
from arbsaga.domain.books import Book
from arbsaga.domain.instruments import Outcome
from arbsaga.domain.orders import OrderTerms, OrderView
from arbsaga.errors import VenueError
from arbsaga.pairs import checking
from arbsaga.pairs.pair import Pair
from arbsaga.saga import judge, undo
from arbsaga.saga.messages import TradePlan
from arbsaga.saga.trade import Trade
from arbsaga.venues.several import Several
from proof.mutations.mutation import Patch
from workers import pairing


def pauses_are_not_asked_for() -> list[Patch]:
    """Nobody asks whether a venue takes orders before a leg is sent to the other one."""

    async def barred(_self: DepthCheck, _plan: TradePlan) -> str:
        return ""

    return [(DepthCheck, "_barred", barred)]


def every_pair_is_identical() -> list[Patch]:
    """Whatever the relation, YES here and NO there are bought: of opposite questions that is twice the same bet."""

    def guaranteed(_pair: Pair) -> tuple[tuple[Outcome, Outcome], ...]:
        return ((Outcome.YES, Outcome.NO), (Outcome.NO, Outcome.YES))

    return [(checking, "guaranteed", guaranteed), (pairing, "guaranteed", guaranteed)]


def latest_of_each_leg() -> list[Patch]:
    """The latest book of each venue is taken, however far they lie apart."""
    right: Callable[..., str | None] = book_rules.trouble

    def trouble(*books: Any, **limits: Any) -> str | None:  # noqa: ANN401 - what the real one takes
        return right(*books, **limits | {"max_cross_skew_ms": None})

    return [(depth, "trouble", trouble)]


def both_outcomes_are_held() -> list[Patch]:
    """NO is bought where YES is held: the venue closes the one with the other."""
    return [(depth, "closing", lambda *_: "")]


def followers_in_full() -> list[Patch]:
    """The second leg is sent in full, whatever the first one filled."""
    right = judge.following_orders

    def following(trade: Trade, now_ms: int, abort: str) -> tuple[OrderTerms, ...]:
        return tuple(replace(one, size=trade.plan.legs[one.leg].size) for one in right(trade, now_ms, abort))

    return [(judge, "following_orders", following)]


def one_dead_venue_blinds_all() -> list[Patch]:
    """All books or none: a venue that does not answer keeps the leg at the other one from being sold."""

    async def books(self: TradingActivities, tokens: Sequence[str]) -> tuple[Book, ...]:
        try:
            return await self._venue.books(tokens)
        except VenueError:
            return ()

    return [(TradingActivities, "_books", books)]


def answers_mixed_up() -> list[Patch]:
    """What the one venue answers is taken for the other one's leg."""
    right = Several.post

    async def post(self: Several, orders: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        views = await right(self, orders)
        if len(orders) < 2:
            return views
        return tuple(replace(view, terms=terms) for view, terms in zip(reversed(views), orders, strict=True))

    return [(Several, "post", post)]


def hedged_where_outcomes_net() -> list[Patch]:
    """NO is bought to hedge YES where that only sells it: the legs count it twice."""
    right, tokens = undo._reductions, undo.tokens_to_read

    def reductions(index: int, leg: Leg, *more: Any) -> list[undo.Move | None]:  # noqa: ANN401 - what the real one takes
        rules = replace(leg.instrument.rules, nets=False)
        return right(index, replace(leg, instrument=replace(leg.instrument, rules=rules)), *more)

    def to_read(trade: Trade) -> tuple[str, ...]:
        others = (leg.instrument.complement for index, leg in enumerate(trade.legs) if trade.surplus(index) > 0)
        return tuple(dict.fromkeys((*tokens(trade), *others)))

    return [(undo, "_reductions", reductions), (undo, "tokens_to_read", to_read)]
