"""What a taker's matches would do to everybody, worked out before anything is journaled or changed."""

from arbsaga.exchange.journal import Record
from arbsaga.exchange.kalshi.core import Core, net_of
from arbsaga.exchange.kalshi.fees import charge
from arbsaga.exchange.kalshi.model import Account, Order
from arbsaga.exchange.kalshi.netting import moved, proceeds, returned
from arbsaga.exchange.units import format_units


class Draft:
    """The records of trades in one market, with the nets, cash and accumulators that they lead to."""

    def __init__(self, core: Core, ticker: str) -> None:
        self.core, self.state, self.ticker = core, core.state, ticker
        self.event = core.state.event_of(ticker)
        self.shard = self.event.exchange_index
        self.schedule = core.schedule(ticker)
        self.records: list[Record] = []
        self.fees: dict[str, int] = {}
        """USD billed, by order."""
        self._nets: dict[str, int] = {}
        self._cash: dict[str, int] = {}
        self._carry: dict[str, int] = {}
        self._advanced: dict[str, int] = {}

    def net(self, account: Account) -> int:
        """The account's net position after what was drafted."""
        return self._nets.get(account.account_id, net_of(account, self.ticker))

    def cash(self, account: Account) -> int:
        """The account's cash on the market's shard after what was drafted."""
        return self._cash.get(account.account_id, account.cash.get(self.shard, 0))

    def trade(self, taker: Order, maker: Order, price: int, count: int) -> None:
        """Draft one trade: both fills, then the money."""
        trade_id = self.core.mint(f"trade {taker.order_id}")
        side = taker.side
        told = {"trade_id": trade_id, "ticker": self.ticker, "price": format_units(price)}
        told |= {"count": format_units(count), "taker_side": side}
        self.records.append(("trade", told))
        for order in (taker, maker):
            self._fill(order, trade_id, price, count, is_taker=order is taker)

    def _fill(self, order: Order, trade_id: str, price: int, count: int, *, is_taker: bool) -> None:
        account = self.state.accounts[order.account_id]
        net = self.net(account)
        brought, paid = proceeds(net, order.side, price, count)
        carry = self._carry.get(order.order_id, order.carry)
        model_fee = self.schedule.trade_fee(price, count, is_taker=is_taker)
        fee, carry = charge(brought - paid, model_fee, carry, self.core.settings.precision)
        self._carry[order.order_id] = carry
        self._nets[account.account_id] = moved(net, order.side, count)
        self.fees[order.order_id] = self.fees.get(order.order_id, 0) + fee
        fields = {
            "fill_id": self.core.mint(f"fill {trade_id}"),
            "trade_id": trade_id,
            "role": "taker" if is_taker else "maker",
            "order_id": order.order_id,
            "client_order_id": order.client_order_id,
            "account_id": account.account_id,
            "ticker": self.ticker,
            "exchange_index": self.shard,
            "side": order.side,
            "price": format_units(price),
            "count": format_units(count),
            "revenue": format_units(brought - paid),
            "fee": format_units(fee),
            "carry": format_units(carry),
            "position": format_units(self.net(account)),
            "house": order.house,
        }
        self.records.append(("fill", fields))
        self._move(account, brought - paid - fee, "trade", trade_id)
        self._return_collateral(account, net, trade_id)

    def _move(self, account: Account, delta: int, why: str, ref: str) -> None:
        self._cash[account.account_id] = self.cash(account) + delta
        self.records.append(
            ("balance", balance_fields(account, self.shard, delta, self.cash(account), why=why, ref=ref))
        )

    def _return_collateral(self, account: Account, net_before: int, ref: str) -> None:
        """Collateral of a mutually exclusive event that this fill sets free, or needs back."""
        if not self.event.mutually_exclusive or self.shard not in account.netting:
            return
        others = [net_of(account, ticker) for ticker in self.state.listed[self.event.event_ticker]
                  if ticker != self.ticker]  # fmt: skip
        change = returned([*others, self.net(account)]) - returned([*others, net_before])
        if change:
            held = self._advanced.get(account.account_id, account.advanced.get(self.event.event_ticker, 0))
            self._advanced[account.account_id] = held + change
            self.records.append(advance_record(account, self.event.event_ticker, held + change))
            self._move(account, change, "netting", ref)


def balance_fields(
    account: Account, exchange_index: int, delta: int, balance: int, *, why: str, ref: str
) -> dict[str, object]:
    """A move of cash. `balance` is what the shard holds after it."""
    return {
        "account_id": account.account_id,
        "exchange_index": exchange_index,
        "delta": format_units(delta),
        "balance": format_units(balance),
        "why": why,
        "ref": ref,
    }


def advance_record(account: Account, event_ticker: str, amount: int) -> Record:
    """Collateral returned to an account for an event, as it stands now."""
    fields = {"account_id": account.account_id, "event_ticker": event_ticker, "amount": format_units(amount)}
    return "advance", fields
