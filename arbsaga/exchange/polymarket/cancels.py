"""The cancel endpoints. They work while new orders do not. Texts: docs.polymarket.com manage orders."""

from collections.abc import Sequence

from aiohttp import web

from arbsaga.errors import NotCanceled, Unavailable
from arbsaga.exchange.polymarket import gate
from arbsaga.exchange.polymarket.auth import ApiKey
from arbsaga.exchange.polymarket.ids import condition_key
from arbsaga.exchange.polymarket.replies import MALFORMED, Refusal, reply
from arbsaga.exchange.polymarket.venue import VENUE, Venue, caller_of, charge, charge_sweep, json_of
from arbsaga.exchange.polymarket.wallets import wallets_of


async def cancel_order(request: web.Request) -> web.Response:
    """DELETE /order {"orderID"}."""
    caller = await _admitted(request)
    body = await json_of(request)
    order_id = body.get("orderID") if isinstance(body, dict) else None
    if not isinstance(order_id, str):
        raise Refusal(400, MALFORMED)
    charge(request, "cancel", caller, 1)
    return reply(_canceled(request.app[VENUE], caller, [order_id]))


async def cancel_orders(request: web.Request) -> web.Response:
    """DELETE /orders ["0x…", …]."""
    venue = request.app[VENUE]
    caller = await _admitted(request)
    ids = await json_of(request)
    if not isinstance(ids, list) or not all(isinstance(order_id, str) for order_id in ids):
        raise Refusal(400, MALFORMED)
    most = venue.settings.max_cancels
    if len(ids) > most:
        raise Refusal(400, f"Too many orders in payload: {len(ids)}, max allowed: {most}")
    charge(request, "cancel", caller, len(ids))
    return reply(_canceled(venue, caller, list(dict.fromkeys(ids))))


async def cancel_all(request: web.Request) -> web.Response:
    """DELETE /cancel-all."""
    caller = await _admitted(request)
    return _sweep(request, caller, None, None)


async def cancel_market_orders(request: web.Request) -> web.Response:
    """DELETE /cancel-market-orders {"market"?, "asset_id"?}, at least one of them."""
    caller = await _admitted(request)
    body = await json_of(request)
    if not isinstance(body, dict):
        raise Refusal(400, MALFORMED)
    market, token = body.get("market"), body.get("asset_id")
    if not (market or token) or not all(isinstance(value, str | None) for value in (market, token)):
        raise Refusal(400, MALFORMED)
    return _sweep(request, caller, condition_key(market) if market else None, token or None)


def _sweep(request: web.Request, caller: ApiKey, condition_id: str | None, token_id: str | None) -> web.Response:
    """Costs one token to be admitted and one per order cancelled."""
    charge(request, "cancel", caller, 1)
    canceled = sweep(request.app[VENUE], caller.address, condition_id, token_id)
    charge_sweep(request, caller, len(canceled))
    return reply({"canceled": canceled, "not_canceled": {}})


def sweep(venue: Venue, address: str, condition_id: str | None = None, token_id: str | None = None) -> list[str]:
    """Cancels the resting orders of every wallet of a key, of one market or token where given."""
    wallets = [wallet for wallet in wallets_of(address) if venue.engine.account(wallet) is not None]
    return [
        order_id
        for wallet in wallets
        for order_id in venue.engine.cancel_all(wallet, condition_id=condition_id, token_id=token_id)
    ]


def _canceled(venue: Venue, caller: ApiKey, ids: Sequence[str]) -> dict[str, object]:
    canceled: list[str] = []
    not_canceled: dict[str, str] = {}
    for order_id in ids:
        try:
            venue.engine.cancel(_wallet(venue, caller, order_id), order_id)
            canceled.append(order_id)
        except NotCanceled as refused:
            not_canceled[order_id] = refused.reason
        except Unavailable:
            not_canceled[order_id] = "Internal server error"
    return {"canceled": canceled, "not_canceled": not_canceled}


def _wallet(venue: Venue, caller: ApiKey, order_id: str) -> str:
    """The caller's wallet that made the order; its first one where it made none, so that the engine says no."""
    order = venue.engine.order(order_id)
    wallets = wallets_of(caller.address)
    return order.maker if order is not None and order.maker in wallets else wallets[0]


async def _admitted(request: web.Request) -> ApiKey:
    """The caller, unless a fault refuses cancels. Raises Refusal."""
    venue = request.app[VENUE]
    venue.gate.check_restart(request.path)
    caller = await caller_of(request)
    status = venue.faults.draw("status", path=request.path) if _has_stop(venue) else None
    if status is not None:
        raise gate.refusal_of(status)
    if venue.faults.draw("cancel_error", path=request.path) is not None:
        raise Refusal(500, "Internal server error")
    return caller


def _has_stop(venue: Venue) -> bool:
    return any(fault.name == "status" and gate.stops_cancels(fault) for fault, _ in venue.faults.active())


ROUTES = [
    web.delete("/order", cancel_order),
    web.delete("/orders", cancel_orders),
    web.delete("/cancel-all", cancel_all),
    web.delete("/cancel-market-orders", cancel_market_orders),
]
