"""Virtual time: events in the order of their moment, then of their making."""

import heapq
from collections.abc import Callable


class Clock:
    """Milliseconds that pass only when nothing is left to do at the present one.

    `told` is the run as a readable trace, one line an event, or None when nobody reads it.
    """

    def __init__(self, now_ms: int, told: list[str] | None = None) -> None:
        self.now_ms = self.began_ms = now_ms
        self.told = told
        self._made = 0
        self._events: list[tuple[int, int, Callable[[], object]]] = []

    def tell(self, who: str, what: str) -> None:
        """Add a line to the trace."""
        if self.told is not None:
            self.told.append(f"{(self.now_ms - self.began_ms) / 1000:>9.3f} s  {who:<8}  {what}")

    def after(self, ms: int, happening: Callable[[], object]) -> None:
        """Let something happen `ms` (0 or more) from now."""
        self._made += 1
        heapq.heappush(self._events, (self.now_ms + ms, self._made, happening))

    def run_until(self, done: Callable[[], bool]) -> None:
        """Let time pass until `done`; it must come true while events are left."""
        while not done():
            assert self._events, "something waits for what never happens"
            self._next()

    def rest(self, ms: int) -> None:
        """Let `ms` pass."""
        done: list[bool] = []
        self.after(ms, lambda: done.append(True))
        self.run_until(lambda: bool(done))

    def run_dry(self) -> None:
        """Let everything happen that was ever planned: late posts, settlements."""
        while self._events:
            self._next()

    def _next(self) -> None:
        moment, _, happening = heapq.heappop(self._events)
        self.now_ms = max(self.now_ms, moment)
        happening()
