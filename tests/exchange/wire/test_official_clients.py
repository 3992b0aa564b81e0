"""The two unmodified official clients discover, listen, trade and cancel on the exchange, on both protocol versions."""

import asyncio
import dataclasses

import pytest
from polymarket import AsyncSecureClient
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment
from polymarket.errors import RequestRejectedError
from polymarket.streams import MarketSpec, UserSpec
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import (
    AssetType,
    BalanceAllowanceParams,
    OpenOrderParams,
    OrderArgsV2,
    OrderPayload,
    PartialCreateOrderOptions,
)

from arbsaga.exchange.units import parse

from .running import OWNER_KEY

VERSIONS = ["v1", "v2"]


def environment(url):
    """The official client's way to another host (facts 8.1)."""
    socket = url.replace("http", "ws", 1)
    config = dataclasses.replace(
        PRODUCTION_CONFIG,
        clob_url=url,
        gamma_url=url,
        data_url=url,
        relayer_url=url,
        rpc_url=f"{url}/rpc",
        clob_market_ws_url=f"{socket}/ws/market",
        clob_user_ws_url=f"{socket}/ws/user",
    )
    return create_environment(name="simulated", config=config)


@pytest.fixture(params=["eoa", "deposit wallet"])
async def client(exchange, request):
    """polymarket-client for a plain key, and for the deposit wallet it chooses by itself."""
    wallet = exchange.trader().wallet if request.param == "eoa" else None
    found = await AsyncSecureClient.create(private_key=OWNER_KEY, wallet=wallet, environment=environment(exchange.url))
    yield found
    await found.close()


async def event_of(handle, wanted):
    """The next event of a subscription that is wanted."""
    async with asyncio.timeout(5):
        async for event in handle:
            if wanted(event):
                return event
    raise AssertionError("the subscription ended")


@pytest.mark.parametrize("version", VERSIONS)
async def test_polymarket_client(exchange, client, version):
    """Discovery by Gamma, both channels, a resting order, its cancel, a taker order, settlement, position."""
    expected = exchange.v1 if version == "v1" else exchange.v2
    await exchange.offer(expected, "SELL", "0.52", "100")
    found = [market async for market in client.list_markets(version=version).iter_items()]
    market = next(market for market in found if market.slug == expected.slug)
    yes = market.outcomes.yes.token_id if version == "v1" else market.outcomes.yes.position_id
    assert (yes, market.version) == (expected.token_ids[0], version)

    books = await client.subscribe(MarketSpec(asset_ids=[yes], custom_feature_enabled=True))
    mine = await client.subscribe(UserSpec())
    book = await event_of(books, lambda event: event.type == "book")
    assert [str(level.price) for level in book.payload.asks] == ["0.52"]

    resting = await client.create_limit_order(asset_id=yes, price="0.40", size="10", side="BUY")
    posted = await client.post_order(resting)
    assert (posted.ok, posted.status) == (True, "live")
    placed = await event_of(mine, lambda event: event.type == "order")
    assert (placed.payload.id, placed.payload.order_event_type) == (posted.order_id, "PLACEMENT")
    assert [order.id async for order in client.list_open_orders().iter_items()] == [posted.order_id]
    canceled = await client.cancel_order(order_id=posted.order_id)
    assert canceled.canceled == (posted.order_id,)

    taking = await client.create_limit_order(asset_id=yes, price="0.52", size="10", side="BUY")
    taken = await client.post_order(taking)
    assert (taken.status, str(taken.making_amount), str(taken.taking_amount)) == ("matched", "5.2", "10")
    await event_of(books, lambda event: event.type == "last_trade_price")
    outcome = await client.wait_for_order_fill_settlement(taken)
    assert outcome is not None
    confirmed = await event_of(mine, lambda event: event.type == "trade" and event.payload.status == "CONFIRMED")
    assert confirmed.payload.taker_order_id == taken.order_id
    [position] = [position async for position in client.list_positions().iter_items()]
    assert (position.asset_id, str(position.current_size)) == (yes, "10.0")


async def test_reads_of_polymarket_client(exchange, client):
    """What else a trading program asks the official client for is parsed without a complaint."""
    await exchange.offer(exchange.three[0], "SELL", "0.52", "100")
    await exchange.offer(exchange.three[0], "BUY", "0.5", "100")
    yes = exchange.three[0].token_ids[0]
    assert str((await client.get_order_book(asset_id=yes)).asks[-1].price) == "0.52"
    assert len(await client.get_order_books(asset_ids=[yes, exchange.v2.token_ids[0]])) == 2
    assert str(await client.get_midpoint(asset_id=yes)) == "0.51"
    assert str(await client.get_spread(asset_id=yes)) == "0.02"
    assert str(await client.get_price(asset_id=yes, side="BUY")) == "0.52"
    assert await client.get_last_trade_price(asset_id=yes) is None
    [event] = [event async for event in client.list_events(slug="event-13").iter_items()]
    assert (event.trading.neg_risk, len(event.markets)) == (True, 3)
    assert (await client.get_market(slug=exchange.four[0].slug)).resolution.onchain_event_id is not None
    assert (await client.get_trading_approvals_state()).is_fully_approved
    assert (await client.get_balance_allowance(asset_type="COLLATERAL")).balance == 1_000_000_000
    assert await client.get_closed_only_mode() is False
    first = await client.send_order_heartbeat()
    assert (await client.send_order_heartbeat(heartbeat_id=first.heartbeat_id)).heartbeat_id
    exchange.engine.resolve(exchange.four[1].condition_id, 0)
    [resolution] = await client.get_resolutions(condition_ids=[exchange.four[1].condition_id])
    assert [str(payout) for payout in resolution.payouts] == ["1", "0"]


async def test_batches_and_a_refusal_of_polymarket_client(exchange, client):
    """post_orders tells each entry's fate; a refused single order raises with the venue's text."""
    yes = exchange.v1.token_ids[0]
    good = await client.create_limit_order(asset_id=yes, price="0.40", size="10", side="BUY")
    poor = await client.create_limit_order(asset_id=yes, price="0.40", size="9000", side="BUY")
    first, second = await client.post_orders([good, poor])
    assert first.ok
    assert (second.ok, second.code) == (False, "not_enough_balance")
    with pytest.raises(RequestRejectedError, match="Duplicated"):
        await client.post_order(good)
    [order] = (await client.cancel_all()).canceled
    assert order == first.order_id


@pytest.mark.parametrize("version", VERSIONS)
async def test_py_clob_client_v2(exchange, version):
    """The older, independent client: listings, a resting order, its cancel, a taker order, trades and balances."""
    expected = exchange.v1 if version == "v1" else exchange.v2
    await exchange.offer(expected, "SELL", "0.52", "100")
    await asyncio.to_thread(trade_with_py_clob_client, exchange.url, expected)
    [trade] = exchange.engine.trades(exchange.trader().wallet)
    assert (trade.taker.shares, trade.taker.usd) == (parse("10"), parse("5.2"))


def trade_with_py_clob_client(url, expected):
    client = ClobClient(url, 137, key=OWNER_KEY)
    client.set_api_creds(client.create_or_derive_api_key())
    assert client.get_ok() == "OK"
    listed = client.get_markets()
    assert listed["next_cursor"] == "LTE="
    market = next(market for market in listed["data"] if market["condition_id"] == expected.condition_id)
    yes = market["tokens"][0]["token_id"]
    book = client.get_order_book(yes)
    assert book["hash"] == client.get_order_book_hash(dict(book))
    options = PartialCreateOrderOptions(version=3) if expected.version == "v2" else None

    resting = client.create_and_post_order(OrderArgsV2(token_id=yes, price=0.40, size=10, side="BUY"), options)
    assert (resting["success"], resting["status"]) == (True, "live")
    [order] = client.get_open_orders(OpenOrderParams(market=expected.condition_id))
    assert (order["id"], order["status"], order["original_size"]) == (resting["orderID"], "LIVE", "10")
    assert client.get_order(order["id"])["price"] == "0.4"
    assert client.cancel_order(OrderPayload(orderID=order["id"]))["canceled"] == [order["id"]]
    assert client.get_open_orders() == []

    taken = client.create_and_post_order(OrderArgsV2(token_id=yes, price=0.52, size=10, side="BUY"), options)
    assert (taken["status"], taken["makingAmount"], taken["takingAmount"]) == ("matched", "5.2", "10")
    [trade] = client.get_trades()
    assert (trade["taker_order_id"], trade["trader_side"]) == (taken["orderID"], "TAKER")
    held = client.get_balance_allowance(BalanceAllowanceParams(asset_type=AssetType.CONDITIONAL, token_id=yes))
    assert held["balance"] in ("0", "10000000")
