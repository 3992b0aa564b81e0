"""Order groups: a backstop that cancels a group's orders when too much of it fills within 15 seconds."""

from arbsaga.errors import Rejected
from arbsaga.exchange.kalshi import records
from arbsaga.exchange.kalshi.checks import own_group
from arbsaga.exchange.kalshi.core import Core
from arbsaga.exchange.kalshi.model import Group
from arbsaga.exchange.kalshi.orders import Orders
from arbsaga.exchange.units import ONE, format_units

LARGEST = 1_000_000 * ONE


class Groups:
    """Makes, changes and ends order groups."""

    def __init__(self, core: Core, orders: Orders) -> None:
        self.core, self.orders = core, orders

    def create(self, account_id: str, limit: int, exchange_index: int) -> Group:
        """See Engine.create_group."""
        _check_limit(limit)
        self.core.open_account(account_id, house=False)
        group = Group(self.core.mint("group"), account_id, exchange_index, limit)
        self.core.commit([("group", records.group_fields(group, "created"))])
        return self.core.state.groups[group.group_id]

    def set_limit(self, account_id: str, group_id: str, limit: int) -> None:
        """See Engine.set_group_limit."""
        group = own_group(self.core, account_id, group_id)
        _check_limit(limit)
        fields = records.group_fields(group, "limit_updated") | {"limit": format_units(limit)}
        self.core.commit([("group", fields)])

    def trigger(self, account_id: str, group_id: str) -> None:
        """See Engine.trigger_group."""
        self.orders.trigger(own_group(self.core, account_id, group_id))

    def reset(self, account_id: str, group_id: str) -> None:
        """See Engine.reset_group."""
        group = own_group(self.core, account_id, group_id)
        self.core.commit([("group", records.group_fields(group, "reset") | {"triggered": False})])

    def delete(self, account_id: str, group_id: str) -> None:
        """See Engine.delete_group."""
        group = own_group(self.core, account_id, group_id)
        self.orders.end_all([self.core.state.orders[order_id] for order_id in group.order_ids], "GroupCancel")
        self.core.commit([("group_deleted", {"group_id": group_id, "account_id": account_id})])


def _check_limit(limit: int) -> None:
    if not ONE <= limit <= LARGEST:
        raise Rejected(400, "contracts_limit must be in 1..1,000,000", "invalid_parameters")
