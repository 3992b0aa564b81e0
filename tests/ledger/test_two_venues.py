"""One account's books over two venues: whose cash, whose fees, and payouts that are neither all nor nothing."""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from ledger_make import ACCOUNT, START_MS, fill, instrument, order_id, plan, record, terms, view

from arbsaga.domain.instruments import Instrument, Outcome
from arbsaga.domain.orders import OrderTerms, Purpose
from arbsaga.errors import Opposed
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import Phase, TradeRecord

NO = "kalshi:KXRAIN:NO"
THERE = Instrument("kalshi", "KXRAIN", NO, "kalshi:KXRAIN:YES", Outcome.NO, "Rain", instrument(1).rules)


def pair() -> TradeRecord:
    """Ten YES here at 0.40, ten NO there at 0.40; each fill's fee is 0.096 USD."""
    here, there = view(terms(leg=0), fill("f0")), view(replace(terms(leg=1), instrument=THERE), fill("f1"))
    return record([here, there], of=plan())


@pytest.fixture
def funded(ledger: Ledger) -> Ledger:
    ledger.open_account(ACCOUNT, "polymarket", D(100))
    ledger.open_account(ACCOUNT, "kalshi", D("50.5"))
    return ledger


def test_each_venue_opens_with_its_own_money_once(funded: Ledger):
    funded.open_account(ACCOUNT, "kalshi", D(9))
    assert (funded.cash(ACCOUNT, "polymarket"), funded.cash(ACCOUNT, "kalshi")) == (D(100), D("50.5"))
    assert funded.cash(ACCOUNT) == D("150.5")
    assert funded.cash(ACCOUNT, "spot") == 0


def test_a_fill_is_paid_from_its_own_venue(funded: Ledger):
    funded.record(pair())
    assert funded.cash(ACCOUNT, "polymarket") == D(100) - D("4.096")
    assert funded.cash(ACCOUNT, "kalshi") == D("50.5") - D("4.096")
    assert funded.positions(ACCOUNT) == {"y0": D(10), NO: D(10)}
    assert funded.postings_balance() == 0


def test_fees_are_told_by_venue(funded: Ledger):
    funded.record(pair())
    assert (funded.fees(ACCOUNT, "polymarket"), funded.fees(ACCOUNT, "kalshi")) == (D("0.096"), D("0.096"))
    assert funded.fees(ACCOUNT) == D("0.192")
    assert funded.fees(ACCOUNT, "spot") == 0


def test_a_scalar_settlement_pays_its_value(funded: Ledger):
    """A Kalshi market that settles at 0.26 pays 0.74 for a NO: 7.4 came of 4, and the YES elsewhere may pay nothing."""
    funded.record(pair())
    funded.book_payout(ACCOUNT, "kalshi", NO, D(10), D("7.4"), "scalar")
    assert funded.cash(ACCOUNT, "kalshi") == D("50.5") - D("4.096") + D("7.4")
    assert funded.profit(ACCOUNT) == D("3.4")
    funded.book_payout(ACCOUNT, "polymarket", "y0", D(10), D(0), "lost")
    assert funded.profit(ACCOUNT) == D("-0.6"), "two venues resolved one question differently, and the books say so"
    assert (funded.positions(ACCOUNT), funded.postings_balance()) == ({}, 0)


NETTING = replace(THERE, rules=replace(THERE.rules, nets=True))


def entry(trade_id: str, of: Instrument, **other: object) -> tuple[OrderTerms, str]:
    made = replace(terms(trade_id, leg=1, **other), instrument=of)
    return made, order_id(made)


def intend(ledger: Ledger, *orders: tuple[OrderTerms, str], account: str = ACCOUNT) -> tuple[bool, ...]:
    return ledger.intend(orders, account=account, workflow_id="w", lease_id="l")


def test_what_is_held_stands_against_its_other_side(funded: Ledger):
    """And only there, for that account, where the venue nets."""
    funded.record(pair())
    words = "holds the other side of KXRAIN: buying this would close it"
    assert funded.opposed(ACCOUNT, "t2", [NETTING.other()]) == words
    assert funded.opposed(ACCOUNT, "t2", [NETTING, THERE.other()]) == ""
    assert funded.opposed("another", "t2", [NETTING.other()]) == ""
    with pytest.raises(Opposed, match="holds the other side of KXRAIN"):
        intend(funded, entry("t2", NETTING.other()))
    assert funded.intents_by_trade("t2") == []


def test_what_is_in_flight_stands_against_its_other_side(ledger: Ledger):
    """Until its trade has recorded an end: then the position does, where there is one."""
    intend(ledger, entry("t1", NETTING))
    words = "trade t1 is on the other side of KXRAIN: buying this would close it"
    assert ledger.opposed(ACCOUNT, "t2", [NETTING.other()]) == words
    assert ledger.opposed(ACCOUNT, "t1", [NETTING.other()]) == "", "its own orders are its own business"
    assert ledger.opposed(ACCOUNT, "t2", [NETTING]) == ""
    assert ledger.opposed("another", "t2", [NETTING.other()]) == ""
    ledger.record(record([view(entry("t1", NETTING)[0])], Phase.SETTLING, of=plan("t1")))
    assert ledger.opposed(ACCOUNT, "t2", [NETTING.other()]) == words, "done, but its trade is not"
    ledger.record(record([view(entry("t1", NETTING)[0])], Phase.FLAT, of=plan("t1"), time_ms=START_MS + 900))
    assert ledger.opposed(ACCOUNT, "t2", [NETTING.other()]) == ""


def test_of_two_entries_on_both_sides_one_is_written(url: str, ledger: Ledger):
    """Two processes that have both looked before cannot both go: the second write sees the first, and writes none."""
    other = Ledger.open(url)
    here = (terms("t2", leg=0), "0xhere")
    assert ledger.opposed(ACCOUNT, "t1", [NETTING]) == other.opposed(ACCOUNT, "t2", [NETTING.other()]) == ""
    assert intend(ledger, entry("t1", NETTING)) == (True,)
    with pytest.raises(Opposed, match="trade t1 is on the other side of KXRAIN"):
        intend(other, here, entry("t2", NETTING.other()))
    assert other.intents_by_trade("t2") == []
    other.close()


def test_what_was_sent_before_and_what_undoes_are_never_stopped(ledger: Ledger):
    """The fate of an order that exists must be asked for, and a leg must be completed, whatever another trade does."""
    intend(ledger, entry("t2", NETTING.other()))
    completing = entry("t1", NETTING, attempt=2, purpose=Purpose.COMPLETE)
    assert intend(ledger, completing) == (True,)
    assert intend(ledger, entry("t2", NETTING.other())) == (False,)
