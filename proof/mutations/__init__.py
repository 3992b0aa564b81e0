"""Layer 5b: bugs of real bots, brought back into our own code one by one. The harness must catch every one.

A mutation that no layer catches is a violation; so is a layer that finds something in the code as it is.
`python -m proof.mutations` prints how each was caught.
"""

import logging
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.pool import AsyncResult

import structlog

from proof.mutations.catalogue import BY_NAME, MUTATIONS
from proof.mutations.layers import LAYERS, attempt, tries
from proof.mutations.mutation import Mutation
from proof.result import Effort, Result

AT_ONCE = 6
"""Processes: most of their time they wait for clocks."""
LIMIT_S = 240
QUICK_LAYERS = ("judgements", "simulation", "wire")


@dataclass(frozen=True, slots=True)
class Trial:
    """One mutation (empty: none) against one layer. `how`: the first breach it found, empty where there is none."""

    mutation: str
    layer: str
    how: str


def prove(effort: Effort) -> Result:
    """Every mutation against every layer that can meet it, and every layer against the code as it is."""
    return result_of(MUTATIONS, run(MUTATIONS, effort))


def result_of(mutations: Sequence[Mutation], trials: Sequence[Trial]) -> Result:
    """What the trials of these mutations come to."""
    control = [trial for trial in trials if not trial.mutation and trial.how]
    caught = {trial.mutation for trial in trials if trial.mutation and trial.how}
    missed = [mutation for mutation in mutations if mutation.name not in caught]
    return Result(
        layer="mutations",
        cases=len(mutations),
        unit="mutations",
        violations=(
            *(f"no layer catches the mutation {one.name!r} ({one.bug}): {_again(one.name)}" for one in missed),
            *(f"{one.layer} fails without any mutation: {one.how}: {_again('')}" for one in control),
        ),
        notes=tuple(table(mutations, trials)),
        figures={"mutations": len(mutations), "caught": len(caught)},
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
    logging.disable()  # this process ends with its trial; what goes wrong is what the trial tells
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    found = attempt(layer, BY_NAME[name] if name else None, effort)
    return found[0] if found else ""


def _outcome(result: "AsyncResult[str]") -> str:
    try:
        return result.get(LIMIT_S)
    except multiprocessing.TimeoutError:
        return f"no end within {LIMIT_S} s"


def table(mutations: Sequence[Mutation], trials: Sequence[Trial]) -> list[str]:
    """One line for each mutation: which layers caught it, and whose bug it was."""
    lines = []
    for mutation in mutations:
        layers = [trial.layer for trial in trials if trial.mutation == mutation.name and trial.how]
        lines.append(f"{mutation.name:<38} {', '.join(layers) or 'CAUGHT BY NOTHING':<44} {mutation.source}")
    return lines


def details(trials: Sequence[Trial]) -> list[str]:
    """How each layer caught each mutation: the first breach it found."""
    names = dict.fromkeys(trial.mutation for trial in trials)
    lines = []
    for name in names:
        lines.append(name or "no mutation")
        lines += [f"    {one.layer}: {one.how or 'nothing found'}" for one in trials if one.mutation == name]
    return lines
