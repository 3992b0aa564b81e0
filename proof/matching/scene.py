"""One market on the real engine with a clock that only the flow moves, and what must never be lost in it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from arbsaga.exchange.engine import Engine, EngineSettings
from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.ids import v1_ids
from arbsaga.exchange.journal import Journal
from arbsaga.exchange.model import Event, Happening, Market, NewOrder, Side
from arbsaga.exchange.units import ONE, TICKS

START = 1_790_000_000_000
HOUSE = "0xHouse"
USERS = ("0xAnn", "0xBob", "0xCay")
DEPOSIT, SHARES = 400 * ONE, 300 * ONE


@dataclass
class Clock:
    """Wall clock in ms that only the flow moves."""

    ms: int = START

    def __call__(self) -> int:
        return self.ms


@dataclass
class Scene:
    """An engine with one market, three users with money and shares of both tokens, and the house."""

    engine: Engine
    clock: Clock
    market: Market
    told: list[Happening] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path, seed: int) -> "Scene":
        """Tick, fee, rounding, settlement and its faults are drawn from the seed; the truth journal is at `path`."""
        rng, clock = random.Random(f"scene {seed}"), Clock()
        settings = EngineSettings(
            settled_at=rng.choice(("MINED", "CONFIRMED")), fee_rounding=rng.choice(("up", "down", "half_even"))
        )
        faults = ("fail_settlement:0.15", "retry_settlement:0.1") if rng.random() < 0.7 else ()
        engine = Engine(Journal(path, clock), clock, settings, random.Random(seed), FaultPlan(seed, faults))
        condition_id, tokens = v1_ids(f"m{seed}")
        tick, rate = rng.choice(tuple(TICKS)), Decimal(rng.choice(("0", "0.02", "0.04")))
        exponent = rng.choice((1, 2))
        market = Market(condition_id, "e", "?", "m", "v1", tokens, tick=tick, fee_rate=rate, fee_exponent=exponent)
        engine.open_event(Event("e", "Title", "slug", False, False, "v1", (condition_id,)), [market])
        engine.create_account(HOUSE, house=True)
        scene = cls(engine, clock, engine.markets[condition_id])
        scene._endow()
        engine.listen(scene.told.append)
        return scene

    def _endow(self) -> None:
        """Settled shares of both tokens for every user, bought from the house at 0.50 each, without a trace."""
        for number, (user, token) in enumerate((user, token) for user in USERS for token in self.market.token_ids):
            while (account := self.engine.account(user)) is None or account.shares.get(token, 0) < SHARES:
                self.engine.deposit(user, 2 * SHARES)
                self._half_price(f"0xs{number}{self.clock.ms}", HOUSE, token, "SELL")
                self._half_price(f"0xb{number}{self.clock.ms}", user, token, "BUY")
                self.clock.ms += 60_000
                self.engine.advance()
        for user in USERS:
            self.engine.deposit(user, DEPOSIT)

    def _half_price(self, order_id: str, maker: str, token: str, side: Side) -> None:
        given, taken = (SHARES // 2, SHARES) if side == "BUY" else (SHARES, SHARES // 2)
        self.engine.submit(NewOrder(order_id, maker, f"key {maker}", token, side, given, taken, "GTC"))

    @property
    def money(self) -> int:
        """All USD of the exchange in base units: wallets, pools, fees."""
        return sum(account.cash for account in self.engine.accounts()) + sum(self.engine.pools().values())


def conservation(engine: Engine, deposited: int) -> str:
    """What is not conserved, or empty.

    USD = deposits; shares of both tokens = the money behind them; what is kept aside = what open orders and
    unsettled trades can take, and nobody is overdrawn.
    """
    money = sum(account.cash for account in engine.accounts()) + sum(engine.pools().values())
    if money != deposited:
        return f"{money} base units of USD where {deposited} were paid in"
    for market in engine.markets.values():
        held = [sum(account.shares.get(token, 0) for account in engine.accounts()) for token in market.token_ids]
        locked = engine.pools()[market.condition_id]
        wanted = [locked, locked] if market.winner is None else [locked]
        if (held if market.winner is None else [held[market.winner]]) != wanted:
            return f"shares {held} with {locked} base units of USD behind them"
    for account in engine.accounts():
        if any(shares <= 0 for shares in account.shares.values()):
            return f"{account.address} has shares {account.shares}"
        if not account.house and (wrong := _reserves(engine, account.address)):
            return f"{account.address}: {wrong}"
    return ""


def _reserves(engine: Engine, address: str) -> str:
    account = engine.account(address)
    assert account is not None
    held: dict[str, int] = {}
    for order in engine.open_orders(address):
        held[order.asset] = held.get(order.asset, 0) + order.held
        if order.held <= 0:
            return f"nothing is kept aside for {order.order_id}"
    matched, incoming = _unsettled(engine, address)
    kept = (account.open, account.matched, account.incoming)
    if kept != (held, matched, incoming):
        return f"kept aside {kept}, should be {(held, matched, incoming)}"
    for asset in {"", *account.shares, *held, *matched}:
        if account.balance(asset) - account.open.get(asset, 0) - account.matched.get(asset, 0) < 0:
            return f"overdrawn in {asset or 'USD'}"
    return ""


def _unsettled(engine: Engine, address: str) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """What the address gives and gets in trades that have not settled."""
    matched: dict[str, int] = {}
    incoming: dict[str, int] = {}
    for trade_id in engine.core.state.unsettled:
        trade = engine.trade(trade_id)
        assert trade is not None
        for fill in trade.fills:
            if fill.address != address:
                continue
            asset, given = ("", fill.usd + fill.fee) if fill.side == "BUY" else (fill.token_id, fill.shares)
            matched[asset] = matched.get(asset, 0) + given
            if fill.side == "BUY":
                incoming[fill.token_id] = incoming.get(fill.token_id, 0) + fill.shares
    return matched, incoming
