"""What the exchange's working parts share: state, journal, clock, faults, the agenda, and whom to tell."""

import hashlib
import heapq
import random
from collections.abc import Callable, Mapping
from typing import Literal

from arbsaga.exchange.faults import Fault, FaultPlan
from arbsaga.exchange.journal import FORMAT, Journal, Record
from arbsaga.exchange.model import (
    CASH,
    Account,
    BalanceChanged,
    BookChanged,
    Fill,
    Happening,
    Market,
    Order,
    OrderUpdated,
)
from arbsaga.exchange.settings import EngineSettings
from arbsaga.exchange.settlement import Draft
from arbsaga.exchange.state import State

Clock = Callable[[], int]
"""Wall clock in ms since the epoch."""
Due = Literal["settle", "release", "expire", "resolve"]


class Core:
    """Shared by the order desk and the clearing house; no rules of its own."""

    def __init__(
        self, journal: Journal, clock: Clock, settings: EngineSettings, rng: random.Random, faults: FaultPlan
    ) -> None:
        self.journal, self.clock, self.settings, self.rng, self.faults = journal, clock, settings, rng, faults
        self.state = State()
        self.listeners: list[Callable[[Happening], None]] = []
        self._agenda: list[tuple[int, int, Due, str]] = []
        self._planned = self._minted = 0
        self.write("opened", {"format": FORMAT, "seed": settings.seed, "settings": _shown(settings)})
        self._run = journal.last
        faults.on_strike = self._struck

    def write(self, kind: str, fields: Mapping[str, object]) -> None:
        """Journal a batch of one line."""
        self.write_all([(kind, dict(fields))])

    def write_all(self, records: list[Record]) -> None:
        """Journal a batch; nothing of it concerns house accounts alone, so an empty one is left out."""
        if records:
            self.journal.write(records)

    def tell(self, happening: Happening) -> None:
        """Tell every listener, once the happening is journaled and applied."""
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

    def mint(self, what: str, digits: int = 64) -> str:
        """A hex id that is never given again, also not after a restart with the same seed."""
        self._minted += 1
        text = f"{self.settings.seed} {self._run} {self._minted} {what}"
        return hashlib.blake2b(text.encode(), digest_size=digits // 2).hexdigest()

    def open_account(self, address: str, *, house: bool) -> Account:
        """The account of a wallet, opened if new."""
        account = self.state.accounts.wallets.get(address)
        if account is None:
            self.write("account", {"address": address, "house": house})
            account = self.state.accounts.open(address, house)
        return account

    def about(self, account: Account, side: str, token_id: str, market: Market) -> dict[str, str]:
        """The context of a fault that concerns one order.

        Its phase is "exit" if it lowers what the account has at stake in this market: it sells, or buys the
        complement of shares that it holds or is about to get. Otherwise "entry".
        """
        held = _stake(account, market.complement(token_id)) - _stake(account, token_id)
        phase = "exit" if side == "SELL" or held > 0 else "entry"
        return {"side": side, "phase": phase, "token": token_id, "address": account.address}

    def about_fill(self, fill: Fill, market: Market) -> dict[str, str]:
        """The context of a fault that concerns a trade: that of its given fill."""
        return self.about(self.state.accounts.wallets[fill.address], fill.side, fill.token_id, market)

    def tell_book(self, market: Market, cause_order_id: str) -> None:
        """Tell which levels changed since the last time."""
        levels = self.state.books[market.condition_id].take_changes()
        if levels:
            self.tell(BookChanged(market.condition_id, levels, cause_order_id, self.clock()))

    def tell_order(self, order: Order, kind: Literal["PLACEMENT", "UPDATE", "CANCELLATION"]) -> None:
        """Tell about a non-house order, as it is now."""
        if not order.house:
            self.tell(OrderUpdated(order.copy(), kind, self.clock()))

    def tell_balances(self, draft: Draft) -> None:
        """Tell what has just moved on non-house accounts."""
        for move in draft.moves:
            account = self.state.accounts.get(move.address)
            if not account.house:
                token_id = None if move.asset == CASH else move.asset
                balance = account.balance(move.asset)
                self.tell(BalanceChanged(move.address, token_id, move.delta, balance, move.why, move.ref))

    def _struck(self, fault: Fault, context: Mapping[str, str]) -> None:
        self.write("fault", {"name": fault.name, "spec": str(fault), "context": dict(context)})


def _stake(account: Account, token_id: str) -> int:
    return account.shares.get(token_id, 0) + account.incoming.get(token_id, 0) - account.matched.get(token_id, 0)


def _shown(settings: EngineSettings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in EngineSettings.__slots__}
