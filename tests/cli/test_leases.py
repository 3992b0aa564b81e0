"""Processes that share an account do not wait for each other's leased capital for ever."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from arbsaga.domain.money import NO_USD, Usd
from arbsaga.risk.desk import Desk, LeaseAnswer, LeaseAsk, Limits
from workers import desk_client
from workers.desk_client import DeskClient, Taken


def usd(amount: int) -> Usd:
    return Usd(Decimal(amount))


@dataclass
class Server:
    """A client of Temporal on which only the desk runs, by its pure rules."""

    desk: Desk = field(default_factory=lambda: Desk(Limits(NO_USD, NO_USD)))

    def get_workflow_handle_for(self, *_: Any) -> "Server":
        return self

    async def start_workflow(self, *_: Any, **__: Any) -> None:
        return None

    async def execute_update(self, update: Any, about: Limits | LeaseAsk, **_: Any) -> Any:
        if isinstance(about, Limits):
            self.desk = Desk(about, self.desk.leases)
            return self.desk.status()
        self.desk, lease = self.desk.lease(about, now_ms())
        return LeaseAnswer(lease, self.desk.status())


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    for name, value in {"PERIOD_S": 0.05, "HURRY_S": 0.01, "SHORT_S": 0.05, "OFFER_S": (0.05, 0.2)}.items():
        monkeypatch.setattr(desk_client, name, value)
    return Server()


class Processes:
    """Desk clients of one account, closed at the end."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.all: list[DeskClient] = []

    async def start(self, want: int, limits: Limits) -> DeskClient:
        desk = DeskClient(self._server, "main", "queue", want=usd(want))  # type: ignore[arg-type]  # all it asks of it
        await desk.start(limits)
        self.all.append(desk)
        return desk


@pytest.fixture
async def processes(server: Server) -> AsyncIterator[Processes]:
    made = Processes(server)
    yield made
    for desk in made.all:
        await desk.close()


async def until_taken(desks: list[DeskClient], amount: int, limit_s: float = 10) -> Taken:
    """The first capital that one of these processes, all of them asking, gets."""
    deadline = time.monotonic() + limit_s
    while True:
        for desk in desks:
            if (taken := desk.take(usd(amount), now_ms())) is not None:
                return taken
        assert time.monotonic() < deadline, "they wait for each other"
        await asyncio.sleep(0.02)


async def test_two_that_each_hold_a_part_of_what_a_trade_costs_do_not_block_each_other(processes: Processes) -> None:
    limits = Limits(usd(20), usd(15))
    desks = [await processes.start(10, limits) for _ in range(2)]
    for desk in desks:
        desk._want = usd(20)
    assert [desk.at_hand for desk in desks] == [10, 10]
    assert (await until_taken(desks, 15)).amount == 15


async def test_a_trade_by_hand_gets_the_capital_of_a_trader_that_trades_nothing(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`arbsaga trade` waited in vain for a trader that had leased everything."""
    monkeypatch.setattr(desk_client, "IDLE_S", 0.2)
    limits = Limits(usd(15), usd(15))
    idle = await processes.start(15, limits)
    by_hand = await processes.start(15, limits)
    assert (idle.at_hand, by_hand.at_hand) == (15, 0)
    assert (await until_taken([by_hand], 15)).amount == 15


async def test_capital_that_is_let_go_comes_back_where_nobody_else_wants_it(
    processes: Processes, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_client, "IDLE_S", 0.1)
    alone = await processes.start(15, Limits(usd(20), usd(15)))
    first = next(iter(server.desk.leases))
    deadline = time.monotonic() + 10
    while server.desk.leases[first].left or alone.at_hand != 15:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert alone.take(usd(15), now_ms()) is not None
    assert server.desk.leased <= 20
