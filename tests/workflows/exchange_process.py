"""The simulated exchange as a process of its own: prints its URL, serves until it is killed."""

import asyncio
import sys
from decimal import Decimal
from pathlib import Path

import structlog

from arbsaga.exchange.engine import EngineSettings
from arbsaga.exchange.server import ExchangeSettings, run
from arbsaga.exchange.world import WorldSettings

WORLD = WorldSettings(neg_risk_events=8, binary_events=0, lifetime_s=(900, 950), mispricing=None)
QUICK = EngineSettings(mined_ms=(300, 400), confirmed_ms=(300, 400), retry_ms=(100, 100))


def main() -> None:
    folder, wallet, faults = Path(sys.argv[1]), sys.argv[2], tuple(sys.argv[3:])
    settings = ExchangeSettings(
        folder, seed=7, world=WORLD, engine=QUICK, deposits={wallet: Decimal(2_000)}, faults=faults
    )
    asyncio.run(run(settings, lambda url: print(url, flush=True)))


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    main()
