"""The seeded traders: mispriced events, that they can be taken, and that liquidity comes back."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from pathlib import Path

import pytest

from arbsaga.exchange.model import Market, TradePrinted
from arbsaga.exchange.units import ONE, to_decimal
from arbsaga.exchange.world import World, WorldSettings

from .stage import TRADER, Stage, settings_without_mistakes


@dataclass(frozen=True)
class Edge:
    """A basket of tokens that pays more than it costs: profit per $1 of payout, fees included, and its depth."""

    kind: str
    tokens: tuple[str, ...]
    prices: tuple[int, ...]
    profit: Decimal
    shares: int


def edges(stage: Stage, markets: list[Market]) -> Iterator[Edge]:
    """Every YES-of-all and NO-of-some basket with a profit, priced by hand from the books."""
    event = stage.engine.events[markets[0].event_id]
    if not event.augmented:
        yield from basket(stage, "yes", markets, payout=1)
    for size in range(2, len(markets) + 1):
        for some in combinations(markets, size):
            yield from basket(stage, "no", list(some), payout=size - 1)


def basket(stage: Stage, kind: str, markets: list[Market], payout: int) -> Iterator[Edge]:
    tokens = tuple(market.token_ids[kind == "no"] for market in markets)
    asks = [stage.engine.book(token).asks for token in tokens]
    if not all(asks):
        return
    prices = [to_decimal(ask[-1][0]) for ask in asks]
    fees = sum(market.fee_rate * price * (1 - price) for market, price in zip(markets, prices, strict=True))
    profit = (payout - sum(prices) - fees) / payout
    if profit > 0:
        yield Edge(kind, tokens, tuple(ask[-1][0] for ask in asks), profit, min(ask[-1][1] for ask in asks))


def neg_risk_events(stage: Stage) -> list[list[Market]]:
    return [markets for markets in stage.open_events() if markets[0].neg_risk]


def started(stage: Stage, settings: WorldSettings) -> World:
    world = World(stage.engine, stage.clock, settings)
    world.start()
    return world


@pytest.mark.parametrize("seed", [1, 2])
def test_events_are_mispriced_by_3_to_8_percent_after_fees(tmp_path: Path, seed: int) -> None:
    """Every edge there is pays 3 to 8 % of its payout at best, on 15 to 80 shares, and is gone within 4 s; and they
    come often enough for 50 trades in two minutes, YES and NO, while there is time to settle before the end."""
    stage = Stage(tmp_path / "truth.jsonl")
    world = started(stage, WorldSettings(seed=seed))
    since: dict[str, int] = {}
    kinds: list[str] = []
    for _ in range(1_000):
        stage.live(world, 100)
        for markets in neg_risk_events(stage):
            event_id, found = markets[0].event_id, list(edges(stage, markets))
            if not found:
                since.pop(event_id, None)
                continue
            best = max(found, key=lambda edge: edge.profit)
            assert Decimal("0.03") <= best.profit <= Decimal("0.08")
            assert 15 * ONE <= best.shares <= 80 * ONE
            assert markets[0].resolves_ms - stage.now_ms > 4_000
            if event_id not in since:
                since[event_id] = stage.now_ms
                kinds.append(best.kind)
            assert stage.now_ms - since[event_id] <= 4_000
    assert set(kinds) == {"yes", "no"}
    assert len(kinds) >= 40


def test_a_yes_basket_is_bought_whole_and_the_traders_correct_themselves(stage: Stage) -> None:
    """Each leg fills at its price; soon after, the edge is gone although nobody took all of it."""
    world = started(stage, settings_without_mistakes())
    for markets in neg_risk_events(stage):
        if stage.engine.events[markets[0].event_id].augmented:
            continue
        world.plant(markets[0].event_id, Decimal("0.05"))
        edge = next(one for one in edges(stage, markets) if one.kind == "yes")
        assert Decimal("0.05") <= edge.profit <= Decimal("0.06")
        for token, price in zip(edge.tokens, edge.prices, strict=True):
            ack = stage.order(token, "BUY", 15 * ONE, price)
            assert (ack.status, ack.taking_amount) == ("matched", 15 * ONE)
        bought = stage.engine.trades(TRADER)[-len(edge.tokens) :]
        assert sum(trade.taker.usd + trade.taker.fee for trade in bought) <= 15 * ONE * 95 // 100
        stage.live(world, 1_000)
        assert list(edges(stage, markets)) == []


def test_a_no_basket_is_planted_where_the_event_is_not_exhaustive(stage: Stage) -> None:
    """In an augmented event YES of all is no arbitrage, so NO of two or three gets cheap; it can be bought."""
    world = started(stage, settings_without_mistakes())
    for markets in neg_risk_events(stage):
        if not stage.engine.events[markets[0].event_id].augmented:
            continue
        world.plant(markets[1].condition_id, Decimal("0.04"))
        edge = max(edges(stage, markets), key=lambda one: one.profit)
        assert Decimal("0.04") <= edge.profit < Decimal("0.06")
        assert len(edge.tokens) <= 3
        for token, price in zip(edge.tokens, edge.prices, strict=True):
            assert stage.order(token, "BUY", 10 * ONE, price).taking_amount == 10 * ONE


def test_an_edge_nobody_takes_goes_after_ten_seconds(stage: Stage) -> None:
    """A planted edge stays until taken, 10 s at most."""
    world = started(stage, settings_without_mistakes(lifetime_s=(30, 30)))
    markets = neg_risk_events(stage)[0]
    world.plant(markets[0].event_id, Decimal("0.05"))
    stage.live(world, 9_000)
    assert list(edges(stage, markets))
    stage.live(world, 1_500)
    assert not list(edges(stage, markets))


def test_liquidity_comes_back_after_it_was_taken(stage: Stage) -> None:
    """Somebody empties both sides of a book: it stays taken for a moment and is there again within a second or two."""
    world = started(stage, settings_without_mistakes())
    market = neg_risk_events(stage)[0][0]
    yes, no = market.token_ids
    for token in (yes, no):
        for price, size in reversed(stage.engine.book(token).asks):
            assert stage.order(token, "BUY", size, price).taking_amount == size
    assert not stage.engine.book(yes).asks
    assert not stage.engine.book(yes).bids
    stage.live(world, 100)
    assert len(stage.engine.book(yes).asks) < 4
    stage.live(world, 1_500)
    assert len(stage.engine.book(yes).asks) == len(stage.engine.book(no).asks) == 4


def test_bought_shares_can_be_sold_back_into_the_book(stage: Stage) -> None:
    """An exit finds bids: what was bought is sold a little lower once it has settled."""
    world = started(stage, settings_without_mistakes(lifetime_s=(60, 60)))
    market = neg_risk_events(stage)[0][0]
    stage.order(market.token_ids[0], "BUY", 20 * ONE, stage.best(market)[1])
    stage.live(world, 1_000)
    bid = stage.best(market)[0]
    assert stage.order(market.token_ids[0], "SELL", 20 * ONE, bid).making_amount == 20 * ONE


def test_small_takers_trade_now_and_then(stage: Stage) -> None:
    """The tape is alive: trades of 5 to 15 shares, some in YES and some in NO, of every kind of match."""
    world = started(stage, settings_without_mistakes())
    stage.live(world, 30_000)
    prints = [happening for happening in stage.told if isinstance(happening, TradePrinted)]
    assert 30 <= len(prints) <= 300
    assert all(5 * ONE <= one.size <= 15 * ONE for one in prints)
    outcomes = {stage.engine.market_of(one.token_id).token_ids.index(one.token_id) for one in prints}
    assert outcomes == {0, 1}


def test_a_market_that_closed_early_is_left_alone(stage: Stage) -> None:
    """A market decided by hand gets no more quotes; its event goes on until it is replaced."""
    world = started(stage, settings_without_mistakes())
    markets = next(markets for markets in neg_risk_events(stage) if len(markets) > 3)
    stage.engine.resolve(markets[0].condition_id, 1)
    stage.live(world, 3_000)
    assert stage.best(markets[0]) == (0, ONE)
    assert stage.best(markets[1])[0] > 0


def test_a_wiped_book_is_put_up_again(stage: Stage) -> None:
    """At game start the venue cancels every resting order: the traders come back."""
    world = started(stage, settings_without_mistakes())
    market = neg_risk_events(stage)[0][0]
    stage.engine.wipe(market.condition_id)
    assert stage.best(market) == (0, ONE)
    stage.live(world, 1_500)
    assert 0 < stage.best(market)[0] < stage.best(market)[1] < ONE


def test_a_coarser_tick_is_quoted_on_its_grid(stage: Stage) -> None:
    """After a tick change new quotes are multiples of the new tick."""
    world = started(stage, settings_without_mistakes())
    market = next(market for markets in neg_risk_events(stage) for market in markets if market.tick == 1_000)
    stage.engine.change_tick(market.condition_id, 10_000)
    stage.live(world, 8_000)
    view = stage.engine.book(market.token_ids[0])
    assert all(price % 10_000 == 0 for price, _ in view.bids + view.asks)
