"""The exchange of the soak: the shipped one, with many short-lived events that are mispriced often.

python -m proof.soak.exchange_process FOLDER PORT SEED WALLET [FAULT]...
"""

import asyncio
import sys
from decimal import Decimal
from pathlib import Path

from arbsaga.exchange.server import ExchangeSettings, run
from arbsaga.exchange.settings import EngineSettings
from arbsaga.exchange.traders import Mispricing
from arbsaga.exchange.world import WorldSettings
from workers import lifeline, logs
from workers.report import emit

DEPOSIT = Decimal(1_000_000)
EVENTS = 30
LIFETIME_S = (60, 120)
MISPRICING = Mispricing(window_ms=(100_000, 25_000), every_ms=(4_000, 8_000), life_ms=(1_500, 4_000), shares=(20, 80))
"""Not shortly before a market resolves: a trade that is undoing one leg by then can only be HELD."""
SETTLES = EngineSettings(mined_ms=(200, 800), confirmed_ms=(100, 600), retry_ms=(200, 600))


def settings(folder: Path, port: int, seed: int, wallet: str, faults: tuple[str, ...]) -> ExchangeSettings:
    """What the exchange is started with, each time the same."""
    return ExchangeSettings(
        folder,
        port=port,
        seed=seed,
        world=WorldSettings(neg_risk_events=EVENTS, binary_events=0, lifetime_s=LIFETIME_S, mispricing=MISPRICING),
        faults=faults,
        deposits={wallet: DEPOSIT},
        engine=SETTLES,
    )


def main() -> None:
    """Serve until told to stop, or until the soak is gone."""
    lifeline.die_with_parent()
    folder, port, seed, wallet, *faults = sys.argv[1:]
    logs.configure(Path(folder) / "logs" / "exchange.log")
    chosen = settings(Path(folder), int(port), int(seed), wallet, tuple(faults))
    asyncio.run(run(chosen, lambda url: emit("ready", url=url)))


if __name__ == "__main__":
    main()
