"""The Data API (v2) and the relayer's one read: positions, approvals, resolutions, whether a wallet exists.

Amounts are JSON numbers here, and holdings under 0.1 share are hidden, as on the live service: no source for accounts.
"""

from collections.abc import Iterable

from aiohttp import web

from arbsaga.exchange.ids import CHAIN, CTF_EXCHANGE, EXCHANGE_V3, NEG_RISK_EXCHANGE
from arbsaga.exchange.model import UNLIMITED, Account, Market, Trade
from arbsaga.exchange.polymarket.ids import condition_key, outcome_of
from arbsaga.exchange.polymarket.markets import number, outcome_price
from arbsaga.exchange.polymarket.replies import Refusal, reply
from arbsaga.exchange.polymarket.shapes import Json
from arbsaga.exchange.polymarket.signatures import checksum
from arbsaga.exchange.polymarket.venue import VENUE, Venue
from arbsaga.exchange.units import ONE

LEAST_SHOWN = ONE // 10

PUSD = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"
CTF = "0x4D97DCd97eC945f40cF65F87097ACe5EA0476045"
POSITION_MANAGER = "0x006F54F7f9A22e0000CC2AB60031000000ae9fEF"
ROUTER = "0x12121212006e4CD160D18e3f00711DA5c3372600"
ADAPTERS = (
    "0xAdA100Db00Ca00073811820692005400218FcE1f",
    "0xadA2005600Dec949baf300f4C6120000bDB6eAab",
)
AUTO_REDEEMER = "0xa1200000d0002264C9a1698e001292D00E1b00af"
MODULES = (
    "0x1000008dD9001B968442c1000017eaE6E0dA00Ba",
    "0x200000900045e3B6259600682756002200028933",
)
PERPS = "0xDCa4af75705dbB50f62437045afF9921947917d2"

_SPENDERS = (CTF_EXCHANGE, NEG_RISK_EXCHANGE, *ADAPTERS, ROUTER, EXCHANGE_V3, PERPS)
_OPERATORS = {
    CTF: (CTF_EXCHANGE, NEG_RISK_EXCHANGE, *ADAPTERS, AUTO_REDEEMER, *MODULES),
    POSITION_MANAGER: (ROUTER, EXCHANGE_V3, AUTO_REDEEMER),
}


async def positions(request: web.Request) -> web.Response:
    """GET /v2/positions?user=&condition_id=&status=&cursor=&limit=: settled holdings, one page."""
    venue = request.app[VENUE]
    found = venue.engine.account(_address(request.query.get("user", "")))
    wanted = [condition_key(value) for value in request.query.get("condition_id", "").split(",") if value]
    rows = [
        _position(venue, account, token, shares)
        for account in ([found] if found is not None else [])
        for token, shares in account.shares.items()
        if shares >= LEAST_SHOWN and (not wanted or venue.engine.market_of(token).condition_id in wanted)
    ]
    status = request.query.get("status")
    shown = [row for row in rows if status in (None, row["status"])]
    return reply({"data": shown, "pagination": {"has_more": False, "next_cursor": None}})


async def approvals(request: web.Request) -> web.Response:
    """GET /v2/approvals?user=: what the wallet lets the venue's contracts spend."""
    address = _address(request.query.get("user", ""))
    account = request.app[VENUE].engine.account(address)
    allowances = account.allowances if account is not None else {}
    spending = [_approval(PUSD, spender, "ERC20", allowances.get(spender, UNLIMITED)) for spender in _SPENDERS]
    operating = [
        _approval(token, operator, "ERC1155", allowances.get(operator, UNLIMITED))
        for token, operators in _OPERATORS.items()
        for operator in operators
    ]
    return reply({"data": {"address": address, "chain_id": CHAIN, "contracts": spending + operating}})


async def resolutions(request: web.Request) -> web.Response:
    """GET /v2/resolutions?condition_id=&event_id=: decided markets; open ones are left out."""
    venue = request.app[VENUE]
    conditions = [condition_key(value) for value in request.query.get("condition_id", "").split(",") if value]
    for event_id in filter(None, request.query.get("event_id", "").split(",")):
        event = venue.engine.events.get(event_id)
        conditions += event.market_ids if event is not None else ()
    found = (venue.engine.markets.get(condition) for condition in conditions)
    return reply({"data": [_resolution(market) for market in found if market and market.decided]})


async def deployed(_: web.Request) -> web.Response:
    """GET /deployed?address=&type=: every wallet that can trade here exists, so that no client deploys one."""
    return reply({"deployed": True})


def _position(venue: Venue, account: Account, token: str, shares: int) -> Json:
    market = venue.engine.market_of(token)
    event = venue.engine.events[market.event_id]
    bought, cost = _bought(venue.engine.trades(account.address), account.address, token)
    average = cost / bought if bought else 0.0
    size, index = number(shares), market.token_ids.index(token)
    current = outcome_price(venue, market, index)
    unrealized = size * (current - average)
    return {
        "proxy_wallet": account.address,
        "token_id": token,
        "condition_id": market.condition_id,
        "current_size": size,
        "avg_price": average,
        "entry_cost_usdc": size * average,
        "entry_fees_usdc": 0,
        "total_cost_usdc": number(cost),
        "current_price": current,
        "current_value": size * current,
        "total_size": number(bought),
        "realized_pnl": 0,
        "unrealized_pnl": unrealized,
        "total_pnl": unrealized,
        "percent_pnl": 100 * (current / average - 1) if average else 0,
        "percent_realized_pnl": 0,
        "status": "REDEEMABLE" if market.decided else "OPEN",
        "redeemable": market.decided,
        "mergeable": account.shares.get(market.complement(token), 0) > 0,
        "negative_risk": market.neg_risk,
        "archived": False,
        "verified": True,
        "title": market.question,
        "slug": market.slug,
        "event_slug": event.slug,
        "event_id": event.event_id,
        "outcome": outcome_of(market, token),
        "opposite_outcome": outcome_of(market, market.complement(token)),
        "outcome_index": index,
        "opposite_token_id": market.complement(token),
    }


def _bought(trades: Iterable[Trade], address: str, token: str) -> tuple[int, int]:
    """(shares, USD) of the wallet's buys of a token that did not fail."""
    fills = [
        fill
        for trade in trades
        if trade.status != "FAILED"
        for fill in trade.fills
        if fill.address == address and fill.token_id == token and fill.side == "BUY"
    ]
    return sum(fill.shares for fill in fills), sum(fill.usd for fill in fills)


def _approval(token: str, spender: str, standard: str, amount: int) -> Json:
    row: Json = {"token": token, "spender": spender, "standard": standard, "approved": amount > 0}
    if standard == "ERC20":
        row["amount"] = "max" if amount == UNLIMITED else str(amount)
    return row


def _resolution(market: Market) -> Json:
    payouts = [ONE // 2 if market.split else ONE if market.winner == index else 0 for index in (0, 1)]
    return {
        "question_id": market.condition_id,
        "condition_id": market.condition_id,
        "status": "resolved",
        "extended_review": False,
        "was_disputed": False,
        "new_version_q": False,
        "price": number(payouts[0]),
        "last_update_timestamp": (market.resolves_ms or market.opened_ms) // 1000,
        "market_type": "INCREMENTAL_NEGRISK" if market.neg_risk else "BINARY",
        "payouts": payouts,
        "resolution_source": "reported",
        "resolved_at": None,
    }


def _address(text: str) -> str:
    try:
        return checksum(text)
    except ValueError:
        raise Refusal(400, "invalid user address") from None


ROUTES = [
    web.get("/v2/positions", positions),
    web.get("/v2/approvals", approvals),
    web.get("/v2/resolutions", resolutions),
    web.get("/deployed", deployed),
]
