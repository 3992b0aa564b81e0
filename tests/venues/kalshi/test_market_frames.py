"""Frames of books, one by one: the examples of the venue's documents, and what goes wrong on the way."""

from decimal import Decimal

import orjson
import pytest

from arbsaga.detect.books import LiveBooks
from arbsaga.venues.kalshi.frames import Feed, Numbers, Place, UnusableFrame
from venues.sink import Recorder

from .market_rig import levels, tokens_of

YES, NO = tokens_of("A")
SNAPSHOT = {
    "market_ticker": "A",
    "market_id": "A",
    "yes_dollars_fp": [["0.0800", "300.00"], ["0.9600", "54.00"]],
    "no_dollars_fp": [["0.5400", "20.00"]],
}
DELTA = {
    "market_ticker": "A",
    "market_id": "A",
    "price_dollars": "0.9600",
    "delta_fp": "-54.00",
    "side": "yes",
    "ts_ms": 1_790_000_000_000,
}


class Wire:
    """A feed with its subscriptions made: `book` and `life` give frames their numbers."""

    def __init__(self, tokens=(YES, NO), sink=None, **options):
        self.sink = sink or Recorder()
        self.changed = []
        self.feed = Feed(tokens, self.sink, on_change=self.changed.append, now_ms=lambda: 7, **options)
        self._clock = 0
        self.seq = {1: 0, 2: 0}
        for sid, channel in ((1, "market_lifecycle_v2"), (2, "orderbook_delta")):
            self.send({"id": sid, "type": "subscribed", "msg": {"channel": channel, "sid": sid}})

    def send(self, frame):
        self._clock += 1
        return self.feed.apply(orjson.dumps(frame), self._clock)

    def book(self, kind, msg, seq=None, **more):
        self.seq[2] = self.seq[2] + 1 if seq is None else seq
        return self.send({"type": f"orderbook_{kind}", "sid": 2, "seq": self.seq[2], **more, "msg": msg})

    def life(self, kind="market_lifecycle_v2", seq=None, **msg):
        self.seq[1] = self.seq[1] + 1 if seq is None else seq
        return self.send({"type": kind, "sid": 1, "seq": self.seq[1], "msg": msg})

    def bids(self, token=YES):
        return levels(self.sink.books[token][0])

    def asks(self, token=YES):
        return levels(self.sink.books[token][1])


@pytest.mark.parametrize("yes_prices", [False, True])
def test_recorded_snapshot_and_delta(yes_prices):
    """NO's bid at 0.54 is YES's ask at 0.46, in either spelling; a delta is an increment, not a size."""
    wire = Wire(yes_prices=yes_prices)
    wire.book("snapshot", SNAPSHOT | {"no_dollars_fp": [["0.4600" if yes_prices else "0.5400", "20.00"]]})
    assert (wire.bids(), wire.asks()) == ({"0.08": "3E+2", "0.96": "54"}, {"0.46": "2E+1"})
    assert (wire.bids(NO), wire.asks(NO)) == ({"0.54": "2E+1"}, {"0.92": "3E+2", "0.04": "54"})
    wire.book("delta", DELTA)
    assert wire.bids() == {"0.08": "3E+2"}
    assert wire.sink.changes == [
        (YES, "BUY", Decimal("0.96"), Decimal(0), 1_790_000_000_000),
        (NO, "SELL", Decimal("0.04"), Decimal(0), 1_790_000_000_000),
    ]
    wire.book(
        "delta", DELTA | {"side": "no", "price_dollars": "0.4600" if yes_prices else "0.5400", "delta_fp": "2.50"}
    )
    assert (wire.asks(), wire.bids(NO)) == ({"0.46": "22.5"}, {"0.54": "22.5"})
    assert [commit[1] for commit in wire.sink.commits] == [(YES, NO)] * 3
    assert not wire.sink.gaps


def test_an_own_orders_delta_carries_its_id():
    """More keys than documented are normal."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT)
    wire.book("delta", DELTA | {"client_order_id": "mine", "subaccount": 1})
    assert wire.bids() == {"0.08": "3E+2"}


@pytest.mark.parametrize("side", ["yes_dollars_fp", "no_dollars_fp"])
@pytest.mark.parametrize("empty", ["absent", None, []])
def test_an_empty_side_is_absent(side, empty):
    """Its key is not there at all; null and an empty list are the same."""
    msg = {key: value for key, value in SNAPSHOT.items() if key != side} | ({} if empty == "absent" else {side: empty})
    wire = Wire()
    wire.book("snapshot", msg)
    assert [bool(found) for found in (wire.bids(), wire.asks())] == [side != "yes_dollars_fp", side != "no_dollars_fp"]


def test_a_delta_without_a_time_has_ours():
    """`ts_ms` may be missing, and a snapshot has none."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT)
    wire.book("delta", {key: value for key, value in DELTA.items() if key != "ts_ms"})
    assert (wire.sink.books[YES][2], wire.sink.changes[0][4]) == (7, 7)


def test_deltas_before_the_snapshot_are_in_it():
    """Applied to nothing, or twice, they would make a wrong book."""
    wire = Wire()
    wire.book("delta", DELTA)
    assert not wire.sink.changes
    assert not wire.sink.commits
    wire.book("snapshot", SNAPSHOT)
    assert wire.bids() == {"0.08": "3E+2", "0.96": "54"}


def test_a_gap_makes_all_markets_stale_and_wants_their_snapshots():
    """Also that of the market whose message showed the gap, unless that is its snapshot."""
    wire = Wire(tokens_of("A", "B"))
    wire.book("snapshot", SNAPSHOT)
    wire.book("snapshot", SNAPSHOT | {"market_ticker": "B"})
    wire.book("delta", DELTA, seq=4)
    assert wire.sink.gaps == [(tuple(tokens_of("A", "B")), "messages before 4 were missed")]
    assert (list(wire.feed.wanted), wire.feed.known, wire.feed.missing) == (["A", "B"], [], ["A", "B"])
    wire.book("snapshot", SNAPSHOT, seq=6)
    assert (list(wire.feed.wanted), wire.feed.known) == (["B"], ["A"])
    wire.book("delta", DELTA)
    assert wire.bids() == {"0.08": "3E+2"}


def test_the_first_message_has_the_number_one():
    """A gap before the first one is a gap too."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT, seq=2)
    assert len(wire.sink.gaps) == 1
    assert wire.feed.known == ["A"]


def test_a_copy_is_dropped():
    """The increment counts once."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT)
    wire.book("delta", DELTA | {"delta_fp": "1.00"})
    wire.book("delta", DELTA | {"delta_fp": "1.00"}, seq=2)
    wire.book("snapshot", SNAPSHOT, seq=1)
    assert wire.bids()["0.96"] == "55"
    assert (wire.feed.repeated, wire.sink.gaps) == (2, [])


def test_a_late_message_is_in_the_snapshot_already():
    """It was missed by then, so its market had to be asked for anew."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT)
    wire.book("snapshot", SNAPSHOT, seq=3)
    wire.book("delta", DELTA, seq=2)
    assert wire.bids() == {"0.08": "3E+2", "0.96": "54"}
    assert len(wire.sink.gaps) == 1


def test_numbers_that_restart_are_not_copies():
    """Dropped as copies, every message from then on would be lost: the connection must end."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT)
    wire.book("delta", DELTA)
    with pytest.raises(UnusableFrame, match="began anew: 1 after 2"):
        wire.book("delta", DELTA | {"delta_fp": "3.00"}, seq=1)


def test_numbers():
    """Next, gap, copy, late, restart; a copy of a late one is late."""
    numbers = Numbers()
    told = [(1, b"1"), (2, b"2"), (5, b"5"), (2, b"2"), (3, b"3"), (3, b"3"), (6, b"6"), (1, b"x")]
    assert [numbers.place(seq, data).name for seq, data in told] == [
        "NEXT", "NEXT", "AFTER_GAP", "AGAIN", "LATE", "LATE", "NEXT", "RESTARTED",
    ]  # fmt: skip
    assert numbers.expected == 7


def test_numbers_keep_a_bounded_memory():
    """A stream of days must not grow: a copy from long ago counts as a restart."""
    numbers = Numbers()
    assert all(numbers.place(seq, b"") is Place.NEXT for seq in range(1, 10_001))
    assert numbers.place(9_000, b"") is Place.AGAIN
    assert numbers.place(1, b"") is Place.RESTARTED
    assert len(numbers._kept) <= 4_096


def test_replies_take_numbers():
    """`ok` counts in the sequence of its subscription, and is given to who asked."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT)
    reply = wire.send({"id": 3, "sid": 2, "seq": 2, "type": "ok", "msg": {"market_tickers": ["A"]}})
    assert reply["id"] == 3
    wire.book("delta", DELTA, seq=3)
    assert not wire.sink.gaps
    assert wire.send({"id": 4, "type": "ok", "msg": []})["id"] == 4
    assert wire.send({"id": 5, "type": "error", "msg": {"code": 7, "msg": "?"}})["type"] == "error"


def test_the_same_snapshot_again_is_a_proof():
    """Nothing changes but the moment of belief."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT)
    wire.sink.books.clear()
    wire.book("snapshot", SNAPSHOT, id=9)
    assert not wire.sink.books
    assert len(wire.sink.commits) == 2
    assert (wire.feed.proved_ns, wire.feed.moved_ns("A")) == (wire.sink.commits[1][0], wire.sink.commits[0][0])


def test_another_snapshot_than_the_changes_made_is_a_loss():
    """Something was missed although no number was: no book of the subscription is believed, this one anew."""
    wire = Wire(tokens_of("A", "B"))
    wire.book("snapshot", SNAPSHOT)
    wire.book("snapshot", SNAPSHOT | {"market_ticker": "B"})
    wire.book("snapshot", SNAPSHOT | {"yes_dollars_fp": [["0.1000", "1.00"]]})
    assert set(wire.sink.gaps[0][0]) == set(tokens_of("A", "B"))
    assert (wire.bids(), wire.feed.known, list(wire.feed.wanted)) == ({"0.1": "1"}, ["A"], ["B"])
    assert wire.feed.mismatches == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"delta_fp": "-54.01"},  # below nothing: an increment was missed
        {"delta_fp": "NaN"},
        {"delta_fp": "Infinity"},
        {"delta_fp": -54},
        {"delta_fp": None},
        {"price_dollars": "1.0000"},
        {"price_dollars": "0.00"},
        {"price_dollars": 0.96},
        {"side": "maybe"},
        {"ts_ms": "soon"},
    ],
)
def test_a_delta_that_cannot_be_used_takes_its_market_only(bad):
    """Its book is asked for anew; the other market goes on."""
    wire = Wire(tokens_of("A", "B"))
    wire.book("snapshot", SNAPSHOT)
    wire.book("snapshot", SNAPSHOT | {"market_ticker": "B"})
    wire.book("delta", DELTA | bad)
    assert [gap[0] for gap in wire.sink.gaps] == [(YES, NO)]
    assert (list(wire.feed.wanted), wire.feed.known) == (["A"], ["B"])


@pytest.mark.parametrize("level", [["0.5", "-1"], ["0.5"], ["x", "1"], ["0.5", "1000000000000"], None])
def test_a_snapshot_that_cannot_be_used(level):
    """No book is made of a part of it."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT | {"yes_dollars_fp": [level]})
    assert not wire.sink.books
    assert wire.feed.missing == ["A"]


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "orderbook_delta", "sid": 2, "msg": DELTA},
        {"type": "orderbook_delta", "sid": 9, "seq": 1, "msg": DELTA},
        {"type": "orderbook_delta", "sid": 2, "seq": "1", "msg": DELTA},
        {"type": "orderbook_delta", "sid": [2], "seq": 1, "msg": DELTA},
        {"type": "orderbook_delta", "sid": 2, "seq": 1, "msg": {}},
        {"type": "orderbook_snapshot", "sid": 2, "seq": 1},
        {"type": "subscribed", "msg": {"channel": "orderbook_delta"}},
        {"type": "market_lifecycle_v2", "sid": 1, "seq": 1},
        {"sid": 2},
        [None, 7],
        "text",
    ],
)
def test_frames_that_end_a_connection(frame):
    """Without number, subscription or market nobody knows what they have changed."""
    with pytest.raises(UnusableFrame):
        Wire().send(frame)


def test_a_frame_that_is_no_json():
    """Cut off on its way."""
    with pytest.raises(UnusableFrame, match="cannot be read"):
        Wire().feed.apply(b'{"type": "orderbook_delta", "sid": ', 1)


def test_other_types_and_other_markets_are_passed_over():
    """A type that is new, a market that is not ours: they take their numbers, no more."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT)
    wire.book("delta", DELTA | {"market_ticker": "B"})
    wire.send({"type": "new_thing", "sid": 2, "seq": 3, "msg": {}})
    wire.book("delta", DELTA, seq=4)
    assert (wire.feed.skipped, wire.sink.gaps, wire.bids()) == (2, [], {"0.08": "3E+2"})


@pytest.mark.parametrize("kind", ["deactivated", "determined", "settled"])
def test_a_market_that_ends_is_closed(kind):
    """Nothing of it is asked for or believed, until it is activated."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT)
    wire.life(market_ticker="A", event_type=kind)
    assert (wire.sink.closed_markets, wire.changed) == (["A"], ["A"])
    wire.book("delta", DELTA)
    wire.book("snapshot", SNAPSHOT)
    assert (wire.feed.known, wire.feed.missing, list(wire.feed.wanted)) == ([], [], [])
    assert len(wire.sink.commits) == 1
    wire.life(market_ticker="A", event_type="activated")
    assert (wire.feed.missing, list(wire.feed.wanted)) == (["A"], ["A"])


@pytest.mark.parametrize("kind", ["price_level_structure_updated", "close_date_updated"])
def test_a_market_whose_rules_change_begins_anew(kind):
    """Closed for whoever decided by the old rules; its book comes back by a snapshot."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT)
    wire.life(market_ticker="A", event_type=kind, price_ranges=[])
    assert wire.sink.closed_markets == ["A"]
    assert (wire.feed.known, list(wire.feed.wanted)) == ([], ["A"])
    wire.book("snapshot", SNAPSHOT)
    assert wire.feed.known == ["A"]


@pytest.mark.parametrize(
    "msg",
    [
        {"market_ticker": "A", "event_type": "metadata_updated"},
        {"market_ticker": "A", "event_type": "something_new"},
        {"market_ticker": "A", "event_type": ["odd"]},
        {"market_ticker": "A"},
    ],
)
def test_other_news_of_a_market_only_has_it_listed_anew(msg):
    """Its texts, say: whoever compares them asks for them."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT)
    wire.life(**msg)
    assert (wire.changed, wire.sink.closed_markets, wire.feed.known) == (["A"], [], ["A"])


def test_news_of_markets_that_are_not_ours():
    """The channel has no filter: everybody is told of everything."""
    wire = Wire()
    wire.life(market_ticker="B", event_type="determined")
    wire.life(event_type="created")
    wire.life(kind="event_lifecycle", event_ticker="A")
    assert (wire.changed, wire.sink.closed_markets) == ([], [])


def test_new_fees_close_the_markets_of_their_event():
    """Named by the event alone: a market's ticker begins with it, and the next word is another event's."""
    wire = Wire(tokens_of("KXA-27-X", "KXA-27JAN-X", "KXA-27"))
    wire.life(kind="event_fee_update", event_ticker="KXA-27", fee_type_override=None, fee_multiplier_override=2)
    assert wire.sink.closed_markets == ["KXA-27-X", "KXA-27"]
    assert set(wire.changed) == {"KXA-27-X", "KXA-27"}


def test_missed_news_leave_the_books_alone():
    """What was missed of a market's life is in the next listing; the books have numbers of their own."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT)
    wire.life(seq=3, market_ticker="B", event_type="created")
    assert (wire.sink.gaps, wire.changed, wire.feed.known) == ([], ["A"], ["A"])


def test_interrupted():
    """Another connection has other subscriptions and numbers; a market that was closed is asked for again."""
    wire = Wire()
    wire.book("snapshot", SNAPSHOT)
    wire.life(market_ticker="A", event_type="deactivated")
    wire.feed.interrupted("gone")
    assert wire.sink.gaps == [((YES, NO), "gone")]
    assert (wire.feed.sid("orderbook_delta"), wire.feed.missing, list(wire.feed.wanted)) == (None, ["A"], [])


def test_one_outcome_alone():
    """Fed is what was asked for."""
    wire = Wire([NO])
    wire.book("snapshot", SNAPSHOT)
    wire.book("delta", DELTA)
    assert set(wire.sink.books) == {NO}
    assert [change[0] for change in wire.sink.changes] == [NO]
    assert wire.sink.commits[0][1] == (NO,)


def test_live_books_take_it_all():
    """Through what decides on trades: a gap takes the belief away, the snapshot gives it back, another generation."""
    books = LiveBooks()
    books.follow(dict.fromkeys((YES, NO), "A"))
    wire = Wire(sink=books)
    good = SNAPSHOT | {"yes_dollars_fp": [["0.0800", "300.00"]], "no_dollars_fp": [["0.4600", "20.00"]]}
    wire.book("snapshot", good)
    first = books.book(YES)
    assert (first.bids[0].price, first.asks[0].price) == (Decimal("0.08"), Decimal("0.46"))
    assert books.book(NO).asks[0].price == Decimal("0.92")
    wire.book("delta", DELTA, seq=5)
    assert books.book(YES) is None
    wire.book("snapshot", good)
    assert books.book(YES).generation > first.generation
    wire.life(market_ticker="A", event_type="price_level_structure_updated")
    assert books.book(NO) is None
    wire.book("snapshot", good)
    assert books.book(NO).bids[0].price == Decimal("0.54")
