"""What the house quotes in one market: a few levels of bids and asks around a fair price, put up by ordinary orders.

Against a member's resting order a new quote trades, as anybody's would. Among themselves the house's orders never
cross: the old ones are taken back before new ones come.
"""

import random
from typing import Final

from arbsaga.errors import Rejected
from arbsaga.exchange.kalshi.engine import Engine
from arbsaga.exchange.kalshi.model import BookSide, Market, NewOrder
from arbsaga.exchange.units import ONE

MAKER: Final = "house-maker"
STEP: Final = 10_000
"""How far the levels are from the fair price, and from each other: one cent."""
DEPTH: Final = 3

Level = tuple[BookSide, int]


def tick_at(market: Market, price: int) -> int:
    """The step of the market's grid at a price."""
    for _, end, step in market.price_ranges:
        if price < end:
            return step
    return market.price_ranges[-1][2]


def levels(market: Market, fair: int) -> list[Level]:
    """Where the house quotes around a fair price: a cent away, two, three; outwards to the next tick; best first."""
    wanted: list[Level] = []
    for number in range(1, DEPTH + 1):
        low, high = fair - number * STEP, fair + number * STEP
        wanted.append(("bid", low // tick_at(market, low) * tick_at(market, low)))
        wanted.append(("ask", -(-high // tick_at(market, high)) * tick_at(market, high)))
    return [(side, price) for side, price in wanted if 0 < price < ONE]


class HouseBook:
    """The house's resting orders in one market."""

    def __init__(self, engine: Engine, market: Market, seed: str) -> None:
        self._engine, self._market = engine, market
        self._rng = random.Random(f"kalshi house {seed} {market.ticker}")
        self._orders: dict[Level, str] = {}

    @property
    def is_open(self) -> bool:
        """Whether the market takes orders."""
        halts = self._engine.halts(self._engine.events[self._market.event_ticker].exchange_index)
        return self._market.status == "active" and not (self._market.paused or halts.trading or halts.exchange)

    def quote(self, fair: int) -> None:
        """Show the levels around this fair price; what was taken of them is put up anew."""
        if not self.is_open:
            return
        wanted = levels(self._market, fair)
        for level, order_id in list(self._orders.items()):
            if self._engine.order(order_id) is None:
                del self._orders[level]
            elif level not in wanted:
                del self._orders[level]
                self._take_back(order_id)
        for level in wanted:
            if level not in self._orders:
                self._submit(level)

    def _take_back(self, order_id: str) -> None:
        """Cancel it. A market that closes with this very call has ended it already."""
        try:
            self._engine.cancel(MAKER, order_id)
        except Rejected:
            if self.is_open:
                raise

    def _submit(self, level: Level) -> None:
        side, price = level
        count = self._rng.randrange(20, 200) * ONE
        try:
            placed = self._engine.submit(NewOrder(MAKER, self._market.ticker, side, price, count))
        except Rejected:
            if self.is_open:
                raise
            return  # the market closed, or trading was halted, with this very order
        if placed.remaining_count:
            self._orders[level] = placed.order_id
