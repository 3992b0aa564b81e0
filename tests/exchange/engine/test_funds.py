"""Balances, reserves and allowances: what an order may give, and the venue's texts where it may not."""

from decimal import Decimal

import pytest

from arbsaga.errors import Rejected
from arbsaga.exchange.ids import CTF_EXCHANGE
from arbsaga.exchange.model import UNLIMITED, Account
from arbsaga.exchange.settings import EngineSettings
from arbsaga.exchange.units import ONE, parse

from .place import ANN, BOB, HOUSE, Place, open_place


def account(place: Place, address: str) -> Account:
    found = place.engine.account(address)
    assert found is not None
    return found


def test_a_new_wallet_has_nothing(place: Place) -> None:
    """The first order of an unknown wallet opens it, and is refused for want of money."""
    with pytest.raises(Rejected) as refusal:
        place.submit("0xNew", "BUY", "0.5", "10")
    assert refusal.value.text == (
        "not enough balance / allowance: the balance is not enough -> balance: 0, order amount: 5000000"
    )


def test_open_orders_and_matched_orders_count_against_the_balance(place: Place) -> None:
    """balance - active - matched >= amount, with the sums in base units."""
    place.submit(ANN, "BUY", "0.5", "1000")
    place.submit(HOUSE, "SELL", "0.4", "1000", market=1)
    place.submit(ANN, "BUY", "0.4", "500", market=1)
    fee = parse("4.8")
    with pytest.raises(Rejected) as refusal:
        place.submit(ANN, "BUY", "0.3", "1000")
    assert refusal.value.text == (
        "not enough balance / allowance: the balance is not enough -> balance: 1000000000, "
        f"sum of active orders: 500000000, sum of matched orders: {200_000_000 + fee}, "
        "order amount (inc. fees): 300000000"
    )


def test_a_limit_buy_is_checked_at_its_limit(place: Place) -> None:
    """Also when it would fill for less: the venue checks the signed amount before it matches."""
    place.submit(HOUSE, "SELL", "0.1", "2000")
    with pytest.raises(Rejected, match="order amount: 1807200000"):
        place.submit(ANN, "BUY", "0.9", "2000")


def test_rounding_never_overdraws(tmp_path) -> None:
    """Two mints can cost one base unit more than the limit amount: then that much is needed."""
    place = open_place(tmp_path / "j", fee_rate=Decimal(0))
    place.submit(HOUSE, "BUY", "0.33", "15", token=1)
    place.submit(BOB, "BUY", "0.67", "14.9253", "FAK", usd="10")
    place.submit(HOUSE, "BUY", "0.33", "15", token=1)
    place.engine.deposit("0xCat", parse("6.7"))
    with pytest.raises(Rejected, match="balance: 6700000, order amount: 6700001"):
        place.submit("0xCat", "BUY", "0.67", "10")
    place.engine.deposit("0xCat", 1)
    assert place.submit("0xCat", "BUY", "0.67", "10").making_amount == 6_700_001
    place.settled()
    assert account(place, "0xCat").cash == 0


def test_the_fee_comes_on_top_of_a_buy(place: Place) -> None:
    """1000 USD do not buy for 1000 USD what also costs a fee; they do once it fits."""
    place.submit(HOUSE, "SELL", "0.5", "3000")
    with pytest.raises(Rejected, match=r"order amount: 1020000000"):
        place.submit(ANN, "BUY", "0.5", "2000")
    ack = place.submit(ANN, "BUY", "0.5", "1900")
    assert ack.making_amount == 950 * ONE
    place.settled()
    assert account(place, ANN).cash == 50 * ONE - 19 * ONE


def test_the_fee_is_deducted_from_what_a_sell_gets(place: Place) -> None:
    """Makers pay none."""
    place.buy_shares(ANN, "100")
    before = account(place, ANN).cash
    place.submit(BOB, "BUY", "0.5", "100")
    ack = place.submit(ANN, "SELL", "0.5", "100")
    assert ack.taking_amount == 50 * ONE
    place.settled()
    assert account(place, ANN).cash - before == 50 * ONE - ONE
    assert account(place, BOB).cash == 950 * ONE
    assert place.engine.pools()["fees"] == 2 * ONE


def test_fees_of_a_market_buy_follow_the_real_fills(place: Place) -> None:
    """With improvement more shares are bought, and the fee is that of the real price, for each maker's fill."""
    place.submit(HOUSE, "SELL", "0.2", "25")
    place.submit(HOUSE, "SELL", "0.5", "100")
    ack = place.submit(ANN, "BUY", "0.9", "11.1111", "FAK", usd="10")
    trades = [place.engine.trade(trade_id) for trade_id in ack.trade_ids]
    fees = [trade.taker.fee for trade in trades if trade]
    assert fees == [parse("0.16"), parse("0.1")]
    place.settled()
    assert account(place, ANN).cash == 990 * ONE - parse("0.26")


def test_shares_can_be_sold_only_once_they_are_settled(place: Place) -> None:
    """Until then the venue says "balance: 0" (facts: order-lifecycle)."""
    place.submit(HOUSE, "SELL", "0.5", "10")
    place.submit(ANN, "BUY", "0.5", "10")
    with pytest.raises(Rejected) as refusal:
        place.submit(ANN, "SELL", "0.5", "10")
    assert refusal.value.text == (
        "not enough balance / allowance: the balance is not enough -> balance: 0, order amount: 10000000"
    )
    place.settled()
    assert place.submit(ANN, "SELL", "0.5", "10").status == "live"


@pytest.mark.parametrize(("settled_at", "after_ms"), [("MINED", 1_000), ("CONFIRMED", 3_000)])
def test_when_shares_are_settled_is_a_setting(tmp_path, settled_at, after_ms) -> None:
    """With MINED or with CONFIRMED."""
    settings = EngineSettings(settled_at=settled_at, mined_ms=(1_000, 1_000), confirmed_ms=(2_000, 2_000))
    place = open_place(tmp_path / "j", settings=settings)
    place.submit(HOUSE, "SELL", "0.5", "10")
    place.submit(ANN, "BUY", "0.5", "10")
    place.wait(after_ms - 50)
    assert account(place, ANN).shares == {}
    place.wait(50)
    assert account(place, ANN).shares == {place.markets[0].token_ids[0]: 10 * ONE}


def test_open_sells_keep_their_shares_aside(place: Place) -> None:
    """What is offered cannot be offered again; a cancel frees it."""
    place.buy_shares(ANN, "10")
    order_id = place.submit(ANN, "SELL", "0.9", "6").order_id
    with pytest.raises(Rejected, match="balance: 10000000, sum of active orders: 6000000, sum of matched orders: 0"):
        place.submit(ANN, "SELL", "0.9", "5")
    place.engine.cancel(ANN, order_id)
    assert place.submit(ANN, "SELL", "0.9", "10").status == "live"


def test_sold_shares_are_gone_while_they_settle(place: Place) -> None:
    """They count as matched until the trade has settled."""
    place.buy_shares(ANN, "10")
    place.submit(HOUSE, "BUY", "0.5", "10")
    place.submit(ANN, "SELL", "0.5", "8")
    with pytest.raises(Rejected, match="sum of active orders: 0, sum of matched orders: 8000000"):
        place.submit(ANN, "SELL", "0.5", "5")
    assert account(place, ANN).matched == {place.markets[0].token_ids[0]: 8 * ONE}


def test_an_allowance_bounds_what_is_given(place: Place) -> None:
    """The text names the spender; a settled fill uses a limited allowance up."""
    place.engine.set_allowance(ANN, CTF_EXCHANGE, 20 * ONE)
    with pytest.raises(Rejected) as refusal:
        place.submit(ANN, "BUY", "0.5", "50")
    assert refusal.value.text == (
        f"not enough balance / allowance: the allowance is not enough -> spender: {CTF_EXCHANGE}, "
        "allowance: 20000000, sum of matched orders: 0, order amount (inc. fees): 25000000"
    )
    place.submit(HOUSE, "SELL", "0.5", "20")
    place.submit(ANN, "BUY", "0.5", "20")
    place.settled()
    assert account(place, ANN).allowances == {CTF_EXCHANGE: 10 * ONE - parse("0.2")}
    place.engine.set_allowance(ANN, CTF_EXCHANGE, UNLIMITED)
    assert place.submit(ANN, "BUY", "0.4", "50").status == "live"


def test_a_failed_trade_uses_no_allowance(tmp_path) -> None:
    """Nothing was given."""
    place = open_place(tmp_path / "j", faults=("fail_settlement",))
    place.engine.set_allowance(ANN, CTF_EXCHANGE, 20 * ONE)
    place.submit(HOUSE, "SELL", "0.5", "20")
    place.submit(ANN, "BUY", "0.5", "20")
    place.settled()
    assert account(place, ANN).allowances == {CTF_EXCHANGE: 20 * ONE}


def test_a_trade_with_oneself_costs_only_the_fee(place: Place) -> None:
    """Nothing forbids it; nothing is lost by it."""
    place.buy_shares(ANN, "100")
    before = account(place, ANN).cash
    place.submit(ANN, "SELL", "0.5", "100")
    place.submit(ANN, "BUY", "0.5", "100")
    place.settled()
    assert account(place, ANN).cash == before - ONE
    assert account(place, ANN).shares == {place.markets[0].token_ids[0]: 100 * ONE}


def test_deposits_must_be_money(place: Place) -> None:
    """Above 0."""
    with pytest.raises(ValueError, match="above 0"):
        place.engine.deposit(ANN, 0)


def test_an_account_is_opened_once(place: Place) -> None:
    """Opening again gives the same, journaled once."""
    assert place.engine.create_account(ANN) is account(place, ANN)
    assert [line["address"] for line in place.journal("account")] == [HOUSE, ANN, BOB]
