"""Many flows, over two processes."""

import multiprocessing
import tempfile
import traceback
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from proof.matching.compare import Compared, compare
from proof.result import Effort, Result

FLOWS = {Effort.QUICK: 180, Effort.USUAL: 1_600, Effort.FULL: 16_000}
PROCESSES = 2
BATCH = 20


def prove(effort: Effort) -> Result:
    """As many flows as the effort allows, from seed 0 on."""
    seeds = range(FLOWS[effort])
    batches = [seeds[at : at + BATCH] for at in range(0, len(seeds), BATCH)]
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        done = [one for batch in pool.map(compare_all, batches) for one in batch]
    orders, trades = sum(one.orders for one in done), sum(one.trades for one in done)
    figures = {
        "orders": orders,
        "trades": trades,
        "refused": sum(one.refused for one in done),
        "settled": sum(one.settled for one in done),
        "failed": sum(one.failed for one in done),
    }
    refused, failed = figures["refused"], figures["failed"]
    note = f"{orders:,} orders ({refused:,} refused as they must be), {trades:,} trades ({failed:,} failed to settle)"
    return Result(
        "matching",
        len(done),
        "order flows",
        seeds=len(done),
        violations=tuple(f"{one.wrong}; python -m proof.matching --seed {one.seed}" for one in done if one.wrong),
        notes=(f"{note}: the brute force agrees on each, nothing lost after any step",),
        figures=figures,
    )


def compare_all(seeds: Iterable[int]) -> list[Compared]:
    """Each seed's flow; an exchange that breaks on one has failed it."""
    done = []
    with tempfile.TemporaryDirectory(prefix="proof-matching-") as folder:
        for seed in seeds:
            try:
                done.append(compare(seed, Path(folder)))
            except Exception:  # noqa: BLE001 - whatever broke is this seed's finding, and is shown whole
                done.append(Compared(seed, wrong=f"seed {seed} broke:\n{traceback.format_exc()}"))
            for left in Path(folder).iterdir():
                left.unlink()
    return done
