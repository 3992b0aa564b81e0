"""An exchange of the soak: the shipped one, with many short-lived events that are mispriced often.

Where the folder names paired questions both exchanges list them, and their prices drift apart. One that is to be away
(`outage.py`) waits before it serves.

python -m proof.soak.exchange_process VENUE FOLDER PORT SEED ACCOUNT [FAULT]...
"""

import asyncio
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from arbsaga.exchange.kalshi import server as kalshi
from arbsaga.exchange.kalshi.venue import WireSettings
from arbsaga.exchange.kalshi.world import WorldSettings as KalshiWorld
from arbsaga.exchange.server import ExchangeSettings, run
from arbsaga.exchange.settings import EngineSettings
from arbsaga.exchange.traders import Mispricing
from arbsaga.exchange.world import WorldSettings
from proof.soak import outage, pairs
from workers import lifeline, logs
from workers.folder import DataFolder
from workers.paper import SHARDS
from workers.report import emit

DEPOSIT = Decimal(1_000_000)
EVENTS, FEWER_EVENTS = 30, 20
LIFETIME_S = (60, 120)
MISPRICING = Mispricing(window_ms=(100_000, 25_000), every_ms=(4_000, 8_000), life_ms=(1_500, 4_000), shares=(20, 80))
"""Not shortly before a market resolves: a trade that is undoing one leg by then can only be HELD."""
SETTLES = EngineSettings(mined_ms=(200, 800), confirmed_ms=(100, 600), retry_ms=(200, 600))


WIRE = WireSettings(tier="premier")
"""Two traders that check a dozen pairs every two seconds ask more than a new account may."""


@dataclass(frozen=True, slots=True)
class Seat:
    """What an exchange is started with, each time the same. `account`: a wallet, or Kalshi's member."""

    folder: Path
    port: int
    seed: int
    account: str
    faults: tuple[str, ...]

    def polymarket(self) -> ExchangeSettings:
        """Of the first venue; where there are two, with fewer events of its own."""
        paired = pairs.settings(self.folder)
        return ExchangeSettings(
            self.folder,
            port=self.port,
            seed=self.seed,
            world=WorldSettings(
                neg_risk_events=EVENTS if paired is None else FEWER_EVENTS,
                binary_events=0,
                lifetime_s=LIFETIME_S,
                mispricing=MISPRICING,
                paired=paired,
            ),
            faults=self.faults,
            deposits={self.account: DEPOSIT},
            engine=SETTLES,
        )

    def kalshi(self) -> kalshi.KalshiSettings:
        """Of the second."""
        return kalshi.KalshiSettings(
            self.folder,
            port=self.port,
            seed=self.seed,
            world=KalshiWorld(paired=pairs.settings(self.folder)),
            faults=self.faults,
            deposits={(self.account, shard): DEPOSIT for shard in SHARDS},
            truth=DataFolder(self.folder).truth_kalshi.name,
            wire=WIRE,
        )


def main() -> None:
    """Serve until told to stop, or until the soak is gone."""
    lifeline.die_with_parent()
    venue, folder, port, seed, account, *faults = sys.argv[1:]
    logs.configure(Path(folder) / "logs" / f"exchange-{venue}.log")
    seat = Seat(Path(folder), int(port), int(seed), account, tuple(faults))
    outage.stay_away(seat.folder, venue)
    if venue == "kalshi":
        asyncio.run(kalshi.run(seat.kalshi(), lambda url: emit("ready", url=url)))
    else:
        asyncio.run(run(seat.polymarket(), lambda url: emit("ready", url=url)))


if __name__ == "__main__":
    main()
