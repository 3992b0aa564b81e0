"""The way of a trade: MATCHED, MINED, CONFIRMED, or RETRYING and FAILED; what is told and journaled of it."""

from arbsaga.exchange.model import BalanceChanged, Trade, TradeUpdated
from arbsaga.exchange.units import ONE

from .place import ANN, BOB, HOUSE, Place, check_conservation, open_place

DEPOSITS = 2_000 * ONE


def one_trade(place: Place) -> Trade:
    """Ann buys 10 YES of the house at 0.50."""
    place.submit(HOUSE, "SELL", "0.5", "10")
    trade = place.engine.trade(place.submit(ANN, "BUY", "0.5", "10").trade_ids[0])
    assert trade is not None
    return trade


def statuses(place: Place) -> list[str]:
    return [update.trade.status for update in place.happened(TradeUpdated)]


def test_a_trade_is_mined_then_confirmed(place: Place) -> None:
    """Told and journaled at each step; money and shares move with MINED."""
    trade = one_trade(place)
    assert place.engine.pending_trades() == [trade]
    place.settled()
    assert statuses(place) == ["MATCHED", "MINED", "CONFIRMED"]
    lines = place.journal("settlement")
    assert [(line["status"], line["over"], line["tx"]) for line in lines] == [
        ("MINED", True, trade.transaction_hash),
        ("CONFIRMED", False, trade.transaction_hash),
    ]
    assert place.engine.pending_trades() == []
    assert [(moved.delta, moved.why) for moved in place.happened(BalanceChanged)] == [
        (-5 * ONE, "fill"),
        (10 * ONE, "fill"),
        (-100_000, "fee"),
    ]
    balances = [(line["address"], line["delta"], line["balance"]) for line in place.journal("balance")[2:]]
    assert balances == [(ANN, "-5", "995"), (ANN, "10", "10"), (ANN, "-0.1", "994.9")]


def test_delays_lie_in_their_ranges(place: Place) -> None:
    """MINED after 1.5 to 4 s, CONFIRMED 1 to 4 s later, and not always the same."""
    seen = set()
    for _ in range(20):
        trade = one_trade(place)
        (mined, _), (confirmed, _) = place.engine.core.state.steps[trade.trade_id]
        assert 1_500 <= mined - trade.matched_ms <= 4_000
        assert 1_000 <= confirmed - mined <= 4_000
        seen.add(mined)
    assert len(seen) > 10


def test_a_failed_trade_is_wholly_reverted(tmp_path) -> None:
    """Cash, shares and reserves are as before the match; the order goes on showing the fill."""
    place = open_place(tmp_path / "j", faults=("fail_settlement,count=1",))
    trade = one_trade(place)
    place.settled()
    assert statuses(place) == ["MATCHED", "FAILED"]
    ann = place.engine.account(ANN)
    assert ann is not None
    assert (ann.cash, ann.shares, ann.matched, ann.incoming) == (1_000 * ONE, {}, {}, {})
    order = place.engine.order(trade.taker.order_id)
    assert order is not None
    assert (order.matched, order.status) == (10 * ONE, "MATCHED")
    check_conservation(place.engine, DEPOSITS)
    assert place.journal("settlement")[0]["over"] is True
    assert [line["name"] for line in place.journal("fault")] == ["fail_settlement"]


def test_only_the_failed_trade_of_an_order_is_reverted(tmp_path) -> None:
    """An order that met two prices keeps the trade that settled."""
    place = open_place(tmp_path / "j", faults=("fail_settlement,count=1",))
    place.submit(HOUSE, "SELL", "0.4", "10")
    place.submit(HOUSE, "SELL", "0.5", "10")
    place.submit(ANN, "BUY", "0.5", "20")
    place.settled()
    ann = place.engine.account(ANN)
    assert ann is not None
    assert ann.shares == {place.markets[0].token_ids[0]: 10 * ONE}
    assert ann.cash == 995 * ONE - 100_000


def test_a_failed_trade_frees_the_makers_shares_too(tmp_path) -> None:
    """Both users are as before; the maker's order stays filled."""
    place = open_place(tmp_path / "j", faults=("fail_settlement,address=0xBob",))
    place.buy_shares(ANN, "10")
    sell = place.submit(ANN, "SELL", "0.5", "10").order_id
    place.submit(BOB, "BUY", "0.5", "10")
    place.settled()
    ann, bob, order = place.engine.account(ANN), place.engine.account(BOB), place.engine.order(sell)
    assert None not in (ann, bob, order)
    assert (ann.shares, ann.matched) == ({place.markets[0].token_ids[0]: 10 * ONE}, {})
    assert (bob.cash, bob.shares, order.status) == (1_000 * ONE, {}, "MATCHED")


def test_a_retried_trade_settles_late(tmp_path) -> None:
    """RETRYING before MINED."""
    place = open_place(tmp_path / "j", faults=("retry_settlement",))
    one_trade(place)
    place.settled()
    assert statuses(place) == ["MATCHED", "RETRYING", "MINED", "CONFIRMED"]
    check_conservation(place.engine, DEPOSITS)


def test_a_slow_trade_takes_that_much_longer(tmp_path) -> None:
    """slow_settlement adds its seconds before MINED."""
    place = open_place(tmp_path / "j", faults=("slow_settlement,seconds=30",))
    one_trade(place)
    place.wait(30_000)
    assert statuses(place) == ["MATCHED"]
    place.wait(10_000)
    assert statuses(place) == ["MATCHED", "MINED", "CONFIRMED"]


def test_makers_see_the_trade_in_their_own_terms(place: Place) -> None:
    """In a mint each side has its own token, price and USD; together they pay a dollar a pair."""
    place.submit(BOB, "BUY", "0.45", "10", token=1)
    ack = place.submit(ANN, "BUY", "0.6", "10")
    trade = place.engine.trade(ack.trade_ids[0])
    assert trade is not None
    maker = trade.makers[0]
    assert (trade.kind, trade.taker.price, trade.taker.usd) == ("mint", 550_000, 5_500_000)
    assert (maker.address, maker.price, maker.usd, maker.fee) == (BOB, 450_000, 4_500_000, 0)
    assert place.engine.trades(ANN) == place.engine.trades(BOB) == [trade]
    fills = {line["role"]: line for line in place.journal("fill")}
    assert (fills["maker"]["address"], fills["maker"]["price"], fills["maker"]["match"]) == (BOB, "0.45", "mint")
    assert (fills["taker"]["usd"], fills["taker"]["fee"], fills["taker"]["size"]) == ("5.5", "0.099", "10")
    place.settled()
    check_conservation(place.engine, DEPOSITS)


def test_trades_among_the_house_leave_no_trace(place: Place) -> None:
    """They settle at once, are not journaled and are forgotten."""
    before = len(place.journal())
    place.submit(HOUSE, "SELL", "0.5", "10")
    place.submit(HOUSE, "BUY", "0.5", "10")
    assert len(place.journal()) == before
    assert (place.engine.pending_trades(), place.happened(TradeUpdated)) == ([], [])
    check_conservation(place.engine, DEPOSITS)


def test_ids_are_never_given_again(place: Place, tmp_path) -> None:
    """Also not by the exchange that goes on after a restart with the same seed."""
    ids = {one_trade(place).trade_id for _ in range(5)}
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(place.path.read_bytes())
    place.engine = place.recovered(copy)
    ids |= {one_trade(place).trade_id for _ in range(5)}
    assert len(ids) == 10
