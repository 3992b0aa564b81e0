"""Public market records of the CLOB: tick, neg-risk flag and fees of a token, compact records, cursor listings."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from aiohttp import web

from arbsaga.exchange.model import Market
from arbsaga.exchange.polymarket.books import market_of
from arbsaga.exchange.polymarket.ids import outcome_of
from arbsaga.exchange.polymarket.replies import Refusal, reply
from arbsaga.exchange.polymarket.shapes import Json, legacy_fee
from arbsaga.exchange.polymarket.venue import VENUE, Venue
from arbsaga.exchange.units import ONE, to_decimal

NO_MARKET = "market not found"
BAD_CURSOR = "Invalid cursor"
END_CURSOR = "LTE="

_Item = TypeVar("_Item")


async def tick_size(request: web.Request) -> web.Response:
    """GET /tick-size?token_id="""
    return reply({"minimum_tick_size": number(_queried(request).tick)})


async def neg_risk(request: web.Request) -> web.Response:
    """GET /neg-risk?token_id="""
    return reply({"neg_risk": _queried(request).neg_risk})


async def fee_rate(request: web.Request) -> web.Response:
    """GET /fee-rate?token_id=: a legacy field, not the rate that is billed (that is `fd` of /clob-markets)."""
    return reply({"base_fee": int(legacy_fee(_queried(request)))})


async def market_by_token(request: web.Request) -> web.Response:
    """GET /markets-by-token/{token_id}"""
    market = market_of(request.app[VENUE], request.match_info["token_id"])
    primary, secondary = market.token_ids
    return reply(
        {
            "condition_id": market.condition_id,
            "primary_token_id": primary,
            "secondary_token_id": secondary,
        }
    )


async def clob_market(request: web.Request) -> web.Response:
    """GET /clob-markets/{condition_id}: the compact record; a 31-byte V2 id is not found."""
    market = _known(request.app[VENUE], request.match_info["condition_id"])
    record: Json = {
        "c": market.condition_id,
        "v": market.version,
        "t": [{"t": token, "o": outcome_of(market, token)} for token in market.token_ids],
        "mts": number(market.tick),
        "mos": number(market.min_size),
        "mbf": int(legacy_fee(market)),
        "tbf": int(legacy_fee(market)),
        "itode": market.taker_delay_ms > 0,
        "ao": market.accepting_orders,
        "aot": iso(market.opened_ms),
        "cbos": False,
    }
    if market.neg_risk:
        record["nr"] = True
    if market.fee_rate:
        record["fd"] = {"r": float(market.fee_rate), "e": market.fee_exponent, "to": True}
    return reply(record)


async def listing(request: web.Request) -> web.Response:
    """GET /markets?next_cursor=: every market, oldest first; the last page's cursor is "LTE="."""
    venue = request.app[VENUE]
    return reply(page(request, list(venue.engine.markets.values()), lambda market: _record(venue, market)))


async def tradable(request: web.Request) -> web.Response:
    """GET /sampling-markets?next_cursor=: the markets that take orders."""
    venue = request.app[VENUE]
    markets = [market for market in venue.engine.markets.values() if market.accepting_orders]
    return reply(page(request, markets, lambda market: _record(venue, market)))


def record(venue: Venue, condition_id: str) -> Json:
    """The long record of one market. Raises Refusal(404)."""
    return _record(venue, _known(venue, condition_id))


def page(request: web.Request, items: Sequence[_Item], shape: Callable[[_Item], Json]) -> Json:
    """One page of a cursor listing. Raises Refusal(400) on a cursor it never gave."""
    size = request.app[VENUE].settings.page_size
    try:
        start = int(base64.b64decode(request.query.get("next_cursor") or "MA==", validate=True))
    except (ValueError, binascii.Error):
        raise Refusal(400, BAD_CURSOR) from None
    if start < 0:
        start = len(items)
    end = start + size
    cursor = base64.b64encode(str(end).encode()).decode() if end < len(items) else END_CURSOR
    data = [shape(item) for item in items[start:end]]
    return {"limit": size, "count": len(data), "next_cursor": cursor, "data": data}


def iso(ms: int) -> str:
    """Wall ms as the venue writes times: whole seconds, UTC, Z."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def number(amount: int) -> float:
    """Base units as the JSON number the venue sends in the few places where it sends one."""
    return float(to_decimal(amount))


def _record(venue: Venue, market: Market) -> Json:
    return {
        "enable_order_book": True,
        "active": market.active,
        "closed": market.closed,
        "archived": False,
        "accepting_orders": market.accepting_orders,
        "accepting_order_timestamp": iso(market.opened_ms),
        "minimum_order_size": number(market.min_size),
        "minimum_tick_size": number(market.tick),
        "condition_id": market.condition_id,
        "question_id": market.condition_id,
        "question": market.question,
        "description": market.description,
        "market_slug": market.slug,
        "end_date_iso": iso(market.resolves_ms) if market.resolves_ms is not None else None,
        "game_start_time": None,
        "seconds_delay": market.taker_delay_ms // 1000,
        "fpmm": "",
        "maker_base_fee": int(legacy_fee(market)),
        "taker_base_fee": int(legacy_fee(market)),
        "notifications_enabled": False,
        "neg_risk": market.neg_risk,
        "neg_risk_market_id": venue.engine.events[market.event_id].neg_risk_market_id,
        "neg_risk_request_id": "",
        "icon": "",
        "image": "",
        "rewards": {"rates": None, "min_size": 0, "max_spread": 0},
        "is_50_50_outcome": False,
        "tokens": [_token(venue, market, index) for index in (0, 1)],
        "tags": [],
    }


def _token(venue: Venue, market: Market, index: int) -> Json:
    return {
        "token_id": market.token_ids[index],
        "outcome": outcome_of(market, market.token_ids[index]),
        "price": outcome_price(venue, market, index),
        "winner": market.winner == index,
    }


def best_prices(venue: Venue, market: Market) -> tuple[int, int]:
    """Best bid and ask of YES, 0 and 1 with an empty side. Cheaper than a whole view, and asked of every market."""
    book = venue.engine.core.state.books[market.condition_id]
    bid, ask = book.best("BUY"), book.best("SELL")
    return 0 if bid is None else bid, ONE if ask is None else ask


def outcome_price(venue: Venue, market: Market, index: int) -> float:
    """What an outcome is worth on listings: 1, 0 or a half once decided, else the best bid (0 with no bid)."""
    if market.split:
        return 0.5
    if market.winner is not None:
        return float(market.winner == index)
    bid, ask = best_prices(venue, market)
    return number(ONE - ask if index else bid)


def _queried(request: web.Request) -> Market:
    return market_of(request.app[VENUE], request.query.get("token_id", ""))


def _known(venue: Venue, condition_id: str) -> Market:
    market = venue.engine.markets.get(condition_id.lower())
    if market is None:
        raise Refusal(404, NO_MARKET)
    return market


ROUTES = [
    web.get("/tick-size", tick_size),
    web.get("/neg-risk", neg_risk),
    web.get("/fee-rate", fee_rate),
    web.get("/markets-by-token/{token_id}", market_by_token),
    web.get("/clob-markets/{condition_id}", clob_market),
    web.get("/markets", listing),
    web.get("/simplified-markets", listing),
    web.get("/sampling-markets", tradable),
    web.get("/sampling-simplified-markets", tradable),
]
