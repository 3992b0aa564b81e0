"""One signed WebSocket that is kept open: pings, a watch for trouble, and a new connection after every end.

The venue pings every 10 s, which the library answers; that proves nothing to us, so we ping too. There is no replay:
every end is a gap. A server that answers pings and tells nothing is not noticed here: each channel has its own `check`.
"""

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from arbsaga.venues.kalshi.signing import Signer

log = structlog.get_logger()

_QUIET = logging.getLogger("arbsaga.websockets")
_QUIET.setLevel(logging.WARNING)  # at DEBUG it would log the handshake: key id and signature


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


class _GivenUp(Exception):
    """We end this connection: it is dead or in trouble."""


async def keep_open(url: str, signer: Signer, channel: Channel, keepalive: Keepalive, max_bytes: int) -> None:
    """Serve the channel until cancelled. A frame over `max_bytes` ends a connection, like any other trouble."""
    failures = 0
    while True:
        opened = time.monotonic()
        try:
            async with connect(
                url,
                additional_headers=signer.headers("GET", urlsplit(url).path),
                max_size=max_bytes,
                compression=None,
                ping_interval=None,
                close_timeout=1,
                logger=_QUIET,
            ) as socket:
                opened = time.monotonic()
                await _serve(socket, channel, keepalive)
        except (OSError, EOFError, WebSocketException, _GivenUp) as error:
            reason = f"{type(error).__name__.lstrip('_')}: {error}"
        log.info("stream interrupted", url=url, reason=reason)
        channel.closed(reason)
        failures = 0 if (time.monotonic() - opened) * 1000 >= keepalive.steady else failures + 1
        await asyncio.sleep(random.random() * min(keepalive.retry * 2**failures, keepalive.retry_max) / 1000)


async def _serve(socket: ClientConnection, channel: Channel, keepalive: Keepalive) -> None:
    """Read frames until the connection ends, which raises."""
    for command in channel.opening():
        await socket.send(command)
    work = (_read(socket, channel), _ping(socket, channel, keepalive), _check(channel, keepalive))
    tasks = [asyncio.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(socket: ClientConnection, channel: Channel) -> None:
    while True:
        data = await socket.recv(decode=False)
        channel.frame(data, time.monotonic_ns())


async def _ping(socket: ClientConnection, channel: Channel, keepalive: Keepalive) -> None:
    while True:
        try:
            async with asyncio.timeout(keepalive.dead / 1000):
                await (await socket.ping())
        except TimeoutError:
            raise _GivenUp(f"no answer to a ping for {keepalive.dead} ms") from None
        channel.pong()
        await asyncio.sleep(keepalive.ping / 1000)


async def _check(channel: Channel, keepalive: Keepalive) -> None:
    while True:
        if reason := await channel.check():
            raise _GivenUp(reason)
        await asyncio.sleep(keepalive.check / 1000)
