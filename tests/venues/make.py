"""Instruments, terms and wire records for tests that need no exchange."""

from decimal import Decimal

from arbsaga.domain.fees import NO_FEE, FeeSchedule
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome, Side
from arbsaga.domain.money import Price, Size
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, Purpose, TimeInForce

KEY = "0x" + "00" * 31 + "01"
OWNER = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
YES, NO = str((1 << 200) + (5 << 41)), str((1 << 200) + (7 << 41))
V2_YES, V2_NO = str((2 << 248) + (9 << 120)), str((2 << 248) + (9 << 120) + 1)
ORDER_ID = "0x" + "ab" * 32


def instrument(*, tick="0.01", version="v1", neg_risk=False, fee=None, token=None):
    rules = MarketRules(
        tick=Decimal(tick),
        version=version,
        neg_risk=neg_risk,
        fee=NO_FEE if fee is None else FeeSchedule(Decimal(fee)),
    )
    yes, no = (YES, NO) if version == "v1" else (V2_YES, V2_NO)
    return Instrument("polymarket", "0x" + "11" * 32, token or yes, no, Outcome.YES, "Will it?", rules)


def terms(
    side="BUY", price="0.52", size="10", *, kind="GTC", of=None, attempt=1, created=1_790_000_000_000, send_by=None
):
    return OrderTerms(
        trade_id="trade",
        leg=0,
        attempt=attempt,
        purpose=Purpose.ENTER,
        instrument=of or instrument(),
        side=Side(side),
        size=Size(Decimal(size)),
        limit=Price(Decimal(price)),
        time_in_force=TimeInForce(kind),
        created_ms=created,
        send_by_ms=created + 1_000 if send_by is None else send_by,
    )


def view(state=OrderState.UNKNOWN, **options):
    return OrderView(terms(**options), ORDER_ID, state)


def order_record(**changes):
    """An OpenOrder as REST sends it."""
    return {
        "id": ORDER_ID,
        "status": "LIVE",
        "owner": "api-key",
        "maker_address": OWNER,
        "market": "0x" + "11" * 32,
        "asset_id": YES,
        "side": "BUY",
        "original_size": "10",
        "size_matched": "0",
        "price": "0.52",
        "outcome": "Yes",
        "order_type": "GTC",
        "expiration": "0",
        "created_at": 1_790_000_000,
        "associate_trades": [],
    } | changes


def maker_record(**changes):
    return {
        "order_id": "0x" + "cd" * 32,
        "owner": "somebody",
        "maker_address": "0x" + "22" * 20,
        "matched_amount": "10",
        "price": "0.52",
        "fee_rate_bps": "",
        "asset_id": YES,
        "outcome": "Yes",
        "side": "SELL",
    } | changes


def trade_record(**changes):
    """A trade as REST sends it, ours as the taker."""
    return {
        "id": "t1",
        "taker_order_id": ORDER_ID,
        "market": "0x" + "11" * 32,
        "asset_id": YES,
        "side": "BUY",
        "size": "10",
        "fee_rate_bps": "1000",
        "price": "0.52",
        "status": "TRADE_STATUS_MATCHED",
        "match_time": "1790000001",
        "last_update": "1790000002",
        "outcome": "Yes",
        "bucket_index": 0,
        "owner": "api-key",
        "maker_address": OWNER,
        "transaction_hash": "",
        "trader_side": "TAKER",
        "maker_orders": [maker_record()],
    } | changes
