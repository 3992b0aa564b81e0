"""The end of markets: payouts, cancels, and what neg-risk events demand."""

from decimal import Decimal

import pytest

from arbsaga.errors import Rejected
from arbsaga.exchange.engine import Engine, EngineSettings
from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.model import Account, BalanceChanged, Event, MarketResolved, OrderUpdated
from arbsaga.exchange.truth import Truth
from arbsaga.exchange.units import ONE

from .place import ANN, BOB, HOUSE, START, Place, check_conservation, money, neg_risk_event, open_place, plain_market

DEPOSITS = 2_000 * ONE


def account(place: Place, address: str) -> Account:
    found = place.engine.account(address)
    assert found is not None
    return found


def test_winners_get_a_dollar_a_share_at_once(place: Place) -> None:
    """Losers nothing; both lose their shares; the lines are in the journal."""
    place.buy_shares(ANN, "10")
    place.buy_shares(BOB, "20", token=1)
    ann, bob = account(place, ANN).cash, account(place, BOB).cash
    place.engine.resolve(place.markets[0].condition_id, 0)
    assert (account(place, ANN).cash, account(place, BOB).cash) == (ann + 10 * ONE, bob)
    assert account(place, ANN).shares == account(place, BOB).shares == {}
    payouts = [(line["address"], line["shares"], line["usd"]) for line in place.journal("payout")]
    assert payouts == [(ANN, "10", "10"), (BOB, "20", "0")]
    assert place.journal("resolved")[0]["winner"] == 0
    resolved = place.happened(MarketResolved)[0]
    assert resolved.winning_token_id == place.markets[0].token_ids[0]
    assert place.happened(BalanceChanged)[-1].address == BOB
    check_conservation(place.engine, DEPOSITS)


@pytest.mark.parametrize("fails", [False, True])
def test_a_split_decision_pays_half_a_dollar_for_each_share(tmp_path, fails) -> None:
    """Of either side, and when a trade settles afterwards; what is below a base unit stays where it is."""
    place = open_place(tmp_path / "j", faults=("fail_settlement,address=0xBob",) if fails else ())
    place.buy_shares(ANN, "20")
    ann = account(place, ANN).cash
    place.submit(ANN, "SELL", "0.5", "8")
    place.submit(BOB, "BUY", "0.5", "8")
    market = place.markets[0]
    place.engine.split(market.condition_id)
    assert (market.winner, market.split, market.closed, market.accepting_orders) == (None, True, True, False)
    place.settled()
    assert account(place, ANN).cash == ann + 6 * ONE + 4 * ONE
    assert account(place, BOB).cash == 1_000 * ONE + (0 if fails else -80_000)
    assert place.journal("resolved")[-1]["winner"] is None
    assert {(line["shares"], line["usd"]) for line in place.journal("payout")} <= {("12", "6"), ("8", "4")}
    assert place.happened(MarketResolved)[-1].winning_token_id == ""
    check_conservation(place.engine, DEPOSITS)
    again = Truth.read(place.path, ANN)
    assert [again.worth[token] for token in market.token_ids] == [Decimal("0.5")] * 2
    assert sum(one.usd for one in again.payouts) == (10 if fails else 6)
    place.engine.close()
    recovered = Engine.recover(place.path, place.clock, EngineSettings(), FaultPlan(0))
    assert recovered.markets[market.condition_id].split
    assert not recovered.markets[market.condition_id].accepting_orders
    check_conservation(recovered, DEPOSITS)
    recovered.close()


def test_a_split_decision_is_one_of_a_market_by_itself_and_final(place: Place) -> None:
    """Markets that exclude each other have one winner at most, which the contract sees to."""
    event = neg_risk_event(place, 3)
    with pytest.raises(ValueError, match="YES or NO"):
        place.engine.split(event.market_ids[0])
    place.engine.split(place.markets[0].condition_id)
    for decide in (place.engine.split, lambda condition: place.engine.resolve(condition, 0)):
        with pytest.raises(ValueError, match="already decided"):
            decide(place.markets[0].condition_id)


def test_resolution_cancels_resting_and_delayed_orders(place: Place) -> None:
    """Their reserves are free; nothing is taken any more."""
    place.submit(ANN, "BUY", "0.4", "10")
    place.submit(HOUSE, "SELL", "0.5", "10")
    delayed = place.submit(BOB, "BUY", "0.5", "10", delay_ms=3_000).order_id
    place.engine.resolve(place.markets[0].condition_id, 1)
    for address in (ANN, BOB):
        assert (account(place, address).open, place.engine.open_orders(address)) == ({}, [])
    assert {update.order.status for update in place.happened(OrderUpdated)[-2:]} == {"CANCELED_MARKET_RESOLVED"}
    assert place.levels() == ([], [])
    place.wait(4_000)
    order = place.engine.order(delayed)
    assert order is not None
    assert order.matched == 0
    with pytest.raises(Rejected, match="not yet ready"):
        place.submit(ANN, "BUY", "0.4", "10")
    with pytest.raises(ValueError, match="already decided"):
        place.engine.resolve(place.markets[0].condition_id, 0)
    with pytest.raises(ValueError, match="neither 0"):
        place.engine.resolve(place.markets[1].condition_id, 2)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("winner", [0, 1])
def test_trades_that_settle_after_the_resolution_are_paid_then(tmp_path, winner, fails) -> None:
    """Shares on their way from Ann to Bob are Bob's to redeem, or Ann's if the trade fails; never both."""
    place = open_place(tmp_path / "j", faults=("fail_settlement,address=0xBob",) if fails else ())
    place.buy_shares(ANN, "20")
    place.submit(ANN, "SELL", "0.5", "8")
    place.submit(BOB, "BUY", "0.5", "8")
    place.engine.resolve(place.markets[0].condition_id, winner)
    check_conservation(place.engine, DEPOSITS)
    place.settled()
    check_conservation(place.engine, DEPOSITS)
    pays = 8 * ONE if winner == 0 else 0
    ann, bob = account(place, ANN), account(place, BOB)
    assert bob.cash == 1_000 * ONE + (0 if fails else pays - 4 * ONE - 80_000)
    rest = 12 * ONE if winner == 0 else 0
    assert ann.cash == 1_000 * ONE - 10 * ONE - 200_000 + rest + (pays if fails else 4 * ONE)
    assert ann.shares == bob.shares == {}
    if not fails:
        assert [line["usd"] for line in place.journal("payout") if line["address"] == BOB] == [str(pays // ONE)]


def test_yes_in_a_neg_risk_event_decides_its_siblings(place: Place) -> None:
    """All-NO baskets pay one less than their legs."""
    event = neg_risk_event(place, 3)
    for market in (2, 3, 4):
        place.buy_shares(ANN, "10", token=1, market=market)
    before = account(place, ANN).cash
    place.engine.resolve(event.market_ids[1], 0)
    assert [place.engine.markets[one].winner for one in event.market_ids] == [1, 0, 1]
    assert account(place, ANN).cash - before == 20 * ONE
    with pytest.raises(ValueError, match="already decided"):
        place.engine.resolve(event.market_ids[0], 0)
    assert money(place.engine) == DEPOSITS


def test_an_exhaustive_event_has_a_winner(place: Place) -> None:
    """NO for the last open market is refused; an augmented event may end without."""
    event = neg_risk_event(place, 2)
    place.engine.resolve(event.market_ids[0], 1)
    with pytest.raises(ValueError, match="must resolve YES"):
        place.engine.resolve(event.market_ids[1], 1)
    place.engine.resolve(event.market_ids[1], 0)


def test_an_augmented_event_may_end_without_a_winner(place: Place) -> None:
    """The unlisted outcome won."""
    event = neg_risk_event(place, 2, augmented=True)
    for condition_id in event.market_ids:
        place.engine.resolve(condition_id, 1)
    assert all(place.engine.markets[one].winner == 1 for one in event.market_ids)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_events_resolve_when_their_time_has_come(place: Place, version) -> None:
    """Exactly one winner of an exhaustive event."""
    event = neg_risk_event(place, 4, version=version, resolves_ms=START + 5_000)
    place.wait(4_000)
    assert place.happened(MarketResolved) == []
    place.wait(2_000)
    winners = [place.engine.markets[one].winner for one in event.market_ids]
    assert sorted(winners, key=str) == [0, 1, 1, 1]


def test_paused_resolutions_wait(place: Place) -> None:
    """They happen once resumed."""
    event = neg_risk_event(place, 2, resolves_ms=START + 1_000)
    place.engine.resolutions_paused = True
    assert place.engine.resolutions_paused
    place.wait(10_000)
    assert place.engine.markets[event.market_ids[0]].winner is None
    place.engine.resolutions_paused = False
    place.wait(2_000)
    assert place.engine.markets[event.market_ids[0]].winner is not None


def test_chances_are_read_from_the_books(tmp_path) -> None:
    """YES that trades around 0.9 wins about nine times in ten."""
    place = open_place(tmp_path / "j")
    wins = 0
    for number in range(200):
        market = plain_market(f"chance {number}", resolves_ms=START + number + 1)
        event = Event(market.event_id, "", "", False, False, "v1", (market.condition_id,))
        place.engine.open_event(event, [market])
        place.markets.append(market)
        place.submit(HOUSE, "BUY", "0.88", "10", market=len(place.markets) - 1)
        place.submit(HOUSE, "SELL", "0.92", "10", market=len(place.markets) - 1)
        place.wait(1)
        wins += market.winner == 0
    assert 165 <= wins <= 195


def test_events_must_name_their_markets_and_fresh_ids(place: Place) -> None:
    """Taken ids and other lists are refused, and nothing is journaled."""
    before = len(place.journal())
    event, market = place.engine.events["event m1"], plain_market("m9")
    with pytest.raises(ValueError, match="taken"):
        place.engine.open_event(event, [place.markets[0]])
    other = Event("e9", "", "", False, False, "v1", ("0xother",))
    with pytest.raises(ValueError, match="not its markets"):
        place.engine.open_event(other, [market])
    market.condition_id = "0xother"
    market.token_ids = place.markets[0].token_ids
    with pytest.raises(ValueError, match="a token id is taken"):
        place.engine.open_event(other, [market])
    assert len(place.journal()) == before


def test_the_unlisted_outcome_gets_the_chance_that_the_books_leave(tmp_path) -> None:
    """Two markets at 0.2 each of an augmented event: about three in five end without a winner."""
    without = 0
    for seed in range(60):
        place = open_place(tmp_path / f"j{seed}")
        place.engine.core.rng.seed(seed)
        event = neg_risk_event(place, 2, augmented=True, resolves_ms=START + 1)
        for market in (2, 3):
            place.submit(HOUSE, "BUY", "0.19", "10", market=market)
            place.submit(HOUSE, "SELL", "0.21", "10", market=market)
        place.wait(1)
        winners = [place.engine.markets[one].winner for one in event.market_ids]
        assert winners in ([1, 1], [0, 1], [1, 0])
        without += winners == [1, 1]
        place.engine.close()
    assert 25 <= without <= 47
