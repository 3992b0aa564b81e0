"""Drives a story over virtual time: journals every effect, crashes, and replays with arguments compared.

An effect is a request that the story yields; the driver answers it. After a crash the story starts
again from its plan and is fed the journal: it must ask for the same things in the same order, or the
run fails. What a lost worker did not record is answered as the real runtime answers it: a post is
UNKNOWN and never repeated, everything else is done again. A reset cuts the journal first.
"""

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any

from arbsaga.domain.evidence import decided
from arbsaga.domain.orders import OrderView
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
from arbsaga.saga.simulator.exchange import SimExchange
from arbsaga.saga.simulator.hands import Hands
from arbsaga.saga.simulator.requests import All, Answer, Call, Race, Request, SimEffects
from arbsaga.saga.simulator.verdict import Witness
from arbsaga.saga.simulator.weather import Luck
from arbsaga.saga.simulator.words import in_words
from arbsaga.saga.story import arbitrage

MAX_EFFECTS = 20_000
POLL_MS = 1_000
"""How soon a poll looks again without being woken, as the real one does; its pauses grow, to save real time."""
POLL_MOST_MS = 16_000


class Driver:
    """Runs one trade to its end against a simulated exchange."""

    def __init__(self, plan: TradePlan, clock: Clock, luck: Luck) -> None:
        self.plan, self.clock, self.luck = plan, clock, luck
        self.exchange = SimExchange(clock, luck, [leg.instrument for leg in plan.basket.legs])
        self.witness = Witness(plan, clock, self.exchange)
        self.hands = Hands(plan, clock, self.exchange, self.witness)
        self.journal: list[Answer] = []
        self.effects = SimEffects(plan, clock.now_ms)
        self.steps = self.crashes = 0
        self.abort = ""
        self._began_ms = clock.now_ms
        self._reset_at = luck.between(1, 14) if luck.strikes("reset") else 0
        if luck.strikes("abort"):
            clock.after(luck.between(1, 20_000), self._abort)
        if luck.strikes("halt"):
            clock.after(luck.between(1, 3_000), self._halt)

    def _abort(self) -> None:
        self.abort = "a person asked"
        self.witness.stops()
        self.clock.tell("person", "aborts the trade")

    def _halt(self) -> None:
        self.hands.halted = "trading is halted"
        self.witness.stops()
        self.clock.tell("person", "halts trading")

    def run(self) -> TradeRecord:
        """The trade's end, after as many crashes as the weather brings."""
        story, request = self._replayed()
        for _ in range(MAX_EFFECTS):
            if isinstance(request, TradeRecord):
                self.witness.ends(request)
                return request
            answer = self._answer(request)
            self.journal.append(answer)
            self.steps += 1
            if self.luck.strikes("crash") or self.steps == self._reset_at:
                story.close()
                self._die()
                story, request = self._replayed()
            else:
                request = self._next(story, answer)
        raise AssertionError("a trade ends in bounded steps")

    def replay(self) -> TradeRecord:
        """The whole history once more, from its beginning: the same requests, or an AssertionError."""
        _, ended = self._replayed()
        assert isinstance(ended, TradeRecord)
        return ended

    def _replayed(self) -> tuple[Coroutine[Request, Any, TradeRecord], Any]:
        """A new life of the worker, fed everything the old ones recorded; arguments must be the same."""
        self.effects = SimEffects(self.plan, self._began_ms)
        story = arbitrage(self.effects, self.plan)
        request: Any = story.send(None)
        for answer in self.journal:
            assert request == answer.request, f"replay asked {request}, history has {answer.request}"
            request = self._next(story, answer)
        return story, request

    def _next(self, story: Coroutine[Request, Any, TradeRecord], answer: Answer) -> Any:  # noqa: ANN401 - see below
        """What the story asks next, or its record at its end."""
        self.effects.heard(answer)
        try:
            return story.send(answer.value)
        except StopIteration as ended:
            return ended.value

    def _die(self) -> None:
        """The worker dies, its answer recorded. The next one lives later: it sees that time, and an abort meanwhile."""
        rest = self.luck.between(10, 3_000)
        if self.steps == self._reset_at:
            rest += max(
                0, self.plan.decided_ms + self.plan.patience.send_by - self.clock.now_ms
            )  # no person is quicker
            self._reset()
        else:
            self.crashes += 1
            self.clock.tell("worker", f"dies; another goes on {rest} ms later")
        self.witness.away_ms += rest
        self.clock.rest(rest)
        if self.journal:
            self.journal[-1] = replace(self.journal[-1], now_ms=self.clock.now_ms, abort=self.abort)
        else:
            self._began_ms = self.clock.now_ms

    def _reset(self) -> None:
        kept = self.luck.between(0, len(self.journal) - 1)
        kept = 0 if kept == 1 else kept  # a local activity: validating is recorded together with the request to place
        self.clock.tell("person", f"resets the workflow to its first {kept} effects")
        del self.journal[kept:]
        self.witness.forgets()

    def _answer(self, request: Request) -> Answer:
        self._tell("asks", request)
        match request:
            case Call():
                value = self._wait(self._start(request))
            case All(calls):
                started = [self._start(call) for call in calls]
                value = [self._wait(slot) for slot in started]
            case _:
                value = self._race(request, self._start(request.call))
        self.witness.hears(_views(value))
        self._tell("hears", value)
        return Answer(request, value, self.clock.now_ms, self.abort)

    def _tell(self, what: str, thing: object) -> None:
        if self.clock.told is not None:
            self.clock.tell(what, in_words(thing))

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
        effect: Callable[[Any, Callable[[Any], None]], None] = getattr(self, f"_{call.name}")
        if call.name in {"place_legs", "exit_leg"}:
            effect(call.ask, slot.append)
            return slot
        latency = self.luck.between(1, self.luck.weather.latency_ms)
        if call.name == "sleep":
            effect(call.ask, slot.append)
            return slot
        if self.luck.strikes("crash"):
            self.crashes += 1
            away = self.luck.between(10, 3_000)  # lost with its worker; done again by another
            self.witness.away_ms += away
            latency += away
        self.clock.after(latency, lambda: effect(call.ask, self._tardy(slot)))
        return slot

    def _tardy(self, slot: list[Any]) -> Callable[[Any], None]:
        """How an answer comes: at once, or late, when it may be true no more."""
        if not self.luck.strikes("tardy"):
            return slot.append
        late = self.luck.between(1, 3_000)
        return lambda value: self.clock.after(late, lambda: slot.append(value))

    def _validate_depth(self, ask: ValidateDepth, answer: Callable[[Any], None]) -> None:
        """An order is sent on this: a plan that was entered before is entered again, to learn its orders' fate."""
        refusal = "only 3 shares at the limit" if self.luck.strikes("no_depth") else ""
        if self.clock.now_ms >= ask.plan.decided_ms + ask.plan.patience.send_by:
            refusal = "too late"
        entered = bool(refusal) and self.hands.entered()
        answer((DepthReport(ask.plan.trade_id, "" if entered else refusal, self.clock.now_ms), entered))

    def _place_legs(self, ask: PlaceLegs, answer: Callable[[Any], None]) -> None:
        self.hands.place(ask, answer, entry=True)

    def _exit_leg(self, ask: PlaceLegs, answer: Callable[[Any], None]) -> None:
        self.hands.place(ask, answer, entry=False)

    def _poll_fills(self, ask: PollFills, answer: Callable[[Any], None], pause: int = POLL_MS) -> None:
        seen = tuple(self.hands.look(view) for view in ask.known)
        over = self.clock.now_ms >= ask.until_ms
        if over or decided(zip(ask.known, seen, strict=True), settled=ask.settled):
            answer(Seen(ask.trade_id, seen, self.clock.now_ms))
            return
        woken: list[bool] = []

        def again() -> None:
            if not woken:
                woken.append(True)
                self._poll_fills(ask, answer, min(2 * pause, POLL_MOST_MS))

        self.exchange.waiting.append(again)
        self.clock.after(max(1, min(pause, ask.until_ms - self.clock.now_ms)), again)

    def _cancel_leg(self, ask: CancelLeg, answer: Callable[[Any], None]) -> None:
        answer(self.hands.cancel(ask))

    def _read_books(self, ask: ReadBooks, answer: Callable[[Any], None]) -> None:
        answer(self.hands.read_books(ask))

    def _record(self, record: TradeRecord, answer: Callable[[Any], None]) -> None:
        left_out = self.hands.left_out(record)
        if not left_out.orders:
            self.witness.records(record)
        answer(left_out)

    def _page(self, page: Page, answer: Callable[[Any], None]) -> None:
        self.witness.pages_one(page)
        answer(None)

    def _sleep(self, ms: int, answer: Callable[[Any], None]) -> None:
        self.clock.after(ms, lambda: answer(None))


def _views(value: object) -> Iterable[OrderView]:
    """Every order in an answer of any effect."""
    match value:
        case Seen() | Market():
            return value.orders
        case First():
            return _views(value.answer)
        case list():
            return [view for seen in value for view in _views(seen)]
    return ()
