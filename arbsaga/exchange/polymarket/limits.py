"""The venue's per-signer token buckets: one for orders and one for cancels, refilled continuously.

Tiers and headers: docs.polymarket.com rate limits. Whether the venue enforces them yet or only warns is not
settled, hence `mode`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from arbsaga.exchange.polymarket.replies import Refusal

Mode = Literal["enforced", "warning", "off"]

# tier: (orders per s, burst, cancels per s, burst)
_TIERS = {
    "Standard": (40, 60, 80, 120),
    "Copper": (60, 90, 120, 180),
    "Bronze": (80, 120, 160, 240),
    "Silver": (200, 300, 400, 600),
    "Gold": (400, 600, 800, 1200),
    "Platinum": (450, 675, 900, 1350),
    "Diamond": (525, 787, 1050, 1575),
    "Elite": (600, 900, 1200, 1800),
}
TIERS = tuple(_TIERS)
_NO_DEBT = frozenset({"Platinum", "Diamond", "Elite"})


@dataclass(slots=True)
class _Bucket:
    rate: int
    burst: int
    tokens: float
    at: float

    def refill(self, now: float) -> None:
        """Adds what has come in since the last look, up to the burst."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now

    def wait(self, cost: int) -> float:
        """Seconds until `cost` tokens are there, at least 0."""
        return max(0.0, (cost - self.tokens) / self.rate)


class Limits:
    """Buckets of every signer. `clock` counts seconds and never goes back; `wall` is the Unix time in seconds."""

    def __init__(self, tier: str, mode: Mode, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        orders, order_burst, cancels, cancel_burst = _TIERS[tier]
        self._sizes = {"order": (orders, order_burst), "cancel": (cancels, cancel_burst)}
        self._tier = tier
        self._mode = mode
        self._clock = clock
        self._wall = wall
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def take(self, kind: Literal["order", "cancel"], signer: str, cost: int) -> dict[str, str]:
        """Pays for a request and gives the headers of its answer. Raises Refusal(429): nothing is then taken.

        A cost above the burst can never be paid; it passes once the bucket is full and empties it (DELETE /orders
        takes up to 3000 ids while a bucket holds 120).
        """
        if self._mode == "off":
            return {}
        bucket = self._bucket(kind, signer)
        needed = min(cost, bucket.burst)
        short = bucket.tokens < needed
        if short and self._mode == "enforced":
            wait = bucket.wait(needed)
            headers = self._headers(bucket, wait)
            raise Refusal(429, "Too Many Requests", retry_after=math.ceil(wait), headers=headers)
        bucket.tokens -= needed
        warning = {"Poly-RateLimit-Warning": "true"} if short else {}
        return self._headers(bucket, bucket.wait(1)) | warning

    def owe(self, signer: str, canceled: int) -> dict[str, str]:
        """Charges one cancel token per order that a sweep cancelled; up to Gold this may leave a debt."""
        if self._mode == "off":
            return {}
        bucket = self._bucket("cancel", signer)
        bucket.tokens -= canceled
        if self._tier in _NO_DEBT:
            bucket.tokens = max(0.0, bucket.tokens)
        return self._headers(bucket, bucket.wait(1))

    def _bucket(self, kind: str, signer: str) -> _Bucket:
        now = self._clock()
        rate, burst = self._sizes[kind]
        bucket = self._buckets.setdefault((kind, signer), _Bucket(rate, burst, burst, now))
        bucket.refill(now)
        return bucket

    def _headers(self, bucket: _Bucket, wait: float) -> dict[str, str]:
        return {
            "Poly-RateLimit-Remaining": str(math.floor(bucket.tokens)),
            "Poly-RateLimit-Reset": str(math.ceil(self._wall() + wait)),
            "Poly-RateLimit-Tier": self._tier,
        }
