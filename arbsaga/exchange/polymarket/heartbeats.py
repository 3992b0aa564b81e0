"""POST /v1/heartbeats, and the look at who has fallen silent."""

import structlog
from aiohttp import web

from arbsaga.errors import Unavailable
from arbsaga.exchange.polymarket.cancels import sweep
from arbsaga.exchange.polymarket.gate import wait
from arbsaga.exchange.polymarket.replies import MALFORMED, Refusal, reply
from arbsaga.exchange.polymarket.venue import VENUE, Venue, caller_of, json_of

log = structlog.get_logger(__name__)


async def heartbeat(request: web.Request) -> web.Response:
    """POST /v1/heartbeats {"heartbeat_id"}: always the last id received."""
    venue = request.app[VENUE]
    caller = await caller_of(request)
    body = await json_of(request)
    given = body.get("heartbeat_id") if isinstance(body, dict) else None
    if not isinstance(given, str):
        raise Refusal(400, MALFORMED)
    following = venue.dead_man.beat(caller, given, venue.now())
    if following is None:
        expected = venue.dead_man.expected(caller)
        return reply({"error_msg": "Invalid Heartbeat ID", "heartbeat_id": expected}, status=400)
    return reply({"heartbeat_id": following})


async def watch(venue: Venue) -> None:
    """Cancels, every few seconds, all that the silent ones have open. Runs until cancelled."""
    while True:
        await wait(venue.settings.heartbeat_check_s)
        for address in venue.dead_man.silent(venue.now()):
            try:
                sweep(venue, address)
            except Unavailable as error:
                log.warning("dead_man_failed", address=address, error=str(error))


ROUTES = [web.post("/v1/heartbeats", heartbeat)]
