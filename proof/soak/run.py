"""One soak: start everything, trade and kill, let all trades end, judge."""

import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from arbsaga.config import load
from arbsaga.errors import ArbsagaError
from arbsaga.ledger import Ledger
from proof.soak import pairs
from proof.soak.judging import still_open, violations
from proof.soak.lives import read_lives, read_record
from proof.soak.outage import Away, Outage
from proof.soak.plan import Pauses, kills
from proof.soak.recovery import Recovery, never_moved, recoveries
from proof.soak.stage import Stage, Struck, now_ms, running
from proof.soak.weathering import Weathered, weathered
from workers import logs
from workers.connect import connect
from workers.connections import temporal_settings
from workers.exchange_admin import ExchangeAdmin
from workers.folder import DataFolder
from workers.paper import ensure_key
from workers.site import exchange_url, open_ledger
from workers.truths import journals

FAULTS = (
    "drop_response:0.005",
    "lose_leg:0.01,only=entry",
    "fail_settlement:0.002,only=entry",
    "duplicate_events:0.02",
)
"""What goes wrong on the wire beside the kills, at low rates."""
KALSHI_FAULTS = (
    "drop_response:0.02",
    "lose_leg:0.03,only=entry",
    "partial:0.05,share=0.3337,only=entry",
    "status:0.01,code=500,after=1",
    "duplicate_events:0.02",
    "stale_read:0.02,seconds=2",
)
"""The same at Kalshi, where fewer orders are sent."""
SLOWEST = 0.5
"""Trades a second; a soak that is slower is stopped and says so. Two quiet cores do 4."""
SPARE_S = 60.0
DRAIN_S, SETTLE_S, SWEEP_S = 90.0, 30.0, 20.0
TICK_S = 0.05
AFTERWARDS_MS = 8_000
"""How long is traded on after an outage, so that its end is seen."""


@dataclass(frozen=True, slots=True)
class Soak:
    """What to do: so many trades that send an order, kills by this seed. `keep`: leave the run's folder in any case.

    At several `venues` the exchange of each is a process that is killed too, and what both list is traded between them.
    """

    trades: int
    seed: int
    pauses: Pauses = field(default_factory=Pauses)
    faults: tuple[str, ...] = FAULTS
    keep: bool = False
    venues: tuple[str, ...] = ("polymarket",)
    kalshi_faults: tuple[str, ...] = KALSHI_FAULTS
    outage: Outage | None = None


@dataclass(slots=True)
class Outcome:
    """What came of it. `folder` is there where something was violated, or it was to be kept. `across`: trades over
    both venues that sent an order."""

    folder: Path
    violations: list[str] = field(default_factory=list)
    struck: list[Struck] = field(default_factory=list)
    recovered: dict[str, Recovery] = field(default_factory=dict)
    phases: Counter[str] = field(default_factory=Counter)
    faults: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    orders: int = 0
    trades: int = 0
    across: int = 0
    away: Away | None = None
    weathered: Weathered | None = None
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Trades that sent an order, a second, while processes were being killed."""
        return self.trades / self.seconds if self.seconds else 0.0


async def run(soak: Soak) -> Outcome:
    """Do it. Whatever cannot be finished in time is a violation that says what is stuck."""
    folder = DataFolder(Path(tempfile.mkdtemp(prefix="arbsaga-soak-")))
    config = load(data_dir=folder.path, venues=soak.venues)
    folder.create()
    ensure_key(config, folder)
    if len(soak.venues) > 1:
        pairs.begin(folder.path, soak.seed)
    logs.configure(folder.log("soak"))
    outcome = Outcome(folder.path)
    faults = {"polymarket": soak.faults, "kalshi": soak.kalshi_faults}
    try:
        async with running(config, soak.seed, faults) as stage:
            async with pairs.approving(config, folder):
                await _trade_and_kill(stage, soak, outcome)
            await _let_end(stage, outcome)
            with closing(open_ledger(config, folder)) as ledger:
                await _measure(stage, ledger, outcome)
                outcome.violations += violations(config, folder, ledger)
    except ArbsagaError as error:
        outcome.violations.append(f"it broke off: {error}")
    logs.close()
    if not outcome.violations and not soak.keep:
        shutil.rmtree(folder.path)
    return outcome


async def _trade_and_kill(stage: Stage, soak: Soak, outcome: Outcome) -> None:
    """Until enough trades have sent an order and the outage is over, or they are too slow."""
    began = time.monotonic()
    deadline = began + soak.trades / SLOWEST + SPARE_S + (soak.outage.until_s if soak.outage else 0.0)
    outage = asyncio.create_task(stage.endure(soak.outage, began)) if soak.outage else None
    plan = kills(soak.seed, soak.pauses, soak.venues)
    kill = next(plan)
    while time.monotonic() < deadline and not _enough(stage, soak, outcome):
        if time.monotonic() >= began + kill.at_s:
            if (struck := stage.strike(kill)) is not None:
                outcome.struck.append(struck)
            kill = next(plan)
        if outage is not None and outage.done():
            outcome.away = outage.result()
        await asyncio.sleep(TICK_S)
    if outage is not None:
        outage.cancel()
    outcome.seconds = time.monotonic() - began
    outcome.trades = len(stage.heard.sent)
    if not _enough(stage, soak, outcome):
        pace = f"{outcome.trades} trades in {outcome.seconds:.0f} s"
        outcome.violations.append(f"too slow: {pace}, {soak.trades} were wanted; {_stuck(stage)}")


def _enough(stage: Stage, soak: Soak, outcome: Outcome) -> bool:
    over = soak.outage is None or (outcome.away is not None and now_ms() > outcome.away.until_ms + AFTERWARDS_MS)
    return over and len(stage.heard.sent) >= soak.trades


async def _let_end(stage: Stage, outcome: Outcome) -> None:
    """The killing is over: every trade ends, everything settles, every payout is booked."""
    for child in stage.children.values():
        await child.wait_ready(SPARE_S)
    if not await stage.ask_traders("drain", "drained", DRAIN_S):
        outcome.violations.append(f"not ended {DRAIN_S:.0f} s after the last kill: {_stuck(stage)}")
    try:
        await asyncio.gather(*(_settle(stage, venue) for venue in stage.config.venues))
    except ArbsagaError as error:
        outcome.violations.append(f"an exchange did not settle: {error}")
    if not await stage.ask_traders("sweep", "swept", SWEEP_S):
        outcome.violations.append(f"payouts were not swept within {SWEEP_S:.0f} s")
    outcome.restarts = sum(stage.heard.restarts.values())


async def _settle(stage: Stage, venue: str) -> None:
    async with ExchangeAdmin(exchange_url(stage.config, stage.folder, venue)) as admin:
        await admin.settle(SETTLE_S)


def _stuck(stage: Stage) -> str:
    """The trades without an end, by their last phase."""
    open_trades = stage.heard.open
    if not open_trades:
        return "no trade that was told of is open"
    named = ", ".join(f"{trade_id} {phase}" for trade_id, phase in list(open_trades.items())[:10])
    return f"{len(open_trades)} open: {named}"


async def _measure(stage: Stage, ledger: Ledger, outcome: Outcome) -> None:
    """Counts and recovery times from the records, and the trades that never moved again."""
    client = await connect(temporal_settings(stage.config, stage.folder))
    outcome.violations += [f"workflow {name} is still running" for name in await still_open(client)]
    rows = ledger.trades()
    decided = {row.trade_id: row.decided_ms for row in rows}
    record = read_record(journals(stage.config, stage.folder), ledger.intents(stage.config.account), decided)
    moments = [kill.ms for kill in outcome.struck] + ([outcome.away.from_ms] if outcome.away else [])
    lives = await read_lives(client, moments, record)
    outcome.recovered = dict(recoveries(outcome.struck, lives, record.entries))
    if outcome.away is not None:
        sent = [life for life in lives if life.trade_id in record.orders]
        outcome.weathered = weathered(outcome.away, sent, record.entries)
    if outcome.struck:
        dead = never_moved(lives, outcome.struck[-1].ms)
        outcome.violations += [f"trade {trade_id} never moved again after the last kill" for trade_id in dead]
    outcome.phases = Counter(str(row.phase) for row in rows)
    outcome.orders = sum(len(received) for received in record.orders.values())
    outcome.faults = dict(record.faults)
    across = {row.trade_id for row in rows if len({leg.instrument.venue for leg in row.plan.basket.legs}) > 1}
    outcome.across = len(across & record.orders.keys())


def command(soak: Soak) -> str:
    """What shows it again."""
    return f"python -m proof.soak --trades {soak.trades} --seed {soak.seed} --venues {','.join(soak.venues)}"


def told(soak: Soak, outcome: Outcome) -> Sequence[str]:
    """The violations as sentences, with the command and the folder."""
    return [f"{line} ({command(soak)}; records in {outcome.folder})" for line in outcome.violations]
