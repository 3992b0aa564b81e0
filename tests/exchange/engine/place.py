"""A small exchange for tests: one clock that tests move, two markets, and short ways to order."""

import json
import random
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from arbsaga.exchange.engine import Engine, EngineSettings
from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.ids import v1_ids, v2_ids
from arbsaga.exchange.journal import Journal
from arbsaga.exchange.model import Ack, Event, Happening, Market, NewOrder, OrderType, Side
from arbsaga.exchange.units import ONE, parse
from proof.matching.scene import conservation

START = 1_790_000_000_000
HOUSE, ANN, BOB = "0xHouse", "0xAnn", "0xBob"


@dataclass
class Clock:
    """Wall clock in ms that only tests move."""

    ms: int = START

    def __call__(self) -> int:
        return self.ms


@dataclass
class Place:
    """An engine with what tests need around it."""

    engine: Engine
    clock: Clock
    faults: FaultPlan
    path: Path
    markets: list[Market]
    told: list[Happening] = field(default_factory=list)
    sent: int = 0

    def new(
        self,
        maker: str,
        side: Side,
        price: str,
        size: str,
        kind: OrderType = "GTC",
        *,
        token: int = 0,
        market: int = 0,
        usd: str | None = None,
        order_id: str | None = None,
        **more: Any,
    ) -> NewOrder:
        """An order of `size` shares at `price`; its USD is their product unless given. token 0 = YES."""
        self.sent += 1
        shares, dollars = parse(size), parse(size) * parse(price) // ONE if usd is None else parse(usd)
        given, taken = (dollars, shares) if side == "BUY" else (shares, dollars)
        token_id = self.markets[market].token_ids[token]
        return NewOrder(
            order_id or f"0x{self.sent:064x}", maker, f"key {maker}", token_id, side, given, taken, kind, **more
        )

    def submit(self, maker: str, side: Side, price: str, size: str, kind: OrderType = "GTC", **more: Any) -> Ack:
        """Send an order made as by `new`."""
        return self.engine.submit(self.new(maker, side, price, size, kind, **more))

    def wait(self, ms: int) -> None:
        """Let time pass, in steps as the server's loop does."""
        end = self.clock.ms + ms
        while self.clock.ms < end:
            self.clock.ms = min(self.clock.ms + 50, end)
            self.engine.advance()

    def settled(self) -> None:
        """Let every trade settle."""
        self.wait(20_000)

    def buy_shares(self, address: str, size: str, *, token: int = 0, market: int = 0) -> None:
        """Give a wallet settled shares, bought from the house at 0.50."""
        self.submit(HOUSE, "SELL", "0.5", size, token=token, market=market)
        self.submit(address, "BUY", "0.5", size, token=token, market=market)
        self.settled()

    def happened(self, kind: type) -> list[Any]:
        """What was told of one kind."""
        return [happening for happening in self.told if isinstance(happening, kind)]

    def journal(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The lines of the truth journal, of one kind where given."""
        lines = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [line for line in lines if kind in (None, line["kind"])]

    def levels(self, token: int = 0, market: int = 0) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """(bids, asks) of a token, best last."""
        view = self.engine.book(self.markets[market].token_ids[token])
        return list(view.bids), list(view.asks)

    def recovered(self, path: Path) -> Engine:
        """Another exchange, from a copy of the journal."""
        return Engine.recover(path, self.clock, self.engine.settings, random.Random(7))


def open_place(
    path: Path, *, faults: tuple[str, ...] = (), settings: EngineSettings | None = None, **more: Any
) -> Place:
    """Two v1 markets of one plain event each, 1000 USD each for Ann and Bob, and the house."""
    clock, plan = Clock(), FaultPlan(3, faults)
    engine = Engine(Journal(path, clock), clock, settings or EngineSettings(), random.Random(5), plan)
    markets = [plain_market(f"m{number}", **more) for number in (1, 2)]
    for market in markets:
        engine.open_event(Event(market.event_id, "Title", "slug", False, False, "v1", (market.condition_id,)), [market])
    engine.create_account(HOUSE, house=True)
    for address in (ANN, BOB):
        engine.deposit(address, 1_000 * ONE)
    place = Place(engine, clock, plan, path, markets)
    engine.listen(place.told.append)
    return place


def plain_market(name: str, **more: Any) -> Market:
    """A v1 market with a fee of 4 %."""
    condition_id, token_ids = v1_ids(name)
    more.setdefault("fee_rate", Decimal("0.04"))
    return Market(condition_id, f"event {name}", "Question?", name, "v1", token_ids, **more)


def neg_risk_event(place: Place, count: int, *, augmented: bool = False, version: str = "v1", **more: Any) -> Event:
    """Open a neg-risk event; its markets follow those of the place."""
    ids = [
        v1_ids(f"nr {at}") if version == "v1" else v2_ids("nr", index=at, arity=count, neg_risk=True)
        for at in range(count)
    ]
    markets = [
        Market(condition_id, "nr", "Question?", f"nr-{at}", version, tokens, neg_risk=True, **more)
        for at, (condition_id, tokens) in enumerate(ids)
    ]
    conditions = tuple(market.condition_id for market in markets)
    event = Event("nr", "Title", "nr", True, augmented, version, conditions)
    place.engine.open_event(event, markets)
    place.markets += markets
    return event


def money(engine: Engine) -> int:
    """All USD of the exchange: wallets, pools, fees."""
    return sum(account.cash for account in engine.accounts()) + sum(engine.pools().values())


def check_conservation(engine: Engine, deposited: int) -> None:
    """USD = deposits; shares of both tokens = the money behind them; reserves = what open orders and trades give."""
    assert conservation(engine, deposited) == ""
