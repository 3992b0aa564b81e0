"""What the reconciliation of an account is asked, and what one run of it tells the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ReconcileAsk:
    """Reconcile `account`. `reopened`: how often each trade was run again by earlier runs."""

    account: str
    reopened: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one run found and did, in one line, and `reopened` as it then is."""

    summary: str
    reopened: Mapping[str, int] = field(default_factory=dict)
