"""A heart as a process of its own, to be killed: prints a line for each order that rests, beats until then."""

import asyncio
import sys
from pathlib import Path

import structlog

from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.venues.polymarket import PolymarketDeadMan, PolymarketSettings
from workers.heartbeat import Heart, Rhythm


async def main(url: str, folder: Path, key: str, account: str) -> None:
    ledger = Ledger.open(f"sqlite:///{folder / 'ledger.sqlite'}")
    pager = Pager([], folder / "alerts.jsonl", lambda text: None)
    heart = Heart(
        lambda: PolymarketDeadMan(PolymarketSettings.at(url, key)),
        ledger,
        pager,
        account=account,
        lock_file=folder / "heartbeat.lock",
        rhythm=Rhythm(0.2, 0.1, 0.05),
    )
    print("ready", flush=True)
    await heart.run(asyncio.Event())


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
