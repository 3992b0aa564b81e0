"""The three loads on one real exchange and one real Temporal server, each judged by the exchange's record."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.site import Site, exchange
from proof.load.burst import Burst, burst
from proof.load.crowd import Crowd, resting, shared
from proof.load.machine import fewer, slowdown
from proof.load.theatre import theatre
from proof.result import Effort, Result

AGAIN = "python -m proof --only load"


@dataclass(frozen=True, slots=True)
class Numbers:
    """How many trades at once on one worker; how many on how many workers; how many opportunities for what budget."""

    at_once: int
    together: int
    workers: int
    offered: int
    budget: int


FULL = Numbers(at_once=200, together=200, workers=4, offered=1_000, budget=20)
NUMBERS = {
    Effort.QUICK: Numbers(at_once=40, together=40, workers=2, offered=300, budget=8),
    Effort.USUAL: FULL,
    Effort.FULL: FULL,
}


def prove(effort: Effort) -> Result:
    """QUICK takes a fifth of the trades and two workers; a machine that others keep busy gets fewer, and it is said."""
    slower = slowdown()
    asked = NUMBERS[effort]
    numbers = replace(asked, at_once=fewer(asked.at_once, slower), together=fewer(asked.together, slower))
    with tempfile.TemporaryDirectory(prefix="proof-load-") as name:
        folder = Path(name)
        with exchange(folder) as site:
            crowd, together, rush = asyncio.run(run(site, folder, numbers))
    return _result(effort, crowd, together, rush, slower)


async def run(site: Site, folder: Path, numbers: Numbers) -> tuple[Crowd, Crowd, Burst]:
    """One after the other, so that each has the machine to itself."""
    async with theatre(site, folder) as place:
        crowd = await resting(place, await place.seat("crowd"), numbers.at_once)
        await place.dismiss()
        together = await shared(place, await place.seat("shared"), numbers.together, numbers.workers)
        await place.dismiss()
        return crowd, together, await burst(place, await place.seat("burst"), numbers.offered, numbers.budget)


def _result(effort: Effort, crowd: Crowd, together: Crowd, rush: Burst, slower: float) -> Result:
    wrong: Sequence[str] = (*crowd.wrong, *together.wrong, *rush.wrong)
    busy = (f"others keep this machine busy ({slower:.1f} times slower): fewer trades at once",) if slower > 1 else ()
    return Result(
        "load",
        crowd.trades + together.trades + rush.offered,
        "trades, opportunities",
        violations=tuple(f"{one}; {AGAIN} --effort {effort}" for one in dict.fromkeys(wrong)),
        notes=(
            *busy,
            f"{crowd.trades} trades at once on one worker: first order after {crowd.first_order_s:.1f} s at most, "
            f"longest wait {crowd.wait.seconds:.2f} s ({crowd.wait.what}), {crowd.mb_per_trade:.2f} MB per open trade",
            f"{together.trades} trades on {together.workers} workers of one queue: {together.per_second:.0f} a second, "
            f"first order after {together.first_order_s:.1f} s at most, longest wait {together.wait.seconds:.2f} s",
            f"{rush.offered} opportunities, budget for {rush.budget}: {rush.entered} entered in {rush.seconds:.0f} s, "
            f"{rush.most_out:.2f} of {rush.limit:.2f} USD out at most, desk within its limit in {rush.looks} looks",
        ),
        figures={
            "at_once": crowd.trades,
            "machine_slower": round(slower, 1),
            "mb_per_open_trade": round(crowd.mb_per_trade, 3),
            "longest_wait_s": round(max(crowd.wait.seconds, together.wait.seconds, rush.wait.seconds), 2),
            "longest_first_order_s": round(max(crowd.first_order_s, together.first_order_s, rush.first_order_s), 2),
            "trades_per_second": round(together.per_second, 1),
            "workers": together.workers,
            "offered": rush.offered,
            "budget": rush.budget,
            "entered": rush.entered,
        },
    )
