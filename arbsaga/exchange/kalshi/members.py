"""What resting orders keep aside of a member's cash."""

from collections.abc import Iterable

from arbsaga.exchange.kalshi.fees import Schedule
from arbsaga.exchange.kalshi.model import Order
from arbsaga.exchange.kalshi.netting import unit_cost
from arbsaga.exchange.units import ONE


def reserved(orders: Iterable[Order], net: int, schedule: Schedule, precision: int, *, returned: bool) -> int:
    """USD that the resting orders of one market need, oldest first: contracts they would open, and their fees.

    Contracts that an order would close cost nothing, unless their collateral was `returned` already, and each held
    contract covers one order only: the older.
    """
    longs, shorts, total = max(net, 0), 0 if returned else max(-net, 0), 0
    for order in orders:
        remaining = order.slip.remaining
        if order.side == "bid":
            covered = min(shorts, remaining)
            shorts -= covered
        else:
            covered = min(longs, remaining)
            longs -= covered
        if opened := remaining - covered:
            fee = schedule.trade_fee(order.price, opened, is_taker=False)
            total += opened * unit_cost(order.side, order.price) // ONE + fee + precision
    return total
