"""An order's identity, and what its evidence adds up to."""

from decimal import Decimal

import pytest

from arbsaga.domain.instruments import Side
from arbsaga.domain.orders import SALT_BITS, FillStatus, OrderState

from .make import fill, terms, view


def test_the_salt_is_a_function_of_trade_leg_and_attempt_that_fits_a_double():
    """A retry is the same order to the venue; another leg or attempt is another one."""
    assert terms().salt == terms().salt == terms(size="99", limit="0.9").salt
    others = {terms("t2").salt, terms(leg=1).salt, terms(attempt=2).salt, terms().salt}
    assert len(others) == 4
    assert all(0 <= salt < 2**SALT_BITS for salt in others)
    assert terms("t", 1, 2).key == "t/1/2"


@pytest.mark.parametrize("status", list(FillStatus))
def test_only_confirmed_and_failed_fills_are_final(status):
    """MATCHED, MINED and RETRYING are provisional."""
    assert status.final is (status in {FillStatus.CONFIRMED, FillStatus.FAILED})


@pytest.mark.parametrize("state", list(OrderState))
def test_an_order_that_is_done_or_absent_can_fill_no_more(state):
    """Everything else may still fill."""
    assert state.final is (state in {OrderState.DONE, OrderState.ABSENT})


def test_a_failed_fill_counts_as_nothing_bought_and_nothing_spent():
    """Sums leave FAILED fills out; confirmed shares are those that are final."""
    fills = (
        fill("a", "4", "0.40", "0.02", FillStatus.CONFIRMED),
        fill("b", "3", "0.30", "0.01", FillStatus.MATCHED),
        fill("c", "2", "0.20", "0.01", FillStatus.FAILED),
    )
    seen = view(OrderState.LIVE, *fills)
    assert (seen.filled, seen.confirmed, seen.failed) == (7, 4, 2)
    assert seen.spent == Decimal("4") * Decimal("0.40") + Decimal("0.02") + Decimal("0.9") + Decimal("0.01")


def test_a_sale_brings_money_in_less_the_fee():
    """`spent` is negative for a sell."""
    assert view(OrderState.DONE, fill(fee="0.02"), terms=terms(side=Side.SELL)).spent == Decimal("-1.58")


def test_the_exposure_is_an_interval_until_the_order_is_final():
    """While it may fill, at most its size less what failed; afterwards what is known."""
    failed = fill("x", "3", status=FillStatus.FAILED)
    assert view(OrderState.LIVE, fill(), failed).most == 7
    assert view(OrderState.DONE, fill(), failed).most == 4
    assert view(OrderState.ABSENT).most == 0


def test_the_venues_own_count_can_run_ahead_of_the_fills_seen():
    """Known is the larger of both; a failed fill that the count still shows is taken off."""
    assert view(OrderState.DONE, fill(), matched=Decimal(6)).known == 6
    failed = fill("x", "2", status=FillStatus.FAILED)
    assert view(OrderState.DONE, fill(), failed, matched=Decimal(6)).known == 4


def test_an_order_is_explained_when_every_matched_share_is_seen():
    """Not while it may fill, nor while the venue counts more than we saw."""
    assert not view(OrderState.LIVE, fill()).explained
    assert not view(OrderState.DONE, fill(), matched=Decimal(6)).explained
    assert view(OrderState.DONE, fill(), fill("x", "2", status=FillStatus.FAILED), matched=Decimal(6)).explained
