"""A market's life: active -> closed -> determined -> (disputed, amended) -> finalized, and the payout at its end."""

from arbsaga.exchange.journal import Record
from arbsaga.exchange.kalshi.core import Core, net_of
from arbsaga.exchange.kalshi.draft import advance_record, balance_fields
from arbsaga.exchange.kalshi.grid import FINEST
from arbsaga.exchange.kalshi.model import Account, LifecycleKind, Market, MarketStatus, Result
from arbsaga.exchange.kalshi.netting import returned
from arbsaga.exchange.kalshi.orders import Orders
from arbsaga.exchange.units import ONE, format_units


class Lifecycles:
    """Moves markets along."""

    def __init__(self, core: Core, orders: Orders) -> None:
        self.core, self.state, self.orders = core, core.state, orders

    def activate(self, market: Market, *, active: bool) -> None:
        """See Engine.activate."""
        if market.status not in (("initialized", "inactive") if active else ("active",)):
            raise ValueError(f"market {market.ticker} is {market.status}")
        self._change(market, "active" if active else "inactive", "activated" if active else "deactivated")

    def close(self, market: Market) -> None:
        """See Engine.close_market."""
        if market.status not in ("initialized", "inactive", "active"):
            raise ValueError(f"market {market.ticker} is {market.status} already")
        resting = [self.state.orders[slip.order_id] for slip in self.state.books[market.ticker].orders()]
        self.orders.end_all(resting, "CloseCancel")
        self._change(market, "closed", "closed")

    def close_due(self, ticker: str) -> None:
        """The close time of a market has come."""
        market = self.state.markets[ticker]
        if market.status in ("initialized", "inactive", "active"):
            self.close(market)

    def determine(self, market: Market, value: int) -> None:
        """See Engine.determine."""
        if market.status not in ("initialized", "inactive", "active", "closed"):
            raise ValueError(f"market {market.ticker} is {market.status} already")
        self._check_value(market, value)
        if market.status != "closed":
            self.close(market)
        self._change(market, "determined", "determined", value)
        self.plan_payout(market)

    def dispute(self, market: Market) -> None:
        """See Engine.dispute."""
        if market.status not in ("determined", "amended"):
            raise ValueError(f"market {market.ticker} is {market.status}: only a decided one is disputed")
        self._change(market, "disputed", "disputed")

    def amend(self, market: Market, value: int) -> None:
        """See Engine.amend_result."""
        if market.status not in ("determined", "disputed", "amended"):
            raise ValueError(f"market {market.ticker} is {market.status}: only a decided one is amended")
        self._check_value(market, value)
        self._change(market, "amended", "amended", value)
        self.plan_payout(market)

    def _check_value(self, market: Market, value: int) -> None:
        if not 0 <= value <= ONE or value % FINEST:
            raise ValueError(f"a YES contract pays 0..1 USD in steps of $0.0001, not {format_units(value)}")
        if not self.state.event_of(market.ticker).mutually_exclusive:
            return
        others = (self.state.markets[one].value or 0 for one in self.state.listed[market.event_ticker]
                  if one != market.ticker)  # fmt: skip
        if sum(others) + value > ONE:
            raise ValueError(f"event {market.event_ticker} is mutually exclusive: its YES pay at most 1 USD in all")

    def _change(self, market: Market, status: MarketStatus, kind: LifecycleKind, value: int | None = None) -> None:
        self.core.commit([lifecycle_record(market, status, kind, value)])

    def plan_payout(self, market: Market) -> None:
        """Pay a decided market out when its settlement timer ends."""
        self.core.plan(_payout_ms(market), "settle", market.ticker)

    def payout_due(self, ticker: str) -> None:
        """Pay a market out, unless it is disputed, was amended since, or is paid already."""
        market = self.state.markets[ticker]
        if market.status not in ("determined", "amended") or _payout_ms(market) > self.core.clock():
            return
        batch: list[Record] = [lifecycle_record(market, "finalized", "settled", None)]
        for account in self.state.accounts.values():
            if net_of(account, ticker):
                batch += self._payout(account, market)
        self.core.commit(batch)

    def _payout(self, account: Account, market: Market) -> list[Record]:
        """What one account gets; a scalar value's part below the precision of balances is its fee."""
        assert market.value is not None
        net, shard = net_of(account, market.ticker), self.state.shard(market.ticker)
        revenue = abs(net) * (market.value if net > 0 else ONE - market.value) // ONE
        fee = revenue % self.core.settings.precision if market.result == "scalar" else 0
        fields = {
            "account_id": account.account_id,
            "ticker": market.ticker,
            "exchange_index": shard,
            "position": format_units(net),
            "value": format_units(market.value),
            "revenue": format_units(revenue),
            "fee": format_units(fee),
            "house": account.house,
        }
        batch: list[Record] = [("payout", fields)]
        paid = revenue - fee
        balance = account.cash.get(shard, 0) + paid
        if paid:
            batch.append(("balance", balance_fields(account, shard, paid, balance, why="payout", ref=market.ticker)))
        return batch + self._repayment(account, market, paid, balance)

    def _repayment(self, account: Account, market: Market, paid: int, balance: int) -> list[Record]:
        """Collateral that was returned for this event and is no longer covered comes out of the payout.

        What the payout cannot cover stays owed: the event's other markets must pay it, as at most one resolves YES.
        """
        event, shard = self.state.event_of(market.ticker), self.state.shard(market.ticker)
        held = account.advanced.get(event.event_ticker, 0)
        others = (net_of(account, ticker) for ticker in self.state.listed[event.event_ticker]
                  if ticker != market.ticker)  # fmt: skip
        repaid = min(held - returned(others), paid)
        if repaid <= 0:
            return []
        moved = balance_fields(account, shard, -repaid, balance - repaid, why="netting", ref=market.ticker)
        return [advance_record(account, event.event_ticker, held - repaid), ("balance", moved)]


def lifecycle_record(market: Market, status: MarketStatus, kind: LifecycleKind, value: int | None) -> Record:
    """A market's new status, with its value and result where it is decided now."""
    result: Result = "scalar"
    if value in (0, ONE):
        result = "yes" if value else "no"
    told = {"ticker": market.ticker, "status": status, "change": kind}
    decided = {"value": None, "result": ""} if value is None else {"value": format_units(value), "result": result}
    return "lifecycle", told | decided


def _payout_ms(market: Market) -> int:
    return market.determined_ms + market.settlement_timer_seconds * 1000
