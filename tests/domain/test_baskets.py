"""The guaranteed payout, in every state of the world."""

from decimal import Decimal
from itertools import combinations

import pytest

from arbsaga.domain.baskets import Basket, BasketKind, Leg, complement, no_of_some, yes_of_all
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
    """Mixed outcomes, a market twice, one leg, a token twice, no shares: each is refused when built."""
    with pytest.raises(AssertionError):
        build()
