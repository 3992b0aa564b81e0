"""Explores named spaces, one process for each of two at a time, and says what was found."""

import multiprocessing
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from proof.judgements.search import Found, Search
from proof.judgements.space import QUICK, Space


@dataclass(frozen=True, slots=True)
class Limits:
    """What to explore: these spaces, `states` of each at most. `processes` 1: in this process, patches and all.

    `first_only`: leave a space at its first breach, where it only matters whether there is one.
    """

    spaces: tuple[Space, ...] = QUICK
    states: int = 6_000_000
    processes: int = 1
    first_only: bool = False


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was visited, and every kind of breach with the command that shows it again.

    The same spaces give the same counts in each run. `ends`: in how many states a trade is recorded, by phase.
    """

    spaces: tuple[Found, ...]
    violations: tuple[str, ...]

    @property
    def states(self) -> int:
        """Distinct states visited, over all spaces."""
        return sum(found.states for found in self.spaces)

    @property
    def transitions(self) -> int:
        """Transitions taken between them."""
        return sum(found.transitions for found in self.spaces)

    @property
    def points(self) -> int:
        """Distinct points of the story: what was known, and what was asked next."""
        return sum(found.points for found in self.spaces)

    @property
    def longest(self) -> int:
        """Transitions of the longest life of a trade."""
        return max(found.longest for found in self.spaces)

    @property
    def ends(self) -> Counter[str]:
        """How often each end was reached."""
        return sum((found.ends for found in self.spaces), Counter[str]())


def explore(limits: Limits = Limits()) -> Exploration:
    """Every reachable state of every space, each judged."""
    spaces = limits.spaces
    if limits.processes == 1:
        found = [_search(space, limits) for space in spaces]
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(limits.processes, mp_context=context) as pool:
            # The largest first, so that no process is left with it at the end.
            begun = [pool.submit(_search, space, limits) for space in reversed(spaces)]
            found = [future.result() for future in reversed(begun)]
    return Exploration(tuple(found), tuple(_sentences(found)))


def _search(space: Space, limits: Limits) -> Found:
    return Search(space, states=limits.states, first_only=limits.first_only).run()


def _sentences(spaces: Sequence[Found]) -> list[str]:
    sentences = []
    for found in spaces:
        for violation in found.violations:
            path = ".".join(map(str, violation.path))
            command = f"python -m proof.judgements --space {found.space} --path {path}"
            sentences.append(f"{found.space}: {violation.sentence}; {command}")
        if found.breaches > len(found.violations):
            sentences.append(f"{found.space}: {found.breaches} breaches in all, of {len(found.violations)} kinds")
        if not found.whole:
            sentences.append(f"{found.space}: I7: not explored whole after {found.states:,} states")
    return sentences
