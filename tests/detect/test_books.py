"""Live books: always the venue's levels, and believed only while they are proved."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbsaga.detect import BookSettings
from arbsaga.domain.instruments import Side

from .make import MS, Clock, books, move, prices, show

BUY, SELL = Side.BUY, Side.SELL
PROPERTY = settings(derandomize=True, deadline=None, max_examples=200, database=None)

CHANGES = st.lists(
    st.tuples(
        st.sampled_from([BUY, SELL]),
        st.integers(1, 12).map(lambda tick: Decimal(tick) / 100),
        st.sampled_from([Decimal(0), Decimal(0), Decimal("2.5"), Decimal(7)]),
        st.booleans(),
    ),
    max_size=60,
)


def followed(*tokens: str, clock=None, **more):
    live = books(clock, **more)
    return live, live.follow({token: f"market of {token}" for token in tokens})


@PROPERTY
@given(CHANGES)
def test_a_book_is_always_the_last_size_of_every_level(changes):
    """Whatever is set, replaced and removed, in frames of any length: both sides, best first."""
    live, _ = followed("t", settings=BookSettings(crossed_ms=10**9))
    live.snapshot("t", prices(("0.03", "1")), prices(("0.09", "1")), 1)
    sides = {BUY: prices(("0.03", "1")), SELL: prices(("0.09", "1"))}
    for side, price, size, frame_ends in changes:
        live.change("t", side, price, size, 2)
        sides[side][price] = size
        if frame_ends:
            live.commit(0, ["t"])
            assert live.ask("t") == min((at for at, held in sides[SELL].items() if held), default=None)
    book = live.book("t")
    assert [(level.price, level.size) for level in book.bids] == left(sides[BUY], reverse=True)
    assert [(level.price, level.size) for level in book.asks] == left(sides[SELL], reverse=False)
    assert live.ask("t") == (book.asks[0].price if book.asks else None)


def left(side, *, reverse):
    return sorted(((price, size) for price, size in side.items() if size), reverse=reverse)


def test_a_book_that_did_not_change_is_not_built_again():
    """The levels are the same objects until a level changes."""
    live, _ = followed("t")
    show(live, "t", asks=[("0.5", "1")])
    before = live.book("t")
    assert live.book("t").asks is before.asks
    move(live, "t", SELL, "0.6", "1")
    assert live.book("t").asks is not before.asks


def test_there_is_no_book_before_its_snapshot():
    """Changes alone do not make a book; neither does a token that nobody follows."""
    live, stream = followed("t")
    move(live, "t", SELL, "0.5", "1")
    live.commit(5, ["t"])
    assert live.book("t") is None
    assert live.missing(stream) == ["t"]
    assert live.book("other") is None is live.ask("other")


def test_changes_that_came_while_the_snapshot_was_in_flight_are_kept_when_newer():
    """Older ones are in the snapshot; those of its own ms are applied again, as sizes are absolute."""
    live, _ = followed("t")
    for price, time_ms in (("0.50", 9), ("0.51", 10), ("0.52", 11), ("0.53", 10)):
        move(live, "t", SELL, price, "1", time_ms=time_ms)
    move(live, "t", SELL, "0.60", "0", time_ms=11)
    show(live, "t", asks=[("0.60", "9"), ("0.70", "9")], time_ms=10)
    book = live.book("t")
    assert [str(level.price) for level in book.asks] == ["0.51", "0.52", "0.53", "0.70"]
    assert book.time_ms == 11


def test_a_snapshot_older_than_changes_that_had_no_room_is_not_believed():
    """What was kept would not bring it up to date."""
    live, stream = followed("t", settings=BookSettings(max_waiting=2))
    for time_ms in (10, 11, 12, 13):
        move(live, "t", SELL, "0.5", "1", time_ms=time_ms)
    show(live, "t", asks=[("0.6", "1")], time_ms=10)
    assert live.book("t") is None
    assert "older" in stream.suspect
    show(live, "t", asks=[("0.6", "1")], time_ms=11)
    assert [str(level.price) for level in live.book("t").asks] == ["0.5", "0.6"]


def test_a_frame_proves_every_book_of_its_stream_and_no_other():
    """A frame of the same connection proves that nothing is held up on it."""
    clock = Clock()
    live, _ = followed("a", "b", clock=clock)
    live.follow({"c": "m"})
    for token in "abc":
        show(live, token, asks=[("0.5", "1")], received_ns=clock.now_ns())
    began = clock.ms
    clock.ms += 300
    live.commit(clock.now_ns() - 100 * MS, ["a"])
    assert [live.book(token).read_ms - began for token in "abc"] == [200, 200, 0]


def test_a_gap_takes_the_belief_until_the_next_snapshot():
    """Only of the tokens it names, and under a new generation; what came before the gap is forgotten."""
    live, stream = followed("a", "b")
    show(live, "a", asks=[("0.5", "1")])
    show(live, "b", asks=[("0.5", "1")])
    before = live.book("a").generation
    live.gap(["a", "unknown"], "reconnected")
    move(live, "a", SELL, "0.4", "1", time_ms=1)
    assert live.book("a") is None
    assert live.missing(stream) == ["a"]
    assert live.book("b").generation > before
    live.gap(["a"], "again")
    show(live, "a", asks=[("0.6", "1")], time_ms=1)
    assert [str(level.price) for level in live.book("a").asks] == ["0.6"]
    assert live.book("a").generation > before
    assert live.counters.gaps == 2


def test_generations_are_never_used_again():
    """Not by another stream, nor by the same tokens when they are followed anew."""
    live, first = followed("a")
    second = live.follow({"a": "m"})
    third = live.follow({"b": "m"})
    assert len({first.generation, second.generation, third.generation}) == 3
    assert first.tokens == set()


@pytest.mark.parametrize(
    ("bid", "ask", "believed"),
    [
        ("0.40", "0.50", True),
        ("0.41", "0.50", False),
        ("0.40", "0.49", False),
        (None, None, True),
        (None, "0.51", False),
    ],
)
def test_best_prices_that_are_not_the_venues_show_a_missed_message(bid, ask, believed):
    """Checked when the frame is whole; a side that the venue does not name is not checked."""
    live, stream = followed("t")
    show(live, "t", asks=[("0.51", "1")], bids=[("0.40", "1")])
    move(live, "t", SELL, "0.50", "1")
    live.best("t", bid and Decimal(bid), ask and Decimal(ask))
    assert live.book("t") is not None
    live.commit(5, ["t"])
    assert (live.book("t") is not None) is believed
    assert bool(stream.suspect) is not believed
    assert live.counters.caught == (not believed)


def test_a_book_that_was_caught_interrupts_its_whole_stream():
    """A message was missed on it: what was decided before on any of its books no longer counts."""
    live, _ = followed("a", "b")
    for token in "ab":
        show(live, token, asks=[("0.5", "1")])
    before = live.book("b").generation
    live.best("a", None, Decimal("0.6"))
    live.commit(5, ["a"])
    assert live.book("b").generation > before


def test_what_the_venue_said_of_a_book_before_its_snapshot_is_not_held_against_it():
    """The best prices of a book that was not known yet say nothing of the one that is."""
    live, _ = followed("t")
    live.best("t", Decimal("0.1"), Decimal("0.2"))
    live.best("unknown", Decimal("0.1"), Decimal("0.2"))
    show(live, "t", asks=[("0.5", "1")])
    live.commit(6, ["t"])
    assert live.book("t") is not None


def test_a_book_may_cross_for_a_moment_but_not_stay_crossed():
    """A brief crossing is normal on the stream (poly-websockets #25); one that stays is a missed message."""
    live, stream = followed("t", settings=BookSettings(crossed_ms=500))
    show(live, "t", asks=[("0.50", "1")], bids=[("0.40", "1")])
    move(live, "t", BUY, "0.50", "1")
    for frame_ms in (1_000, 1_400):
        live.commit(frame_ms * MS, ["t"])
        assert live.book("t").crossed
    move(live, "t", BUY, "0.50", "0")
    live.commit(1_450 * MS, ["t"])
    move(live, "t", BUY, "0.51", "3")
    live.commit(1_600 * MS, ["t"])
    live.commit(2_100 * MS, ["t"])
    assert live.book("t") is not None
    live.commit(2_101 * MS, ["t"])
    assert live.book("t") is None
    assert "crossed for 501 ms" in stream.suspect


@pytest.mark.parametrize(
    ("price", "size"),
    [("0", "1"), ("1", "1"), ("1.2", "1"), ("-0.1", "1"), ("0.5", "-1"), ("NaN", "1"), ("0.5", "NaN"), ("0.5", "1e12")],
)
def test_a_malformed_level_makes_the_book_stale(price, size):
    """Never a crash: it is counted, and the book waits for a snapshot. In a snapshot, too."""
    live, stream = followed("t")
    show(live, "t", asks=[("0.50", "1")])
    move(live, "t", SELL, price, size)
    assert live.book("t") is None
    assert "malformed" in stream.suspect
    show(live, "t", asks=[(price, size)])
    assert live.book("t") is None
    assert live.counters.malformed == 2


def test_a_closed_market_has_no_books_until_a_new_snapshot():
    """Resolved or with another tick: its books are dropped and no snapshot is missed; the listener is told."""
    told = []
    live, stream = followed("a", "b", on_closed=told.append)
    for token in "ab":
        show(live, token, asks=[("0.5", "1")])
    live.closed("market of a")
    assert told == ["market of a"]
    assert live.book("a") is None is live.ask("a")
    assert live.missing(stream) == []
    assert live.live == 1
    show(live, "a", asks=[("0.555", "1")])
    assert live.ask("a") == Decimal("0.555")
    live.gap(["a"], "dropped")
    assert live.missing(stream) == ["a"]


def test_messages_for_tokens_that_nobody_follows_are_counted():
    """They can arrive for a while after a token was dropped."""
    live, _ = followed("t")
    live.forget(["t", "t"])
    show(live, "t", asks=[("0.5", "1")])
    move(live, "t", SELL, "0.5", "1")
    assert live.counters.strange == 2
    assert live.book("t") is None


def test_the_listener_hears_of_each_whole_frame_once():
    """With the time its bytes came in and the tokens it touched."""
    frames = []
    live, _ = followed("t", on_frame=lambda ns, tokens: frames.append((ns, list(tokens), live.ask("t"))))
    show(live, "t", asks=[("0.5", "1"), ("0.6", "1")], received_ns=7)
    move(live, "t", SELL, "0.5", "0")
    live.commit(8, ["t"])
    assert frames == [(7, ["t"], Decimal("0.5")), (8, ["t"], Decimal("0.6"))]
    assert live.counters.messages == 2
