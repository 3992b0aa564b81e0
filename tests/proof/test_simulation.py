"""The simulation layer tells what it found, replays it, and makes it small."""

from dataclasses import replace

import pytest

from arbsaga.saga import judge
from arbsaga.saga.simulator.run import run_seed
from arbsaga.saga.simulator.weather import MOST, Weather
from proof import simulation
from proof.result import Effort
from proof.simulation import __main__ as command
from proof.simulation import many
from proof.simulation.shrink import failure, shrink

FAIR = Weather()
THIN = replace(FAIR, thin=0.5, improve=0.4, move=0.1)


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Legs that are not equal are called equal."""
    monkeypatch.setattr(judge, "balanced", lambda _trade: True)


def test_the_layer_counts_what_it_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """In two processes, with digests compared between two more."""
    monkeypatch.setattr(simulation, "SEEDS", {Effort.QUICK: 400})
    monkeypatch.setattr(simulation, "TWICE", {Effort.QUICK: 2})
    result = simulation.prove(Effort.QUICK)
    assert (result.layer, result.cases, result.seeds, result.violations) == ("simulation", 400, 400, ())
    alone = many.run_block(range(400))
    phases = {f"ended_{phase}": count for phase, count in alone.phases.items()}
    assert result.figures.items() >= phases.items(), "however the seeds are divided"
    assert result.figures["crashes"] == alone.crashes > 0


def test_weather_that_never_strikes_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "SEEDS", {Effort.QUICK: 1})
    monkeypatch.setattr(simulation, "TWICE", {Effort.QUICK: 1})
    monkeypatch.setattr(simulation, "run_blocks", many.run_block)
    monkeypatch.setattr(simulation, "same_twice", list)
    result = simulation.prove(Effort.QUICK)
    assert any("`ghost`: it proves nothing" in violation for violation in result.violations)
    assert "seed 0 ran differently a second time: `python -m proof.simulation --seed 0`" in result.violations


def test_quick_is_2000_seeds_usual_100000_full_2000000() -> None:
    assert [simulation.SEEDS[effort] for effort in Effort] == [2_000, 100_000, 2_000_000]


@pytest.mark.usefixtures("bug")
def test_a_violation_names_the_command_that_replays_it() -> None:
    tally = many.run_block(range(10), THIN)
    assert any("are naked; `python -m proof.simulation --seed" in violation for violation in tally.violations)


def test_a_run_that_breaks_off_is_a_violation_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(seed: int, weather: Weather | None) -> object:
        if seed == 3:
            raise AssertionError("replay asked something else")
        return run_seed(seed, weather)

    monkeypatch.setattr(many, "run_seed", broken)
    tally = many.run_block(range(5), FAIR)
    assert (tally.trades, tally.phases["COMMITTED"]) == (5, 4)
    (violation,) = tally.violations
    assert violation.startswith("seed 3: broke off with AssertionError('replay asked something else')")


def test_the_same_seed_is_the_same_trace_in_any_process() -> None:
    assert many.same_twice([3, 5]) == []
    assert many.digest(3) != many.digest(5)


def test_a_seed_that_differs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"1": ["a", "b"], "20000": ["a", "c"]}
    monkeypatch.setattr(many, "_digests", lambda _seeds, hash_seed: answers[hash_seed])
    assert many.same_twice([7, 8]) == [8]


@pytest.mark.usefixtures("bug")
def test_a_failure_is_shrunk_to_the_weather_that_it_takes() -> None:
    found = next(fails for seed in range(50) if (fails := failure(seed, replace(THIN, drop=0.2, ghost=0.1), 4)))
    least = shrink(found)
    assert least.violations
    assert least.legs == 2
    assert least.weather.thin <= 0.1 or least.weather.in_words().count("=") <= 1, "one kind is enough"
    again = run_seed(least.seed, least.weather, legs=least.legs)
    assert again.violations == least.violations


def test_what_keeps_the_promise_is_no_failure() -> None:
    assert failure(1, FAIR, 2) is None


def test_a_run_that_breaks_off_can_be_shrunk_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_about: object) -> str:
        raise RuntimeError("gone")

    monkeypatch.setattr(judge, "refuse_entry", gone)
    fails = failure(1, FAIR, 2)
    assert fails is not None
    assert fails.violations == ("broke off with RuntimeError('gone')",)


def test_a_seed_is_shown_as_a_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--seed", "1", "--weather", "fair", "--legs", "2"]) == 0
    told = capsys.readouterr().out
    assert "asks      validate_depth W" in told
    assert "weather  fair\nstruck   nothing\nended    COMMITTED" in told
    assert "the promise was kept" in told


def test_a_seed_in_its_own_weather(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--seed", "3"]) == 0
    assert f"ended    {run_seed(3).record.phase}" in capsys.readouterr().out


@pytest.mark.usefixtures("bug")
def test_a_failing_seed_is_shown_and_shrunk_by_command(capsys: pytest.CaptureFixture[str]) -> None:
    seed = next(seed for seed in range(50) if run_seed(seed, THIN).violations)
    call = ["--seed", str(seed), "--weather", THIN.in_words()]
    assert command.main(call) == 1
    assert "VIOLATION leg" in capsys.readouterr().out
    assert command.main([*call, "--shrink"]) == 1
    told = capsys.readouterr().out
    assert "are naked" in told
    assert "shrunk to `python -m proof.simulation --seed" in told


@pytest.mark.parametrize("broken", ["balanced", "refuse_entry"])
def test_the_layer_shows_its_first_failure_made_small(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """A broken promise, and a run that breaks off."""

    def patched(*_about: object) -> bool:
        assert broken == "balanced", "gone"
        return True

    monkeypatch.setattr(judge, broken, patched)
    monkeypatch.setattr(simulation, "SEEDS", {Effort.QUICK: 20})
    monkeypatch.setattr(simulation, "TWICE", {Effort.QUICK: 1})
    monkeypatch.setattr(simulation, "run_blocks", many.run_block)
    monkeypatch.setattr(simulation, "same_twice", lambda _seeds: [])
    notes = simulation.prove(Effort.QUICK).notes
    told = "\n".join(notes[next(at for at, line in enumerate(notes) if "shrunk to" in line) :])
    assert "asks      validate_depth W" in told
    assert ("are naked" in told) if broken == "balanced" else ("broke off with AssertionError" in told)


def test_nothing_to_shrink_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--seed", "1", "--shrink"]) == 0
    assert "keeps the promise" in capsys.readouterr().out


def test_unknown_weather_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--seed", "1", "--weather", "hail=1"])
    assert "no such weather: hail; there is abort, " in capsys.readouterr().err


def test_digests_and_speed_by_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "SPEED_SEEDS", 5)
    assert command.main(["--digests", "3", "5"]) == 0
    assert capsys.readouterr().out.split() == [many.digest(3), many.digest(5)]
    assert command.main(["--speed"]) == 0
    assert "trades a second on a core (5 seeds" in capsys.readouterr().out


def test_the_layer_by_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    broken = simulation.Result("simulation", 1, "trades", violations=("seed 1: naked",), notes=("1 trade",))
    monkeypatch.setattr(command, "prove", lambda _effort: broken)
    assert command.main(["--effort", "quick"]) == 1
    assert capsys.readouterr().out == "1 trade\nseed 1: naked\n"


def test_every_kind_of_weather_has_its_words() -> None:
    """The docstring is the only place where a reader learns what a kind means."""
    told = Weather.__doc__ or ""
    assert [kind for kind in MOST if f"`{kind}`" not in told] == []
