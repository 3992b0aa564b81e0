"""The mutation layer: what nobody catches is a violation, and a mutation leaves nothing behind."""

from pathlib import Path

import pytest

from proof.mutations import MUTATIONS, Trial, details, result_of, run
from proof.mutations.catalogue import BY_NAME, Mutation
from proof.mutations.layers import LAYERS, attempt, tries
from proof.mutations.scenarios import BY_NAME as SCENARIOS
from proof.mutations.scenarios import play
from proof.result import Effort

HARMLESS = Mutation("harmless", "nothing is changed", "nobody", list, BY_NAME["one-shot unwind"].weather)


def patched(mutation: Mutation) -> list[object]:
    """What stands now where the mutation replaces something."""
    return [getattr(owner, name) for owner, name, _ in mutation.patches()]


@pytest.mark.parametrize("name", BY_NAME)
def test_a_mutation_is_in_force_in_its_block_only(name: str) -> None:
    mutation = BY_NAME[name]
    before = patched(mutation)
    with mutation.applied():
        assert all(now is not then for now, then in zip(patched(mutation), before, strict=True))
    assert patched(mutation) == before


def test_a_mutation_that_nobody_catches_is_a_violation() -> None:
    found = attempt("simulation", HARMLESS, Effort.QUICK)
    assert found == []
    result = result_of([HARMLESS], [Trial("harmless", "simulation", "")])
    assert (result.figures["caught"], len(result.violations)) == (0, 1)
    assert "no layer catches the mutation 'harmless'" in result.violations[0]
    assert "CAUGHT BY NOTHING" in result.notes[0]


def test_a_layer_that_finds_something_in_the_code_as_it_is_is_a_violation() -> None:
    trials = [Trial("", "wire", "calm: the trade ended FLAT"), Trial("harmless", "wire", "calm: the trade ended FLAT")]
    result = result_of([HARMLESS], trials)
    assert result.figures["caught"] == 1
    assert result.violations == (
        "wire fails without any mutation: calm: the trade ended FLAT: python -m proof.mutations",
    )


def test_a_mutation_is_caught_in_a_process_of_its_own() -> None:
    """The saga's bug by the simulation, the venue's on the wire; and neither is left behind here."""
    chosen = [BY_NAME["one-shot unwind"], BY_NAME["fee ignored"]]
    trials = run(chosen, Effort.QUICK, ["simulation"])
    assert [(trial.mutation, bool(trial.how)) for trial in trials] == [("", False), ("one-shot unwind", True)]
    assert details(trials)[:2] == ["no mutation", "    simulation: nothing found"]
    assert attempt("simulation", HARMLESS, Effort.QUICK) == []


async def test_the_wire_layer_catches_a_bug_of_the_venue(tmp_path: Path) -> None:
    with BY_NAME["fee ignored"].applied():
        assert any("fees were billed" in breach for breach in await play(SCENARIOS["calm"], tmp_path / "mutated"))
    assert await play(SCENARIOS["calm"], tmp_path / "as it is") == []


async def test_a_mutation_that_does_not_fit_the_code_is_no_catch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A patch that breaks by itself has shown nothing: it is raised, not counted."""

    async def gone(*_: object) -> None:
        raise AttributeError("a name that was renamed")

    monkeypatch.setattr("proof.mutations.scenarios.arbitrage", gone)
    with pytest.raises(AttributeError):
        await play(SCENARIOS["calm"], tmp_path)


def test_every_mutation_can_be_met_by_a_layer_and_has_a_named_test() -> None:
    assert len(MUTATIONS) >= 14
    for mutation in MUTATIONS:
        assert mutation.source
        assert mutation.tests
        assert any(tries(layer, mutation) for layer in LAYERS if layer != "named tests")
        assert set(mutation.scenarios) <= set(SCENARIOS)
