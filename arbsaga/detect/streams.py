"""Streams of books: which tokens share one, and beginning a stream anew when it cannot be believed.

A stream is of one venue only, so that a venue which is silent or dead leaves the books of the others alone.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from arbsaga.detect.books import MS, LiveBooks, Stream
from arbsaga.detect.settings import StreamSettings
from arbsaga.errors import VenueError
from arbsaga.venues.port import Venue

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Feed:
    """A running stream: its venue, its tokens with their markets, and when (monotonic ns) it may be begun anew."""

    venue: str
    tokens: dict[str, str]
    stream: Stream
    task: asyncio.Task[None]
    pause_ms: int
    not_before_ns: int


class Streams:
    """Keeps a stream running for every wanted token. Use inside one task group, from one task."""

    def __init__(self, venue: Venue, books: LiveBooks, settings: StreamSettings, group: asyncio.TaskGroup) -> None:
        self._venue, self._books, self._settings, self._group = venue, books, settings, group
        self._feeds: list[_Feed] = []

    async def follow(self, venues: Mapping[str, Sequence[Mapping[str, str]]], now_ns: int) -> None:
        """Subscribe to exactly these tokens (each with its market), by venue in groups that share a stream.

        So the books of an event's basket are proved by the same frames, and a torn read cannot come about.
        """
        wanted = {token for groups in venues.values() for tokens in groups for token in tokens}
        for feed in list(self._feeds):
            gone = [token for token in feed.tokens if token not in wanted]
            self._books.forget(gone)
            for token in gone:
                del feed.tokens[token]
            if not feed.tokens:
                await self._stop(feed)
        fed = {token for feed in self._feeds for token in feed.tokens}
        for venue, groups in venues.items():
            new = [{token: tokens[token] for token in tokens if token not in fed} for tokens in groups]
            for parcel in await self._packed(venue, [tokens for tokens in new if tokens]):
                self._start(venue, parcel, now_ns, self._settings.restart_min_ms)

    async def tend(self, now_ns: int) -> None:
        """Begin anew each stream whose books cannot be believed, at growing pauses while that recurs."""
        for feed in list(self._feeds):
            reason = self._trouble(feed.stream, now_ns)
            if reason and now_ns >= feed.not_before_ns:
                self._books.counters.restarts += 1
                log.warning("stream restarted", reason=reason, tokens=len(feed.tokens))
                await self._stop(feed)
                self._start(feed.venue, feed.tokens, now_ns, min(feed.pause_ms * 2, self._settings.restart_max_ms))
            elif not reason and now_ns - feed.not_before_ns > self._settings.restart_max_ms * MS:
                feed.pause_ms = self._settings.restart_min_ms

    @property
    def count(self) -> int:
        """How many streams run."""
        return len(self._feeds)

    def _trouble(self, stream: Stream, now_ns: int) -> str:
        if stream.suspect:
            return stream.suspect
        waited_ms = (now_ns - stream.began_ns) // MS
        if waited_ms > self._settings.snapshot_ms and (missing := self._books.missing(stream)):
            return f"no snapshot of {len(missing)} books for {waited_ms} ms"
        silent_ms = (now_ns - max(stream.proved_ns, stream.began_ns)) // MS
        if silent_ms > self._settings.silent_ms:
            return f"silent for {silent_ms} ms"
        return ""

    async def _packed(self, venue: str, new: list[dict[str, str]]) -> list[dict[str, str]]:
        """The tokens that no stream brings yet, in parcels; small streams are joined when the venue has too many."""
        parcels = self._pack(new)
        feeds = [feed for feed in self._feeds if feed.venue == venue]
        excess = len(feeds) + len(parcels) - self._settings.max_streams
        if excess <= 0 or not parcels:
            return parcels
        smallest = sorted(feeds, key=lambda feed: len(feed.tokens))[: 2 * excess]
        for feed in smallest:
            await self._stop(feed)
        return self._pack([feed.tokens for feed in smallest] + parcels)

    def _pack(self, groups: list[dict[str, str]]) -> list[dict[str, str]]:
        """Groups of tokens into parcels of at most `max_tokens`; only a group larger than that is split."""
        parcels: list[dict[str, str]] = []
        room, size = 0, self._settings.max_tokens
        for group in groups:
            tokens = list(group.items())
            for start in range(0, len(tokens), size):
                part = dict(tokens[start : start + size])
                if len(part) > room:
                    parcels.append({})
                    room = size
                parcels[-1].update(part)
                room -= len(part)
        return parcels

    def _start(self, venue: str, tokens: dict[str, str], now_ns: int, pause_ms: int) -> None:
        stream = self._books.follow(tokens)
        task = self._group.create_task(self._feed(tuple(tokens), stream))
        self._feeds.append(_Feed(venue, tokens, stream, task, pause_ms, now_ns + pause_ms * MS))

    async def _feed(self, tokens: tuple[str, ...], stream: Stream) -> None:
        """Run one stream. When the venue's adapter gives up, it is begun anew by `tend`."""
        try:
            await self._venue.stream_books(tokens, self._books)
            reason = "the stream ended"
        except VenueError as error:
            reason = str(error)
        self._books.gap(tokens, reason)
        stream.suspect = reason

    async def _stop(self, feed: _Feed) -> None:
        """End a stream before another one may bring its tokens: two must never feed the same book."""
        self._feeds.remove(feed)
        feed.task.cancel()
        await asyncio.wait([feed.task])
