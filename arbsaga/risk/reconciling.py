"""What the reconciliation of an account is asked, and what one run of it tells the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ReconcileAsk:
    """Reconcile `account`. `reopened`, `compared_ms`: as earlier runs told."""

    account: str
    reopened: Mapping[str, int] = field(default_factory=dict)
    compared_ms: int = 0


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one run found and did, in one line.

    `reopened`: how often each trade was run again so far; `compared_ms`: when (ms since the epoch) venue and ledger
    were last compared, by this run or one before it, 0 for never.
    """

    summary: str
    reopened: Mapping[str, int] = field(default_factory=dict)
    compared_ms: int = 0
