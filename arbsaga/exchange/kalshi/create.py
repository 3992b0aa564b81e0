"""Creating orders, one or a batch: reads them, lets the faults strike, has the engine take them, answers.

The engine writes its truth journal inside `submit`, so what it accepted is on record before any answer leaves.
"""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from arbsaga.errors import Rejected, Unavailable
from arbsaga.exchange.faults import Fault
from arbsaga.exchange.kalshi import shapes
from arbsaga.exchange.kalshi.auth import ApiKey
from arbsaga.exchange.kalshi.limits import COSTS, DEFAULT_COST, capacity
from arbsaga.exchange.kalshi.model import NewOrder, Placed
from arbsaga.exchange.kalshi.payload import Json, read_order
from arbsaga.exchange.kalshi.replies import Refusal, flat, nested, reply
from arbsaga.exchange.kalshi.venue import (
    PREFIX,
    VENUE,
    Venue,
    body_of,
    check_open,
    member_of,
    ordered,
    refusal_of,
    route_of,
    signed_by,
    writer,
)
from arbsaga.exchange.polymarket.replies import hang_up

ORDERS = f"{PREFIX}/portfolio/events/orders"
BATCH = f"{ORDERS}/batched"

_LATE_S = 20
_Outcome = Placed | Refusal


async def create(request: web.Request) -> web.Response:
    """POST: one order. 201 (or 200, a setting) with its id and what filled at once."""
    venue = request.app[VENUE]
    check_open(request)
    key = writer(request)
    outcomes = await _deliver(request, [read_order(request, key, await body_of(request))])
    if outcomes is None:
        return hang_up(request)
    if isinstance(outcomes[0], Refusal):
        raise outcomes[0]
    return reply(shapes.placed(outcomes[0]), venue.settings.created_status)


async def create_batch(request: web.Request) -> web.Response:
    """POST {orders}: each on its own, none is undone for another. 201 with one result per entry, in their order."""
    check_open(request)
    key, items = await batch_of(request, "POST")
    entries = [_read_entry(request, key, item) for item in items]
    outcomes = await _deliver(request, [entry for entry in entries if isinstance(entry, NewOrder)])
    if outcomes is None:
        return hang_up(request)
    taken = iter(outcomes)
    results = [next(taken) if isinstance(entry, NewOrder) else entry for entry in entries]
    answer = [_entry(result, item) for result, item in zip(results, items, strict=True)]
    return reply({"orders": answer}, request.app[VENUE].settings.created_status)


async def legacy(_: web.Request) -> web.Response:
    """POST /portfolio/orders: gone."""
    raise nested(410, "deprecated_v1_order_endpoint", details="use POST /portfolio/events/orders")


async def batch_of(request: web.Request, method: str) -> tuple[ApiKey, list[object]]:
    """The key and the items of a batch, billed one by one: no more than a full bucket pays for. Raises Refusal."""
    venue = request.app[VENUE]
    key = signed_by(request, "write", "trade")
    items = (await body_of(request)).get("orders")
    if not isinstance(items, list) or not items:
        raise flat("orders must be a list of at least one order")
    cost = COSTS.get((method, "/portfolio/events/orders/batched"), DEFAULT_COST) * len(items)
    if cost > capacity(venue.settings.tier, "write"):
        raise nested(400, "invalid_parameters", details=f"a batch of {len(items)} is over the limit of the tier")
    venue.limits.take(key.member, "write", cost)
    return key, items


def about(venue: Venue, new: NewOrder, path: str) -> dict[str, str]:
    """What a fault's limits are compared with; an order that lowers the position is an exit."""
    account = venue.engine.account(new.account_id)
    held = account.positions.get(new.ticker) if account is not None else None
    net = held.net if held is not None else 0
    leaves = net < 0 if new.side == "bid" else net > 0
    return {
        "side": "BUY" if new.side == "bid" else "SELL",
        "phase": "exit" if leaves else "entry",
        "token": new.ticker,
        "address": member_of(new.account_id)[0],
        "path": path,
    }


def _read_entry(request: web.Request, key: ApiKey, item: object) -> NewOrder | Refusal:
    try:
        return read_order(request, key, item)
    except Refusal as refusal:
        return refusal


async def _deliver(request: web.Request, orders: Sequence[NewOrder]) -> list[_Outcome] | None:
    """What became of each order, or None when the caller is not to be answered."""
    venue, path = request.app[VENUE], route_of(request)
    late = _draw_any(venue, "late_post", orders, path)
    if late is not None:
        venue.later(_deliver_late(venue, orders, float(late.number("seconds", _LATE_S))))
        return None
    if _draw_any(venue, "lost", orders, path) is not None:
        return None
    status = _draw_any(venue, "status", orders, path)
    if status is not None and not status.number("after", 0):
        raise ordered(status, venue)
    outcomes = [_submit(venue, order) for order in orders]
    if status is not None:
        raise ordered(status, venue)
    accepted = [order for order, outcome in zip(orders, outcomes, strict=True) if isinstance(outcome, Placed)]
    return None if _draw_any(venue, "drop_response", accepted, path) is not None else outcomes


async def _deliver_late(venue: Venue, orders: Sequence[NewOrder], seconds: float) -> None:
    """The bytes were somewhere in between: the engine gets them now, nobody hears of it."""
    await asyncio.sleep(seconds)
    for order in orders:
        _submit(venue, order)


def _submit(venue: Venue, order: NewOrder) -> _Outcome:
    try:
        answer = venue.engine.submit(order)
    except Rejected as rejected:
        return refusal_of(rejected)
    except Unavailable:
        # The journal cannot be written: nothing was accepted, and the caller must not believe otherwise.
        return nested(500, "internal_server_error")
    if answer.remaining_count and venue.now() < venue.swept_until.get(order.account_id, 0):
        venue.later(_sweep(venue, order.account_id, answer.order_id))
    return answer


async def _sweep(venue: Venue, account_id: str, order_id: str) -> None:
    """A cancel-all takes along what was placed within the minute after it."""
    found = venue.engine.order(order_id)
    if found is not None and found.status == "resting":
        venue.engine.cancel(account_id, order_id)


def _draw_any(venue: Venue, name: str, orders: Sequence[NewOrder], path: str) -> Fault | None:
    """The fault that strikes one of the orders of a request, asked for each of them in turn."""
    drawn = (venue.engine.faults.draw(name, **about(venue, order, path)) for order in orders)
    return next((fault for fault in drawn if fault is not None), None)


def _entry(outcome: _Outcome, item: object) -> Json:
    """One result of a batch; a refused one has the `error` in place of all else."""
    if isinstance(outcome, Placed):
        return shapes.placed(outcome)
    named = item.get("client_order_id") if isinstance(item, dict) else None
    return ({"client_order_id": named} if named else {}) | {"error": error_of(outcome)}


def error_of(refusal: Refusal) -> object:
    """The inside of a refusal, as items of batches carry it."""
    body = refusal.body
    return body["error"] if isinstance(body, dict) and "error" in body else body


ROUTES = [
    web.post(ORDERS, create),
    web.post(BATCH, create_batch),
    web.post(f"{PREFIX}/portfolio/orders", legacy),
]
