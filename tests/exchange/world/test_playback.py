"""Books driven by a recording: what is shown, what stays taken, planted edges, and the pace."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from arbsaga.exchange.model import BookChanged, BookReset, Market
from arbsaga.exchange.playback import Playback, PlaybackSettings, nobody_counts
from arbsaga.exchange.recording import Recording
from arbsaga.exchange.recordings import SYNTHETIC
from arbsaga.exchange.units import ONE, to_decimal

from .stage import TRADER, Stage
from .tape import NO, YES, Tape, shared_recording


def opened(
    stage: Stage, path: Path, speed: Decimal | None = None, backlog: Callable[[], int | None] = nobody_counts
) -> Playback:
    playback = Playback(stage.engine, stage.clock, Recording.open(path), PlaybackSettings(speed), backlog)
    playback.start()
    return playback


def play_all(playback: Playback, path: Path) -> None:
    for message in Recording.open(path).messages():
        playback.play(message)


def recorded_market(stage: Stage) -> Market:
    """The only market of a tape."""
    return stage.engine.market_of(YES)


@asynccontextmanager
async def running(playback: Playback) -> AsyncIterator[None]:
    task = asyncio.get_running_loop().create_task(playback.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
def quiet_market(tmp_path: Path) -> Path:
    """A recording of one book: bids 0.40 and 0.39, asks 0.42 and 0.43, a hundred shares each."""
    tape = Tape()
    for side, price in (("BID", 0.39), ("BID", 0.40), ("ASK", 0.43), ("ASK", 0.42)):
        tape.change(side, price, 100, best=(0.40, 0.42))
    return tape.write(tmp_path)


def test_markets_open_before_their_books(stage: Stage, quiet_market: Path) -> None:
    """Each recorded market is an event of its own, with the recorded tokens, fee rate 0.05, and no book yet."""
    opened(stage, quiet_market)
    market = recorded_market(stage)
    assert market.token_ids == (YES, NO)
    assert (market.fee_rate, market.neg_risk, market.resolves_ms) == (Decimal("0.05"), False, None)
    assert stage.engine.events[market.event_id].market_ids == (market.condition_id,)
    assert stage.engine.book(YES).bids == ()


def test_a_book_appears_once_a_level_was_seen_on_both_sides(stage: Stage, tmp_path: Path) -> None:
    """Bids alone are no book; with the first ask everything appears in one message."""
    tape = Tape()
    tape.change("BID", 0.40, 100, best=(0.40, 0.45), ms=1)
    tape.change("BID", 0.39, 50, best=(0.40, 0.45), ms=2)
    tape.change("ASK", 0.45, 70, best=(0.40, 0.45), ms=3)
    path = tape.write(tmp_path)
    playback = opened(stage, path)
    stage.told.clear()
    first, second, third = Recording.open(path).messages()
    playback.play(first)
    playback.play(second)
    assert stage.told == []
    playback.play(third)
    (changed,) = stage.told
    assert isinstance(changed, BookChanged)
    assert len(changed.levels) == 6
    assert stage.engine.book(YES).bids == ((390_000, 50 * ONE), (400_000, 100 * ONE))
    assert stage.engine.book(NO).bids == ((550_000, 70 * ONE),)


@pytest.mark.parametrize("size", [0.5, 2.083332, 441_075.19])
def test_a_level_of_any_recorded_size_is_shown(stage: Stage, tmp_path: Path, size: float) -> None:
    """Dust under the venue's minimum and odd decimals are in real books."""
    tape = Tape()
    tape.change("BID", 0.40, size, best=(0.40, 0.45))
    tape.change("ASK", 0.45, 70, best=(0.40, 0.45))
    path = tape.write(tmp_path)
    play_all(opened(stage, path), path)
    assert stage.engine.book(YES).bids == ((400_000, round(size * 1_000_000)),)


def test_what_was_taken_stays_taken_until_the_recording_changes_that_level(stage: Stage, tmp_path: Path) -> None:
    """Neither other levels nor a row that says the same size again bring it back; a new size does."""
    tape = Tape()
    tape.change("BID", 0.40, 100, best=(0.40, 0.42), ms=1)
    tape.change("ASK", 0.42, 100, best=(0.40, 0.42), ms=1)
    tape.change("BID", 0.39, 10, best=(0.40, 0.42), ms=2)
    tape.change("ASK", 0.42, 100, best=(0.40, 0.42), ms=3)
    tape.change("ASK", 0.42, 60, best=(0.40, 0.42), ms=4)
    path = tape.write(tmp_path)
    playback = opened(stage, path)
    first, other, same, changed = Recording.open(path).messages()
    playback.play(first)
    assert stage.order(YES, "BUY", 30 * ONE, 420_000).taking_amount == 30 * ONE
    for message in (other, same):
        playback.play(message)
        assert stage.engine.book(YES).asks == ((420_000, 70 * ONE),)
    playback.play(changed)
    assert stage.engine.book(YES).asks == ((420_000, 60 * ONE),)
    assert stage.order(NO, "BUY", 100 * ONE, 600_000).taking_amount == 100 * ONE
    assert [price for price, _ in stage.engine.book(YES).bids] == [390_000]


def test_a_message_of_several_rows_never_shows_a_crossed_book(stage: Stage, tmp_path: Path) -> None:
    """Row by row the new bid would stand in the old ask; as one message it does not."""
    tape = Tape()
    tape.change("BID", 0.40, 100, best=(0.40, 0.42), ms=1)
    tape.change("ASK", 0.42, 100, best=(0.40, 0.42), ms=1)
    tape.change("ASK", 0.43, 100, best=(0.40, 0.42), ms=1)
    tape.change("BID", 0.42, 50, best=(0.42, 0.43), ms=2)
    tape.change("ASK", 0.42, 0, best=(0.42, 0.43), ms=2)
    path = tape.write(tmp_path)
    playback = opened(stage, path)
    stage.told.clear()
    play_all(playback, path)
    assert len(stage.told) == 2
    assert stage.engine.book(YES).bids[-1] == (420_000, 50 * ONE)
    assert stage.engine.book(YES).asks == ((430_000, 100 * ONE),)


def test_a_level_whose_removal_was_lost_goes_with_the_best_prices(stage: Stage, tmp_path: Path) -> None:
    """The rows say that the best ask is 0.43: an ask at 0.42 cannot be there any more, and would look like an edge."""
    tape = Tape()
    tape.change("BID", 0.40, 100, best=(0.40, 0.42), ms=1)
    tape.change("ASK", 0.42, 100, best=(0.40, 0.42), ms=1)
    tape.change("ASK", 0.43, 100, best=(0.40, 0.42), ms=1)
    tape.change("BID", 0.42, 50, best=(0.42, 0.43), ms=2)
    path = tape.write(tmp_path)
    play_all(opened(stage, path), path)
    assert stage.engine.book(YES).asks == ((430_000, 100 * ONE),)
    assert stage.engine.book(NO).bids == ((570_000, 100 * ONE),)


def test_a_lost_level_goes_before_the_book_has_appeared_too(stage: Stage, tmp_path: Path) -> None:
    """Also the first book that is shown is free of what went unrecorded."""
    tape = Tape()
    tape.change("BID", 0.45, 100, best=(0.45, 0.47), ms=1)
    tape.change("BID", 0.40, 100, best=(0.40, 0.42), ms=2)
    tape.change("ASK", 0.42, 100, best=(0.40, 0.42), ms=3)
    path = tape.write(tmp_path)
    play_all(opened(stage, path), path)
    assert stage.engine.book(YES).bids == ((400_000, 100 * ONE),)


def test_a_resting_order_of_ours_is_filled_when_the_recording_comes_to_it(stage: Stage, tmp_path: Path) -> None:
    """A recorded ask at our bid's price trades with it, as it would have."""
    tape = Tape()
    tape.change("BID", 0.40, 100, best=(0.40, 0.45), ms=1)
    tape.change("ASK", 0.45, 100, best=(0.40, 0.45), ms=1)
    tape.change("ASK", 0.41, 30, best=(0.40, 0.41), ms=2)
    path = tape.write(tmp_path)
    playback = opened(stage, path)
    first, second = Recording.open(path).messages()
    playback.play(first)
    assert stage.order(YES, "BUY", 20 * ONE, 410_000).status == "live"
    playback.play(second)
    assert stage.engine.open_orders(TRADER) == []
    assert stage.engine.book(YES).asks[-1] == (410_000, 10 * ONE)


def asks_of(stage: Stage, event_id: str) -> Decimal:
    """What one YES of each market of an event costs, fees included."""
    total = Decimal(0)
    for market_id in stage.engine.events[event_id].market_ids:
        market = stage.engine.markets[market_id]
        ask = to_decimal(stage.best(market)[1])
        total += ask + market.fee_rate * ask * (1 - ask)
    return total


def test_an_edge_is_planted_in_the_event_beside_the_recorded_markets(stage: Stage, quiet_market: Path) -> None:
    """It is listed from the start, quoted so widely that no basket of it is worth a loss of 3 %; planted, its YES cost
    1 - edge after fees and can be bought."""
    playback = opened(stage, quiet_market)
    event = stage.engine.events[playback.edge_event]
    assert asks_of(stage, event.event_id) > Decimal("1.1")
    for market_id in event.market_ids:
        bid, ask = stage.best(stage.engine.markets[market_id])
        assert ONE + ask - bid > ONE * 105 // 100
    playback.plant(event.event_id, Decimal("0.03"))
    assert Decimal("0.959") <= asks_of(stage, event.event_id) <= Decimal("0.97")
    for market_id in event.market_ids:
        market = stage.engine.markets[market_id]
        assert stage.order(market.token_ids[0], "BUY", 15 * ONE, stage.best(market)[1]).taking_amount == 15 * ONE


def test_no_edge_can_be_planted_inside_a_recorded_market(stage: Stage, quiet_market: Path) -> None:
    """Its books mirror each other: the refusal names the event where an edge can stand."""
    playback = opened(stage, quiet_market)
    market = recorded_market(stage)
    for target in (market.event_id, market.condition_id):
        with pytest.raises(ValueError, match=f"plant the edge in event {playback.edge_event}"):
            playback.plant(target, Decimal("0.03"))


async def test_the_event_beside_goes_on_at_any_pace_and_after_the_end(stage: Stage, quiet_market: Path) -> None:
    """A planted edge that nobody takes goes after ten seconds, whether the recording plays, waits or is over."""
    behind: list[int | None] = [None]
    playback = opened(stage, quiet_market, Decimal(1), lambda: behind[0])
    async with running(playback):
        for listened in (None, 0):
            behind[0] = listened
            playback.plant(playback.edge_event, Decimal("0.05"))
            assert asks_of(stage, playback.edge_event) < 1
            for _ in range(105):
                stage.now_ms += 100
                await asyncio.sleep(0.001)
            await until(lambda: asks_of(stage, playback.edge_event) > 1)
        assert playback.finished


def test_a_closed_market_is_left_alone(stage: Stage, quiet_market: Path) -> None:
    """Decided by hand, a market takes no levels any more, and the rest of the recording plays on."""
    playback = opened(stage, quiet_market)
    play_all(playback, quiet_market)
    market = recorded_market(stage)
    stage.engine.resolve(market.condition_id, 0)
    play_all(playback, quiet_market)
    assert stage.engine.book(YES).bids == ()


def test_a_restarted_exchange_plays_into_the_same_markets(tmp_path: Path, quiet_market: Path) -> None:
    """A second start finds its markets in the journal and opens nothing twice."""
    before = Stage(tmp_path / "truth.jsonl")
    opened(before, quiet_market)
    before.engine.close()
    after = Stage(tmp_path / "truth.jsonl")
    play_all(opened(after, quiet_market), quiet_market)
    assert after.engine.markets.keys() == before.engine.markets.keys()
    assert after.engine.book(YES).bids[-1] == (400_000, 100 * ONE)


async def test_after_the_end_the_books_are_told_anew(stage: Stage, quiet_market: Path) -> None:
    """Whoever waits for a fresh book gets snapshots of both tokens although nothing changes any more."""
    playback = opened(stage, quiet_market)
    async with running(playback):
        await until(lambda: playback.finished)
        for _ in range(2):
            stage.told.clear()
            tokens = {YES, NO}
            await until(
                lambda tokens=tokens: tokens <= {one.token_id for one in stage.told if isinstance(one, BookReset)}
            )


async def test_real_time_keeps_the_recorded_gaps(stage: Stage, tmp_path: Path) -> None:
    """At 1x the last message comes as late as it did, at 4x in a quarter of the time; times may go back."""
    tape = Tape()
    for number, ms in enumerate((0, 200, 120, 400)):
        tape.change("BID", 0.40, 1 + number, best=(0.40, 0.45), ms=ms)
    path = tape.write(tmp_path)
    loop = asyncio.get_running_loop()
    for speed, least in ((1, 0.4), (4, 0.1)):
        playback = opened(stage, path, Decimal(speed))
        begun = loop.time()
        async with running(playback):
            await until(lambda playback=playback: playback.finished)
        assert least <= loop.time() - begun < least + 0.3


async def test_playing_begins_with_the_first_listener(stage: Stage, quiet_market: Path) -> None:
    """While nobody listens nothing is played: the first listener sees the recording from its start."""
    behind: list[int | None] = [None]
    playback = opened(stage, quiet_market, Decimal(1), lambda: behind[0])
    async with running(playback):
        await asyncio.sleep(0.05)
        assert playback.rows == 0
        behind[0] = 0
        await until(lambda: playback.finished)


async def test_full_speed_waits_for_listeners_that_are_behind(stage: Stage) -> None:
    """`max` plays no more than what the slowest listener has taken off, and nothing is lost by waiting."""
    queue: list[int] = []
    stage.engine.listen(lambda happening: queue.append(1_000) if isinstance(happening, BookChanged) else None)
    playback = opened(stage, SYNTHETIC, None, lambda: sum(queue))
    longest = 0
    async with running(playback):
        async with asyncio.timeout(10):
            while not playback.finished:
                longest = max(longest, len(queue))
                del queue[:7]
                await asyncio.sleep(0)
    assert 20 < longest < 100
    assert playback.rows == sum(message.rows for message in Recording.open(SYNTHETIC).messages())


async def test_a_paused_playback_stands_still(stage: Stage) -> None:
    """Paused it plays nothing; resumed it goes on where it was, at its pace."""
    playback = opened(stage, SYNTHETIC, Decimal(10))
    async with running(playback):
        await until(lambda: playback.rows > 0)
        playback.pause()
        await asyncio.sleep(0.05)
        rows = playback.rows
        await asyncio.sleep(0.1)
        assert playback.rows == rows
        playback.resume()
        await until(lambda: playback.rows > rows)
        assert playback.rows < rows + 200


async def test_a_run_that_was_interrupted_goes_on_where_it_was(stage: Stage) -> None:
    """The server runs it again after a full disk: no message is played twice or left out."""
    playback = opened(stage, SYNTHETIC, None)
    async with running(playback):
        await until(lambda: playback.rows > 100)
    assert not playback.finished
    async with running(playback):
        await until(lambda: playback.finished)
    assert playback.rows == sum(message.rows for message in Recording.open(SYNTHETIC).messages())


@pytest.mark.parametrize("which", ["synthetic", "shared"])
def test_no_edge_is_ever_inside_one_market(stage: Stage, which: str) -> None:
    """After every message of the recording each book is uncrossed, shows the recorded best prices where they were ever
    seen, and YES ask + NO ask is over 1."""
    path = SYNTHETIC if which == "synthetic" else shared_recording()
    playback = opened(stage, path)
    markets = [market for market in stage.engine.markets.values() if not market.neg_risk]
    exact = played = 0
    for message in Recording.open(path).messages():
        playback.play(message)
        book = stage.engine.core.state.books[markets[message.market].condition_id]
        bid, ask = book.best("BUY"), book.best("SELL")
        if bid is None or ask is None:
            continue
        assert bid < ask, "YES ask + NO ask = 1 + ask - bid"
        played += 1
        exact += (bid, ask) == (message.best_bid, message.best_ask)
    assert exact / played > 0.98
