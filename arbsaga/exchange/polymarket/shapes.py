"""JSON shapes that several services share. Decimals are text, as everywhere at the venue."""

import hashlib
from collections.abc import Iterable

import orjson

from arbsaga.exchange.engine import Engine
from arbsaga.exchange.model import BookView, Fill, Market, Order, Trade
from arbsaga.exchange.polymarket.ids import outcome_of
from arbsaga.exchange.units import format_units

Json = dict[str, object]


def levels(side: Iterable[tuple[int, int]]) -> list[dict[str, str]]:
    """(price, shares) levels in base units as the wire writes them."""
    return [{"price": format_units(price), "size": format_units(size)} for price, size in side]


def book(market: Market, view: BookView) -> Json:
    """An order book of REST and of the market channel: bids ascend, asks descend, so the best is last.

    `hash` is the recipe that py-clob-client-v2 ships: SHA-1 of these very keys in compact JSON, hash itself empty.
    """
    last = view.last_trade_price
    shape: Json = {
        "market": market.condition_id,
        "asset_id": view.token_id,
        "timestamp": str(view.timestamp),
        "hash": "",
        "bids": levels(view.bids),
        "asks": levels(view.asks),
        "min_order_size": format_units(market.min_size),
        "tick_size": format_units(market.tick),
        "neg_risk": market.neg_risk,
        "last_trade_price": "" if last is None else format_units(last),
    }
    shape["hash"] = hashlib.sha1(orjson.dumps(shape), usedforsecurity=False).hexdigest()
    if market.version == "v2":
        shape["version"] = "v2"
    return shape


def order(engine: Engine, found: Order) -> Json:
    """The fields that the REST record and the user event of an order have in common."""
    market = engine.markets[found.condition_id]
    return {
        "id": found.order_id,
        "status": found.status,
        "owner": found.owner,
        "maker_address": found.maker,
        "market": found.condition_id,
        "asset_id": found.token_id,
        "side": found.side,
        "original_size": format_units(found.size),
        "size_matched": format_units(found.matched),
        "price": format_units(found.price),
        "outcome": outcome_of(market, found.token_id),
        "order_type": found.order_type,
        "expiration": str(found.expiration),
        "created_at": found.created_ms // 1000,
        "associate_trades": list(found.trade_ids),
    }


def trade(engine: Engine, found: Trade, viewer: frozenset[str], owner: str) -> Json:
    """A trade as one of its owners sees it; `viewer` are that owner's wallets and `owner` the API key.

    The upper fields are the taker's, whoever looks; a maker finds its part among `maker_orders`.
    """
    market = engine.markets[found.condition_id]
    taker = found.taker
    return {
        "id": found.trade_id,
        "taker_order_id": taker.order_id,
        "market": found.condition_id,
        "asset_id": taker.token_id,
        "side": taker.side,
        "size": format_units(taker.shares),
        "fee_rate_bps": legacy_fee(market),
        "price": format_units(taker.price),
        "status": found.status,
        "match_time": str(found.matched_ms // 1000),
        "last_update": str(found.updated_ms // 1000),
        "outcome": outcome_of(market, taker.token_id),
        "bucket_index": found.bucket_index,
        "owner": owner,
        "maker_address": taker.address,
        "transaction_hash": found.transaction_hash,
        "trader_side": "TAKER" if taker.address in viewer else "MAKER",
        "maker_orders": [_maker_order(market, fill) for fill in found.makers],
    }


def _maker_order(market: Market, fill: Fill) -> Json:
    return {
        "order_id": fill.order_id,
        "owner": fill.owner,
        "maker_address": fill.address,
        "matched_amount": format_units(fill.shares),
        "price": format_units(fill.price),
        "fee_rate_bps": "",
        "asset_id": fill.token_id,
        "outcome": outcome_of(market, fill.token_id),
        "outcome_index": market.token_ids.index(fill.token_id),
        "side": fill.side,
    }


def legacy_fee(market: Market) -> str:
    """The legacy `base_fee` / `fee_rate_bps`: 1000 where a market has fees. Nobody may compute with it."""
    return "1000" if market.fee_rate else "0"
