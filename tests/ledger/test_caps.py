"""What all trades of a pair may have out: counted over all processes of the account, in the write that sends."""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from ledger_make import ACCOUNT, START_MS, fill, instrument, order_id, plan, record, terms, view

from arbsaga.domain.baskets import BasketKind, cross
from arbsaga.domain.instruments import Instrument, Outcome
from arbsaga.domain.orders import OrderTerms, Purpose
from arbsaga.errors import Opposed
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import Phase, TradePlan

HERE = instrument(0)
THERE = Instrument("kalshi", "KXRAIN", "kalshi:KXRAIN:NO", "kalshi:KXRAIN:YES", Outcome.NO, "Rain", instrument(1).rules)
COST = D("4.096")
"""Ten shares at 0.40 and their fee."""


def entries(trade_id: str, **other: object) -> list[tuple[OrderTerms, str]]:
    made = [replace(terms(trade_id, leg=leg, **other), instrument=one) for leg, one in enumerate((HERE, THERE))]
    return [(one, order_id(one)) for one in made]


def intend(ledger: Ledger, orders: list[tuple[OrderTerms, str]], cap: D | None, key: str = "cross:rain:a") -> None:
    ledger.intend(orders, account=ACCOUNT, workflow_id=f"basket/{key}", lease_id="l", cap=cap)


def paired(trade_id: str, cap: D | None) -> TradePlan:
    basket = cross("rain", "Rain?", BasketKind.IDENTITY, HERE, THERE)
    return replace(plan(trade_id), basket=basket, reserved=2 * COST, cap=cap)


def test_what_another_process_has_in_flight_counts(url: str, ledger: Ledger) -> None:
    """Two traders each kept the cap, and had more out than it together."""
    other = Ledger.open(url)
    intend(ledger, entries("t1"), D(10))
    words = "pair rain: 1.81 of its 10 USD are left, 8.19 wanted"
    assert other.capped(paired("t2", D(10))) == words
    with pytest.raises(Opposed, match=words):
        intend(other, entries("t2"), D(10), "cross:rain:b")
    assert other.intents_by_trade("t2") == []
    other.close()


def test_another_pair_account_or_basket_is_its_own_business(ledger: Ledger) -> None:
    """And the trade itself is counted once."""
    intend(ledger, entries("t1"), D(10))
    assert ledger.capped(paired("t1", D(10))) == ""
    assert ledger.capped(replace(paired("t2", D(10)), account="another")) == ""
    intend(ledger, entries("t2"), D(10), "cross:snow:a")
    intend(ledger, entries("t3"), None)
    intend(ledger, entries("t4"), D(1), "yes:event")


def test_a_trade_that_ended_without_shares_is_out_of_it(ledger: Ledger) -> None:
    """Until then it counts, whether its orders are done or not."""
    intend(ledger, entries("t1"), D(10))
    views = [view(one) for one, _ in entries("t1")]
    ledger.record(record(views, Phase.SETTLING, of=plan("t1")))
    assert ledger.capped(paired("t2", D(10))) != ""
    ledger.record(record(views, Phase.FLAT, of=plan("t1"), time_ms=START_MS + 900))
    assert ledger.capped(paired("t2", D(10))) == ""


def test_what_is_held_counts_at_what_it_can_pay(ledger: Ledger) -> None:
    """Ten of each outcome were bought for 8.19 and pay $10."""
    ledger.open_account(ACCOUNT, "polymarket", D(100))
    ledger.open_account(ACCOUNT, "kalshi", D(100))
    views = [view(one, fill(f"f{at}")) for at, (one, _) in enumerate(entries("t1"))]
    ledger.record(record(views, of=plan("t1")))
    assert ledger.capped(paired("t2", D("18.19"))) == "pair rain: 8.19 of its 18.19 USD are left, 8.19 wanted"
    assert ledger.capped(paired("t2", D("18.192"))) == ""


def test_legs_that_follow_count_with_those_that_went_first(ledger: Ledger) -> None:
    first, second = entries("t1")
    intend(ledger, [first], D(8))
    with pytest.raises(Opposed, match=r"8.00 of its 8 USD are left, 8.19 wanted"):
        intend(ledger, [second], D(8))


def test_undoing_is_never_stopped(ledger: Ledger) -> None:
    """A leg is completed although the pair is full by then."""
    intend(ledger, entries("t1"), D(10))
    intend(ledger, entries("t2", attempt=2, purpose=Purpose.COMPLETE), D(1))
    assert len(ledger.intents_by_trade("t2")) == 2
