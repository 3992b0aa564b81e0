"""Keeps our writes within the account's rate limit, since a 429 to a create would leave its outcome unknown.

The venue has one token bucket for all writes of an account; its size, refill and the costs depend on the tier and are
read at the start (docs.kalshi.com, rate limits). Another process of the same account is not seen from here.
A part of the bucket is kept for orders that reduce a risk: entries leave it.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from arbsaga.errors import VenueError
from arbsaga.venues.kalshi.orders import PATH
from arbsaga.venues.kalshi.rest import Rest
from arbsaga.venues.kalshi.wire import decimal

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Tier:
    """What writes cost, and what there is for them. The tier of a new account (Basic, 2026-08-15) by default."""

    refill: int = 100
    capacity: int = 100
    create: int = 10
    cancel: int = 2

    @property
    def usable(self) -> int:
        """The bucket less one order: requests do not arrive in the rhythm in which they were sent."""
        return max(self.capacity - self.create, self.create)

    @property
    def kept(self) -> int:
        """What entries leave for reducing orders: two of them, where the bucket has room for that."""
        return min(2 * self.create, self.usable - self.create)


PROMPT_S: Final = 0.5
"""Entries that would wait longer than this for the bucket are not begun: half of what a trade's orders have."""
BASIC: Final = Tier()


async def read_tier(rest: Rest) -> Tier:
    """The account's tier; Basic where it cannot be read."""
    try:
        limits, costs = await asyncio.gather(rest.get("/account/limits"), rest.get("/account/endpoint_costs"))
        write, usual = limits["write"], costs.get("default_cost", BASIC.create)
        named = {(each["method"], each["path"]): each["cost"] for each in costs.get("endpoint_costs") or ()}
        return Tier(
            refill=_above_0(write["refill_rate"]),
            capacity=_above_0(write["bucket_capacity"]),
            create=_above_0(named.get(("POST", PATH), usual)),
            cancel=_above_0(named.get(("DELETE", f"{PATH}/{{order_id}}"), usual)),
        )
    except (VenueError, KeyError, TypeError, ValueError) as error:
        log.warning("the rate limits cannot be read: taken as those of a new account", error=repr(error))
        return BASIC


def _above_0(value: Any) -> int:  # noqa: ANN401  JSON
    number = int(decimal(value))
    if number <= 0:
        raise ValueError(f"not above 0: {value!r}")
    return number


class Pace:
    """The write bucket as far as this process uses it. `now` counts seconds and never goes back."""

    def __init__(self, tier: Tier = BASIC, now: Callable[[], float] = time.monotonic) -> None:
        self._tier, self._now = tier, now
        self._tokens, self._at = float(tier.usable), now()

    def use(self, tier: Tier) -> None:
        """The account's tier is known now."""
        self._tier, self._tokens, self._at = tier, float(tier.usable), self._now()

    def cancel(self) -> None:
        """A cancel goes: it lowers the risk, so it never waits, whatever is left."""
        self._fill()
        self._tokens -= self._tier.cancel

    def entries_wait_s(self, count: int) -> float:
        """For how long (s) this many entries would wait until they can go together, if they were sent now."""
        self._fill()
        return self._wait_s(count, self._tier.kept)

    async def creates(self, count: int, within_s: float, *, reducing: bool = False) -> bool:
        """Wait until this many orders can go together; False, and nothing is used, if not within `within_s`.

        More than a full bucket pays for are sent when it is full: the last of them may be refused. `reducing`: they
        may use what entries leave.
        """
        self._fill()
        wait_s = self._wait_s(count, 0 if reducing else self._tier.kept)
        if wait_s > within_s:
            return False
        self._tokens -= self._cost(count)  # taken before the wait, so that whoever comes next waits behind
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        return True

    def _cost(self, count: int) -> int:
        return min(count * self._tier.create, self._tier.usable)

    def _wait_s(self, count: int, left: int) -> float:
        """Until there are the tokens for so many orders with `left` to spare; a full bucket always does."""
        needed = min(self._cost(count) + left, self._tier.usable)
        return max(0.0, (needed - self._tokens) / self._tier.refill)

    def _fill(self) -> None:
        now = self._now()
        self._tokens = min(self._tier.usable, self._tokens + (now - self._at) * self._tier.refill)
        self._at = now
