"""The private channels of our orders and fills: what they have told so far, and waking whoever waits for it.

They have no sequence numbers, so that what was missed cannot be noticed: a hint, and REST is the proof. Frames are not
ordered against REST answers: a fill can arrive before the answer of the create that caused it, so everything is kept
for a while, by the venue's order id.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import structlog

from arbsaga.errors import BadMessage
from arbsaga.venues.kalshi.names import Names
from arbsaga.venues.kalshi.seen import FillSeen, OrderSeen, read_fill, read_order
from arbsaga.venues.kalshi.signing import Signer
from arbsaga.venues.kalshi.sockets import Keepalive, keep_open
from arbsaga.venues.kalshi.wire import load
from arbsaga.venues.told import EXPECT_MS, Told

CHANNELS: Final = ("fill", "user_orders")
MAX_BYTES: Final = 8 * 1024 * 1024
MAX_MARKETS: Final = 10_000
"""Markets whose position is kept; the longest untouched go first."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NetPosition:
    """The signed position in a market (+ YES, - NO) as of the venue's time `time_ms`."""

    net: Decimal
    time_ms: int


class UserStream:
    """The private channels of one account. Ids are ours."""

    def __init__(
        self, url: str, signer: Signer, names: Names, keepalive: Keepalive, expect_ms: int = EXPECT_MS
    ) -> None:
        self._url, self._signer, self._names, self._keepalive = url, signer, names, keepalive
        self._told: Told[OrderSeen | FillSeen] = Told(expect_ms)
        self._positions: OrderedDict[str, NetPosition] = OrderedDict()
        self._subscribed: set[str] = set()
        self._ponged = False
        self._trouble = ""
        self._proved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.skipped = 0

    def start(self) -> None:
        """Begin to connect, in the background."""
        serving = keep_open(self._url, self._signer, self, self._keepalive, MAX_BYTES)
        self._task = asyncio.create_task(serving, name="user stream")

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
        """Whether the connection has both channels, has answered a ping, and is not under suspicion."""
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
        return self._names.venue_id(order_id) in self._told

    def read(self, order_id: str) -> tuple[OrderSeen | FillSeen, ...]:
        """All that was told of an order, oldest first; it is no news any more."""
        return self._told.read(self._names.venue_id(order_id))

    def position(self, ticker: str) -> NetPosition | None:
        """The position in a market after its newest fill that was told."""
        return self._positions.get(ticker)

    def moved(self) -> tuple[str, ...]:
        """The markets of fills that were told."""
        return tuple(self._positions)

    async def news(self, order_ids: Sequence[str], timeout_s: float) -> bool:
        """Wait until something is told that was not read, or the connection was interrupted; False at the timeout."""
        return await self._told.until(lambda: self._told.unread(map(self._names.venue_id, order_ids)), timeout_s)

    def opening(self) -> list[str]:
        """Subscribe to both channels, of all markets."""
        return [json.dumps({"id": 1, "cmd": "subscribe", "params": {"channels": list(CHANNELS)}})]

    def frame(self, data: bytes, received_ns: int) -> None:
        """Keep what a frame tells; what cannot be read is counted and skipped, since REST has it too."""
        del received_ns
        try:
            self._message(load(data))
        except BadMessage as error:
            self._skip(str(error))
        self._told.wake()

    def _message(self, frame: Any) -> None:  # noqa: ANN401  JSON
        msg = frame.get("msg") if isinstance(frame, dict) else None
        if not isinstance(msg, dict):
            raise BadMessage("a message without content")
        match frame.get("type"):
            case "user_order":
                self._keep(read_order(msg))
            case "fill":
                fill = read_fill(msg)
                self._keep(fill)
                self._move(fill)
            case "subscribed":
                self._subscribed.add(str(msg.get("channel")))
                self._prove()
            case "error":  # 10 and 25 end a subscription for good; any other leaves one unmade
                self._trouble = f"error {msg.get('code')}: {msg.get('msg')}"
            case kind:
                raise BadMessage(f"unknown message {kind!r}")

    def _keep(self, record: OrderSeen | FillSeen) -> None:
        if record.client_id or isinstance(record, OrderSeen):
            self._names.learn(record.client_id, record.venue_id)
        self._told.met(self._names.order_id(record.venue_id))
        self._told.keep(record.venue_id, record)

    def _move(self, fill: FillSeen) -> None:
        before = self._positions.get(fill.ticker)
        if fill.net is None or (before is not None and not _is_later(fill, fill.net, before)):
            return
        self._positions[fill.ticker] = NetPosition(fill.net, fill.time_ms)
        self._positions.move_to_end(fill.ticker)
        while len(self._positions) > MAX_MARKETS:
            self._positions.popitem(last=False)

    def _skip(self, why: str) -> None:
        self.skipped += 1
        log.warning("user message skipped", why=why, skipped=self.skipped)

    def pong(self) -> None:
        """The connection is alive."""
        self._ponged = True
        self._prove()

    def _prove(self) -> None:
        if self._ponged and self._subscribed.issuperset(CHANNELS):
            self._proved.set()

    async def check(self) -> str:
        """An ended subscription, or silence: answered pings are no proof of life while an order has untold news."""
        if self._trouble:
            return self._trouble
        return self._told.silence()

    def closed(self, reason: str) -> None:
        """What was missed is missed: everyone who waits looks by request."""
        del reason
        self._proved.clear()
        self._subscribed.clear()
        self._ponged, self._trouble = False, ""
        self._told.interrupted()


def _is_later(fill: FillSeen, net: Decimal, before: NetPosition) -> bool:
    """Fills of one order have one time and come in any order: the one that moved the position furthest was the last."""
    if fill.time_ms != before.time_ms:
        return fill.time_ms > before.time_ms
    return net > before.net if fill.bid else net < before.net
