"""POST /order and POST /orders: proves an order, lets the faults strike, has the engine take it, answers.

The engine writes its truth journal inside `submit`, so what it accepted is on record before any answer leaves.
"""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from arbsaga.errors import Rejected, Unavailable
from arbsaga.exchange.engine import Engine
from arbsaga.exchange.faults import Fault
from arbsaga.exchange.model import Ack, NewOrder
from arbsaga.exchange.polymarket import gate
from arbsaga.exchange.polymarket.auth import ApiKey
from arbsaga.exchange.polymarket.payload import DELAYED_FROM_MS, read_order
from arbsaga.exchange.polymarket.replies import MALFORMED, Refusal, hang_up, reply
from arbsaga.exchange.polymarket.venue import VENUE, Venue, caller_of, charge, json_of, received_of
from arbsaga.exchange.units import ONE, format_units

MAX_BATCH = 15

_Outcome = Ack | Refusal


async def post_order(request: web.Request) -> web.Response:
    """One order. Accepted: 200 with its id and what matched at once; refused: the venue's status and text."""
    venue = request.app[VENUE]
    venue.gate.check_restart(request.path)
    caller = await caller_of(request)
    charge(request, "order", caller, 1)
    order = read_order(await json_of(request), caller, venue.engine, received_of(request))
    refused = venue.gate.refuses(order)
    if refused is not None:
        raise refused
    outcomes = await _deliver(request, [order])
    if outcomes is None:
        return hang_up(request)
    if isinstance(outcomes[0], Refusal):
        raise outcomes[0]
    return reply(_accepted(outcomes[0]))


async def post_orders(request: web.Request) -> web.Response:
    """Up to 15 orders, each on its own: 200 with one result per entry, in their order."""
    venue = request.app[VENUE]
    venue.gate.check_restart(request.path)
    caller = await caller_of(request)
    payloads = await json_of(request)
    if not isinstance(payloads, list) or not payloads:
        raise Refusal(400, MALFORMED)
    if len(payloads) > MAX_BATCH:
        raise Refusal(400, f"Too many orders in payload: {len(payloads)}, max allowed: {MAX_BATCH}")
    charge(request, "order", caller, len(payloads))
    entries = [_read_entry(payload, caller, request) for payload in payloads]
    outcomes = await _deliver(request, [entry for entry in entries if isinstance(entry, NewOrder)])
    if outcomes is None:
        return hang_up(request)
    taken = iter(outcomes)
    results = [_entry(next(taken) if isinstance(entry, NewOrder) else entry, venue) for entry in entries]
    return reply(_damaged(results, venue, request.path))


def _read_entry(payload: object, caller: ApiKey, request: web.Request) -> NewOrder | Refusal:
    venue = request.app[VENUE]
    try:
        order = read_order(payload, caller, venue.engine, received_of(request))
    except Refusal as refusal:
        return refusal
    return venue.gate.refuses(order) or order


async def _deliver(request: web.Request, orders: Sequence[NewOrder]) -> list[_Outcome] | None:
    """What became of each order, or None when the caller is not to be answered."""
    venue, path = request.app[VENUE], request.path
    late = gate.draw_any(venue.engine, "late_post", orders, path)
    if late is not None:
        venue.later(_deliver_late(venue, orders, float(late.number("seconds", 20))))
        return None
    status = gate.draw_any(venue.engine, "status", orders, path)
    if status is not None and not status.number("after", 0):
        raise gate.refusal_of(status)
    await gate.wait(max((_hold_s(venue.engine, order) for order in orders), default=0))
    outcomes = [_submit(venue.engine, order) for order in orders]
    if status is not None:
        raise gate.refusal_of(status)
    return None if _answer_is_lost(venue, orders, outcomes, path) else outcomes


async def _deliver_late(venue: Venue, orders: Sequence[NewOrder], seconds: float) -> None:
    """The bytes were somewhere in between: the engine gets them now, nobody hears of it."""
    await asyncio.sleep(seconds)
    for order in orders:
        _submit(venue.engine, order)


def _submit(engine: Engine, order: NewOrder) -> _Outcome:
    try:
        return engine.submit(order)
    except Rejected as rejected:
        return Refusal(rejected.status, rejected.text, code=rejected.code)
    except Unavailable:
        # The journal cannot be written: nothing was accepted, and the caller must not believe otherwise.
        return Refusal(500, gate.STATUS_TEXTS["insert"])


def _answer_is_lost(venue: Venue, orders: Sequence[NewOrder], outcomes: Sequence[_Outcome], path: str) -> bool:
    """A dropped response always hides an acceptance (py-clob-client #273)."""
    accepted = [order for order, outcome in zip(orders, outcomes, strict=True) if isinstance(outcome, Ack)]
    return gate.draw_any(venue.engine, "drop_response", accepted, path) is not None


def _hold_s(engine: Engine, order: NewOrder) -> float:
    """Seconds a taker order waits inside the call on a market with a short taker delay."""
    delay_ms = engine.market_of(order.token_id).taker_delay_ms
    if not 0 < delay_ms < DELAYED_FROM_MS or order.post_only or not _crosses(engine, order):
        return 0
    return delay_ms / 1000


def _crosses(engine: Engine, order: NewOrder) -> bool:
    view = engine.book(order.token_id)
    if order.side == "BUY":
        return bool(view.asks) and view.asks[-1][0] * order.shares <= order.usd * ONE
    return bool(view.bids) and view.bids[-1][0] * order.shares >= order.usd * ONE


def _accepted(ack: Ack) -> dict[str, object]:
    """Amounts are decimals of USD or shares as text, empty where nothing matched."""
    return {
        "success": True,
        "errorMsg": "",
        "orderID": ack.order_id,
        "status": ack.status,
        "makingAmount": format_units(ack.making_amount) if ack.making_amount else "",
        "takingAmount": format_units(ack.taking_amount) if ack.taking_amount else "",
        "transactionsHashes": list(ack.transaction_hashes),
        "tradeIDs": list(ack.trade_ids),
    }


def _entry(outcome: _Outcome, venue: Venue) -> dict[str, object]:
    """One result of a batch. A refusal for post-only mode says success: true all the same, as the venue does."""
    if isinstance(outcome, Ack):
        return _accepted(outcome)
    quiet = outcome.code == gate.POST_ONLY_CODE
    return {
        "success": quiet or venue.settings.refused_entry_success,
        "errorMsg": outcome.text,
        "orderID": "",
        "status": "",
        "makingAmount": "",
        "takingAmount": "",
        "transactionsHashes": [],
        "tradeIDs": [],
    }


def _damaged(results: list[dict[str, object]], venue: Venue, path: str) -> list[dict[str, object]]:
    """`partial_batch`: the last entry is missing, or lacks a key (`variant=malformed`), although it was taken."""
    fault: Fault | None = venue.faults.draw("partial_batch", path=path)
    if fault is None:
        return results
    if fault.text("variant", "missing") == "missing":
        return results[:-1]
    return [*results[:-1], {key: value for key, value in results[-1].items() if key != "makingAmount"}]


ROUTES = [web.post("/order", post_order), web.post("/orders", post_orders)]
