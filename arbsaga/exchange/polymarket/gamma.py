"""Gamma, the venue's discovery service: markets and events by keyset pages, by id and by slug.

Shapes: the official client's models (polymarket/models/gamma); traps: new markets are here before the CLOB knows them
on the live venue, V2 condition ids have 31 bytes, a market's tradable ids are chosen by its `version`.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from aiohttp import web

from arbsaga.exchange.ids import v2_event_id
from arbsaga.exchange.model import Event, Market
from arbsaga.exchange.polymarket.ids import condition_key, gamma_id, short_condition
from arbsaga.exchange.polymarket.markets import NO_MARKET, best_prices, iso, number, outcome_price, record
from arbsaga.exchange.polymarket.replies import Refusal, reply
from arbsaga.exchange.polymarket.shapes import Json
from arbsaga.exchange.polymarket.venue import VENUE, Venue

_DEFAULT_LIMIT = 20
_MAX_MARKETS = 100
_MAX_EVENTS = 500
NO_EVENT = "event not found"

_Item = TypeVar("_Item")


async def markets(request: web.Request) -> web.Response:
    """GET /markets/keyset: filters id, slug, condition_ids, clob_token_ids, position_ids, closed, version."""
    venue = request.app[VENUE]
    found = [market for market in venue.engine.markets.values() if _wants_market(venue, market, request)]
    return reply(_keyset(request, "markets", found, _MAX_MARKETS, lambda market: _market(venue, market)))


async def events(request: web.Request) -> web.Response:
    """GET /events/keyset: filters id, slug, closed, version; each event with all its markets."""
    venue = request.app[VENUE]
    found = [event for event in venue.engine.events.values() if _wants_event(venue, event, request)]
    return reply(_keyset(request, "events", found, _MAX_EVENTS, lambda event: _event(venue, event)))


async def market(request: web.Request) -> web.Response:
    """GET /markets/{id}: Gamma's record by its numeric id; the CLOB's long record by a 0x condition id."""
    venue, wanted = request.app[VENUE], request.match_info["id"]
    if wanted.startswith("0x"):
        return reply(record(venue, wanted))
    return reply(_first(venue, lambda market: gamma_id(market.condition_id) == wanted))


async def market_by_slug(request: web.Request) -> web.Response:
    """GET /markets/slug/{slug}"""
    wanted = request.match_info["slug"]
    return reply(_first(request.app[VENUE], lambda market: market.slug == wanted))


async def event(request: web.Request) -> web.Response:
    """GET /events/{id}"""
    venue = request.app[VENUE]
    found = venue.engine.events.get(request.match_info["id"])
    if found is None:
        raise Refusal(404, NO_EVENT)
    return reply(_event(venue, found))


async def event_by_slug(request: web.Request) -> web.Response:
    """GET /events/slug/{slug}"""
    venue, wanted = request.app[VENUE], request.match_info["slug"]
    for found in venue.engine.events.values():
        if found.slug == wanted:
            return reply(_event(venue, found))
    raise Refusal(404, NO_EVENT)


def _first(venue: Venue, matches: Callable[[Market], bool]) -> Json:
    found = next((market for market in venue.engine.markets.values() if matches(market)), None)
    if found is None:
        raise Refusal(404, NO_MARKET)
    return _market(venue, found)


def _keyset(request: web.Request, name: str, items: Sequence[_Item], most: int, shape: Callable[[_Item], Json]) -> Json:
    """One page. The last one has no next_cursor, since the official client takes an empty one for an error."""
    if "offset" in request.query:
        raise Refusal(422, "offset is not supported, use after_cursor")
    limit = request.query.get("limit", str(_DEFAULT_LIMIT))
    if not limit.isdecimal() or not 0 < int(limit) <= most:
        raise Refusal(422, f"limit must be between 1 and {most}")
    start = _start(request.query.get("after_cursor"))
    end = start + int(limit)
    body: Json = {name: [shape(item) for item in items[start:end]]}
    if end < len(items):
        body["next_cursor"] = base64.urlsafe_b64encode(f"after {end}".encode()).decode()
    return body


def _start(cursor: str | None) -> int:
    if not cursor:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(cursor).decode().partition(" ")
        if word == "after" and number.isdecimal():
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise Refusal(422, "invalid after_cursor")


def _flag(request: web.Request, key: str, actual: bool) -> bool:
    value = request.query.get(key)
    return value is None or (value.lower() == "true") == actual


def _among(request: web.Request, key: str, *actual: str) -> bool:
    """Whether one of the repeated values of a filter is met; an absent filter always is."""
    wanted = {value.lower() for value in request.query.getall(key, [])}
    return not wanted or any(value.lower() in wanted for value in actual)


def _wants_market(venue: Venue, market: Market, request: web.Request) -> bool:
    tokens = "clob_token_ids" if market.version == "v1" else "position_ids"
    other = "position_ids" if market.version == "v1" else "clob_token_ids"
    wanted = {condition_key(value) for value in request.query.getall("condition_ids", [])}
    return (
        _flag(request, "closed", market.closed)
        and _among(request, "version", market.version)
        and _among(request, "id", gamma_id(market.condition_id))
        and _among(request, "slug", market.slug)
        and _among(request, tokens, *market.token_ids)
        and other not in request.query
        and (not wanted or market.condition_id in wanted)
    )


def _wants_event(venue: Venue, event: Event, request: web.Request) -> bool:
    return (
        _flag(request, "closed", _is_closed(venue, event))
        and _among(request, "version", event.version)
        and _among(request, "id", event.event_id)
        and _among(request, "slug", event.slug)
    )


def _is_closed(venue: Venue, event: Event) -> bool:
    return all(venue.engine.markets[market_id].closed for market_id in event.market_ids)


def _market(venue: Venue, market: Market) -> Json:
    event = venue.engine.events[market.event_id]
    bid, ask = best_prices(venue, market)
    last = venue.engine.core.state.books[market.condition_id].last_price
    fees = market.fee_rate > 0
    shape: Json = {
        "id": gamma_id(market.condition_id),
        "version": market.version,
        "question": market.question,
        "conditionId": short_condition(market),
        "slug": market.slug,
        "description": market.description
        or f'Resolves to "Yes" if this is so, by official announcement, else to "No": {market.question}',
        "resolutionSource": "https://example.org/results",
        "outcomes": '["Yes", "No"]',
        "outcomePrices": json.dumps([str(outcome_price(venue, market, index)) for index in (0, 1)]),
        "active": market.active,
        "closed": market.closed,
        "archived": False,
        "acceptingOrders": market.accepting_orders,
        "enableOrderBook": True,
        "negRisk": market.neg_risk,
        "orderPriceMinTickSize": number(market.tick),
        "orderMinSize": number(market.min_size),
        "secondsDelay": market.taker_delay_ms // 1000,
        "feesEnabled": fees,
        "feeType": "taker" if fees else None,
        "startDate": iso(market.opened_ms),
        "endDate": iso(market.resolves_ms) if market.resolves_ms is not None else None,
        "clearBookOnStart": False,
        "bestBid": number(bid),
        "bestAsk": number(ask),
        "spread": number(ask - bid),
        "lastTradePrice": number(last or 0),
        "groupItemTitle": market.question,
        "events": [{"id": event.event_id, "slug": event.slug, "title": event.title}],
    }
    if fees:
        shape["feeSchedule"] = fee_schedule(market)
    return shape | (_v1_fields(market) if market.version == "v1" else _v2_fields(market))


def fee_schedule(market: Market) -> Json:
    """The fees that are billed. The rebate of makers is told and not paid here."""
    return {
        "rate": float(market.fee_rate),
        "exponent": market.fee_exponent,
        "takerOnly": True,
        "rebateRate": 0.25,
    }


def _v1_fields(market: Market) -> Json:
    return {
        "clobTokenIds": json.dumps(list(market.token_ids)),
        "umaResolutionStatus": "resolved" if market.decided else "",
    }


def _v2_fields(market: Market) -> Json:
    shape: Json = {
        "positionIds": list(market.token_ids),
        "resolutionStatus": "resolved" if market.decided else "active",
        "requestId": market.condition_id,
    }
    if market.neg_risk:
        shape["onchainEventId"] = shape["requestId"] = v2_event_id(market.condition_id)
    return shape


def _event(venue: Venue, event: Event) -> Json:
    nested = [venue.engine.markets[market_id] for market_id in event.market_ids]
    ends = [market.resolves_ms for market in nested if market.resolves_ms is not None]
    return {
        "id": event.event_id,
        "version": event.version,
        "ticker": event.slug,
        "slug": event.slug,
        "title": event.title,
        "active": True,
        "closed": _is_closed(venue, event),
        "archived": False,
        "startDate": iso(min(market.opened_ms for market in nested)),
        "endDate": iso(max(ends)) if ends else None,
        "enableOrderBook": True,
        "negRisk": event.neg_risk,
        "negRiskMarketID": event.neg_risk_market_id,
        "negRiskFeeBips": 0,
        "enableNegRisk": event.neg_risk,
        "negRiskAugmented": event.augmented,
        "markets": [_market(venue, market) for market in nested],
    }


ROUTES = [
    web.get("/markets/keyset", markets),
    web.get("/events/keyset", events),
    web.get("/markets/slug/{slug}", market_by_slug),
    web.get("/markets/{id}", market),
    web.get("/events/slug/{slug}", event_by_slug),
    web.get("/events/{id}", event),
]
