"""The story in seeded weather, judged by the simulated exchange's own record."""

import random
from dataclasses import replace

import pytest

from arbsaga.domain.orders import Purpose
from arbsaga.saga import judge, story, undo
from arbsaga.saga.messages import Phase
from arbsaga.saga.simulator import runtime
from arbsaga.saga.simulator.run import Run, run_seed
from arbsaga.saga.simulator.weather import Weather

FAIR = Weather()


@pytest.mark.parametrize("block", range(8))
def test_no_seed_breaks_the_promise(block: int) -> None:
    """Whatever fails and whenever the worker dies: sent once, and ended equal, or held and paged."""
    runs = [run_seed(seed) for seed in range(block * 250, block * 250 + 250)]
    assert [(run.seed, run.violations) for run in runs if run.violations] == []
    phases = {run.record.phase for run in runs}
    assert {Phase.REFUSED, Phase.COMMITTED, Phase.FLAT} <= phases, "the weather reaches every end"


def test_the_same_seed_is_the_same_run() -> None:
    assert [run_seed(seed) for seed in range(30)] == [run_seed(seed) for seed in range(30)]


def test_fair_weather_commits_the_whole_size() -> None:
    run = run_seed(1, FAIR)
    assert run.record.phase is Phase.COMMITTED
    assert run.record.hedged == run.record.plan.units
    assert run.record.profit == run.record.payout - run.record.spent


@pytest.mark.parametrize(
    "weather",
    [
        replace(FAIR, thin=0.3, settle_ms=50_000),
        replace(FAIR, part=0.5),
        replace(FAIR, drop=1.0),
        replace(FAIR, lost=0.5),
        replace(FAIR, late=1.0, late_ms=14_000),
        replace(FAIR, delayed=1.0),
        replace(FAIR, ghost=0.4),
        replace(FAIR, race=1.0, thin=0.5),
        replace(FAIR, error=0.5, thin=0.3),
        replace(FAIR, crash=0.5, thin=0.3),
        replace(FAIR, abort=1.0, thin=0.5),
        replace(FAIR, thin=0.5, dry=0.9, move=0.3),
    ],
    ids=["thin", "part", "drop", "lost", "late", "delayed", "ghost", "race", "error", "crash", "abort", "dry"],
)
def test_each_kind_of_weather_alone_keeps_the_promise(weather: Weather) -> None:
    assert [violation for seed in range(60) for violation in run_seed(seed, weather).violations] == []


def test_crashes_happen_and_are_replayed() -> None:
    runs = [run_seed(seed, replace(FAIR, crash=0.5)) for seed in range(40)]
    assert sum(run.crashes for run in runs) > 40


def test_an_end_right_before_a_crash_is_found_again_by_replay() -> None:
    """The last answer may be recorded and its worker die before it is seen."""
    assert all(run_seed(seed, replace(FAIR, crash=0.9)).record.phase for seed in range(20))


def caught(runs: list[Run]) -> bool:
    return any(run.violations for run in runs)


def seeds(weather: Weather | None = None) -> list[Run]:
    return [run_seed(seed, weather) for seed in range(120)]


def test_the_check_catches_an_unknown_read_as_not_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bug of every bot: a timed-out post counts as absent at once."""
    monkeypatch.setattr(judge, "quiet_after", lambda _trade, view: view.terms.created_ms)
    assert caught(seeds(replace(FAIR, late=0.6, late_ms=9_000)))


def test_the_check_catches_a_match_taken_as_final(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge.Trade, "unsettled", property(lambda _trade: ()))
    assert caught(seeds(replace(FAIR, ghost=0.5)))


def test_the_check_catches_a_refusal_after_orders_were_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "_ended", lambda _trade, _abort: judge.End(Phase.REFUSED, "no"))
    assert caught(seeds(FAIR))


def test_the_check_catches_an_undo_that_is_never_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "balanced", lambda _trade: True)
    assert caught(seeds(replace(FAIR, thin=0.5)))


def test_the_check_catches_an_exit_larger_than_the_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(trade: undo.Trade, way: undo.WayOut, now_ms: int) -> tuple[object, ...]:
        orders = original(trade, way, now_ms)
        return tuple(replace(order, size=order.size * 2) for order in orders if order.purpose is not Purpose.ENTER)

    original = undo.undo_orders
    monkeypatch.setattr(story.undo, "undo_orders", twice)
    assert caught(seeds(replace(FAIR, thin=0.5)))


def test_a_replay_that_asks_for_something_else_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporal's own replayer compares no arguments; this one does."""
    moments = iter(range(10_000))

    def drifting(plan: story.TradePlan) -> tuple[object, ...]:
        return tuple(replace(order, created_ms=order.created_ms + next(moments)) for order in entries(plan))

    entries = judge.entry_orders
    monkeypatch.setattr(story.judge, "entry_orders", drifting)
    with pytest.raises(AssertionError, match="replay asked"):
        seeds(replace(FAIR, crash=0.9))


def test_a_story_that_never_ends_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "MAX_STEPS", 3)
    monkeypatch.setattr(judge, "next_step", lambda trade, _now, _abort: judge.Prove(trade.orders, 0))
    run = run_seed(1, FAIR)
    assert (run.record.phase, run.record.reason) == (Phase.HELD, "no end after 3 steps")


def test_a_driver_that_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "MAX_EFFECTS", 1)
    with pytest.raises(AssertionError, match="bounded steps"):
        run_seed(1, FAIR)


def test_weather_is_drawn_from_the_seed() -> None:
    assert Weather.draw(random.Random(5)) == Weather.draw(random.Random(5))
    assert Weather.draw(random.Random(5)) != Weather.draw(random.Random(6))
