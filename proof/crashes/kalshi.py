"""One account's Kalshi: the real simulated exchange in a process of its own, which dies and comes back on its port."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from urllib.parse import urlsplit

from arbsaga.exchange.kalshi.model import WHOLE_CENTS
from arbsaga.exchange.kalshi.paired_world import TAPERED
from arbsaga.exchange.kalshi.server import KalshiSettings, run
from arbsaga.exchange.kalshi.world import Kind, WorldSettings
from proof.crashes import admin, child
from proof.crashes.setting import CASH, MEMBER, SHARDS, TRUTH

MARKETS = 24
"""Questions of one market each: no two trades after each other share a book."""
EDGE = "0.05"


def kind(number: int) -> Kind:
    """A question: on each shard in turn, with both grids and both kinds of fees."""
    name = f"KXQ{number}"
    maker_fees, tapered = number % 3 == 1, number % 4 == 2
    return Kind(
        name,
        f"{name}-27",
        "Economics",
        f"Does number {number} happen?",
        ("YES",),
        "quadratic_with_maker_fees" if maker_fees else "quadratic",
        exchange_index=SHARDS[number % len(SHARDS)],
        price_ranges=TAPERED if tapered else WHOLE_CENTS,
    )


WORLD = WorldSettings(kinds=tuple(map(kind, range(MARKETS))))


def main(folder: Path, port: int, seed: int, wire: Connection) -> None:
    """Serve until killed; `wire` is told the URL. `port` 0 takes a free one."""
    child.begin(folder / "kalshi.log")
    pid_file(folder).write_text(str(os.getpid()))
    deposits = {(MEMBER, shard): Decimal(CASH) for shard in SHARDS}
    settings = KalshiSettings(folder, port=port, seed=seed, world=WORLD, deposits=deposits, truth=TRUTH)
    asyncio.run(run(settings, wire.send))


def pid_file(folder: Path) -> Path:
    """Who is to be killed."""
    return folder / "kalshi.pid"


def kill(folder: Path) -> None:
    """kill -9."""
    os.kill(int(pid_file(folder).read_text()), signal.SIGKILL)


async def pause(url: str, seconds: float) -> None:
    """Trading is halted everywhere, and goes on later."""
    await admin.ask(url, "POST", "halt", {"trading": True})
    await asyncio.sleep(seconds)
    await admin.ask(url, "POST", "halt", {})


class Keeper:
    """Keeps the process running: when it dies it comes back on the same port, after `away_s`."""

    def __init__(self, start: Callable[[int], tuple[BaseProcess, str]]) -> None:
        """`start` starts it on a port (0: a free one) and gives the process and its URL. Raises Unavailable."""
        self._start = start
        self._process, self.url = start(0)
        self.away_s = 0.0
        self._closing = False
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Kill it for good."""
        self._closing = True
        self._process.kill()
        self._thread.join()

    def _keep(self) -> None:
        port = urlsplit(self.url).port
        assert port is not None, "an exchange names its port"
        while True:
            self._process.join()
            if self._closing:
                return
            time.sleep(self.away_s)
            self._process, _ = self._start(port)
