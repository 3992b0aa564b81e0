"""The exchange's own controls, under /admin and for callers on this machine only. Not part of the venue's wire."""

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from arbsaga.errors import Rejected, Unavailable, UserError
from arbsaga.exchange.faults import Fault
from arbsaga.exchange.kalshi.auth import ApiKey
from arbsaga.exchange.kalshi.channels import Hub
from arbsaga.exchange.kalshi.model import Account, NewOrder
from arbsaga.exchange.kalshi.replies import Refusal, reply
from arbsaga.exchange.kalshi.shapes import Json
from arbsaga.exchange.kalshi.venue import SHARDS, Venue, World, body_of
from arbsaga.exchange.polymarket.admin import guard
from arbsaga.exchange.units import format_units, parse, to_decimal

HOUSE = "house-desk"
"""The house account of orders put up by hand."""

_Handler = Callable[[web.Request], Awaitable[web.Response]]
_VALUES = {"YES": "1", "NO": "0"}


class Admin:
    """Handlers of /admin. `world` is None where nothing but the engine runs."""

    def __init__(self, venue: Venue, hub: Hub, world: World | None) -> None:
        self._venue, self._hub, self._world = venue, hub, world
        self._paused = False

    def routes(self) -> list[web.RouteDef]:
        """Every control, for this machine only."""
        return [
            web.get("/admin/faults", local(self.faults)),
            web.post("/admin/faults", local(self.add_fault)),
            web.delete("/admin/faults", local(self.clear_faults)),
            web.get("/admin/truth", local(self.truth)),
            web.get("/admin/state", local(self.state)),
            web.post("/admin/deposit", local(self.deposit)),
            web.post("/admin/keys", local(self.add_key)),
            web.delete("/admin/keys", local(self.remove_key)),
            web.post("/admin/pause", local(self.pause)),
            web.post("/admin/resume", local(self.resume)),
            web.post("/admin/plant", local(self.plant)),
            web.post("/admin/resolve", local(self.resolve)),
            web.post("/admin/halt", local(self.halt)),
            web.post("/admin/order", local(self.order)),
            web.post("/admin/cancel", local(self.cancel)),
        ]

    async def faults(self, _: web.Request) -> web.Response:
        """GET: what is in force and how often it struck."""
        return reply({"faults": [_fault(fault, struck) for fault, struck in self._venue.engine.faults.active()]})

    async def add_fault(self, request: web.Request) -> web.Response:
        """POST {"spec": "NAME[:RATE][,key=value…]"}. `restart` also breaks every WebSocket."""
        fault = self._venue.engine.faults.add(await _text(request, "spec"))
        if fault.name == "restart":
            self._hub.drop_all()
        return reply(_fault(fault, 0))

    async def clear_faults(self, request: web.Request) -> web.Response:
        """DELETE [?name=]"""
        return reply({"lifted": self._venue.engine.faults.clear(request.query.get("name"))})

    async def truth(self, _: web.Request) -> web.Response:
        """GET: where the truth journal is, and its lines so far."""
        path = self._venue.truth
        return reply({"path": str(path.absolute()), "lines": path.read_bytes().count(b"\n")})

    async def state(self, _: web.Request) -> web.Response:
        """GET: accounts that are not the house's, what they have, what rests and what is to be paid out, counters."""
        engine = self._venue.engine
        return reply(
            {
                "accounts": [self._account(account) for account in engine.accounts() if not account.house],
                "events": len(engine.events),
                "markets": len(engine.markets),
                "open_markets": sum(market.status == "active" for market in engine.markets.values()),
                "pending_payouts": [ticker for ticker in engine.unpaid if self._is_held(ticker)],
                "accepted": engine.accepted,
                "duplicates": engine.duplicates,
                "messages": self._hub.messages,
                "sockets": self._hub.connections,
                "paused": self._paused,
            }
        )

    async def deposit(self, request: web.Request) -> web.Response:
        """POST {"address", "amount", "exchange_index"?}: a member, and USD as decimal text, more than 0."""
        member, amount = await _text(request, "address"), parse(await _text(request, "amount"))
        shard = (await body_of(request)).get("exchange_index", 0)
        if amount <= 0 or not isinstance(shard, int) or isinstance(shard, bool) or shard not in SHARDS:
            raise Refusal(400, {"error": "amount must be more than 0, exchange_index a shard"})
        self._venue.engine.deposit(member, amount, shard)
        return reply({"address": member, "cash": format_units(self._venue.engine.available(member, shard))})

    async def add_key(self, request: web.Request) -> web.Response:
        """POST {"address", "public_key", "scopes"?, "subaccount"?, "region_expires"?, "name"?, "key_id"?}."""
        body = await body_of(request)
        scopes, member = body.get("scopes", ["read", "write"]), await _text(request, "address")
        if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
            raise Refusal(400, {"error": "scopes must be a list of texts"})
        if "/" in member:
            raise Refusal(400, {"error": "address must be a member's name without /"})
        key = ApiKey(
            key_id=str(body.get("key_id", "")),
            member=member,
            public_key=await _text(request, "public_key"),
            name=str(body.get("name", "key")),
            scopes=tuple(scopes),
            subaccount=_optional_int(body, "subaccount"),
            region_expires_s=_optional_int(body, "region_expires"),
        )
        return reply({"key_id": self._venue.keys.add(key).key_id})

    async def remove_key(self, request: web.Request) -> web.Response:
        """DELETE ?key_id="""
        return reply({"removed": self._venue.keys.remove(request.query.get("key_id", ""))})

    async def pause(self, _: web.Request) -> web.Response:
        """POST: no orders of the house; members go on."""
        return self._set_paused(True)

    async def resume(self, _: web.Request) -> web.Response:
        """POST: undoes pause."""
        return self._set_paused(False)

    def _set_paused(self, paused: bool) -> web.Response:
        self._paused = paused
        if self._world is not None:
            (self._world.pause if paused else self._world.resume)()
        return reply({"paused": paused})

    async def plant(self, request: web.Request) -> web.Response:
        """POST {"event_ticker" or "ticker", "edge"}: misprices it now, by edge USD per contract."""
        if self._world is None:
            raise Refusal(400, {"error": "no world is running that could be mispriced"})
        key = "ticker" if "ticker" in await body_of(request) else "event_ticker"
        target = await _text(request, key)
        self._world.plant(target, to_decimal(parse(await _text(request, "edge"))))
        return reply({key: target})

    async def resolve(self, request: web.Request) -> web.Response:
        """POST {"ticker", "outcome": "YES" | "NO" | USD per YES contract}"""
        ticker, outcome = await _text(request, "ticker"), (await _text(request, "outcome")).upper()
        self._venue.engine.determine(self._venue.market(ticker).ticker, parse(_VALUES.get(outcome, outcome)))
        return reply({"ticker": ticker, "result": self._venue.market(ticker).result})

    async def halt(self, request: web.Request) -> web.Response:
        """POST {"ticker", "paused"} for one market; {"trading"?, "exchange"?, "exchange_index"?} for shards."""
        body = await body_of(request)
        flags = {name: body.get(name, False) for name in ("paused", "trading", "exchange")}
        if any(not isinstance(flag, bool) for flag in flags.values()):
            raise Refusal(400, {"error": "paused, trading and exchange must be booleans"})
        if "ticker" in body:
            self._venue.engine.pause_market(self._venue.market(str(body["ticker"])).ticker, flags["paused"])
        else:
            shard = _optional_int(body, "exchange_index")
            self._venue.engine.halt(trading=flags["trading"], exchange=flags["exchange"], exchange_index=shard)
        return reply(flags)

    async def order(self, request: web.Request) -> web.Response:
        """POST {"ticker", "side": "bid" | "ask", "price", "count", "time_in_force"?}: an order of the house."""
        engine, body = self._venue.engine, await body_of(request)
        side, kind = await _text(request, "side"), body.get("time_in_force", "good_till_canceled")
        if side not in ("bid", "ask") or kind not in ("good_till_canceled", "immediate_or_cancel", "fill_or_kill"):
            raise Refusal(400, {"error": "side must be bid or ask, time_in_force one of the venue's"})
        engine.create_account(HOUSE, house=True)
        new = NewOrder(
            account_id=HOUSE,
            ticker=self._venue.market(await _text(request, "ticker")).ticker,
            side="bid" if side == "bid" else "ask",
            price=parse(await _text(request, "price")),
            count=parse(await _text(request, "count")),
            time_in_force=kind,
            received_ms=self._venue.clock(),
            received_ns=time.monotonic_ns(),
        )
        answer = engine.submit(new)
        return reply({"order_id": answer.order_id, "fill_count": format_units(answer.fill_count)})

    async def cancel(self, request: web.Request) -> web.Response:
        """POST {"order_id"}: takes back an order that was put up by hand."""
        answer = self._venue.engine.cancel(HOUSE, await _text(request, "order_id"))
        return reply({"order_id": answer.order_id, "reduced_by": format_units(answer.reduced_by)})

    def _is_held(self, ticker: str) -> bool:
        accounts = (account for account in self._venue.engine.accounts() if not account.house)
        return any(held.net for account in accounts for name, held in account.positions.items() if name == ticker)

    def _account(self, account: Account) -> Json:
        return {
            "address": account.account_id,
            "cash": {str(shard): format_units(cash) for shard, cash in account.cash.items()},
            "positions": {ticker: format_units(held.net) for ticker, held in account.positions.items() if held.net},
            "open_orders": [
                {
                    "order_id": order.order_id,
                    "ticker": order.ticker,
                    "side": order.side,
                    "price": format_units(order.price),
                    "remaining": format_units(order.remaining_count),
                }
                for order in self._venue.engine.resting(account.account_id)
            ],
        }


def local(handler: _Handler) -> _Handler:
    """The handler behind the guard; a mistake in a call is one line with 400."""

    async def guarded(request: web.Request) -> web.Response:
        guard(request)
        try:
            return await handler(request)
        except (Unavailable, Rejected):
            raise
        except (UserError, ValueError) as mistake:
            raise Refusal(400, {"error": str(mistake)}) from None

    return guarded


async def _text(request: web.Request, key: str) -> str:
    value = (await body_of(request)).get(key)
    if value is None or isinstance(value, dict | list):
        raise Refusal(400, {"error": f"{key} is missing"})
    return str(value)


def _optional_int(body: Json, key: str) -> int | None:
    value = body.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise Refusal(400, {"error": f"{key} must be a whole number"})
    return value


def _fault(fault: Fault, struck: int) -> Json:
    return {"spec": str(fault), "name": fault.name, "struck": struck}
