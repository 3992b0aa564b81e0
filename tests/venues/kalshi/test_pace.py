"""Our writes stay within the account's rate limit: a 429 to a create would leave its outcome unknown."""

import time
from dataclasses import replace

import pytest

from arbsaga.domain.orders import OrderState
from arbsaga.errors import VenueError
from arbsaga.venues.kalshi.pace import BASIC, Pace, Tier, read_tier

from .rig import QUICK, one, terms


class Reads:
    """GET answers by path."""

    def __init__(self, **answers):
        self.answers = {f"/account/{name}": answer for name, answer in answers.items()}

    async def get(self, path):
        if path not in self.answers:
            raise VenueError("no answer")
        return self.answers[path]


async def test_a_burst_beyond_the_bucket_is_not_refused(start):
    """Basic has 10 creates a second: the 15th waits, none is answered 429."""
    rig = await start(replace(QUICK, rate_limits=True))
    venue = await rig.trading()
    begin = time.monotonic()
    views = [await one(venue, terms(size="1", limit=f"0.{10 + number}")) for number in range(15)]
    assert {view.state for view in views} == {OrderState.LIVE}
    assert time.monotonic() - begin >= 0.3


async def test_orders_that_would_wait_too_long_are_not_sent(rig, venue):
    """All of a group or none: ABSENT is proof, a part of a group would be a risk."""
    await venue._pace.creates(9, 1)
    views = await venue.post([terms(left_ms=100), terms(leg=1, left_ms=5_000)])
    assert [view.state for view in views] == [OrderState.ABSENT] * 2
    assert "rate limit" in views[0].reason
    assert rig.orders() == []


async def test_the_bucket():
    """Refilled over time up to its size; what is refused uses nothing; cancels never wait."""
    now = [0.0]
    pace = Pace(Tier(refill=1_000, capacity=110, create=10, cancel=2), lambda: now[0])
    assert await pace.creates(10, 0)
    assert not await pace.creates(1, 0)
    now[0] = 0.01
    assert await pace.creates(1, 0)
    for _ in range(5):
        pace.cancel()
    assert not await pace.creates(1, 0.019)
    assert await pace.creates(1, 0.021)
    now[0] = 100
    assert await pace.creates(30, 0)
    assert not await pace.creates(1, 0)


def test_room_for_jitter():
    """One order of the bucket is left; a bucket of one order is used whole."""
    assert BASIC.usable == 90
    assert Tier(capacity=10, create=10).usable == 10


async def test_the_tier_is_read(rig, venue):
    """Not hard-coded."""
    assert await read_tier(venue._rest) == BASIC
    costs = {"default_cost": 5, "endpoint_costs": [{"method": "POST", "path": "/portfolio/events/orders", "cost": 7}]}
    limits = {"write": {"refill_rate": 300, "bucket_capacity": 600}}
    assert await read_tier(Reads(limits=limits, endpoint_costs=costs)) == Tier(300, 600, 7, 5)


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"limits": {}, "endpoint_costs": {}},
        {"limits": {"write": {"refill_rate": 0, "bucket_capacity": 1}}, "endpoint_costs": {}},
        {"limits": {"write": None}, "endpoint_costs": {}},
        {"limits": {"write": {"refill_rate": 9, "bucket_capacity": 9}}, "endpoint_costs": {"endpoint_costs": [7]}},
    ],
)
async def test_limits_that_cannot_be_read(answers):
    """Those of a new account: the smallest."""
    assert await read_tier(Reads(**answers)) == BASIC
