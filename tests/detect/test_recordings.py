"""Recorded market data that looks like money and is none: straight through the books, without a venue."""

import os
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from arbsaga.detect import AdmissionSettings, BasketSettings, BookSettings, ScanSettings
from arbsaga.domain.instruments import Side
from arbsaga.domain.pricing import Gates

from .make import event, market, prices, scanner

DATA = Path(os.environ.get("ARBSAGA_SHARED_DATA") or Path(__file__).parents[3] / "shared" / "data")
GAME = DATA / "tickscope" / "polymarket_20260607_0130.parquet"
QUOTES = DATA / "polymarket_us_quotes"

GAME_TOKENS = (
    "57953460969144501144385266431497900786362265483971474370583776523710017709396",
    "96068695550770798875229279981526101361495338295429275783268080720263673016964",
    "2406995029551059086400212112675844109617441931749954786886358355833305961028",
    "72865221775198250453355640140294522422542210462800763630736186224614599630033",
    "72034199679685605777746108880436699468836661260225341006687916047384310465181",
    "92414594351671835261391500979660097006383067088013751434865378783612714651002",
    "21123571021115008514603852731317089375146660203715473286496393403189264306691",
    "66436064399812701435632098902394982750520363505851248102454923849395645507788",
    "66111860262826206127649775082406144590344689424085534231193196408589869618345",
    "9401851284019486398871453019865988023521610938252351668616275389727118241650",
    "45956765926896262774210608652311964390555969638482488273445920178260081348897",
    "56376983210299225977305014667740328585989302707107105671983766213490111952696",
)
# The two tokens of a market follow each other: the odd ones are called NO, as the tests' builder names them.
NAMES = {token: f"m{at // 2}-{'no' if at % 2 else 'yes'}" for at, token in enumerate(GAME_TOKENS)}
SIDES = {"BID": Side.BUY, "ASK": Side.SELL}


@pytest.fixture(scope="module")
def game():
    """(time in ms, token, side, price, size, best bid, best ask) of each level that changed."""
    if not GAME.exists():
        pytest.skip(f"no recorded data at {GAME}")
    table = pq.read_table(GAME).to_pydict()
    texts: dict[float, Decimal] = {}

    def exact(value: float) -> Decimal:
        return texts.setdefault(value, Decimal(repr(value)))

    kinds = zip(table["event_type"], table["timestamp"], table["asset_id"], table["side"], strict=True)
    numbers = zip(table["price"], table["size"], table["best_bid"], table["best_ask"], strict=True)
    return [
        (int(at.timestamp() * 1000), NAMES[token], SIDES[side], *map(exact, values))
        for (kind, at, token, side), values in zip(kinds, numbers, strict=True)
        if kind == "PRICE_CHANGE"  # a LAST_TRADE row holds best prices of 0, which are no prices
    ]


def watching(books: BookSettings):
    """YES + NO of each of the game's markets, with empty books to begin with."""
    listing = event("game", [market(f"m{at}", rate="0.05", tick="0.001") for at in range(6)], neg_risk=False)
    settings = ScanSettings(
        baskets=BasketSettings(complement=True), admission=AdmissionSettings(max_starts=10**9), books=books
    )
    scan, found, clock = scanner([listing], settings, start=False)
    for name in NAMES.values():
        scan.books.snapshot(name, {}, {}, 0)
    return scan, found, clock


def play(rows, scan, clock, frame_of, state_best=False):
    """Feed the rows frame by frame; what looked under 98 cents on the best asks alone."""
    apparent = 0
    for _, frame in groupby(enumerate(rows), key=frame_of):
        touched = {}
        for _, (time_ms, name, side, price, size, bid, ask) in frame:
            clock.ms = max(clock.ms, time_ms)
            scan.books.change(name, side, price, size, time_ms)
            touched[name] = (bid, ask)
        for name, (bid, ask) in touched.items() if state_best else ():
            scan.books.best(name, bid, ask)
        scan.books.commit(clock.now_ns(), list(touched))
        apparent += sum(1 for watch in scan._index.watches if watch.near)
    return apparent


def by_row(numbered):
    return numbered[0]


def by_time(numbered):
    return numbered[1][0]


@pytest.mark.parametrize("frame_of", [by_row, by_time])
def test_inside_one_market_of_a_recorded_game_there_is_nothing(game, frame_of):
    """However the rows are cut into frames; even with books that are never resynchronised.

    The recording lacks the `book` frames after trades, so that levels that were taken stay behind and
    the sums of best asks are under 98 cents for minutes: each of them is a crossed book.
    """
    scan, found, clock = watching(BookSettings(crossed_ms=10**9))
    apparent = play(game, scan, clock, frame_of)
    assert found == []
    assert apparent > 10_000
    assert scan.counters.refused["crossed book"] > 0
    assert scan.counters.decisions > 1_000


def test_a_planted_edge_is_found_in_the_same_run(game):
    """The run above is not blind: both sides of a market, cheap and not crossed, are offered in their frame."""
    scan, found, clock = watching(BookSettings())
    play(game[:50_000], scan, clock, by_time)
    assert found == []
    for name, ask in (("m0-yes", "0.50"), ("m0-no", "0.42")):
        scan.books.snapshot(name, {}, prices((ask, "100")), clock.ms)
        scan.books.commit(clock.now_ns(), [name])
    assert [one.quote.basket.key for one in found] == ["pair:m0"]


def test_books_that_miss_updates_are_found_out(game):
    """The venue's best prices, stated with each change, show it at once; a crossing that stays, soon."""
    told, found, clock = watching(BookSettings())
    play(game, told, clock, by_time, state_best=True)
    silent, also, clock = watching(BookSettings())
    play(game, silent, clock, by_time)
    assert found == also == []
    assert told.counters.caught == 12  # every book: none of them began with its snapshot
    assert silent.counters.caught > 0


# --- quotes of one day, polled every two minutes -----------------------------------------------------------

EXHAUSTIVE = {"NFC East Division Winner": 4, "AL West Division Winner": 5}
LOOSE = Gates(max_price_ratio=Decimal("0.99"), min_edge=Decimal(0))


@pytest.fixture(scope="module")
def questions():
    """The slugs of each question with more than one market: what a naive detector takes for an event."""
    if not (QUOTES / "markets.parquet").exists():
        pytest.skip(f"no recorded data at {QUOTES}")
    table = pq.read_table(QUOTES / "markets.parquet", columns=["slug", "question"]).to_pydict()
    found = defaultdict(list)
    for slug, question in zip(table["slug"], table["question"], strict=True):
        found[question].append(slug)
    return {question: slugs for question, slugs in found.items() if len(slugs) > 1}


def cent(value) -> str:
    return f"{value:.3f}"


def test_groups_of_markets_that_are_no_partition_are_not_bought(questions):
    """Thresholds and dates share a question and cost far under $1 together; they can all resolve NO."""
    morning = [("ts", "<", datetime(2026, 8, 13, 0, 10))]  # noqa: DTZ001  the recording's times have no zone
    rows = pq.read_table(QUOTES / "quotes_2026-08-13.parquet", columns=["slug", "ask"], filters=morning).to_pydict()
    asks = dict(zip(rows["slug"], rows["ask"], strict=True))
    listings, under = [], 0
    for question, slugs in questions.items():
        quoted = [slug for slug in slugs if asks.get(slug) and 0 < asks[slug] < 1]
        if len(quoted) > 1 and question not in EXHAUSTIVE:
            listings.append(event(question, [market(slug) for slug in quoted], neg_risk=False, exhaustive=False))
            under += sum(asks[slug] for slug in quoted) < 0.98
    scan, found, clock = scanner(listings)
    for slug, ask in asks.items():
        if ask and 0 < ask < 1:
            scan.books.follow({f"{slug}-yes": slug})
            scan.books.snapshot(f"{slug}-yes", {}, prices((cent(ask), "1000")), 0)
            scan.books.commit(clock.now_ns(), [f"{slug}-yes"])
    assert found == []
    assert under > 20


@pytest.mark.parametrize(
    ("question", "moves"), [("NFC East Division Winner", False), ("AL West Division Winner", True)]
)
def test_quotes_that_stand_still_are_not_traded_on(questions, question, moves):
    """A stream tells only what changes: an event that is cheap all day on frozen quotes is stale between its frames.

    One whose quotes move is found, in the frames that move it and at no other time.
    """
    slugs = sorted(questions[question])
    assert len(slugs) == EXHAUSTIVE[question]
    rows = pq.read_table(QUOTES / "quotes_2026-08-13.parquet", filters=[("slug", "in", slugs)]).to_pydict()
    polls = sorted(zip(rows["ts"], rows["slug"], rows["bid"], rows["ask"], strict=True))
    listing = event("e", [market(slug, tick="0.001") for slug in slugs])
    scan, found, clock = scanner([listing], ScanSettings(LOOSE), start=False)
    quotes, sums = {}, []
    for at, poll in groupby(polls, key=lambda row: row[0]):
        clock.ms = int(at.timestamp() * 1000)
        changed = {slug: (bid, ask) for _, slug, bid, ask in poll if quotes.get(slug) != (bid, ask)}
        quotes |= changed
        for slug, (bid, ask) in changed.items():
            sides = (prices((cent(price), "1000")) if price else {} for price in (bid, ask))
            scan.books.snapshot(f"{slug}-yes", *sides, clock.ms)
        if changed:
            scan.books.commit(clock.now_ns(), [f"{slug}-yes" for slug in changed])
        sums.append(sum(ask or 1 for _, ask in quotes.values()) if len(quotes) == len(slugs) else 9)
        in_frames = len(found)
        clock.ms += 60_000
        scan.sweep()
        assert len(found) == in_frames
    cheap = sum(1 for total in sums if total < 0.9899)
    assert cheap > 20
    assert scan.counters.refused["stale book"] > 0
    assert (len(found) > 10) is moves
