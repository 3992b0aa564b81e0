"""Public reads of order books: whole ones, best prices, midpoints, spreads, last trades."""

from collections.abc import Callable

from aiohttp import web

from arbsaga.errors import UnknownToken
from arbsaga.exchange.model import BookView, Market
from arbsaga.exchange.polymarket import shapes
from arbsaga.exchange.polymarket.payload import BAD_TOKEN
from arbsaga.exchange.polymarket.replies import MALFORMED, Refusal, reply
from arbsaga.exchange.polymarket.venue import VENUE, Venue, json_of
from arbsaga.exchange.units import format_units

NO_BOOK = "No orderbook exists for the requested token id"
BAD_SIDE = "Invalid side"
MAX_TOKENS = 500

_Quote = Callable[[BookView], str | None]


def market_of(venue: Venue, token_id: str) -> Market:
    """The market of a token. Raises Refusal: 400 for no token id at all, 404 for an unknown one."""
    if not token_id.isdecimal():
        raise Refusal(400, BAD_TOKEN)
    try:
        return venue.engine.market_of(token_id)
    except UnknownToken:
        raise Refusal(404, NO_BOOK) from None


async def book(request: web.Request) -> web.Response:
    """GET /book?token_id="""
    venue = request.app[VENUE]
    market = market_of(venue, _token(request))
    fresh = shapes.book(market, venue.engine.book(_token(request)))
    return reply(venue.snapshots.one(fresh, request.path))


async def books(request: web.Request) -> web.Response:
    """POST /books [{"token_id"}]: an array of books; unknown tokens are left out."""
    venue = request.app[VENUE]
    tokens = [str(entry.get("token_id")) for entry in await _entries(request)]
    fresh = [shapes.book(venue.engine.market_of(token), venue.engine.book(token)) for token in _known(venue, tokens)]
    return reply(venue.snapshots.many(fresh, request.path))


def bid(view: BookView) -> str | None:
    """The best bid in USD, None with no bids."""
    return format_units(view.bids[-1][0]) if view.bids else None


def ask(view: BookView) -> str | None:
    """The best ask in USD, None with no asks."""
    return format_units(view.asks[-1][0]) if view.asks else None


def mid(view: BookView) -> str | None:
    """Half way between the best prices, rounded down to 1e-6; None with an empty side."""
    return format_units((view.bids[-1][0] + view.asks[-1][0]) // 2) if view.bids and view.asks else None


def spread(view: BookView) -> str | None:
    """Best ask less best bid in USD, None with an empty side."""
    return format_units(view.asks[-1][0] - view.bids[-1][0]) if view.bids and view.asks else None


_BEST: dict[str, _Quote] = {"BUY": ask, "SELL": bid}
"""Facts 1.5: the price of a side is what it would pay or get: BUY the best ask, SELL the best bid."""


async def price(request: web.Request) -> web.Response:
    """GET /price?token_id=&side="""
    quote = _BEST.get(request.query.get("side", "").upper())
    if quote is None:
        raise Refusal(400, BAD_SIDE)
    return reply({"price": _quoted(request, quote)})


async def midpoint(request: web.Request) -> web.Response:
    """GET /midpoint?token_id="""
    return reply({"mid": _quoted(request, mid)})


async def spread_of(request: web.Request) -> web.Response:
    """GET /spread?token_id="""
    return reply({"spread": _quoted(request, spread)})


async def last_trade_price(request: web.Request) -> web.Response:
    """GET /last-trade-price?token_id=: side "" where nothing traded yet."""
    venue = request.app[VENUE]
    market_of(venue, _token(request))
    return reply(_last(venue, _token(request)))


async def prices(request: web.Request) -> web.Response:
    """POST /prices [{"token_id", "side"}] -> {token: {side: price}}; what has no price is left out."""
    venue = request.app[VENUE]
    answer: dict[str, dict[str, str]] = {}
    for entry in await _entries(request):
        token, side = str(entry.get("token_id")), str(entry.get("side"))
        quote = _BEST.get(side)
        found = quote(venue.engine.book(token)) if quote is not None and _known(venue, [token]) else None
        if found is not None:
            answer.setdefault(token, {})[side] = found
    return reply(answer)


async def midpoints(request: web.Request) -> web.Response:
    """POST /midpoints [{"token_id"}] -> {token: mid}"""
    return reply(await _quotes(request, mid))


async def spreads(request: web.Request) -> web.Response:
    """POST /spreads [{"token_id"}] -> {token: spread}"""
    return reply(await _quotes(request, spread))


async def last_trades_prices(request: web.Request) -> web.Response:
    """POST /last-trades-prices [{"token_id"}]: those that traded."""
    venue = request.app[VENUE]
    tokens = _known(venue, [str(entry.get("token_id")) for entry in await _entries(request)])
    traded = [(token, _last(venue, token)) for token in tokens]
    return reply([{"token_id": token, **last} for token, last in traded if last["side"]])


def _last(venue: Venue, token_id: str) -> dict[str, str]:
    last = venue.engine.book(token_id).last_trade_price
    side = venue.tape.get(token_id, "")
    return {"price": format_units(last or 0), "side": side if last is not None else ""}


async def _quotes(request: web.Request, quote: _Quote) -> dict[str, str]:
    venue = request.app[VENUE]
    tokens = _known(venue, [str(entry.get("token_id")) for entry in await _entries(request)])
    found = {token: quote(venue.engine.book(token)) for token in tokens}
    return {token: value for token, value in found.items() if value is not None}


def _quoted(request: web.Request, quote: _Quote) -> str:
    venue = request.app[VENUE]
    market_of(venue, _token(request))
    value = quote(venue.engine.book(_token(request)))
    if value is None:
        raise Refusal(404, NO_BOOK)
    return value


def _token(request: web.Request) -> str:
    return request.query.get("token_id", "")


def _known(venue: Venue, tokens: list[str]) -> list[str]:
    known = []
    for token in tokens:
        try:
            venue.engine.market_of(token)
        except UnknownToken:
            continue
        known.append(token)
    return known


async def _entries(request: web.Request) -> list[dict[str, object]]:
    body = await json_of(request)
    if not isinstance(body, list) or not all(isinstance(entry, dict) for entry in body):
        raise Refusal(400, MALFORMED)
    if len(body) > MAX_TOKENS:
        raise Refusal(400, "Payload exceeds the limit")
    return body


ROUTES = [
    web.get("/book", book),
    web.post("/books", books),
    web.get("/price", price),
    web.post("/prices", prices),
    web.get("/midpoint", midpoint),
    web.post("/midpoints", midpoints),
    web.get("/spread", spread_of),
    web.post("/spreads", spreads),
    web.get("/last-trade-price", last_trade_price),
    web.post("/last-trades-prices", last_trades_prices),
]
