"""What entering asks of the ledger: whose capital orders use, and whether they were sent before."""

from dataclasses import dataclass

from arbsaga.domain.money import Usd
from arbsaga.saga.messages import DepthReport, PlaceLegs


@dataclass(frozen=True, slots=True)
class FundedOrders:
    """Orders of `account`, paid for out of `lease_id`. `cap`: USD that all trades of their pair may have out."""

    account: str
    lease_id: str
    ask: PlaceLegs
    cap: Usd | None = None


@dataclass(frozen=True, slots=True)
class DepthAnswer:
    """The depth report, and whether orders of this plan were sent before (a reset, or a plan run twice)."""

    report: DepthReport
    entered: bool
