"""One signed WebSocket that is kept open: pings, a watch for trouble, and a new connection after every end.

The venue pings every 10 s, which the library answers; that proves nothing to us, so we ping too. There is no replay:
every end is a gap. A server that answers pings and tells nothing is not noticed here: each channel has its own `check`.
"""

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import NoReturn, Protocol
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection

from arbsaga.venues.kalshi.signing import Signer
from arbsaga.venues.sockets import GivenUp, keep_connected, until_one_fails


@dataclass(frozen=True, slots=True)
class Keepalive:
    """All in ms. `ping`: between pings; one that is not answered within `dead` ends the connection.

    `check`: between checks for trouble of the channel. A connection that ends is opened anew after a random pause of
    up to `retry`, doubled each time up to `retry_max`; one that lasted for `steady` starts over.
    """

    ping: int = 5_000
    dead: int = 7_000
    check: int = 1_000
    retry: int = 250
    retry_max: int = 30_000
    steady: int = 10_000


class Channel(Protocol):
    """What happens on a connection."""

    def opening(self) -> list[str]:
        """The commands to send first."""

    def frame(self, data: bytes, received_ns: int) -> None:
        """A frame came in at `received_ns` (monotonic). Must not raise."""

    def pong(self) -> None:
        """The server has answered a ping."""

    async def check(self) -> str:
        """Why the connection must be replaced, or empty. Must not raise."""

    def closed(self, reason: str) -> None:
        """The connection has ended; another one follows."""


async def keep_open(url: str, signer: Signer, channel: Channel, keepalive: Keepalive, max_bytes: int) -> None:
    """Serve the channel until cancelled. A frame over `max_bytes` ends a connection, like any other trouble."""

    async def serve(socket: ClientConnection) -> NoReturn:
        for command in channel.opening():
            await socket.send(command)
        await until_one_fails(_read(socket, channel), _ping(socket, channel, keepalive), _check(channel, keepalive))

    headers = partial(signer.headers, "GET", urlsplit(url).path)
    await keep_connected(url, serve, channel.closed, pauses=keepalive, max_bytes=max_bytes, headers=headers)


async def _read(socket: ClientConnection, channel: Channel) -> NoReturn:
    while True:
        data = await socket.recv(decode=False)
        channel.frame(data, time.monotonic_ns())


async def _ping(socket: ClientConnection, channel: Channel, keepalive: Keepalive) -> NoReturn:
    while True:
        try:
            async with asyncio.timeout(keepalive.dead / 1000):
                await (await socket.ping())
        except TimeoutError:
            raise GivenUp(f"no answer to a ping for {keepalive.dead} ms") from None
        channel.pong()
        await asyncio.sleep(keepalive.ping / 1000)


async def _check(channel: Channel, keepalive: Keepalive) -> NoReturn:
    while True:
        if reason := await channel.check():
            raise GivenUp(reason)
        await asyncio.sleep(keepalive.check / 1000)
