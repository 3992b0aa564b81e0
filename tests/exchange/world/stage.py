"""A real engine on a clock that the test moves, and an account that trades on it."""

import random
from itertools import count
from pathlib import Path

from arbsaga.exchange.engine import Engine, EngineSettings
from arbsaga.exchange.model import Ack, Happening, Market, NewOrder, OrderType, Side
from arbsaga.exchange.units import ONE, collateral
from arbsaga.exchange.world import World, WorldSettings

TRADER = f"0x{7:040d}"
START_MS = 1_790_000_000_000


class Stage:
    """An engine, everything it told, and orders of one account with plenty of money."""

    def __init__(self, path: Path, start_ms: int = START_MS, seed: int = 1) -> None:
        self.now_ms = start_ms
        settings = EngineSettings(seed=seed, mined_ms=(10, 10), confirmed_ms=(10, 10))
        self.engine = Engine.recover(path, self.clock, settings, random.Random(seed))
        self.told: list[Happening] = []
        self.engine.listen(self.told.append)
        self._numbers = count(start_ms)
        self.engine.deposit(TRADER, 100_000 * ONE)

    def clock(self) -> int:
        return self.now_ms

    def order(self, token: str, side: Side, shares: int, price: int, kind: OrderType = "GTC") -> Ack:
        """An order of the account: `shares` and `price` in base units."""
        usd = collateral(shares, price)
        given, wanted = (usd, shares) if side == "BUY" else (shares, usd)
        return self.engine.submit(
            NewOrder(f"0x{next(self._numbers):064x}", TRADER, TRADER, token, side, given, wanted, kind)
        )

    def live(self, world: World, ms: int, step_ms: int = 100) -> None:
        """Let time pass, as the server does."""
        until = self.now_ms + ms
        while self.now_ms < until:
            self.now_ms += step_ms
            self.engine.advance()
            world.step()

    def best(self, market: Market) -> tuple[int, int]:
        """Best bid and ask of YES, 0 and ONE where there is none."""
        view = self.engine.book(market.token_ids[0])
        return (view.bids[-1][0] if view.bids else 0), (view.asks[-1][0] if view.asks else ONE)

    def open_events(self) -> list[list[Market]]:
        """The open markets of each event, neg-risk events first."""
        events = [[self.engine.markets[at] for at in event.market_ids] for event in self.engine.events.values()]
        return sorted(
            (markets for markets in events if not markets[0].closed), key=lambda markets: -markets[0].neg_risk
        )


def settings_without_mistakes(seed: int = 1, **changes: object) -> WorldSettings:
    """A world that is never mispriced by itself."""
    return WorldSettings(seed=seed, mispricing=None, **changes)
