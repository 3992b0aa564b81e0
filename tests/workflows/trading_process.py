"""A trading worker as a process of its own, to be killed: prints a line when it is ready, works until then."""

import asyncio
import sys
from functools import partial
from pathlib import Path

import structlog

from activities.desk import DeskActivities
from activities.trading import TradingActivities
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.venues.polymarket import PolymarketSettings, PolymarketVenue
from workers.connect import TemporalSettings, connect
from workers.start import tell_desk
from workers.worker import build_worker


async def work(temporal: str, exchange: str, folder: Path, key: str, task_queue: str) -> None:
    client = await connect(TemporalSettings(temporal))
    venue = PolymarketVenue(PolymarketSettings.at(exchange, key))
    await venue.start()
    ledger = Ledger.open(f"sqlite:///{folder}/ledger.sqlite", alert_log=folder / "alerts.jsonl")
    pager = Pager([], folder / "alerts.jsonl", lambda text: None)
    trading = TradingActivities(venue, ledger, pager)
    desk = DeskActivities(client, ledger, partial(tell_desk, client, task_queue))
    async with build_worker(client, [*trading.all(), *desk.all()], task_queue):
        print("ready", flush=True)
        await asyncio.sleep(600)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(work(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4], sys.argv[5]))
