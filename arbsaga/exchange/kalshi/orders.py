"""Resting orders: canceled, made smaller, expired, halted; and what trades lead to (margin, order groups)."""

from collections.abc import Iterable

from arbsaga.errors import Rejected
from arbsaga.exchange.journal import Record
from arbsaga.exchange.kalshi import records
from arbsaga.exchange.kalshi.core import Core
from arbsaga.exchange.kalshi.draft import Draft
from arbsaga.exchange.kalshi.halts import check_exchange
from arbsaga.exchange.kalshi.model import GROUP_WINDOW_MS, BookSide, Group, NewOrder, Order, Reason, Reduced
from arbsaga.exchange.kalshi.state import make_order
from arbsaga.exchange.units import format_units

HOUSE = "house"
"""The account that takes an order whose cancel comes too late."""


class Orders:
    """Changes and ends resting orders."""

    def __init__(self, core: Core) -> None:
        self.core, self.state = core, core.state

    def cancel(self, account_id: str, order_id: str) -> Reduced:
        """See Engine.cancel."""
        order = self.core.own_order(account_id, order_id)
        check_exchange(self.core, self.state.shard(order.ticker))
        about = self.core.about(self.state.accounts[account_id], order.new)
        if not order.house and self.core.faults.draw("cancel_loses", **about):
            self._fill_at_once(order)
            raise Rejected(404, f"order {order_id} is executed", "not_found")
        return self.end(order, "UserCancel")

    def cancel_all(self, account_id: str, exchange_index: int | None) -> list[Reduced]:
        """See Engine.cancel_all."""
        orders = [
            order
            for order in self.state.resting[account_id].values()
            if exchange_index in (None, self.state.shard(order.ticker))
        ]
        for order in orders:
            check_exchange(self.core, self.state.shard(order.ticker))
        return [self.end(order, "UserCancel") for order in orders]

    def end(self, order: Order, why: Reason) -> Reduced:
        """End a resting order."""
        left = order.slip.remaining
        self.core.commit([ended_record(order, why)], [order.ticker], order.order_id)
        return Reduced(order.order_id, order.client_order_id, left, 0, self.core.clock())

    def end_all(self, orders: Iterable[Order], why: Reason) -> None:
        """End resting orders."""
        for order in list(orders):
            self.end(order, why)

    def reduce(self, order: Order, count: int, why: Reason) -> Reduced:
        """Take contracts off a resting order, which keeps its place; it ends where none are left."""
        if count >= order.slip.remaining:
            return self.end(order, why)
        fields = {"order_id": order.order_id, "count": format_units(count), "why": why, "house": order.house}
        self.core.commit([("reduced", fields)], [order.ticker], order.order_id)
        return Reduced(order.order_id, order.client_order_id, count, order.slip.remaining, self.core.clock())

    def expire(self, order_id: str) -> None:
        """The expiration time of an order has come, unless an amendment has moved it."""
        order = self.state.orders.get(order_id)
        if order is None or not order.slip.resting or order.expiration_time is None:
            return
        if order.expiration_time * 1000 <= self.core.clock():
            self.end(order, "ExpiryCancel")

    def halt(self, tickers: Iterable[str]) -> None:
        """Trading in these markets pauses: orders that asked for it are canceled."""
        for ticker in tickers:
            resting = [self.state.orders[slip.order_id] for slip in self.state.books[ticker].orders()]
            self.end_all([order for order in resting if order.new.cancel_order_on_pause], "HaltCancel")

    def after_trades(self, orders: Iterable[Order], ticker: str) -> None:
        """What trades lead to: order groups trip, and accounts that cover too little lose their latest orders."""
        orders = list(orders)
        for group_id in dict.fromkeys(order.new.order_group_id for order in orders):
            if group_id in self.state.groups:
                self._trip(self.state.groups[group_id])
        for account_id in dict.fromkeys(order.account_id for order in orders if not order.house):
            self._cover(account_id, self.state.shard(ticker))

    def _trip(self, group: Group) -> None:
        since = self.core.clock() - GROUP_WINDOW_MS
        filled = sum(count for ms, count in group.fills if ms > since)
        if not group.triggered and filled > group.limit:
            self.trigger(group)

    def trigger(self, group: Group) -> None:
        """Cancel a group's orders and take no new ones until it is reset."""
        orders = [self.state.orders[order_id] for order_id in group.order_ids]
        told: Record = ("group", records.group_fields(group, "triggered") | {"triggered": True})
        ended = [ended_record(order, "GroupCancel") for order in orders]
        self.core.commit([told, *ended], dict.fromkeys(order.ticker for order in orders))

    def _cover(self, account_id: str, exchange_index: int) -> None:
        account = self.state.accounts[account_id]
        while self.core.available(account, exchange_index) < 0:
            resting = self.state.resting[account_id].values()
            orders = [order for order in resting if self.state.shard(order.ticker) == exchange_index]
            if not orders:
                return
            self.end(orders[-1], "MarginCancel")

    def _fill_at_once(self, order: Order) -> None:
        """Let the house take the whole of a resting order, whatever else is in the book."""
        self.core.open_account(HOUSE, house=True)
        side: BookSide = "ask" if order.side == "bid" else "bid"
        new = NewOrder(HOUSE, order.ticker, side, order.price, order.slip.remaining, "immediate_or_cancel")
        draft = Draft(self.core, order.ticker)
        taker = make_order(new, self.core.mint("house"), self.core.clock(), house=True)
        draft.trade(taker, order, order.price, order.slip.remaining)
        self.core.commit(draft.records, [order.ticker], taker.order_id)
        self.after_trades([order], order.ticker)


def ended_record(order: Order, why: Reason) -> Record:
    """An order is over before it was filled."""
    own = {"order_id": order.order_id, "account_id": order.account_id, "filled": format_units(order.fill_count)}
    return "ended", own | {"why": why, "house": order.house}


def rests_record(order: Order) -> Record:
    """What remains of an order goes to the book."""
    return "rests", {"order_id": order.order_id, "house": order.house}
