"""Questions that both simulated venues list: the same prices without a word, drifts that make baskets, one outcome."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.kalshi.engine import Engine as KalshiEngine
from arbsaga.exchange.kalshi.settings import EngineSettings as KalshiEngineSettings
from arbsaga.exchange.kalshi.world import World as KalshiWorld
from arbsaga.exchange.kalshi.world import WorldSettings as KalshiWorldSettings
from arbsaga.exchange.paired import NESTED_GAP, SUBJECTS, Paired, PairedSettings, current
from arbsaga.exchange.units import ONE
from arbsaga.exchange.world import World, WorldSettings

from .stage import START_MS, TRADER, Stage

LIFE_MS = 60_000
SETTINGS = PairedSettings(START_MS, seed=7)


class Both:
    """Both exchanges with nothing but the paired questions, on one clock."""

    def __init__(self, folder: Path, seed: int = 7) -> None:
        paired = PairedSettings(START_MS, seed)
        self.stage = Stage(folder / "polymarket.jsonl")
        settings = WorldSettings(neg_risk_events=0, binary_events=0, paired=paired)
        self.here = World(self.stage.engine, self.stage.clock, settings)
        self.kalshi = KalshiEngine.recover(
            folder / "kalshi.jsonl", self.stage.clock, KalshiEngineSettings(), FaultPlan(0)
        )
        self.there = KalshiWorld(self.kalshi, self.stage.clock, KalshiWorldSettings(kinds=(), paired=paired))
        self.paired = paired
        self.here.start()
        self.there.start()

    def live(self, ms: int) -> None:
        until = self.stage.now_ms + ms
        while self.stage.now_ms < until:
            self.stage.live(self.here, 250, 250)
            self.kalshi.advance()
            self.there.step()

    def asks(self, one: Paired) -> tuple[int, int, int, int]:
        """What YES and NO cost here, then there; ONE where nobody offers."""
        bid, ask = self.stage.best(self.stage.engine.markets[one.ids[0]])
        book = self.kalshi.book(one.ticker)
        bids, asks = (level[-1][0] if level else None for level in (book.bids, book.asks))
        return ask, ONE - bid, ONE if asks is None else asks, ONE if bids is None else ONE - bids

    def close(self) -> None:
        self.stage.engine.close()
        self.kalshi.close()


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    made = Both(tmp_path)
    yield made
    made.close()


def test_every_subject_is_open_at_both_venues_at_any_time(both: Both) -> None:
    for _ in range(8):
        both.live(LIFE_MS // 4)
        for one in current(both.paired, both.stage.now_ms):
            assert not both.stage.engine.markets[one.ids[0]].closed
            assert both.kalshi.markets[one.ticker].status == "active"


def test_a_question_is_never_named_twice() -> None:
    seen = {one.name: one for at in range(0, 10 * LIFE_MS, 500) for one in current(SETTINGS, START_MS + at)}
    assert len({one.ids[0] for one in seen.values()}) == len({one.ticker for one in seen.values()}) == len(seen)
    assert len(seen) >= 10 * len(SUBJECTS)


def test_one_seed_gives_one_course_and_another_seed_another() -> None:
    def course(seed: int) -> list[int]:
        (one, *_) = current(PairedSettings(START_MS, seed), START_MS)
        return [one.quoted("kalshi", START_MS + at) for at in range(0, LIFE_MS, 500)]

    assert course(7) == course(7) != course(8)


def test_prices_move_slowly_and_stay_possible_for_every_relation() -> None:
    for at in range(0, 20 * LIFE_MS, 1_000):
        for one in current(SETTINGS, START_MS + at):
            for where in ("polymarket", "kalshi"):
                assert 20_000 < one.quoted(where, START_MS + at) < ONE - 20_000
    (one, *_) = current(SETTINGS, START_MS)
    fair = [one.fair("polymarket", START_MS + at) for at in range(0, LIFE_MS, 250)]
    assert max(abs(late - early) for early, late in pairwise(fair)) <= 2_000


def drifts(one: Paired, at_ms: int) -> bool:
    """Whether the traders of either venue believe something else than the fair price."""
    return any(one.quoted(where, at_ms) != one.fair(where, at_ms) for where in ("polymarket", "kalshi"))


def test_fair_prices_never_make_a_basket_and_drifts_do(both: Both) -> None:
    """Identity: YES here + NO there, or the other way round; complement: the same outcome of both; nested: one way."""
    cheapest = {subject.relation: 2 * ONE for subject in SUBJECTS}
    while both.stage.now_ms < START_MS + LIFE_MS:
        both.live(250)
        for one in current(both.paired, both.stage.now_ms):
            yes, no, kalshi_yes, kalshi_no = both.asks(one)
            sums = {
                "identity": min(yes + kalshi_no, no + kalshi_yes),
                "complement": min(yes + kalshi_yes, no + kalshi_no),
                "wider": yes + kalshi_no,
            }
            if not any(drifts(one, both.stage.now_ms - ago) for ago in (0, 250, 500)):
                assert sums[one.subject.relation] >= ONE
            relation = one.subject.relation
            cheapest[relation] = min(cheapest[relation], sums[relation])
    assert max(cheapest.values()) <= ONE - 50_000


def test_both_venues_resolve_as_the_relation_says(both: Both) -> None:
    ended: dict[str, Paired] = {}
    for _ in range(24):
        ended |= {one.name: one for one in current(both.paired, both.stage.now_ms)}
        both.live(LIFE_MS // 6)
    decided = [one for one in ended.values() if one.ends_ms < both.stage.now_ms - 1_000]
    assert len(decided) >= 9
    for one in decided:
        here = both.stage.engine.markets[one.ids[0]].winner == 0
        there = both.kalshi.markets[one.ticker].value == ONE
        allowed = {"identity": here == there, "complement": here != there, "wider": here or not there}
        assert allowed[one.subject.relation], one
    assert len({both.stage.engine.markets[one.ids[0]].winner for one in decided}) == 2


def test_what_an_admin_decided_before_stays_as_it_is(both: Both) -> None:
    """So two venues resolve one question differently."""
    one = current(both.paired, both.stage.now_ms)[0]
    both.live(5_000)
    both.kalshi.determine(one.ticker, 0 if one.is_yes("kalshi") else ONE)
    both.live(LIFE_MS)
    assert (both.stage.engine.markets[one.ids[0]].winner == 0) == one.is_yes("polymarket")
    assert (both.kalshi.markets[one.ticker].value == ONE) != one.is_yes("kalshi")


def test_a_restart_goes_on_with_what_is_open_and_decides_what_has_ended(tmp_path: Path) -> None:
    first = Both(tmp_path)
    before = current(first.paired, first.stage.now_ms)
    first.close()
    again = Both.__new__(Both)
    again.stage = Stage(tmp_path / "polymarket.jsonl", START_MS + 3 * LIFE_MS)
    settings = WorldSettings(neg_risk_events=0, binary_events=0, paired=first.paired)
    again.here = World(again.stage.engine, again.stage.clock, settings)
    again.kalshi = KalshiEngine.recover(
        tmp_path / "kalshi.jsonl", again.stage.clock, KalshiEngineSettings(), FaultPlan(0)
    )
    again.there = KalshiWorld(again.kalshi, again.stage.clock, KalshiWorldSettings(kinds=(), paired=first.paired))
    again.paired = first.paired
    again.stage.engine.advance()
    again.kalshi.advance()
    again.here.start()
    again.there.start()
    for one in before:
        assert again.stage.engine.markets[one.ids[0]].winner == (0 if one.is_yes("polymarket") else 1)
        assert again.kalshi.markets[one.ticker].value == (ONE if one.is_yes("kalshi") else 0)
    again.live(1_000)
    again.close()


def test_what_was_taken_comes_back_after_a_while(both: Both) -> None:
    one = current(both.paired, both.stage.now_ms)[0]
    market = both.stage.engine.markets[one.ids[0]]
    _, ask = both.stage.best(market)
    offered = dict(both.stage.engine.book(market.token_ids[0]).asks)[ask]
    both.stage.order(market.token_ids[0], "BUY", offered // 10_000 * 10_000, ask)
    both.live(2_500)
    assert both.stage.engine.account(TRADER) is not None
    levels = both.stage.engine.book(market.token_ids[0]).asks
    assert len(levels) == 4


def test_the_texts_name_the_moment_and_differ_where_the_questions_do(both: Both) -> None:
    for one in current(both.paired, both.stage.now_ms):
        texts = [one.text(text) for text in (one.subject.polymarket, one.subject.description, one.subject.rules)]
        assert all("UTC on" in text and "{" not in text for text in texts)
        assert both.kalshi.markets[one.ticker].texts["rules_primary"] == texts[2]
        assert both.stage.engine.markets[one.ids[0]].description == texts[1]
    assert NESTED_GAP > 0
