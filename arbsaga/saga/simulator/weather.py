"""What can go wrong in a simulated trade, and how likely: drawn once for each seed."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weather:
    """Chances in 0..1 for each order, call or fill; times in ms.

    `thin`: the order finds no liquidity; `part`: it finds a part. `refuse`: a proved refusal.
    `drop`: accepted, the answer lost. `lost`: never delivered, the answer lost. `late`: delivered
    only `late_ms` after, the answer lost. `delayed`: held back by the venue. `ghost`: a match that
    FAILS later. `retry`: a match that is resubmitted first. `race`: a fill just before the cancel.
    `error`: a read or cancel that fails. `crash`: the worker dies around an effect. `no_depth`: the
    pre-flight refuses. `abort`: a person aborts at some moment. `move`: how far prices move for the undo.
    """

    thin: float = 0.0
    part: float = 0.0
    refuse: float = 0.0
    drop: float = 0.0
    lost: float = 0.0
    late: float = 0.0
    late_ms: int = 8_000
    delayed: float = 0.0
    ghost: float = 0.0
    retry: float = 0.0
    race: float = 0.0
    error: float = 0.0
    crash: float = 0.0
    no_depth: float = 0.0
    abort: float = 0.0
    move: float = 0.02
    dry: float = 0.0
    settle_ms: int = 2_000
    latency_ms: int = 20

    @staticmethod
    def draw(rng: random.Random) -> "Weather":
        """A seeded mixture: most faults are away in most seeds, so that each also shows alone."""

        def chance(most: float) -> float:
            return rng.uniform(0, most) if rng.random() < 0.4 else 0.0

        return Weather(
            thin=chance(0.5),
            part=chance(0.5),
            refuse=chance(0.4),
            drop=chance(0.5),
            lost=chance(0.4),
            late=chance(0.4),
            late_ms=rng.randrange(1, 15_000),
            delayed=chance(0.4),
            ghost=chance(0.5),
            retry=chance(0.5),
            race=chance(0.6),
            error=chance(0.5),
            crash=chance(0.3),
            no_depth=chance(0.2),
            abort=chance(0.3),
            move=rng.choice((0.0, 0.02, 0.1, 0.3)),
            dry=chance(0.5),
            settle_ms=rng.choice((200, 2_000, 50_000)),
            latency_ms=rng.choice((1, 20, 200)),
        )
