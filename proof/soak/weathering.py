"""What became of the trades through an outage: pure, from what was written down.

The trades over both venues that were in flight, how long after the return each of them moved and ended, whether the
other venue was traded on meanwhile, and how soon both were again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from proof.soak.outage import Away
from proof.soak.recovery import Entry, Life


@dataclass(slots=True)
class Weathered:
    """What became of it. ms after the return, one for each trade that was in flight: until it moved, and ended.

    `over_before`: trades that ended while the venue was away. `elsewhere`: entries that were sent at the other venues
    meanwhile. `again`: until the first entry of a trade that was decided after the return, None for none.
    """

    away: Away
    moved: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    over_before: int = 0
    elsewhere: int = 0
    again: int | None = None


def weathered(away: Away, lives: Iterable[Life], entries: Sequence[Entry]) -> Weathered:
    """What became of the trades, by the records."""
    found = Weathered(away)
    for life in lives:
        if away.venue not in life.venues or not life.in_flight(away.from_ms):
            continue
        if life.ended <= away.until_ms:
            found.over_before += 1
            continue
        found.moved.append(next((at for at in life.moves if at > away.until_ms), life.ended) - away.until_ms)
        found.ended.append(life.ended - away.until_ms)
    found.elsewhere = sum(
        entry.venue != away.venue and away.from_ms < entry.decided <= entry.received <= away.until_ms
        for entry in entries
    )
    after = [one.received for one in entries if one.venue == away.venue and one.decided >= away.until_ms]
    found.again = min(after) - away.until_ms if after else None
    return found
