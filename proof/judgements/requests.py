"""The saga's story as requests: it runs to its next question, and is told the answer.

This is the real `story`, not a copy of it: `enter` and `take_step` are started as coroutines over a port
whose effects only hand their request out. A step asks a handful of questions at most, so any point inside
it is reached again by telling the answers given so far; that is how the exploration branches at each of them.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from arbsaga.saga.effects import Effects, First
from arbsaga.saga.messages import (
    CancelLeg,
    DepthReport,
    Market,
    Page,
    PlaceLegs,
    PollFills,
    ReadBooks,
    Seen,
    TradeRecord,
    ValidateDepth,
)
from arbsaga.saga.trade import Trade

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One effect asked for: its name and its message."""

    name: str
    ask: Any


@dataclass(frozen=True, slots=True)
class All:
    """Several effects asked for at once."""

    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Race:
    """An effect, a deadline and perhaps an abort, of which the first counts."""

    name: str
    call: Call
    deadline_ms: int
    abort: bool


Request = Call | All | Race
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


class _Ask(Generic[T]):
    """Awaiting it hands the request out."""

    def __init__(self, request: Request) -> None:
        self.request = request

    def __await__(self) -> Generator[Request, T, T]:
        return (yield self.request)


class _Requests:
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

    async def validate_depth(self, ask: ValidateDepth) -> DepthReport:
        return await _Ask[DepthReport](Call("validate_depth", ask))

    async def place_legs(self, ask: PlaceLegs) -> Seen:
        return await _Ask[Seen](Call("place_legs", ask))

    async def exit_leg(self, ask: PlaceLegs) -> Seen:
        return await _Ask[Seen](Call("exit_leg", ask))

    async def poll_fills(self, ask: PollFills) -> Seen:
        return await _Ask[Seen](Call("poll_fills", ask))

    async def cancel_leg(self, ask: CancelLeg) -> Seen:
        return await _Ask[Seen](Call("cancel_leg", ask))

    async def read_books(self, ask: ReadBooks) -> Market:
        return await _Ask[Market](Call("read_books", ask))

    async def record(self, record: TradeRecord) -> Seen:
        return await _Ask[Seen](Call("record", record))

    async def page(self, page: Page) -> None:
        await _Ask[None](Call("page", page))

    async def sleep(self, ms: int) -> None:
        await _Ask[None](Call("sleep", ms))

    async def all_in_order(self, effects: Sequence[Awaitable[T]]) -> list[T]:
        return await _Ask[list[T]](All(tuple(_call_of(effect) for effect in effects)))

    async def first_of(self, name: str, effect: Awaitable[T], deadline_ms: int, *, abort: bool) -> First[T]:
        return await _Ask[First[T]](Race(name, _call_of(effect), deadline_ms, abort))


def _call_of(effect: Awaitable[Any]) -> Call:
    """The request an effect would make. Each effect of this port makes exactly one."""
    assert isinstance(effect, Coroutine)
    request = effect.send(None)
    effect.close()
    assert isinstance(request, Call)
    return request
