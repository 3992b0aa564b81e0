"""Orders and trades are read the same from REST and from the user stream, whatever each leaves out."""

from decimal import Decimal

import pytest

from arbsaga.domain.orders import FillStatus, OrderState
from arbsaga.errors import BadMessage
from arbsaga.venues.polymarket.records import condition_id, decimal, epoch_ms, read_order, read_trade

from .make import ORDER_ID, maker_record, order_record, trade_record


@pytest.mark.parametrize(
    ("changes", "state", "reason"),
    [
        ({"status": "LIVE"}, OrderState.LIVE, ""),
        ({"status": "ORDER_STATUS_LIVE"}, OrderState.LIVE, ""),
        ({"status": "LIVE", "size_matched": "4"}, OrderState.LIVE, ""),
        ({"status": "LIVE", "size_matched": "10"}, OrderState.DONE, ""),
        ({"status": "MATCHED", "size_matched": "10"}, OrderState.DONE, ""),
        ({"status": "MATCHED", "size_matched": "9.995"}, OrderState.DONE, ""),
        ({"status": "MATCHED", "size_matched": "4"}, OrderState.LIVE, ""),
        ({"status": "MATCHED", "size_matched": "4", "order_type": "FAK"}, OrderState.DONE, ""),
        ({"status": "DELAYED"}, OrderState.PENDING, ""),
        ({"status": "UNMATCHED"}, OrderState.LIVE, ""),
        ({"status": "CANCELED"}, OrderState.DONE, "canceled"),
        ({"status": "CANCELED_MARKET_RESOLVED"}, OrderState.DONE, "canceled_market_resolved"),
        ({"status": "CANCELED_NOT_ENOUGH_BALANCE"}, OrderState.DONE, "canceled_not_enough_balance"),
        ({"status": "CANCELED_EXPIRED_ORDER"}, OrderState.DONE, "canceled_expired_order"),
        ({"status": "INVALID"}, OrderState.DONE, "invalid"),
        ({"status": "a new status"}, OrderState.LIVE, ""),
        ({"status": None, "type": "PLACEMENT"}, OrderState.LIVE, ""),
        ({"status": None, "type": "UPDATE", "size_matched": "4"}, OrderState.LIVE, ""),
        ({"status": "DELAYED", "type": "PLACEMENT"}, OrderState.PENDING, ""),
        ({"status": None, "type": "CANCELLATION"}, OrderState.DONE, "canceled"),
        ({"status": "LIVE", "type": "CANCELLATION"}, OrderState.DONE, "canceled"),
    ],
)
def test_status_of_an_order(changes, state, reason):
    """Statuses of REST (LIVE, MATCHED, CANCELED…), and kinds and statuses of the user stream."""
    seen = read_order(order_record(**changes))
    assert (seen.state, seen.reason) == (state, reason)


def test_sizes_of_an_order_are_shares():
    seen = read_order(order_record(size_matched="4.25"))
    assert (seen.size, seen.matched, seen.price) == (Decimal(10), Decimal("4.25"), Decimal("0.52"))
    assert seen.created_ms == 1_790_000_000_000


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("TRADE_STATUS_CONFIRMED", FillStatus.CONFIRMED),
        ("CONFIRMED", FillStatus.CONFIRMED),
        ("TRADE_STATUS_MATCHED_NOT_BROADCASTED", FillStatus.MATCHED),
        ("MINED", FillStatus.MINED),
        ("RETRYING", FillStatus.RETRYING),
        ("FAILED", FillStatus.FAILED),
        ("a new status", FillStatus.MATCHED),
    ],
)
def test_status_of_a_trade(status, expected):
    """REST prefixes it, the stream does not. What is not known is not final."""
    assert read_trade(trade_record(status=status)).status is expected


@pytest.mark.parametrize("moment", ["1790000001", 1790000001, "1790000001000", 1790000001000])
def test_times_in_seconds_or_ms(moment):
    """Documents say ms, examples show seconds, and both are sent as text or number."""
    assert read_trade(trade_record(match_time=moment)).time_ms == 1_790_000_001_000
    assert epoch_ms(moment) == 1_790_000_001_000


def test_stream_names_and_omits():
    """`matchtime` for match_time, no maker_orders, an empty fee, no transaction."""
    raw = trade_record(matchtime="1790000001", fee_rate_bps="", transaction_hash=None)
    for name in ("match_time", "maker_orders", "trader_side"):
        del raw[name]
    trade = read_trade(raw)
    assert (trade.time_ms, trade.makers, trade.detailed, trade.taken) == (1_790_000_001_000, (), False, False)


def test_every_order_of_a_trade_is_named():
    makers = [maker_record(order_id="0xA1"), maker_record(order_id="0xA2")]
    assert read_trade(trade_record(maker_orders=makers)).order_ids == (ORDER_ID, "0xa1", "0xa2")


@pytest.mark.parametrize(
    "changes",
    [
        {"size": "NaN"},
        {"size": None},
        {"price": "Infinity"},
        {"side": "HOLD"},
        {"taker_order_id": ""},
        {"taker_order_id": 7},
        {"status": None, "match_time": "soon"},
        {"maker_orders": [None]},
        {"maker_orders": [{"order_id": "0x1"}]},
    ],
)
def test_unreadable_trade_is_a_bad_message(changes):
    with pytest.raises(BadMessage, match="trade"):
        read_trade(trade_record(**changes))


@pytest.mark.parametrize("changes", [{"id": None}, {"size_matched": True}, {"price": "cheap"}, {"side": None}])
def test_unreadable_order_is_a_bad_message(changes):
    with pytest.raises(BadMessage, match="order"):
        read_order(order_record(**changes))


def test_missing_key_is_a_bad_message():
    raw = order_record()
    del raw["size_matched"]
    with pytest.raises(BadMessage, match="size_matched"):
        read_order(raw)


def test_condition_id_of_protocol_v2_has_two_widths():
    """Trap 1.6: Gamma writes 31 bytes, the CLOB 32."""
    whole = "0x" + "Ab" * 31 + "00"
    assert condition_id(whole[:-2]) == condition_id(whole) == whole.lower()


def test_numbers_are_exact():
    assert decimal(0.1) == Decimal("0.1")
    assert decimal("0.30") == Decimal("0.3")
