"""The house's resting orders in one market: one order per price level, changed in place to show a wanted book.

Levels are in YES terms: ("BUY", p) bids for YES at p, ("SELL", p) offers YES at p. Every other level is an order of
the NO token at 1 - p instead, which shows the same book, so that takers meet all kinds of match.

House orders are put into the book directly, so that a whole message of changes is one BookChanged, as on the real
feed, and so that resting house orders never trade with each other: a recorded or planted book is shown as it is.
Against a resting order of anybody else a new level trades first, by the engine's own matching.
"""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import count

from arbsaga.errors import Rejected
from arbsaga.exchange.engine import Engine
from arbsaga.exchange.model import NO, YES, Market, NewOrder, Order, OrderType, Side
from arbsaga.exchange.units import ONE, collateral

Level = tuple[Side, int]

MAKER = f"0x{1001:040d}"
"""Wallet of the resting house orders. Digits only, so it is its own checksummed form."""
TAKER = f"0x{1002:040d}"
"""Wallet of the random takers."""

_SIZE_STEP = 10_000
"""0.01 share: what the venue takes as the size of an order."""


def order_ids(salt: str) -> Iterator[str]:
    """Order ids that no other salt gives, without end."""
    for number in count():
        yield "0x" + hashlib.blake2b(f"{salt} {number}".encode(), digest_size=32).hexdigest()


class HouseBook:
    """What the house offers in one market. Sizes are base units of shares."""

    def __init__(self, engine: Engine, market: Market, ids: Iterator[str]) -> None:
        self._engine, self._market, self._ids = engine, market, ids
        self._core = engine.core
        self._book = self._core.state.books[market.condition_id]
        self._orders: dict[Level, Order] = {}

    @property
    def open(self) -> bool:
        """Whether the market takes orders."""
        return self._market.accepting_orders and not self._market.closed

    def offered(self, level: Level) -> int:
        """Shares that the house still offers at a level: less than was shown once somebody took of it."""
        order = self._orders.get(level)
        return order.remaining if order is not None and order.resting else 0

    def levels(self) -> list[Level]:
        """Where the house offers anything."""
        return [level for level in self._orders if self.offered(level)]

    def show(self, wanted: Mapping[Level, int]) -> None:
        """Offer exactly these sizes, and nothing at any other level."""
        self.change(dict.fromkeys(self._orders.keys() - wanted.keys(), 0) | dict(wanted))

    def change(self, wanted: Mapping[Level, int]) -> None:
        """Offer these sizes at these levels, 0 for nothing, as one change of the book."""
        crossing: list[Level] = []
        for level, shares in wanted.items():
            if not self.offered(level):
                self._orders.pop(level, None)
                if shares and self._meets_others(level):
                    crossing.append(level)
                elif shares:
                    self._rest(level, shares)
            elif shares != self.offered(level):
                self._resize(level, shares)
        self._core.tell_book(self._market, next(self._ids))
        for level in crossing:
            self._submit(level, wanted[level])

    def best(self, side: Side) -> int | None:
        """Best price the house offers on a side, None where nothing of it is left."""
        prices = [price for standing, price in self.levels() if standing == side]
        return (max if side == "BUY" else min)(prices, default=None)

    def take(self, side: Side, shares: int) -> None:
        """Let a small taker hit the best bid (side "BUY") or the best ask ("SELL") for `shares` at most."""
        price = self.best(side)
        if price is None:
            return
        shares = min(shares, self.offered((side, price))) // _SIZE_STEP * _SIZE_STEP
        outcome, price = (YES, price) if side == "BUY" else (NO, ONE - price)
        if shares >= self._market.min_size:
            self._send(self._new(TAKER, outcome, "SELL", price, shares, kind="FAK"))

    def _meets_others(self, level: Level) -> bool:
        side, price = level
        crossing = self._book.crossing(self._market.token_ids[YES], side, price)
        return any(not order.house for order in crossing)

    def _rest(self, level: Level, shares: int) -> None:
        outcome, side, price = self._terms(level)
        order = Order(
            order_id=next(self._ids),
            maker=MAKER,
            owner=MAKER,
            condition_id=self._market.condition_id,
            token_id=self._market.token_ids[outcome],
            side=side,
            price=price,
            size=shares,
            usd=collateral(shares, price),
            order_type="GTC",
            expiration=0,
            post_only=False,
            created_ms=self._core.clock(),
            house=True,
        )
        self._core.state.place(order)
        self._core.state.rest_or_close(order)
        self._orders[level] = order

    def _resize(self, level: Level, shares: int) -> None:
        order = self._orders[level]
        if not shares:
            del self._orders[level]
            self._core.state.close(order, "CANCELED")
            return
        less = order.remaining - shares
        self._book.shrink(order, less)
        order.size -= less

    def _submit(self, level: Level, shares: int) -> None:
        shares = shares // _SIZE_STEP * _SIZE_STEP
        if shares < self._market.min_size:
            return
        outcome, side, price = self._terms(level)
        new = self._new(MAKER, outcome, side, price, shares, kind="GTC")
        self._send(new)
        order = self._engine.order(new.order_id)
        if order is not None:
            self._orders[level] = order

    def _send(self, new: NewOrder) -> None:
        try:
            self._engine.submit(new)
        except Rejected:
            if self.open:
                raise
            # the market's time came with this very order: it is decided now, and takes no orders any more

    def _terms(self, level: Level) -> tuple[int, Side, int]:
        side, price = level
        if price // self._market.tick % 2 == YES:
            return YES, side, price
        return NO, ("SELL" if side == "BUY" else "BUY"), ONE - price

    def _new(self, maker: str, outcome: int, side: Side, price: int, shares: int, *, kind: OrderType) -> NewOrder:
        usd = collateral(shares, price)
        given, wanted = (usd, shares) if side == "BUY" else (shares, usd)
        return NewOrder(next(self._ids), maker, maker, self._market.token_ids[outcome], side, given, wanted, kind)
