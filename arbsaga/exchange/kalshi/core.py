"""What the Kalshi engine's parts share: state, journal, clock, faults, the agenda, and whom to tell."""

import hashlib
import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal
from uuid import UUID

from arbsaga.errors import Rejected
from arbsaga.exchange.core import Clock
from arbsaga.exchange.faults import Fault, FaultPlan
from arbsaga.exchange.journal import FORMAT, Journal, Record
from arbsaga.exchange.kalshi.fees import Schedule, schedule
from arbsaga.exchange.kalshi.members import reserved
from arbsaga.exchange.kalshi.model import Account, Happening, Market, NewOrder, Order
from arbsaga.exchange.kalshi.settings import EngineSettings
from arbsaga.exchange.kalshi.state import State

Due = Literal["close", "expire", "settle", "thursday"]

_OF_THE_HOUSE = frozenset({"order", "rests", "reduced", "amended", "ended"})
"""Records that are not journaled when they concern a house order: its traders put it up anew."""


class Core:
    """Shared by the engine's parts; no rules of trading."""

    def __init__(self, journal: Journal, clock: Clock, settings: EngineSettings, faults: FaultPlan) -> None:
        self.journal, self.clock, self.settings, self.faults = journal, clock, settings, faults
        self.state = State()
        self.listeners: list[Callable[[Happening], None]] = []
        self._agenda: list[tuple[int, int, Due, str]] = []
        self._planned = self._minted = 0
        shown = {name: str(getattr(settings, name)) for name in EngineSettings.__slots__}
        journal.write([("opened", {"format": FORMAT, "venue": "kalshi", "seed": settings.seed, "settings": shown})])
        self._run = journal.last
        faults.on_strike = self._struck

    def replay(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Change an empty state as a journal tells; nobody is told."""
        for line in lines:
            self.state.apply(line["kind"], line, line["ms"])
        self.state.take(self.state.markets, "", 0)

    def commit(self, batch: list[Record], tickers: Iterable[str] = (), cause: str = "") -> None:
        """Journal a batch, change by it, and tell; `tickers` are the markets whose books it touches."""
        written = [record for record in batch if not (record[0] in _OF_THE_HOUSE and record[1]["house"])]
        now = self.journal.write(written) if written else self.clock()
        for kind, fields in batch:
            self.state.apply(kind, fields, now)
        for happening in self.state.take(tickers, cause, now):
            for listener in self.listeners:
                listener(happening)

    def plan(self, at_ms: int, due: Due, key: str) -> None:
        """Put something on the agenda."""
        self._planned += 1
        heapq.heappush(self._agenda, (at_ms, self._planned, due, key))

    def run_due(self, do: Mapping[Due, Callable[[str], None]]) -> bool:
        """Do the earliest entry that is due by now. False where there is none; one that fails stays due."""
        if not self._agenda or self._agenda[0][0] > self.clock():
            return False
        entry = heapq.heappop(self._agenda)
        try:
            do[entry[2]](entry[3])
        except BaseException:
            heapq.heappush(self._agenda, entry)
            raise
        return True

    def mint(self, what: str) -> str:
        """A UUID that is never given again, also not after a restart with the same seed."""
        self._minted += 1
        text = f"kalshi {self.settings.seed} {self._run} {self._minted} {what}"
        return str(UUID(bytes=hashlib.blake2b(text.encode(), digest_size=16).digest(), version=4))

    def open_account(self, account_id: str, *, house: bool) -> Account:
        """The account of this id, opened if new."""
        if account_id not in self.state.accounts:
            self.commit([("account", {"account_id": account_id, "house": house})])
        return self.state.accounts[account_id]

    def market(self, ticker: str) -> Market:
        """A market. Raises Rejected (404)."""
        market = self.state.markets.get(ticker)
        if market is None:
            raise Rejected(404, f"no market {ticker}", "market_not_found")
        return market

    def own_order(self, account_id: str, order_id: str) -> Order:
        """A resting order of this account. Raises Rejected (404), also for one that is over."""
        order = self.state.orders.get(order_id)
        if order is None or order.account_id != account_id or not order.slip.resting:
            raise Rejected(404, f"order {order_id} does not rest", "not_found")
        return order

    def schedule(self, ticker: str) -> Schedule:
        """The fees of a market now."""
        market, event = self.state.markets[ticker], self.state.event_of(ticker)
        series = self.state.series[event.series_ticker]
        return schedule(series, event, market, self.settings, self.clock())

    def reserved(self, account: Account, ticker: str, orders: list[Order], net: int) -> int:
        """USD that these orders of one market keep aside, at this net position."""
        event = self.state.event_of(ticker)
        returned = bool(account.advanced.get(event.event_ticker))
        return reserved(orders, net, self.schedule(ticker), self.settings.precision, returned=returned)

    def kept_aside(self, account: Account, exchange_index: int, *, but: str = "") -> int:
        """USD that resting orders of a shard keep aside, those of the market `but` not counted."""
        by_ticker: dict[str, list[Order]] = {}
        for order in self.state.resting[account.account_id].values():
            if order.ticker != but and self.state.shard(order.ticker) == exchange_index:
                by_ticker.setdefault(order.ticker, []).append(order)
        return sum(
            self.reserved(account, ticker, orders, net_of(account, ticker)) for ticker, orders in by_ticker.items()
        )

    def available(self, account: Account, exchange_index: int) -> int:
        """USD of a shard that resting orders do not keep aside."""
        return account.cash.get(exchange_index, 0) - self.kept_aside(account, exchange_index)

    def about(self, account: Account, new: NewOrder) -> dict[str, str]:
        """The context of a fault that concerns one order: its phase is "exit" where it closes what is held."""
        net = net_of(account, new.ticker)
        phase = "exit" if (net < 0 if new.side == "bid" else net > 0) else "entry"
        side = "BUY" if new.side == "bid" else "SELL"
        return {"side": side, "phase": phase, "token": new.ticker, "address": account.account_id}

    def _struck(self, fault: Fault, context: Mapping[str, str]) -> None:
        self.journal.write([("fault", {"name": fault.name, "spec": str(fault), "context": dict(context)})])


def net_of(account: Account, ticker: str) -> int:
    """The net position: + YES, - NO."""
    position = account.positions.get(ticker)
    return position.net if position else 0
