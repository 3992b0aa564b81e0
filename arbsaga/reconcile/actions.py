"""What is done about what was found. Pure: the reconciler's whole policy.

| found | done | because |
|---|---|---|
| an order that no trade intended, or of a trade that ended | cancelled by id | nobody looks after it |
| a fill of a COMMITTED or FLAT trade that is not booked, or was taken back | run again | its legs may be unequal |
| the same of a HELD trade | its watch looks again, books and pages | a person decides, not we |
| a trade in flight without progress | run again, unless its workflow runs | it was terminated, or its history is lost |
| capital of a trade that does not run | its end told, or run again; free without orders | its end was never told |
| a HELD trade without a watch | the watch is started again | nobody would book, or hear the person's decision |
| an order from before the account was opened here | paged only | somebody placed it, maybe its owner by hand |
| shares or cash that differ | paged only | whose they are, only a person knows |
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from arbsaga.reconcile.findings import Finding, Kind, Snapshot
from arbsaga.risk.desk import Claim, Use
from arbsaga.saga.messages import Phase

MAX_REOPENED = 3
"""How often a trade is run again; what is still wrong then is a person's (HELD)."""
PAGED = frozenset({Kind.ORPHAN_ORDER, Kind.LEFT_ORDER, Kind.STRAY_POSITION, Kind.MISSING_POSITION, Kind.CASH})
"""What the reconciler pages too, under the watchdog's own keys: whoever is first, a person hears of it once."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel an order by id, unless its trade is being run again."""

    order_id: str


@dataclass(frozen=True, slots=True)
class Reopen:
    """Run a trade again, unless its workflow runs: book, make equal, end.

    `broken`: it never ended. `untold`: where it has ended, telling its desk is enough. `unsettled`: the fill it is
    about is not final.
    """

    trade_id: str
    why: str
    broken: bool = False
    untold: bool = False
    unsettled: bool = False


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Have the watch over a HELD trade look at every order of it; start the watch where it is not running."""

    trade_id: str


Action = Cancel | Reopen | LookAgain


def action(finding: Finding, snapshot: Snapshot) -> Action | None:
    """What is done about a finding of this look once it has stayed for its grace; None where it is only paged."""
    assert snapshot.venue is not None, "it was read"
    assert snapshot.ledger is not None, "it was read"
    match finding.kind:
        case Kind.ORPHAN_ORDER:
            order = next(one for one in snapshot.venue.orders if one.order_id == finding.subject)
            return Cancel(finding.subject) if snapshot.ledger.can_be_ours(order) else None
        case Kind.LEFT_ORDER:
            return Cancel(finding.subject)
        case Kind.LATE_FILL | Kind.FAILED_FILL:
            if snapshot.ledger.owners[finding.subject].phase is Phase.HELD:
                return LookAgain(finding.trade_id)
            statuses = [one.fill.status for one in snapshot.venue.fills if one.order_id == finding.subject]
            unsettled = not all(status.final for status in statuses)
            return Reopen(finding.trade_id, finding.headline, unsettled=unsettled)
        case Kind.STALLED:
            return Reopen(finding.trade_id, "its workflow is gone", broken=True)
        case _:
            return None


def of_capital(
    claims: Iterable[Claim], running: Collection[str], watched: Mapping[str, bool]
) -> list[Reopen | LookAgain]:
    """What is done about capital that nobody would ever give back.

    `running`: trades whose workflow runs. `watched`: for each trade whose capital is held, whether its watch runs.
    The end in the ledger of a trade that was to be run again is an older one, which does not count.
    """
    stuck: list[Reopen | LookAgain] = [
        Reopen(claim.trade_id, "its end was never told", untold=claim.use is Use.RESERVED)
        for claim in claims
        if claim.use in (Use.RESERVED, Use.REOPENED) and claim.trade_id not in running
    ]
    return stuck + [LookAgain(trade_id) for trade_id, runs in watched.items() if not runs]
