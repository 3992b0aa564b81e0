"""Virtual time: events in the order of their moment, then of their making."""

import heapq
from collections.abc import Callable


class Clock:
    """Milliseconds that pass only when nothing is left to do at the present one."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self._made = 0
        self._events: list[tuple[int, int, Callable[[], None]]] = []

    def after(self, ms: int, happening: Callable[[], None]) -> None:
        """Let something happen `ms` (0 or more) from now."""
        self._made += 1
        heapq.heappush(self._events, (self.now_ms + ms, self._made, happening))

    def run_until(self, done: Callable[[], bool]) -> None:
        """Let time pass until `done`; it must come true while events are left."""
        while not done():
            assert self._events, "something waits for what never happens"
            self._next()

    def run_dry(self) -> None:
        """Let everything happen that was ever planned: late posts, settlements."""
        while self._events:
            self._next()

    def _next(self) -> None:
        moment, _, happening = heapq.heappop(self._events)
        self.now_ms = max(self.now_ms, moment)
        happening()
