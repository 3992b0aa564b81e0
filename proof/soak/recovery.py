"""How long it took after each kill until trades moved again: pure, from what was written down.

For each kill two things are measured.

**Trading again**: until an exchange accepted the first order of a trade that was decided after the kill; the one that
was killed, where it was one. That needs everything: a scanner, capital, Temporal and the exchange.

**An open trade moves again**, for each trade in flight at the kill, by its Temporal history and the exchange's record:

- No activity of it outlived the kill: nobody worked on it. From the kill until a worker completed a workflow task of
  it, or began or completed an activity of it, or the exchange received an order of it.
- An activity of it outlived the kill, and the trade moved after news of it in the exchange's record (a fill, a
  settlement step, an order's end): after a kill of the exchange from the kill, since the news waited for the exchange;
  after a kill of Temporal from the last of these news. After a kill of a trader it was the other trader's: unharmed.
- Otherwise it waited for a time of its own all along: unharmed; so was a trade that has no leg at the exchange.

Only the last attempt of an activity stands in a history. A trade that was hit twice before it moved counts from each
kill, so the figures can be too high, never too low.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from proof.soak.stage import Struck


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry order that an exchange accepted: when its trade was decided, and when it came, in ms; and where."""

    decided: int
    received: int
    venue: str = "polymarket"


@dataclass(frozen=True, slots=True)
class Life:
    """One trade by the records, in ms since the epoch.

    `moves`: a worker's doing, or an order at the exchange, in order. `steps`: activities from the beginning of their
    last attempt to their end. `news`: what the exchanges wrote of its orders, in order. `venues`: of its legs.
    """

    trade_id: str
    began: int
    ended: int
    moves: tuple[int, ...]
    steps: tuple[tuple[int, int], ...] = ()
    news: tuple[int, ...] = ()
    venues: frozenset[str] = frozenset({"polymarket"})

    def in_flight(self, ms: int) -> bool:
        """Whether it had begun and not ended."""
        return self.began <= ms < self.ended


@dataclass(slots=True)
class Recovery:
    """What followed kills of one kind, in ms. `unharmed`: open trades that the kill did not touch."""

    kills: int = 0
    trading_again: list[int] = field(default_factory=list)
    open_trades: list[int] = field(default_factory=list)
    unharmed: int = 0


def recoveries(struck: Iterable[Struck], lives: Iterable[Life], entries: Iterable[Entry]) -> Mapping[str, Recovery]:
    """By kind of process."""
    lives, received = list(lives), sorted(entries, key=lambda entry: entry.received)
    found: dict[str, Recovery] = {}
    for kill in struck:
        recovery = found.setdefault(kill.victim.kind, Recovery())
        recovery.kills += 1
        at = kill.victim.venue
        again = (one for one in received if one.received > kill.ms <= one.decided and at in ("", one.venue))
        if (first := next(again, None)) is not None:
            recovery.trading_again.append(first.received - kill.ms)
        for life in lives:
            if life.in_flight(kill.ms):
                took = moved_again(life, kill)
                if took is None:
                    recovery.unharmed += 1
                else:
                    recovery.open_trades.append(took)
    return found


def moved_again(life: Life, kill: Struck) -> int | None:
    """ms until a trade in flight moved again, None where the kill did not touch it."""
    if kill.victim.venue and kill.victim.venue not in life.venues:
        return None
    moved = _first_after(life.moves, kill.ms)
    moved = life.ended if moved is None else moved
    if not any(began <= kill.ms < ended for began, ended in life.steps):
        return moved - kill.ms
    told = [at for at in life.news if kill.ms < at <= moved]
    if kill.victim.kind == "trader" or not told:
        return None
    return moved - (kill.ms if kill.victim.venue else told[-1])


def _first_after(times: Sequence[int], ms: int) -> int | None:
    at = bisect_right(times, ms)
    return times[at] if at < len(times) else None


def percentile(values: Sequence[int], rank: int) -> int | None:
    """By nearest rank; None where there is nothing to rank."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(rank / 100 * len(ranked)) - 1)] if ranked else None


def never_moved(lives: Iterable[Life], last_kill_ms: int) -> list[str]:
    """The trades that were in flight at the last kill and show no sign of life after it."""
    return [life.trade_id for life in lives if life.in_flight(last_kill_ms) and not _moved_after(life, last_kill_ms)]


def _moved_after(life: Life, ms: int) -> bool:
    return bisect_left(life.moves, ms) < len(life.moves)
