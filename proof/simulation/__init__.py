"""Layer 2: the real story on a virtual clock, in seeded weather, judged by the exchange's own record.

`python -m proof.simulation --seed N` shows one trade as a readable trace, `--shrink` finds the least bad weather
that still breaks the promise, `--speed` measures trades a second.
"""

from collections import Counter

from arbsaga.saga.simulator.weather import MOST
from proof.result import Effort, Result
from proof.simulation.many import Tally, run_blocks, same_twice
from proof.simulation.shrink import shrunk

SEEDS = {Effort.QUICK: 2_000, Effort.USUAL: 100_000, Effort.FULL: 2_000_000}
TWICE = {Effort.QUICK: 40, Effort.USUAL: 400, Effort.FULL: 2_000}
"""How many seeds are traced twice, in processes that hash strings differently."""


def prove(effort: Effort) -> Result:
    """Every seed's trade keeps the promise, every kind of weather struck, and the same seed is the same run."""
    tally = run_blocks(range(SEEDS[effort]))
    idle = [f"no seed ever met the weather `{kind}`: it proves nothing" for kind in MOST if not tally.struck[kind]]
    twice = [
        f"seed {seed} ran differently a second time: `python -m proof.simulation --seed {seed}`"
        for seed in same_twice(range(0, SEEDS[effort], SEEDS[effort] // TWICE[effort]))
    ]
    return Result(
        "simulation",
        tally.trades,
        "trades",
        seeds=tally.trades,
        violations=(*tally.violations, *idle, *twice),
        notes=(*_notes(tally, TWICE[effort]), *(shrunk(tally.failed[0]) if tally.failed else ())),
        figures={
            "trades_per_second_per_core": round(tally.speed),
            "effects": tally.effects,
            "crashes": tally.crashes,
            **{f"ended_{phase}": count for phase, count in sorted(tally.phases.items())},
        },
    )


def _notes(tally: Tally, twice: int) -> list[str]:
    held = Counter(tally.held).most_common(3)
    return [
        f"{tally.speed:,.0f} trades a second on a core, {tally.effects:,} effects, {tally.crashes:,} crashes replayed",
        "ended " + ", ".join(f"{phase} {count:,}" for phase, count in sorted(tally.phases.items())),
        *([f"held because {', '.join(f'{why} ({count:,})' for why, count in held)}"] if held else []),
        f"the longest trade took {tally.longest_ms // 1000:,} s of virtual time",
        "struck: " + ", ".join(f"{kind} {count:,}" for kind, count in sorted(tally.struck.items())),
        f"{twice:,} seeds ran twice, in other processes: the same to the byte",
    ]
