"""What a private stream has told of our orders so far, and waking whoever waits for it.

Frames are not ordered against REST answers: a fill can arrive before the answer of the post that caused it, so
everything is kept for a while, by order.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

MAX_ORDERS = 10_000
"""Orders whose records are kept; the longest untouched go first."""
MAX_RECORDS = 50
"""Records kept of one order: REST has the rest."""
EXPECT_MS = 2_000
"""What REST knows of an order must be told within this, or the stream is silent although it answers pings."""

R = TypeVar("R")


@dataclass(slots=True)
class _Order(Generic[R]):
    records: deque[R] = field(default_factory=lambda: deque(maxlen=MAX_RECORDS))
    unread: bool = False


class Told(Generic[R]):
    """Records of type R by the venue's name of the order. `interruptions` counts the ends of the connection."""

    def __init__(self, expect_ms: int = EXPECT_MS) -> None:
        self._expect_ns = expect_ms * 1_000_000
        self._orders: OrderedDict[str, _Order[R]] = OrderedDict()
        self._expected: dict[str, int] = {}
        self._waiters: set[asyncio.Event] = set()
        self.interruptions = 0

    def keep(self, name: str, record: R) -> None:
        """Something was told of an order."""
        told = self._orders.setdefault(name, _Order())
        self._orders.move_to_end(name)
        told.records.append(record)
        told.unread = True
        while len(self._orders) > MAX_ORDERS:
            self._orders.popitem(last=False)

    def __len__(self) -> int:
        """How many orders something was told of, as far as it is kept."""
        return len(self._orders)

    def __contains__(self, name: str) -> bool:
        """Whether anything was told of this order."""
        return name in self._orders

    def read(self, name: str) -> tuple[R, ...]:
        """All that was told of an order, oldest first; it is no news any more."""
        told = self._orders.get(name)
        if told is None:
            return ()
        told.unread = False
        return tuple(told.records)

    def unread(self, names: Iterable[str]) -> bool:
        """Whether something was told of one of these that was not read."""
        return any((told := self._orders.get(name)) is not None and told.unread for name in names)

    async def until(self, news: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until there is `news` or the connection was interrupted; False at the timeout."""
        interruptions = self.interruptions
        wake = asyncio.Event()
        self._waiters.add(wake)
        try:
            async with asyncio.timeout(timeout_s):
                while not news() and self.interruptions == interruptions:
                    wake.clear()
                    await wake.wait()
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(wake)
        return True

    def wake(self) -> None:
        """Whoever waits looks whether there is news for him."""
        for waiter in self._waiters:
            waiter.set()

    def expect(self, order_id: str) -> None:
        """We know more of this order than was told: the stream must soon follow."""
        self._expected.setdefault(order_id, time.monotonic_ns() + self._expect_ns)

    def met(self, order_id: str) -> None:
        """It has followed."""
        self._expected.pop(order_id, None)

    def silence(self) -> str:
        """Why the stream is silent, or empty: answered pings are no proof of life while an order has untold news."""
        now_ns = time.monotonic_ns()
        if not any(due_ns < now_ns for due_ns in self._expected.values()):
            return ""
        return f"silent: nothing was told of {len(self._expected)} orders that have news"

    def interrupted(self) -> None:
        """The connection has ended. What was missed is missed: everyone who waits looks by request."""
        self._expected.clear()
        self.interruptions += 1
        self.wake()
