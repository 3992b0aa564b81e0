"""Records add up to the fills of an order: at the price paid, with the fee due, once."""

from decimal import Decimal
from itertools import permutations

import pytest

from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.orders import FillStatus, OrderState
from arbsaga.venues.polymarket.evidence import add, taken
from arbsaga.venues.polymarket.records import read_order, read_trade

from .make import NO, ORDER_ID, YES, instrument, maker_record, order_record, trade_record, view


def trade(**changes):
    return read_trade(trade_record(**changes))


def order(**changes):
    return read_order(order_record(**changes))


class TestTaker:
    def test_one_price_is_one_fill_named_by_the_trade(self):
        (fill,) = add(view(), trade(), "trades").fills
        assert (fill.fill_id, fill.size, fill.price, fill.status) == ("t1", 10, Decimal("0.52"), FillStatus.MATCHED)

    def test_price_is_the_makers(self):
        """Fills execute at the maker's price: the improvement is ours, whatever the record's own price is."""
        (fill,) = add(view(), trade(maker_orders=[maker_record(price="0.50")]), "trades").fills
        assert fill.price == Decimal("0.50")

    def test_mint_is_priced_from_the_complement(self):
        """The other side bought NO at 0.47, so our YES cost 0.53."""
        mint = maker_record(asset_id=NO, side="BUY", price="0.47")
        (fill,) = add(view(), trade(maker_orders=[mint]), "trades").fills
        assert fill.price == Decimal("0.53")

    def test_each_price_is_a_fill(self):
        makers = [
            maker_record(matched_amount="4", price="0.50"),
            maker_record(matched_amount="3", price="0.51"),
            maker_record(matched_amount="3", price="0.50"),
        ]
        fills = add(view(), trade(maker_orders=makers), "trades").fills
        assert {(fill.fill_id, fill.size, fill.price) for fill in fills} == {
            ("t1@0.50", 7, Decimal("0.50")),
            ("t1@0.51", 3, Decimal("0.51")),
        }

    def test_makers_that_do_not_add_up_are_not_believed(self):
        (fill,) = add(view(), trade(maker_orders=[maker_record(matched_amount="4")]), "trades").fills
        assert (fill.size, fill.price) == (10, Decimal("0.52"))

    def test_stream_event_without_makers_proves_the_order_but_prices_nothing(self):
        """Trap 4.2: maker_orders can be absent; the price follows by request."""
        raw = trade_record()
        del raw["maker_orders"]
        after = add(view(), read_trade(raw), "stream")
        assert (after.state, after.fills) == (OrderState.LIVE, ())
        assert [fill.fill_id for fill in add(after, trade(), "trades").fills] == ["t1"]

    def test_later_event_without_makers_moves_the_status(self):
        makers = [maker_record(matched_amount="4", price="0.50"), maker_record(matched_amount="6", price="0.51")]
        before = add(view(), trade(maker_orders=makers), "trades")
        raw = trade_record(status="CONFIRMED")
        del raw["maker_orders"]
        after = add(before, read_trade(raw), "stream")
        assert {fill.status for fill in after.fills} == {FillStatus.CONFIRMED}
        assert after.filled == before.filled == 10


class TestFees:
    """Trap 5: by the market's own schedule, per fill; the record's fee_rate_bps (1000) is legacy."""

    def test_taker_pays_by_the_schedule(self):
        (fill,) = add(view(of=instrument(fee="0.05")), trade(), "trades").fills
        assert fill.fee == Decimal("0.12480")

    def test_rounded_up_for_each_resting_order(self):
        """As it is billed: per match, not per trade."""
        makers = [maker_record(matched_amount="7.77", price="0.31"), maker_record(matched_amount="2.23", price="0.31")]
        (fill,) = add(view(of=instrument(fee="0.05")), trade(maker_orders=makers), "trades").fills
        assert (fill.size, fill.fee) == (10, Decimal("0.08311") + Decimal("0.02385"))
        assert fill.fee > Decimal("0.106950")

    def test_market_without_fees_costs_nothing(self):
        assert add(view(), trade(fee_rate_bps="1000"), "trades").fills[0].fee == 0

    def test_maker_pays_nothing(self):
        mine = maker_record(order_id=ORDER_ID, side="BUY")
        resting = trade(taker_order_id="0xother", side="SELL", trader_side="MAKER", maker_orders=[mine])
        (fill,) = add(view(of=instrument(fee="0.05")), resting, "trades").fills
        assert (fill.fee, fill.fill_id) == (0, f"t1/{ORDER_ID}")

    def test_fee_is_never_more_than_the_fill(self):
        dust = trade(size="0.000001", price="0.01", maker_orders=[])
        assert taken(dust, FeeSchedule(Decimal("0.07")))[0].fee == Decimal("0.00000001")


class TestMaker:
    def test_our_part_is_inside_maker_orders(self):
        """Trap 4.2: as maker the upper fields are the taker's; two of ours in one trade are two fills."""
        mine = maker_record(order_id=ORDER_ID, matched_amount="4", price="0.51", side="BUY")
        other = maker_record(order_id="0xother", matched_amount="6", side="BUY")
        resting = trade(taker_order_id="0xtaker", side="SELL", size="10", maker_orders=[other, mine])
        (fill,) = add(view(), resting, "stream").fills
        assert (fill.size, fill.price) == (4, Decimal("0.51"))

    def test_mint_keeps_our_own_price(self):
        mine = maker_record(order_id=ORDER_ID, asset_id=YES, price="0.51", side="BUY")
        resting = trade(taker_order_id="0xtaker", asset_id=NO, price="0.49", maker_orders=[mine])
        assert add(view(), resting, "stream").fills[0].price == Decimal("0.51")


class TestState:
    def test_filled_size_ends_the_order(self):
        assert add(view(), trade(), "trades").state is OrderState.DONE

    def test_part_of_it_only_proves_it(self):
        part = trade(size="4", maker_orders=[maker_record(matched_amount="4")])
        assert add(view(), part, "trades").state is OrderState.LIVE

    def test_failed_fill_still_used_up_the_order(self):
        """Trap 7.3: after FAILED the order's size_matched still shows the fill; nothing of it will come again."""
        failed = add(add(view(), trade(), "trades"), trade(status="FAILED"), "stream")
        assert (failed.state, failed.filled, failed.failed) == (OrderState.DONE, 0, 10)
        again = add(failed, order(status="MATCHED", size_matched="10"), "by id")
        assert (again.filled, again.known, again.explained) == (0, 0, True)

    def test_order_record_runs_ahead_of_the_fills(self):
        after = add(view(), order(status="MATCHED", size_matched="10"), "by id")
        assert (after.state, after.known, after.filled, after.explained) == (OrderState.DONE, 10, 0, False)

    def test_other_orders_records_change_nothing(self):
        before = view()
        assert add(before, order(id="0xother"), "stream") is before
        assert add(before, trade(taker_order_id="0xother"), "stream") is before


@pytest.mark.parametrize("ending", ["CONFIRMED", "FAILED"])
def test_events_in_any_order_and_twice_say_the_same(ending):
    """Traps 4.2 and 7.3: no order between frames and answers, and events come twice (or RETRYING in between)."""
    statuses = ["MATCHED", "MINED", "RETRYING", ending]
    results = set()
    for sequence in permutations(statuses):
        seen = view()
        for status in (*sequence, *sequence):
            seen = add(seen, trade(status=status), "stream")
        results.add((seen.state, seen.filled, seen.confirmed, seen.failed, seen.fills[0].status))
    assert len(results) == 1
    assert len(seen.fills) == 1
    assert seen.fills[0].status.value == ending
