"""Our writes stay within the account's rate limit: a 429 to a create would leave its outcome unknown."""

import re
import time
from dataclasses import replace

import pytest

from arbsaga.domain.orders import OrderState, Purpose
from arbsaga.errors import VenueError
from arbsaga.venues.kalshi.halts import Halts
from arbsaga.venues.kalshi.pace import BASIC, Pace, Tier, read_tier

from .rig import QUICK, instrument, now_ms, one, terms


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
    assert await pace.creates(10, 0, reducing=True)
    assert not await pace.creates(1, 0, reducing=True)
    now[0] = 0.01
    assert await pace.creates(1, 0, reducing=True)
    for _ in range(5):
        pace.cancel()
    assert not await pace.creates(1, 0.019, reducing=True)
    assert await pace.creates(1, 0.021, reducing=True)
    now[0] = 100
    assert await pace.creates(30, 0, reducing=True)
    assert not await pace.creates(1, 0, reducing=True)


async def test_entries_leave_something_for_orders_that_reduce():
    """Two of them can still go at once, when entries have used up what is theirs."""
    now = [0.0]
    pace = Pace(BASIC, lambda: now[0])
    assert pace.entries_wait_s(7) == 0
    assert await pace.creates(7, 0)
    assert pace.entries_wait_s(1) == pytest.approx(0.1)
    assert not await pace.creates(1, 0.09)
    assert await pace.creates(2, 0, reducing=True)
    assert pace.entries_wait_s(2) == pytest.approx(0.4)
    now[0] = 0.4
    assert pace.entries_wait_s(2) == pytest.approx(0)
    now[0] = 100
    assert await pace.creates(30, 0), "more than a full bucket go when it is full"


async def test_a_leg_is_completed_where_no_entry_could_go(rig, venue):
    """The order of a way out uses what the entries have left."""
    await venue._pace.creates(7, 0)
    assert [view.state for view in await venue.post([terms(left_ms=50)])] == [OrderState.ABSENT]
    assert [view.state for view in await venue.post([terms(left_ms=50, purpose=Purpose.COMPLETE)])] == [OrderState.LIVE]


async def test_a_trade_whose_orders_the_bucket_cannot_pay_for_is_barred(rig, venue):
    """Before any order: otherwise this leg stays unsent while the one at the other venue goes."""
    halts = Halts(venue._rest, now_ms, 1_000, venue._pace)
    both = [instrument(), instrument("RAIN-B")]
    assert await halts.barred(both) == ""
    await venue._pace.creates(9, 0)
    words = r"Kalshi's rate limit is used up by other orders: 6 more could go in 0\.[678] s"
    assert re.fullmatch(words, await halts.barred(both * 3))


def test_room_for_jitter():
    """One order of the bucket is left; a bucket of one order is used whole."""
    assert (BASIC.usable, BASIC.kept) == (90, 20)
    assert (Tier(capacity=10, create=10).usable, Tier(capacity=10, create=10).kept) == (10, 0)


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
