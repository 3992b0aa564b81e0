"""One WebSocket that is kept open: text PING/PONG, a watch for silence, and a new connection after every end.

There are no sequence numbers and no replay at this venue, so every end is a gap. A server that answers
PONG and sends nothing else is not noticed here: each channel has its own `check` for that.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import NoReturn, Protocol

from websockets.asyncio.client import ClientConnection

from arbsaga.venues.sockets import GivenUp, keep_connected, until_one_fails


@dataclass(frozen=True, slots=True)
class Keepalive:
    """All in ms. `ping`: between PINGs; without any frame for `dead` the connection is given up.

    `check`: between checks for a silent stream. A connection that ends is opened anew after a random
    pause of up to `retry`, doubled each time up to `retry_max`; one that lasted for `steady` starts over.
    """

    ping: int = 5_000
    dead: int = 12_000
    check: int = 1_000
    retry: int = 250
    retry_max: int = 30_000
    steady: int = 10_000


class Channel(Protocol):
    """What happens on a connection."""

    def opening(self) -> list[bytes]:
        """The frames to send first."""

    def frame(self, data: bytes, received_ns: int) -> None:
        """A frame came in at `received_ns` (monotonic). Must not raise."""

    def pong(self, received_ns: int) -> None:
        """The server has answered a PING: all it sent before has been handled."""

    async def check(self) -> str:
        """Why the connection must be replaced, or empty. Must not raise."""

    def closed(self, reason: str) -> None:
        """The connection has ended; another one follows."""


async def keep_open(url: str, channel: Channel, keepalive: Keepalive, max_bytes: int) -> None:
    """Serve the channel until cancelled. A frame over `max_bytes` ends a connection, like any other trouble."""

    async def serve(socket: ClientConnection) -> NoReturn:
        for frame in channel.opening():
            await socket.send(frame.decode())
        pulse = _Pulse(time.monotonic_ns())
        await until_one_fails(_read(socket, channel, pulse), _watch(socket, channel, keepalive, pulse))

    await keep_connected(url, serve, channel.closed, pauses=keepalive, max_bytes=max_bytes)


@dataclass(slots=True)
class _Pulse:
    """When the last frame of any kind came in (monotonic ns)."""

    at_ns: int


async def _read(socket: ClientConnection, channel: Channel, pulse: _Pulse) -> NoReturn:
    while True:
        data = await socket.recv(decode=False)
        pulse.at_ns = received_ns = time.monotonic_ns()
        if data == b"PONG":
            channel.pong(received_ns)
        else:
            channel.frame(data, received_ns)


async def _watch(socket: ClientConnection, channel: Channel, keepalive: Keepalive, pulse: _Pulse) -> NoReturn:
    pinged_ns = 0
    while True:
        now_ns = time.monotonic_ns()
        if now_ns - pulse.at_ns > keepalive.dead * 1_000_000:
            raise GivenUp(f"no frame for {keepalive.dead} ms")
        if now_ns - pinged_ns >= keepalive.ping * 1_000_000:
            await socket.send("PING")
            pinged_ns = now_ns
        if reason := await channel.check():
            raise GivenUp(reason)
        await asyncio.sleep(min(keepalive.check, keepalive.ping) / 1000)
