"""Which baskets an event has, and which of them a token touches."""

import pytest

from arbsaga.detect import BasketSettings
from arbsaga.detect.index import BasketIndex, watches_of
from arbsaga.domain.pricing import Gates

from .make import event, market


def keys(listing, **settings):
    return [watch.key for watch in watches_of(listing, Gates(), BasketSettings(**settings))]


@pytest.mark.parametrize(
    ("listing", "built"),
    [
        (event("e", "abc"), ["yes:e", "no:e"]),
        (event("e", "abc", exhaustive=False), ["no:e"]),  # augmented: an "Other" that is no market can win
        (event("e", "abc", neg_risk=False), []),  # thresholds and dates: several can resolve YES, or none
        (event("e", "abc", neg_risk=False, exhaustive=False), []),
        (event("e", [market("a"), market("b"), market("c", open_=False)]), ["no:e"]),  # a sibling has closed
        (event("e", [market("a"), market("b", open_=False)]), []),
        (event("e", [market("a", open_=False)] * 2), []),
        (event("e", "a"), []),
    ],
)
def test_only_baskets_with_a_guaranteed_payout_are_built(listing, built):
    """YES of all: exhaustive and all open. NO of some: at most one can win, two are open."""
    assert keys(listing) == built


def test_complements_are_built_when_asked_for():
    """One for each open market; the event's title names the only one."""
    listing = event("e", [market("a"), market("b", open_=False)], neg_risk=False)
    assert keys(listing, complement=True) == ["pair:a"]
    assert keys(event("e", "a"), complement=True) == ["pair:ea"]
    titles = [
        watch.basket.title
        for one in (event("e", "a"), event("f", "ab", neg_risk=False))
        for watch in watches_of(one, Gates(), BasketSettings(complement=True))
    ]
    assert titles == ["Who wins e?", "Who wins f?: fa wins", "Who wins f?: fb wins"]


def test_an_event_with_too_many_markets_has_no_yes_basket():
    """All of its legs are needed; of its NOs a few will do."""
    assert keys(event("e", "abcd"), max_legs=3) == ["no:e"]


def test_a_token_finds_its_baskets_and_the_leg_it_is():
    """YES tokens in the YES basket, NO tokens in the pool; the pair of the market too where there is one."""
    index = BasketIndex(Gates(), BasketSettings(complement=True))
    new = index.refresh([event("e", "ab")])
    assert index.watches == new
    assert [(watch.key, at) for watch, at in index.touched("eb-yes")] == [("yes:e", 1), ("pair:eb", 0)]
    assert [(watch.key, at) for watch, at in index.touched("ea-no")] == [("no:e", 0), ("pair:ea", 1)]
    assert index.touched("other") == ()
    assert index.tokens() == {"venue": [{"ea-yes": "ea", "eb-yes": "eb", "ea-no": "ea", "eb-no": "eb"}]}


def test_a_refresh_touches_only_events_that_have_changed():
    """What stays the same keeps its prices; what is gone or changed is built anew or dropped."""
    index = BasketIndex(Gates(), BasketSettings())
    first = index.refresh([event("e", "ab"), event("f", "ab"), event("g", "ab")])
    changed = event("f", [market("fa"), market("fb", open_=False), market("fc")])
    new = index.refresh([event("e", "ab"), changed])
    assert [watch.key for watch in new] == ["no:f"]
    assert index.watches == [*(watch for watch in first if watch.event == "e"), *new]
    assert index.touched("ga-yes") == () == index.touched("fa-yes")
    assert {market for tokens in index.tokens()["venue"] for market in tokens.values()} == {"ea", "eb", "fa", "fc"}


def test_a_closed_market_voids_its_event_until_it_is_listed_again():
    """The same listing builds it anew."""
    index = BasketIndex(Gates(), BasketSettings())
    listing = event("e", "ab")
    index.refresh([listing])
    index.retire("unknown")
    assert index.watches
    index.retire("ea")
    assert index.watches == []
    assert [watch.key for watch in index.refresh([listing])] == ["yes:e", "no:e"]


def test_an_event_that_goes_takes_all_of_its_baskets_along():
    """Also where a token is in several of them; an event without baskets leaves nothing."""
    index = BasketIndex(Gates(), BasketSettings(complement=True))
    index.refresh([event("e", "ab"), event("f", [market("fa", open_=False)])])
    assert len(index.tokens()["venue"]) == 1
    index.refresh([])
    assert index.watches == []
    assert [index.touched(f"e{one}") for one in ("a-yes", "a-no", "b-yes", "b-no")] == [()] * 4


def test_what_has_resolved_since_does_not_stand_in_for_the_event():
    """A venue lists an event again with its resolved markets alone: the open ones are still tradable."""
    index = BasketIndex(Gates(), BasketSettings())
    resolved = event("e", [market("ea", open_=False)], neg_risk=True, exhaustive=False)
    still_open = event("e", [market("ea", open_=False), market("eb"), market("ec")], exhaustive=False)
    index.refresh([still_open, resolved])
    assert [watch.key for watch in index.watches] == ["no:e"]
    index.refresh([resolved])
    assert index.watches == []
