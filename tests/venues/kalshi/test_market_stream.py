"""Books over the wire of the simulated exchange, with its faults."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import orjson
import pytest

from arbsaga.detect.books import LiveBooks
from arbsaga.domain.books import Level
from arbsaga.errors import UnknownThing, VenueError
from arbsaga.exchange.kalshi.venue import WireSettings
from arbsaga.venues.kalshi.frames import Feed
from arbsaga.venues.kalshi.market_stream import MAX_ASKED, BookChannel, stream_books
from venues.sink import Recorder

from .market_rig import BRISK, HASTY, levels, market_rig, tokens_of, until

A_YES, A_NO = tokens_of("RAIN-A")


@pytest.fixture
async def rig(tmp_path):
    async with market_rig(tmp_path) as running:
        yield running


def truth(rig, ticker):
    """The engine's own book: (YES bids, YES asks)."""
    view = rig.engine.book(ticker)
    return tuple({Decimal(p) / 10**6: Decimal(s) / 10**6 for p, s in side} for side in (view.bids, view.asks))


def agrees(rig, sink, *tickers):
    """Whether both outcomes' books are what the exchange has."""
    for ticker in tickers:
        yes, no = (sink.books.get(token) for token in tokens_of(ticker))
        bids, asks = truth(rig, ticker)
        if yes is None or no is None or yes[:2] != (bids, asks):
            return False
        if no[:2] != ({1 - p: s for p, s in asks.items()}, {1 - p: s for p, s in bids.items()}):
            return False
    return True


async def trade_on(rig, ticker, rounds=10):
    """Moves the book of a market."""
    for number in range(rounds):
        await rig.exchange.offer(ticker, "bid", f"0.{10 + number}", "5")
        await rig.exchange.offer(ticker, "ask", f"0.{80 - number}", "2.50")


async def test_both_outcomes_are_fed_from_one_book(rig):
    """A YES bid at 0.08 is a NO ask at 0.92, in snapshots and in changes."""
    await rig.exchange.offer("RAIN-A", "bid", "0.08", "300")
    await rig.exchange.offer("RAIN-A", "ask", "0.46", "20")
    async with rig.streaming("RAIN-A") as sink:
        bids, asks, time_ms = sink.books[A_YES]
        assert (levels(bids), levels(asks)) == ({"0.08": "3E+2"}, {"0.46": "2E+1"})
        assert abs(time_ms - rig.exchange.clock()) < 60_000
        made = await rig.exchange.offer("RAIN-A", "ask", "0.45", "7.50")
        await until(lambda: Decimal("0.55") in sink.books[A_NO][0])
        assert agrees(rig, sink, "RAIN-A")
        await rig.exchange.admin("POST", "cancel", {"order_id": made["order_id"]})
        await until(lambda: Decimal("0.55") not in sink.books[A_NO][0])
        assert agrees(rig, sink, "RAIN-A")
        assert set(sink.commits[-1][1]) == {A_YES, A_NO}
        assert not sink.gaps


async def test_only_what_was_asked_for_is_fed(rig):
    """A single outcome of a market, and nothing of the markets beside it."""
    sink = Recorder()
    async with rig.streaming(tokens=[A_NO], sink=sink):
        await rig.exchange.offer("RAIN-B", "bid", "0.10", "1")
        await rig.exchange.offer("RAIN-A", "bid", "0.10", "1")
        await until(lambda: sink.changes)
        assert [change[:3] for change in sink.changes] == [(A_NO, "SELL", Decimal("0.9"))]
        assert set(sink.books) == {A_NO}


@pytest.mark.parametrize("replies_take_seq", [True, False])
async def test_replies_may_count_or_not(tmp_path, replies_take_seq):
    """Whether a reply takes a number is not documented: neither way is taken for a gap."""
    wire = WireSettings(read_lag_ms=0, rate_limits=False, public_cache_s=0, replies_take_seq=replies_take_seq)
    async with market_rig(tmp_path, wire) as rig, rig.streaming("RAIN-A", "RAIN-B") as sink:
        await until(lambda: len(sink.commits) > 6)
        await trade_on(rig, "RAIN-A", 3)
        await until(lambda: agrees(rig, sink, "RAIN-A", "RAIN-B"))
        assert not sink.gaps


async def test_a_quiet_book_is_proved_again_and_again(rig):
    """A quiet market's snapshot has the next number: it proves every book of the subscription."""
    async with rig.streaming("RAIN-A", "COIN-1") as sink:
        count = len(sink.commits)
        await until(lambda: len(sink.commits) >= count + 4)
        assert {token for _, tokens in sink.commits[count:] for token in tokens} == set(tokens_of("RAIN-A", "COIN-1"))
        assert not sink.gaps
        assert not sink.changes


async def test_live_books_believe_a_quiet_book(rig):
    """With what decides on trades: a market that nobody touches is not stale while its stream is proved."""
    books = LiveBooks()
    books.follow(dict.fromkeys(tokens_of("RAIN-A"), "RAIN-A"))
    await rig.exchange.offer("RAIN-A", "ask", "0.46", "20")
    async with rig.streaming("RAIN-A", sink=books, wait=False):
        await until(lambda: books.book(A_YES))
        first = books.book(A_YES).read_ms
        await until(lambda: books.book(A_YES).read_ms > first + 200)
        assert books.counters.gaps == 0
        assert books.counters.strange == 0


async def test_a_gap_makes_every_market_of_the_subscription_stale_until_it_is_asked_for(rig):
    """The number counts over all markets: a lost delta of RAIN-A takes RAIN-B with it; both come back by snapshot."""
    async with rig.streaming("RAIN-A", "RAIN-B") as sink:
        await rig.exchange.fault("gap,channel=orderbook_delta,count=1")
        await rig.exchange.offer("RAIN-A", "bid", "0.10", "5")  # lost, or the next probe's answer is
        await rig.exchange.offer("RAIN-A", "bid", "0.11", "5")
        await until(lambda: sink.gaps)
        assert set(sink.gaps[0][0]) == set(tokens_of("RAIN-A", "RAIN-B"))
        await until(lambda: agrees(rig, sink, "RAIN-A", "RAIN-B"))


async def test_gaps_again_and_again_end_in_the_truth(rig):
    """A fifth of all messages lost, snapshots too: never a wrong book for long, and the right one once it is calm."""
    async with rig.streaming("RAIN-A", "RAIN-B", "RAIN-C") as sink:
        await rig.exchange.fault("gap:0.2,channel=orderbook_delta")
        await trade_on(rig, "RAIN-A")
        await rig.exchange.admin("DELETE", "faults")
        await until(lambda: agrees(rig, sink, "RAIN-A", "RAIN-B", "RAIN-C"))
        assert sink.gaps


async def test_duplicates_are_dropped(rig):
    """Increments that are applied twice would be a wrong book."""
    async with rig.streaming("RAIN-A") as sink:
        await rig.exchange.fault("duplicate_events")
        await trade_on(rig, "RAIN-A", 3)
        await until(lambda: len(sink.changes) >= 12)
        assert agrees(rig, sink, "RAIN-A")
        assert not sink.gaps
        assert len(sink.changes) == 12


async def test_messages_out_of_order_are_a_gap(rig):
    """What comes late was missed by then, and is in the snapshot."""
    async with rig.streaming("RAIN-A", "RAIN-B") as sink:
        await rig.exchange.fault("reorder_events:0.3,seconds=0.05,channel=orderbook_delta")
        await trade_on(rig, "RAIN-A")
        await rig.exchange.admin("DELETE", "faults")
        await until(lambda: agrees(rig, sink, "RAIN-A", "RAIN-B"))
        assert sink.gaps


async def test_all_faults_of_streams_at_once(rig):
    """Gaps, copies, disorder, restarts of the numbers, junk: after them the books are right."""
    async with rig.streaming("RAIN-A", "RAIN-B") as sink:
        for spec in ("gap:0.1", "duplicate_events:0.2", "reorder_events:0.2,seconds=0.03", "reset:0.05",
                     "malformed_frame:0.05", "drop_stream:0.02", "overflow:0.02"):  # fmt: skip
            await rig.exchange.fault(spec)
        await trade_on(rig, "RAIN-A")
        await rig.exchange.admin("DELETE", "faults")
        await until(lambda: agrees(rig, sink, "RAIN-A", "RAIN-B"))


async def test_a_frozen_stream_is_found(rig):
    """It answers pings, and tells nothing: the probe has no answer, so the books are given up and begun anew."""
    async with rig.streaming("RAIN-A", timing=HASTY) as sink:
        await rig.exchange.fault("freeze_stream,seconds=60,count=1")
        await rig.exchange.offer("RAIN-A", "bid", "0.10", "5")
        await until(lambda: any("silent for" in reason for _, reason in sink.gaps))
        await until(lambda: agrees(rig, sink, "RAIN-A"))


async def test_a_dropped_connection_is_made_anew(rig):
    """Without a close frame, right after a message."""
    async with rig.streaming("RAIN-A") as sink:
        await rig.exchange.fault("drop_stream,count=1")
        await rig.exchange.offer("RAIN-A", "bid", "0.10", "5")
        await until(lambda: sink.gaps)
        await until(lambda: agrees(rig, sink, "RAIN-A"))


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("overflow,count=1", "'code': 25"),
        ("reset,count=1,channel=orderbook_delta", "began anew"),
        ("malformed_frame,variant=json,count=1", "cannot be read"),
        ("malformed_frame,variant=array,count=1", "cannot be read"),
    ],
)
async def test_what_ends_a_subscription_begins_it_anew(rig, fault, why):
    """Overflow (error 25), numbers that restart, junk: the gap is told with its reason, then the books are there."""
    async with rig.streaming("RAIN-A", "RAIN-B") as sink:
        await rig.exchange.fault(fault)
        await rig.exchange.offer("RAIN-A", "bid", "0.10", "5")
        await until(lambda: any(why in reason for _, reason in sink.gaps))
        await until(lambda: agrees(rig, sink, "RAIN-A", "RAIN-B"))


async def test_a_message_of_an_unknown_type_is_no_reason_to_stop(rig):
    """New types come; here one stands in the place of a delta, which its missing number shows."""
    async with rig.streaming("RAIN-A") as sink:
        await rig.exchange.fault("malformed_frame,variant=unknown,count=1")
        await rig.exchange.offer("RAIN-A", "bid", "0.10", "5")
        await until(lambda: sink.gaps)
        await until(lambda: agrees(rig, sink, "RAIN-A"))
        assert "missed" in sink.gaps[0][1]


async def test_a_snapshot_that_never_comes_ends_the_connection(rig):
    """Every message of books is swallowed from the first: that is said, and what follows is tried at pauses."""
    await rig.exchange.fault("gap,channel=orderbook_delta")
    async with rig.streaming("RAIN-A", wait=False, timing=HASTY) as sink:
        await until(lambda: any("no snapshot of 1 books" in reason for _, reason in sink.gaps))
        assert not sink.books
        await rig.exchange.admin("DELETE", "faults")
        await until(lambda: agrees(rig, sink, "RAIN-A"))


async def test_latency_is_no_gap(rig):
    """A book read by request that comes late is compared with what has been told by then."""
    await rig.exchange.fault("latency,ms=150")
    async with rig.streaming("RAIN-A") as sink:
        for number in range(10):
            await rig.exchange.offer("RAIN-A", "bid", f"0.{10 + number}", "5")
            await asyncio.sleep(0.03)
        await until(lambda: agrees(rig, sink, "RAIN-A"))
        assert not sink.gaps


async def test_a_book_that_moved_unheard_is_found_by_request(rig):
    """What the REST API tells differs twice in a row, and the stream told of no move: it cannot be believed."""
    sink = Recorder()

    async def read(tokens):
        books = await rig.read(tokens)
        lie = Level(Decimal("0.33"), Decimal(1))
        return books if sink.gaps else [replace(book, bids=(lie,)) for book in books]

    async with rig.streaming("RAIN-A", "RAIN-B", sink=sink, read=read):
        await until(lambda: any("moved unheard" in reason for _, reason in sink.gaps))
        await until(lambda: agrees(rig, sink, "RAIN-A", "RAIN-B"))


async def test_one_difference_is_none(rig):
    """A read that crosses a change on its way differs once: nothing ends."""
    answers = []

    async def read(tokens):
        books = await rig.read(tokens)
        answers.append(len(books))
        return books if len(answers) > 1 else [replace(book, bids=()) for book in books]

    await rig.exchange.offer("RAIN-A", "bid", "0.10", "5")
    async with rig.streaming("RAIN-A", read=read) as sink:
        await until(lambda: len(answers) > 3)
        assert not sink.gaps


async def test_reads_that_fail_end_nothing(rig):
    """The comparison is a second proof: without it the first one holds."""

    async def no_books(_):
        raise VenueError("no answer")

    async with rig.streaming("RAIN-A", read=no_books) as sink:
        count = len(sink.commits)
        await until(lambda: len(sink.commits) > count + 5)
        assert not sink.gaps


async def test_a_market_the_venue_does_not_know_takes_no_other_with_it(rig):
    """One unknown ticker refuses a whole subscription (error 16): the others are taken one by one."""
    sink = Recorder()
    async with rig.streaming("GONE-1", "RAIN-A", "GONE-2", "RAIN-B", sink=sink, wait=False):
        await until(lambda: all(token in sink.books for token in tokens_of("RAIN-A", "RAIN-B")))
        await until(lambda: set(sink.closed_markets) == {"GONE-1", "GONE-2"})
        await trade_on(rig, "RAIN-B", 2)
        await until(lambda: agrees(rig, sink, "RAIN-A", "RAIN-B"))


async def test_lifecycle(rig):
    """Paused: closed, and back with its whole book when it goes on. Another grid: closed, and back. Decided: closed."""
    await rig.exchange.offer("RAIN-A", "ask", "0.46", "20")
    async with rig.streaming("RAIN-A") as sink:
        rig.engine.pause_market("RAIN-A", True)
        await until(lambda: sink.closed_markets == ["RAIN-A"])
        sink.books.clear()
        rig.engine.pause_market("RAIN-A", False)
        await until(lambda: agrees(rig, sink, "RAIN-A"))
        sink.closed_markets.clear()
        sink.books.clear()
        rig.engine.set_price_ranges("RAIN-A", ((0, 1_000_000, 1_000),))
        await until(lambda: sink.closed_markets == ["RAIN-A"])
        await until(lambda: agrees(rig, sink, "RAIN-A"))
        rig.engine.determine("RAIN-A", 1_000_000)
        await until(lambda: len(sink.closed_markets) >= 3)
        assert set(rig.changed) == {"RAIN-A"}


async def test_fees_that_change_close_the_markets_of_their_event(rig):
    """Whoever decides by the old fees must ask anew."""
    async with rig.streaming("RAIN-A", "COIN-1") as sink:
        rig.engine.set_event_fees("RAIN", "quadratic", Decimal(2))
        await until(lambda: sink.closed_markets == ["RAIN-A"])
        await until(lambda: agrees(rig, sink, "RAIN-A", "COIN-1"))


async def test_a_key_that_is_refused_keeps_trying(rig):
    """The handshake answers 401 until the key is known: each end is told, and then the books are there."""
    known = rig.exchange.venue.keys._keys
    key = known.pop(rig.settings.key_id)
    async with rig.streaming("RAIN-A", wait=False) as sink:
        await until(lambda: any("401" in reason for _, reason in sink.gaps))
        known[rig.settings.key_id] = key
        await until(lambda: agrees(rig, sink, "RAIN-A"))


async def test_no_tokens_last_until_cancelled(rig):
    """As with every venue."""
    async with rig.streaming() as sink:
        await asyncio.sleep(0.02)
        assert not sink.books


async def test_a_token_of_another_venue_is_said(rig):
    """It cannot be streamed here."""
    with pytest.raises(UnknownThing, match="no token of Kalshi"):
        await asyncio.wait_for(_stream_one(rig, "123"), 5)


async def _stream_one(rig, token):
    await stream_books(rig.settings, rig.signer, [token], LiveBooks(), read=rig.read)


# --- what is said on a connection ---------------------------------------------------------------------


class Said:
    """A channel to the markets A and B whose subscriptions are made, and what it sends. Time goes by in ms."""

    def __init__(self):
        self.sink = Recorder()
        self.channel = BookChannel(Feed(tokens_of("A", "B"), self.sink), _no_books, BRISK, 100)
        self.seq, self.now_ms = 0, 0
        self.channel.open(0)
        self.opening = self.sent()
        for sid, name in ((1, "market_lifecycle_v2"), (2, "orderbook_delta")):
            self.hear({"id": sid, "type": "subscribed", "msg": {"channel": name, "sid": sid}})

    def hear(self, frame):
        self.channel.frame(orjson.dumps(frame), self.now_ms * 1_000_000)

    def book(self, ticker, seq=None):
        self.seq = self.seq + 1 if seq is None else seq
        self.hear({"type": "orderbook_snapshot", "sid": 2, "seq": self.seq, "msg": {"market_ticker": ticker}})

    def error(self, code, number=None):
        self.hear({"type": "error", "msg": {"code": code, "msg": "?"}} | ({"id": number} if number else {}))

    def wait(self, ms):
        self.now_ms += ms
        self.channel.check(self.now_ms * 1_000_000)
        return self.sent()

    def sent(self):
        commands, self.channel.commands = self.channel.commands, []
        return [orjson.loads(command) for command in commands]


async def _no_books(_):
    return ()


def test_opening():
    """Markets' lives first; the spelling of NO's prices is always said."""
    assert Said().opening == [
        {"id": 1, "cmd": "subscribe", "params": {"channels": ["market_lifecycle_v2"]}},
        {
            "id": 2,
            "cmd": "subscribe",
            "params": {"channels": ["orderbook_delta"], "use_yes_price": True, "market_tickers": ["A", "B"]},
        },
    ]


@pytest.mark.parametrize("code", [10, 25, 9, 26, 27, None])
def test_errors_that_end_a_connection(code):
    """10 and 25 end a subscription; of the others nobody knows what they mean for the books."""
    said = Said()
    with pytest.raises(Exception, match="the venue's error"):
        said.error(code)


def test_each_market_has_its_turn_to_be_proved():
    """Half the quiet ones for ever would be none."""
    said = Said()
    said.book("A")
    said.book("B")
    asked = [said.wait(60)[0]["params"] for _ in range(4)]
    assert [each["market_tickers"] for each in asked] == [["B"], ["A"], ["B"], ["A"]]
    assert {(each["sid"], each["action"]) for each in asked} == {(2, "get_snapshot")}
    assert said.wait(10) == []


def test_news_are_a_proof():
    """A subscription that talks is not asked."""
    said = Said()
    said.book("A")
    said.book("B")
    said.now_ms += 59
    said.book("A")
    assert said.wait(30) == []


def test_missed_snapshots_are_asked_for_at_a_pace():
    """Each answer that is lost shows a gap: asked for in every frame, they would come in ever greater numbers."""
    said = Said()
    said.book("A")
    said.now_ms += 30
    said.book("A", seq=3)
    assert [each["params"]["market_tickers"] for each in said.sent()] == [["B"]]
    said.book("A", seq=5)
    said.book("A", seq=7)
    assert said.sent() == []
    assert [each["params"]["market_tickers"] for each in said.wait(30)] == [["B"]]


def test_a_market_that_is_gone_takes_no_snapshot_of_others_with_it():
    """The venue refuses the whole command: each is asked for alone, and the unknown one is closed."""
    said = Said()
    said.book("A", seq=2)
    (whole,) = said.wait(30)
    assert whole["params"]["market_tickers"] == ["B"]
    said.book("A", seq=5)
    said.book("A", seq=7)
    said.channel.feed.distrust("for a test")
    (whole,) = said.wait(30)
    assert whole["params"]["market_tickers"] == ["B", "A"]
    said.error(16, whole["id"])
    singles = said.sent()
    assert [each["params"]["market_tickers"] for each in singles] == [["B"], ["A"]]
    said.error(16, singles[0]["id"])
    assert said.sink.closed_markets == ["B"]
    assert said.channel.feed.missing == ["A"]


def test_commands_that_are_answered_are_not_remembered_for_ever():
    """A stream of days asks millions of times."""
    said = Said()
    said.book("A")
    said.book("B")
    for _ in range(MAX_ASKED + 50):
        said.book("A")
        said.wait(60)
    assert len(said.channel._asked) <= MAX_ASKED
