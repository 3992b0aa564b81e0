"""A member's own reads (as of a moment ago), transfers between shards, and what its account and keys are allowed."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from aiohttp import web

from arbsaga.exchange.kalshi import shapes
from arbsaga.exchange.kalshi.auth import ApiKey
from arbsaga.exchange.kalshi.limits import COSTS, endpoint_costs
from arbsaga.exchange.kalshi.model import Order, Position
from arbsaga.exchange.kalshi.payload import Json, text
from arbsaga.exchange.kalshi.replies import flat, invalid_parameter, nested, not_found, reply
from arbsaga.exchange.kalshi.venue import (
    PREFIX,
    SHARDS,
    VENUE,
    Caller,
    Venue,
    accounts_of,
    acting,
    body_of,
    member_of,
    query_int,
    reader,
    route_of,
    writer,
)
from arbsaga.exchange.units import ONE

_PORTFOLIO: Final = f"{PREFIX}/portfolio"
_CENTICENT: Final = 100
_TRANSFER: Final = ("amount", "source_exchange_shard", "destination_exchange_shard")
_STATUSES: Final = ("resting", "canceled", "executed")

T = TypeVar("T")


async def orders(request: web.Request) -> web.Response:
    """GET ?ticker&event_ticker&status&min_ts&max_ts&limit&cursor: newest first. There is no filter by client id."""
    venue, key = request.app[VENUE], reader(request)
    as_of, status = venue.as_of(route_of(request), key.member), request.query.get("status")
    if status and status not in _STATUSES:
        raise invalid_parameter(f"status must be one of {', '.join(_STATUSES)}")
    found = [
        order
        for account_id in _accounts(request, key)
        for order in venue.reads.orders(account_id, as_of)
        if (not status or order.status == status) and _is_wanted(request, order.ticker, order.created_ms)
    ]
    found.sort(key=lambda order: order.created_ms, reverse=True)
    return reply(page(request, "orders", found, lambda order: _order(venue, order)))


async def order(request: web.Request) -> web.Response:
    """GET one, in any state."""
    venue, key = request.app[VENUE], reader(request, cost=COSTS["GET", "/portfolio/orders/{order_id}"])
    as_of, order_id = venue.as_of(route_of(request), key.member), request.match_info["order_id"]
    for account_id in _accounts(request, key):
        for found in venue.reads.orders(account_id, as_of):
            if found.order_id == order_id:
                return reply({"order": _order(venue, found)})
    raise not_found("order")


async def queue_position(request: web.Request) -> web.Response:
    """GET: contracts ahead of a resting order."""
    venue, key, order_id = request.app[VENUE], reader(request), request.match_info["order_id"]
    found = venue.engine.order(order_id)
    if found is None or found.account_id not in _accounts(request, key):
        raise not_found("order")
    return reply({"queue_position_fp": shapes.contracts(venue.engine.queue_position(order_id))})


async def queue_positions(request: web.Request) -> web.Response:
    """GET: the same of every resting order."""
    venue, key = request.app[VENUE], reader(request)
    resting = [order for account_id in _accounts(request, key) for order in venue.engine.resting(account_id)]
    return reply(
        {
            "queue_positions": [
                {
                    "order_id": order.order_id,
                    "market_ticker": order.ticker,
                    "queue_position_fp": shapes.contracts(venue.engine.queue_position(order.order_id)),
                }
                for order in resting
                if _is_wanted(request, order.ticker, order.created_ms)
            ]
        }
    )


async def fills(request: web.Request) -> web.Response:
    """GET ?ticker&order_id&min_ts&max_ts&exchange_index&limit&cursor: newest first, each with its `fee_cost`."""
    venue, key = request.app[VENUE], reader(request)
    as_of, order_id = venue.as_of(route_of(request), key.member), request.query.get("order_id")
    found = [
        fill
        for account_id in _accounts(request, key)
        for fill in venue.engine.fills(account_id)
        if fill.ms <= as_of and order_id in (None, "", fill.order_id) and _is_wanted(request, fill.ticker, fill.ms)
    ]
    found.sort(key=lambda fill: fill.ms, reverse=True)
    return reply(page(request, "fills", found, lambda fill: shapes.fill(fill, member_of(fill.account_id)[1])))


async def settlements(request: web.Request) -> web.Response:
    """GET ?ticker&event_ticker&min_ts&max_ts&limit&cursor: newest first."""
    venue, key = request.app[VENUE], reader(request)
    as_of = venue.as_of(route_of(request), key.member)
    found = [
        settlement
        for account_id in _accounts(request, key)
        for settlement in venue.engine.settlements(account_id)
        if settlement.ms <= as_of and _is_wanted(request, settlement.ticker, settlement.ms)
    ]
    found.sort(key=lambda settlement: settlement.ms, reverse=True)
    events = venue.engine.markets
    return reply(
        page(request, "settlements", found, lambda each: shapes.settlement(each, events[each.ticker].event_ticker))
    )


async def balance(request: web.Request) -> web.Response:
    """GET ?exchange_index&subaccount: free cash of a shard, or of all of them together."""
    venue, key = request.app[VENUE], reader(request, "portfolio_balance")
    caller, shard = _caller(request, key), query_int(request, "exchange_index", 0, max(SHARDS))
    as_of = venue.as_of(route_of(request), key.member)
    free = venue.reads.available(caller.account_id, as_of)
    total = sum(amount for number, amount in free.items() if shard in (None, number))
    held = venue.reads.positions(caller.account_id, as_of)
    worth = sum(_worth(venue, ticker, position) for ticker, position in held.items())
    return reply(
        {
            "balance": shapes.cents(total),
            "balance_dollars": shapes.dollars(total // _CENTICENT * _CENTICENT),
            "portfolio_value": shapes.cents(worth),
            "updated_ts": as_of // 1000,
            "balance_breakdown": [
                {"exchange_index": number, "balance": shapes.dollars(free.get(number, 0) // _CENTICENT * _CENTICENT)}
                for number in SHARDS
            ],
        }
    )


async def positions(request: web.Request) -> web.Response:
    """GET ?settlement_status&ticker&event_ticker&exchange_index&limit&cursor: net positions, + YES and - NO."""
    venue, key = request.app[VENUE], reader(request)
    caller, status = _caller(request, key), request.query.get("settlement_status", "unsettled")
    if status not in ("unsettled", "settled", "all"):
        raise invalid_parameter("settlement_status must be unsettled, settled or all")
    held = venue.reads.positions(caller.account_id, venue.as_of(route_of(request), key.member))
    found = [
        (ticker, position)
        for ticker, position in held.items()
        if status in ("all", "settled" if venue.engine.markets[ticker].status == "finalized" else "unsettled")
        and _is_wanted(request, ticker, position.updated_ms)
    ]
    body = page(request, "market_positions", found, lambda each: shapes.position(*each, venue.shard_of(each[0])))
    return reply(body | {"event_positions": _by_event(venue, found)})


async def transfer(request: web.Request) -> web.Response:
    """POST: moves cash between shards (and subaccounts); the amount is in centicents ($0.0001)."""
    key, fields = writer(request, "transfer"), await body_of(request)
    for end in ("source", "destination"):
        if text(fields, end) != "event_contract":
            raise nested(400, "invalid_parameters", details=f"{end} must be event_contract")
    amount, *shards = [_whole(fields, name) for name in _TRANSFER]
    if amount <= 0 or any(shard not in SHARDS for shard in shards):
        raise nested(400, "invalid_parameters", details="amount must be above 0, shards must exist")
    giver, taker = (acting(key, fields.get(f"{end}_subaccount")) for end in ("source", "destination"))
    venue = request.app[VENUE]
    venue.engine.transfer(giver.account_id, taker.account_id, amount * _CENTICENT, shards[0], shards[1])
    return reply({"transfer_id": str(uuid.uuid4())})


async def netting(request: web.Request) -> web.Response:
    """GET: on which shards collateral of mutually exclusive events is returned."""
    venue, key = request.app[VENUE], reader(request)
    found = [(account_id, venue.engine.account(account_id)) for account_id in _accounts(request, key)]
    return reply(
        {
            "netting_configs": [
                {
                    "subaccount_number": member_of(account_id)[1],
                    "exchange_index": shard,
                    "enabled": shard in account.netting,
                }
                for account_id, account in found
                if account is not None
                for shard in SHARDS
            ]
        }
    )


async def set_netting(request: web.Request) -> web.Response:
    """PUT {subaccount_number, enabled, exchange_index}."""
    key, fields = writer(request), await body_of(request)
    shard, enabled = _whole({"exchange_index": 0} | fields, "exchange_index"), fields.get("enabled")
    if not isinstance(enabled, bool) or shard not in SHARDS:
        raise flat("enabled must be a boolean, exchange_index a shard")
    caller = acting(key, fields.get("subaccount_number"))
    request.app[VENUE].engine.set_netting(caller.account_id, enabled, shard)
    return reply({})


async def user_data_timestamp(request: web.Request) -> web.Response:
    """GET: the moment that reads tell about."""
    venue, key = request.app[VENUE], reader(request)
    return reply({"as_of_time": shapes.moment(venue.as_of(route_of(request), key.member))})


async def account_limits(request: web.Request) -> web.Response:
    """GET: the tier and its buckets."""
    reader(request)
    return reply(request.app[VENUE].limits.told())


async def costs(request: web.Request) -> web.Response:
    """GET: what endpoints cost."""
    reader(request)
    return reply(endpoint_costs())


async def api_keys(request: web.Request) -> web.Response:
    """GET: the member's keys, with the end of their location attestation."""
    found = request.app[VENUE].keys.of(reader(request).member)
    expiries = [key.region_expires_s for key in found if key.region_expires_s is not None]
    body: Json = {"api_keys": [_key(key) for key in found]}
    return reply(body | ({"api_key_region_expiration_ts": min(expiries)} if expiries else {}))


def page(
    request: web.Request,
    name: str,
    found: Sequence[T],
    shape: Callable[[T], Json],
    *,
    usual: int = 100,
    most: int = 1000,
) -> Json:
    """`limit` of what was found, and the cursor: "" on the last page; a text that is no cursor gives the first.

    Raises Refusal(400) for a limit outside 1..`most`.
    """
    limit, cursor = query_int(request, "limit", 1, most) or usual, request.query.get("cursor", "")
    start = int(cursor) if cursor.isascii() and cursor.isdecimal() and len(cursor) < 10 else 0
    end = start + limit
    return {name: [shape(each) for each in found[start:end]], "cursor": str(end) if end < len(found) else ""}


def _is_wanted(request: web.Request, ticker: str, ms: int) -> bool:
    venue, query = request.app[VENUE], request.query
    event = venue.engine.markets[ticker].event_ticker
    shard = query_int(request, "exchange_index", -1, max(SHARDS))
    since, until = query_int(request, "min_ts", 0, 1 << 40), query_int(request, "max_ts", 0, 1 << 40)
    conditions = (
        query.get("ticker") in (None, "", ticker),
        query.get("event_ticker") in (None, "", event),
        shard in (None, -1, venue.engine.events[event].exchange_index),
        since is None or ms // 1000 >= since,
        until is None or ms // 1000 <= until,
    )
    return all(conditions)


def _accounts(request: web.Request, key: ApiKey) -> list[str]:
    """The accounts a list tells of: all of the member's unless a subaccount is named, or the key is locked to one."""
    named = query_int(request, "subaccount", 0, 63)
    if named is None and key.subaccount is None:
        engine = request.app[VENUE].engine
        return [account_id for account_id in accounts_of(key.member) if engine.account(account_id) is not None]
    return [acting(key, named).account_id]


def _caller(request: web.Request, key: ApiKey) -> Caller:
    return acting(key, query_int(request, "subaccount", 0, 63))


def _order(venue: Venue, found: Order) -> Json:
    member, subaccount = member_of(found.account_id)
    return shapes.order(found, venue.shard_of(found.ticker), member, subaccount)


def _worth(venue: Venue, ticker: str, position: Position) -> int:
    """USD (base units) that a position would bring at the best prices in the book."""
    view = venue.engine.book(ticker)
    if position.net > 0:
        return position.net * (view.bids[-1][0] if view.bids else 0) // ONE
    return -position.net * (ONE - view.asks[-1][0] if view.asks else 0) // ONE


def _by_event(venue: Venue, found: Iterable[tuple[str, Position]]) -> list[Json]:
    events: dict[str, Position] = {}
    for ticker, position in found:
        total = events.setdefault(venue.engine.markets[ticker].event_ticker, Position())
        total.net += abs(position.net)
        total.cost += position.cost
        total.realized += position.realized
        total.traded += position.traded
        total.fees += position.fees
    return [
        {
            "event_ticker": event_ticker,
            "event_exposure_dollars": shapes.dollars(total.cost),
            "total_cost_shares_fp": shapes.contracts(total.net),
            "total_cost_dollars": shapes.dollars(total.traded),
            "realized_pnl_dollars": shapes.dollars(total.realized),
            "fees_paid_dollars": shapes.dollars(total.fees),
        }
        for event_ticker, total in events.items()
    ]


def _whole(fields: Json, name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise flat(f"{name} must be a whole number")
    return value


def _key(key: ApiKey) -> Json:
    shape: Json = {"api_key_id": key.key_id, "name": key.name, "scopes": list(key.scopes), "key_type": key.kind}
    return shape | ({"subaccount": key.subaccount} if key.subaccount is not None else {})


ROUTES = [
    web.get(f"{_PORTFOLIO}/orders", orders),
    web.get(f"{_PORTFOLIO}/orders/queue_positions", queue_positions),
    web.get(f"{_PORTFOLIO}/orders/{{order_id}}", order),
    web.get(f"{_PORTFOLIO}/orders/{{order_id}}/queue_position", queue_position),
    web.get(f"{_PORTFOLIO}/fills", fills),
    web.get(f"{_PORTFOLIO}/settlements", settlements),
    web.get(f"{_PORTFOLIO}/balance", balance),
    web.get(f"{_PORTFOLIO}/positions", positions),
    web.post(f"{_PORTFOLIO}/intra_exchange_instance_transfer", transfer),
    web.get(f"{_PORTFOLIO}/subaccounts/netting", netting),
    web.put(f"{_PORTFOLIO}/subaccounts/netting", set_netting),
    web.get(f"{PREFIX}/exchange/user_data_timestamp", user_data_timestamp),
    web.get(f"{PREFIX}/account/limits", account_limits),
    web.get(f"{PREFIX}/account/endpoint_costs", costs),
    web.get(f"{PREFIX}/api_keys", api_keys),
]
