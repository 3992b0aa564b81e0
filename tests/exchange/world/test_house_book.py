"""The house's book of one market: shows what it is told, in one message, and never trades with itself."""

from dataclasses import replace
from decimal import Decimal
from itertools import repeat

import pytest

from arbsaga.errors import Rejected
from arbsaga.exchange.house import MAKER, TAKER, HouseBook, order_ids
from arbsaga.exchange.ids import v1_ids
from arbsaga.exchange.model import BookChanged, Event, LevelChange, Market, OrderUpdated, TradePrinted
from arbsaga.exchange.units import ONE

from .stage import TRADER, Stage

PRICES = (400_000, 410_000, 420_000, 430_000)


@pytest.fixture
def market(stage: Stage) -> Market:
    """An open binary market without orders."""
    condition_id, token_ids = v1_ids("house")
    market = Market(condition_id, "1", "Will it rain?", "rain", "v1", token_ids, fee_rate=Decimal("0.05"))
    stage.engine.open_event(Event("1", "Rain?", "rain", False, False, "v1", (condition_id,)), [market])
    stage.engine.create_account(MAKER, house=True)
    stage.engine.create_account(TAKER, house=True)
    stage.told.clear()
    return market


@pytest.fixture
def house(stage: Stage, market: Market) -> HouseBook:
    return HouseBook(stage.engine, market, order_ids("test"))


def bids(stage: Stage, market: Market) -> list[tuple[int, int]]:
    return list(stage.engine.book(market.token_ids[0]).bids)


def asks(stage: Stage, market: Market) -> list[tuple[int, int]]:
    return list(stage.engine.book(market.token_ids[0]).asks)


def test_a_change_of_many_levels_is_one_message_for_both_tokens(stage: Stage, market: Market, house: HouseBook) -> None:
    """New, changed and removed levels are told together, mirrored, so that nobody can read a torn book."""
    house.show({("BUY", 400_000): 50 * ONE, ("SELL", 430_000): 60 * ONE})
    stage.told.clear()
    house.show({("BUY", 410_000): 10 * ONE, ("SELL", 430_000): 70 * ONE})
    (changed,) = stage.told
    assert isinstance(changed, BookChanged)
    yes, no = market.token_ids
    assert set(changed.levels) == {
        LevelChange(yes, "BUY", 400_000, 0),
        LevelChange(no, "SELL", 600_000, 0),
        LevelChange(yes, "BUY", 410_000, 10 * ONE),
        LevelChange(no, "SELL", 590_000, 10 * ONE),
        LevelChange(yes, "SELL", 430_000, 70 * ONE),
        LevelChange(no, "BUY", 570_000, 70 * ONE),
    }


def test_showing_the_same_again_tells_nothing(stage: Stage, house: HouseBook) -> None:
    """No message without a change."""
    house.show({("BUY", 400_000): 50 * ONE})
    stage.told.clear()
    house.show({("BUY", 400_000): 50 * ONE})
    house.change({("BUY", 410_000): 0})
    assert stage.told == []


@pytest.mark.parametrize(("before", "after"), [(50, 20), (20, 50)])
def test_a_level_shrinks_and_grows_in_place(
    stage: Stage, market: Market, house: HouseBook, before: int, after: int
) -> None:
    """A new size of a level is the size of its book."""
    house.show({("BUY", 400_000): before * ONE})
    house.change({("BUY", 400_000): after * ONE})
    assert bids(stage, market) == [(400_000, after * ONE)]
    assert house.offered(("BUY", 400_000)) == after * ONE


def test_crossing_house_levels_rest_side_by_side(stage: Stage, market: Market, house: HouseBook) -> None:
    """A bid above an ask of the house stands as shown and prints no trade."""
    house.show({("SELL", 400_000): 50 * ONE, ("BUY", 430_000): 50 * ONE})
    assert bids(stage, market) == [(430_000, 50 * ONE)]
    assert asks(stage, market) == [(400_000, 50 * ONE)]
    assert not any(isinstance(happening, TradePrinted) for happening in stage.told)


def test_takers_meet_every_kind_of_match(stage: Stage, market: Market, house: HouseBook) -> None:
    """Levels alternate between YES and NO: buying meets complementary and mint, selling complementary and merge."""
    house.show({("SELL", price): 10 * ONE for price in PRICES})
    yes = market.token_ids[0]
    stage.order(yes, "BUY", 40 * ONE, PRICES[-1])
    stage.now_ms += 1_000
    stage.engine.advance()
    house.show({("BUY", price): 10 * ONE for price in PRICES})
    stage.order(yes, "SELL", 40 * ONE, PRICES[0])
    kinds = [(trade.taker.side, trade.kind) for trade in stage.engine.trades(TRADER)]
    assert set(kinds) == {("BUY", "complementary"), ("BUY", "mint"), ("SELL", "complementary"), ("SELL", "merge")}


def test_what_somebody_took_is_no_longer_offered(stage: Stage, market: Market, house: HouseBook) -> None:
    """After a fill the house offers what is left, and offers more only when told so."""
    level = ("SELL", 430_000)
    house.show({level: 50 * ONE})
    stage.order(market.token_ids[0], "BUY", 20 * ONE, 430_000)
    assert house.offered(level) == 30 * ONE
    stage.order(market.token_ids[0], "BUY", 30 * ONE, 430_000)
    assert house.offered(level) == 0
    assert house.levels() == []
    house.change({level: 50 * ONE})
    assert asks(stage, market) == [(430_000, 50 * ONE)]


def test_a_level_that_meets_a_resting_order_trades_with_it(stage: Stage, market: Market, house: HouseBook) -> None:
    """A resting order of somebody else is filled as maker by a crossing level; what is left of the level rests."""
    stage.order(market.token_ids[0], "BUY", 20 * ONE, 430_000)
    house.change({("SELL", 420_000): 50 * ONE})
    updates = [happening for happening in stage.told if isinstance(happening, OrderUpdated)]
    assert (updates[-1].kind, updates[-1].order.matched) == ("UPDATE", 20 * ONE)
    assert stage.engine.trades(TRADER)[0].taker.address == MAKER
    assert asks(stage, market) == [(420_000, 30 * ONE)]
    assert house.offered(("SELL", 420_000)) == 30 * ONE


def test_a_level_that_a_resting_order_eats_up_is_gone(stage: Stage, market: Market, house: HouseBook) -> None:
    """A level smaller than the resting order it meets leaves nothing."""
    stage.order(market.token_ids[0], "BUY", 20 * ONE, 430_000)
    house.change({("SELL", 420_000): 8 * ONE})
    assert asks(stage, market) == []
    assert bids(stage, market) == [(430_000, 12 * ONE)]
    assert house.offered(("SELL", 420_000)) == 0


def test_dust_that_would_cross_a_resting_order_is_left_out(stage: Stage, market: Market, house: HouseBook) -> None:
    """A level under the venue's minimum cannot be an order that trades, and must not stand across somebody's bid."""
    stage.order(market.token_ids[0], "BUY", 20 * ONE, 430_000)
    house.change({("SELL", 430_000): 2 * ONE, ("SELL", 440_000): 2 * ONE})
    assert asks(stage, market) == [(440_000, 2 * ONE)]
    assert bids(stage, market) == [(430_000, 20 * ONE)]


def test_a_wiped_level_can_be_shown_again(stage: Stage, market: Market, house: HouseBook) -> None:
    """Orders that the venue canceled offer nothing, and their levels can be put up anew."""
    house.show({("BUY", 400_000): 50 * ONE})
    stage.engine.wipe(market.condition_id)
    assert house.offered(("BUY", 400_000)) == 0
    house.show({("BUY", 400_000): 40 * ONE})
    assert bids(stage, market) == [(400_000, 40 * ONE)]


def test_a_taker_takes_no_more_than_there_is(stage: Stage, market: Market, house: HouseBook) -> None:
    """The small taker hits the best level of the house for its whole size at most, and nothing in an empty book."""
    house.take("BUY", 10 * ONE)
    house.take("SELL", 10 * ONE)
    assert stage.told == []
    house.show({("BUY", 400_000): 8 * ONE, ("SELL", 430_000): 50 * ONE, ("BUY", 390_000): 50 * ONE})
    house.take("BUY", 10 * ONE)
    house.take("SELL", 10 * ONE)
    assert bids(stage, market) == [(390_000, 50 * ONE)]
    assert asks(stage, market) == [(430_000, 40 * ONE)]


def test_a_taker_leaves_dust_alone(stage: Stage, market: Market, house: HouseBook) -> None:
    """Less than the venue's minimum cannot be ordered."""
    house.show({("BUY", 400_000): 3 * ONE})
    house.take("BUY", 10 * ONE)
    assert bids(stage, market) == [(400_000, 3 * ONE)]


def test_a_market_that_is_decided_by_the_order_itself_takes_no_harm(stage: Stage, market: Market) -> None:
    """The engine resolves what is due before it takes an order: the taker finds a closed market and goes away."""
    due = replace(market, condition_id="", event_id="2", slug="due", resolves_ms=stage.now_ms + 50)
    due.condition_id, due.token_ids = v1_ids("due")
    stage.engine.open_event(Event("2", "Due?", "due", False, False, "v1", (due.condition_id,)), [due])
    house = HouseBook(stage.engine, due, order_ids("due"))
    house.show({("BUY", 400_000): 50 * ONE})
    stage.now_ms += 50
    assert house.open
    house.take("BUY", 10 * ONE)
    assert not house.open


def test_an_order_of_the_house_that_is_refused_otherwise_is_a_bug(stage: Stage, market: Market) -> None:
    """A refusal in an open market is not swallowed."""
    house = HouseBook(stage.engine, market, repeat("0x01"))
    house.show({("BUY", 400_000): 50 * ONE})
    with pytest.raises(Rejected, match="Duplicated"):
        house.take("BUY", 10 * ONE)


def test_house_orders_leave_no_trace_in_the_truth_journal(stage: Stage, market: Market, house: HouseBook) -> None:
    """The journal is about real accounts: quoting does not fill it."""
    journal = stage.engine.core.journal.path
    before = journal.read_text()
    house.show({("BUY", price): 50 * ONE for price in PRICES})
    house.show({})
    assert journal.read_text() == before
