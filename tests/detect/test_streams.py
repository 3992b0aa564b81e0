"""Which tokens share a stream, and when one is begun anew."""

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from arbsaga.detect import StreamSettings
from arbsaga.detect.streams import Streams
from arbsaga.domain.instruments import Side
from arbsaga.errors import VenueError

from .make import Clock, FakeVenue, books, move, until

BOOK = ((("0.50", "10"),), (("0.40", "10"),))


def tokens(*names: str) -> dict[str, str]:
    return {name: f"market of {name}" for name in names}


def venue_of(*groups: dict[str, str]) -> dict[str, list[dict[str, str]]]:
    return {"venue": list(groups)}


@asynccontextmanager
async def streaming(settings: StreamSettings | None = None, venue: FakeVenue | None = None):
    """Streams of a venue in memory; whatever runs is cancelled at the end."""
    clock, venue = Clock(), venue or FakeVenue(shown=dict.fromkeys("abcdef", BOOK))
    venue.clock_ns = clock.now_ns
    live = books(clock)
    async with asyncio.TaskGroup() as group:
        streams = Streams(venue, live, settings or StreamSettings(), group)
        yield streams, venue, live, clock
        await streams.follow({}, clock.now_ns())
    assert venue.running == []


async def test_an_events_tokens_share_a_stream():
    """So one frame proves all books of a basket; a stream is filled up with whole events."""
    async with streaming(StreamSettings(max_tokens=3)) as (streams, venue, live, clock):
        await streams.follow(venue_of(tokens("a", "b"), tokens("c", "d"), tokens("e")), clock.now_ns())
        await until(lambda: live.live == 5)
        assert sorted(venue.running) == [("a", "b"), ("c", "d", "e")]


async def test_an_event_larger_than_a_stream_is_split():
    """Its parts are proved apart: then the limit on how far apart guards against torn reads."""
    async with streaming(StreamSettings(max_tokens=2)) as (streams, venue, live, clock):
        await streams.follow(venue_of(tokens("a", "b", "c")), clock.now_ns())
        await until(lambda: live.live == 3)
        assert sorted(venue.running) == [("a", "b"), ("c",)]


async def test_subscriptions_follow_the_events():
    """New events get streams of their own, old ones lose theirs; those that stay are not interrupted."""
    async with streaming() as (streams, venue, live, clock):
        await streams.follow(venue_of(tokens("a", "b"), tokens("c")), clock.now_ns())
        await until(lambda: live.live == 3)
        generation = live.book("a").generation
        await streams.follow(venue_of(tokens("a"), tokens("d")), clock.now_ns())
        await until(lambda: live.live == 2)
        assert venue.running == [("a", "b", "c"), ("d",)]
        assert live.book("a").generation == generation
        assert live.book("b") is None is live.book("c")
        await streams.follow(venue_of(tokens("d")), clock.now_ns())
        assert venue.running == [("d",)]
        assert streams.count == 1


async def test_small_streams_are_joined_when_there_are_too_many():
    """Events come and go for months; connections must not pile up."""
    async with streaming(StreamSettings(max_streams=2)) as (streams, venue, live, clock):
        events = []
        for name in "abcd":
            events.append(tokens(name))
            await streams.follow(venue_of(*events), clock.now_ns())
            await until(lambda: live.live == len(events))
            assert streams.count <= 2
        assert sorted(token for running in venue.running for token in running) == list("abcd")


async def caught(live, clock):
    move(live, "a", Side.SELL, "0", "1")


async def silent(live, clock):
    clock.ms += 15_001


async def missing(live, clock):
    live.gap(["a"], "reconnected")
    clock.ms += 3_001
    live.commit(clock.now_ns(), ["b"])


@pytest.mark.parametrize("what", [caught, silent, missing])
async def test_a_stream_that_cannot_be_believed_is_begun_anew(what):
    """A book caught wrong, a socket that is silent, a snapshot that does not come: everything is subscribed again."""
    async with streaming() as (streams, venue, live, clock):
        await streams.follow(venue_of(tokens("a", "b")), clock.now_ns())
        await until(lambda: live.live == 2)
        generation = live.book("a").generation
        clock.ms += 1_000
        await streams.tend(clock.now_ns())
        assert len(venue.begun) == 1
        await what(live, clock)
        await streams.tend(clock.now_ns())
        await until(lambda: live.live == 2)
        assert len(venue.begun) == 2 == 1 + live.counters.restarts
        assert venue.running == [("a", "b")]
        assert live.book("a").generation > generation


async def pauses(streams, live, clock, seconds):
    """The times (ms) between the restarts in so many seconds."""
    moments = []
    for _ in range(seconds * 10):
        before = live.counters.restarts
        clock.ms += 100
        await streams.tend(clock.now_ns())
        await asyncio.sleep(0)
        if live.counters.restarts > before:
            moments.append(clock.ms)
    return [after - before for before, after in pairwise(moments)]


async def test_restarts_that_do_not_help_grow_apart_until_it_was_quiet_for_long():
    """A token the venue does not know must not make its neighbours' books flicker."""
    settings = StreamSettings(snapshot_ms=100, silent_ms=10**9, restart_max_ms=8_000)
    venue = FakeVenue(shown={"a": BOOK})
    async with streaming(settings, venue) as (streams, _, live, clock):
        await streams.follow(venue_of(tokens("a", "unknown")), clock.now_ns())
        assert await pauses(streams, live, clock, 40) == [1_000, 2_000, 4_000] + [8_000] * 4
        live.forget(["unknown"])
        assert await pauses(streams, live, clock, 40) == []
        live.gap(["a"], "reconnected")
        assert await pauses(streams, live, clock, 1) == []
        assert streams._feeds[0].pause_ms == 1_000


async def test_a_reconnected_stream_has_time_to_send_its_snapshots():
    """The venue's adapter reconnects by itself: that is not disturbed."""
    async with streaming() as (streams, venue, live, clock):
        await streams.follow(venue_of(tokens("a", "b")), clock.now_ns())
        await until(lambda: live.live == 2)
        clock.ms += 1_000
        live.gap(["a", "b"], "reconnected")
        clock.ms += 2_999
        await streams.tend(clock.now_ns())
        assert len(venue.begun) == 1


@pytest.mark.parametrize("fault", [VenueError("no such host"), None])
async def test_a_stream_that_the_venue_gives_up_is_begun_anew(fault):
    """Whether it raises or just ends: its books are stale at once, and after a pause there is another one."""
    venue = FakeVenue(shown={"a": BOOK})
    venue.ends.append(fault)
    async with streaming(venue=venue) as (streams, _, live, clock):
        await streams.follow(venue_of(tokens("a")), clock.now_ns())
        await until(lambda: live.counters.gaps == 1)
        assert live.book("a") is None
        clock.ms += 501
        await streams.tend(clock.now_ns())
        await until(lambda: live.live == 1)


async def test_a_mistake_in_the_stream_is_not_swallowed():
    """What is no answer of the venue ends the scanner, loudly."""
    venue = FakeVenue(shown={"a": BOOK})
    venue.ends.append(ZeroDivisionError("a bug"))
    with pytest.raises(ExceptionGroup) as raised:
        await _follow_for_ever(venue)
    assert raised.group_contains(ZeroDivisionError)


async def _follow_for_ever(venue):
    async with streaming(venue=venue) as (streams, _, _, clock):
        await streams.follow(venue_of(tokens("a")), clock.now_ns())
        await asyncio.sleep(5)


async def test_a_stream_is_of_one_venue_and_a_dead_one_leaves_the_others_alone():
    """Small streams of two venues are not joined, and only the silent venue's is begun anew."""
    venue = FakeVenue(shown=dict.fromkeys("abc", BOOK))
    async with streaming(StreamSettings(max_streams=1), venue) as (streams, _, live, clock):
        await streams.follow({"poly": [tokens("a"), tokens("b")], "kalshi": [tokens("c")]}, clock.now_ns())
        await until(lambda: live.live == 3)
        assert sorted(venue.running) == [("a", "b"), ("c",)]
        alive = live.book("a").generation, live.book("c").generation
        for _ in range(16):
            clock.ms += 1_000
            live.commit(clock.now_ns(), ["a"])
        await streams.tend(clock.now_ns())
        await until(lambda: len(venue.begun) == 3)
        assert venue.begun[-1] == ("c",)
        assert live.book("a").generation == alive[0]
        await until(lambda: live.book("c") is not None)
        assert live.book("c").generation > alive[1]


async def test_the_streams_of_each_venue_are_counted_by_themselves():
    """A venue with many does not join another's."""
    venue = FakeVenue(shown=dict.fromkeys("abcd", BOOK))
    async with streaming(StreamSettings(max_streams=2, max_tokens=1), venue) as (streams, _, live, clock):
        await streams.follow({"poly": [tokens("a"), tokens("b")]}, clock.now_ns())
        await streams.follow({"poly": [tokens("a"), tokens("b")], "kalshi": [tokens("c")]}, clock.now_ns())
        await until(lambda: live.live == 3)
        assert len(venue.begun) == 3
        await streams.follow({"kalshi": [tokens("c")]}, clock.now_ns())
        assert venue.running == [("c",)]
