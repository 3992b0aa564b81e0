"""The private stream of our orders and trades: what it has told so far, and waking whoever waits for it.

Frames are not ordered against REST answers: a trade can arrive before the answer of the post that
caused it, so everything is kept for a while, by order id.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import structlog

from arbsaga.errors import BadMessage
from arbsaga.venues.polymarket.records import OrderSeen, TradeSeen, read_order, read_trade
from arbsaga.venues.polymarket.rest import Credentials
from arbsaga.venues.polymarket.sockets import Keepalive, keep_open
from arbsaga.venues.told import EXPECT_MS, Told

MAX_BYTES = 8 * 1024 * 1024

log = structlog.get_logger()


class UserStream:
    """The user channel of one account."""

    def __init__(self, url: str, credentials: Credentials, keepalive: Keepalive, expect_ms: int = EXPECT_MS) -> None:
        self._url, self._credentials, self._keepalive = url, credentials, keepalive
        self._told: Told[OrderSeen | TradeSeen] = Told(expect_ms)
        self._proved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
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
    def interruptions(self) -> int:
        """How often the connection has ended."""
        return self._told.interruptions

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
            self._told.expect(order_id)

    def knows(self, order_id: str) -> bool:
        """Whether anything was told of this order."""
        return order_id in self._told

    def read(self, order_id: str) -> tuple[OrderSeen | TradeSeen, ...]:
        """All that was told of an order, oldest first; it is no news any more."""
        return self._told.read(order_id)

    async def news(self, order_ids: Sequence[str], timeout_s: float) -> bool:
        """Wait until something is told that was not read, or the connection was interrupted; False at the timeout."""
        return await self._told.until(lambda: self._told.unread(order_ids), timeout_s)

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
        self._told.wake()

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
            self._told.met(order_id)
            self._told.keep(order_id, record)

    def _skip(self, why: str) -> None:
        self.skipped += 1
        log.warning("user event skipped", why=why, skipped=self.skipped)

    def pong(self, received_ns: int) -> None:
        """The connection is alive."""
        del received_ns
        self._proved.set()

    async def check(self) -> str:
        """PONG without data is no proof of life: an order that has news and is not told of shows a frozen stream."""
        return self._told.silence()

    def closed(self, reason: str) -> None:
        """What was missed is missed: everyone who waits looks by request."""
        del reason
        self._proved.clear()
        self._told.interrupted()
