"""When a basket may be entered again."""

import pytest

from arbsaga.detect import AdmissionSettings
from arbsaga.detect.admission import Admission
from arbsaga.saga.messages import Phase

SETTINGS = AdmissionSettings(cooldown_ms=1_000, cooldown_max_ms=3_000, churn_unwinds=3, churn_window_ms=60_000)


def traded(admission: Admission, phase: Phase, at: int, key: str = "k") -> None:
    admission.started(key, ["t"], at)
    admission.ended(key, phase, at)


def rests(admission: Admission, since: int, key: str = "k") -> int:
    """How many ms after `since` the basket may be entered."""
    return next(ms for ms in (0, 1_000, 2_000, 3_000, 3_600_000) if not admission.refusal(key, ["t"], since + ms))


def test_a_basket_is_in_one_trade_at_a_time():
    """Two legs fired twice in the same group is what real bots did."""
    admission = Admission(SETTINGS)
    admission.started("k", ["t"], 0)
    assert admission.refusal("k", ["t"], 10_000) == "in flight"
    assert admission.in_flight == {"k"}
    admission.ended("k", Phase.COMMITTED, 10_000)
    assert admission.refusal("k", ["t"], 10_000) == ""


def test_two_trades_do_not_take_from_one_book():
    """A basket that shares a token with one in flight waits: both would count on the same depth."""
    admission = Admission(SETTINGS)
    admission.started("yes:e", ["a", "b"], 0)
    assert admission.refusal("pair:a", ["a", "not a"], 10_000).startswith("token in use: ")
    assert admission.refusal("pair:c", ["c", "not c"], 10_000) == ""


def test_a_trade_from_an_earlier_process_is_in_flight():
    """After a restart nothing is entered twice, and the pass limit is not used up."""
    admission = Admission(SETTINGS)
    for key in "abcd":
        admission.resumed(key, [key])
    assert admission.refusal("a", ["x"], 0) == "in flight"
    assert admission.refusal("e", ["x"], 0) == ""


def test_no_more_starts_than_the_limit_in_any_window_as_long_as_a_pass():
    """Three per 3 s, counted from each start: not three at the end of a pass and three at its successor's start."""
    admission = Admission(SETTINGS)
    for at in (0, 1_000, 2_900):
        assert admission.refusal("new", ["x"], at) == ""
        admission.started(f"k{at}", [f"t{at}"], at)
    assert admission.refusal("new", ["x"], 2_999) == "pass limit"
    assert admission.refusal("new", ["x"], 3_000) == ""
    admission.started("new", ["x"], 3_000)
    assert admission.refusal("newer", ["y"], 3_999) == "pass limit"
    assert admission.refusal("newer", ["y"], 4_000) == ""


def test_the_cooldown_grows_with_failures_in_a_row_up_to_its_limit():
    """1 s, 2 s, then 3 s at most; a success starts over."""
    admission = Admission(SETTINGS)
    pauses = []
    for at in (0, 100_000, 200_000, 300_000):
        traded(admission, Phase.REFUSED, at)
        pauses.append(rests(admission, at))
    traded(admission, Phase.COMMITTED, 400_000)
    assert rests(admission, 400_000) == 0
    traded(admission, Phase.REFUSED, 500_000)
    assert [*pauses, rests(admission, 500_000)] == [1_000, 2_000, 3_000, 3_000, 1_000]
    assert admission.refusal("k", ["t"], 500_001) == "cooling down: 1 failures in a row"


def test_a_cooldown_over_the_limit_of_growth_does_not_grow():
    """The first pause is as long as it was set."""
    admission = Admission(AdmissionSettings(cooldown_ms=3_000, cooldown_max_ms=1_000))
    for at in (0, 100_000):
        traded(admission, Phase.REFUSED, at)
        assert rests(admission, at) == 3_000


def test_a_success_without_failures_before_leaves_nothing_behind():
    """The basket may be entered again at once."""
    admission = Admission(SETTINGS)
    traded(admission, Phase.COMMITTED, 0)
    assert rests(admission, 0) == 0


def test_a_basket_that_keeps_unwinding_is_left_alone():
    """Three unwinds within the window, successes in between or not; refusals are no unwinds."""
    admission = Admission(SETTINGS)
    for at, phase in ((0, Phase.FLAT), (10_000, Phase.COMMITTED), (20_000, Phase.FLAT), (30_000, Phase.REFUSED)):
        traded(admission, phase, at)
    assert rests(admission, 30_000) < 3_600_000
    traded(admission, Phase.FLAT, 59_999)
    assert admission.refusal("k", ["t"], 60_000) == "churn: unwound 3 times"
    assert rests(admission, 59_999) == 3_600_000


def test_unwinds_long_past_are_no_churn():
    """Only those within the window count."""
    admission = Admission(SETTINGS)
    for at in (0, 30_000, 60_000):
        traded(admission, Phase.FLAT, at)
    assert rests(admission, 60_000) == 3_000


def test_a_held_basket_stays_blocked_until_a_person_has_decided():
    """Also when this process never saw it start; its end is told once more."""
    admission = Admission(SETTINGS)
    admission.ended("k", Phase.HELD, 0)
    admission.started("l", ["t"], 0)
    admission.ended("l", Phase.HELD, 0)
    assert admission.refusal("k", ["x"], 10**9) == "in flight" == admission.refusal("l", ["x"], 10**9)
    assert admission.refusal("other", ["t"], 10**9).startswith("token in use")
    admission.ended("k", Phase.COMMITTED, 10**9)
    assert admission.refusal("k", ["x"], 10**9) == ""


def test_failures_long_past_are_forgotten():
    """Baskets that no longer exist leave nothing behind; a rest that is not over is kept."""
    admission = Admission(SETTINGS)
    traded(admission, Phase.REFUSED, 0, "old")
    traded(admission, Phase.REFUSED, 61_000, "new")
    admission.prune(61_500)
    assert set(admission._records) == {"new"}
    assert admission.refusal("new", ["t"], 61_500).startswith("cooling down")


@pytest.mark.parametrize(
    "wrong", [{"max_starts": 0}, {"pass_ms": 0}, {"cooldown_ms": -1}, {"cooldown_max_ms": -1}, {"churn_unwinds": 0}]
)
def test_settings_that_contradict_each_other_are_refused(wrong):
    """Before anything runs."""
    with pytest.raises(AssertionError):
        AdmissionSettings(**wrong)


def test_both_outcomes_of_a_netting_market_are_not_in_flight_together():
    """The venue would close one trade's leg with the other's: also for a trade of an earlier process."""
    admission = Admission(SETTINGS)
    admission.started("cross:p:a", ["kalshi:M:NO", "1"], 0)
    admission.resumed("cross:q:a", ["kalshi:N:YES"])
    assert admission.refusal("no:e", ["kalshi:M:YES"], 10_000, ["kalshi:M:NO"]).startswith("other side in use: ")
    assert admission.refusal("no:f", ["kalshi:N:NO"], 10_000, ["kalshi:N:YES"]).startswith("other side in use: ")
    assert admission.refusal("no:g", ["kalshi:O:NO"], 10_000, ["kalshi:O:YES"]) == ""
    assert admission.refusal("poly", ["2"], 10_000) == ""
    admission.ended("cross:p:a", Phase.COMMITTED, 10_000)
    assert admission.refusal("no:e", ["kalshi:M:YES"], 10_000, ["kalshi:M:NO"]) == ""
