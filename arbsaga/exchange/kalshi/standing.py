"""Handlers for orders that stand: cancel, one or a batch or all; decrease; amend; and order groups."""

from typing import Final

from aiohttp import web

from arbsaga.errors import Rejected
from arbsaga.exchange.kalshi import shapes
from arbsaga.exchange.kalshi.auth import ApiKey
from arbsaga.exchange.kalshi.create import BATCH, ORDERS, batch_of, error_of
from arbsaga.exchange.kalshi.limits import COSTS
from arbsaga.exchange.kalshi.payload import (
    Json,
    as_object,
    client_id,
    limit_of,
    own_order,
    route,
    seconds,
    side_of,
    text,
)
from arbsaga.exchange.kalshi.replies import Refusal, html, nested, reply
from arbsaga.exchange.kalshi.shapes import read_count, read_price
from arbsaga.exchange.kalshi.venue import (
    PREFIX,
    SHARDS,
    VENUE,
    Caller,
    acting,
    body_of,
    check_open,
    query_int,
    reader,
    refusal_of,
    route_of,
    writer,
)

_CANCEL_COST: Final = COSTS["DELETE", "/portfolio/events/orders/{order_id}"]
_GROUPS: Final = f"{PREFIX}/portfolio/order_groups"


async def cancel(request: web.Request) -> web.Response:
    """DELETE one: 200 with what was taken off; 404 where it does not rest (any more)."""
    check_open(request)
    key = writer(request, cost=_CANCEL_COST)
    venue, caller = request.app[VENUE], _caller(request, key)
    shard = query_int(request, "exchange_index", -1, max(SHARDS))
    order_id = own_order(venue, caller, request.match_info["order_id"], request.query.get("market_ticker"), shard)
    if venue.engine.faults.draw("cancel_error", path=route_of(request), address=key.member) is not None:
        raise html(500)
    return reply(shapes.canceled(venue.engine.cancel(caller.account_id, order_id)))


async def cancel_batch(request: web.Request) -> web.Response:
    """DELETE {orders}: 200 with a result per entry, in their order."""
    check_open(request)
    key, items = await batch_of(request, "DELETE")
    return reply({"orders": [_cancel_entry(request, key, item) for item in items]})


async def cancel_all(request: web.Request) -> web.Response:
    """DELETE: everything that rests, 204. What is placed within the next minute may be canceled too."""
    check_open(request)
    venue, caller = request.app[VENUE], _caller(request, writer(request))
    venue.engine.cancel_all(caller.account_id)
    venue.swept_until[caller.account_id] = venue.now() + venue.settings.cancel_all_sweep_s
    return web.Response(status=204)


async def decrease(request: web.Request) -> web.Response:
    """POST {reduce_by | reduce_to}: 200 with what goes on resting."""
    check_open(request)
    key, fields = writer(request), await body_of(request)
    venue, caller = request.app[VENUE], acting(key, fields.get("subaccount"))
    amounts = {name: read_count(fields[name], name) for name in ("reduce_by", "reduce_to") if name in fields}
    if len(amounts) != 1:
        raise nested(400, "invalid_parameters", details="give exactly one of reduce_by and reduce_to")
    ticker, shard = fields.get("market_ticker"), fields.get("exchange_index")
    order_id = own_order(venue, caller, request.match_info["order_id"], ticker, shard)
    answer = venue.engine.decrease(caller.account_id, order_id, **amounts)
    shape: Json = {
        "order_id": answer.order_id,
        "remaining_count": shapes.contracts(answer.remaining_count),
        "ts_ms": answer.ms,
    }
    return reply(shape | ({"client_order_id": answer.client_order_id} if answer.client_order_id else {}))


async def amend(request: web.Request) -> web.Response:
    """POST {ticker, side, price, count, …}: `count` is what it filled plus what shall rest."""
    check_open(request)
    key, fields = writer(request), await body_of(request)
    venue, caller, ticker = request.app[VENUE], acting(key, fields.get("subaccount")), text(fields, "ticker")
    shard = route(venue, ticker, fields.get("exchange_index"))
    answer = venue.engine.amend(
        caller.account_id,
        own_order(venue, caller, request.match_info["order_id"], ticker, shard),
        ticker=ticker,
        side=side_of(fields),
        price=read_price(fields.get("price")),
        count=read_count(fields.get("count")),
        client_order_id=client_id(fields, "client_order_id"),
        updated_client_order_id=client_id(fields, "updated_client_order_id"),
        expiration_time=seconds(fields, "expiration_time"),
    )
    return reply(shapes.placed(answer))


async def create_group(request: web.Request) -> web.Response:
    """POST {contracts_limit | contracts_limit_fp}: 201."""
    check_open(request)
    key, fields = writer(request), await body_of(request)
    venue, caller = request.app[VENUE], acting(key, fields.get("subaccount"))
    shard = fields.get("exchange_index") or 0
    if not isinstance(shard, int) or isinstance(shard, bool) or shard not in SHARDS:
        raise nested(400, "invalid_parameters", details=f"exchange_index must be one of {', '.join(map(str, SHARDS))}")
    made = venue.engine.create_group(caller.account_id, limit_of(fields), shard)
    shape = {"order_group_id": made.group_id, "subaccount": caller.subaccount, "exchange_index": made.exchange_index}
    return reply(shape, 201)


async def groups(request: web.Request) -> web.Response:
    """GET: all of the caller's, without their orders."""
    caller = _caller(request, reader(request))
    found = request.app[VENUE].engine.groups(caller.account_id)
    shown = [
        {
            "id": group.group_id,
            "exchange_index": group.exchange_index,
            "is_auto_cancel_enabled": not group.triggered,
            "contracts_limit_fp": shapes.contracts(group.limit),
        }
        for group in found
    ]
    return reply({"order_groups": shown})


async def group(request: web.Request) -> web.Response:
    """GET one, with the ids of its orders that rest."""
    caller = _caller(request, reader(request))
    return reply(shapes.group(request.app[VENUE].engine.group(caller.account_id, request.match_info["group_id"])))


async def delete_group(request: web.Request) -> web.Response:
    """DELETE: cancels its orders and forgets it."""
    caller = _caller(request, writer(request))
    request.app[VENUE].engine.delete_group(caller.account_id, request.match_info["group_id"])
    return reply({})


async def reset_group(request: web.Request) -> web.Response:
    """PUT: a triggered group takes orders again."""
    caller = _caller(request, writer(request))
    request.app[VENUE].engine.reset_group(caller.account_id, request.match_info["group_id"])
    return reply({})


async def trigger_group(request: web.Request) -> web.Response:
    """PUT: cancels its orders and refuses new ones."""
    caller = _caller(request, writer(request))
    request.app[VENUE].engine.trigger_group(caller.account_id, request.match_info["group_id"])
    return reply({})


async def limit_group(request: web.Request) -> web.Response:
    """PUT {contracts_limit | contracts_limit_fp}."""
    caller = _caller(request, writer(request))
    limit = limit_of(await body_of(request))
    request.app[VENUE].engine.set_group_limit(caller.account_id, request.match_info["group_id"], limit)
    return reply({})


def _caller(request: web.Request, key: ApiKey) -> Caller:
    return acting(key, query_int(request, "subaccount", 0, 63))


def _cancel_entry(request: web.Request, key: ApiKey, item: object) -> Json:
    venue, order_id = request.app[VENUE], ""
    try:
        fields = as_object(item)
        order_id, caller = text(fields, "order_id"), acting(key, fields.get("subaccount"))
        own_order(venue, caller, order_id, fields.get("market_ticker"), fields.get("exchange_index"))
        return shapes.canceled(venue.engine.cancel(caller.account_id, order_id))
    except Refusal as refusal:
        error = error_of(refusal)
    except Rejected as rejected:
        error = error_of(refusal_of(rejected))
    return {"order_id": order_id, "reduced_by": "0.00", "error": error}


ROUTES = [
    web.delete(BATCH, cancel_batch),
    web.delete(ORDERS, cancel_all),
    web.delete(f"{ORDERS}/{{order_id}}", cancel),
    web.post(f"{ORDERS}/{{order_id}}/decrease", decrease),
    web.post(f"{ORDERS}/{{order_id}}/amend", amend),
    web.post(f"{_GROUPS}/create", create_group),
    web.get(_GROUPS, groups),
    web.get(f"{_GROUPS}/{{group_id}}", group),
    web.delete(f"{_GROUPS}/{{group_id}}", delete_group),
    web.put(f"{_GROUPS}/{{group_id}}/reset", reset_group),
    web.put(f"{_GROUPS}/{{group_id}}/trigger", trigger_group),
    web.put(f"{_GROUPS}/{{group_id}}/limit", limit_group),
]
