"""A basket: signed legs with a payout that is guaranteed in every state of the world."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from arbsaga.domain.instruments import Instrument, Outcome, Side
from arbsaga.domain.money import Usd


class BasketKind(StrEnum):
    """Why the payout is guaranteed."""

    YES_OF_ALL = "yes-of-all"
    NO_OF_SOME = "no-of-some"
    COMPLEMENT = "complement"
    IDENTITY = "identity"
    NESTED = "nested"


@dataclass(frozen=True, slots=True)
class Leg:
    """`ratio` shares of the instrument, bought or sold, for each unit of the basket."""

    instrument: Instrument
    side: Side = Side.BUY
    ratio: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Basket:
    """The legs and what one unit of them pays at least, in USD.

    `key` names the basket for ever: it is the in-flight lock and the workflow's id, so that the
    same basket is never in two trades at once.
    """

    key: str
    kind: BasketKind
    title: str
    event: str
    legs: tuple[Leg, ...]
    payout: Usd

    def __post_init__(self) -> None:
        tokens = [leg.instrument.token for leg in self.legs]
        assert len(set(tokens)) == len(tokens) >= 2, "a basket has two or more different legs"
        assert all(leg.ratio > 0 for leg in self.legs), "a ratio is positive"


def yes_of_all(event: str, title: str, yes: Sequence[Instrument]) -> Basket:
    """One YES of each market of an exhaustive event: exactly one of them pays $1.

    The caller vouches that the list is exhaustive: an augmented neg-risk event (with an "Other"
    that is no market) is not, and buying it is a bet (OctoBot-Prediction-Market #2).
    """
    _require(yes, Outcome.YES)
    legs = tuple(Leg(instrument) for instrument in yes)
    return Basket(f"yes:{event}", BasketKind.YES_OF_ALL, title, event, legs, Usd(Decimal(1)))


def no_of_some(event: str, title: str, no: Sequence[Instrument]) -> Basket:
    """One NO of each of k markets of a neg-risk event: at most one of them loses, so it pays k - 1.

    Holds for every subset, exhaustive or not: the contract lets at most one market resolve YES.
    """
    _require(no, Outcome.NO)
    legs = tuple(Leg(instrument) for instrument in no)
    return Basket(f"no:{event}", BasketKind.NO_OF_SOME, title, event, legs, Usd(Decimal(len(no) - 1)))


def complement(event: str, title: str, yes: Instrument) -> Basket:
    """YES and NO of one market: pays $1. Where the two books mirror each other it is never under $1."""
    legs = (Leg(yes), Leg(yes.other()))
    return Basket(f"pair:{yes.market}", BasketKind.COMPLEMENT, title, event, legs, Usd(Decimal(1)))


def cross(name: str, title: str, kind: BasketKind, a: Instrument, b: Instrument) -> Basket:
    """One outcome of each of two markets that ask the same, or of which one implies the other: pays at least $1.

    IDENTITY: YES here and NO there, or the same outcome of both where the questions are each other's opposite.
    NESTED: YES of the wider question and NO of the narrower. The caller vouches for it, as a person approved the pair
    `name`; a market that pays neither 0 nor 1 (a tie, a void, Kalshi's `scalar`) can break the guarantee. The pair's
    two directions have keys of their own, "a" for the YES of the first market, "b" for its NO.
    """
    assert kind in (BasketKind.IDENTITY, BasketKind.NESTED), "a pair is of two markets"
    assert (a.venue, a.market) != (b.venue, b.market), "a pair is of two different markets"
    direction = "a" if a.outcome is Outcome.YES else "b"
    return Basket(f"cross:{name}:{direction}", kind, title, f"pairs/{name}", (Leg(a), Leg(b)), Usd(Decimal(1)))


def _require(instruments: Sequence[Instrument], outcome: Outcome) -> None:
    assert all(instrument.outcome is outcome for instrument in instruments), f"every leg is a {outcome}"
    assert len({instrument.market for instrument in instruments}) == len(instruments), "one leg per market"
