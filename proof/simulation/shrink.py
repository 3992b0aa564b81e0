"""Makes a failing seed small: less weather, fewer legs, a shorter trace; it must still break the promise."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from arbsaga.saga.simulator.run import run_seed
from arbsaga.saga.simulator.weather import MOST, Weather
from proof.simulation.many import again

FAIR = Weather()
TRIES = 60
"""Seeds tried for each smaller weather: without one kind, the dice of the same seed may fall differently."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that breaks the promise, and what it takes: `python -m proof.simulation --seed … --weather … --legs …`.

    `legs` 0: as many as the seed draws.
    """

    seed: int
    weather: Weather
    legs: int
    violations: tuple[str, ...]


def failure(seed: int, weather: Weather, legs: int) -> Failure | None:
    """The failure of a run, or None when it keeps the promise. A run that breaks off has failed."""
    try:
        found = run_seed(seed, weather, legs=legs).violations
    except Exception as error:  # noqa: BLE001 - it is what is looked for
        found = (f"broke off with {error!r}",)
    return Failure(seed, weather, legs, found) if found else None


def shrunk(seed: int) -> list[str]:
    """The trace of a seed's failure made small, and the command that shows it."""
    found = failure(seed, Weather.draw(random.Random(seed)), 0)
    assert found is not None, "the same seed is the same run"
    least = shrink(found)
    trace: list[str] = []
    try:
        run_seed(least.seed, least.weather, legs=least.legs, trace=trace)
    except Exception as error:  # noqa: BLE001 - this is how it failed
        trace.append(f"broke off with {error!r}")
    return [f"seed {seed} shrunk to {again(least.seed, least.weather, least.legs)}", *trace, *least.violations]


def shrink(found: Failure) -> Failure:
    """The smallest failure that greedy steps reach: each takes a leg or a kind of weather away, or halves a chance."""
    while smaller := next(_smaller(found), None):
        found = smaller
    return found


def _smaller(found: Failure) -> Iterator[Failure]:
    for weather, legs in _candidates(found):
        for seed in (found.seed, *range(TRIES)):
            if fails := failure(seed, weather, legs):
                yield fails
                break


def _candidates(found: Failure) -> Iterator[tuple[Weather, int]]:
    """What is a step smaller, the largest step first."""
    fair = {field.name: getattr(FAIR, field.name) for field in fields(Weather)}
    bad = [name for name, value in fair.items() if getattr(found.weather, name) != value]
    if found.legs != 2:
        yield found.weather, 2
    if found.legs in (0, 4):
        yield found.weather, 3
    for name in bad:
        yield _with(found.weather, name, fair[name]), found.legs
    for name in bad:
        if name in MOST and (chance := getattr(found.weather, name)) > 0.1:
            yield _with(found.weather, name, round(chance / 2, 2)), found.legs


def _with(weather: Weather, kind: str, value: float) -> Weather:
    changed: dict[str, Any] = {kind: value}
    return replace(weather, **changed)
