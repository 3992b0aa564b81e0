"""The independent judge on money: what was booked, and what was out at any moment."""

from decimal import Decimal

from hand_made import START, Scene, broken, planned

from arbsaga.saga.judge import entry_orders

# -- I4: the money


def test_cash_that_moved_otherwise(scene: Scene) -> None:
    scene.good_trade()
    scene.move("", Decimal(-1))
    broken(scene, "I4 cash moved by -9.02 USD at the exchange, by -8.02")


def test_a_position_that_is_not_ours(scene: Scene) -> None:
    scene.good_trade()
    scene.move("yes-c", Decimal(3))
    broken(scene, "I4 3 shares of yes-c")


def test_a_fee_that_was_booked_otherwise(scene: Scene) -> None:
    scene.good_trade()
    next(line for line in scene.lines if line["kind"] == "fill")["fee"] = "0.02"
    broken(scene, "I4 order t1/0/1: 0.02 USD of fees billed, 0.01 booked", "I4 0.03 USD of fees")


def test_a_fill_that_our_books_lost(scene: Scene) -> None:
    scene.good_trade()
    again = planned("t2", decided_ms=START + 60_000)
    orders = entry_orders(again)
    scene.intend(*orders)
    scene.record(again, orders, "FLAT")
    for terms in orders:
        scene.trade(terms)
    found = broken(scene, "I4", "I2 trade t2 is FLAT with 10 units")
    assert any("order t2/0/1: 10 shares at the exchange, 0 in our books" in one for one in found)


def test_books_that_do_not_sum_to_zero(scene: Scene) -> None:
    scene.good_trade()
    with scene.ledger._writing() as connection:
        connection.exec_driver_sql(
            "INSERT INTO postings (entry, account, trade_id, book, unit, amount, time_ms)"
            " VALUES ('odd', 'ann', '', 'x', 'USD', 5, 0)"
        )
    broken(scene, "I4 the books do not sum to zero: odd by 0.000005 USD")


# -- I5: limits at every moment


def test_money_out_beyond_the_limit_at_one_moment(scene: Scene) -> None:
    """Two trades at once, though both are paid out at the end."""
    scene.good_trade()
    scene.good_trade(planned("t2", decided_ms=START + 60_000))
    broken(scene, "I5 trades have 12.02 USD out as t2 moves, the limit is 12", limit=Decimal(12))


def test_capital_comes_back_with_the_payout(scene: Scene) -> None:
    scene.good_trade()
    for token, usd in (("yes-a", "10"), ("yes-b", "0")):
        scene.line("payout", address="0xWallet", token_id=token, shares="10", usd=usd, condition_id="c")
    scene.good_trade(planned("t2", decided_ms=START + 60_000))
    assert scene.judge(limit=Decimal(12)).most_out_usd == Decimal("8.02")


def test_an_order_that_rests_has_its_money_out(scene: Scene) -> None:
    plan = planned()
    a, b = entry_orders(plan)
    scene.intend(a, b)
    scene.accept(a)
    scene.accept(b)
    scene.cancel(a)
    scene.cancel(b)
    scene.record(plan, (a, b), "FLAT")
    broken(scene, "I5 trades have 8.0 USD out", limit=Decimal(7))


def test_entries_dearer_than_what_was_reserved(scene: Scene) -> None:
    scene.good_trade(planned(reserved="8"))
    broken(scene, "I5 trade t1 has 8.01 USD out", "I5 trade t1 has 8.02 USD out")


def test_fees_rounded_up_match_by_match_are_no_overrun(scene: Scene) -> None:
    """Two matches may cost two hundredths of a thousandth more than one would have."""
    scene.good_trade(planned(reserved="8.01998"))
    assert scene.judge().violations == ()
