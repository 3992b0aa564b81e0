"""The layers that must catch a mutation, each as a function from the mutation (None: the code as it is) to breaches.

A layer that breaks under a mutation has caught it: the same layer must be silent without one.
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from arbsaga.saga.simulator.run import run_seed
from arbsaga.saga.simulator.weather import Weather
from proof.judgements.explore import Limits, explore
from proof.judgements.space import QUICK, TINY
from proof.mutations.catalogue import MUTATIONS
from proof.mutations.mutation import Mutation
from proof.mutations.scenarios import BY_NAME, EVERY, play_all
from proof.result import Effort

ROOT = Path(__file__).parents[2]
STATES = {Effort.QUICK: 1_500, Effort.USUAL: 6_000, Effort.FULL: 6_000}
SEEDS = {Effort.QUICK: 60, Effort.USUAL: 300, Effort.FULL: 300}


def judgements(mutation: Mutation | None, effort: Effort) -> list[str]:
    """The states of small spaces of trades, each up to a bound: the layer itself explores them whole."""
    del mutation
    for space in (*TINY, *QUICK):
        try:
            found = explore(Limits((space,), STATES[effort])).violations
        except AssertionError as error:
            return [f"{space.name}: {error}"]
        if breaches := [one for one in found if "not explored whole" not in one]:
            return breaches
    return []


def simulation(mutation: Mutation | None, effort: Effort) -> list[str]:
    """Seeded trades in the weather that meets the bug; without one in all of them. Ends at the first breach."""
    weathers = [mutation.weather] if mutation else list(dict.fromkeys(one.weather for one in MUTATIONS))
    for weather in weathers:
        for seed in range(SEEDS[effort] if weather else 0):
            if found := _run(seed, weather):
                return found
    return []


def _run(seed: int, weather: Weather | None) -> list[str]:
    try:
        return [f"seed {seed}: {violation}" for violation in run_seed(seed, weather).violations]
    except AssertionError as error:  # a replay that asks for something else, a trade without an end
        return [f"seed {seed}: {error}"]


def wire(mutation: Mutation | None, effort: Effort) -> list[str]:
    """The real venue, activities, ledger and pager against the simulated exchange."""
    del effort
    scenarios = [BY_NAME[name] for name in mutation.scenarios] if mutation else list(EVERY)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(play_all(scenarios, Path(folder)))
    return [f"{name}: {violation}" for name, violations in found.items() for violation in violations]


def named_tests(mutation: Mutation | None, effort: Effort) -> list[str]:
    """The tests of the test suite that are named after the bug: each must fail."""
    import pytest  # noqa: PLC0415 - a development dependency, and slow to load

    del effort
    chosen: Iterable[Mutation] = [mutation] if mutation else MUTATIONS
    # By file: tests of one play their scenarios at once, and must not be ended in their middle for another file's.
    wanted = sorted({test for one in chosen for test in one.tests})
    if not wanted:
        return []
    failed = _Failed()
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        code = pytest.main(["-x", f"--rootdir={ROOT}", *(str(ROOT / test) for test in wanted)], plugins=[failed])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise AssertionError(f"the named tests cannot be run: {code!r} {wanted}")
    return failed.names


class _Failed:
    """Which tests failed, and the last line of why."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_runtest_logreport(self, report: object) -> None:
        """pytest's hook: after each phase of each test."""
        if getattr(report, "failed", False):
            why = str(getattr(report, "longreprtext", "")).strip().splitlines()[-1:]
            self.names.append(": ".join([str(getattr(report, "nodeid", "")), *why]))


LAYERS: dict[str, Callable[[Mutation | None, Effort], list[str]]] = {
    "judgements": judgements,
    "simulation": simulation,
    "wire": wire,
    "named tests": named_tests,
}


def tries(layer: str, mutation: Mutation) -> bool:
    """Whether the layer can meet the mutation: the saga's layers run no venue code."""
    return {
        "judgements": mutation.weather is not None,
        "simulation": mutation.weather is not None,
        "wire": bool(mutation.scenarios),
        "named tests": bool(mutation.tests),
    }[layer]


def attempt(layer: str, mutation: Mutation | None, effort: Effort) -> list[str]:
    """What the layer finds, with the mutation applied or without one."""
    with mutation.applied() if mutation else contextlib.nullcontext():
        return LAYERS[layer](mutation, effort)
