"""The HTTP server of the venue, and what happens around every request."""

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from arbsaga.errors import Rejected, Unavailable
from arbsaga.exchange.kalshi import create, portfolio, public, standing
from arbsaga.exchange.kalshi.admin import Admin
from arbsaga.exchange.kalshi.channels import Hub
from arbsaga.exchange.kalshi.commands import Commands
from arbsaga.exchange.kalshi.replies import Refusal, nested
from arbsaga.exchange.kalshi.stream import PATH
from arbsaga.exchange.kalshi.venue import VENUE, Venue, World, refusal_of, route_of, stamp
from arbsaga.exchange.polymarket.gate import wait
from arbsaga.exchange.polymarket.replies import Refusal as AdminRefusal

log = structlog.get_logger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TICK_S = 0.02


def application(venue: Venue, world: World | None) -> web.Application:
    """The application to serve; `world` is what the admin API steers."""
    hub = Hub(venue)
    commands = Commands(venue, hub)

    async def stream(request: web.Request) -> web.StreamResponse:
        return await hub.serve(request, commands.take)

    async def begin(_: web.Application) -> None:
        venue.later(tick(venue))

    async def end(_: web.Application) -> None:
        await hub.close()
        await venue.stop()

    app = web.Application(middlewares=[around])
    app[VENUE] = venue
    app.add_routes([*create.ROUTES, *standing.ROUTES, *portfolio.ROUTES, *Admin(venue, hub, world).routes()])
    app.add_routes([web.get(PATH, stream)])
    public.setup(app)
    app.on_startup.append(begin)
    app.on_shutdown.append(end)
    return app


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
    stamp(request)
    far_s = 0.0 if request.path.startswith("/admin/") else _distance_s(venue, request)
    await wait(far_s / 2)
    response = await _answer(venue, request, handler)
    venue.reads.catch_up(venue.clock())
    await wait(far_s / 2)
    return response


def _distance_s(venue: Venue, request: web.Request) -> float:
    """Seconds there and back that the fault `latency` puts between client and exchange."""
    fault = venue.engine.faults.draw("latency", path=route_of(request))
    return float(fault.number("ms", 25)) / 1000 if fault is not None else 0.0


async def _answer(venue: Venue, request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        venue.catch_up()
        return await handler(request)
    except (Refusal, AdminRefusal) as refusal:
        return refusal.response()
    except Rejected as rejected:
        return refusal_of(rejected).response()
    except web.HTTPException as missing:
        return Refusal(missing.status, text=f"{missing.status} page not found").response()
    except Unavailable as error:
        log.warning("truth_journal_failed", path=request.path, error=str(error))
        return nested(500, "internal_server_error").response()
