"""Only two open markets whose texts a named person has read become a pair, and a slip between yes and no is caught."""

from dataclasses import replace

import pytest
from pairs_make import NOW, PAIR, A, B

from arbsaga.errors import UserError
from arbsaga.pairs import Live, Orientation, Relation, state
from arbsaga.pairs.approving import Approval, approve

APPROVAL = Approval("fed-cut", Relation.IDENTITY, " Ada ", PAIR.cap_usd, void_rule="both refund", tie_rule="none")


def titled(a, b):
    return replace(A, title=a), replace(B, title=b)


def test_what_was_read_is_what_is_written_down():
    pair = approve(APPROVAL, A, B, NOW)
    assert pair == replace(PAIR, approved_ms=NOW)
    assert state(pair, A, B, NOW) == Live()


@pytest.mark.parametrize(
    ("approval", "a", "b", "words"),
    [
        ({"by": " "}, {}, {}, "give --by NAME"),
        ({"name": "Fed Cut"}, {}, {}, "'Fed Cut': a name is 1 to 60 small letters, digits and hyphens"),
        ({}, {"open": False, "status": "closed"}, {}, "is closed and takes no orders: only open markets are paired"),
        ({}, {}, {"status": "disputed"}, "kalshi:KXFED-26DEC-CUT is disputed"),
        ({}, {}, {"rules": " "}, "kalshi:KXFED-26DEC-CUT has no rules text"),
        ({}, {"closes_ms": 0}, {}, "does not say when it closes"),
        ({}, {"closes_ms": NOW}, {}, "has passed its close time"),
    ],
)
def test_what_cannot_be_a_pair_is_one_line(approval, a, b, words):
    with pytest.raises(UserError) as caught:
        approve(replace(APPROVAL, **approval), replace(A, **a), replace(B, **b), NOW)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("titles", "relation", "words"),
    [
        (("Fed cut?", "No Fed cut?"), Relation.IDENTITY, "inverted: the titles seem to ask for opposite things"),
        (("Fed cut?", "No Fed cut?"), Relation.SUBSET, "--orientation same"),
        (("Fed cut?", "Fed cut?"), Relation.COMPLEMENT, "inverted: the titles seem to ask for the same thing"),
        (("Above 100?", "Above 90?"), Relation.SUPERSET, "inverted: the second title seems the wider one"),
        (("Above 90?", "Above 100?"), Relation.SUBSET, "inverted: the first title seems the wider one"),
    ],
)
def test_an_inverted_pair_is_refused_unless_the_person_insists(titles, relation, words):
    approval = replace(APPROVAL, relation=relation)
    with pytest.raises(UserError, match="if you are sure, say so by --orientation") as caught:
        approve(approval, *titled(*titles), NOW)
    assert words in str(caught.value)
    insisted = replace(approval, orientation=Orientation.of(relation))
    assert approve(insisted, *titled(*titles), NOW).relation is relation


@pytest.mark.parametrize(
    ("titles", "relation"),
    [
        (("Fed cut?", "No Fed cut?"), Relation.COMPLEMENT),
        (("Above 100?", "Above 90?"), Relation.SUBSET),
        (("Above 90?", "Above 100?"), Relation.SUPERSET),
        (("Rain on December 3?", "Rain on December 4?"), Relation.IDENTITY),
    ],
)
def test_whether_other_words_ask_the_same_is_the_persons_to_say(titles, relation):
    pair = approve(replace(APPROVAL, relation=relation), *titled(*titles), NOW)
    assert pair.orientation is Orientation.of(relation)
