"""Crashes: the real workflow on the real Temporal server and the real exchange, cut off at every point.

A worker process is forked for each case, starts a trade, and kills itself with SIGKILL at one named moment
(`cuts.py`, `knife.py`). Another worker takes over (`standby.py`). At the end the exchange's own record is the judge
(`judge.py`). What befalls the trades besides stands in `scenarios.py`; `theatre.py` runs many cases at once.

    python -m proof.crashes --case exit/kill:sent:exit_leg#1
"""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from proof.crashes import sample
from proof.crashes.cuts import How
from proof.crashes.setting import Case, CaseResult
from proof.crashes.theatre import Theatre, theatre
from proof.result import Effort, Result

__all__ = ["Case", "CaseResult", "prove", "run_cases"]

STAGES = {Effort.QUICK: 16, Effort.USUAL: 24, Effort.FULL: 24}
"""Accounts at work at once: a case is mostly waiting."""
OUTAGES_S = (1.5, 4.0, 8.0)
"""When the Temporal server is killed, after the cases under an outage were begun."""
UNDER_OUTAGE = {Effort.QUICK: 8, Effort.USUAL: 48, Effort.FULL: 48}
BEGIN_WITHIN_S = {Effort.QUICK: 45.0, Effort.USUAL: 720.0, Effort.FULL: float("inf")}
"""A case that could not be begun by then is left out, and that is told: a busy machine must not hang the proof."""


def prove(effort: Effort) -> Result:
    """Run what the effort asks for, and count it."""
    with theatre() as opened:
        results, left_out = _matrix(opened, effort)
        outage, outages = _under_outage(opened, sample.under_outage(UNDER_OUTAGE[effort]))
    return _result(
        [*results, *outage], left_out, f"{len(outage)} trades while the Temporal server died {outages} times"
    )


def run_cases(cases: Iterable[Case], mutation: str = "", stages: int = STAGES[Effort.QUICK]) -> list[CaseResult]:
    """Run cases on a server of their own, `mutation` applied in the processes that trade. Order is not kept."""
    with theatre(mutation) as opened:
        wanted = list(cases)
        return opened.run(wanted, min(stages, len(wanted)))


def _matrix(opened: Theatre, effort: Effort) -> tuple[list[CaseResult], int]:
    """The results, and how many cases were left out."""
    deadline, stages = time.monotonic() + BEGIN_WITHIN_S[effort], STAGES[effort]
    if effort is Effort.QUICK:
        cases, uncut = sample.quick(), []
    else:
        uncut = opened.run(sample.references(), stages)
        cases = sample.others() + sample.matrix(uncut, full=effort is Effort.FULL)
    results = uncut + opened.run(cases, stages, deadline)
    return results, len(cases) + len(uncut) - len(results)


def _under_outage(opened: Theatre, cases: Sequence[Case]) -> tuple[list[CaseResult], int]:
    """What became of these trades, and how often the Temporal server died while they were under way."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as other:
        crashing = other.submit(_crash, opened, stop)
        try:
            results = opened.run(cases, len(cases))
        finally:
            stop.set()
        return results, crashing.result()


def _crash(opened: Theatre, stop: threading.Event) -> int:
    began = time.monotonic()
    for number, at in enumerate(OUTAGES_S):
        if stop.wait(max(0.0, began + at - time.monotonic())):
            return number
        opened.server.crash()
    return len(OUTAGES_S)


def _result(everything: Sequence[CaseResult], left_out: int, outage: str) -> Result:
    cut = [one for one in everything if one.case.cut is not None]
    made = [one for one in cut if one.reached]
    kills = sum(one.case.cut is not None and one.case.cut.how is How.KILL for one in made)
    moments = Counter(str(one.case.cut.point.moment) for one in made if one.case.cut)
    ends = Counter(one.phase or "none" for one in everything)
    odd = [f"{one.case}: {'; '.join(one.notes)}" for one in everything if one.notes]
    replays, seconds = sum(one.replays for one in everything), sorted(one.seconds for one in everything)
    notes = (
        f"{len({one.case.scenario for one in everything})} scenarios; cut at: {_counts(moments)}",
        f"{kills} workers killed, {len(made) - kills} stopped and woken",
        outage,
        f"{len(cut) - len(made)} cuts were not reached, {left_out} cases left out for want of time",
        f"ended: {_counts(ends)}; {replays} histories replayed; a case took {seconds[len(seconds) // 2]:.1f} s (p50)",
        *([f"{len(odd)} not as planned, e.g. {odd[0]}"] if odd else []),
    )
    return Result(
        layer="crashes",
        cases=len(everything),
        unit="cuts and cases",
        violations=tuple(text for one in everything for text in one.violations),
        notes=notes,
        figures={
            "kills": kills,
            "stops": len(made) - kills,
            "not_reached": len(cut) - len(made),
            "left_out": left_out,
            "replays": replays,
        },
    )


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counter.items()))
