"""One order book per market, held in YES terms: a BUY of NO at p is an offer of YES at 1 - p.

That is why the two tokens' books mirror each other, and why YES ask + NO ask < 1 cannot rest in one market.
"""

import hashlib
from bisect import bisect_left, insort
from collections.abc import Iterator

from arbsaga.exchange.model import YES, BookView, LevelChange, Market, Order, Side
from arbsaga.exchange.units import ONE


class Level:
    """The orders of one price in the order they came, and the shares they still offer."""

    __slots__ = ("orders", "shares")

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.shares = 0


class Half:
    """One side of a book. `ranks` ascend with the best last: the price of a bid, minus the price of an ask."""

    __slots__ = ("levels", "ranks", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.levels: dict[int, Level] = {}
        self.ranks: list[int] = []

    def level(self, price: int) -> Level:
        """The level of a price, made if new."""
        level = self.levels.get(price)
        if level is None:
            level = self.levels[price] = Level()
            insort(self.ranks, self.sign * price)
        return level

    def drop(self, price: int) -> None:
        """Remove an empty level."""
        del self.levels[price]
        del self.ranks[bisect_left(self.ranks, self.sign * price)]

    def prices(self) -> Iterator[int]:
        """Prices with orders, worst first."""
        return (self.sign * rank for rank in self.ranks)


class Book:
    """The resting orders of a market by price, then time."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.bids, self.asks = Half(1), Half(-1)
        self.last_price: int | None = None
        """Price of the last trade, in YES terms."""
        self._touched: set[tuple[Side, int]] = set()
        self._views: dict[str, BookView] = {}

    def add(self, order: Order) -> None:
        """Let an order rest behind those of its price."""
        side, price = self.yes_terms(order.token_id, order.side, order.price)
        level = self._half(side).level(price)
        level.orders[order.order_id] = order
        level.shares += order.remaining
        order.resting = True
        self._touch(side, price)

    def remove(self, order: Order) -> None:
        """Take a resting order out, with whatever remains of it."""
        side, price = self.yes_terms(order.token_id, order.side, order.price)
        half = self._half(side)
        level = half.levels[price]
        del level.orders[order.order_id]
        level.shares -= order.remaining
        order.resting = False
        if not level.orders:
            half.drop(price)
        self._touch(side, price)

    def shrink(self, order: Order, shares: int) -> None:
        """Note that a resting order is about to offer this many shares less."""
        side, price = self.yes_terms(order.token_id, order.side, order.price)
        self._half(side).levels[price].shares -= shares
        self._touch(side, price)

    def crossing(self, token_id: str, side: Side, limit: int) -> Iterator[Order]:
        """Resting orders that an order at this limit would hit: best price first, then oldest first."""
        side, limit = self.yes_terms(token_id, side, limit)
        half = self.asks if side == "BUY" else self.bids
        for rank in reversed(half.ranks):
            if (half.sign * rank > limit) if side == "BUY" else (half.sign * rank < limit):
                return
            yield from half.levels[half.sign * rank].orders.values()

    def orders(self) -> list[Order]:
        """Every resting order."""
        halves = (self.bids, self.asks)
        return [order for half in halves for level in half.levels.values() for order in level.orders.values()]

    def best(self, side: Side) -> int | None:
        """Best bid ("BUY") or ask ("SELL") in YES terms, None where nothing rests."""
        half = self._half(side)
        return half.sign * half.ranks[-1] if half.ranks else None

    def view(self, token_id: str, now_ms: int) -> BookView:
        """The book as one token sees it. The same object until something changes."""
        view = self._views.get(token_id)
        if view is None:
            view = self._views[token_id] = self._look(token_id, now_ms)
        return view

    def printed(self, token_id: str, price: int) -> None:
        """Note the price of a trade in this token."""
        self.last_price = price if token_id == self.market.token_ids[YES] else ONE - price
        self._views.clear()

    def take_changes(self) -> tuple[LevelChange, ...]:
        """Levels touched since the last call, for both tokens, with their sizes now."""
        yes, no = self.market.token_ids
        changes: list[LevelChange] = []
        for side, price in sorted(self._touched):
            level = self._half(side).levels.get(price)
            size = level.shares if level else 0
            changes.append(LevelChange(yes, side, price, size))
            changes.append(LevelChange(no, "SELL" if side == "BUY" else "BUY", ONE - price, size))
        self._touched.clear()
        return tuple(changes)

    def yes_terms(self, token_id: str, side: Side, price: int) -> tuple[Side, int]:
        """An order of either token as an order of YES."""
        if token_id == self.market.token_ids[YES]:
            return side, price
        return ("SELL" if side == "BUY" else "BUY"), ONE - price

    def _half(self, side: Side) -> Half:
        return self.bids if side == "BUY" else self.asks

    def _touch(self, side: Side, price: int) -> None:
        self._touched.add((side, price))
        self._views.clear()

    def _look(self, token_id: str, now_ms: int) -> BookView:
        bids = tuple((price, self.bids.levels[price].shares) for price in self.bids.prices())
        asks = tuple((price, self.asks.levels[price].shares) for price in self.asks.prices())
        last = self.last_price
        if token_id != self.market.token_ids[YES]:
            bids, asks = _mirror(asks), _mirror(bids)
            last = None if last is None else ONE - last
        state = f"{token_id} {now_ms} {bids} {asks} {last}"
        digest = hashlib.sha1(state.encode(), usedforsecurity=False).hexdigest()
        return BookView(self.market.condition_id, token_id, bids, asks, digest, now_ms, last)


def _mirror(levels: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    return tuple((ONE - price, size) for price, size in levels)
