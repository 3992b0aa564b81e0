"""What the scanner counts, for the live view and the bench."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Counts since the start. `messages` are frames that changed or proved books, `changes` their levels.

    `strange`: for tokens nobody asked for. `malformed`: prices outside 0 to 1, or sizes that are none.
    `caught`: books whose best prices were not the venue's, or that stayed crossed. `decisions`: baskets
    priced at real depth. `waiting`: not started since there was no budget. `refused` counts a basket
    once for each new reason.
    """

    messages: int = 0
    changes: int = 0
    snapshots: int = 0
    strange: int = 0
    malformed: int = 0
    gaps: int = 0
    caught: int = 0
    restarts: int = 0
    discoveries: int = 0
    failed_discoveries: int = 0
    decisions: int = 0
    opportunities: int = 0
    started: int = 0
    waiting: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, int]:
        """Flat, for JSON: each reason of `refused` becomes a key `refused_<reason>`."""
        flat = {name: getattr(self, name) for name in self.__slots__ if name != "refused"}
        flat["refused"] = self.refused.total()
        return flat | {f"refused_{reason.replace(' ', '_')}": count for reason, count in sorted(self.refused.items())}
