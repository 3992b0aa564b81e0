"""The guaranteed payout, in every state of the world."""

from dataclasses import replace
from decimal import Decimal
from itertools import combinations

import pytest

from arbsaga.domain.baskets import Basket, BasketKind, Leg, complement, cross, no_of_some, yes_of_all
from arbsaga.domain.instruments import Outcome
from arbsaga.domain.money import Usd

from .make import instrument

NAMES = "abcdef"


def payout(basket: Basket, winner: str | None) -> Decimal:
    """What one unit pays when `winner` resolves YES and every other market NO."""
    pays = {Outcome.YES: lambda market: market == winner, Outcome.NO: lambda market: market != winner}
    legs = ((leg.ratio, leg.instrument) for leg in basket.legs)
    return sum((ratio for ratio, of in legs if pays[of.outcome](of.market)), Decimal(0))


@pytest.mark.parametrize("count", range(2, 7))
def test_one_yes_of_each_market_pays_one_in_every_resolution_of_an_exhaustive_event(count):
    """Exactly one market resolves YES, whichever it is: exactly $1."""
    names = NAMES[:count]
    basket = yes_of_all("e", "title", [instrument(name) for name in names])
    assert {payout(basket, winner) for winner in names} == {basket.payout} == {1}


@pytest.mark.parametrize("count", range(2, 7))
def test_an_event_without_a_winner_is_why_a_yes_basket_must_be_exhaustive(count):
    """None of the listed markets wins: one YES of each pays nothing."""
    basket = yes_of_all("e", "title", [instrument(name) for name in NAMES[:count]])
    assert payout(basket, None) == 0


@pytest.mark.parametrize("count", range(2, 7))
def test_one_no_of_each_of_k_markets_pays_at_least_k_less_one_in_every_resolution(count):
    """Every subset of the event, every winner, and no winner at all: k - 1 if the winner is in it, else k."""
    for size in range(2, count + 1):
        for subset in combinations(NAMES[:count], size):
            basket = no_of_some("e", "title", [instrument(name, Outcome.NO) for name in subset])
            assert basket.payout == size - 1
            for winner in (*NAMES[:count], None):
                assert payout(basket, winner) == (size - 1 if winner in subset else size) >= basket.payout


@pytest.mark.parametrize("winner", ["a", None])
def test_yes_and_no_of_one_market_pay_one(winner):
    """Whichever way the market resolves."""
    basket = complement("e", "title", instrument("a"))
    assert payout(basket, winner) == basket.payout == 1


HERE, THERE = instrument("here"), instrument("there")
YES, NO = (HERE, THERE), (HERE.other(), THERE.other())
IDENTITY, NESTED = BasketKind.IDENTITY, BasketKind.NESTED


def paid(basket: Basket, *winners: str) -> Decimal:
    """What one unit pays when exactly these markets resolve YES."""
    return sum(
        (
            leg.ratio
            for leg in basket.legs
            if (leg.instrument.outcome is Outcome.YES) == (leg.instrument.market in winners)
        ),
        Decimal(0),
    )


@pytest.mark.parametrize(
    ("kind", "a", "b", "states", "pays"),
    [
        (IDENTITY, YES[0], NO[1], [(), ("here", "there")], {1}),  # the same question
        (IDENTITY, NO[0], YES[1], [(), ("here", "there")], {1}),
        (IDENTITY, YES[0], YES[1], [("here",), ("there",)], {1}),  # each other's opposite
        (IDENTITY, NO[0], NO[1], [("here",), ("there",)], {1}),
        (NESTED, YES[0], NO[1], [(), ("here",), ("here", "there")], {1, 2}),  # "there" implies "here"
    ],
)
def test_a_pair_pays_one_at_least_in_every_state_that_its_relation_allows(kind, a, b, states, pays):
    """Whichever way the two markets resolve, as long as they resolve by the relation."""
    basket = cross("rates", "Rates", kind, a, b)
    assert {paid(basket, *winners) for winners in states} == pays
    assert min(pays) == basket.payout == 1


def test_a_pair_that_resolves_against_its_relation_can_pay_nothing():
    """That is the risk which the cap of a pair bounds."""
    assert paid(cross("rates", "Rates", IDENTITY, YES[0], NO[1]), "there") == 0


def test_the_two_directions_of_a_pair_have_keys_of_their_own_in_one_event():
    """Named after the first market's outcome; neither is the key of a market's own two outcomes."""
    there, back = cross("rates", "t", IDENTITY, YES[0], NO[1]), cross("rates", "t", IDENTITY, NO[0], YES[1])
    assert (there.key, back.key) == ("cross:rates:a", "cross:rates:b")
    assert there.event == back.event == "pairs/rates"


def test_two_venues_may_name_a_market_alike():
    """A market is its venue's: the same name elsewhere is another market."""
    elsewhere = replace(instrument("here", Outcome.NO), venue="elsewhere", token="elsewhere:no")
    assert len(cross("rates", "t", IDENTITY, HERE, elsewhere).legs) == 2


def test_keys_name_the_event_and_the_market_whatever_the_subset():
    """Two overlapping NO baskets of one event have one key: they are never in flight together."""
    no = [instrument(name, Outcome.NO) for name in "abc"]
    assert no_of_some("e", "t", no[:2]).key == no_of_some("e", "t", no[1:]).key == "no:e"
    assert yes_of_all("e", "t", [instrument("a"), instrument("b")]).key == "yes:e"
    assert complement("e", "t", instrument("m")).key == "pair:m"


@pytest.mark.parametrize(
    "build",
    [
        lambda: yes_of_all("e", "t", [instrument("a"), instrument("b", Outcome.NO)]),
        lambda: no_of_some("e", "t", [instrument("a"), instrument("b", Outcome.NO)]),
        lambda: yes_of_all("e", "t", [instrument("a"), instrument("a")]),
        lambda: yes_of_all("e", "t", [instrument("a")]),
        lambda: cross("p", "t", BasketKind.IDENTITY, instrument("a"), instrument("a", Outcome.NO)),
        lambda: cross("p", "t", BasketKind.COMPLEMENT, instrument("a"), instrument("b", Outcome.NO)),
        lambda: Basket("k", BasketKind.COMPLEMENT, "t", "e", (Leg(instrument("a")),) * 2, Usd(Decimal(1))),
        lambda: Basket(
            "k",
            BasketKind.COMPLEMENT,
            "t",
            "e",
            (Leg(instrument("a")), Leg(instrument("b"), ratio=Decimal(0))),
            Usd(Decimal(1)),
        ),
    ],
)
def test_a_basket_that_guarantees_nothing_cannot_be_built(build):
    """Mixed outcomes, a market twice or paired with itself, one leg, a token twice, no shares: refused when built."""
    with pytest.raises(AssertionError):
        build()
