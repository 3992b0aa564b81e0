"""The one HTTP server behind all of the venue's services, and what happens around every request."""

import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from arbsaga.errors import Rejected, Unavailable
from arbsaga.exchange.polymarket import (
    account,
    admin,
    books,
    cancels,
    chain,
    data,
    gamma,
    heartbeats,
    markets,
    orders,
    status,
)
from arbsaga.exchange.polymarket.gate import wait
from arbsaga.exchange.polymarket.market_channel import MarketChannel
from arbsaga.exchange.polymarket.replies import Received, Refusal
from arbsaga.exchange.polymarket.user_channel import UserChannel
from arbsaga.exchange.polymarket.venue import VENUE, Venue, World, limit_headers, stamp

log = structlog.get_logger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TICK_S = 0.02
_ADMIN = "/admin/"
_STREAMS = "/ws/"


class Wire:
    """Every service on one server: their paths do not clash, so none needs a prefix."""

    def __init__(self, venue: Venue, seed: int = 0) -> None:
        self._venue = venue
        self._market_channel = MarketChannel(venue)
        self._user_channel = UserChannel(venue, seed)

    def backlog(self) -> int | None:
        """Bytes that the slowest listener to books is behind, None while nobody listens."""
        return self._market_channel.backlog()

    def app(self, world: World | None) -> web.Application:
        """The application to serve; `world` is what the admin API steers."""
        app = web.Application(middlewares=[around])
        app[VENUE] = self._venue
        app.add_routes(
            [
                *orders.ROUTES,
                *cancels.ROUTES,
                *books.ROUTES,
                *markets.ROUTES,
                *account.ROUTES,
                *heartbeats.ROUTES,
                *gamma.ROUTES,
                *data.ROUTES,
                *status.ROUTES,
                *admin.Admin(self._venue, world).routes(),
                web.post("/rpc", chain.Chain(self._venue).serve),
                web.get("/ws/market", self._market_channel.serve),
                web.get("/ws/user", self._user_channel.serve),
            ]
        )
        app.on_startup.append(self._start)
        app.on_shutdown.append(self._stop)
        return app

    async def _start(self, _: web.Application) -> None:
        self._venue.later(heartbeats.watch(self._venue))
        self._venue.later(tick(self._venue))

    async def _stop(self, _: web.Application) -> None:
        await self._market_channel.close()
        await self._user_channel.close()
        await self._venue.stop()


async def tick(venue: Venue) -> None:
    """Keeps the exchange up to date while nobody calls. Runs until cancelled."""
    while True:
        await wait(TICK_S)
        venue.catch_up()


@web.middleware
async def around(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Notes when the request was in, brings the exchange up to now, and gives errors the venue's form."""
    venue = request.app[VENUE]
    await request.read()
    stamp(request, Received(time.monotonic_ns(), venue.clock()))
    if request.path.startswith(_STREAMS):
        return await handler(request)
    far_s = 0.0 if request.path.startswith(_ADMIN) else _distance_s(venue, request.path)
    await wait(far_s / 2)
    response = await _answer(venue, request, handler)
    response.headers.update(limit_headers(request))
    await wait(far_s / 2)
    return response


def _distance_s(venue: Venue, path: str) -> float:
    """Seconds there and back that the fault `latency` puts between client and exchange."""
    fault = venue.faults.draw("latency", path=path)
    return float(fault.number("ms", 25)) / 1000 if fault is not None else 0.0


async def _answer(venue: Venue, request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        venue.catch_up()
        return await handler(request)
    except Refusal as refusal:
        return refusal.response()
    except Rejected as rejected:
        return Refusal(rejected.status, rejected.text, code=rejected.code).response()
    except web.HTTPException as missing:
        return Refusal(missing.status, "not found" if missing.status == 404 else missing.reason).response()
    except Unavailable as error:
        log.warning("truth_journal_failed", path=request.path, error=str(error))
        return Refusal(500, "Internal server error").response()
