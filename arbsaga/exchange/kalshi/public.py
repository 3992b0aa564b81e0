"""Public reads: the exchange's state and hours, series, events, markets, books, trades.

Unsigned ones come from a cache that is up to 15 s old, as the venue's do: nobody should price from them.
"""

from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from typing import Final

from aiohttp import web

from arbsaga.exchange.kalshi import shapes
from arbsaga.exchange.kalshi.model import Event, Market, MarketStatus, Series
from arbsaga.exchange.kalshi.portfolio import page
from arbsaga.exchange.kalshi.replies import invalid_parameter, not_found, reply
from arbsaga.exchange.kalshi.shapes import Json
from arbsaga.exchange.kalshi.venue import PREFIX, VENUE, Venue, exchange_status, is_signed, query_int, reader
from arbsaga.exchange.units import ONE

_Answer = Callable[[web.Request], Json]
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_CACHE = web.AppKey("cache", dict[str, tuple[float, Json]])
_FILTERS: Final[dict[str, frozenset[MarketStatus]]] = {
    "unopened": frozenset({"initialized"}),
    "open": frozenset({"active", "inactive"}),
    "closed": frozenset({"closed", "determined", "disputed", "amended"}),
    "settled": frozenset({"finalized"}),
}
"""The word of a filter is not the status of the answer: `open` finds `active`."""
_DAY_MS: Final = 86_400_000
_NEVER_MS: Final = 253_402_300_799_000
_DAY_BEFORE: Final = {f"previous_{name}_dollars": shapes.dollars(0) for name in ("yes_bid", "yes_ask", "price")}
"""Prices of a day ago, which nobody remembers here; the venue always sends them."""
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def new_cache() -> dict[str, tuple[float, Json]]:
    """What unsigned reads were last told, by path and query: (when, body)."""
    return {}


def status(request: web.Request) -> Json:
    """GET /exchange/status"""
    return exchange_status(request.app[VENUE])


def schedule(request: web.Request) -> Json:
    """GET /exchange/schedule: New York time; Thursdays have the maintenance pause, where it is kept."""
    whole = [{"open_time": "00:00", "close_time": "00:00"}]
    split = [{"open_time": "00:00", "close_time": "03:00"}, {"open_time": "05:00", "close_time": "00:00"}]
    pauses = ("thursday",) if request.app[VENUE].engine.settings.thursday_pause else ()
    hours: Json = {day: split if day in pauses else whole for day in _DAYS}
    period = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2027-12-31T00:00:00Z"}
    return {"schedule": {"standard_hours": [period | hours], "maintenance_windows": []}}


def series_list(request: web.Request) -> Json:
    """GET /series?category="""
    category = request.query.get("category")
    found = request.app[VENUE].engine.series.values()
    return {"series": [_series(each) for each in found if category in (None, "", each.texts.get("category"))]}


def series(request: web.Request) -> Json:
    """GET /series/{ticker}"""
    found = request.app[VENUE].engine.series.get(request.match_info["ticker"])
    if found is None:
        raise not_found("series")
    return {"series": _series(found)}


def series_fee_changes(_: web.Request) -> Json:
    """GET /series/fee_changes: none are scheduled here; changes are made at once and told by the event."""
    return {"series_fee_change_arr": []}


def events(request: web.Request) -> Json:
    """GET /events?status&series_ticker&tickers&with_nested_markets&limit&cursor"""
    venue, wanted = request.app[VENUE], _filter(request)
    tickers, series_ticker = _tickers(request), request.query.get("series_ticker")
    nested = request.query.get("with_nested_markets") == "true"
    found = [
        event
        for event in venue.engine.events.values()
        if (tickers is None or event.event_ticker in tickers)
        and series_ticker in (None, "", event.series_ticker)
        and (wanted is None or any(market.status in wanted for market in _markets_of(venue, event)))
    ]
    return page(request, "events", found, lambda event: _event(venue, event, nested=nested), usual=200, most=200)


def event(request: web.Request) -> Json:
    """GET /events/{ticker}"""
    venue = request.app[VENUE]
    found = venue.engine.events.get(request.match_info["ticker"])
    if found is None:
        raise not_found("event")
    nested = request.query.get("with_nested_markets") == "true"
    markets = [_market(venue, market) for market in _markets_of(venue, found)]
    return {"event": _event(venue, found, nested=nested), "markets": [] if nested else markets}


def markets(request: web.Request) -> Json:
    """GET /markets?status&event_ticker&series_ticker&tickers&limit&cursor"""
    venue, wanted, tickers = request.app[VENUE], _filter(request), _tickers(request)
    event_ticker, series_ticker = request.query.get("event_ticker"), request.query.get("series_ticker")
    found = [
        market
        for market in venue.engine.markets.values()
        if (tickers is None or market.ticker in tickers)
        and event_ticker in (None, "", market.event_ticker)
        and series_ticker in (None, "", venue.engine.events[market.event_ticker].series_ticker)
        and (wanted is None or market.status in wanted)
    ]
    return page(request, "markets", found, lambda market: _market(venue, market))


def market(request: web.Request) -> Json:
    """GET /markets/{ticker}"""
    venue = request.app[VENUE]
    return {"market": _market(venue, venue.market(request.match_info["ticker"]))}


def orderbook(request: web.Request) -> Json:
    """GET /markets/{ticker}/orderbook?depth=0..100: bids of both sides, the best last; 0 is all."""
    venue, depth = request.app[VENUE], query_int(request, "depth", 0, 100) or 0
    found = venue.market(request.match_info["ticker"])
    return {"orderbook_fp": shapes.book(venue.engine.book(found.ticker), depth)}


def orderbooks(request: web.Request) -> Json:
    """GET /markets/orderbooks?tickers=a&tickers=b"""
    venue, tickers = request.app[VENUE], request.query.getall("tickers", [])
    if not 0 < len(tickers) <= venue.settings.max_orderbooks:
        raise invalid_parameter(f"give 1..{venue.settings.max_orderbooks} tickers")
    books = [(venue.market(ticker).ticker, venue.engine.book(ticker)) for ticker in tickers]
    return {"orderbooks": [{"ticker": ticker, "orderbook_fp": shapes.book(view)} for ticker, view in books]}


def trades(request: web.Request) -> Json:
    """GET /markets/trades?ticker&min_ts&max_ts&limit&cursor: newest first."""
    venue, ticker = request.app[VENUE], request.query.get("ticker")
    since, until = query_int(request, "min_ts", 0, 1 << 40), query_int(request, "max_ts", 0, 1 << 40)
    of = [venue.market(ticker).ticker] if ticker else list(venue.engine.markets)
    found = [
        trade
        for each in of
        for trade in venue.engine.trades(each)
        if (since is None or trade.ms // 1000 >= since) and (until is None or trade.ms // 1000 <= until)
    ]
    found.sort(key=lambda trade: trade.ms, reverse=True)
    return page(
        request,
        "trades",
        found,
        lambda trade: shapes.trade(trade) | {"ticker": trade.ticker, "created_time": shapes.moment(trade.ms)},
    )


def public(answer: _Answer) -> _Handler:
    """A signed read pays and is fresh; an unsigned one is told what anybody was told within the last 15 s."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if is_signed(request):
            reader(request, "market_data")
            return reply(answer(request))
        venue, cache = request.app[VENUE], request.app[_CACHE]
        at, body = cache.get(request.path_qs, (float("-inf"), {}))
        if venue.now() - at >= venue.settings.public_cache_s:
            body = answer(request)
            cache[request.path_qs] = venue.now(), body
        response = reply(body)
        response.headers["Cache-Control"] = f"max-age={venue.settings.public_cache_s:.0f}"
        return response

    return handler


def _filter(request: web.Request) -> frozenset[MarketStatus] | None:
    word = request.query.get("status")
    if not word:
        return None
    if word not in _FILTERS:
        raise invalid_parameter(f"status must be one of {', '.join(_FILTERS)}")
    return _FILTERS[word]


def _tickers(request: web.Request) -> set[str] | None:
    text = request.query.get("tickers")
    return set(text.split(",")) if text else None


def _series(found: Series) -> Json:
    return {
        "frequency": "custom",
        "title": found.ticker,
        "category": "",
        "categories": [],
        "tags": [],
        "settlement_sources": [],
        "contract_url": "",
        "contract_terms_url": "",
        **found.texts,
        "ticker": found.ticker,
        "fee_type": found.fee_type,
        "fee_multiplier": _number(found.fee_multiplier),
    }


def _event(venue: Venue, found: Event, *, nested: bool) -> Json:
    shape: Json = {
        "title": found.event_ticker,
        "sub_title": "",
        "settlement_sources": [],
        **found.texts,
        "event_ticker": found.event_ticker,
        "series_ticker": found.series_ticker,
        "collateral_return_type": "MECNET" if found.mutually_exclusive else "",
        "mutually_exclusive": found.mutually_exclusive,
        "exchange_index": found.exchange_index,
    }
    if found.fee_type_override is not None:
        shape["fee_type_override"] = found.fee_type_override
    if found.fee_multiplier_override is not None:
        shape["fee_multiplier_override"] = _number(found.fee_multiplier_override)
    if nested:
        shape["markets"] = [_market(venue, market) for market in _markets_of(venue, found)]
    return shape


def _markets_of(venue: Venue, found: Event) -> Iterable[Market]:
    return [market for market in venue.engine.markets.values() if market.event_ticker == found.event_ticker]


def _market(venue: Venue, found: Market) -> Json:
    shape: Json = {
        "market_type": "binary",
        "yes_sub_title": "",
        "no_sub_title": "",
        "rules_primary": "",
        "rules_secondary": "",
        "strike_type": "custom",
        "can_close_early": True,
        "expiration_value": "",
        **_DAY_BEFORE,
        **found.texts,
        "ticker": found.ticker,
        "event_ticker": found.event_ticker,
        "status": found.status,
        "created_time": shapes.moment(found.open_ms),
        "updated_time": shapes.moment(found.settled_ms or found.determined_ms or found.open_ms),
        "open_time": shapes.moment(found.open_ms),
        "close_time": _close_time(found),
        "latest_expiration_time": _close_time(found),
        "settlement_timer_seconds": found.settlement_timer_seconds,
        "notional_value_dollars": "1.0000",
        "result": found.result,
        "settlement_bounds_type": "default",
        "price_level_structure": shapes.price_structure(found),
        "price_ranges": shapes.price_ranges(found),
        "exchange_index": venue.shard_of(found.ticker),
        "volume_fp": shapes.contracts(venue.engine.volume(found.ticker)),
        "volume_24h_fp": shapes.contracts(_volume_of_a_day(venue, found.ticker)),
        "open_interest_fp": shapes.contracts(venue.engine.open_interest(found.ticker)),
        **_quotes(venue, found.ticker),
    }
    if found.value is not None:
        shape["settlement_value_dollars"] = shapes.dollars(found.value)
    if found.settled_ms:
        shape["settlement_ts"] = shapes.moment(found.settled_ms)
    if found.fee_waiver_until_ms:
        shape["fee_waiver_expiration_time"] = shapes.moment(found.fee_waiver_until_ms)
    return shape


def _close_time(found: Market) -> str:
    """The venue always sends one: the last moment there is for a market without an end."""
    return shapes.moment(found.close_ms if found.close_ms is not None else _NEVER_MS)


def _volume_of_a_day(venue: Venue, ticker: str) -> int:
    """Contracts of the last 24 h, as far as the tape goes back."""
    since = venue.clock() - _DAY_MS
    return sum(trade.count for trade in venue.engine.trades(ticker) if trade.ms > since)


def _quotes(venue: Venue, ticker: str) -> Json:
    view = venue.engine.book(ticker)
    bid, bid_size = view.bids[-1] if view.bids else (0, 0)
    ask, ask_size = view.asks[-1] if view.asks else (ONE, 0)
    return {
        "yes_bid_dollars": shapes.dollars(bid),
        "yes_ask_dollars": shapes.dollars(ask),
        "no_bid_dollars": shapes.dollars(ONE - ask),
        "no_ask_dollars": shapes.dollars(ONE - bid),
        "yes_bid_size_fp": shapes.contracts(bid_size),
        "yes_ask_size_fp": shapes.contracts(ask_size),
        "last_price_dollars": shapes.dollars(view.last_trade_price or 0),
    }


def _number(value: Decimal) -> int | float:
    """Fee multipliers are the one JSON number of the venue that is not a time or a count of things."""
    return int(value) if value == int(value) else float(value)


def setup(app: web.Application) -> None:
    """Adds the routes and their cache."""
    app[_CACHE] = new_cache()
    paths: dict[str, _Answer] = {
        "/exchange/status": status,
        "/exchange/schedule": schedule,
        "/series": series_list,
        "/series/fee_changes": series_fee_changes,
        "/series/{ticker}": series,
        "/events": events,
        "/events/{ticker}": event,
        "/markets": markets,
        "/markets/trades": trades,
        "/markets/orderbooks": orderbooks,
        "/markets/{ticker}": market,
        "/markets/{ticker}/orderbook": orderbook,
    }
    app.add_routes([web.get(PREFIX + path, public(answer)) for path, answer in paths.items()])
