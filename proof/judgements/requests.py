"""The saga's story as requests: it runs to its next question, and is told the answer.

This is the real `story`, not a copy of it: `enter` and `take_step` are started as coroutines over a port
whose effects only hand their request out. A step asks a handful of questions at most, so any point inside
it is reached again by telling the answers given so far; that is how the exploration branches at each of them.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from arbsaga.saga.effects import Effects
from arbsaga.saga.messages import TradeRecord
from arbsaga.saga.simulator.requests import Asking, Request
from arbsaga.saga.trade import Trade

Story = Callable[[Effects], Coroutine[Request, Any, Trade | TradeRecord]]


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer, and the time and abort wish that the story sees from then on."""

    value: Any
    now_ms: int
    abort: str


def run(story: Story, start: Heard, heard: Sequence[Heard]) -> Request | Trade | TradeRecord:
    """What the story asks after these answers, or what it came to. Deterministic, or the exploration would be a lie."""
    effects = _Requests(start)
    life = story(effects)
    try:
        request = life.send(None)
        for answer in heard:
            effects.now, effects.abort = answer.now_ms, answer.abort
            request = life.send(answer.value)
    except StopIteration as ended:
        result: Trade | TradeRecord = ended.value
        return result
    life.close()
    return request


class _Requests(Asking):
    """The `Effects` port as requests."""

    def __init__(self, start: Heard) -> None:
        self.now, self.abort = start.now_ms, start.abort

    def now_ms(self) -> int:
        return self.now

    def jitter(self) -> float:
        return 0.0

    def abort_reason(self) -> str:
        return self.abort

    def show(self, record: TradeRecord) -> None:
        """Nobody looks."""
