"""What GET answers about a member: the state of a moment ago, since the venue's reads lag its writes.

Seen on the venue's demo: 360 ms after an acknowledged cancel the order still was `resting`. How far behind reads are
is told by GET /exchange/user_data_timestamp. Fills and settlements carry their time; the rest is remembered here.
"""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import replace
from typing import Final, Generic, TypeVar

from arbsaga.exchange.kalshi.engine import Engine
from arbsaga.exchange.kalshi.model import (
    Account,
    BalanceChanged,
    Happening,
    Order,
    OrderUpdated,
    Position,
    PositionChanged,
)

KEPT_MS: Final = 60_000
"""How far back versions go: the longest lag that can be asked for."""

T = TypeVar("T")


class Versions(Generic[T]):
    """A value and what it was before, by time in ms."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._values: list[T] = []

    def note(self, ms: int, value: T) -> None:
        """The value from this moment on."""
        self._times.append(max(ms, self._times[-1]) if self._times else ms)
        self._values.append(value)
        old = bisect_right(self._times, ms - KEPT_MS) - 1
        if old > 0:
            del self._times[:old], self._values[:old]

    def at(self, ms: int) -> T | None:
        """The value of a moment, None where there was none yet."""
        found = bisect_right(self._times, ms) - 1
        return self._values[found] if found >= 0 else None


class _Past:
    """What is remembered of one account."""

    def __init__(self) -> None:
        self.orders: dict[str, Versions[Order]] = defaultdict(Versions)
        self.positions: dict[str, Versions[Position]] = defaultdict(Versions)
        self.available: dict[int, Versions[int]] = defaultdict(Versions)


class Reads:
    """The recent past of every account that is not the house's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._past: dict[str, _Past] = defaultdict(_Past)
        self._moved: set[str] = set()
        engine.listen(self._on_happening)

    def remember(self, account: Account) -> None:
        """Begin with an account as it is: one that a restart brought back."""
        past = self._past[account.account_id]
        for order in self._engine.orders(account.account_id):
            past.orders[order.order_id].note(0, order.copy())
        for ticker, position in account.positions.items():
            past.positions[ticker].note(0, replace(position))
        for exchange_index in account.cash:
            past.available[exchange_index].note(0, self._engine.available(account.account_id, exchange_index))

    def catch_up(self, now_ms: int) -> None:
        """Notes the free cash of accounts on which something moved. Called once the engine has done what it does."""
        moved, self._moved = self._moved, set()
        for account_id in moved:
            account = self._engine.account(account_id)
            for exchange_index in account.cash if account is not None else ():
                available = self._engine.available(account_id, exchange_index)
                self._past[account_id].available[exchange_index].note(now_ms, available)

    def orders(self, account_id: str, as_of: int) -> list[Order]:
        """Orders as they were, oldest first."""
        return _known(self._past[account_id].orders, as_of)

    def positions(self, account_id: str, as_of: int) -> dict[str, Position]:
        """Positions as they were, by market."""
        past = self._past[account_id].positions
        return {ticker: found for ticker, kept in past.items() if (found := kept.at(as_of)) is not None}

    def available(self, account_id: str, as_of: int) -> dict[int, int]:
        """Free USD as it was, by shard."""
        past = self._past[account_id].available
        return {shard: found for shard, kept in past.items() if (found := kept.at(as_of)) is not None}

    def _on_happening(self, happening: Happening) -> None:
        match happening:
            case OrderUpdated(order=order, ms=ms):
                self._past[order.account_id].orders[order.order_id].note(ms, order)
                self._moved.add(order.account_id)
            case PositionChanged(account_id=account_id, ticker=ticker, position=position):
                self._past[account_id].positions[ticker].note(position.updated_ms, position)
                self._moved.add(account_id)
            case BalanceChanged(account_id=account_id):
                self._moved.add(account_id)


def _known(past: dict[str, Versions[Order]], as_of: int) -> list[Order]:
    return [found for kept in past.values() if (found := kept.at(as_of)) is not None]
