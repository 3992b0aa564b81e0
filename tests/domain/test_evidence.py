"""Merging evidence: whatever the order of the sources, never backwards."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arbsaga.domain.evidence import MAX_EVIDENCE, decided, merge, news
from arbsaga.domain.money import Size
from arbsaga.domain.orders import FillStatus, OrderState

from .make import PROPERTY, fill, view

RANK = {state: rank for rank, state in enumerate(OrderState)} | {OrderState.ABSENT: 0.5}
FINAL = {FillStatus.CONFIRMED, FillStatus.FAILED}

# The end of each fill is one or the other for good: the venue never says both of one fill.
ENDS = {"f1": FillStatus.CONFIRMED, "f2": FillStatus.FAILED}
STATUSES = st.sampled_from([FillStatus.MATCHED, FillStatus.MINED, FillStatus.RETRYING, None])


@st.composite
def reports(draw):
    """What one source says: maybe a state, maybe fills, maybe the venue's own count."""
    fills = [
        fill(name, status=draw(STATUSES) or ENDS[name], fee=draw(st.sampled_from(["0", "0.01"])), time_ms=draw(TIMES))
        for name in draw(st.sets(st.sampled_from(sorted(ENDS))))
    ]
    return {
        "state": draw(st.sampled_from([None, *OrderState])),
        "fills": sorted(fills, key=lambda one: one.fill_id),
        "matched": Size(draw(st.integers(0, 3))),
    }


TIMES = st.integers(1, 2)


def outcome(seen):
    """What decisions rest on, whatever the order of arrival. A final fill's details stay as first heard."""
    fills = {one.fill_id: one.status if one.status in FINAL else one for one in seen.fills}
    return seen.state, fills, seen.matched


def merged(said, start=None):
    seen = start or view()
    for index, report in enumerate(said):
        seen = merge(seen, f"source {index}", **report)
    return seen


@PROPERTY
@given(st.lists(reports(), max_size=4))
def test_hearing_it_all_again_changes_nothing(said):
    """Idempotent: a frame or answer that is delivered twice is no news."""
    once = merged(said)
    assert merged(said, once) == once
    assert not news(once, merged(said, once))


@PROPERTY
@given(st.lists(reports(), max_size=3))
def test_the_order_of_the_sources_does_not_matter(said):
    """Commutative in its outcome: state, fills and count come out the same in every order."""
    assert len({str(outcome_text(merged(order))) for order in permutations(said)}) == 1


def outcome_text(seen):
    state, fills, matched = outcome(seen)
    return state, sorted(fills.items(), key=lambda item: item[0]), matched


@PROPERTY
@given(st.lists(reports(), max_size=4), reports())
def test_nothing_goes_backwards(said, more):
    """States and the count only advance, no fill is forgotten, and a final fill stays as it is."""
    before = merged(said)
    after = merge(before, "more", **more)
    assert RANK[after.state] >= RANK[before.state]
    assert after.matched >= before.matched
    later = {one.fill_id: one for one in after.fills}
    for one in before.fills:
        if one.status.final:
            assert later[one.fill_id] == one or later[one.fill_id].status is FillStatus.FAILED
        assert list(FillStatus).index(later[one.fill_id].status) >= min(list(FillStatus).index(one.status), 1)


@pytest.mark.parametrize("state", [OrderState.PENDING, OrderState.LIVE, OrderState.DONE])
def test_a_proof_of_existence_overturns_absent(state):
    """A post can arrive 20 s late: "never existed" was wrong then."""
    assert merge(view(OrderState.ABSENT), "stream", state=state).state is state


@pytest.mark.parametrize("state", [OrderState.UNKNOWN, OrderState.ABSENT, OrderState.PENDING])
@pytest.mark.parametrize("proof", [{"fills": [fill()]}, {"matched": Size(4)}])
def test_a_fill_proves_that_the_order_exists(state, proof):
    """A trade frame can be the first word of an order; until it is seen DONE it may fill more."""
    seen = merge(view(state), "stream", **proof)
    assert seen.state is OrderState.LIVE
    assert seen.most == 10


def test_a_late_matched_frame_does_not_undo_mined():
    """The stream can deliver a fill's states in any order."""
    mined = merge(view(OrderState.LIVE), "stream", fills=[fill(status=FillStatus.MINED)])
    assert merge(mined, "late", fills=[fill(status=FillStatus.MATCHED, time_ms=9_999)]) == mined


@pytest.mark.parametrize("final", sorted(FINAL))
@pytest.mark.parametrize("late", sorted(FillStatus))
def test_a_final_fill_stays_as_it_is(final, late):
    """Whatever a later report of it says, of its status or of its fee; but one that FAILED after all is not held."""
    known = merge(view(OrderState.DONE), "trades", fills=[fill(status=final)])
    after = merge(known, "stream", fills=[fill(status=late, fee="0.07", time_ms=9_999)])
    if (final, late) == (FillStatus.CONFIRMED, FillStatus.FAILED):
        assert known.filled == after.failed > after.filled == 0
    else:
        assert after == known


def test_absent_does_not_overturn_a_proof():
    """A "not found" after the order was seen is what a fully matched order looks like (py-clob-client #217)."""
    assert merge(view(OrderState.LIVE), "by id", state=OrderState.ABSENT).state is OrderState.LIVE


def test_the_first_reason_stays_and_each_thing_learned_leaves_a_line():
    """The evidence says source, state and shares; nothing learned leaves no line."""
    first = merge(view(), "post", state=OrderState.DONE, reason="FOK killed")
    second = merge(first, "by id", state=OrderState.DONE, reason="other")
    assert first.evidence == ("post: done, filled 0",)
    assert second is first
    assert first.reason == "FOK killed"


def test_evidence_is_bounded_and_keeps_the_newest():
    """Histories stay small."""
    seen = view(OrderState.LIVE)
    for count in range(MAX_EVIDENCE + 5):
        seen = merge(seen, f"s{count}", matched=Size(count + 1))
    assert len(seen.evidence) == MAX_EVIDENCE
    assert seen.evidence[-1].startswith(f"s{MAX_EVIDENCE + 4}:")


def test_only_state_fills_and_count_are_news():
    """One more "not found" is none."""
    before = view(OrderState.LIVE)
    assert not news(before, view(OrderState.LIVE, denied_ms=5))
    assert news(before, view(OrderState.DONE))
    assert news(before, view(OrderState.LIVE, fill()))
    assert news(before, view(OrderState.LIVE, matched=Size(1)))


CONFIRMED, MINED, FAILED = (fill(status=FillStatus[name]) for name in ("CONFIRMED", "MINED", "FAILED"))


@pytest.mark.parametrize(
    ("before", "after", "settled", "told"),
    [
        (view(OrderState.LIVE), view(OrderState.LIVE), False, False),
        (view(OrderState.LIVE), view(OrderState.DONE), False, True),
        (view(OrderState.DONE, fill()), view(OrderState.DONE, MINED), True, False),
        (view(OrderState.DONE, fill()), view(OrderState.DONE, CONFIRMED), True, True),
        (view(OrderState.DONE, fill(), fill("f2")), view(OrderState.DONE, FAILED, fill("f2")), True, True),
        (view(OrderState.DONE, FAILED, fill("f2")), view(OrderState.DONE, FAILED, fill("f2")), True, False),
    ],
)
def test_a_poll_ends_on_news_or_once_settled_or_on_one_more_failure(before, after, settled, told):
    """Waiting for settlement is not woken by MINED, but at once by a fill that failed."""
    assert decided([(before, after)], settled=settled) is told
