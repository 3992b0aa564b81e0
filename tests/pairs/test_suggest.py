"""Suggestions: markets of two venues that look alike, with why, what to look at, and never a different question."""

from decimal import Decimal

import pytest
from pairs_make import DAY, NOW

from arbsaga.domain.instruments import Instrument, MarketRules, Outcome
from arbsaga.pairs.pair import MarketRef, Relation
from arbsaga.pairs.suggest import suggest
from arbsaga.venues.port import EventListing, MarketListing

RULES = MarketRules(tick=Decimal("0.01"))


def market(venue, name, title, closes_ms=NOW + DAY, is_open=True):
    yes = Instrument(venue, name, f"{name}-yes", f"{name}-no", Outcome.YES, title, RULES)
    return MarketListing(yes, yes.other(), open=is_open, closes_ms=closes_ms)


def event(title, *markets):
    return EventListing(title, title, neg_risk=len(markets) > 1, exhaustive=False, markets=markets)


def here(title, *outcomes, **more):
    return event(title, *(market("polymarket", f"0x{at}", outcome, **more) for at, outcome in enumerate(outcomes)))


def there(title, *outcomes, **more):
    return event(title, *(market("kalshi", f"KX-{at}", outcome, **more) for at, outcome in enumerate(outcomes)))


def pairs_of(found):
    return [(one.a.market, one.b.market, one.relation) for one in found]


def test_each_outcome_is_suggested_with_its_like():
    ours = here("Monza Grand Prix: race winner", "Norris", "Verstappen", "Leclerc")
    theirs = there("Who will win the Monza Grand Prix?", "Lando Norris", "Max Verstappen", "Oscar Piastri")
    found = suggest([here("Rain in Oslo?", "Rain in Oslo?"), ours], [there("Best Picture", "Orchard"), theirs])
    assert sorted(pairs_of(found)) == [("0x0", "KX-0", Relation.IDENTITY), ("0x1", "KX-1", Relation.IDENTITY)]
    assert found[0].a.venue == "polymarket"
    assert found[0].b == MarketRef("kalshi", found[0].b.market)


def test_a_suggestion_says_what_its_score_is_made_of():
    (found,) = suggest([here("Fed cut?", "Fed cut?")], [there("Fed cut?", "Fed cut?", closes_ms=NOW + 4 * DAY)])
    assert found.why == ("titles 100 alike", "outcomes 100 alike", "close 3.0 days apart")
    assert found.score == 98
    assert found.doubts == ("they close 3 days apart",)


def test_a_closed_market_and_a_known_pair_are_left_out():
    ours, theirs = here("Fed cut?", "Fed cut?"), there("Fed cut?", "Fed cut?")
    (found,) = suggest([ours], [theirs])
    known = [frozenset([("kalshi", "kx-0"), ("polymarket", "0x0")])]
    assert suggest([ours], [theirs], known=known) == ()
    assert suggest([here("Fed cut?", "Fed cut?", is_open=False)], [theirs]) == ()
    assert found.relation is Relation.IDENTITY


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Bitcoin at 88000?", "Bitcoin at 90000?"),
        ("Rain in Oslo on December 3?", "Rain in Oslo on December 4?"),
        ("Bitcoin price up this hour", "Ethereum treaty signed"),
    ],
)
def test_a_different_question_is_no_suggestion(ours, theirs):
    assert suggest([here(ours, ours)], [there(theirs, theirs)]) == ()


def test_nested_and_inverted_questions_are_suggested_as_what_they_are():
    wide = here("Bitcoin above $90,000?", "Bitcoin above $90,000?")
    narrow = there("Bitcoin above $100,000?", "Bitcoin above $100,000?")
    under = there("Bitcoin at or below $90,000?", "$90,000 or below")
    assert pairs_of(suggest([wide], [narrow])) == [("0x0", "KX-0", Relation.SUPERSET)]
    (found,) = suggest([wide], [under])
    assert found.relation is Relation.COMPLEMENT
    assert "they seem to ask for opposite things" in found.doubts


def test_dates_far_apart_cost_points_and_are_told():
    ours = here("Fed cut?", "Fed cut?")
    (near,) = suggest([ours], [there("Fed cut?", "Fed cut?")])
    (far,) = suggest([ours], [there("Fed cut?", "Fed cut?", closes_ms=NOW + 41 * DAY)])
    (silent,) = suggest([ours], [there("Fed cut?", "Fed cut?", closes_ms=0)])
    assert (near.score, far.score, silent.score) == (100, 80, 90)
    assert "they close 40 days apart" in far.doubts
    assert "one venue does not say when its market closes" in silent.doubts
    assert near.doubts == ()


def test_the_likeliest_come_first_and_only_so_many():
    ours = here("Fed cut in December?", "Fed cut in December?")
    exact = event("Fed cut in December?", market("kalshi", "KX-EXACT", "Fed cut in December?"))
    vague = event("Fed rate cut", market("kalshi", "KX-VAGUE", "Fed rate cut"))
    found = suggest([ours], [vague, exact])
    assert [one.b.market for one in found] == ["KX-EXACT", "KX-VAGUE"]
    assert suggest([ours], [vague, exact], limit=1) == found[:1]


def test_a_title_is_not_said_twice():
    """Event and market often carry the same sentence: its negation would count twice and cancel."""
    ours = here("No deal this year?", "No deal this year?")
    (found,) = suggest([ours], [there("Deal this year?", "Deal this year?")])
    assert found.title_a == "No deal this year?"
    assert found.relation is Relation.COMPLEMENT
