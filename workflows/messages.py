"""What workflows say to each other, and the names they find each other by."""

from dataclasses import dataclass
from datetime import timedelta

from arbsaga.risk.desk import Desk
from arbsaga.saga.messages import Page, TradeRecord

TASK_TIMEOUT = timedelta(seconds=2)
"""A workflow task whose worker died is given to another after this."""
MAX_EVENTS = 4_000
"""A desk or a watch continues as new after this many events: a replay stays fast."""
HELD_WORKFLOW = "HeldWorkflow"
CANCELLED = "cancelled from the Temporal UI"


@dataclass(frozen=True, slots=True)
class HeldTrade:
    """A trade that waits for a person: as last known, pages still to deliver, a decision already made."""

    record: TradeRecord
    pages: tuple[Page, ...] = ()
    decision: str = ""
    looks: int = 0


@dataclass(frozen=True, slots=True)
class DeskStart:
    """A desk as it goes on after continue-as-new; without `desk` it is made again from the ledger."""

    account: str
    desk: Desk | None = None


def basket_id(key: str) -> str:
    """The workflow id of a trade on this basket."""
    return f"basket/{key}"


def held_id(trade_id: str) -> str:
    """The workflow id of the watch over a HELD trade."""
    return f"held/{trade_id}"


def reconcile_id(account: str) -> str:
    """The id of an account's reconciliation: of its schedule, and the beginning of each run's."""
    return f"reconcile/{account}"


def desk_id(account: str) -> str:
    """The workflow id of an account's desk."""
    return f"desk/{account}"
