"""Double entry: every fact becomes lines that sum to zero in every unit, and can be undone by lines."""

from collections import defaultdict
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_make import fill, terms

from arbsaga.domain.instruments import Side
from arbsaga.domain.orders import FillStatus
from arbsaga.ledger.postings import Lines, difference, of_close, of_fill, of_opening, of_payout

BUY, SELL = terms(), terms(side=Side.SELL)
sizes = st.decimals("0.01", "1000", places=2)
prices = st.decimals("0.001", "0.999", places=3)


def sums(lines: Lines) -> dict[str, D]:
    totals: dict[str, D] = defaultdict(D)
    for (_, unit), amount in lines.items():
        totals[unit] += amount
    return dict(totals)


def test_a_buy_pays_cost_and_fee_from_cash_and_gets_shares():
    """Cash falls by cost and fee; the position holds the cost and the shares."""
    assert of_fill(BUY, fill("f")) == {
        ("cash:polymarket", "USD"): D("-4.096"),
        ("position:y0", "USD"): D("4"),
        ("fees", "USD"): D("0.096"),
        ("position:y0", "y0"): D("10"),
        ("market:polymarket", "y0"): D("-10"),
    }


def test_a_sell_gets_its_proceeds_less_the_fee():
    """The fee of a sell is deducted from the proceeds (docs.polymarket.com, fees)."""
    lines = of_fill(SELL, fill("f"))
    assert lines["cash:polymarket", "USD"] == D("3.904")
    assert lines["position:y0", "y0"] == D("-10")


def test_a_failed_fill_never_happened():
    """A match that the venue took back moves nothing, its fee included."""
    assert of_fill(BUY, fill("f", status=FillStatus.FAILED)) == {}


def test_cost_between_two_millionths_is_rounded_against_us():
    """1.2345 shares at 0.123 are 0.1518435 USD: paid up, received down."""
    odd = fill("f", "1.2345", "0.123", fee="0")
    assert of_fill(BUY, odd)["position:y0", "USD"] == D("0.151844")
    assert of_fill(SELL, odd)["position:y0", "USD"] == D("-0.151843")


@given(size=sizes, price=prices, side=st.sampled_from(Side), paid=st.booleans())
def test_every_entry_sums_to_zero_in_every_unit(size: D, price: D, side: Side, paid: bool):
    """Whatever the fill, payout, opening or close."""
    order = terms(side=side)
    for lines in (
        of_fill(order, fill("f", str(size), str(price), fee="0.00001")),
        of_payout("polymarket", "y0", size, size if paid else D(0)),
        of_opening("polymarket", size),
        of_close("y0", price),
    ):
        assert not any(sums(lines).values())


def test_the_difference_from_what_is_booked_is_what_is_missing():
    """A fee that turns out higher adds only the fee's lines; a failure adds the opposite of everything."""
    booked = of_fill(BUY, fill("f", fee="0.09"))
    assert difference(of_fill(BUY, fill("f")), booked) == {
        ("cash:polymarket", "USD"): D("-0.006"),
        ("fees", "USD"): D("0.006"),
    }
    reversal = difference({}, booked)
    assert reversal == {key: -amount for key, amount in booked.items()}
    assert difference(booked, booked) == {}


def test_lines_that_do_not_balance_are_refused():
    """A caller that invents money is stopped before the books are touched."""
    with pytest.raises(AssertionError, match="sum to zero"):
        difference({("cash:polymarket", "USD"): D(1)}, {})
