"""Many seeds over two processes, in blocks whose borders are the same in every run."""

import gc
import hashlib
import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from arbsaga.saga.messages import Phase
from arbsaga.saga.simulator.run import Run, run_seed
from arbsaga.saga.simulator.weather import Weather

BLOCK = 500
PROCESSES = 2
ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Tally:
    """What many runs came to. `cpu_s` is the processor time they took, on however many cores."""

    trades: int = 0
    effects: int = 0
    crashes: int = 0
    longest_ms: int = 0
    cpu_s: float = 0.0
    phases: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    """The seeds that broke the promise."""

    @property
    def speed(self) -> float:
        """Trades a second of one core."""
        return self.trades / self.cpu_s if self.cpu_s else 0.0

    def add(self, run: Run) -> None:
        """One more run."""
        self.trades += 1
        self.effects += run.effects
        self.crashes += run.crashes
        self.longest_ms = max(self.longest_ms, run.lasted_ms)
        self.phases[run.record.phase.value] += 1
        if run.record.phase is Phase.HELD:
            self.held[re.sub(r"\d+", "n", run.record.reason)] += 1
        self.struck.update(dict(run.struck))
        self.violations += [f"seed {run.seed}: {broken}; {again(run.seed)}" for broken in run.violations]
        self.failed += [run.seed] if run.violations else []

    def join(self, other: "Tally") -> None:
        """The runs of another tally too."""
        self.trades += other.trades
        self.effects += other.effects
        self.crashes += other.crashes
        self.longest_ms = max(self.longest_ms, other.longest_ms)
        self.cpu_s += other.cpu_s
        self.phases.update(other.phases)
        self.held.update(other.held)
        self.struck.update(other.struck)
        self.violations += other.violations
        self.failed += other.failed


def again(seed: int, weather: Weather | None = None, legs: int = 0) -> str:
    """The command that shows this run."""
    given = f" --weather {weather.in_words() or 'fair'}" if weather is not None else ""
    return f"`python -m proof.simulation --seed {seed}{given}{f' --legs {legs}' if legs else ''}`"


def run_block(seeds: Sequence[int], weather: Weather | None = None) -> Tally:
    """The runs of a block of seeds. One that breaks off counts as a violation: it has not kept the promise."""
    tally = Tally()
    gc.disable()  # a run leaves cycles behind: they are collected once a block, not ten times a run
    began = time.process_time()
    for seed in seeds:
        try:
            tally.add(run_seed(seed, weather))
        except Exception as error:  # noqa: BLE001 - whatever broke off is told, and the other seeds go on
            tally.trades += 1
            tally.failed.append(seed)
            tally.violations.append(f"seed {seed}: broke off with {error!r}; {again(seed, weather)}")
    gc.collect()
    gc.enable()
    tally.cpu_s = time.process_time() - began
    return tally


def run_blocks(seeds: range, weather: Weather | None = None) -> Tally:
    """All seeds, over two processes. Blocks are added in the order of their seeds, so that the result is the same."""
    blocks = [seeds[start : start + BLOCK] for start in range(0, len(seeds), BLOCK)]
    tally = Tally()
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        for block in pool.map(run_block, blocks, [weather] * len(blocks)):
            tally.join(block)
    return tally


def traced(seed: int, weather: Weather | None = None, legs: int = 0) -> tuple[Run, list[str]]:
    """The run of a seed and its trace, one line an event."""
    trace: list[str] = []
    return run_seed(seed, weather, legs=legs, trace=trace), trace


def digest(seed: int) -> str:
    """SHA-256 of the whole trace of a seed and of its record, to the last digit."""
    run, trace = traced(seed)
    return hashlib.sha256("\n".join([*trace, repr(run)]).encode()).hexdigest()


def same_twice(seeds: Sequence[int]) -> list[int]:
    """The seeds whose runs differ between two processes that hash strings differently. None should."""
    first, second = (_digests(seeds, hash_seed) for hash_seed in ("1", "20000"))
    return [seed for seed, one, other in zip(seeds, first, second, strict=True) if one != other]


def _digests(seeds: Sequence[int], hash_seed: str) -> list[str]:
    """The digests of seeds, by a new process with its own PYTHONHASHSEED."""
    command = [sys.executable, "-m", "proof.simulation", "--digests", *map(str, seeds)]
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()
