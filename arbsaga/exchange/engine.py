"""The exchange behind one facade: orders in, acknowledgements and happenings out.

Single-threaded and synchronous. The only I/O is the truth journal, which is written before anything changes:
a failed write leaves the exchange as it was.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from arbsaga.errors import UnknownToken
from arbsaga.exchange import recovery
from arbsaga.exchange.clearing import Clearing
from arbsaga.exchange.core import Clock, Core, Due
from arbsaga.exchange.desk import OrderDesk
from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.journal import Journal, Record
from arbsaga.exchange.model import (
    Account,
    Ack,
    BalanceChanged,
    BookView,
    Event,
    Happening,
    Market,
    MarketOpened,
    NewOrder,
    Order,
    Trade,
)
from arbsaga.exchange.records import event_fields, market_fields
from arbsaga.exchange.resolution import Resolution
from arbsaga.exchange.settings import EngineSettings
from arbsaga.exchange.units import format_units

__all__ = ["Clock", "Engine", "EngineSettings"]


class Engine:
    """The simulated exchange. Amounts are base-unit ints (units.py), addresses checksummed."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        settings: EngineSettings,
        rng: random.Random,
        faults: FaultPlan | None = None,
    ) -> None:
        self.faults = faults or FaultPlan(settings.seed)
        self.core = Core(journal, clock, settings, rng, self.faults)
        """For the exchange's own parts (the house's book); everybody else uses the methods below."""
        self._state = self.core.state
        self._clearing = Clearing(self.core)
        self._desk = OrderDesk(self.core, self._clearing)
        self._resolution = Resolution(self.core, self._desk)
        self.events, self.markets = self._state.events, self._state.markets
        self._do: dict[Due, Callable[[str], None]] = {
            "settle": self._clearing.step,
            "release": self._desk.release,
            "expire": self._desk.expire,
            "resolve": self._resolution.due,
        }

    @classmethod
    def recover(
        cls,
        path: Path,
        clock: Clock,
        settings: EngineSettings,
        rng: random.Random,
        faults: FaultPlan | None = None,
    ) -> "Engine":
        """The exchange as its truth journal tells, going on in the same file. An absent or empty file gives a new one.

        A torn last line, or a last batch cut short, is dropped: it was never answered.
        Raises Unavailable where the journal cannot be read, or is damaged before its end.
        """
        journal, lines = Journal.resume(path, clock)
        engine = cls(journal, clock, settings, rng, faults)
        recovery.replay(engine._state, lines)
        recovery.resume(engine.core, engine._desk)
        engine._desk.accepted = sum(line["kind"] == "order" for line in lines)
        engine._desk.duplicates = sum(line["kind"] == "duplicate" for line in lines)
        return engine

    @property
    def settings(self) -> EngineSettings:
        """What the engine was started with."""
        return self.core.settings

    @property
    def accepted(self) -> int:
        """Orders accepted from non-house accounts."""
        return self._desk.accepted

    @property
    def duplicates(self) -> int:
        """Posts of an id that was used already."""
        return self._desk.duplicates

    @property
    def resolutions_paused(self) -> bool:
        """While True, markets whose time has come are not resolved by advance()."""
        return self._resolution.paused

    @resolutions_paused.setter
    def resolutions_paused(self, paused: bool) -> None:
        self._resolution.paused = paused

    def listen(self, listener: Callable[[Happening], None]) -> None:
        """Have every happening told, in order and at once. A listener must not call the engine back."""
        self.core.listeners.append(listener)

    def close(self) -> None:
        """Let go of the journal."""
        self.core.journal.close()

    def market_of(self, token_id: str) -> Market:
        """The market a token belongs to. Raises UnknownToken."""
        try:
            return self._state.by_token[token_id]
        except KeyError:
            raise UnknownToken(f"no market has the token {token_id}") from None

    def open_event(self, event: Event, markets: Sequence[Market]) -> None:
        """Open an event with its markets. Raises ValueError on ids that are taken or laid out wrongly."""
        self._state.check_event(event, list(markets))
        batch: list[Record] = [("event", event_fields(event))]
        self.core.write_all(batch + [("market", market_fields(market)) for market in markets])
        self._state.add_event(event)
        for market in markets:
            self._state.add_market(market)
            if market.resolves_ms is not None:
                self.core.plan(market.resolves_ms, "resolve", market.condition_id)
            self.core.tell(MarketOpened(market))

    def create_account(self, address: str, *, house: bool = False) -> Account:
        """The account of a wallet, opened with unlimited allowances if new.

        House accounts have unlimited funds, and their resting orders are not journaled.
        """
        return self.core.open_account(address, house=house)

    def account(self, address: str) -> Account | None:
        """The account of a wallet, None if there is none. Not to be changed by the caller."""
        return self._state.accounts.wallets.get(address)

    def accounts(self) -> list[Account]:
        """All wallets, the house's included."""
        return list(self._state.accounts.wallets.values())

    def pools(self) -> dict[str, int]:
        """USD behind the shares of each market by condition id, and the fees collected under "fees"."""
        return {address: pool.cash for address, pool in self._state.accounts.pools.items()}

    def deposit(self, address: str, amount: int) -> None:
        """Add USD (base units) to an account, opened if new. Raises ValueError unless amount > 0."""
        if amount <= 0:
            raise ValueError(f"a deposit must be above 0, not {amount}")
        account = self.core.open_account(address, house=False)
        usd, balance = format_units(amount), format_units(account.cash + amount)
        moved = {"address": address, "token_id": None, "delta": usd, "balance": balance, "why": "deposit", "ref": ""}
        self.core.write_all([("deposit", {"address": address, "amount": usd}), ("balance", moved)])
        account.cash += amount
        self.core.tell(BalanceChanged(address, None, amount, account.cash, "deposit", ""))

    def set_allowance(self, address: str, spender: str, amount: int) -> None:
        """Let a contract spend at most this much of a wallet's USD and tokens (UNLIMITED = no bound)."""
        account = self.core.open_account(address, house=False)
        self.core.write("allowance", {"address": address, "spender": spender, "amount": str(amount)})
        account.allowances[spender] = amount

    def refresh_balance(self, address: str) -> None:
        """What GET /balance-allowance/update does: drop what `phantom_matched` left standing."""
        account = self._state.accounts.wallets.get(address)
        if account is not None:
            account.phantom.clear()

    def submit(self, order: NewOrder) -> Ack:
        """Take one order. Raises Rejected with the venue's text; Unavailable where the journal cannot be written."""
        self.advance()
        return self._desk.submit(order)

    def cancel(self, address: str, order_id: str) -> None:
        """Cancel one resting order of this wallet. Raises NotCanceled with the venue's reason."""
        self.advance()
        self._desk.cancel(address, order_id)

    def cancel_all(self, address: str, *, condition_id: str | None = None, token_id: str | None = None) -> list[str]:
        """Cancel the wallet's resting orders, of one market or token where given. Returns their ids."""
        self.advance()
        return self._desk.cancel_all(address, condition_id, token_id)

    def wipe(self, condition_id: str) -> list[str]:
        """Cancel every resting order of a market, as the venue does at game start. Returns the non-house ids."""
        return self._desk.end_resting(self.markets[condition_id], "game start", "CANCELED")

    def order(self, order_id: str) -> Order | None:
        """A non-house order in any state, killed ones included, or an open house order; else None."""
        return self._state.orders.get(order_id)

    def open_orders(self, address: str) -> list[Order]:
        """Resting and delayed orders of a wallet, oldest first."""
        return list(self._state.open_orders[address].values())

    def trades(self, address: str) -> list[Trade]:
        """Trades a non-house wallet took part in as taker or maker, oldest first."""
        return [self._state.trades[trade_id] for trade_id in self._state.traded[address]]

    def newest_trades(self, address: str) -> Iterator[Trade]:
        """The same, newest first."""
        return (self._state.trades[trade_id] for trade_id in reversed(self._state.traded[address]))

    def trade(self, trade_id: str) -> Trade | None:
        """A trade that touched a non-house account."""
        return self._state.trades.get(trade_id)

    def pending_trades(self) -> list[Trade]:
        """Trades that are neither CONFIRMED nor FAILED."""
        return [self._state.trades[trade_id] for trade_id in self._state.steps]

    def book(self, token_id: str) -> BookView:
        """The token's book. Raises UnknownToken."""
        market = self.market_of(token_id)
        return self._state.books[market.condition_id].view(token_id, self.core.clock())

    def advance(self) -> None:
        """Do everything due by the clock: settlement steps, delayed orders, GTD expiry, resolutions."""
        while self.core.run_due(self._do):
            pass

    def resolve(self, condition_id: str, outcome: int) -> None:
        """Decide a market (0 YES, 1 NO): cancels its open orders and pays winners $1 a share at once.

        YES in a neg-risk event decides its open siblings NO. Raises ValueError where the market is decided, or
        NO would leave an exhaustive event without a winner.
        """
        self._resolution.resolve(condition_id, outcome)

    def split(self, condition_id: str) -> None:
        """Decide a market 50/50: as `resolve`, but every share pays half a dollar, rounded down for each holder.

        Raises ValueError where the market is decided, or belongs to a neg-risk event, whose markets have one winner.
        """
        self._resolution.split(condition_id)

    def change_tick(self, condition_id: str, tick: int) -> None:
        """Change a market's tick to one of units.TICKS (base units); resting orders stay. Raises ValueError."""
        self._clearing.change_tick(self.markets[condition_id], tick)
