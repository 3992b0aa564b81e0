"""Listings of the account's trades: shared by those who wait at the same time, never older than the question."""

import asyncio
import time

import pytest

from arbsaga.domain.orders import FillStatus
from arbsaga.errors import BadMessage, VenueError
from arbsaga.venues.polymarket.tape import LISTED_EVERY_MS, OVERLAP_MS, UNSETTLED_MS, Tape

NOW_MS = 1_800_000_000_000


def record(name, status="MATCHED", at_ms=NOW_MS, **other):
    """A trade of ours as taker of order `0x<name>`."""
    return {
        "id": name,
        "taker_order_id": f"0x{name}",
        "asset_id": "1",
        "side": "BUY",
        "size": "10",
        "price": "0.5",
        "status": f"TRADE_STATUS_{status}",
        "match_time": str(at_ms // 1000),
        "trader_side": "TAKER",
        "owner": "key",
        "maker_orders": [],
        **other,
    }


class Listings:
    """Stands in for the signed REST: what is listed, what was asked, and a gate that holds an answer back."""

    def __init__(self):
        self.items, self.asked, self.begun_ns = [], [], []
        self.open = asyncio.Event()
        self.open.set()
        self.error = None

    async def listing(self, _base, path, query):
        assert path == "/data/trades"
        self.asked.append(int(dict(query)["after"]))
        self.begun_ns.append(time.monotonic_ns())
        items = list(self.items)
        await self.open.wait()
        if self.error:
            raise self.error
        return items


@pytest.fixture
def listings():
    return Listings()


@pytest.fixture
def tape(listings):
    return Tape(listings, "")


async def ask_many(tape, count, after_ms=NOW_MS):
    """So many questions at once, as tasks that have begun."""
    tasks = [asyncio.create_task(tape.shared(after_ms)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_who_asks_at_the_same_time_shares_one_listing(tape, listings):
    listings.items = [record("a")]
    answers = await asyncio.gather(*await ask_many(tape, 50))
    assert len(listings.asked) == 1
    assert all([trade.trade_id for trade in answer.of("0xa")] == ["a"] for answer in answers)


async def test_who_asks_during_a_listing_gets_a_later_one(tape, listings):
    """An answer that was made before the question proves nothing about what came between."""
    listings.open.clear()
    early = await ask_many(tape, 1)
    while not listings.asked:
        await asyncio.sleep(0)
    late = await ask_many(tape, 2)
    listings.items = [record("a")]
    listings.open.set()
    assert (await early[0]).seen == ()
    assert [[trade.trade_id for trade in (await task).seen] for task in late] == [["a"], ["a"]]
    assert len(listings.asked) == 2


async def test_shared_listing_reaches_back_as_far_as_any_asked(tape, listings):
    await asyncio.gather(*(tape.shared(NOW_MS - back_ms) for back_ms in (1_000, 60_000, 5_000)))
    assert listings.asked == [(NOW_MS - 60_000) // 1000]


async def test_listings_keep_their_distance(tape, listings):
    """/data/trades is limited to 500 in 10 s."""
    for _ in range(3):
        await tape.shared(NOW_MS)
    gaps = [later - earlier for earlier, later in zip(listings.begun_ns, listings.begun_ns[1:], strict=False)]
    assert all(gap >= LISTED_EVERY_MS * 1_000_000 * 0.98 for gap in gaps)


async def test_failed_listing_fails_all_who_share_it_and_no_other(tape, listings):
    listings.error = VenueError("down")
    answers = await asyncio.gather(*await ask_many(tape, 3), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["down"] * 3
    listings.error = None
    assert (await tape.shared(NOW_MS)).complete


async def test_who_is_cancelled_takes_the_listing_from_nobody(tape, listings):
    listings.open.clear()
    gone, stays = await ask_many(tape, 2)
    gone.cancel()
    listings.open.set()
    assert (await stays).complete


async def test_failure_nobody_waits_for_is_no_warning(tape, listings):
    """Warnings are errors here: an exception that is never retrieved would fail this test."""
    listings.open.clear()
    listings.error = VenueError("down")
    (gone,) = await ask_many(tape, 1)
    while not listings.asked:
        await asyncio.sleep(0)
    gone.cancel()
    listings.open.set()
    with pytest.raises(VenueError):
        await tape.shared(NOW_MS)


async def test_changed_record_is_read_again_and_an_unchanged_one_is_not(tape, listings):
    listings.items = [record("a"), record("b")]
    before = {trade.trade_id: trade for trade in (await tape.since(0)).seen}
    listings.items = [record("a", "CONFIRMED"), record("b")]
    after = {trade.trade_id: trade for trade in (await tape.since(0)).seen}
    assert after["a"].status is FillStatus.CONFIRMED
    assert after["b"] is before["b"]


async def test_bad_record_is_left_out_and_the_listing_incomplete(tape, listings):
    listings.items = [record("a", size="many"), record("b")]
    trades = await tape.since(0)
    assert [trade.trade_id for trade in trades.seen] == ["b"]
    assert not trades.complete


async def test_long_listing_lets_others_run(tape, listings):
    listings.items = [record(str(number)) for number in range(1_200)]
    reading = asyncio.create_task(tape.since(0))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 3
    assert len((await reading).seen) == 1_200


async def test_unsettled_looks_far_back_once_and_then_only_at_what_can_have_changed(tape, listings):
    """Every 2 s ten minutes of trades were listed, until a busy trader did nothing else."""
    listings.items = [record("old", at_ms=NOW_MS - 300_000), record("done", "CONFIRMED")]
    assert [trade.trade_id for trade in await tape.unsettled(NOW_MS)] == ["old"]
    listings.items = [record("old", "CONFIRMED", at_ms=NOW_MS - 300_000), record("new", "RETRYING")]
    assert [trade.trade_id for trade in await tape.unsettled(NOW_MS + 2_000)] == ["new"]
    await tape.unsettled(NOW_MS + 100_000)
    first, second, third = (NOW_MS - asked * 1000 for asked in listings.asked)
    assert first == UNSETTLED_MS
    assert 300_000 <= second <= 302_000
    assert third == OVERLAP_MS - 2_000


async def test_incomplete_listing_is_no_start_for_a_shorter_one(tape, listings):
    listings.items = [record("a", size="many")]
    await tape.unsettled(NOW_MS)
    await tape.unsettled(NOW_MS)
    assert [NOW_MS - asked * 1000 for asked in listings.asked] == [UNSETTLED_MS, UNSETTLED_MS]


async def test_trade_that_never_settles_is_forgotten_after_its_time(tape, listings):
    listings.items = [record("a")]
    await tape.unsettled(NOW_MS)
    listings.items = []
    assert await tape.unsettled(NOW_MS + UNSETTLED_MS + 1_000) == ()


async def test_page_without_data_is_an_error(tape, listings):
    listings.error = BadMessage("a page without data")
    with pytest.raises(BadMessage):
        await tape.since(0)
