"""What a trade on the real server needs: plans, a venue in memory, a real ledger, workers that can be dropped."""

import asyncio
import copy
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from memory_venue import MemoryVenue, now_ms
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.desk import DeskActivities
from activities.trading import TradingActivities
from arbsaga.domain.baskets import yes_of_all
from arbsaga.domain.books import BookRef
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.saga.messages import Patience, PlannedLeg, TradePlan, UndoLimits
from workers.connect import TemporalSettings, connect
from workers.start import start_trade, tell_desk
from workers.worker import build_worker

FAST = Patience(entry=2_700, undo=500, send_by=2_500, http=400, prove=300, settle=20_000, one_sided=300)
"""Patience for tests: the same story, in less time."""
ROOMY = Patience(entry=3_000, undo=1_000, send_by=3_000, http=1_000, prove=500, settle=30_000, one_sided=500)
"""Where a worker is replaced in the middle, two seconds pass before its trades move on."""
_numbers = itertools.count(1)


def D(text: str | int) -> Decimal:
    return Decimal(text)


def instrument(name: str, event: str) -> Instrument:
    return Instrument(
        "memory",
        f"m-{event}-{name}",
        f"y-{event}-{name}",
        f"n-{event}-{name}",
        Outcome.YES,
        name,
        MarketRules(D("0.01")),
    )


def make_plan(
    names: tuple[str, ...] = ("Lakers", "Celtics"), *, patience: Patience = FAST, size: str = "12"
) -> TradePlan:
    """A basket of YES legs at 0.41 and less, decided now, on a lease that outlives it."""
    event = f"e{next(_numbers)}-{secrets.token_hex(4)}"
    basket = yes_of_all(event, f"{names[0]} or not", [instrument(name, event) for name in names])
    at = now_ms()
    legs = tuple(PlannedLeg(Size(D(size)), Price(D("0.41"))) for _ in names)
    cost = Usd(D(size) * D("0.41") * len(names))
    return TradePlan(
        trade_id=f"t-{event}",
        account=f"a-{event}",
        basket=basket,
        units=Size(D(size)),
        legs=legs,
        cost=cost,
        fees=Usd(D(0)),
        edge=Usd(D(size) - cost),
        reserved=cost,
        lease_id=f"lease-{event}",
        lease_expires_ms=at + 60_000,
        decided_ms=at,
        decided_ns=time.monotonic_ns(),
        books=tuple(BookRef(leg.instrument.token, 0, at) for leg in basket.legs),
        patience=patience,
        undo=UndoLimits(rounds=3),
    )


@dataclass
class Rig:
    """One account's world. Two workers on it are two processes as far as Temporal can tell."""

    client: Client
    address: str
    folder: Path
    venue: MemoryVenue
    task_queue: str = field(default_factory=lambda: f"q-{secrets.token_hex(4)}")
    paged: list[str] = field(default_factory=list)
    ledger: Ledger = field(init=False)
    pager: Pager = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger.open(f"sqlite:///{self.folder}/ledger.sqlite", alert_log=self.folder / "alerts.jsonl")
        self.pager = Pager([], self.folder / "alerts.jsonl", self.paged.append)

    def quote(self, plan: TradePlan) -> None:
        """Books on which the plan is sound."""
        for leg in plan.basket.legs:
            self.venue.quote(leg.instrument, "0.41", "0.39")
            self.venue.quote(leg.instrument.other(), "0.61", "0.59")

    def activities(self, venue: MemoryVenue | None = None, **parts: object) -> list[Callable]:
        trading = TradingActivities(venue or self.venue, self.ledger, self.pager, **parts)
        desk = DeskActivities(self.client, self.ledger, partial(tell_desk, self.client, self.task_queue))
        return [*trading.all(), *desk.all()]

    def worker(self, activities: list[Callable] | None = None, **options: object) -> Worker:
        return build_worker(self.client, activities or self.activities(), self.task_queue, **options)

    async def another(self) -> "Rig":
        """The same world through another connection: a second worker, as another process would have it."""
        client = await connect(TemporalSettings(self.address))
        other = copy.copy(self)
        other.client = client
        return other

    async def start(self, plan: TradePlan) -> WorkflowHandle:
        handle = await start_trade(self.client, plan, self.task_queue)
        assert handle is not None
        return handle

    async def trade(self, plan: TradePlan):
        """The plan's record, from start to end."""
        self.quote(plan)
        handle = await self.start(plan)
        return await asyncio.wait_for(handle.result(), 30)


async def until(condition: Callable[[], object | Awaitable[object]], limit_s: float = 20) -> Any:
    """What the condition gives once it holds. Polls with a deadline."""
    end = time.monotonic() + limit_s
    while True:
        met = condition()
        if asyncio.iscoroutine(met):
            met = await met
        if met:
            return met
        assert time.monotonic() < end, "it did not come about in time"
        await asyncio.sleep(0.02)
