"""Reads that tell about the exchange itself: time, health, version, and whether the caller's country may trade."""

from aiohttp import web

from arbsaga.exchange.polymarket.replies import reply
from arbsaga.exchange.polymarket.venue import VENUE


async def time(request: web.Request) -> web.Response:
    """GET /time: Unix seconds, a bare number."""
    return reply(request.app[VENUE].clock() // 1000)


async def ok(_: web.Request) -> web.Response:
    """GET /ok."""
    return reply("OK")


async def version(request: web.Request) -> web.Response:
    """GET /version: of the CLOB. The value after Protocol V2 is not documented, so it is a setting."""
    return reply({"version": request.app[VENUE].settings.version})


async def geoblock(_: web.Request) -> web.Response:
    """GET /api/geoblock, served by polymarket.com and not by an API host."""
    return reply({"blocked": False, "ip": "127.0.0.1", "country": "CH", "region": "ZH"})


ROUTES = [
    web.get("/time", time),
    web.get("/ok", ok),
    web.get("/version", version),
    web.get("/api/geoblock", geoblock),
]
