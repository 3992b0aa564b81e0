"""The exchange's own controls, under /admin and for callers on this machine only. Not part of the venue's wire."""

import ipaddress
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web

from arbsaga.errors import Unavailable, UserError
from arbsaga.exchange.faults import Fault
from arbsaga.exchange.model import Account, Market, NewOrder
from arbsaga.exchange.polymarket.ids import condition_key
from arbsaga.exchange.polymarket.replies import Refusal, reply
from arbsaga.exchange.polymarket.shapes import Json
from arbsaga.exchange.polymarket.signatures import checksum
from arbsaga.exchange.polymarket.venue import Venue, World, json_of
from arbsaga.exchange.units import ONE, collateral, format_units, parse, to_decimal

WALLET = f"0x{1003:040d}"
"""The house wallet of orders put up by hand. Digits only, so it is its own checksummed form."""

_Handler = Callable[[web.Request], Awaitable[web.Response]]

_OUTCOMES = {"YES": 0, "NO": 1, "0": 0, "1": 1}


class Admin:
    """Handlers of /admin. `world` is None where nothing but the engine runs."""

    def __init__(self, venue: Venue, world: World | None) -> None:
        self._venue = venue
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """Every control, for this machine only."""
        return [
            web.get("/admin/faults", local(self.faults)),
            web.post("/admin/faults", local(self.add_fault)),
            web.delete("/admin/faults", local(self.clear_faults)),
            web.get("/admin/truth", local(self.truth)),
            web.get("/admin/state", local(self.state)),
            web.post("/admin/deposit", local(self.deposit)),
            web.post("/admin/pause", local(self.pause)),
            web.post("/admin/resume", local(self.resume)),
            web.post("/admin/plant", local(self.plant)),
            web.post("/admin/resolve", local(self.resolve)),
            web.post("/admin/order", local(self.order)),
        ]

    async def faults(self, _: web.Request) -> web.Response:
        """GET: what is in force and how often it struck."""
        return reply({"faults": [_fault(fault, struck) for fault, struck in self._venue.faults.active()]})

    async def add_fault(self, request: web.Request) -> web.Response:
        """POST {"spec": "NAME[:RATE][,key=value…]"}"""
        fault = self._venue.faults.add(await _text(request, "spec"))
        return reply(_fault(fault, 0))

    async def clear_faults(self, request: web.Request) -> web.Response:
        """DELETE [?name=]"""
        return reply({"lifted": self._venue.faults.clear(request.query.get("name"))})

    async def truth(self, _: web.Request) -> web.Response:
        """GET: where the truth journal is, and its lines so far."""
        path = self._venue.truth
        return reply({"path": str(path.absolute()), "lines": path.read_bytes().count(b"\n")})

    async def state(self, _: web.Request) -> web.Response:
        """GET: accounts that are not the house's, what is open, what has not settled, counters."""
        engine = self._venue.engine
        accounts = [_account(self._venue, account) for account in engine.accounts() if not account.house]
        return reply(
            {
                "accounts": accounts,
                "pending_trades": [
                    {"trade_id": trade.trade_id, "status": trade.status} for trade in engine.pending_trades()
                ],
                "events": len(engine.events),
                "markets": len(engine.markets),
                "open_markets": sum(not market.closed for market in engine.markets.values()),
                "accepted": engine.accepted,
                "duplicates": engine.duplicates,
                "messages": self._venue.messages,
                "sockets": self._venue.sockets,
                "paused": engine.resolutions_paused,
            }
        )

    async def deposit(self, request: web.Request) -> web.Response:
        """POST {"address", "amount"}: USD as decimal text, more than 0."""
        address, amount = checksum(await _text(request, "address")), parse(await _text(request, "amount"))
        if amount <= 0:
            raise Refusal(400, "amount must be more than 0")
        self._venue.engine.deposit(address, amount)
        account = self._venue.engine.create_account(address)
        return reply({"address": address, "cash": format_units(account.cash)})

    async def pause(self, _: web.Request) -> web.Response:
        """POST: no new events, resolutions or orders of traders; settlement goes on."""
        return self._set_paused(True)

    async def resume(self, _: web.Request) -> web.Response:
        """POST: undoes pause."""
        return self._set_paused(False)

    def _set_paused(self, paused: bool) -> web.Response:
        self._venue.engine.resolutions_paused = paused
        if self._world is not None:
            (self._world.pause if paused else self._world.resume)()
        return reply({"paused": paused})

    async def plant(self, request: web.Request) -> web.Response:
        """POST {"event_id" or "condition_id", "edge"}: misprices the event now, by edge per $1 of payout after fees."""
        if self._world is None:
            raise Refusal(400, "no world is running that could be mispriced")
        key = "condition_id" if "condition_id" in await _object(request) else "event_id"
        target = await _text(request, key)
        self._world.plant(target, to_decimal(parse(await _text(request, "edge"))))
        return reply({key: target})

    async def resolve(self, request: web.Request) -> web.Response:
        """POST {"condition_id", "outcome": "YES" | "NO"}, or {"condition_id", "value": "0.5"} for a split decision."""
        market = self._market(await _text(request, "condition_id"))
        if "value" in await _object(request):
            if parse(await _text(request, "value")) != ONE // 2:
                raise Refusal(400, "value must be 0.5: otherwise name the outcome that wins")
            self._venue.engine.split(market.condition_id)
            return reply({"condition_id": market.condition_id, "winner": None})
        outcome = _OUTCOMES.get((await _text(request, "outcome")).upper())
        if outcome is None:
            raise Refusal(400, "outcome must be YES or NO")
        self._venue.engine.resolve(market.condition_id, outcome)
        return reply({"condition_id": market.condition_id, "winner": outcome})

    async def order(self, request: web.Request) -> web.Response:
        """POST {"token_id", "side", "price", "size", "order_type"?}: an order of the house, to move a book."""
        engine, token = self._venue.engine, await _text(request, "token_id")
        side, kind = await _text(request, "side"), str((await _object(request)).get("order_type", "GTC"))
        price, shares = parse(await _text(request, "price")), parse(await _text(request, "size"))
        usd = collateral(shares, price)
        given, wanted = (usd, shares) if side == "BUY" else (shares, usd)
        if side not in ("BUY", "SELL") or kind not in ("GTC", "FAK", "FOK"):
            raise Refusal(400, "side must be BUY or SELL, order_type GTC, FAK or FOK")
        engine.create_account(WALLET, house=True)
        order_id = f"0x{secrets.token_hex(32)}"
        ack = engine.submit(NewOrder(order_id, WALLET, WALLET, token, side, given, wanted, kind))  # type: ignore[arg-type]  # both were checked above
        return reply({"order_id": order_id, "status": ack.status, "matched": format_units(ack.taking_amount)})

    def _market(self, condition_id: str) -> Market:
        market = self._venue.engine.markets.get(condition_key(condition_id))
        if market is None:
            raise Refusal(404, "market not found")
        return market


def guard(request: web.Request) -> None:
    """Raises Refusal(403) for a caller that is not on this machine."""
    if request.remote is None or not ipaddress.ip_address(request.remote).is_loopback:
        raise Refusal(403, "the admin API answers this machine only")


def local(handler: _Handler) -> _Handler:
    """The handler behind the guard; a mistake in a call is one line with 400."""

    async def guarded(request: web.Request) -> web.Response:
        guard(request)
        try:
            return await handler(request)
        except Unavailable:
            raise
        except (UserError, ValueError) as mistake:
            raise Refusal(400, str(mistake)) from None

    return guarded


async def _object(request: web.Request) -> dict[str, object]:
    body = await json_of(request)
    if not isinstance(body, dict):
        raise Refusal(400, "the body must be a JSON object")
    return body


async def _text(request: web.Request, key: str) -> str:
    value = (await _object(request)).get(key)
    if value is None or isinstance(value, dict | list):
        raise Refusal(400, f"{key} is missing")
    return str(value)


def _fault(fault: Fault, struck: int) -> Json:
    return {"spec": str(fault), "name": fault.name, "struck": struck}


def _account(venue: Venue, account: Account) -> Json:
    return {
        "address": account.address,
        "cash": format_units(account.cash),
        "shares": {token: format_units(shares) for token, shares in account.shares.items() if shares},
        "open_orders": [
            {
                "order_id": order.order_id,
                "token_id": order.token_id,
                "side": order.side,
                "price": format_units(order.price),
                "remaining": format_units(order.remaining),
            }
            for order in venue.engine.open_orders(account.address)
        ],
    }
