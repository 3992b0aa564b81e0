"""One account's books over two venues: whose cash, whose fees, and payouts that are neither all nor nothing."""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from ledger_make import ACCOUNT, fill, instrument, plan, record, terms, view

from arbsaga.domain.instruments import Instrument, Outcome
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import TradeRecord

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


def test_what_is_held_of_some_tokens(funded: Ledger):
    funded.record(pair())
    assert funded.held(ACCOUNT, [NO, THERE.complement, "y9"]) == {NO: D(10)}
    assert funded.held("another", [NO]) == {}
