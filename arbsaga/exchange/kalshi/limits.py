"""The venue's token buckets: one for reads and one for writes per member, refilled continuously.

Tiers, sizes and costs: docs.kalshi.com rate limits (live values of 2026-08-15). A refusal costs nothing and tells
nothing: no header says when to come back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from arbsaga.exchange.kalshi.replies import too_many

Bucket = Literal["read", "write"]

DEFAULT_COST: Final = 10

TIERS: Final[dict[str, dict[Bucket, int]]] = {
    "basic": {"read": 200, "write": 100},
    "advanced": {"read": 300, "write": 300},
    "expert": {"read": 600, "write": 600},
    "premier": {"read": 1000, "write": 1000},
    "paragon": {"read": 2000, "write": 2000},
    "prime": {"read": 4000, "write": 4000},
    "prestige": {"read": 6000, "write": 8000},
}
"""Tokens per second. Copies of the page disagree about Prestige reads (6000 or 10000): the lower one."""

COSTS: Final[dict[tuple[str, str], int]] = {
    ("DELETE", "/portfolio/events/orders/{order_id}"): 2,
    ("GET", "/portfolio/orders/{order_id}"): 2,
    ("DELETE", "/portfolio/events/orders/batched"): 2,
    ("POST", "/portfolio/events/orders/batched"): 10,
}
"""What differs from DEFAULT_COST; of the batches, per item."""


def capacity(tier: str, bucket: Bucket) -> int:
    """Tokens a full bucket holds: 3 s of reads, 1 s (Basic) or 2 s of writes."""
    seconds = 3 if bucket == "read" else 1 if tier == "basic" else 2
    return TIERS[tier][bucket] * seconds


@dataclass(slots=True)
class _Level:
    tokens: float
    at: float


class Limits:
    """Buckets of every member. `clock` counts seconds and never goes back."""

    def __init__(self, tier: str, enforced: bool, clock: Callable[[], float]) -> None:
        self.tier = tier
        self._enforced = enforced
        self._clock = clock
        self._levels: dict[tuple[str, Bucket], _Level] = {}

    def take(self, member: str, bucket: Bucket, cost: int) -> None:
        """Pay for a request. Raises Refusal(429), and then nothing is taken."""
        if not self._enforced:
            return
        full, now = capacity(self.tier, bucket), self._clock()
        level = self._levels.setdefault((member, bucket), _Level(full, now))
        level.tokens = min(full, level.tokens + (now - level.at) * TIERS[self.tier][bucket])
        level.at = now
        if level.tokens < cost:
            raise too_many()
        level.tokens -= cost

    def told(self) -> dict[str, object]:
        """The body of GET /account/limits."""
        sizes: dict[str, object] = {
            bucket: {"refill_rate": TIERS[self.tier][bucket], "bucket_capacity": capacity(self.tier, bucket)}
            for bucket in TIERS[self.tier]
        }
        return {"usage_tier": self.tier, **sizes, "grants": []}


def endpoint_costs() -> dict[str, object]:
    """The body of GET /account/endpoint_costs."""
    costs = [{"method": method, "path": path, "cost": cost} for (method, path), cost in COSTS.items()]
    return {"default_cost": DEFAULT_COST, "endpoint_costs": costs}
