"""A small Kalshi for tests: one clock that tests move, three markets, two members and the house."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from arbsaga.errors import Rejected
from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.journal import Journal
from arbsaga.exchange.kalshi.engine import Engine, EngineSettings
from arbsaga.exchange.kalshi.model import Event, Happening, Market, NewOrder, Placed, Series
from arbsaga.exchange.units import ONE, parse

START = 1_790_000_000_000
ANN, BOB, HOUSE = "ann", "bob", "house"
FREE = Decimal(0)


@dataclass
class Clock:
    """Wall clock in ms that only tests move."""

    ms: int = START

    def __call__(self) -> int:
        return self.ms


@dataclass
class Scene:
    """An engine with what tests need around it."""

    engine: Engine
    clock: Clock
    faults: FaultPlan
    path: Path
    told: list[Happening] = field(default_factory=list)
    deposited: int = 0

    def submit(self, who: str, side: str, price: str, count: str, kind: str = "gtc", **more: Any) -> Placed:
        """Send an order; kind is gtc, ioc or fok."""
        return self.engine.submit(order(who, side, price, count, kind, **more))

    def refusal(self, who: str, side: str, price: str, count: str, kind: str = "gtc", **more: Any) -> tuple[int, str]:
        """(status, code) with which an order is refused."""
        with pytest.raises(Rejected) as caught:
            self.submit(who, side, price, count, kind, **more)
        assert caught.value.code is not None
        return caught.value.status, caught.value.code

    def deposit(self, who: str, amount: str, shard: int = 0) -> None:
        """Add USD."""
        self.engine.deposit(who, parse(amount), shard)
        self.deposited += parse(amount)

    def wait(self, ms: int) -> None:
        """Let time pass."""
        self.clock.ms += ms
        self.engine.advance()

    def cash(self, who: str, shard: int = 0) -> Decimal:
        """USD on a shard, reserves included."""
        account = self.engine.account(who)
        assert account is not None
        return Decimal(account.cash.get(shard, 0)) / ONE

    def free(self, who: str, shard: int = 0) -> Decimal:
        """USD on a shard that is not kept aside."""
        return Decimal(self.engine.available(who, shard)) / ONE

    def net(self, who: str, ticker: str = "A") -> Decimal:
        """The net position."""
        account = self.engine.account(who)
        assert account is not None
        return Decimal(account.positions[ticker].net if ticker in account.positions else 0) / ONE

    def levels(self, ticker: str = "A") -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """(bids, asks) in USD and contracts, best last."""
        view = self.engine.book(ticker)
        return [_shown(level) for level in view.bids], [_shown(level) for level in view.asks]

    def happened(self, kind: type) -> list[Any]:
        """What was told of one kind."""
        return [one for one in self.told if isinstance(one, kind)]

    def journal(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The lines of the truth journal, of one kind where given."""
        lines = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [line for line in lines if kind in (None, line["kind"])]

    def check(self) -> None:
        """Nothing is made or lost."""
        check_conservation(self.engine, self.deposited)


def order(who: str, side: str, price: str, count: str, kind: str = "gtc", **more: Any) -> NewOrder:
    """An order of market A unless `ticker` is given."""
    kinds = {"gtc": "good_till_canceled", "ioc": "immediate_or_cancel", "fok": "fill_or_kill"}
    ticker = more.pop("ticker", "A")
    return NewOrder(who, ticker, side, parse(price), parse(count), kinds[kind], **more)


def open_scene(
    path: Path, *, faults: tuple[str, ...] = (), settings: EngineSettings | None = None, **series: Any
) -> Scene:
    """Markets A, B, C of one mutually exclusive event and S of shard 3; 1000 USD for Ann and Bob. No fees."""
    clock, plan = Clock(), FaultPlan(3, faults)
    engine = Engine(Journal(path, clock), clock, settings or EngineSettings(), plan)
    scene = Scene(engine, clock, plan, path)
    engine.open_series(Series("SER", **{"fee_multiplier": FREE, **series}))
    engine.open_event(Event("EV", "SER", mutually_exclusive=True), [Market(name, "EV") for name in "ABC"])
    engine.open_event(Event("SP", "SER", exchange_index=3), [Market("S", "SP")])
    engine.create_account(HOUSE, house=True)
    for who in (ANN, BOB):
        scene.deposit(who, "1000")
    engine.listen(scene.told.append)
    return scene


def check_conservation(engine: Engine, deposited: int) -> None:
    """USD = deposits; nets of a market are 0 in all, each contract has its dollar; book levels are their orders."""
    accounts = engine.accounts()
    pools = {ticker: engine.open_interest(ticker) for ticker in engine.markets}
    cash = sum(sum(one.cash.values()) for one in accounts)
    advanced = sum(sum(one.advanced.values()) for one in accounts)
    assert cash + sum(pools.values()) + engine.fees_collected - advanced == deposited
    for ticker, pool in pools.items():
        nets = [one.positions[ticker].net for one in accounts if ticker in one.positions]
        assert sum(nets) == 0
        assert sum(net for net in nets if net > 0) == pool
        _check_book(engine, ticker)
    for one in accounts:
        assert one.house or all(amount >= 0 for amount in one.cash.values())


def _check_book(engine: Engine, ticker: str) -> None:
    view = engine.book(ticker)
    resting = [order for one in engine.accounts() for order in engine.resting(one.account_id) if order.ticker == ticker]
    for side, levels in (("bid", view.bids), ("ask", view.asks)):
        sums: dict[int, int] = {}
        for order in resting:
            if order.side == side:
                sums[order.price] = sums.get(order.price, 0) + order.remaining_count
        assert dict(levels) == sums
    assert not (view.bids and view.asks) or view.bids[-1][0] < view.asks[-1][0]


def _shown(level: tuple[int, int]) -> tuple[str, str]:
    return f"{Decimal(level[0]) / ONE:.2f}", f"{Decimal(level[1]) / ONE:.2f}"
