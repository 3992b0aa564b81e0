"""One WebSocket of either channel: keepalive, frames under a size, and the faults of streams.

The client sends text PING and gets text PONG; protocol pings are answered by aiohttp. There are no sequence numbers and
no replay. A frozen socket still answers PONG: that is what makes a freeze hard to see (py-clob-client #292).
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import orjson
from aiohttp import WSMsgType, web

from arbsaga.exchange.faults import Fault
from arbsaga.exchange.polymarket.venue import VENUE, Venue

_FROZEN_S = 60
_OVERSIZED = 1_500_000
_JUNK = {
    "json": b'{"event_type": "book", "asset_id": ',
    "unknown": b'{"event_type": "no_such_event", "market": "0x00"}',
    "array": b'[null, 7, "book", {"event_type": 3}, []]',
}

OnFrame = Callable[[dict[str, object]], Awaitable[None]]


class Socket:
    """Sends events and reads frames. `channel` is "market" or "user", as the faults' key `channel` names it."""

    def __init__(self, request: web.Request, channel: str) -> None:
        self.venue: Venue = request.app[VENUE]
        self.channel = channel
        self._request = request
        # Compression would cost more than it saves on loopback, and aiohttp takes it up whenever it is offered.
        self.response = web.WebSocketResponse(compress=False)
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._wake = asyncio.Event()
        self._frozen_until = 0.0

    async def run(self, on_frame: OnFrame) -> web.WebSocketResponse:
        """Serves the socket until it closes. Frames that are no JSON object are ignored."""
        await self.response.prepare(self._request)
        writer = asyncio.get_running_loop().create_task(self._write())
        try:
            # The other side may go away at any moment; there is nobody left to tell.
            with suppress(ConnectionResetError):
                async for message in self.response:
                    if message.type is WSMsgType.TEXT:
                        await self._read(message.data, on_frame)
        finally:
            writer.cancel()
            with suppress(asyncio.CancelledError, ConnectionResetError):
                await writer
        return self.response

    def send(self, event: bytes) -> None:
        """Queues one event (JSON), unless a fault swallows it. Never blocks; a socket too far behind is closed."""
        if self._is_frozen() or self._is_struck():
            return
        self._pending.append(event)
        self._pending_bytes += len(event)
        if self._pending_bytes > self.venue.settings.backlog_bytes:
            self.drop()
        self._wake.set()

    @property
    def backlog(self) -> int:
        """Bytes queued here and in the connection."""
        transport = self._request.transport
        return self._pending_bytes + (transport.get_write_buffer_size() if transport is not None else 0)

    def drop(self) -> None:
        """Breaks the connection without a close frame."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def close(self) -> None:
        """Closes it properly: the exchange stops, or the login was wrong."""
        await self.response.close()

    async def _read(self, text: str, on_frame: OnFrame) -> None:
        if text == "PING":
            await self.response.send_str("PONG")
            return
        try:
            frame = orjson.loads(text)
        except orjson.JSONDecodeError:
            return
        if isinstance(frame, dict):
            await on_frame(frame)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            events, self._pending, self._pending_bytes = self._pending, [], 0
            for frame in frames(events, self.venue.settings.frame_bytes):
                await self.response.send_frame(frame, WSMsgType.TEXT)
            self.venue.messages += len(events)

    def _is_frozen(self) -> bool:
        now = self.venue.now()
        if now < self._frozen_until:
            return True
        fault = self._draw("freeze_stream")
        if fault is not None:
            self._frozen_until = now + float(fault.number("seconds", _FROZEN_S))
        return fault is not None

    def _is_struck(self) -> bool:
        """Whether a fault takes the place of the event: a broken connection, or a frame nobody can use."""
        if self._draw("drop_stream") is not None:
            self.drop()
            return True
        junk = self._draw("malformed_frame")
        if junk is not None:
            self._push(_JUNK[junk.text("variant", "json")])
        huge = self._draw("oversized_frame")
        if huge is not None:
            padding = b" " * int(huge.number("bytes", _OVERSIZED))
            self._push(b'{"event_type": "padding"' + padding + b"}")
        return junk is not None or huge is not None

    def _push(self, frame: bytes) -> None:
        """A frame of its own, whatever its size and form."""
        self.venue.later(self._send_alone(frame))

    async def _send_alone(self, frame: bytes) -> None:
        with suppress(ConnectionResetError):
            await self.response.send_frame(frame, WSMsgType.TEXT)

    def _draw(self, name: str) -> Fault | None:
        """The fault, where it concerns this channel."""
        for fault, _ in self.venue.faults.active():
            if fault.name == name and fault.text("channel", self.channel) == self.channel:
                return self.venue.faults.draw(name, path=f"/ws/{self.channel}")
        return None


def frames(events: list[bytes], limit: int) -> list[bytes]:
    """Events as frames of at most `limit` bytes: one alone as an object, several as an array."""
    batches: list[list[bytes]] = []
    size = limit
    for event in events:
        size += len(event) + 1
        if size > limit:
            batches.append([])
            size = len(event) + 2
        batches[-1].append(event)
    return [batch[0] if len(batch) == 1 else b"[" + b",".join(batch) + b"]" for batch in batches]
