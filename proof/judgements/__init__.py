"""Layer 1: the judgements, exhaustively.

The saga's real story and judge are driven through every reachable state of named spaces of small trades
(`space`), against a model of the exchange that keeps its own record (`venue`). I1 to I8 are checked in each
state against that record (`invariants`). Read `requests`, then `stories`, `replies` and `search`.

What is simplified: time stands still but for waiting, which ends with news or at its limit; prices do not
move between a reading and a fill; where the legs of a space are alike, the outcomes of the entries are dealt in
one order only, since any other is the same trade with its legs renamed. Nothing else is taken as symmetric.
"""

from proof.judgements.explore import Exploration, Limits, explore
from proof.judgements.space import FULL, QUICK, USUAL
from proof.result import Effort, Result

SPACES = {Effort.QUICK: QUICK, Effort.USUAL: USUAL, Effort.FULL: FULL}

__all__ = ["QUICK", "Exploration", "Limits", "explore", "prove"]


def prove(effort: Effort) -> Result:
    """Every state of the effort's spaces, on two processes."""
    seen = explore(Limits(spaces=SPACES[effort], processes=2))
    ends = ", ".join(f"{phase} {count:,}" for phase, count in sorted(seen.ends.items()))
    return Result(
        layer="judgements",
        cases=seen.states,
        unit="distinct states",
        violations=seen.violations,
        notes=(
            f"{len(seen.spaces)} spaces of 2 to 4 legs, {seen.transitions:,} transitions, each invariant in each state",
            f"{seen.points:,} points of the story; the longest life has {seen.longest} transitions; ends: {ends}",
        ),
        figures={"transitions": seen.transitions, "points": seen.points, "longest": seen.longest},
    )
