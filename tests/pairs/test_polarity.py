"""Titles are compared by rule: what they deny, which way they point, numbers, dates and names; anything odd is told."""

from decimal import Decimal

import pytest

from arbsaga.pairs.pair import Orientation, Relation
from arbsaga.pairs.polarity import compare
from arbsaga.pairs.reading import Date, read

SAME, OPPOSITE = Orientation.SAME, Orientation.OPPOSITE


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("Deal by December 31, 2026?", [Date(2026, 12, 31)]),
        ("Deal by Dec 31?", [Date(None, 12, 31)]),
        ("Deal on 3rd of January 2027", [Date(2027, 1, 3)]),
        ("Deal on 2026-12-31", [Date(2026, 12, 31)]),
        ("Deal in Sept. 2026", [Date(2026, 9)]),
        ("Deal by June?", [Date(None, 6)]),
        ("Champion of 2026", [Date(2026)]),
        ("May the deal be signed?", []),
        ("From Mar 1 to Mar 15, 2026", [Date(None, 3, 1), Date(2026, 3, 15)]),
    ],
)
def test_dates_are_read_as_far_as_they_are_told(text, dates):
    assert sorted(read(text).dates, key=str) == sorted(dates, key=str)
    assert read(text).numbers == frozenset()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("above $100,000", {"100000"}),
        ("above 100k", {"100000"}),
        ("above $1.5 million", {"1500000"}),
        ("a cut of 25 bps", {"0.25"}),
        ("a cut of 0.25%", {"0.25"}),
        ("40°F to 42°F", {"40", "42"}),
        ("the 4th game", {"4"}),
        ("below -3.5", {"-3.5"}),
        ("in Q4 by F1 on KXFED-26DEC", set()),
        ("from 10-20 seats", {"10", "20"}),
    ],
)
def test_numbers_are_read_in_whatever_unit(text, numbers):
    assert read(text).numbers == {Decimal(number) for number in numbers}


@pytest.mark.parametrize(
    ("a", "b", "relation"),
    [
        ("Will Bitcoin be above $100,000 on December 31?", "Bitcoin above $100k on Dec 31, 2026?", Relation.IDENTITY),
        ("Best Picture: Salt Road", "Will Salt Road win best picture?", Relation.IDENTITY),
        ("Will CPI be no more than 3.1%?", "Will CPI be at most 3.1%?", Relation.IDENTITY),
        ("Deal signed no later than June 30?", "Deal signed by June 30?", Relation.IDENTITY),
        ("Will it not be above 3?", "Will it be 3 or less?", Relation.IDENTITY),
        ("Guild Awards: Orchard", "Guild Award: Orchard", Relation.IDENTITY),
        ("Won't the Fed cut?", "The Fed will not cut", Relation.IDENTITY),
        ("Will Bitcoin be above $100,000?", "Will Bitcoin be $100,000 or less?", Relation.COMPLEMENT),
        ("Will the Fed not cut rates in December?", "Will the Fed cut rates in December?", Relation.COMPLEMENT),
        ("Will they fail to agree?", "Will they agree?", Relation.COMPLEMENT),
        ("Will Bitcoin be above $100,000?", "Will Bitcoin be above $90,000?", Relation.SUBSET),
        ("Bitcoin under 90k", "Bitcoin less than 88k", Relation.SUPERSET),
        ("Not above 90?", "Not above 88?", Relation.SUPERSET),
        ("Ceasefire by June 30, 2026?", "Ceasefire by December 31, 2026?", Relation.SUBSET),
        ("Ceasefire by July 2026?", "Ceasefire by July 30, 2026?", Relation.IDENTITY),
        ("No ceasefire by June 30?", "No ceasefire by May 31?", Relation.SUBSET),
        ("Ceasefire by July 2026?", "Ceasefire by June 30, 2026?", Relation.SUPERSET),
    ],
)
def test_titles_without_a_conflict_have_a_relation(a, b, relation):
    compared = compare(a, b)
    assert (compared.relation, compared.orientation, compared.conflicts) == (relation, Orientation.of(relation), ())


@pytest.mark.parametrize(
    ("a", "b", "conflict"),
    [
        ("Seats won by the Greens: 40", "Seats won by the Greens: 45", "different numbers: 40 against 45"),
        ("Bitcoin above $100k", "Bitcoin below $90k", "different numbers: 100,000 against 90,000"),
        ("From 40 to 42", "From 42 to 44", "different numbers: 40 against 44"),
        ("Above 2 and by 3", "Above 4 and by 5", "different numbers: 2, 3 against 4, 5"),
        ("Rain on December 3?", "Rain on December 4?", "different dates: 3 Dec against 4 Dec"),
        ("Champion of 2026", "Champion of 2027", "different dates: 2026 against 2027"),
        ("Deal by June 1, 2026?", "Deal by June 2?", "different dates: 1 Jun 2026 against 2 Jun"),
        ("Not by June 1?", "By June 3?", "different dates"),
        (
            "Above 100 by June 1?",
            "Above 90 by July 1?",
            "",
        ),
        (
            "Above 100 by July 1?",
            "Above 90 by June 1?",
            "the one has the narrower number, the other the earlier date",
        ),
    ],
)
def test_other_numbers_and_dates_are_other_questions(a, b, conflict):
    compared = compare(a, b)
    assert (compared.relation is None) == bool(conflict)
    assert conflict in "".join(compared.conflicts)


@pytest.mark.parametrize(
    ("a", "b", "doubt"),
    [
        ("Above 100?", "100 or more?", "at the threshold itself they differ: ≥ against >"),
        ("Above 100?", "Below 100?", "at the threshold itself neither is YES"),
        ("At least 100?", "At most 100?", "at the threshold itself both are YES"),
        ("Deal by June 1?", "Deal before June 1?", "'by' against 'before' before the date"),
        ("Deal by June 1?", "Deal?", "only the first names the date 1 Jun"),
        ("Fed cut?", "Fed cut of 25bps?", "only the second names the number 0.25"),
        ("Will the Bruins win?", "Will the Bruins lose?", "one wins where the other loses: a draw is neither"),
        ("Will the Bruins lose?", "Bruins against Kings", "only the first says win or lose"),
        ("Will Norris win at Monza?", "Will Verstappen win at Monza?", "different names: norris against verstappen"),
        ("Winner at Monza", "Winner at Monza: Norris", "only the second names the name norris"),
        ("Index higher?", "Index positive?", "only the first says above or below"),
        ("No deal?", "Never a deal?", "both deny: read what counts as YES"),
        ("Deal?", "No deal?", "the second denies: read what counts as YES"),
        ("Deal?", "No deal?", "they seem to ask for opposite things"),
    ],
)
def test_what_a_person_must_look_at_is_told(a, b, doubt):
    assert doubt in compare(a, b).doubts


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Above 100?", "At most 100?"),
        ("Below 100?", "100 or more?"),
        ("Above 100?", "Not above 100?"),
    ],
)
def test_exact_complements_share_no_threshold(a, b):
    compared = compare(a, b)
    assert compared.orientation is OPPOSITE
    assert not [doubt for doubt in compared.doubts if "threshold" in doubt]


@pytest.mark.parametrize(
    ("a", "b", "orientation"),
    [
        ("Will the Bruins not lose?", "Will the Bruins win?", SAME),
        ("Bitcoin up this hour?", "Bitcoin down this hour?", OPPOSITE),
        ("Bitcoin not up this hour?", "Bitcoin down this hour?", SAME),
        ("Will the Bruins win?", "Will the Bruins lose?", OPPOSITE),
        ("Neither wins and none loses", "Draw", SAME),
    ],
)
def test_two_turns_make_no_turn(a, b, orientation):
    assert compare(a, b).orientation is orientation


@pytest.mark.parametrize("text", ["Will Bitcoin be above $100,000 by Dec 31, 2026?", "Rain?", "", "§", "No, not never"])
def test_a_title_is_identical_to_itself(text):
    compared = compare(text, text)
    assert (compared.relation, compared.conflicts) == (Relation.IDENTITY, ())


def test_turned_round_the_narrower_is_the_wider():
    titles = ("Ceasefire by June 30, 2026?", "Ceasefire by December 31, 2026?")
    assert compare(*titles).relation is Relation.SUBSET
    assert compare(*reversed(titles)).relation is Relation.SUPERSET
