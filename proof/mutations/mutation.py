"""One bug that can be put into our own code, and taken out again."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

from arbsaga.saga.simulator.weather import Weather

Patch = tuple[object, str, object]
"""Whose attribute is replaced, its name, and by what."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One bug. `source`: who had it. `weather`: what the simulation needs to meet it, None where it cannot.

    `scenarios`: those of the wire layer that meet it. `tests`: named tests that must fail with it.
    """

    name: str
    bug: str
    source: str
    patches: Callable[[], list[Patch]]
    weather: Weather | None = None
    scenarios: tuple[str, ...] = ()
    tests: tuple[str, ...] = field(default=())

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Our own modules with this bug, in this process, until the block ends."""
        with ExitStack() as stack:
            for owner, name, value in self.patches():
                stack.enter_context(patch.object(owner, name, value))
            yield
