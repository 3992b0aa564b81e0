"""Wallets: settled balances, what is kept aside for open orders and unsettled trades, and the venue's balance check.

Settled balances change by moves only, and every move of USD has its counterpart: the money behind the shares of a
market sits in that market's pool, fees in FEES. So the sum of all USD is always the sum of all deposits.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from arbsaga.errors import Rejected
from arbsaga.exchange.ids import spender_of
from arbsaga.exchange.model import CASH, UNLIMITED, Account, Fill, Market, Order
from arbsaga.exchange.units import collateral_up

FEES: Final = "fees"
"""The address that collects fees. A market's pool has the condition id as its address."""


@dataclass(frozen=True, slots=True)
class Move:
    """A settled balance moves by `delta` base units: USD where the asset is CASH, else shares of a token."""

    address: str
    asset: str
    delta: int
    why: str
    ref: str


class Accounts:
    """Every wallet, pool and the fees, by address."""

    def __init__(self) -> None:
        self.wallets: dict[str, Account] = {}
        self.pools: dict[str, Account] = {FEES: Account(FEES, house=True)}

    def open(self, address: str, house: bool) -> Account:
        """The wallet of an address, made if new."""
        return self.wallets.setdefault(address, Account(address, house))

    def open_pool(self, condition_id: str) -> None:
        """Where the money behind a market's shares sits."""
        self.pools[condition_id] = Account(condition_id, house=True)

    def get(self, address: str) -> Account:
        """A wallet or pool. KeyError is a bug of the caller."""
        return self.pools[address] if address in self.pools else self.wallets[address]

    def apply(self, moves: Iterable[Move]) -> None:
        """Make the moves."""
        for move in moves:
            account = self.get(move.address)
            if move.asset == CASH:
                account.cash += move.delta
            else:
                _add(account.shares, move.asset, move.delta)

    def hold(self, order: Order) -> None:
        """Keep aside what an open order may still give, no more and no less."""
        if order.house:
            return
        amount = _may_give(order)
        _add(self.wallets[order.maker].open, order.asset, amount - order.held)
        order.held = amount

    def expect(self, fill: Fill, sign: int = 1) -> None:
        """Keep aside what a fill gives until its trade has settled; `sign` -1 once it has, or has failed."""
        if fill.house:
            return
        account = self.wallets[fill.address]
        if fill.side == "BUY":
            _add(account.matched, CASH, sign * (fill.usd + fill.fee))
            _add(account.incoming, fill.token_id, sign * fill.shares)
        else:
            _add(account.matched, fill.token_id, sign * fill.shares)

    def spend_allowance(self, fill: Fill, market: Market) -> None:
        """A settled fill uses up a limited allowance; an unlimited one stays."""
        allowances = self.wallets[fill.address].allowances
        left = allowances.get(spender_of(market), UNLIMITED)
        if left != UNLIMITED and not fill.house:
            given = fill.usd + fill.fee if fill.side == "BUY" else fill.shares
            allowances[spender_of(market)] = max(left - given, 0)


def check_funds(account: Account, order: Order, amount: int, market: Market) -> None:
    """Raises Rejected with the venue's text unless balance - active - matched >= amount, and the allowance suffices.

    `amount` includes fees for a BUY. What is kept aside for this order already is not counted.
    Shares bought count once settled, so that a SELL that comes too early reads "balance: 0".
    """
    asset = order.asset
    balance, matched = account.balance(asset), account.matched_sum(asset)
    active = account.open.get(asset, 0) - order.held
    text = "not enough balance / allowance: "
    if balance - active - matched < amount:
        text += f"the balance is not enough -> balance: {balance}, "
        if active or matched:
            text += (
                f"sum of active orders: {active}, sum of matched orders: {matched}, order amount (inc. fees): {amount}"
            )
        else:
            text += f"order amount: {amount}"
        raise Rejected(400, text)
    spender = spender_of(market)
    allowance = account.allowances.get(spender, UNLIMITED)
    if allowance != UNLIMITED and allowance - matched < amount:
        raise Rejected(
            400,
            f"{text}the allowance is not enough -> spender: {spender}, allowance: {allowance}, "
            f"sum of matched orders: {matched}, order amount (inc. fees): {amount}",
        )


def _may_give(order: Order) -> int:
    if not (order.resting or order.status == "DELAYED"):
        return 0
    if order.side == "SELL":
        return order.remaining
    return order.usd - order.spent if order.immediate else collateral_up(order.remaining, order.price)


def _add(amounts: dict[str, int], key: str, delta: int) -> None:
    amount = amounts.get(key, 0) + delta
    if amount:
        amounts[key] = amount
    else:
        amounts.pop(key, None)
