"""One account's exchange: the real simulated exchange on a real port, in a process of its own."""

import asyncio
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path

from arbsaga.exchange.engine import EngineSettings
from arbsaga.exchange.server import ExchangeSettings, run
from arbsaga.exchange.world import WorldSettings
from proof.crashes import child
from proof.crashes.setting import CASH

WORLD = WorldSettings(neg_risk_events=16, binary_events=0, lifetime_s=(86_400, 86_401), mispricing=None)
QUICK = EngineSettings(mined_ms=(100, 150), confirmed_ms=(100, 150), retry_ms=(100, 100))


def main(folder: Path, wallet: str, seed: int, wire: Connection) -> None:
    """Serve until killed; `wire` is told the URL."""
    child.begin(folder / "exchange.log")
    settings = ExchangeSettings(folder, seed=seed, world=WORLD, engine=QUICK, deposits={wallet: Decimal(CASH)})
    asyncio.run(run(settings, wire.send))
