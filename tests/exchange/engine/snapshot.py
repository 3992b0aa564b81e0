"""What recovery promises to bring back: all that concerns non-house accounts."""

from dataclasses import asdict
from typing import Any

from arbsaga.exchange.engine import Engine
from arbsaga.exchange.model import Market


def snapshot(engine: Engine) -> dict[str, Any]:
    """The state of users, their orders and trades, markets, and the books without the house."""
    state = engine.core.state
    accounts = {account.address: asdict(account) for account in engine.accounts() if not account.house}
    return {
        "accounts": {address: {**fields, "phantom": {}} for address, fields in accounts.items()},
        "orders": {order_id: asdict(order) for order_id, order in state.orders.items() if not order.house},
        "open": {address: sorted(order.order_id for order in engine.open_orders(address)) for address in accounts},
        "trades": {trade_id: asdict(trade) for trade_id, trade in state.trades.items()},
        "traded": {address: [trade.trade_id for trade in engine.trades(address)] for address in accounts},
        "steps": {trade_id: tuple(tuple(step) for step in steps) for trade_id, steps in state.steps.items()},
        "unsettled": set(state.unsettled),
        "used": set(state.used),
        "markets": {market.condition_id: asdict(market) for market in engine.markets.values()},
        "events": dict(engine.events),
        "queues": {market.condition_id: _queues(engine, market) for market in engine.markets.values()},
        "counts": (engine.accepted, engine.duplicates),
    }


def _queues(engine: Engine, market: Market) -> dict[tuple[str, int], list[str]]:
    """Non-house orders of each price level, first come first."""
    book = engine.core.state.books[market.condition_id]
    queues: dict[tuple[str, int], list[str]] = {}
    for order in book.orders():
        if not order.house:
            queues.setdefault(book.yes_terms(order.token_id, order.side, order.price), []).append(order.order_id)
    return queues
