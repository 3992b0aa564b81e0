"""The trader starts a trade where it may, gives capital back only where nothing was started, and follows every end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from cli_make import NOW, instrument, plan, record
from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from arbsaga.config import load
from arbsaga.detect import Opportunity
from arbsaga.domain.baskets import yes_of_all
from arbsaga.domain.books import Book, Level
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.pricing import Gates, Quote, price_basket
from arbsaga.saga.messages import Phase, TradePlan, TradeRecord
from workers import trader as trading
from workers.desk_client import Taken
from workers.trader import Budget, Trader

BASKET = yes_of_all("race", "Who wins?", [instrument("0"), instrument("1")])
LEVELS = (Level(Price(Decimal("0.40")), Size(Decimal(15))),)
BOOKS = {f"yes{at}": Book(f"yes{at}", (), LEVELS, 1, NOW, NOW) for at in range(2)}
LOST = RPCError("gone", RPCStatusCode.UNAVAILABLE, b"")
UNKNOWN = RPCError("no such workflow", RPCStatusCode.NOT_FOUND, b"")


@dataclass
class Desk:
    """The lease, as the trader sees it."""

    amount: Decimal | None = Decimal(100)
    blocks: set[str] = field(default_factory=set)
    said: list[str] = field(default_factory=list)

    def blocked(self, key: str) -> bool:
        return key in self.blocks

    def take(self, amount: Usd, now_ms: int, *, live_ms: int) -> Taken | None:
        if self.amount is None or amount > self.amount:
            return None
        return Taken("lease", now_ms + 9_000, amount)

    def give_back(self, taken: Taken) -> None:
        self.said.append("given back")

    def lost(self) -> None:
        self.said.append("lost")


@dataclass
class Scanning:
    """The scanner, as the trader sees it."""

    ends: list[tuple[str, Phase]] = field(default_factory=list)

    @property
    def books(self) -> "Scanning":
        return self

    @property
    def settings(self) -> "Scanning":
        return self

    @property
    def gates(self) -> Gates:
        return Gates(budget=Usd(Decimal(15)))

    def book(self, token: str) -> Book | None:
        return BOOKS.get(token)

    def ended(self, key: str, phase: Phase) -> None:
        self.ends.append((key, phase))


@dataclass
class Knowing:
    known: list[TradePlan] = field(default_factory=list)

    def know(self, plan: TradePlan) -> None:
        self.known.append(plan)


@dataclass
class Handle:
    """A started workflow that ends as told."""

    result: Callable[[], Awaitable[TradeRecord]]
    id: str = "basket/yes:race"


@pytest.fixture
def trader(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Trader:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trading, "REPORT_EVERY_S", 0.01)
    made = Trader(load(), None, Desk(), Knowing(), Budget(None))  # type: ignore[arg-type]  # all that it asks of them
    made.scanner = Scanning()  # type: ignore[assignment]  # likewise
    return made


def opportunity() -> Opportunity:
    quote = price_basket(BASKET, BOOKS, Gates(budget=Usd(Decimal(15))))
    assert isinstance(quote, Quote)
    return Opportunity(quote, (), NOW, 0)


def starts(monkeypatch: pytest.MonkeyPatch, outcome: Handle | RPCError | None) -> list[TradePlan]:
    plans: list[TradePlan] = []

    async def start(client: object, made: TradePlan, task_queue: str) -> Handle | None:
        plans.append(made)
        if isinstance(outcome, RPCError):
            raise outcome
        return outcome

    monkeypatch.setattr(trading, "start_trade", start)
    return plans


async def until_over(trader: Trader) -> None:
    deadline = time.monotonic() + 10
    while trader.in_flight:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_an_opportunity_becomes_a_trade_that_is_followed_to_its_end(
    trader: Trader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def result() -> TradeRecord:
        return record(plan(plans[0].trade_id, basket=BASKET), Phase.COMMITTED, "20", "20")

    plans = starts(monkeypatch, Handle(result))
    assert trader.on_opportunity(opportunity())
    assert not trader.on_opportunity(opportunity()), "the basket is in flight"
    await until_over(trader)
    assert trader.scanner.ends == [("yes:race", Phase.COMMITTED)]  # type: ignore[attr-defined]
    assert [one.trade_id for one in trader.payouts.known] == [plans[0].trade_id]  # type: ignore[attr-defined]
    assert '"phase":"COMMITTED"' in capsys.readouterr().out
    assert trader.on_opportunity(opportunity()), "it may be entered again"
    await until_over(trader)


@pytest.mark.parametrize("reason", ["draining", "budget", "blocked", "no capital", "not affordable"])
def test_no_trade_is_started_where_none_may_be(trader: Trader, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    match reason:
        case "draining":
            trader.draining = True
        case "budget":
            trader.budget = Budget(0)
        case "blocked":
            trader.desk.blocks.add("yes:race")  # type: ignore[attr-defined]
        case "no capital":
            trader.desk.amount = None  # type: ignore[attr-defined]
        case _:
            monkeypatch.setattr(trading, "affordable", lambda *_: None)
    assert not trader.on_opportunity(opportunity())
    assert trader.in_flight == {}


async def test_a_basket_that_is_in_flight_elsewhere_gives_its_capital_back(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts(monkeypatch, None)
    trader.on_opportunity(opportunity())
    await until_over(trader)
    assert trader.desk.said == ["given back"]  # type: ignore[attr-defined]
    assert trader.scanner.ends == [("yes:race", Phase.REFUSED)]  # type: ignore[attr-defined]


async def test_a_start_whose_answer_was_lost_keeps_its_capital(trader: Trader, monkeypatch: pytest.MonkeyPatch) -> None:
    starts(monkeypatch, LOST)
    trader.on_opportunity(opportunity())
    await until_over(trader)
    assert trader.desk.said == ["lost"]  # type: ignore[attr-defined]


async def test_a_trade_is_followed_through_a_restart_of_temporal(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    async def result() -> TradeRecord:
        asked.append(1)
        if len(asked) < 3:
            raise LOST
        return record(plan(basket=BASKET), Phase.FLAT, "20", "0")

    starts(monkeypatch, Handle(result))
    trader.on_opportunity(opportunity())
    await until_over(trader)
    assert len(asked) == 3
    assert trader.scanner.ends == [("yes:race", Phase.FLAT)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "phase"),
    [(UNKNOWN, Phase.REFUSED), (WorkflowFailureError(cause=RuntimeError("terminated")), Phase.HELD)],
)
async def test_a_trade_that_broke_off_is_told_and_its_basket_not_entered_again(
    trader: Trader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, phase: Phase
) -> None:
    """What a terminated workflow left may be naked; a trade that the server never knew left nothing."""

    async def result() -> TradeRecord:
        raise error

    starts(monkeypatch, Handle(result))
    trader.on_opportunity(opportunity())
    await until_over(trader)
    assert trader.scanner.ends == [("yes:race", phase)]  # type: ignore[attr-defined]
    assert ("broke off" in capsys.readouterr().out) is isinstance(error, WorkflowFailureError)


async def test_a_held_basket_is_released_once_its_person_has_decided(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def result() -> TradeRecord:
        return record(plan(basket=BASKET), Phase.HELD, "20", "0")

    starts(monkeypatch, Handle(result))
    trader.on_opportunity(opportunity())
    await until_over(trader)
    trader.release(())
    assert trader.scanner.ends == [("yes:race", Phase.HELD)], "the desk has not even heard of it"  # type: ignore[attr-defined]
    trader.release(("yes:race",))
    assert trader.scanner.ends[1:] == []  # type: ignore[attr-defined]
    trader.release(())
    trader.release(())
    assert trader.scanner.ends[1:] == [("yes:race", Phase.FLAT)]  # type: ignore[attr-defined]


def test_the_same_phase_is_told_once(trader: Trader, capsys: pytest.CaptureFixture[str]) -> None:
    for phase in (Phase.PLACING, Phase.PLACING, Phase.HEDGED):
        trader.heard(record(plan(), phase))
    assert capsys.readouterr().out.count('"event":"trade"') == 2
