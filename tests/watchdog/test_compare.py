"""The verdict on a real exchange's journal: what is equal is equal, and each kind of difference is caught."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal as D
from pathlib import Path

import pytest
from desk_make import HOUSE, Desk, open_desk
from ledger_make import ACCOUNT

from arbsaga.domain.instruments import Side
from arbsaga.domain.orders import OrderState, Purpose
from arbsaga.errors import Rejected, Unavailable
from arbsaga.exchange.model import CASH, NewOrder
from arbsaga.exchange.truth import Truth
from arbsaga.exchange.units import to_decimal
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import Phase
from workers.verdict import Verdict, compare


@pytest.fixture
def desk(tmp_path: Path, ledger: Ledger) -> Iterator[Desk]:
    """An exchange with one event, and a funded account."""
    desk = open_desk(tmp_path, ledger)
    yield desk
    desk.engine.close()


def verdict(desk: Desk) -> Verdict:
    return compare(desk.truth(), desk.ledger, ACCOUNT)


def commit(desk: Desk, trade_id: str = "t1") -> None:
    """Both legs filled and confirmed, not yet recorded."""
    of = desk.plan(trade_id)
    for leg in range(2):
        desk.offer(of.basket.legs[leg].instrument)
        desk.send(desk.order(of, leg))
    desk.settle()


def said(verdict: Verdict, *words: str) -> bool:
    """Whether one difference has all these words."""
    return any(all(word in line for word in words) for line in verdict.differences)


def test_the_truth_is_what_the_engine_has(desk: Desk):
    """Cash, positions, fees and orders of the journal are those of the exchange itself."""
    commit(desk)
    truth, account = desk.truth(), desk.engine.account(ACCOUNT)
    assert account is not None
    assert truth.cash == to_decimal(account.balance(CASH))
    assert truth.positions == {token: to_decimal(shares) for token, shares in account.shares.items() if shares}
    assert truth.deposits == 1_000
    assert truth.fees == D("0.192")
    assert {order.filled for order in truth.orders.values()} == {D(10)}
    assert not any(order.open for order in truth.orders.values())


def test_a_committed_trade_compares_equal(desk: Desk):
    """And its profit is what it pays at least, less what it cost."""
    commit(desk)
    desk.record(desk.plan())
    found = verdict(desk)
    assert found.ledger_equals_exchange
    assert found.differences == ()
    assert found.fees_equal_billed
    assert (found.orders_sent, found.duplicate_orders) == (2, 0)
    assert (found.unhedged_shares, found.held_shares, found.residue_shares) == (0, 0, 0)
    assert found.profit_usd == D(10) - D(8) - D("0.192")


def test_a_paid_out_trade_compares_equal(desk: Desk):
    """After resolution the profit is what was paid."""
    commit(desk)
    desk.record(desk.plan())
    desk.pay_out(desk.yes[1])
    found = verdict(desk)
    assert found.ledger_equals_exchange
    assert found.profit_usd == D("1.808")
    assert desk.ledger.cash(ACCOUNT) == D("1001.808")


def test_nothing_traded_compares_equal(desk: Desk):
    """An account with a deposit only."""
    assert verdict(desk).ledger_equals_exchange


def test_another_account_is_not_ours(desk: Desk):
    """The journal holds every account of the exchange."""
    commit(desk)
    stranger = Truth.read(desk.path, "0xStranger")
    assert (stranger.orders, stranger.cash, stranger.fills) == ({}, 0, [])


def test_a_lost_fill_is_caught(desk: Desk):
    """The exchange filled what the ledger never heard of."""
    commit(desk)
    first, second = desk.views()
    desk.record(desk.plan(), views=[first, replace(second, fills=(), matched=D(0))])
    found = verdict(desk)
    assert not found.ledger_equals_exchange
    assert said(found, "0xt1/1/1", "the exchange filled 10", "the ledger has 0")
    assert said(found, "cash", "has 991.808 USD, the ledger 995.904")
    assert said(found, "position", desk.yes[1].token)


def test_an_invented_fill_is_caught(desk: Desk):
    """The ledger has shares that the exchange never gave."""
    of = desk.plan()
    desk.offer(desk.yes[0])
    desk.send(desk.order(of, 0))
    desk.settle()
    (view,) = desk.views()
    ghost = replace(view, terms=desk.order(of, 1), order_id="0xghost")
    desk.record(of, views=[view, ghost])
    assert said(verdict(desk), "10 shares of order 0xghost", "never accepted")


def test_an_order_posted_again_is_caught(desk: Desk):
    """The exchange refuses the same bytes, and counts that they were sent twice."""
    commit(desk)
    desk.record(desk.plan())
    with pytest.raises(Rejected, match="Duplicated"):
        desk.send(desk.terms[0], intend=False)
    found = verdict(desk)
    assert found.duplicate_orders == 1
    assert found.ledger_equals_exchange


def test_a_second_order_for_one_attempt_is_caught(desk: Desk):
    """Signed anew with another timestamp it has another id, but the attempt's salt: sent twice, and unknown to us."""
    commit(desk)
    desk.record(desk.plan())
    desk.offer(desk.yes[0])
    desk.send(desk.terms[0], intend=False, order_id="0xsecond")
    desk.settle()
    found = verdict(desk)
    assert found.duplicate_orders == 1
    assert said(found, "0xsecond", "never intended")


def test_a_wrong_fee_is_caught(desk: Desk):
    """By the order and in the sum."""
    commit(desk)
    first, second = desk.views()
    (fill,) = first.fills
    desk.record(desk.plan(), views=[replace(first, fills=(replace(fill, fee=D("0.05")),)), second])
    found = verdict(desk)
    assert not found.fees_equal_billed
    assert not found.ledger_equals_exchange
    assert said(found, "0xt1/0/1", "0.096 USD of fees were billed, 0.05 booked")


def test_fees_swapped_between_orders_are_caught(desk: Desk):
    """The sum is right, the orders are not."""
    commit(desk)
    first, second = (
        replace(view, fills=(replace(view.fills[0], fee=fee),))
        for view, fee in zip(desk.views(), (D("0.1"), D("0.092")), strict=True)
    )
    desk.record(desk.plan(), views=[first, second])
    assert not verdict(desk).fees_equal_billed


def test_a_missing_payout_is_caught(desk: Desk):
    """The exchange paid; the ledger still holds the shares."""
    commit(desk)
    desk.record(desk.plan())
    desk.engine.resolve(desk.yes[0].market, 0)
    found = verdict(desk)
    assert said(found, "cash", "has 1001.808 USD, the ledger 991.808")
    assert said(found, desk.yes[0].token, "paid out 10 of them for 10 USD")
    assert said(found, desk.yes[1].token, "paid out 10 of them for 0 USD")


def test_a_naked_leg_is_caught_although_our_own_record_says_committed(desk: Desk):
    """Only the exchange's fills count."""
    of = desk.plan()
    desk.offer(desk.yes[0])
    desk.send(desk.order(of, 0))
    desk.settle()
    desk.record(of)
    found = verdict(desk)
    assert found.unhedged_shares == 10
    assert found.exposures == ("trade t1 is COMMITTED and holds 10 of leg 0, 0 of leg 1: 10 shares are not hedged",)
    assert found.ledger_equals_exchange


def test_a_naked_leg_of_a_held_trade_counts_apart(desk: Desk):
    """A person was paged: it is not silent."""
    of = desk.plan()
    desk.offer(desk.yes[0])
    desk.send(desk.order(of, 0))
    desk.settle()
    desk.record(of, Phase.HELD)
    found = verdict(desk)
    assert (found.unhedged_shares, found.held_shares) == (0, 10)
    assert found.profit_usd == D("-4.096")


def test_a_trade_that_recorded_nothing_is_caught(desk: Desk):
    """Its worker died for good: the intents still say whose order it was."""
    of = desk.plan()
    desk.offer(desk.yes[0])
    desk.send(desk.order(of, 0))
    desk.settle()
    found = verdict(desk)
    assert found.unhedged_shares == 10
    assert "recorded nothing" in found.exposures[0]
    assert found.profit_usd == D("-4.096")


def test_a_little_too_much_of_one_leg_is_residue(desk: Desk):
    """Under the market's least size, so that nobody can sell it."""
    of = desk.plan()
    for leg, size in enumerate(("10", "8")):
        desk.offer(desk.yes[leg], size=size)
        desk.send(desk.order(of, leg))
    desk.settle()
    desk.engine.cancel(ACCOUNT, "0xt1/1/1")
    desk.record(of)
    found = verdict(desk)
    assert (found.unhedged_shares, found.residue_shares) == (0, 2)
    assert found.ledger_equals_exchange


def test_a_surplus_that_could_be_sold_is_no_residue(desk: Desk):
    """Five shares are an order."""
    of = desk.plan()
    for leg, size in enumerate(("10", "5")):
        desk.offer(desk.yes[leg], size=size)
        desk.send(desk.order(of, leg))
    desk.settle()
    desk.engine.cancel(ACCOUNT, "0xt1/1/1")
    desk.record(of)
    assert verdict(desk).unhedged_shares == 5


def test_a_leg_hedged_with_its_complement_is_hedged(desk: Desk):
    """YES and NO of one market pay $1 a pair."""
    of = desk.plan()
    desk.offer(desk.yes[0])
    desk.send(desk.order(of, 0))
    desk.offer(desk.yes[0].other(), "0.61")
    hedge = desk.order(of, 0, 2, instrument=desk.yes[0].other(), purpose=Purpose.HEDGE, limit=D("0.61"))
    desk.send(hedge)
    desk.settle()
    desk.record(of, Phase.FLAT)
    found = verdict(desk)
    assert (found.unhedged_shares, found.residue_shares) == (0, 0)
    assert found.ledger_equals_exchange
    assert found.profit_usd == D(10) - D("4") - D("6.1") - desk.truth().fees


def test_a_leg_sold_again_is_flat(desk: Desk):
    """Exits count off what was bought."""
    of = desk.plan()
    desk.offer(desk.yes[0])
    desk.send(desk.order(of, 0))
    desk.settle()
    desk.offer(desk.yes[0], "0.39", side="BUY")
    desk.send(desk.order(of, 0, 2, side=Side.SELL, purpose=Purpose.EXIT, limit=D("0.39")))
    desk.settle()
    desk.record(of, Phase.FLAT)
    found = verdict(desk)
    assert found.unhedged_shares == 0
    assert found.ledger_equals_exchange
    assert found.profit_usd == desk.ledger.cash(ACCOUNT) - 1_000 < 0


def test_a_fill_that_failed_reopens_the_leg(tmp_path: Path, ledger: Ledger):
    """The order shows ten shares filled for ever; the account has none (py-clob-client-v2 #34)."""
    desk = open_desk(tmp_path, ledger)
    of = desk.plan()
    for leg in range(2):
        desk.offer(of.basket.legs[leg].instrument)
        if leg == 1:
            desk.engine.faults.add("fail_settlement,count=1")
        desk.send(desk.order(of, leg))
    desk.settle()
    desk.record(of, Phase.FLAT)
    found = verdict(desk)
    assert found.ledger_equals_exchange
    assert found.unhedged_shares == 10
    desk.engine.close()


def test_filling_more_than_planned_over_all_attempts_is_caught(desk: Desk):
    """Both legs alike, so that nothing is unhedged: it is still more than was decided."""
    of = desk.plan()
    for leg in range(2):
        for attempt in (1, 2):
            desk.offer(desk.yes[leg])
            desk.send(desk.order(of, leg, attempt))
    desk.settle()
    desk.record(of)
    found = verdict(desk)
    assert found.unhedged_shares == 0
    assert said(found, "trade t1 filled 20 shares of leg 1, 10 were planned")


def test_an_order_that_rests_after_its_end_is_caught(desk: Desk):
    """The ledger has it done; it can still fill."""
    of = desk.plan()
    desk.send(desk.order(of, 0))
    (view,) = desk.views()
    desk.record(of, Phase.FLAT, [replace(view, state=OrderState.DONE)])
    found = verdict(desk)
    assert said(found, "0xt1/0/1", "still rests", "the ledger has it done")


def test_what_has_not_settled_is_named(desk: Desk):
    """Comparing too early must not look like a difference without a reason."""
    of = desk.plan()
    desk.offer(desk.yes[0])
    desk.send(desk.order(of, 0))
    desk.record(of, Phase.SETTLING)
    assert said(verdict(desk), "has not settled: it is MATCHED")


def test_a_no_basket_pays_what_it_guarantees_until_it_is_decided(desk: Desk):
    """One NO of each of two markets pays $1 a unit at least."""
    of = desk.plan(no=True)
    for leg in range(2):
        desk.offer(of.basket.legs[leg].instrument, "0.45")
        desk.send(desk.order(of, leg, limit=D("0.45")))
    desk.settle()
    desk.record(of)
    found = verdict(desk)
    assert found.ledger_equals_exchange
    assert found.profit_usd == D(10) - D(9) - desk.truth().fees


def test_shares_that_are_no_whole_cents_differ_by_named_rounding_only(desk: Desk):
    """What another's dollars leave of an offer is worth a fraction of a millionth; the exchange drops it, we do not."""
    market = desk.engine.markets[desk.yes[0].market]
    market.tick, of = 1_000, desk.plan()
    desk.offer(desk.yes[0], "0.333")
    dollars = NewOrder("0xdollars", HOUSE, "key", desk.yes[0].token, "BUY", 1_670_000, 5_015_000, "FAK")
    desk.engine.submit(dollars)
    desk.send(desk.order(of, 0, limit=D("0.333")))
    desk.settle()
    desk.engine.cancel(ACCOUNT, "0xt1/0/1")
    desk.record(of, Phase.HELD)
    found = verdict(desk)
    assert found.differences == ()
    assert found.rounding_usd == D("0.000001")


def test_a_refused_order_was_not_sent(desk: Desk):
    """The venue's words are kept; nothing rests, nothing filled."""
    with pytest.raises(Rejected, match="minimum"):
        desk.send(desk.order(desk.plan(), 0, size=D(1)))
    truth = desk.truth()
    assert truth.orders == {}
    assert "lower than the minimum" in truth.refused["0xt1/0/1"]


def test_books_that_do_not_balance_are_caught(desk: Desk, tmp_path: Path):
    """Somebody wrote into the ledger by hand."""
    with sqlite3.connect(tmp_path / "ledger.sqlite") as raw:
        raw.execute(f"INSERT INTO postings VALUES (99, 'x', '{ACCOUNT}', '', 'profit', 'USD', 5000000, 0)")
    raw.close()
    assert said(verdict(desk), "do not sum to zero: 5")


def test_a_damaged_journal_is_one_line(desk: Desk):
    """Nobody may be judged by half a record."""
    commit(desk)
    lines = desk.path.read_bytes().splitlines(keepends=True)
    desk.path.write_bytes(b"".join([*lines[:5], b"junk\n", *lines[6:]]))
    with pytest.raises(Unavailable, match="damaged at line 6"):
        desk.truth()
