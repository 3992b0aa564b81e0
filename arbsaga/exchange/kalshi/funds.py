"""Cash that moves apart from trading: deposits, transfers between shards or accounts, and collateral return."""

from arbsaga.errors import Rejected
from arbsaga.exchange.journal import Record
from arbsaga.exchange.kalshi.core import Core, net_of
from arbsaga.exchange.kalshi.draft import advance_record, balance_fields
from arbsaga.exchange.kalshi.model import Account
from arbsaga.exchange.kalshi.netting import returned
from arbsaga.exchange.units import format_units


class Funds:
    """Moves cash."""

    def __init__(self, core: Core) -> None:
        self.core, self.state = core, core.state

    def deposit(self, account_id: str, amount: int, exchange_index: int) -> None:
        """See Engine.deposit."""
        if amount <= 0:
            raise ValueError(f"a deposit must be above 0, not {amount}")
        account = self.core.open_account(account_id, house=False)
        fields = {"account_id": account_id, "exchange_index": exchange_index, "amount": format_units(amount)}
        self.core.commit([("deposit", fields), self._move(account, exchange_index, amount, "deposit")])

    def transfer(self, account_id: str, to_account_id: str, amount: int, source: int, destination: int) -> None:
        """See Engine.transfer."""
        if amount <= 0 or (account_id, source) == (to_account_id, destination):
            raise Rejected(400, "an amount above 0 must move between two places", "invalid_parameters")
        account = self.core.open_account(account_id, house=False)
        if self.core.available(account, source) < amount:
            raise Rejected(400, f"not enough cash on exchange_index {source}", "insufficient_balance")
        to = self.core.open_account(to_account_id, house=False)
        fields = {"account_id": account_id, "to_account_id": to_account_id, "amount": format_units(amount)}
        fields |= {"source": str(source), "destination": str(destination)}
        moves = [
            self._move(account, source, -amount, "transfer", to_account_id),
            self._move(to, destination, amount, "transfer", account_id),
        ]
        self.core.commit([("transfer", fields), *moves])

    def set_netting(self, account_id: str, exchange_index: int, *, enabled: bool) -> None:
        """See Engine.set_netting."""
        account = self.core.open_account(account_id, house=False)
        if enabled == (exchange_index in account.netting):
            return
        fields = {"account_id": account_id, "exchange_index": exchange_index, "enabled": enabled}
        advances, total = self._advances(account, exchange_index, enabled=enabled)
        if self.core.available(account, exchange_index) + total < 0:
            raise Rejected(400, "positions need the collateral that was returned", "insufficient_balance")
        moved = [self._move(account, exchange_index, total, "netting", "switch")] if total else []
        self.core.commit([("netting", fields), *advances, *moved])

    def _advances(self, account: Account, exchange_index: int, *, enabled: bool) -> tuple[list[Record], int]:
        """What is returned for each event of a shard after the switch, and the cash that moves in all."""
        changes: list[Record] = []
        total = 0
        for event in self.state.events.values():
            if event.exchange_index != exchange_index or not event.mutually_exclusive:
                continue
            nets = [net_of(account, ticker) for ticker in self.state.listed[event.event_ticker]]
            held, wanted = account.advanced.get(event.event_ticker, 0), returned(nets) if enabled else 0
            if held != wanted:
                changes.append(advance_record(account, event.event_ticker, wanted))
                total += wanted - held
        return changes, total

    def _move(self, account: Account, exchange_index: int, delta: int, why: str, ref: str = "") -> Record:
        balance = account.cash.get(exchange_index, 0) + delta
        return "balance", balance_fields(account, exchange_index, delta, balance, why=why, ref=ref)
