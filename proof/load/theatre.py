"""Where the load is put on: one exchange, one Temporal server, and seats, each an account with its own ledger."""

import asyncio
import json
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import httpx
from coincurve import PrivateKey
from temporalio.client import Client

from arbsaga.domain.money import Usd
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import TradePlan
from arbsaga.venues.polymarket import PolymarketSettings, PolymarketVenue
from bench.site import Legs, Site, prepare
from proof.load.histories import Wait, longest, workers_of
from tools.check_truth import Findings, check
from workers.connect import TemporalSettings, connect
from workers.connect import prepare as prepare_temporal
from workers.temporal_server import EmbeddedTemporal

DEPOSIT = Usd(Decimal(1_000_000))
READY_S = 60.0
STARVED_S = 10.0
"""Nothing that is due waits longer than this to be worked on."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One account at the exchange, with a ledger, an alert log and a task queue of its own."""

    account: str
    key: str
    wallet: str
    folder: Path

    @property
    def queue(self) -> str:
        """Its task queue."""
        return self.account

    @property
    def alerts(self) -> Path:
        """Its alert log."""
        return self.folder / "alerts.jsonl"

    def ledger(self) -> Ledger:
        """Its ledger, opened once more."""
        return Ledger.open(f"sqlite:///{self.folder / 'ledger.sqlite'}", alert_log=self.alerts)


@dataclass(slots=True)
class Theatre:
    """The exchange, the Temporal server and the two legs that every trade of the load is made of."""

    site: Site
    folder: Path
    temporal: str
    client: Client
    legs: Legs
    workers: list[subprocess.Popen[str]] = field(default_factory=list)

    async def seat(self, name: str) -> Seat:
        """A new account with money, and the ledger that knows of it."""
        account = f"{name}-{secrets.token_hex(3)}"
        folder = self.folder / account
        folder.mkdir()
        key = "0x" + PrivateKey(secrets.token_bytes(32)).to_hex()
        venue = self.venue(key)
        await self.admin("deposit", address=venue.wallet, amount=str(DEPOSIT))
        seat = Seat(account, key, venue.wallet, folder)
        ledger = seat.ledger()
        ledger.open_account(account, venue.name, DEPOSIT)
        ledger.close()
        return seat

    def venue(self, key: str) -> PolymarketVenue:
        """The exchange as this account sees it; not started."""
        return PolymarketVenue(PolymarketSettings.at(self.site.url, key))

    async def admin(self, what: str, **body: str) -> None:
        """One of the exchange's own controls."""
        async with httpx.AsyncClient(base_url=self.site.url, timeout=10) as http:
            (await http.post(f"/admin/{what}", json=body)).raise_for_status()

    async def staff(self, seat: Seat, number: int, *, believing: bool = False) -> list[int]:
        """So many worker processes on the seat's queue; their process ids. `believing`: they take any book for deep."""
        command = [sys.executable, "-m", "proof.load.worker_process", self.temporal, self.site.url, str(seat.folder)]
        command += [seat.account, seat.key, "believing" if believing else "careful"]
        hired = [_hire(command, seat.folder / f"worker{at}.log") for at in range(number)]
        self.workers += hired
        for worker in hired:
            assert worker.stdout is not None
            line = await asyncio.wait_for(asyncio.to_thread(worker.stdout.readline), READY_S)
            assert line.strip() == "ready", f"a worker did not start: see {seat.folder}"
        return [worker.pid for worker in hired]

    async def dismiss(self) -> None:
        """End the worker processes; each stops when nobody holds its standard input."""
        for worker in self.workers:
            worker.communicate()
        self.workers.clear()

    def orders(self, seat: Seat) -> list[dict[str, object]]:
        """The exchange's lines of the seat's accepted orders, so far."""
        lines = self.site.truth.read_bytes().split(b"\n")[:-1]
        told = (json.loads(line) for line in lines if b'"kind":"order"' in line)
        return [line for line in told if line["address"].lower() == seat.wallet.lower()]

    def judge(self, seat: Seat, limit: Decimal | None = None) -> Findings:
        """What the independent judge says of the seat."""
        ledger = seat.folder / "ledger.sqlite"
        return check(self.site.truth, ledger, seat.alerts, seat.account, seat.wallet, limit=limit)

    async def waits(self, workflow_ids: Sequence[str]) -> tuple[Wait, set[str]]:
        """The longest that anything in these workflows' histories waited, and the workers that worked on them."""
        gate = asyncio.Semaphore(8)

        async def of(workflow_id: str) -> tuple[Wait, set[str]]:
            async with gate:
                history = await self.client.get_workflow_handle(workflow_id).fetch_history()
            return longest(workflow_id, history.events), workers_of(history.events)

        found = await asyncio.gather(*map(of, workflow_ids))
        waits, workers = [wait for wait, _ in found], [each for _, each in found]
        return max(waits, key=lambda wait: wait.seconds), set().union(*workers)

    def first_orders(self, seat: Seat, plans: Sequence[TradePlan]) -> dict[str, float]:
        """Seconds from each trade's decision to its first order at the exchange; trades without any are missing."""
        ledger = seat.ledger()
        trade_of = {intent.order_id: intent.terms.trade_id for intent in ledger.intents(seat.account)}
        ledger.close()
        decided = {plan.trade_id: plan.decided_ms for plan in plans}
        taken: dict[str, float] = {}
        for line in self.orders(seat):
            trade = trade_of.get(str(line["order_id"]), "")
            if trade in decided and trade not in taken:
                taken[trade] = (int(str(line["received_ms"])) - decided[trade]) / 1000
        return taken


@asynccontextmanager
async def theatre(site: Site, folder: Path) -> AsyncIterator[Theatre]:
    """Everything started, and stopped at the end."""
    server = EmbeddedTemporal(folder / "temporal", ui_port=None)
    (folder / "temporal").mkdir()
    await server.start()
    try:
        settings = TemporalSettings(server.address)
        await prepare_temporal(settings)
        looking = PolymarketVenue(PolymarketSettings.at(site.url, site.key))
        await looking.start()
        legs = await prepare(site, looking)
        await looking.close()
        place = Theatre(site, folder, server.address, await connect(settings), legs)
        try:
            yield place
        finally:
            await place.dismiss()
    finally:
        await server.stop()


def _hire(command: Sequence[str], log: Path) -> "subprocess.Popen[str]":
    with log.open("w") as errors:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)


def rss_mb(pid: int) -> float:
    """A process's resident memory in MB; 0 where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


def now_ms() -> int:
    """The wall clock in ms."""
    return time.time_ns() // 1_000_000
