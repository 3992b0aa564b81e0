"""Where a worker dies: three points of every effect, three of every workflow task, and two inside each post.

A point has a name, `sent:place_legs#1`: the kind of moment, the effect (or `task`, a task of the trade's workflow;
`held`, one of the watch over a HELD trade), and which of them it is, counted from 1 in that worker.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from arbsaga.errors import UserError

ANY = "any"
TASKS = ("task", "held")


class Moment(StrEnum):
    """The kinds of moments at which a worker is cut off."""

    BEFORE = "before"
    """An effect was handed out, nothing of it is done."""
    WRITTEN = "written"
    """Orders stand in the ledger, no byte of them has left."""
    FLYING = "flying"
    """The bytes of a post have left, its answer was not read."""
    SENT = "sent"
    """An effect is done, its answer was not given to the server."""
    RECORDED = "recorded"
    """The server has the answer, the workflow has not heard it."""
    BEGUN = "begun"
    """A workflow task was handed out, none of its code has run."""
    LOST = "lost"
    """A workflow task has run, what it decided was not given to the server."""
    DONE = "done"
    """The server has what a workflow task decided; nothing came after it."""


class How(StrEnum):
    """What happens to the worker at its point."""

    KILL = "kill"
    """SIGKILL; another worker takes over."""
    LATE = "late"
    """SIGSTOP; another takes over, and the stopped one is woken when the trade has ended."""
    EARLY = "early"
    """SIGSTOP; it is woken as soon as the server has given it up, in the midst of the other's work."""


_POINT = re.compile(r"(?P<moment>[a-z]+):(?P<what>[a-z_]+)#(?P<number>\d+)")


@dataclass(frozen=True, slots=True)
class Point:
    """The `number`-th `moment` of `what`; of whatever effect or task where `what` is ANY."""

    moment: Moment
    what: str
    number: int

    @classmethod
    def read(cls, text: str) -> "Point":
        """The point of this name. Raises UserError for anything else."""
        found = _POINT.fullmatch(text)
        if found is None or found["moment"] not in list(Moment):
            raise UserError(f"{text!r} is no point: write e.g. sent:place_legs#1 ({', '.join(Moment)})")
        return cls(Moment(found["moment"]), found["what"], int(found["number"]))

    def __str__(self) -> str:
        return f"{self.moment}:{self.what}#{self.number}"


@dataclass(frozen=True, slots=True)
class Cut:
    """A point, and what happens there."""

    point: Point
    how: How = How.KILL

    def __str__(self) -> str:
        return f"{self.how}:{self.point}"

    @classmethod
    def read(cls, text: str) -> "Cut":
        """`kill:sent:place_legs#1`. Raises UserError."""
        how, _, point = text.partition(":")
        if how not in list(How):
            raise UserError(f"{text!r} is no cut: begin with one of {', '.join(How)}")
        return cls(Point.read(point), How(how))


class Counter:
    """Names the moments of one worker as they pass, and knows the one it waits for."""

    def __init__(self, wanted: Point | None) -> None:
        self._wanted = wanted
        self._passed: dict[tuple[Moment, str], int] = {}
        self.trace: list[Point] = []
        """Every point that has passed, oldest first."""

    def is_here(self, moment: Moment, what: str) -> bool:
        """Note a moment; whether it is the one that is wanted."""
        point = Point(moment, what, self._count(moment, what))
        overall = Point(moment, ANY, self._count(moment, ANY))
        self.trace.append(point)
        return self._wanted in (point, overall)

    def _count(self, moment: Moment, what: str) -> int:
        number = self._passed[moment, what] = self._passed.get((moment, what), 0) + 1
        return number


def cuts_of(trace: Iterable[Point], how: How = How.KILL) -> list[Cut]:
    """Every cut that an uncut run passes through.

    A task that brings an effect's answer begins where that effect was recorded, but not at once: both are tried.
    """
    return [Cut(point, how) for point in dict.fromkeys(trace)]
