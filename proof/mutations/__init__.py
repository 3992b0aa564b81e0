"""Layer 5b: bugs of real bots, brought back into our own code one by one. The harness must catch every one.

A mutation that no layer catches is a violation; so is a layer that finds something in the code as it is.
`python -m proof.mutations` prints how each was caught.
"""

import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.pool import AsyncResult

from proof.mutations.catalogue import BY_NAME, MUTATIONS, Mutation
from proof.mutations.layers import LAYERS, attempt, tries
from proof.result import Effort, Result

AT_ONCE = 6
"""Processes: most of their time they wait for clocks."""
LIMIT_S = 240
QUICK_LAYERS = ("simulation", "wire")


@dataclass(frozen=True, slots=True)
class Trial:
    """One mutation (empty: none) against one layer. `how`: the first breach it found, empty where there is none."""

    mutation: str
    layer: str
    how: str


def prove(effort: Effort) -> Result:
    """Every mutation against every layer that can meet it, and every layer against the code as it is."""
    trials = run(MUTATIONS, effort)
    control = [trial for trial in trials if not trial.mutation and trial.how]
    caught = {trial.mutation for trial in trials if trial.mutation and trial.how}
    missed = [mutation for mutation in MUTATIONS if mutation.name not in caught]
    return Result(
        layer="mutations",
        cases=len(MUTATIONS),
        unit="mutations",
        violations=(
            *(f"no layer catches the mutation {one.name!r} ({one.bug}): {_again(one.name)}" for one in missed),
            *(f"{one.layer} fails without any mutation: {one.how}: {_again('')}" for one in control),
        ),
        notes=tuple(table(trials)),
        figures={"mutations": len(MUTATIONS), "caught": len(caught)},
    )


def _again(name: str) -> str:
    return f"python -m proof.mutations {name!r}".removesuffix(" ''")


def run(mutations: Sequence[Mutation], effort: Effort, layers: Sequence[str] = ()) -> list[Trial]:
    """The trials of these mutations, and those of the code as it is, each in a process of its own."""
    chosen = layers or (QUICK_LAYERS if effort is Effort.QUICK else tuple(LAYERS))
    wanted = [("", layer) for layer in chosen]
    wanted += [(one.name, layer) for one in mutations for layer in chosen if tries(layer, one)]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["proof.mutations.preload"])
    with context.Pool(AT_ONCE, maxtasksperchild=1) as pool:
        running = [(name, layer, pool.apply_async(_try, (name, layer, effort))) for name, layer in wanted]
        return [Trial(name, layer, _outcome(result)) for name, layer, result in running]


def _try(name: str, layer: str, effort: Effort) -> str:
    found = attempt(layer, BY_NAME[name] if name else None, effort)
    return found[0] if found else ""


def _outcome(result: "AsyncResult[str]") -> str:
    try:
        return result.get(LIMIT_S)
    except multiprocessing.TimeoutError:
        return f"no end within {LIMIT_S} s"


def table(trials: Sequence[Trial], *, how: bool = False) -> list[str]:
    """One line for each mutation: which layers caught it, which did not, and whose bug it was."""
    by_name: dict[str, dict[str, str]] = {}
    for trial in trials:
        by_name.setdefault(trial.mutation, {})[trial.layer] = trial.how
    lines = [_line(BY_NAME[name], found) for name, found in by_name.items() if name]
    if not how:
        return lines
    details = {trial.mutation: [] for trial in trials}  # type: dict[str, list[str]]
    for trial in trials:
        details[trial.mutation].append(f"    {trial.layer}: {trial.how or 'nothing found'}")
    return [line for name, found in details.items() for line in (name or "no mutation", *found)]


def _line(mutation: Mutation, found: Mapping[str, str]) -> str:
    caught = ", ".join(layer for layer, what in found.items() if what) or "CAUGHT BY NOTHING"
    return f"{mutation.name:<38} {caught:<42} {mutation.source}"
