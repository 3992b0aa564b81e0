"""What a layer of the proof is asked for, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Effort(StrEnum):
    """How much is tried: QUICK is part of `make test`, USUAL is `make prove`, FULL runs overnight."""

    QUICK = "quick"
    USUAL = "usual"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Result:
    """One layer's answer.

    `cases`: what was tried and judged (states, trades, cuts, kills, order flows), in the words of `unit`. `seeds`:
    how many seeds drove them; 0 for an enumeration. `violations`: breaches of the promise, each a sentence with the
    command that shows it again. `notes`: figures in words, for the table. `figures`: the same for the JSON line.
    """

    layer: str
    cases: int
    unit: str
    seeds: int = 0
    violations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    figures: Mapping[str, float | int | str] = field(default_factory=dict)
