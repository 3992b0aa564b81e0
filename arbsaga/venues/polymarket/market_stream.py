"""Streams books: one socket per group of tokens, reconnecting by itself, silent sockets found out.

A socket that answers PONG and sends no data has been seen to stay so for hours (py-clob-client #292),
for all of its tokens or for some. So the best prices of every token without news are compared by
request, and two differences in a row without news between them end the connection.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import orjson
import structlog

from arbsaga.errors import VenueError
from arbsaga.venues.polymarket.market_frames import Best, Feed, OddFrameError
from arbsaga.venues.polymarket.sockets import Keepalive, keep_open
from arbsaga.venues.port import BookSink

MAX_BYTES = 4 * 1024 * 1024
"""Largest frame; above it the connection ends, which is a gap. The library's own limit of 1 MiB is a trap."""
MAX_COMPARED = 250
"""Tokens compared in one request: the venue takes 500 entries, two for each token."""

BestPrices = Callable[[Sequence[str]], Awaitable[Mapping[str, Best]]]

log = structlog.get_logger()


async def stream_books(
    url: str,
    tokens: Sequence[str],
    sink: BookSink,
    *,
    group: int,
    best_prices: BestPrices,
    quiet_ms: int,
    keepalive: Keepalive,
) -> None:
    """Feed the sink with these tokens' books until cancelled, `group` tokens to a socket.

    `best_prices` asks the venue for the best prices of tokens that had no news for `quiet_ms`.
    """
    wanted = tuple(dict.fromkeys(tokens))
    groups = [wanted[first : first + group] for first in range(0, len(wanted), group)]
    channels = [BookChannel(part, sink, best_prices, quiet_ms) for part in groups]
    works = [keep_open(url, channel, keepalive, MAX_BYTES) for channel in channels]
    tasks = [asyncio.create_task(work) for work in (*works, _idle())]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _idle() -> None:
    """Without tokens too, the stream lasts until it is cancelled."""
    await asyncio.Event().wait()


class BookChannel:
    """One socket's tokens."""

    def __init__(self, tokens: Sequence[str], sink: BookSink, best_prices: BestPrices, quiet_ms: int) -> None:
        self._sink, self._best_prices, self._quiet_ns = sink, best_prices, quiet_ms * 1_000_000
        self.feed = Feed(tokens, sink)
        self.malformed = 0
        self._broken = ""
        self._suspects: frozenset[str] = frozenset()
        self._compared_ns = time.monotonic_ns()

    def opening(self) -> list[bytes]:
        """Ask for the books and all that follows."""
        wanted = {"type": "market", "assets_ids": self.feed.tokens, "custom_feature_enabled": True}
        return [orjson.dumps(wanted)]

    def frame(self, data: bytes, received_ns: int) -> None:
        """Apply a frame. One that cannot be read may have held an update: its books are stale until a new dump."""
        try:
            self.feed.apply(data, received_ns)
        except OddFrameError as error:
            self.malformed += 1
            self._broken = self._broken or str(error)
            log.warning("market frame cannot be read", why=str(error), tokens=len(error.tokens))
            self._sink.gap(error.tokens, str(error))

    def pong(self, received_ns: int) -> None:
        """Says nothing about the books: a frozen stream answers too."""

    async def check(self) -> str:
        """Why a new connection is needed: an unreadable frame, or books that moved without our hearing of it."""
        if self._broken:
            return self._broken
        now_ns = time.monotonic_ns()
        quiet = [token for token in self.feed.tokens if now_ns - self._heard_ns(token) > self._quiet_ns]
        suspects = self._suspects.intersection(quiet)
        if not suspects and now_ns - self._compared_ns < self._quiet_ns:
            return ""
        self._compared_ns = now_ns
        differing = await self._differing(quiet)
        confirmed = [token for token in differing if token in suspects]
        self._suspects = frozenset(differing)
        return f"silent: {len(confirmed)} books moved unheard" if confirmed else ""

    def _heard_ns(self, token: str) -> int:
        return self.feed.seen_ns.get(token, 0)

    async def _differing(self, tokens: Sequence[str]) -> list[str]:
        """The tokens whose best prices are not those the stream told last, and that still had no news."""
        heard = {token: self._heard_ns(token) for token in tokens}
        differing = []
        for first in range(0, len(tokens), MAX_COMPARED):
            part = tokens[first : first + MAX_COMPARED]
            try:
                found = await self._best_prices(part)
            except VenueError as error:
                log.warning("books cannot be compared", error=str(error))
                return []
            # One without any price cannot be compared: its market may be over unannounced (rs-clob-client #226).
            differing += [token for token in part if token in found and found[token] != self._told(token)]
        return [token for token in differing if heard[token] == self._heard_ns(token)]

    def _told(self, token: str) -> Best:
        return self.feed.best.get(token, (None, None))

    def closed(self, reason: str) -> None:
        """No replay: everything is stale until the next dump."""
        self._broken, self._suspects = "", frozenset()
        self._compared_ns = time.monotonic_ns()
        self.feed.forget()
        self._sink.gap(self.feed.tokens, reason)
