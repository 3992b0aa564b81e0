"""Streams books over one signed WebSocket, which is replaced whenever it cannot be believed.

Numbered messages tell what was missed, but only when the next one comes; and a socket that answers pings can have a
subscription that tells nothing any more. So a quiet subscription is asked for the snapshot of one market, each in its
turn: the answer has the next number, which proves every book of the subscription, and its own market's levels too. On
top of that, quiet books are compared now and then with those that the REST API gives.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import orjson
import structlog
from websockets.asyncio.client import ClientConnection

from arbsaga.domain.books import Book
from arbsaga.domain.instruments import Outcome
from arbsaga.errors import VenueError
from arbsaga.venues.kalshi.books import MAX_MARKETS
from arbsaga.venues.kalshi.frames import BOOKS, LIFECYCLE, Feed, UnusableFrame
from arbsaga.venues.kalshi.records import token
from arbsaga.venues.kalshi.settings import KalshiSettings
from arbsaga.venues.kalshi.signing import Signer
from arbsaga.venues.port import BookSink
from arbsaga.venues.sockets import GivenUp, keep_connected, until_one_fails

MAX_BYTES: Final = 64 * 1024 * 1024
"""Largest frame: the venue's own limit. The library's of 1 MiB would end the connection."""
PING_S: Final = 5
"""The library pings and wants a pong within this time: finds a dead connection that has no book to prove."""
NOT_FOUND: Final = 16
"""The error of a command that names a market the venue does not know; it refuses all of the command."""
MAX_ASKED: Final = 10_000
"""Commands that are remembered for the error that may come; more than one connection has markets."""
MS: Final = 1_000_000

ReadBooks = Callable[[Sequence[str]], Awaitable[Sequence[Book]]]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Timing:
    """All in ms. A subscription without a message for `probe` is asked for a snapshot; one that then says nothing
    for `dead` is given up, and so is one that owes a snapshot for `snapshot`.

    Snapshots that were missed are asked for at most every `resync`. Quiet books are compared every `compare`. A
    connection that ends is opened anew after a random pause of up to `retry`, doubled each time up to `retry_max`; one
    that lasted for `steady` starts over.
    """

    probe: int = 500
    dead: int = 3_000
    snapshot: int = 3_000
    resync: int = 250
    compare: int = 30_000
    check: int = 100
    retry: int = 250
    retry_max: int = 30_000
    steady: int = 10_000


async def stream_books(
    settings: KalshiSettings,
    signer: Signer,
    tokens: Sequence[str],
    sink: BookSink,
    *,
    read: ReadBooks,
    on_change: Callable[[str], None] = lambda _ticker: None,
    timing: Timing | None = None,
) -> None:
    """Feed the sink with these tokens' books until cancelled, all on one socket; reports each gap.

    `read` gives books by request, of at most 100 markets; `on_change` is told the tickers of markets whose rules or
    state have changed. Raises UnknownThing for a token of another venue.
    """
    timing = timing or Timing()
    channel = BookChannel(Feed(tokens, sink, on_change=on_change), read, timing, settings.quiet_ms)
    if not channel.feed.tickers:
        await asyncio.Event().wait()

    async def serve(socket: ClientConnection) -> NoReturn:
        channel.open(time.monotonic_ns())
        await until_one_fails(_read(socket, channel), _watch(socket, channel, timing), _compare(channel, timing))

    await keep_connected(
        settings.ws_url,
        serve,
        channel.closed,
        pauses=timing,
        max_bytes=MAX_BYTES,
        headers=partial(signer.headers, "GET", urlsplit(settings.ws_url).path),
        ping_s=PING_S,
    )


async def _read(socket: ClientConnection, channel: "BookChannel") -> NoReturn:
    while True:
        data = await socket.recv(decode=False)
        channel.frame(data, time.monotonic_ns())
        if channel.commands:
            await _send(socket, channel)


async def _watch(socket: ClientConnection, channel: "BookChannel", timing: Timing) -> NoReturn:
    while True:
        channel.check(time.monotonic_ns())
        await _send(socket, channel)
        await asyncio.sleep(timing.check / 1000)


async def _compare(channel: "BookChannel", timing: Timing) -> NoReturn:
    """Beside the watch: a slow answer must not hold up the proofs."""
    while True:
        await channel.compare(time.monotonic_ns())
        await asyncio.sleep(timing.check / 1000)


async def _send(socket: ClientConnection, channel: "BookChannel") -> None:
    commands, channel.commands = channel.commands, []
    for command in commands:
        await socket.send(command.decode())


@dataclass(frozen=True, slots=True)
class _Asked:
    """A command without an answer yet, and the markets it names."""

    cmd: str
    tickers: tuple[str, ...]


class BookChannel:
    """What is said on one connection. `commands` are waiting to be sent. Times are monotonic ns."""

    def __init__(self, feed: Feed, read: ReadBooks, timing: Timing, quiet_ms: int) -> None:
        self.feed, self._read, self._timing, self._quiet_ns = feed, read, timing, quiet_ms * MS
        self.commands: list[bytes] = []
        self._ids = itertools.count(1)
        self._begin(time.monotonic_ns())

    def _begin(self, now_ns: int) -> None:
        self.commands.clear()
        self._asked: dict[int, _Asked] = {}
        self._later: tuple[str, ...] = ()
        self.feed.proved_ns = self._probed_ns = self._resynced_ns = self._compared_ns = now_ns
        self._incomplete_ns = 0
        self._suspects: frozenset[str] = frozenset()
        self._turn = 0

    def open(self, now_ns: int) -> None:
        """Ask for the markets' lives first, so that no change of rules falls between book and life."""
        self._begin(now_ns)
        self._command("subscribe", (), channels=[LIFECYCLE])
        self._subscribe(self.feed.tickers)

    def closed(self, reason: str) -> None:
        """There is no replay: everything is stale until the next snapshots."""
        self.feed.interrupted(reason)

    def frame(self, data: bytes, received_ns: int) -> None:
        """Apply a frame. Raises GivenUp."""
        try:
            reply = self.feed.apply(data, received_ns)
        except UnusableFrame as error:
            log.warning("market frame cannot be used", why=str(error))
            raise GivenUp(str(error)) from None
        if reply is not None:
            self._take(reply)
        if self.feed.wanted:
            self._resync(received_ns)

    def check(self, now_ns: int) -> None:
        """Ask for what is owed or to be proved. Raises GivenUp for a connection that cannot be believed."""
        if self.feed.wanted:
            self._resync(now_ns)
        self._check_complete(now_ns)
        known, silent_ns = self.feed.known, now_ns - self.feed.proved_ns
        if not known:
            return
        if silent_ns > self._timing.dead * MS:
            raise GivenUp(f"silent for {self._timing.dead} ms")
        if min(silent_ns, now_ns - self._probed_ns) >= self._timing.probe * MS:
            self._probed_ns = now_ns
            self._turn += 1
            self._update("get_snapshot", (known[self._turn % len(known)],))

    def _check_complete(self, now_ns: int) -> None:
        missing = self.feed.missing
        if not missing:
            self._incomplete_ns = 0
        elif not self._incomplete_ns:
            self._incomplete_ns = now_ns
        elif now_ns - self._incomplete_ns > self._timing.snapshot * MS:
            raise GivenUp(f"no snapshot of {len(missing)} books for {self._timing.snapshot} ms")

    # --- commands -----------------------------------------------------------------------------------

    def _command(self, cmd: str, tickers: tuple[str, ...], **params: object) -> None:
        number = next(self._ids)
        if tickers:
            params["market_tickers"] = tickers
            self._asked[number] = _Asked(cmd, tickers)
            self._asked.pop(number - MAX_ASKED, None)  # a snapshot is not told apart from others: it answers nothing
        self.commands.append(orjson.dumps({"id": number, "cmd": cmd, "params": params}))

    def _subscribe(self, tickers: tuple[str, ...]) -> None:
        """`use_yes_price` is always said: its default will turn to true, then it will go (changelog 2026)."""
        self._command("subscribe", tickers, channels=[BOOKS], use_yes_price=self.feed.yes_prices)

    def _update(self, action: str, tickers: tuple[str, ...]) -> None:
        sid = self.feed.sid(BOOKS)
        if sid is not None:
            self._command("update_subscription", tickers, sid=sid, action=action)

    def _resync(self, now_ns: int) -> None:
        """Ask for the snapshots that are wanted. Not in every frame: where messages keep being lost, so do answers."""
        if now_ns - self._resynced_ns >= self._timing.resync * MS and self.feed.sid(BOOKS) is not None:
            self._resynced_ns = now_ns
            self._update("get_snapshot", tuple(self.feed.wanted))
            self.feed.wanted.clear()

    def _take(self, reply: Mapping[str, Any]) -> None:
        number = reply.get("id")
        asked = self._asked.pop(number, None) if isinstance(number, int) else None
        if reply["type"] == "error":
            self._refused(asked, reply)
        elif reply["type"] == "subscribed" and self._later and reply["msg"]["channel"] == BOOKS:
            later, self._later = self._later, ()
            for ticker in later:
                self._update("add_markets", (ticker,))

    def _refused(self, asked: _Asked | None, reply: Mapping[str, Any]) -> None:
        """A market that is not known takes a whole command with it: the others are asked for one by one.

        Any other error ends the connection, also 10 and 25, by which the venue ends a subscription: it is made anew
        on the next connection, after a pause.
        """
        said = reply.get("msg")
        code = said.get("code") if isinstance(said, Mapping) else None
        if asked is None or code != NOT_FOUND:
            raise GivenUp(f"the venue's error {said}")
        if asked.cmd == "subscribe":
            self._subscribe_singly(asked.tickers)
        elif len(asked.tickers) > 1:
            for ticker in asked.tickers:
                self._update("get_snapshot", (ticker,))
        else:
            self._remove(asked.tickers[0])

    def _subscribe_singly(self, refused: tuple[str, ...]) -> None:
        """There can be one subscription to the channel: the first market that is taken opens it for the others."""
        if len(refused) == 1:
            self._remove(refused[0])
            refused = self._later
        self._later = refused[1:]
        if refused:
            self._subscribe(refused[:1])

    def _remove(self, ticker: str) -> None:
        log.warning("the venue does not know a market that is streamed", ticker=ticker)
        self.feed.remove(ticker)

    # --- comparing ----------------------------------------------------------------------------------

    async def compare(self, now_ns: int) -> None:
        """Compare quiet books with those by request. Two differences in a row, without a move between: GivenUp.

        This finds what numbers cannot: a subscription that leaves a market out, or tells NO in the other spelling.
        """
        due_ns = self._timing.probe if self._suspects else self._timing.compare
        if now_ns - self._compared_ns < due_ns * MS:
            return
        self._compared_ns = now_ns
        quiet = self.feed.quiet(now_ns - self._quiet_ns)
        first = [ticker for ticker in quiet if ticker in self._suspects]
        random.shuffle(quiet)
        asked = list(dict.fromkeys([*first, *quiet]))[:MAX_MARKETS]
        differing = await self._differing(asked) if asked else []
        confirmed = self._suspects.intersection(differing)
        self._suspects = frozenset(differing)
        if confirmed:
            raise GivenUp(f"{len(confirmed)} books moved unheard")

    async def _differing(self, tickers: Sequence[str]) -> list[str]:
        """The markets whose best prices are not those the stream told, and that have not moved since."""
        before = {ticker: self.feed.moved_ns(ticker) for ticker in tickers}
        try:
            books = await self._read([token(ticker, Outcome.YES) for ticker in tickers])
        except VenueError as error:
            log.warning("books cannot be compared", error=str(error))
            return []
        told = {ticker: _best(book) for ticker, book in zip(tickers, books, strict=True)}
        return [one for one in tickers if told[one] != self.feed.best(one) and before[one] == self.feed.moved_ns(one)]


def _best(book: Book) -> tuple[object, object]:
    return (book.bids[0].price if book.bids else None), (book.asks[0].price if book.asks else None)
