"""The seeded world: what opens, when it resolves, what replaces it, and that a seed decides all of it."""

import asyncio
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from arbsaga.errors import UnknownThing
from arbsaga.exchange.ids import RESERVED_BITS
from arbsaga.exchange.model import BookChanged, MarketOpened, MarketResolved, TradePrinted
from arbsaga.exchange.units import ONE
from arbsaga.exchange.world import World, WorldSettings

from .stage import START_MS, Stage, settings_without_mistakes


def started(stage: Stage, settings: WorldSettings | None = None) -> World:
    world = World(stage.engine, stage.clock, settings or WorldSettings(seed=3))
    world.start()
    return world


def history(path: Path, seed: int) -> list[object]:
    """Everything a minute of a world tells, without the ids of orders and trades."""
    stage = Stage(path)
    world = started(stage, WorldSettings(seed=seed))
    stage.live(world, 60_000)
    seen: list[object] = []
    for happening in stage.told:
        match happening:
            case MarketOpened(market=market):
                seen.append((market.condition_id, market.token_ids, market.question, market.resolves_ms))
            case BookChanged(levels=levels, ms=ms):
                seen.append((levels, ms))
            case MarketResolved():
                seen.append(happening)
            case TradePrinted():
                seen.append((happening.token_id, happening.price, happening.size))
    return seen


def test_a_seed_decides_events_ids_prices_and_winners(tmp_path: Path) -> None:
    """Two runs with one seed tell the same; another seed tells something else."""
    once, again, other = (history(tmp_path / f"{number}.jsonl", seed) for number, seed in enumerate((5, 5, 6)))
    assert len(once) > 2_000
    assert once == again
    assert once != other


def test_the_default_world_has_every_kind_of_market(stage: Stage) -> None:
    """Exhaustive and augmented events of 3 to 8 markets, both generations, with and without fees, and binaries."""
    started(stage)
    events = list(stage.engine.events.values())
    several = [event for event in events if event.neg_risk]
    assert {len(event.market_ids) for event in several} <= set(range(3, 9))
    assert len(several) == 10
    assert len(events) - len(several) == 3
    assert {(event.version, event.augmented) for event in several} == {
        (version, augmented) for version in ("v1", "v2") for augmented in (False, True)
    }
    rates = {market.fee_rate for market in stage.engine.markets.values()}
    assert (
        {Decimal(0), Decimal("0.03"), Decimal("0.07")}
        <= rates
        <= {Decimal(0)} | {Decimal(at) / 100 for at in range(3, 8)}
    )
    assert {market.tick for market in stage.engine.markets.values()} == {1_000, 10_000}


def test_token_ids_tell_the_generation_as_the_official_client_reads_it(stage: Stage) -> None:
    """Bits 40..103 of a token id are zero for Protocol V2 and not zero for v1."""
    started(stage)
    for market in stage.engine.markets.values():
        for token in market.token_ids:
            assert (int(token) & RESERVED_BITS == 0) == (market.version == "v2")
    for event in stage.engine.events.values():
        assert event.neg_risk == event.neg_risk_market_id.startswith("0x")
        if event.neg_risk and event.version == "v2":
            assert all(event.neg_risk_market_id[:-6] == market_id[:-6] for market_id in event.market_ids)


@pytest.mark.parametrize("seed", range(5))
def test_fair_prices_of_an_event_leave_no_edge(tmp_path: Path, seed: int) -> None:
    """YES asks of an exhaustive event sum to over 1 and bids to under 1; with unlisted outcomes both are lower."""
    stage = Stage(tmp_path / "truth.jsonl")
    world = started(stage, settings_without_mistakes(seed))
    for _ in range(100):
        stage.live(world, 500)
        for markets in stage.open_events():
            bids, asks = (sum(prices) for prices in zip(*(stage.best(market) for market in markets), strict=True))
            if not markets[0].neg_risk:
                assert bids < asks
            elif stage.engine.events[markets[0].event_id].augmented:
                assert bids < ONE * 95 // 100
            else:
                assert bids < ONE < asks <= ONE * 108 // 100


def test_legs_are_large_enough_to_trade(stage: Stage) -> None:
    """Every book has several levels of tens to hundreds of shares, and most YES cost 0.08 to 0.75."""
    started(stage)
    views = [stage.engine.book(market.token_ids[0]) for market in stage.engine.markets.values()]
    for view in views:
        assert len(view.bids) >= 3
        assert len(view.asks) == 4
        assert all(30 * ONE <= size <= 400 * ONE for _, size in view.bids + view.asks)
    assert all(80_000 <= view.asks[-1][0] <= 780_000 for view in views)


def test_events_resolve_in_time_and_are_replaced_by_fresh_ones(stage: Stage) -> None:
    """20 to 60 s after it opened an event is decided with one winner, and one like it opens with new ids."""
    world = started(stage)
    slots = len(stage.engine.events)
    stage.live(world, 130_000)
    assert len(stage.open_events()) == slots
    assert len(stage.engine.events) > 2 * slots
    for event in stage.engine.events.values():
        markets = [stage.engine.markets[market_id] for market_id in event.market_ids]
        life = {market.resolves_ms - market.opened_ms for market in markets if market.resolves_ms is not None}
        assert len(life) == 1
        assert 20_000 <= life.pop() <= 60_000
        winners = sum(market.winner == 0 for market in markets)
        if markets[0].closed and event.neg_risk:
            assert winners == 1 or (event.augmented and winners == 0)
    tokens = [token for market in stage.engine.markets.values() for token in market.token_ids]
    assert len(set(tokens)) == len(tokens)
    assert len({event.slug for event in stage.engine.events.values()}) == len(stage.engine.events)


def test_a_restarted_exchange_goes_on_with_its_open_events(tmp_path: Path) -> None:
    """After a restart the open events are quoted again, none is opened twice, and later ones have fresh ids."""
    before = Stage(tmp_path / "truth.jsonl")
    world = started(before)
    before.live(world, 10_000)
    open_before = {markets[0].event_id for markets in before.open_events()}
    before.engine.close()
    after = Stage(tmp_path / "truth.jsonl", start_ms=before.now_ms + 1_000)
    world = started(after)
    assert {markets[0].event_id for markets in after.open_events()} == open_before
    assert all(after.best(market)[1] < ONE for markets in after.open_events() for market in markets)
    after.live(world, 60_000)
    assert not {markets[0].event_id for markets in after.open_events()} & open_before
    assert len(after.open_events()) == len(open_before)


def test_a_smaller_world_leaves_events_of_other_slots_alone(tmp_path: Path) -> None:
    """Started with fewer slots, it goes on with its own events only."""
    before = Stage(tmp_path / "truth.jsonl")
    started(before)
    before.engine.close()
    after = Stage(tmp_path / "truth.jsonl", start_ms=START_MS + 1_000)
    started(after, WorldSettings(seed=3, neg_risk_events=2, binary_events=0))
    quoted = [markets for markets in after.open_events() if after.best(markets[0])[0]]
    assert len(quoted) == 2


def test_a_paused_world_stands_still_and_makes_up_for_nothing(stage: Stage) -> None:
    """Paused: no orders, no resolutions, no new events. Resumed: it goes on from there without a burst."""
    world = started(stage, WorldSettings(seed=3, lifetime_s=(20, 25)))
    world.pause()
    stage.told.clear()
    stage.live(world, 40_000)
    assert stage.told == []
    world.resume()
    stage.live(world, 100)
    assert sum(isinstance(happening, BookChanged) for happening in stage.told) < 100
    stage.live(world, 3_000)
    assert any(isinstance(happening, MarketResolved) for happening in stage.told)


def test_a_clock_that_jumps_makes_no_burst(stage: Stage) -> None:
    """A machine that slept does not catch up tick by tick."""
    world = started(stage, settings_without_mistakes(lifetime_s=(100, 100)))
    stage.told.clear()
    stage.now_ms += 60_000
    world.step()
    assert len(stage.told) < 50


def test_a_second_of_the_world_is_a_few_hundred_book_updates_at_most(stage: Stage) -> None:
    """The world is light: some updates a second, well spread."""
    world = started(stage)
    stage.told.clear()
    stage.live(world, 30_000)
    times = [happening.ms for happening in stage.told if isinstance(happening, BookChanged)]
    assert 10 * 30 <= len(times) <= 200 * 30
    assert max(later - earlier for earlier, later in pairwise(times)) <= 1_000


def test_a_planted_edge_is_refused_where_it_cannot_be(stage: Stage) -> None:
    """YES + NO of one market cannot be mispriced, nor what does not exist, nor beyond what prices can give."""
    world = started(stage)
    binary = stage.open_events()[-1][0]
    for target in (binary.event_id, binary.condition_id, "no such event"):
        with pytest.raises(UnknownThing, match="no open neg-risk event"):
            world.plant(target, Decimal("0.05"))
    several = stage.open_events()[0][0]
    before = stage.best(several)
    with pytest.raises(ValueError, match="more than these prices can give"):
        world.plant(several.event_id, Decimal("0.99"))
    assert stage.best(several) == before


async def test_run_steps_until_it_is_cancelled(tmp_path: Path) -> None:
    """`run` keeps the books moving on the real clock."""
    stage = Stage(tmp_path / "truth.jsonl")
    world = started(stage)
    task = asyncio.get_running_loop().create_task(world.run())
    stage.told.clear()
    async with asyncio.timeout(5):
        while not any(isinstance(happening, BookChanged) for happening in stage.told):
            stage.now_ms += 100
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
