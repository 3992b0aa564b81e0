"""The fourth layer: real processes killed with SIGKILL at random while trades flow.

Two traders on one account, one ledger and one task queue, the Temporal server and the exchange die and are restarted
by the supervisor that `arbsaga up` has; the watchdog watches. A part of the trades is at two venues, whose exchanges
both die, one of them for a while. At the end the exchanges' records are compared with the ledger.
docs/reliability.md tells what is measured.
"""

import asyncio

from proof.result import Effort, Result
from proof.soak.figures import figures, notes
from proof.soak.outage import Outage
from proof.soak.plan import Pauses
from proof.soak.run import Outcome, Soak, run, told

SEED = 4
BOTH = ("polymarket", "kalshi")
SHORT, USUAL, LONG = Outage("kalshi", 6.0, 6.0), Outage("kalshi", 40.0, 65.0), Outage("kalshi", 60.0, 180.0)
SOAKS = {
    Effort.QUICK: (
        Soak(60, SEED, Pauses(2.0, 6.0)),
        Soak(40, SEED, Pauses(2.0, 6.0), venues=BOTH, outage=SHORT),
    ),
    Effort.USUAL: (Soak(1_400, SEED), Soak(600, SEED, venues=BOTH, outage=USUAL)),
    Effort.FULL: (Soak(7_000, SEED), Soak(3_000, SEED, venues=BOTH, outage=LONG)),
}
"""At one venue, and at two."""


def prove(effort: Effort) -> Result:
    """Soak, and tell what broke."""
    soaks = SOAKS[effort]
    return _result([(soak, asyncio.run(run(soak))) for soak in soaks])


def _result(outcomes: list[tuple[Soak, Outcome]]) -> Result:
    """All of them together; the figures of those at two venues begin with `both_`."""
    found: dict[str, float | int | str] = {}
    lines: list[str] = []
    for soak, outcome in outcomes:
        prefix = "both_" if len(soak.venues) > 1 else ""
        found |= {f"{prefix}{name}": value for name, value in figures(outcome).items()}
        lines += [f"{' and '.join(soak.venues)}: {line}" for line in notes(outcome)]
    return Result(
        "soak",
        sum(outcome.trades for _, outcome in outcomes),
        f"trades through {sum(len(outcome.struck) for _, outcome in outcomes)} kills",
        seeds=len(outcomes),
        violations=tuple(line for soak, outcome in outcomes for line in told(soak, outcome)),
        notes=tuple(lines),
        figures=found,
    )
