"""Orders together with whose capital they use: what the ledger writes down before they are sent."""

from dataclasses import dataclass

from arbsaga.saga.messages import PlaceLegs


@dataclass(frozen=True, slots=True)
class FundedOrders:
    """Orders of `account`, paid for out of `lease_id`."""

    account: str
    lease_id: str
    ask: PlaceLegs
