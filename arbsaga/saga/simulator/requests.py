"""The Effects port as requests: each effect is a value that the story yields and the driver answers."""

import random
from collections.abc import Awaitable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from arbsaga.saga.effects import First
from arbsaga.saga.messages import (
    CancelLeg,
    DepthReport,
    Market,
    Page,
    PlaceLegs,
    PollFills,
    ReadBooks,
    Seen,
    TradePlan,
    TradeRecord,
    ValidateDepth,
)

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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered, and the time and abort wish that the story sees from then on."""

    request: Request
    value: Any
    now_ms: int
    abort: str


class Asked(Generic[T]):
    """Awaiting it hands the request out."""

    def __init__(self, request: Request) -> None:
        self.request = request

    def __await__(self) -> Generator[Request, T, T]:
        return (yield self.request)


class Asking:
    """The effects of the port as requests. What time it is, and who wants an abort, is told by who answers."""

    async def validate_depth(self, ask: ValidateDepth) -> DepthReport:
        return await Asked[DepthReport](Call("validate_depth", ask))

    async def place_legs(self, ask: PlaceLegs) -> Seen:
        return await Asked[Seen](Call("place_legs", ask))

    async def exit_leg(self, ask: PlaceLegs) -> Seen:
        return await Asked[Seen](Call("exit_leg", ask))

    async def poll_fills(self, ask: PollFills) -> Seen:
        return await Asked[Seen](Call("poll_fills", ask))

    async def cancel_leg(self, ask: CancelLeg) -> Seen:
        return await Asked[Seen](Call("cancel_leg", ask))

    async def read_books(self, ask: ReadBooks) -> Market:
        return await Asked[Market](Call("read_books", ask))

    async def record(self, record: TradeRecord) -> Seen:
        return await Asked[Seen](Call("record", record))

    async def page(self, page: Page) -> None:
        await Asked[None](Call("page", page))

    async def sleep(self, ms: int) -> None:
        await Asked[None](Call("sleep", ms))

    async def all_in_order(self, effects: Sequence[Awaitable[T]]) -> list[T]:
        return await Asked[list[T]](All(tuple(_call_of(effect) for effect in effects)))

    async def first_of(self, name: str, effect: Awaitable[T], deadline_ms: int, *, abort: bool) -> First[T]:
        return await Asked[First[T]](Race(name, _call_of(effect), deadline_ms, abort))


class SimEffects(Asking):
    """The Effects port as requests. One instance for each life of the worker."""

    def __init__(self, plan: TradePlan, now_ms: int) -> None:
        self._plan, self._now_ms, self._abort = plan, now_ms, ""
        self._rng: random.Random | None = None
        self._reliving = False
        self.shown: list[TradeRecord] = []

    def heard(self, answer: Answer) -> None:
        """Time passes for the story only with an answer, so that it replays the same."""
        self._now_ms, self._abort = answer.now_ms, answer.abort

    def now_ms(self) -> int:
        """While a plan is entered again after a reset: its decision's, as in `workflows/runtime.py`."""
        return self._plan.decided_ms if self._reliving else self._now_ms

    def jitter(self) -> float:
        self._rng = self._rng or random.Random(self._plan.trade_id)
        return self._rng.random()

    def abort_reason(self) -> str:
        return "" if self._reliving else self._abort

    def show(self, record: TradeRecord) -> None:
        self.shown.append(record)

    async def validate_depth(self, ask: ValidateDepth) -> DepthReport:
        report, self._reliving = await Asked[tuple[DepthReport, bool]](Call("validate_depth", ask))
        return report

    async def place_legs(self, ask: PlaceLegs) -> Seen:
        self._reliving = False
        return await super().place_legs(ask)


def _call_of(effect: Awaitable[Any]) -> Call:
    """The request an effect would make. Each effect makes exactly one."""
    assert isinstance(effect, Coroutine)
    request = effect.send(None)
    effect.close()
    assert isinstance(request, Call)
    return request
