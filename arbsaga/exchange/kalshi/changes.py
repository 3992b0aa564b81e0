"""Amending and decreasing a resting order."""

from dataclasses import dataclass

from arbsaga.errors import Rejected
from arbsaga.exchange.kalshi.checks import check_expiration, check_open
from arbsaga.exchange.kalshi.core import Core
from arbsaga.exchange.kalshi.desk import OrderDesk
from arbsaga.exchange.kalshi.grid import check_count, check_terms
from arbsaga.exchange.kalshi.model import BookSide, Order, Placed, Reduced
from arbsaga.exchange.kalshi.orders import Orders


@dataclass(frozen=True, slots=True)
class Change:
    """What an amendment asks for; `count` is what the order filled plus what shall rest."""

    ticker: str
    side: BookSide
    price: int
    count: int
    client_order_id: str
    updated_client_order_id: str
    expiration_time: int | None


class Changes:
    """Checks a change, then has it made."""

    def __init__(self, core: Core, desk: OrderDesk, orders: Orders) -> None:
        self.core, self.desk, self.orders = core, desk, orders

    def decrease(self, account_id: str, order_id: str, reduce_by: int | None, reduce_to: int | None) -> Reduced:
        """See Engine.decrease. Taken off more than rests, the order ends."""
        order = self.core.own_order(account_id, order_id)
        check_open(self.core, self.core.market(order.ticker))
        if (reduce_by is None) == (reduce_to is None):
            raise Rejected(400, "give exactly one of reduce_by and reduce_to", "invalid_parameters")
        by = reduce_by if reduce_by is not None else order.slip.remaining - (reduce_to or 0)
        check_count(by)
        return self.orders.reduce(order, by, "Decrease")

    def amend(self, account_id: str, order_id: str, change: Change) -> Placed:
        """See Engine.amend."""
        order = self.core.own_order(account_id, order_id)
        market = self.core.market(order.ticker)
        check_open(self.core, market)
        if (change.ticker, change.side) != (order.ticker, order.side):
            raise Rejected(400, "ticker and side of an order cannot change", "invalid_parameters")
        if change.client_order_id and change.client_order_id != order.client_order_id:
            raise Rejected(400, "client_order_id is not the order's", "invalid_parameters")
        check_terms(change.price, change.count, market.price_ranges)
        check_expiration(self.core, change.expiration_time)
        if change.count <= order.fill_count:
            raise Rejected(400, "count includes what is filled, and must exceed it", "invalid_order_size")
        new_id = self._fresh_id(order, change.updated_client_order_id)
        expiration = order.expiration_time if change.expiration_time is None else change.expiration_time
        return self.desk.amend(order, change.price, change.count, new_id, expiration)

    def _fresh_id(self, order: Order, updated: str) -> str:
        if not updated or updated == order.client_order_id:
            return order.client_order_id
        if updated in self.core.state.accounts[order.account_id].client_ids:
            raise Rejected(409, f"client_order_id {updated} was used before", "order_already_exists")
        return updated
