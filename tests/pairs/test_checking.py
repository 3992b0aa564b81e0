"""A pair is live only as it was approved, and its baskets win in every state of the world that the relation allows."""

from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest
from pairs_make import DAY, NOW, A, B, other, pair

from arbsaga.domain.instruments import Outcome
from arbsaga.domain.money import NO_USD
from arbsaga.pairs import Disabled, Live, Relation, guaranteed, left, state, text_hash, used

YES, NO = Outcome.YES, Outcome.NO
WORLDS = {
    Relation.IDENTITY: {(YES, YES), (NO, NO)},
    Relation.COMPLEMENT: {(YES, NO), (NO, YES)},
    Relation.SUBSET: {(YES, YES), (NO, YES), (NO, NO)},
    Relation.SUPERSET: {(YES, YES), (YES, NO), (NO, NO)},
}
"""The truth tables: how the two markets can resolve under each relation."""


@pytest.mark.parametrize("relation", Relation)
def test_exactly_the_combinations_that_always_win_are_guaranteed(relation):
    """Of all four, whichever loses both legs in no allowed world, and does not win by either leg alone."""
    wins = {
        held
        for held in product((YES, NO), repeat=2)
        if all(held[0] is world[0] or held[1] is world[1] for world in WORLDS[relation])
    }
    assert set(guaranteed(pair(relation=relation))) == wins


@pytest.mark.parametrize("relation", Relation)
def test_turning_a_pair_round_turns_its_baskets_round(relation):
    turned = {Relation.SUBSET: Relation.SUPERSET, Relation.SUPERSET: Relation.SUBSET}.get(relation, relation)
    assert {(b, a) for a, b in guaranteed(pair(relation=relation))} == set(guaranteed(pair(relation=turned)))


def test_a_pair_as_it_was_approved_is_live():
    assert state(pair(), A, B, NOW) == Live()
    shouted = replace(A, market=A.market.upper())
    assert state(pair(), shouted, B, NOW) == Live()


@pytest.mark.parametrize(
    ("changes", "a", "b", "now", "words"),
    [
        ({"approved_by": ""}, {}, {}, NOW, "unapproved: compare both texts, then `arbsaga pairs approve fed-cut`"),
        ({}, {"rules": "By the FOMC statement"}, {}, NOW, "the text of polymarket:0xab"),
        ({}, {}, {"rules": ""}, NOW, "the text of kalshi:KXFED-26DEC-CUT has changed since it was approved"),
        ({}, {}, {"title": "Fed hike in December?"}, NOW, "the text of kalshi:KXFED-26DEC-CUT has changed"),
        (
            {},
            {"closes_ms": A.closes_ms + 1_000},
            {},
            NOW,
            "now closes 2026-09-22 14:13:21 UTC, not 2026-09-22 14:13:20",
        ),
        ({}, {}, {"closes_ms": 0}, NOW, "kalshi:KXFED-26DEC-CUT now closes at no known time"),
        ({}, {"status": "proposed"}, {}, NOW, "is proposed, it was active when approved"),
        ({}, {}, {"status": "determined", "open": False}, NOW, "is determined, it was active when approved"),
        ({}, {}, {"open": False}, NOW, "kalshi:KXFED-26DEC-CUT takes no orders"),
        ({}, {"status": "disputed"}, {}, NOW, "the resolution of polymarket:0xab"),
        ({"statuses": ("active", "disputed")}, {}, {"status": "disputed"}, NOW, "the resolution of kalshi:KXFED"),
        ({}, {}, {}, A.closes_ms, "past its cutoff, 2026-09-22 14:13:20 UTC"),
    ],
)
def test_whatever_has_changed_disables_the_pair(changes, a, b, now, words):
    now_is = state(pair(**changes), replace(A, **a), replace(B, **b), now)
    assert isinstance(now_is, Disabled)
    assert words in now_is.reason
    assert ";" not in now_is.reason


def test_the_millisecond_before_its_cutoff_a_pair_is_live():
    assert state(pair(), A, B, A.closes_ms - 1) == Live()


def test_every_reason_is_told():
    now_is = state(pair(approved_by=""), replace(A, rules="new", closes_ms=1), replace(B, status="closed"), NOW + DAY)
    assert isinstance(now_is, Disabled)
    assert len(now_is.reason.split("; ")) == 5


def test_another_markets_question_is_never_compared():
    with pytest.raises(AssertionError, match="was asked about"):
        state(pair(), B, A, NOW)


def test_the_hash_is_of_title_and_rules_to_the_letter():
    assert text_hash(A) != text_hash(replace(A, title="fed cut in December?"))
    assert text_hash(A) != text_hash(replace(A, rules=A.rules + " "))
    assert text_hash(A) == text_hash(replace(A, status="closed", open=False, closes_ms=0))
    assert len(text_hash(A)) == 64


def test_the_cap_is_used_by_this_pairs_trades_only():
    held = [
        ("pairs/fed-cut", Decimal("12.5")),
        ("pairs/pair-1", Decimal(9)),
        ("race", Decimal(3)),
        ("pairs/fed-cut", 1),
    ]
    assert used(pair(), held) == Decimal("13.5")
    assert used(other(1), held) == 9
    assert used(pair(), []) == 0


@pytest.mark.parametrize(("invested", "free"), [("0", "40"), ("13.5", "26.5"), ("40", "0"), ("41", "0")])
def test_what_is_left_of_a_cap_is_never_negative(invested, free):
    assert left(pair(), Decimal(invested)) == Decimal(free)
    assert left(pair(cap_usd=NO_USD), NO_USD) == 0


def test_what_paper_approved_is_traded_on_paper_only():
    """A data folder that is used for real money later has such pairs in it."""
    now_is = state(pair(approved_by="paper"), A, B, NOW)
    assert isinstance(now_is, Disabled)
    assert "approved by paper trading, not by a person" in now_is.reason
    assert state(pair(approved_by="paper"), A, B, NOW, paper=True) == Live()
    assert state(pair(), A, B, NOW, paper=True) == Live()
