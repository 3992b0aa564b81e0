"""The fourth layer: real processes killed with SIGKILL at random while trades flow.

Two traders on one account, one ledger and one task queue, the Temporal server and the exchange die and are restarted
by the supervisor that `arbsaga up` has; the watchdog watches. At the end the exchange's record is compared with the
ledger. docs/reliability.md tells what is measured.
"""

import asyncio

from proof.result import Effort, Result
from proof.soak.figures import figures, notes
from proof.soak.plan import Pauses
from proof.soak.run import Soak, run, told

SEED = 4
SOAKS = {
    Effort.QUICK: Soak(100, SEED, Pauses(2.0, 6.0)),
    Effort.USUAL: Soak(2_000, SEED),
    Effort.FULL: Soak(10_000, SEED),
}


def prove(effort: Effort) -> Result:
    """Soak, and tell what broke."""
    soak = SOAKS[effort]
    outcome = asyncio.run(run(soak))
    return Result(
        "soak",
        outcome.trades,
        f"trades through {len(outcome.struck)} kills",
        seeds=1,
        violations=tuple(told(soak, outcome)),
        notes=notes(outcome),
        figures=figures(outcome),
    )
