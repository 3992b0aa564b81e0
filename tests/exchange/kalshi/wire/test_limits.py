"""Token buckets: what a request costs, when it is refused, how it refills."""

import pytest

from arbsaga.exchange.kalshi.limits import Limits, capacity, endpoint_costs
from arbsaga.exchange.kalshi.replies import Refusal


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_basic_writes():
    """Ten creates at once, the eleventh is refused with a string and no Retry-After; a tenth of a second pays one."""
    clock = Clock()
    limits = Limits("basic", True, clock)
    for _ in range(10):
        limits.take("m", "write", 10)
    with pytest.raises(Refusal) as refused:
        limits.take("m", "write", 10)
    answer = refused.value.response()
    assert (answer.status, answer.body) == (429, b'{"error":"too many requests"}')
    assert "Retry-After" not in answer.headers
    clock.now += 0.11
    limits.take("m", "write", 10)


def test_buckets_are_apart():
    """Reads and writes, and members, do not pay for each other."""
    limits = Limits("basic", True, Clock())
    limits.take("m", "write", 100)
    limits.take("m", "read", 600)
    limits.take("other", "write", 100)
    with pytest.raises(Refusal):
        limits.take("m", "read", 1)


def test_sizes():
    """A Basic write bucket holds one second, every other one two; reads three."""
    assert capacity("basic", "write") == 100
    assert capacity("basic", "read") == 600
    assert capacity("advanced", "write") == 600


def test_a_bucket_does_not_overflow():
    """A long rest fills it once."""
    clock = Clock()
    limits = Limits("basic", True, clock)
    clock.now += 3600
    limits.take("m", "write", 100)
    with pytest.raises(Refusal):
        limits.take("m", "write", 1)


def test_switched_off():
    """Not enforced: everything passes."""
    Limits("basic", False, Clock()).take("m", "write", 10_000)


def test_what_is_told():
    """GET /account/limits and /account/endpoint_costs."""
    told = Limits("basic", True, Clock()).told()
    assert told == {
        "usage_tier": "basic",
        "read": {"refill_rate": 200, "bucket_capacity": 600},
        "write": {"refill_rate": 100, "bucket_capacity": 100},
        "grants": [],
    }
    costs = endpoint_costs()
    assert costs["default_cost"] == 10
    assert {"method": "DELETE", "path": "/portfolio/events/orders/{order_id}", "cost": 2} in costs["endpoint_costs"]
