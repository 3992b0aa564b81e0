"""What an order must meet before it is matched, in the venue's words and codes."""

from arbsaga.errors import Rejected
from arbsaga.exchange.kalshi.core import Core
from arbsaga.exchange.kalshi.grid import check_terms
from arbsaga.exchange.kalshi.halts import check_exchange, check_trading
from arbsaga.exchange.kalshi.model import Group, Market, NewOrder


def check_new(core: Core, new: NewOrder) -> None:
    """Raises Rejected for an order that may not be matched now, funds apart."""
    market = core.market(new.ticker)
    check_open(core, market)
    check_terms(new.price, new.count, market.price_ranges)
    _check_flags(new)
    check_expiration(core, new.expiration_time)
    if new.order_group_id:
        _check_group(core, new)


def check_open(core: Core, market: Market) -> None:
    """Raises Rejected where the market takes no orders (409 while halted, 400 otherwise)."""
    shard = core.state.shard(market.ticker)
    check_exchange(core, shard)
    check_trading(core, shard)
    if market.paused:
        raise Rejected(409, f"trading in {market.ticker} is paused", "trading_is_paused")
    if market.status in ("initialized", "inactive"):
        raise Rejected(400, f"market {market.ticker} is {market.status}", "market_inactive")
    if market.status != "active":
        raise Rejected(400, f"market {market.ticker} is {market.status}", "market_already_closed")


def check_expiration(core: Core, expiration_time: int | None) -> None:
    """Raises Rejected (400) for an expiration that is not in the future."""
    if expiration_time is not None and expiration_time * 1000 <= core.clock():
        raise Rejected(400, "expiration_time is not in the future", "invalid_parameters")


def own_group(core: Core, account_id: str, group_id: str) -> Group:
    """An order group of this account. Raises Rejected (404)."""
    group = core.state.groups.get(group_id)
    if group is None or group.account_id != account_id:
        raise Rejected(404, f"no order group {group_id}", "not_found")
    return group


def _check_flags(new: NewOrder) -> None:
    resting = new.time_in_force == "good_till_canceled"
    if new.expiration_time is not None and not resting:
        raise Rejected(400, "expiration_time goes with good_till_canceled only", "invalid_parameters")
    if new.post_only and not resting:
        raise Rejected(400, "post_only goes with good_till_canceled only", "invalid_parameters")
    if new.reduce_only and new.time_in_force != "immediate_or_cancel":
        raise Rejected(400, "reduce_only goes with immediate_or_cancel only", "invalid_parameters")


def _check_group(core: Core, new: NewOrder) -> None:
    group = own_group(core, new.account_id, new.order_group_id)
    if group.exchange_index != core.state.shard(new.ticker):
        raise Rejected(400, "the order group is of another exchange_index", "invalid_parameters")
    if group.triggered:
        raise Rejected(400, "the order group was triggered: reset it first", "invalid_order")
