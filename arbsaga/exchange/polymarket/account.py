"""Private reads of the CLOB: API keys, orders, trades, balances."""

from collections.abc import Iterator, Sequence

from aiohttp import web

from arbsaga.errors import UnknownToken
from arbsaga.exchange.ids import CTF_EXCHANGE, EXCHANGE_V3, NEG_RISK_EXCHANGE, spender_of
from arbsaga.exchange.model import CASH, UNLIMITED, Account, Order, Trade
from arbsaga.exchange.polymarket import shapes
from arbsaga.exchange.polymarket.auth import ApiKey
from arbsaga.exchange.polymarket.ids import condition_key
from arbsaga.exchange.polymarket.markets import page
from arbsaga.exchange.polymarket.payload import BAD_TOKEN
from arbsaga.exchange.polymarket.replies import Refusal, reply
from arbsaga.exchange.polymarket.shapes import Json
from arbsaga.exchange.polymarket.venue import VENUE, Venue, caller_of
from arbsaga.exchange.polymarket.wallets import wallets_of

_REST_STATUS = {"DELAYED": "LIVE", "CANCELED_MARKET_RESOLVED": "CANCELED_MARKET_RESOLVED"}
"""REST knows LIVE, MATCHED, CANCELED, CANCELED_MARKET_RESOLVED; the user channel tells more."""


async def create_key(request: web.Request) -> web.Response:
    """POST /auth/api-key, with L1 headers."""
    keys, now = request.app[VENUE].keys, request.app[VENUE].clock()
    return reply(_credentials(keys.create(*keys.login(request.headers, now))))


async def derive_key(request: web.Request) -> web.Response:
    """GET /auth/derive-api-key, with L1 headers."""
    keys, now = request.app[VENUE].keys, request.app[VENUE].clock()
    return reply(_credentials(keys.derive(*keys.login(request.headers, now))))


async def list_keys(request: web.Request) -> web.Response:
    """GET /auth/api-keys: all keys of the caller's address."""
    caller = await caller_of(request)
    return reply({"apiKeys": request.app[VENUE].keys.of_address(caller.address)})


async def delete_key(request: web.Request) -> web.Response:
    """DELETE /auth/api-key: the one it is called with."""
    request.app[VENUE].keys.delete(await caller_of(request))
    return reply("OK")


async def closed_only(request: web.Request) -> web.Response:
    """GET /auth/ban-status/closed-only: nobody is banned here."""
    await caller_of(request)
    return reply({"closed_only": False})


async def notifications(request: web.Request) -> web.Response:
    """GET /notifications: none are made here; fills and cancels are told by the user channel."""
    await caller_of(request)
    return reply([])


async def order(request: web.Request) -> web.Response:
    """GET /data/order/{id}: the caller's own, in any state unless the settings hide finished ones (null)."""
    venue = request.app[VENUE]
    caller = await caller_of(request)
    found = venue.engine.order(request.match_info["order_id"])
    if found is None or found.maker not in wallets_of(caller.address):
        raise Refusal(404, "order not found")
    if venue.settings.hide_finished_orders and not found.open:
        return reply(None)
    return reply(_order(venue, found))


async def orders(request: web.Request) -> web.Response:
    """GET /data/orders?id=&market=&asset_id=&next_cursor=: what is open."""
    venue = request.app[VENUE]
    wallets = wallets_of((await caller_of(request)).address)
    wanted = {"order_id": request.query.get("id"), "token_id": request.query.get("asset_id")}
    market = request.query.get("market")
    wanted["condition_id"] = condition_key(market) if market else None
    found = [
        order
        for wallet in _accounts(venue, wallets)
        for order in venue.engine.open_orders(wallet)
        if all(value is None or getattr(order, key) == value for key, value in wanted.items())
    ]
    return reply(page(request, found, lambda order: _order(venue, order)))


async def trades(request: web.Request) -> web.Response:
    """GET /data/trades?id=&market=&asset_id=&maker_address=&after=&before=&next_cursor=: newest first."""
    venue = request.app[VENUE]
    caller = await caller_of(request)
    wallets = _accounts(venue, wallets_of(caller.address))
    mine = {trade.trade_id: trade for wallet in wallets for trade in _recent(venue, wallet, request)}
    found = sorted(mine.values(), key=lambda trade: trade.matched_ms, reverse=True)
    return reply(page(request, found, lambda trade: _trade(venue, trade, caller)))


async def balance(request: web.Request) -> web.Response:
    """GET /balance-allowance?asset_type=&token_id=&signature_type=: settled balance, base units as text."""
    venue = request.app[VENUE]
    caller = await caller_of(request)
    account = venue.wallet(caller, _signature_type(request))
    asset, spenders = _asset(venue, request)
    fresh: Json = {
        "balance": str(account.balance(asset) if account is not None else 0),
        "allowances": {spender: str(_allowance(account, spender)) for spender in spenders},
    }
    key = (caller.address, _signature_type(request), asset)
    stale = venue.faults.draw("stale_balance", path=request.path) is not None
    if not stale or key not in venue.balances_told:
        venue.balances_told[key] = fresh
    return reply(venue.balances_told[key])


async def refresh_balance(request: web.Request) -> web.Response:
    """GET /balance-allowance/update: has the server look at the chain again."""
    venue = request.app[VENUE]
    caller = await caller_of(request)
    account = venue.wallet(caller, _signature_type(request))
    asset, _ = _asset(venue, request)
    venue.balances_told.pop((caller.address, _signature_type(request), asset), None)
    if account is not None:
        venue.engine.refresh_balance(account.address)
    return reply({})


def _credentials(key: ApiKey) -> Json:
    return {"apiKey": key.key, "secret": key.secret, "passphrase": key.passphrase}


def _order(venue: Venue, found: Order) -> Json:
    status = "CANCELED" if found.status.startswith("CANCELED") else found.status
    return shapes.order(venue.engine, found) | {"status": _REST_STATUS.get(found.status, status)}


def _trade(venue: Venue, found: Trade, caller: ApiKey) -> Json:
    shape = shapes.trade(venue.engine, found, frozenset(wallets_of(caller.address)), caller.key)
    return shape | {"status": f"TRADE_STATUS_{found.status}"}


def _recent(venue: Venue, wallet: str, request: web.Request) -> Iterator[Trade]:
    """Newest first, and no further back than asked for: a wallet can have tens of thousands."""
    after = _seconds(request, "after", -1)
    for trade in venue.engine.newest_trades(wallet):
        if trade.matched_ms // 1000 <= after:
            return
        if _is_wanted(trade, request):
            yield trade


def _is_wanted(trade: Trade, request: web.Request) -> bool:
    query = request.query
    market = query.get("market")
    conditions = (
        query.get("id") in (None, trade.trade_id),
        not market or condition_key(market) == trade.condition_id,
        not query.get("asset_id") or query["asset_id"] in {fill.token_id for fill in trade.fills},
        not query.get("maker_address")
        or query["maker_address"].lower() in {fill.address.lower() for fill in trade.fills},
        trade.matched_ms // 1000 < _seconds(request, "before", 1 << 62),
    )
    return all(conditions)


def _seconds(request: web.Request, key: str, default: int) -> int:
    value = request.query.get(key)
    if value is not None and not value.isdecimal():
        raise Refusal(400, f"Invalid {key}")
    return int(value) if value else default


def _accounts(venue: Venue, wallets: Sequence[str]) -> list[str]:
    return [wallet for wallet in wallets if venue.engine.account(wallet) is not None]


def _signature_type(request: web.Request) -> int:
    value = request.query.get("signature_type", "0")
    if not value.isdecimal():
        raise Refusal(400, "Invalid signature type")
    return int(value)


def _asset(venue: Venue, request: web.Request) -> tuple[str, Sequence[str]]:
    """(asset key, the contracts whose allowance matters). Raises Refusal(400)."""
    kind, token = request.query.get("asset_type"), request.query.get("token_id", "")
    if kind == "COLLATERAL":
        return CASH, (CTF_EXCHANGE, NEG_RISK_EXCHANGE, EXCHANGE_V3)
    if kind not in ("CONDITIONAL", "CONDITIONAL-V2"):
        raise Refusal(400, "Invalid asset type")
    try:
        return token, (spender_of(venue.engine.market_of(token)),)
    except UnknownToken:
        raise Refusal(400, BAD_TOKEN) from None


def _allowance(account: Account | None, spender: str) -> int:
    return account.allowances.get(spender, UNLIMITED) if account is not None else 0


ROUTES = [
    web.post("/auth/api-key", create_key),
    web.delete("/auth/api-key", delete_key),
    web.get("/auth/derive-api-key", derive_key),
    web.get("/auth/api-keys", list_keys),
    web.get("/auth/ban-status/closed-only", closed_only),
    web.get("/notifications", notifications),
    web.get("/data/order/{order_id}", order),
    web.get("/data/orders", orders),
    web.get("/data/trades", trades),
    web.get("/balance-allowance", balance),
    web.get("/balance-allowance/update", refresh_balance),
]
