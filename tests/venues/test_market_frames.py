"""Frames of the market channel become books, exactly; what cannot be read makes books stale, never wrong."""

from decimal import Decimal

import orjson
import pytest

from arbsaga.domain.instruments import Side
from arbsaga.venues.polymarket import market_frames
from arbsaga.venues.polymarket.market_frames import Feed, OddFrameError

from .sink import Recorder

YES, NO, ELSE = "1001", "1002", "1003"
MARKET = "0x" + "11" * 32


def book(token=YES, **changes):
    return {
        "event_type": "book",
        "market": MARKET,
        "asset_id": token,
        "bids": [{"price": "0.10", "size": "5"}, {"price": "0.40", "size": "7.5"}],
        "asks": [{"price": "0.90", "size": "5"}, {"price": "0.60", "size": "8"}],
        "timestamp": "1790000000123",
        "hash": "00",
    } | changes


def change(*entries, **changes):
    return {
        "event_type": "price_change",
        "market": MARKET,
        "timestamp": "1790000000456",
        "price_changes": [
            {
                "asset_id": token,
                "price": price,
                "size": size,
                "side": side,
                "hash": "00",
                "best_bid": bid,
                "best_ask": ask,
            }
            for token, price, size, side, bid, ask in entries
        ],
    } | changes


@pytest.fixture
def sink():
    return Recorder()


@pytest.fixture
def feed(sink):
    return Feed([YES, NO], sink)


def apply(feed, *events):
    for event in events:
        feed.apply(event if isinstance(event, bytes) else orjson.dumps(event), 77)


def test_book_replaces_everything(feed, sink):
    """Bids ascend and asks descend on the wire: the best is found by price, not by place."""
    apply(feed, book())
    assert sink.books[YES] == (
        {Decimal("0.10"): 5, Decimal("0.40"): Decimal("7.5")},
        {Decimal("0.90"): 5, Decimal("0.60"): 8},
        1_790_000_000_123,
    )
    assert feed.best[YES] == (Decimal("0.40"), Decimal("0.60"))
    assert sink.commits == [(77, (YES,))]


def test_change_is_the_new_absolute_size(feed, sink):
    """`size` replaces the level, 0 removes it; one event carries both tokens.

    Trap 7.16: the hash is not looked at, it cannot be reproduced.
    """
    apply(
        feed,
        change((YES, "0.41", "3", "BUY", "0.41", "0.60"), (NO, "0.59", "0", "SELL", "0.40", "0.60")),
    )
    assert sink.changes == [
        (YES, Side.BUY, Decimal("0.41"), 3, 1_790_000_000_456),
        (NO, Side.SELL, Decimal("0.59"), 0, 1_790_000_000_456),
    ]
    assert sink.bests == [(YES, Decimal("0.41"), Decimal("0.60")), (NO, Decimal("0.40"), Decimal("0.60"))]
    assert sink.commits == [(77, (YES, NO))]


def test_tokens_of_another_socket_are_left_to_it(feed, sink):
    """Two sockets are not ordered against each other, so each token has one."""
    apply(feed, change((ELSE, "0.41", "3", "BUY", "0.41", "0.60")), book(ELSE))
    assert (sink.changes, sink.books, sink.commits) == ([], {}, [])


@pytest.mark.parametrize(("bid", "ask"), [("", ""), ("0", "1")])
def test_empty_side_has_no_best(feed, sink, bid, ask):
    apply(feed, change((YES, "0.41", "0", "BUY", bid, ask)))
    assert sink.bests == [(YES, None, None)]


def test_best_may_be_left_out(feed, sink):
    event = change((YES, "0.41", "3", "BUY", "0.41", "0.60"))
    del event["price_changes"][0]["best_bid"]
    apply(feed, event)
    assert sink.bests == []


def test_best_bid_ask_event(feed, sink):
    apply(feed, {"event_type": "best_bid_ask", "asset_id": YES, "best_bid": "0.4", "best_ask": "0.6", "timestamp": "1"})
    assert sink.bests == [(YES, Decimal("0.4"), Decimal("0.6"))]


@pytest.mark.parametrize("kind", ["tick_size_change", "market_resolved"])
def test_end_of_a_market_or_its_tick_closes_it(feed, sink, kind):
    """Trap 7.24: after a tick change the book is dropped. A 31-byte V2 condition id is widened."""
    short = "0x" + "01" * 31
    apply(feed, {"event_type": kind, "market": short, "asset_id": YES, "new_tick_size": "0.001"})
    assert sink.closed_markets == [short + "00"]


def test_array_is_one_commit(feed, sink):
    apply(feed, [book(), change((YES, "0.41", "3", "BUY", "0.41", "0.60")), book(NO)], [])
    assert sink.commits == [(77, (YES, NO))]


@pytest.mark.parametrize("junk", [[None, 7, "book", {"event_type": 3}, []], {"event_type": "no_such_event"}, 7, {}])
def test_strangers_are_skipped(feed, sink, junk):
    apply(feed, junk, book())
    assert feed.skipped >= 1
    assert YES in sink.books


@pytest.mark.parametrize("kind", ["last_trade_price", "new_market"])
def test_events_that_do_not_matter(feed, kind):
    apply(feed, {"event_type": kind})
    assert feed.skipped == 0


class TestOdd:
    """A frame that cannot be read may have held an update."""

    def test_broken_json_is_about_every_book(self, feed):
        with pytest.raises(OddFrameError) as caught:
            apply(feed, b'{"event_type": "book", "asset_id": ')
        assert caught.value.tokens == (YES, NO)

    @pytest.mark.parametrize(
        "event",
        [
            book(bids=[{"price": "NaN", "size": "5"}]),
            book(bids=[{"price": "0.5", "size": "Infinity"}]),
            book(bids=[{"price": "0.5", "size": "-1"}]),
            book(bids=[{"price": "1.5", "size": "1"}]),
            book(bids="none"),
            book(timestamp="soon"),
            book(asks=[{"price": "0.5"}]),
        ],
    )
    def test_bad_book_is_about_its_token(self, feed, sink, event):
        with pytest.raises(OddFrameError) as caught:
            apply(feed, event)
        assert caught.value.tokens == (YES,)
        assert sink.books == {}

    @pytest.mark.parametrize(
        "event",
        [
            change((YES, "0.5", "x", "BUY", "0.4", "0.6")),
            change((YES, "0.5", "1", "HOLD", "0.4", "0.6")),
            change(timestamp=None),
            change(price_changes=None),
            change(price_changes=[{"asset_id": YES}]),
            {"event_type": "tick_size_change"},
        ],
    )
    def test_bad_change_is_about_every_book(self, feed, event):
        with pytest.raises(OddFrameError) as caught:
            apply(feed, event)
        assert caught.value.tokens == (YES, NO)

    def test_rest_of_the_frame_is_applied(self, feed, sink):
        with pytest.raises(OddFrameError):
            apply(feed, [book(bids=None), book(NO)])
        assert NO in sink.books
        assert sink.commits == [(77, (NO,))]


def test_price_texts_are_remembered_within_bounds(feed, sink, monkeypatch):
    monkeypatch.setattr("arbsaga.venues.polymarket.market_frames._MAX_PRICES", 2)
    levels = [{"price": f"0.{place:03}", "size": "1"} for place in range(1, 50)]
    apply(feed, book(bids=levels, asks=[]))
    assert len(sink.books[YES][0]) == 49
    assert len(market_frames._PRICES) <= 2


def test_best_of_another_sockets_token_is_left_to_it(feed, sink):
    apply(feed, {"event_type": "best_bid_ask", "asset_id": ELSE, "best_bid": "0.4", "best_ask": "0.6"})
    assert (sink.bests, sink.commits) == ([], [])


def test_interruption_forgets_what_was_told(feed):
    apply(feed, book())
    feed.forget()
    assert (feed.best, feed.seen_ns) == ({}, {})
