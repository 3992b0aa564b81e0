"""A WebSocket that is opened anew after every end, for each venue's own way to serve it.

No venue replays what was missed, so every end is a gap.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import NoReturn, Protocol

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

log = structlog.get_logger()

_QUIET = logging.getLogger("arbsaga.websockets")
_QUIET.setLevel(logging.WARNING)  # at DEBUG it would log frames and handshake: secrets, key ids, signatures


class Pauses(Protocol):
    """All in ms: a connection that ends is opened anew after a random pause of up to `retry`, doubled each time up to
    `retry_max`; one that lasted for `steady` starts over."""

    @property
    def retry(self) -> int:
        """The first longest pause."""

    @property
    def retry_max(self) -> int:
        """The longest of all."""

    @property
    def steady(self) -> int:
        """What proves that a connection was a good one."""


class GivenUp(Exception):
    """We end this connection: it is dead, silent, or cannot be believed."""


async def keep_connected(
    url: str,
    serve: Callable[[ClientConnection], Awaitable[NoReturn]],
    closed: Callable[[str], None],
    *,
    pauses: Pauses,
    max_bytes: int,
    headers: Callable[[], Mapping[str, str]] = dict,
    ping_s: float | None = None,
) -> None:
    """Serve connections until cancelled; `closed` is told why each ended. A frame over `max_bytes` ends one.

    `headers` are asked for anew each time, since a signature holds for some seconds. `ping_s`: the library pings so
    often and ends a connection that does not answer; None: whoever serves does.
    """
    failures = 0
    while True:
        opened = time.monotonic()
        try:
            async with connect(
                url,
                additional_headers=headers(),
                max_size=max_bytes,
                compression=None,
                ping_interval=ping_s,
                ping_timeout=ping_s,
                close_timeout=1,
                logger=_QUIET,
            ) as socket:
                opened = time.monotonic()
                await serve(socket)
        except (OSError, EOFError, WebSocketException, GivenUp) as error:
            reason = f"{type(error).__name__}: {error}"
        log.info("stream interrupted", url=url, reason=reason)
        closed(reason)
        # A server that accepts and ends at once must not be asked ever faster, so an open proves nothing.
        failures = 0 if (time.monotonic() - opened) * 1000 >= pauses.steady else failures + 1
        await asyncio.sleep(random.random() * min(pauses.retry * 2**failures, pauses.retry_max) / 1000)


async def until_one_fails(*works: Coroutine[None, None, NoReturn]) -> NoReturn:
    """Run all at once until the first fails; the others are cancelled, and its error is raised."""
    tasks: list[asyncio.Task[NoReturn]] = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
