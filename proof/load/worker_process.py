"""A trading worker as a process of its own: prints a line when it is ready, works until its standard input closes."""

import asyncio
import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path

import structlog

from activities.depth import DepthSettings
from activities.desk import DeskActivities
from activities.trading import TradingActivities
from arbsaga.domain.books import Book, Level
from arbsaga.domain.money import Price, Size
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.venues.polymarket import PolymarketSettings, PolymarketVenue
from workers.connect import TemporalSettings, connect
from workers.start import tell_desk
from workers.worker import build_worker


def deep(tokens: Sequence[str]) -> list[Book]:
    """Books in which everything can be had: with them an order can be made to rest at the exchange."""
    at = time.time_ns() // 1_000_000
    asks = (Level(Price(Decimal("0.01")), Size(Decimal(1_000_000))),)
    return [Book(token, (), asks, 0, at, at) for token in tokens]


async def work(temporal: str, exchange: str, folder: Path, account: str, *, key: str, believing: bool) -> None:
    """Serve the account's queue, which has its name."""
    client = await connect(TemporalSettings(temporal))
    venue = PolymarketVenue(PolymarketSettings.at(exchange, key))
    await venue.start()
    alerts = folder / "alerts.jsonl"
    ledger = Ledger.open(f"sqlite:///{folder / 'ledger.sqlite'}", alert_log=alerts)
    live = deep if believing else None
    trading = TradingActivities(venue, ledger, Pager([], alerts, lambda _: None), live, DepthSettings(60_000))
    desk = DeskActivities(client, ledger, partial(tell_desk, client, account))
    async with build_worker(client, [*trading.all(), *desk.all()], account):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
    await venue.close()
    ledger.close()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    _, temporal, exchange, folder, account, key, books = sys.argv
    asyncio.run(work(temporal, exchange, Path(folder), account, key=key, believing=books == "believing"))
