"""Pairs of markets whose questions are the same or nested, approved by a person, as baskets that are watched."""

from dataclasses import dataclass, replace

from arbsaga.detect.watches import Books, FixedWatch
from arbsaga.domain.baskets import Basket, BasketKind, cross
from arbsaga.domain.capital import affordable
from arbsaga.domain.instruments import Instrument, Outcome
from arbsaga.domain.money import Usd
from arbsaga.domain.pricing import Gates, NoTrade, Quote
from arbsaga.venues.port import MarketListing


@dataclass(frozen=True, slots=True)
class WatchedPair:
    """A live, approved pair: what of it may be bought together, and for how much.

    `combos` are the outcomes of `a` and `b` that pay $1 at least when both are held: two for questions that are the
    same, one for nested ones. `cap` is how many more USD may be spent on the pair now, since the two can still
    resolve differently; whoever gives it counts off what the pair's trades hold.
    """

    name: str
    title: str
    a: MarketListing
    b: MarketListing
    combos: tuple[tuple[Outcome, Outcome], ...]
    kind: BasketKind
    cap: Usd

    @property
    def event(self) -> str:
        """The event of its baskets."""
        return f"pairs/{self.name}"


class PairWatch(FixedWatch):
    """One direction of a pair: never dearer than what is left of its cap."""

    def __init__(self, basket: Basket, gates: Gates, cap: Usd) -> None:
        super().__init__(basket, replace(gates, budget=min(gates.budget, cap)))
        self.cap = cap

    def price(self, books: Books) -> Quote | NoTrade:
        """The basket at real depth, for what is left of the cap even if every share costs its limit."""
        if self.cap <= 0:
            return NoTrade("pair cap: nothing is left of it")
        quote = super().price(books)
        if isinstance(quote, NoTrade):
            return quote
        believed = {token: book for token in self.tokens if (book := books(token)) is not None}
        within = affordable(quote, self.cap, believed, self.gates)
        return within or NoTrade(f"pair cap: {self.cap:f} USD left are too few")


def pair_watches(pair: WatchedPair, gates: Gates) -> list[FixedWatch]:
    """The directions of the pair that can be traded now: none unless both markets are open."""
    if not (pair.a.open and pair.b.open):
        return []
    baskets = [
        cross(pair.name, pair.title, pair.kind, _outcome(pair.a, first), _outcome(pair.b, second))
        for first, second in pair.combos
    ]
    assert len({basket.key for basket in baskets}) == len(baskets), "a pair has at most one basket in each direction"
    return [PairWatch(basket, gates, pair.cap) for basket in baskets]


def _outcome(market: MarketListing, outcome: Outcome) -> Instrument:
    return market.yes if outcome is Outcome.YES else market.no
