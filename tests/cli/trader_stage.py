"""Stands in for what a trader talks to: desk, scanner, Temporal, a started workflow."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from cli_make import NOW, instrument
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from arbsaga.domain.baskets import yes_of_all
from arbsaga.domain.books import Book, Level
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.pricing import Gates
from arbsaga.saga.messages import Phase, TradePlan, TradeRecord
from workers.desk_client import Taken

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
    open_before: dict[str, list[str]] = field(default_factory=dict)

    def resumed(self, key: str, tokens: list[str]) -> None:
        self.open_before[key] = tokens

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


@dataclass
class Server:
    """Temporal, as the trader sees it: the newest run of the basket, and how many trades run."""

    run: "Run | None" = None
    running: int = 0

    def get_workflow_handle(self, workflow_id: str) -> "Server":
        return self

    async def describe(self) -> "Run":
        if self.run is None:
            raise UNKNOWN
        return self.run

    def get_workflow_handle_for(self, method: object, workflow_id: str, *, run_id: str) -> WorkflowHandle[Any, Any]:
        assert self.run is not None
        return Again(self.run.result)

    async def list_workflows(self, query: str) -> AsyncIterator["Run"]:
        if self.run is not None:
            yield self.run

    async def count_workflows(self, query: str) -> SimpleNamespace:
        return SimpleNamespace(count=self.running)


@dataclass
class Run:
    """A run of the basket, of whichever trade."""

    trade_id: str
    result: Callable[[], Awaitable[TradeRecord]]
    status: WorkflowExecutionStatus = WorkflowExecutionStatus.RUNNING
    run_id: str = "again"
    id: str = "basket/yes:race"

    async def memo(self) -> dict[str, str]:
        return {"trade_id": self.trade_id}


class Again(WorkflowHandle[Any, Any]):
    """The handle of a run that ends as told."""

    def __init__(self, outcome: Callable[[], Awaitable[TradeRecord]]) -> None:
        self._id, self._outcome = "basket/yes:race", outcome

    async def result(self, **_: Any) -> TradeRecord:
        return await self._outcome()

    async def query(self, *_: Any, **__: Any) -> TradeRecord:
        raise LOST
