"""How much of a processor we get here: on a machine that others keep busy, "within 10 s" says nothing about us."""

import time

SPIN_S = 0.5
QUIET = 1.3
"""Up to this the machine counts as ours."""


def slowdown() -> float:
    """How many times slower than alone this machine is for us now: 1 on a quiet one."""
    began, worked = time.monotonic(), time.process_time()
    while time.process_time() - worked < SPIN_S:
        pass
    slower = (time.monotonic() - began) / SPIN_S
    return slower if slower > QUIET else 1.0


def fewer(trades: int, slower: float) -> int:
    """So many trades at once are, on a machine that is so much slower, what `trades` are on a quiet one."""
    return max(min(trades, 10), int(trades / slower))
