"""What is killed when: a pure function of the seed."""

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

KEEPER_DIES = 0.3
"""How often a kill of Temporal hits the process that keeps the server, instead of the server itself."""


class Victim(StrEnum):
    """The processes that are killed. The watchdog is not: it has to see everything."""

    TRADER_A = "trader-a"
    TRADER_B = "trader-b"
    TEMPORAL = "temporal"
    EXCHANGE = "exchange"
    KALSHI = "exchange-kalshi"

    @property
    def kind(self) -> str:
        """What the figures are grouped by: the two traders are one kind."""
        return "trader" if self in TRADERS else str(self)

    @property
    def venue(self) -> str:
        """The venue whose exchange it is; empty for the other processes."""
        return {Victim.EXCHANGE: "polymarket", Victim.KALSHI: "kalshi"}.get(self, "")


TRADERS = (Victim.TRADER_A, Victim.TRADER_B)
KINDS = ("trader", "temporal", "exchange", "exchange-kalshi")


def victims(venues: Collection[str]) -> list[Victim]:
    """Who can be killed in a soak at these venues."""
    return [victim for victim in Victim if not victim.venue or victim.venue in venues]


@dataclass(frozen=True, slots=True)
class Kill:
    """`victim` gets SIGKILL `at_s` seconds after the killing began.

    With `keeper` it is not the Temporal server that dies, but the process that keeps it, and the server with it.
    """

    at_s: float
    victim: Victim
    keeper: bool = False


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds between two kills, drawn evenly between these."""

    least_s: float = 2.0
    most_s: float = 15.0


def kills(seed: int, pauses: Pauses, venues: Collection[str] = ("polymarket",)) -> Iterator[Kill]:
    """Kills without end, in order of time. Each process gets one before any gets another, so that none is spared."""
    among = victims(venues)
    rng = random.Random(f"soak {seed}")
    at_s = 0.0
    while True:
        for victim in rng.sample(among, len(among)):
            at_s += rng.uniform(pauses.least_s, pauses.most_s)
            keeper = rng.random() < KEEPER_DIES
            yield Kill(round(at_s, 3), victim, keeper=keeper and victim is Victim.TEMPORAL)
