"""The trade bench: `make bench`, or `python -m bench [--trades N] [--warmup N] [--json]`.

The same two-leg trades (a) by bare asyncio with the user stream, (b) the same polling every 100 ms, (c) as Temporal
workflows, each at 0 and at 25 ms of venue latency. Decision is the making of the plan, wire the moment when the
exchange has an order's bytes, on the same monotonic clock; hedged is when all legs are known to be matched.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from activities.depth import DepthCheck, DepthSettings
from arbsaga.ledger import Ledger
from arbsaga.venues.polymarket import PolymarketSettings, PolymarketVenue
from bench import floor, signing
from bench.durable import Durable, durable
from bench.floor import Done
from bench.site import Legs, Site, exchange, prepare

LATENCIES_MS = (0, 25)
IN_FLIGHT = 8
FAR_MS = 2**52
Trade = Callable[[], Awaitable[Done | None]]


@dataclass(frozen=True, slots=True)
class Run:
    """The trades of one way at one latency."""

    way: str
    latency_ms: int
    trades: list[Done]
    missed: int


def percentiles(values: list[float]) -> dict[str, float]:
    """p50 and p99, rounded to 10 µs."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2)}


def measured(run: Run, arrivals: dict[str, int]) -> dict[str, Any]:
    """One row of the table, in ms."""
    wire, skew, hedged = [], [], []
    for done in run.trades:
        at = [arrivals[order_id] for order_id in done.order_ids]
        wire.append((max(at) - done.plan.decided_ns) / 1e6)
        skew.append((max(at) - min(at)) / 1e6)
        hedged.append((done.hedged_ns - done.plan.decided_ns) / 1e6)
    return {
        "way": run.way,
        "latency_ms": run.latency_ms,
        "trades": len(run.trades),
        "missed": run.missed,
        "decision_to_wire_ms": percentiles(wire),
        "leg_skew_ms": percentiles(skew),
        "decision_to_hedged_ms": percentiles(hedged),
    }


async def repeat(way: str, latency_ms: int, trade: Trade, warmup: int, trades: int) -> Run:
    """Trades one after the other; the first ones do not count."""
    done = [await trade() for _ in range(warmup + trades)][warmup:]
    hedged = [one for one in done if one is not None]
    return Run(way, latency_ms, hedged, len(done) - len(hedged))


async def bench(site: Site, directory: Path, warmup: int, trades: int) -> dict[str, Any]:
    """Every way at every latency, then throughput and history length."""
    depth = DepthSettings(max_book_age_ms=60_000)
    ledger = Ledger.open(f"sqlite:///{directory / 'ledger.db'}")
    venue = PolymarketVenue(PolymarketSettings.at(site.url, site.key))
    await venue.start()
    try:
        legs = await prepare(site, venue)
        check = DepthCheck(venue, ledger, None, depth)
        runs = []
        async with durable(directory, venue, ledger, depth) as running:
            for ms in LATENCIES_MS:
                await site.latency(ms)
                ways = ways_to_trade(venue, check, running, legs)
                runs += [await repeat(way, ms, trade, warmup, trades) for way, trade in ways.items()]
            await site.latency(0)
            rate = await throughput(running, legs, trades)
            events = [await running.events(done.plan) for done in runs[2].trades[:20]]
        rows = [measured(run, site.arrivals()) for run in runs]
    finally:
        await venue.close()
        ledger.close()
    return {"rows": rows, "trades_per_second": rate, "history_events": statistics.median(events)}


def ways_to_trade(venue: PolymarketVenue, check: DepthCheck, running: Durable, legs: Legs) -> dict[str, Trade]:
    """The three ways, by the name they have in the table."""

    def bare(*, stream: bool) -> Trade:
        return lambda: floor.trade(venue, check, legs.plan("bench", "none", FAR_MS), stream=stream)

    return {
        "a bare asyncio": bare(stream=True),
        "b bare, polling 100 ms": bare(stream=False),
        "c durable": lambda: running.trade(legs),
    }


async def throughput(running: Durable, legs: Legs, trades: int) -> float:
    """Whole durable trades per second, with some in flight at any time."""
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def one() -> bool:
        async with slots:
            return await running.trade(legs) is not None

    started = time.monotonic()
    hedged = sum(await asyncio.gather(*(one() for _ in range(trades))))
    return round(hedged / (time.monotonic() - started), 1)


def table(figures: dict[str, Any]) -> Table:
    """The figures for people: each durable row with its difference and ratio to the floor at the same latency."""
    shown = Table(title="decision to wire, leg skew, decision to HEDGED (ms, p50 / p99)")
    for name in ("way", "latency", "trades", "to wire", "over floor", "skew", "to hedged", "ratio p50"):
        shown.add_column(name, justify="left" if name == "way" else "right")
    floors = {row["latency_ms"]: row for row in figures["rows"] if row["way"].startswith("a ")}
    for row in figures["rows"]:
        base = floors[row["latency_ms"]]
        wire, hedged, skew = row["decision_to_wire_ms"], row["decision_to_hedged_ms"], row["leg_skew_ms"]
        over = {key: wire[key] - base["decision_to_wire_ms"][key] for key in wire}
        ratio = hedged["p50"] / base["decision_to_hedged_ms"]["p50"]
        shown.add_row(
            row["way"],
            f"{row['latency_ms']} ms",
            f"{row['trades']}" + (f" (-{row['missed']})" if row["missed"] else ""),
            *(f"{pair['p50']:.2f} / {pair['p99']:.2f}" for pair in (wire, over, skew, hedged)),
            f"{ratio:.2f}",
        )
    return shown


def main() -> None:
    """Measure and print: a table and a few lines, or with --json one object."""
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trades", type=int, default=500, help="counted trades of each way at each latency")
    parser.add_argument("--warmup", type=int, default=50, help="trades before those, not counted")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, exchange(Path(directory)) as site:
        figures = asyncio.run(bench(site, Path(directory), chosen.warmup, chosen.trades))
    figures["signing"] = signing.figures()
    figures["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    if chosen.json:
        print(json.dumps(figures))
        return
    console = Console(width=120)
    console.print(table(figures))
    console.print(f"durable trades per second, {IN_FLIGHT} in flight: {figures['trades_per_second']}")
    console.print(f"history events of a clean trade: {figures['history_events']:.0f}")
    for name, value in figures["signing"].items():
        console.print(f"{name}: {value}")
    console.print(figures["machine"])


if __name__ == "__main__":
    main()
