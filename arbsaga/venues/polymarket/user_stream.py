"""The private stream of our orders and trades: what it has told so far, and waking whoever waits for it.

Frames are not ordered against REST answers: a trade can arrive before the answer of the post that
caused it, so everything is kept for a while, by order id.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog

from arbsaga.errors import BadMessage
from arbsaga.venues.polymarket.records import OrderSeen, TradeSeen, read_order, read_trade
from arbsaga.venues.polymarket.rest import Credentials
from arbsaga.venues.polymarket.sockets import Keepalive, keep_open

MAX_ORDERS = 10_000
"""Orders whose records are kept; the longest untouched go first."""
MAX_RECORDS = 50
"""Records kept of one order: REST has the rest."""
MAX_BYTES = 8 * 1024 * 1024
EXPECT_MS = 2_000
"""What REST knows of an order must be told within this, or the stream is silent although it answers PONG."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Told:
    records: deque[OrderSeen | TradeSeen] = field(default_factory=lambda: deque(maxlen=MAX_RECORDS))
    unread: bool = False


class UserStream:
    """The user channel of one account. `interruptions` counts the ends of its connection."""

    def __init__(self, url: str, credentials: Credentials, keepalive: Keepalive, expect_ms: int = EXPECT_MS) -> None:
        self._url, self._credentials, self._keepalive = url, credentials, keepalive
        self._expect_ns = expect_ms * 1_000_000
        self._told: OrderedDict[str, _Told] = OrderedDict()
        self._expected: dict[str, int] = {}
        self._waiters: set[asyncio.Event] = set()
        self._proved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.interruptions = 0
        self.skipped = 0

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._task = asyncio.create_task(keep_open(self._url, self, self._keepalive, MAX_BYTES), name="user stream")

    async def close(self) -> None:
        """End the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._proved.clear()

    @property
    def alive(self) -> bool:
        """Whether the connection has answered since it was opened, and is not under suspicion."""
        return self._proved.is_set() and self._task is not None and not self._task.done()

    async def proved(self, timeout_s: float) -> bool:
        """Wait until the stream is alive; False at the timeout."""
        try:
            await asyncio.wait_for(self._proved.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def expect(self, order_id: str) -> None:
        """We know more of this order than was told: the stream must soon follow, or it is replaced."""
        if self.alive:
            self._expected.setdefault(order_id, time.monotonic_ns() + self._expect_ns)

    def knows(self, order_id: str) -> bool:
        """Whether anything was told of this order."""
        return order_id in self._told

    def read(self, order_id: str) -> tuple[OrderSeen | TradeSeen, ...]:
        """All that was told of an order, oldest first; it is no news any more."""
        told = self._told.get(order_id)
        if told is None:
            return ()
        told.unread = False
        return tuple(told.records)

    async def news(self, order_ids: Sequence[str], timeout_s: float) -> bool:
        """Wait until something is told that was not read, or the connection was interrupted; False at the timeout."""
        interruptions = self.interruptions
        wake = asyncio.Event()
        self._waiters.add(wake)
        try:
            async with asyncio.timeout(timeout_s):
                while not self._unread(order_ids) and self.interruptions == interruptions:
                    wake.clear()
                    await wake.wait()
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(wake)
        return True

    def _unread(self, order_ids: Sequence[str]) -> bool:
        return any((told := self._told.get(order_id)) is not None and told.unread for order_id in order_ids)

    def opening(self) -> list[bytes]:
        """Log in; without `markets` the channel tells of all of them."""
        auth = {
            "apiKey": self._credentials.key,
            "secret": self._credentials.secret,
            "passphrase": self._credentials.passphrase,
        }
        return [orjson.dumps({"type": "user", "auth": auth})]

    def frame(self, data: bytes, received_ns: int) -> None:
        """Keep each event of a frame; what cannot be read is counted and skipped, since REST has it too."""
        del received_ns
        try:
            frame = orjson.loads(data)
        except orjson.JSONDecodeError:
            self._skip("no JSON")
            return
        for event in frame if isinstance(frame, list) else [frame]:
            self._event(event)
        for waiter in self._waiters:
            waiter.set()

    def _event(self, event: Any) -> None:  # noqa: ANN401  JSON
        kind = event.get("event_type") if isinstance(event, dict) else None
        try:
            if kind == "order":
                order = read_order(event)
                self._keep((order.order_id,), order)
            elif kind == "trade":
                trade = read_trade(event)
                self._keep(trade.order_ids, trade)
            else:
                self._skip(f"unknown event {kind!r}")
        except BadMessage as error:
            self._skip(str(error))

    def _keep(self, order_ids: Sequence[str], record: OrderSeen | TradeSeen) -> None:
        for order_id in order_ids:
            self._expected.pop(order_id, None)
            told = self._told.setdefault(order_id, _Told())
            self._told.move_to_end(order_id)
            told.records.append(record)
            told.unread = True
        while len(self._told) > MAX_ORDERS:
            self._told.popitem(last=False)

    def _skip(self, why: str) -> None:
        self.skipped += 1
        log.warning("user event skipped", why=why, skipped=self.skipped)

    def pong(self, received_ns: int) -> None:
        """The connection is alive."""
        del received_ns
        self._proved.set()

    async def check(self) -> str:
        """PONG without data is no proof of life: an order that has news and is not told of shows a frozen stream."""
        now_ns = time.monotonic_ns()
        if not any(due_ns < now_ns for due_ns in self._expected.values()):
            return ""
        return f"silent: nothing was told of {len(self._expected)} orders that have news"

    def closed(self, reason: str) -> None:
        """What was missed is missed: everyone who waits looks by request."""
        del reason
        self._expected.clear()
        self._proved.clear()
        self.interruptions += 1
        for waiter in self._waiters:
            waiter.set()
