"""YES and NO net at once, collateral of opened NO, and what a mutually exclusive event gives back."""

import random
from decimal import Decimal

import pytest

from arbsaga.errors import Rejected
from arbsaga.exchange.kalshi.netting import proceeds, returned, split
from arbsaga.exchange.units import ONE, parse

from .scene import ANN, BOB, HOUSE, Scene, open_scene


@pytest.fixture
def scene(tmp_path):
    """No fees."""
    scene = open_scene(tmp_path / "truth.jsonl")
    yield scene
    scene.engine.close()


def take(scene: Scene, who: str, side: str, price: str, count: str, ticker: str = "A") -> None:
    """A trade with the house at this price."""
    scene.submit(HOUSE, "ask" if side == "bid" else "bid", price, count, ticker=ticker)
    scene.submit(who, side, price, count, "fok", ticker=ticker)
    scene.check()


def test_a_fill_closes_first_and_opens_the_rest() -> None:
    """Long 3, sell 5: 3 are closed at the price, 2 NO cost 1 - price each."""
    assert split(3 * ONE, "ask", 5 * ONE) == (3 * ONE, 2 * ONE)
    assert proceeds(3 * ONE, "ask", 400_000, 5 * ONE) == (1_200_000, 1_200_000)
    assert proceeds(-ONE, "bid", 400_000, 2 * ONE) == (600_000, 400_000)


def test_an_ask_without_yes_buys_no_for_one_minus_the_price(scene: Scene) -> None:
    """Selling 10 YES at 0.60 that one does not have costs 4 USD."""
    take(scene, ANN, "ask", "0.60", "10")
    assert scene.net(ANN) == -10
    assert scene.cash(ANN) == 996


def test_yes_and_no_cannot_both_be_held(scene: Scene) -> None:
    """Buying NO at 0.45 while holding YES bought at 0.50 brings the dollar at once: the gain is realised."""
    take(scene, ANN, "bid", "0.50", "10")
    assert scene.cash(ANN) == 995
    take(scene, ANN, "ask", "0.55", "10")
    assert scene.net(ANN) == 0
    assert scene.cash(ANN) == Decimal("1000.5")
    account = scene.engine.account(ANN)
    assert account is not None
    assert account.positions["A"].realized == parse("0.5")
    assert account.positions["A"].cost == 0
    assert scene.engine.open_interest("A") == 0


def test_cost_and_gain_are_kept_at_the_average_over_a_turn(scene: Scene) -> None:
    """Long 10 at 0.40, sell 15 at 0.60: 2 USD gained, and 5 NO at 0.40 open."""
    take(scene, ANN, "bid", "0.40", "10")
    take(scene, ANN, "ask", "0.60", "15")
    account = scene.engine.account(ANN)
    assert account is not None
    position = account.positions["A"]
    assert (position.net, position.cost, position.realized) == (-5 * ONE, 2 * ONE, 2 * ONE)


def test_hundredths_of_a_contract_are_exact(scene: Scene) -> None:
    """0.01 contract at 0.37 moves 0.0037 USD, and the balance whole cents by its rounding fee."""
    take(scene, ANN, "bid", "0.37", "0.01")
    fill = scene.engine.fills(ANN)[0]
    assert (fill.revenue, fill.fee) == (-3_700, 6_300)
    assert scene.cash(ANN) == Decimal("999.99")


def test_resting_orders_keep_collateral_aside(scene: Scene) -> None:
    """A bid its price, an ask 1 - price, each with a cent for rounding; a cancel lets it go."""
    bid = scene.submit(ANN, "bid", "0.30", "10")
    assert scene.free(ANN) == Decimal("996.99")
    scene.submit(ANN, "ask", "0.90", "10")
    assert scene.free(ANN) == Decimal("995.98")
    scene.engine.cancel(ANN, bid.order_id)
    assert scene.free(ANN) == Decimal("998.99")


def test_an_ask_that_closes_keeps_nothing_aside_but_only_once(scene: Scene) -> None:
    """Ten held YES cover ten offered ones; the next ten would open NO."""
    take(scene, ANN, "bid", "0.50", "10")
    before = scene.free(ANN)
    scene.submit(ANN, "ask", "0.70", "10")
    assert scene.free(ANN) == before
    scene.submit(ANN, "ask", "0.80", "10")
    assert scene.free(ANN) == before - Decimal("2.01")


def test_an_order_beyond_the_shards_cash_is_refused(scene: Scene) -> None:
    """Also where the money is there, but on another shard."""
    assert scene.refusal(ANN, "bid", "0.50", "2000") == (400, "insufficient_balance")
    assert scene.refusal(ANN, "bid", "0.50", "10", ticker="S") == (400, "insufficient_balance")
    scene.engine.transfer(ANN, ANN, parse("100"), 0, 3)
    assert (scene.cash(ANN, 0), scene.cash(ANN, 3)) == (900, 100)
    scene.submit(ANN, "bid", "0.50", "10", ticker="S")
    scene.check()


def test_money_kept_aside_cannot_be_moved_away(scene: Scene) -> None:
    """Nor can nothing be moved, or money to where it is."""
    scene.submit(ANN, "bid", "0.50", "1900")
    for amount, to in (("100", 3), ("0", 3), ("1", 0)):
        with pytest.raises(Rejected) as caught:
            scene.engine.transfer(ANN, ANN, parse(amount), 0, to)
        assert caught.value.status == 400
    with pytest.raises(ValueError, match="above 0"):
        scene.engine.deposit(ANN, 0)


def test_an_account_that_covers_too_little_after_a_fill_loses_its_latest_orders(scene: Scene) -> None:
    """Fees were raised while two bids rested: once one of them fills, the later one ends as MarginCancel."""
    older = scene.submit(ANN, "bid", "0.50", "1000")
    later = scene.submit(ANN, "bid", "0.49", "1000")
    scene.engine.set_event_fees("EV", "quadratic_with_maker_fees", Decimal(10))
    scene.submit(HOUSE, "ask", "0.50", "100")
    assert [order.order_id for order in scene.engine.resting(ANN)] == [older.order_id]
    ended = scene.engine.order(later.order_id)
    assert ended is not None
    assert (ended.status, ended.reason) == ("canceled", "MarginCancel")
    scene.check()


def test_fees_that_were_raised_can_leave_a_debt(scene: Scene) -> None:
    """The maker's cash falls below 0: it owes, and nothing of it rests; an order that brings cash is still taken."""
    scene.submit(ANN, "bid", "0.50", "1999")
    scene.engine.set_event_fees("EV", "quadratic_with_maker_fees", Decimal(10))
    scene.submit(HOUSE, "ask", "0.50", "1999")
    assert scene.cash(ANN) < 0
    assert scene.engine.resting(ANN) == []
    assert scene.refusal(ANN, "bid", "0.01", "1", ticker="B") == (400, "insufficient_balance")
    scene.engine.set_event_fees("EV", None, None)
    scene.submit(HOUSE, "bid", "0.50", "1999")
    assert scene.submit(ANN, "ask", "0.50", "1999", "ioc").fill_count == 1999 * ONE


def test_what_a_mutually_exclusive_event_surely_pays() -> None:
    """All NO but the largest; YES promises nothing."""
    assert returned([-3 * ONE, -5 * ONE, -ONE]) == 4 * ONE
    assert returned([-3 * ONE, 2 * ONE]) == 0
    assert returned([]) == 0


def test_collateral_is_returned_only_where_netting_is_on(scene: Scene) -> None:
    """10 NO in two of the event's markets: one of them surely pays, 10 USD."""
    take(scene, ANN, "ask", "0.40", "10", "A")
    take(scene, ANN, "ask", "0.40", "10", "B")
    assert scene.cash(ANN) == 988
    scene.engine.set_netting(ANN, True)
    assert scene.cash(ANN) == 998
    take(scene, ANN, "ask", "0.40", "10", "C")
    assert scene.cash(ANN) == 1002
    scene.engine.set_netting(ANN, False)
    assert scene.cash(ANN) == 982
    scene.check()


@pytest.mark.parametrize("winner", ["A", "B", "C", None])
def test_returned_collateral_comes_back_from_the_payouts(scene: Scene, winner: str | None) -> None:
    """Whoever wins, in the end the cash is what it would be without netting."""
    scene.engine.set_netting(ANN, True)
    for ticker in "ABC":
        take(scene, ANN, "ask", "0.30", "10", ticker)
    for ticker in "ABC":
        scene.engine.determine(ticker, ONE if ticker == winner else 0)
        scene.wait(60_000)
        scene.check()
    assert scene.cash(ANN) == 1000 - 21 + (20 if winner else 30)
    account = scene.engine.account(ANN)
    assert account is not None
    assert account.advanced == {}


@pytest.mark.parametrize("seed", range(8))
def test_netting_changes_when_cash_is_there_not_how_much(tmp_path, seed: int) -> None:
    """Random trades and values, decided in a random order: in the end the cash is the same, and nothing is owed."""
    ends = []
    for netting in (False, True):
        scene, rng = open_scene(tmp_path / f"{netting}"), random.Random(seed)
        scene.engine.set_netting(ANN, netting)
        for _ in range(30):
            take(scene, ANN, rng.choice(("bid", "ask", "ask")), f"0.{rng.randint(20, 40)}", "7", rng.choice("ABC"))
        cuts = sorted(rng.randint(0, 100) for _ in range(3))
        values = {"A": cuts[0], "B": cuts[1] - cuts[0], "C": cuts[2] - cuts[1]}
        for ticker in rng.sample("ABC", 3):
            scene.engine.determine(ticker, values[ticker] * 10_000)
            scene.wait(60_000)
            scene.check()
        account = scene.engine.account(ANN)
        assert account is not None
        assert account.advanced == {}
        ends.append(scene.cash(ANN))
    assert ends[0] == ends[1]


def test_closing_a_position_whose_collateral_was_returned_needs_cash(scene: Scene) -> None:
    """The documented trap: with the returned money spent, NO cannot be sold."""
    scene.engine.set_netting(ANN, True)
    for ticker in "AB":
        take(scene, ANN, "ask", "0.10", "1000", ticker)
    assert scene.cash(ANN) == 200
    take(scene, ANN, "bid", "0.95", "200", "C")
    assert scene.refusal(ANN, "bid", "0.50", "1000") == (400, "insufficient_balance")
    scene.submit(HOUSE, "ask", "0.10", "1000")
    assert scene.refusal(ANN, "bid", "0.10", "1000", "ioc") == (400, "insufficient_balance")
    with pytest.raises(Rejected):
        scene.engine.set_netting(ANN, False)


def test_members_trade_with_each_other_and_nothing_is_lost(scene: Scene) -> None:
    """Both open: the contract's dollar is theirs together."""
    scene.submit(ANN, "bid", "0.35", "20")
    scene.submit(BOB, "ask", "0.35", "20")
    assert (scene.cash(ANN), scene.cash(BOB)) == (993, 987)
    assert scene.engine.open_interest("A") == 20 * ONE
    scene.check()
