"""Drives a story over virtual time: journals every effect, crashes, and replays with arguments compared.

An effect is a request that the story yields; the driver answers it. After a crash the story starts
again from its plan and is fed the journal: it must ask for the same things in the same order, or the
run fails. What a lost worker did not record is answered as the real runtime answers it: a post is
UNKNOWN and never repeated, everything else is done again.
"""

import random
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from arbsaga.domain.evidence import decided
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView
from arbsaga.saga.effects import ABORT, DEADLINE, First
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
from arbsaga.saga.simulator.clock import Clock
from arbsaga.saga.simulator.exchange import SimExchange, order_id
from arbsaga.saga.story import arbitrage

T = TypeVar("T")
MAX_EFFECTS = 20_000
POLL_MS = 1_000
"""How often a poll looks again without being woken, as the real one does."""


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


class _Ask(Generic[T]):
    """Awaiting it hands the request to the driver."""

    def __init__(self, request: Request) -> None:
        self.request = request

    def __await__(self) -> Generator[Request, T, T]:
        return (yield self.request)


class SimEffects:
    """The Effects port as requests. One instance for each life of the worker."""

    def __init__(self, plan: TradePlan, now_ms: int) -> None:
        self._now_ms, self._abort = now_ms, ""
        self._rng = random.Random(plan.trade_id)
        self.shown: list[TradeRecord] = []

    def heard(self, answer: Answer) -> None:
        """Time passes for the story only with an answer, so that it replays the same."""
        self._now_ms, self._abort = answer.now_ms, answer.abort

    def now_ms(self) -> int:
        return self._now_ms

    def jitter(self) -> float:
        return self._rng.random()

    def abort_reason(self) -> str:
        return self._abort

    def show(self, record: TradeRecord) -> None:
        self.shown.append(record)

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

    async def record(self, record: TradeRecord) -> None:
        await _Ask[None](Call("record", record))

    async def page(self, page: Page) -> None:
        await _Ask[None](Call("page", page))

    async def sleep(self, ms: int) -> None:
        await _Ask[None](Call("sleep", ms))

    async def all_in_order(self, effects: Sequence[Awaitable[T]]) -> list[T]:
        return await _Ask[list[T]](All(tuple(_call_of(effect) for effect in effects)))

    async def first_of(self, name: str, effect: Awaitable[T], deadline_ms: int, *, abort: bool) -> First[T]:
        return await _Ask[First[T]](Race(name, _call_of(effect), deadline_ms, abort))


def _call_of(effect: Awaitable[Any]) -> Call:
    """The request an effect would make. Each effect of this runtime makes exactly one."""
    assert isinstance(effect, Coroutine)
    request = effect.send(None)
    effect.close()
    assert isinstance(request, Call)
    return request


class Driver:
    """Runs one trade to its end against a simulated exchange."""

    def __init__(self, plan: TradePlan, clock: Clock, exchange: SimExchange, rng: random.Random) -> None:
        self.plan, self.clock, self.exchange, self.rng = plan, clock, exchange, rng
        self.journal: list[Answer] = []
        self.intents: set[str] = set()
        self.pages: dict[str, Page] = {}
        self.records: list[TradeRecord] = []
        self.crashes = 0
        self.abort = ""
        self.effects = SimEffects(plan, clock.now_ms)
        if exchange.chance(exchange.weather.abort):
            clock.after(rng.randrange(1, 20_000), self._abort)

    def _abort(self) -> None:
        self.abort = "a person asked"

    def run(self) -> TradeRecord:
        """The trade's end, after as many crashes as the weather brings."""
        story, request = self._replayed()
        for _ in range(MAX_EFFECTS):
            answer = self._answer(request)
            self.journal.append(answer)
            if self.exchange.chance(self.exchange.weather.crash):
                story.close()
                self._rest()
                story, request = self._replayed()
                if isinstance(request, TradeRecord):
                    return request
                continue
            self.effects.heard(answer)
            try:
                request = story.send(answer.value)
            except StopIteration as ended:
                return ended.value  # type: ignore[no-any-return]  # StopIteration carries Any
        raise AssertionError("a trade ends in bounded steps")

    def _replayed(self) -> tuple[Coroutine[Request, Any, TradeRecord], Any]:
        """A new life of the worker, fed everything the old ones recorded; arguments must be the same."""
        self.effects = SimEffects(self.plan, self.plan.decided_ms)
        story = arbitrage(self.effects, self.plan)
        request: Any = story.send(None)
        for answer in self.journal:
            assert request == answer.request, f"replay asked {request}, history has {answer.request}"
            self.effects.heard(answer)
            try:
                request = story.send(answer.value)
            except StopIteration as ended:
                return story, ended.value
        return story, request

    def _rest(self) -> None:
        self.crashes += 1
        self._pass(self.rng.randrange(10, 3_000))

    def _pass(self, ms: int) -> None:
        done: list[bool] = []
        self.clock.after(ms, lambda: done.append(True))
        self.clock.run_until(lambda: bool(done))

    def _answer(self, request: Request) -> Answer:
        match request:
            case Call():
                value = self._wait(self._start(request))
            case All(calls):
                started = [self._start(call) for call in calls]
                value = [self._wait(slot) for slot in started]
            case _:
                value = self._race(request, self._start(request.call))
        return Answer(request, value, self.clock.now_ms, self.abort)

    def _wait(self, slot: list[Any]) -> Any:  # noqa: ANN401 - an answer of any effect
        self.clock.run_until(lambda: bool(slot))
        return slot[0]

    def _race(self, race: Race, slot: list[Any]) -> First[Any]:
        self.clock.after(max(0, race.deadline_ms - self.clock.now_ms), lambda: None)

        def aborted() -> bool:
            return race.abort and bool(self.abort)

        self.clock.run_until(lambda: bool(slot) or self.clock.now_ms >= race.deadline_ms or aborted())
        if slot:
            return First(race.name, slot[0])
        return First(ABORT if aborted() else DEADLINE, None)

    def _start(self, call: Call) -> list[Any]:
        """Begin an effect; its answer appears in the slot at its time. A dying worker loses it first."""
        slot: list[Any] = []
        effect: Callable[[Any, list[Any]], None] = getattr(self, f"_{call.name}")
        latency = self.rng.randrange(1, self.exchange.weather.latency_ms + 1)
        if call.name in {"place_legs", "exit_leg"}:
            effect(call.ask, slot)
            return slot
        if self.exchange.chance(self.exchange.weather.crash) and call.name != "sleep":
            self.crashes += 1
            latency += self.rng.randrange(10, 3_000)  # lost with its worker; done again by another
        self.clock.after(latency, lambda: effect(call.ask, slot))
        return slot

    def _validate_depth(self, ask: ValidateDepth, slot: list[Any]) -> None:
        refused = "only 3 shares at the limit" if self.exchange.chance(self.exchange.weather.no_depth) else ""
        slot.append(DepthReport(ask.plan.trade_id, refused, self.clock.now_ms))

    def _place_legs(self, ask: PlaceLegs, slot: list[Any]) -> None:
        """Intents first, then every order on its way; a crash before, between or after answers UNKNOWN."""
        weather, wait = self.exchange.weather, 0
        crash = self.rng.choice(("before", "after", "")) if self.exchange.chance(weather.crash) else ""
        views = []
        for terms in ask.orders:
            fresh = terms.key not in self.intents
            self.intents.add(terms.key)
            if crash == "before" or not fresh:
                views.append(OrderView(terms, order_id(terms), OrderState.UNKNOWN))
                continue
            view, latency = self._post(terms)
            wait = max(wait, latency)
            views.append(view)
        if crash:
            self.crashes += 1
            wait += self.rng.randrange(500, 3_000)
            views = [OrderView(view.terms, view.order_id, OrderState.UNKNOWN) for view in views]
        seen = Seen(ask.trade_id, tuple(views), self.clock.now_ms + wait)
        self.clock.after(wait, lambda: slot.append(seen))

    _exit_leg = _place_legs

    def _post(self, terms: OrderTerms) -> tuple[OrderView, int]:
        """One order on the wire: what the poster learns, and after how many ms."""
        exchange, weather = self.exchange, self.exchange.weather
        blank = OrderView(terms, order_id(terms), OrderState.UNKNOWN)
        latency = self.rng.randrange(1, weather.latency_ms + 1)
        if self.clock.now_ms > terms.send_by_ms:
            return replace(blank, state=OrderState.ABSENT, reason="not sent: too late"), 0
        if exchange.chance(weather.refuse):
            return replace(blank, state=OrderState.DONE, reason="not enough balance / allowance"), latency
        if exchange.chance(weather.lost):
            return blank, self.plan.patience.http
        if exchange.chance(weather.late):
            self.clock.after(weather.late_ms, lambda: exchange.deliver(terms))
            return blank, self.plan.patience.http
        exchange.deliver(terms, late_ms=self.clock.now_ms - terms.send_by_ms)
        if exchange.chance(weather.drop):
            return blank, self.plan.patience.http
        return exchange.look(blank), latency

    def _poll_fills(self, ask: PollFills, slot: list[Any]) -> None:
        seen = tuple(self._read(view) for view in ask.known)
        over = self.clock.now_ms >= ask.until_ms
        pairs = list(zip(ask.known, seen, strict=True))
        if over or decided(pairs, settled=ask.settled):
            slot.append(Seen(ask.trade_id, seen, self.clock.now_ms))
            return
        woken: list[bool] = []

        def again() -> None:
            if not woken:
                woken.append(True)
                self._poll_fills(ask, slot)

        self.exchange.waiting.append(again)
        self.clock.after(max(1, min(POLL_MS, ask.until_ms - self.clock.now_ms)), again)

    def _read(self, view: OrderView) -> OrderView:
        return view if self.exchange.chance(self.exchange.weather.error) else self.exchange.look(view)

    def _cancel_leg(self, ask: CancelLeg, slot: list[Any]) -> None:
        if not self.exchange.chance(self.exchange.weather.error):
            self.exchange.cancel(order_id(ask.known.terms))
        slot.append(Seen(ask.trade_id, (self._read(ask.known),), self.clock.now_ms))

    def _read_books(self, ask: ReadBooks, slot: list[Any]) -> None:
        exchange = self.exchange
        readable = [token for token in ask.tokens if not exchange.chance(exchange.weather.error)]
        books = tuple(exchange.book(token) for token in readable)
        sellable = tuple((token, exchange.sellable(token)) for token in readable)
        orders = tuple(exchange.look(view) for view in ask.known)
        slot.append(Market(ask.trade_id, books, sellable, orders, self.clock.now_ms))

    def _record(self, record: TradeRecord, slot: list[Any]) -> None:
        self.records.append(record)
        slot.append(None)

    def _page(self, page: Page, slot: list[Any]) -> None:
        self.pages[page.key] = page
        slot.append(None)

    def _sleep(self, ms: int, slot: list[Any]) -> None:
        self.clock.after(ms, lambda: slot.append(None))
