"""One venue is away for a while: its exchange is killed, and does not come back before its time."""

import time
from dataclasses import dataclass
from pathlib import Path

LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Outage:
    """`venue` dies `at_s` after the killing began, and is back `lasts_s` later."""

    venue: str
    at_s: float
    lasts_s: float

    @property
    def until_s(self) -> float:
        """When it may come back."""
        return self.at_s + self.lasts_s


@dataclass(frozen=True, slots=True)
class Away:
    """An outage that was: from the kill until the exchange was ready again, in ms since the epoch."""

    venue: str
    from_ms: int
    until_ms: int


def begin(folder: Path, outage: Outage) -> None:
    """From now on the exchange does not start before the outage is over. Killing it is another's part."""
    until = time.time() + outage.lasts_s
    _file(folder, outage.venue).write_text(str(until))


def stay_away(folder: Path, venue: str) -> None:
    """In the exchange's process: wait until no outage is on."""
    file = _file(folder, venue)
    until = float(file.read_text()) if file.exists() else 0.0
    while time.time() < until:
        time.sleep(LOOK_EVERY_S)


def _file(folder: Path, venue: str) -> Path:
    return folder / f"away-{venue}"
