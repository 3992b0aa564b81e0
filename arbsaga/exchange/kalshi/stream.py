"""One WebSocket connection: its subscriptions, their sequence numbers, keepalive, and the faults of streams.

`seq` counts per subscription, over all of its markets; channels that concern one member only have none. The server
pings every 10 s with the body `heartbeat`. There is no replay (docs.kalshi.com, websockets; asyncapi 2.0.0).
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import orjson
from aiohttp import WSMsgType, web

from arbsaga.exchange.faults import Fault
from arbsaga.exchange.kalshi.venue import Venue

PATH: Final = "/trade-api/ws/v2"
OVERFLOW: Final = (25, "Subscription buffer overflow")

_FROZEN_S = 60
_LATE_S = 1
_JUNK: Final = {
    "json": b'{"type": "orderbook_delta", "sid": ',
    "unknown": b'{"type": "no_such_type", "sid": 1, "msg": {}}',
    "array": b'[null, 7, "orderbook_delta"]',
}

Json = dict[str, object]


@dataclass(slots=True)
class Subscription:
    """One channel of a connection; `markets` None means all of them."""

    sid: int
    channel: str
    sequenced: bool
    markets: set[str] | None = None
    use_yes_price: bool = False
    seq: int = field(default=0)

    def wants(self, ticker: str) -> bool:
        """Whether messages about this market are to be sent."""
        return self.markets is None or ticker in self.markets


class Stream:
    """A connection of one member. `send` never blocks; a subscription that is too far behind ends with error 25."""

    def __init__(self, request: web.Request, member: str, venue: Venue) -> None:
        self.member = member
        self.subscriptions: dict[int, Subscription] = {}
        self._request, self._venue = request, venue
        # Compression would cost more than it saves on loopback, and aiohttp takes it up whenever it is offered.
        self._response = web.WebSocketResponse(compress=False)
        self._pending: deque[tuple[int, bytes]] = deque()
        self._waiting: Counter[int] = Counter()
        self._wake = asyncio.Event()
        self._last_sid = 0
        self._frozen_until = 0.0
        self.sent = 0

    async def run(self, on_text: Callable[[str], None]) -> web.WebSocketResponse:
        """Serves the connection until it closes."""
        await self._response.prepare(self._request)
        loop = asyncio.get_running_loop()
        helpers = [loop.create_task(self._write()), loop.create_task(self._ping())]
        try:
            # The other side may go away at any moment; there is nobody left to tell.
            with suppress(ConnectionResetError):
                async for message in self._response:
                    if message.type is WSMsgType.TEXT:
                        on_text(message.data)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
        return self._response

    def open(self, channel: str, markets: set[str] | None, *, sequenced: bool, use_yes_price: bool) -> Subscription:
        """A new subscription, with the next sid of this connection."""
        self._last_sid += 1
        opened = Subscription(self._last_sid, channel, sequenced, markets, use_yes_price)
        self.subscriptions[opened.sid] = opened
        return opened

    def of(self, channel: str) -> list[Subscription]:
        """The subscriptions to a channel."""
        return [found for found in self.subscriptions.values() if found.channel == channel]

    def answer(self, frame: Json, subscription: Subscription | None = None) -> None:
        """The reply to a command; one that names a subscription takes a number of it."""
        if subscription is not None:
            frame["sid"] = subscription.sid
            if subscription.sequenced and self._venue.settings.replies_take_seq:
                subscription.seq += 1
                frame["seq"] = subscription.seq
        self._queue(0, orjson.dumps(frame))

    def refuse(self, command_id: int, code: int, text: str) -> None:
        """An error message."""
        self.answer({"id": command_id, "type": "error", "msg": {"code": code, "msg": text}})

    def post(self, subscription: Subscription, kind: str, msg: Mapping[str, object], command_id: int = 0) -> None:
        """A message of a channel, unless a fault swallows or delays it."""
        frame: Json = {"type": kind, "sid": subscription.sid}
        if subscription.sequenced:
            if self._draw("reset", subscription) is not None:
                subscription.seq = 0
            subscription.seq += 1
            frame["seq"] = subscription.seq
        if command_id:
            frame["id"] = command_id
        if self._is_struck(subscription):
            return
        data = orjson.dumps(frame | {"msg": msg})
        for _ in range(2 if self._draw("duplicate_events", subscription) is not None else 1):
            self._deliver(subscription, data)

    def _deliver(self, subscription: Subscription, data: bytes) -> None:
        late = self._draw("reorder_events", subscription)
        if late is None:
            self._queue(subscription.sid, data)
        else:
            delay = self._venue.rng.random() * float(late.number("seconds", _LATE_S))
            asyncio.get_running_loop().call_later(delay, self._queue, subscription.sid, data)

    def end(self, subscription: Subscription, error: tuple[int, str]) -> None:
        """The venue ends a subscription: what is still queued of it is lost, the client must subscribe anew."""
        self.subscriptions.pop(subscription.sid, None)
        self._pending = deque(entry for entry in self._pending if entry[0] != subscription.sid)
        del self._waiting[subscription.sid]
        code, text = error
        self.answer({"type": "error", "sid": subscription.sid, "msg": {"code": code, "msg": text}})

    def drop(self) -> None:
        """Breaks the connection without a close frame."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def close(self) -> None:
        """Closes it properly."""
        await self._response.close()

    def _queue(self, sid: int, data: bytes) -> None:
        self._pending.append((sid, data))
        self._waiting[sid] += len(data)
        self._wake.set()
        if self._waiting[sid] > self._venue.settings.backlog_bytes and sid in self.subscriptions:
            self.end(self.subscriptions[sid], OVERFLOW)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                sid, data = self._pending.popleft()
                self._waiting[sid] -= len(data)
                await self._response.send_frame(data, WSMsgType.TEXT)
                self.sent += 1

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._venue.settings.ping_s)
            await self._response.ping(b"heartbeat")

    def _is_struck(self, subscription: Subscription) -> bool:
        """Whether the message is lost: a freeze, a gap, junk in its place, a broken connection or subscription."""
        if self._is_frozen(subscription) or self._draw("gap", subscription) is not None:
            return True
        if self._draw("drop_stream", subscription) is not None:
            self.drop()
            return True
        if self._draw("overflow", subscription) is not None:
            self.end(subscription, OVERFLOW)
            return True
        junk = self._draw("malformed_frame", subscription)
        if junk is not None:
            self._queue(subscription.sid, _JUNK[junk.text("variant", "json")])
        return junk is not None

    def _is_frozen(self, subscription: Subscription) -> bool:
        now = self._venue.now()
        if now < self._frozen_until:
            return True
        fault = self._draw("freeze_stream", subscription)
        if fault is not None:
            self._frozen_until = now + float(fault.number("seconds", _FROZEN_S))
        return fault is not None

    def _draw(self, name: str, subscription: Subscription) -> Fault | None:
        """The fault, where it concerns this channel: `channel=` names it."""
        for fault, _ in self._venue.engine.faults.active():
            if fault.name == name and fault.text("channel", subscription.channel) == subscription.channel:
                return self._venue.engine.faults.draw(name, path=PATH, address=self.member)
        return None
