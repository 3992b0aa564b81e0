"""The cancel endpoints and the order heartbeat, over the wire."""

import asyncio

import pytest

from arbsaga.exchange.polymarket.venue import WireSettings

from .running import OTHER_KEY

GONE = "order can't be found - already canceled or matched"
MALFORMED = (400, {"error": "Invalid order payload"})


async def rest(trader, market, price="0.4", outcome=0):
    """The id of a resting order."""
    return (await trader.post(market, "BUY", price, "10", outcome=outcome))[1]["orderID"]


async def test_one_order(exchange):
    """Canceled once; the second time the venue cannot find it, nor can it find what never was."""
    trader = exchange.trader()
    order_id = await rest(trader, exchange.v1)
    status, body, headers = await trader.cancel(order_id)
    assert (status, body) == (200, {"canceled": [order_id], "not_canceled": {}})
    assert headers["Poly-RateLimit-Remaining"] == "119"
    _, again, _ = await trader.cancel(order_id)
    assert again == {"canceled": [], "not_canceled": {order_id: "Order not found or already canceled"}}
    unknown = "0x" + "77" * 32
    assert (await trader.cancel(unknown))[1]["not_canceled"] == {unknown: GONE}


async def test_a_matched_order(exchange):
    """A matched order cannot be canceled."""
    await exchange.offer(exchange.v1, "SELL", "0.4", "100")
    trader = exchange.trader()
    order_id = await rest(trader, exchange.v1)
    assert (await trader.cancel(order_id))[1]["not_canceled"] == {order_id: "Order already matched"}


async def test_somebody_else_s_order(exchange):
    """An order of another key is not there for me."""
    order_id = await rest(exchange.trader(), exchange.v1)
    other = exchange.trader(OTHER_KEY)
    assert (await other.cancel(order_id))[1]["not_canceled"] == {order_id: GONE}
    assert exchange.engine.order(order_id).resting


async def test_several_orders(exchange):
    """A list cancels each on its own, of all wallets of the key; one id named twice counts once."""
    ids = [await rest(exchange.trader(wallet=wallet), exchange.v1) for wallet in (0, 1, 2)]
    trader = exchange.trader()
    status, body, _ = await trader.call("DELETE", "/orders", [*ids, ids[0], "0x00"])
    assert (status, body) == (200, {"canceled": ids, "not_canceled": {"0x00": GONE}})


async def test_too_many_ids(start):
    """The longest list is a setting, since the venue's documents disagree."""
    running = await start(WireSettings(max_cancels=2))
    answer = await running.trader().call("DELETE", "/orders", ["0x01", "0x02", "0x03"])
    assert answer[:2] == (400, {"error": "Too many orders in payload: 3, max allowed: 2"})


async def test_everything(exchange):
    """cancel-all sweeps all wallets and markets, and charges one token per order."""
    ids = [await rest(exchange.trader(), exchange.v1), await rest(exchange.trader(wallet=1), exchange.v2)]
    status, body, headers = await exchange.trader().call("DELETE", "/cancel-all")
    assert (status, body) == (200, {"canceled": ids, "not_canceled": {}})
    # 120 - 1 - 2, and what came in meanwhile at 80 a second.
    assert headers["Poly-RateLimit-Remaining"] in ("117", "118", "119")


async def test_one_market_or_token(exchange):
    """By market (a V2 id in both widths) or by token; what is not named stays."""
    trader = exchange.trader()
    yes, no = await rest(trader, exchange.v2), await rest(trader, exchange.v2, outcome=1)
    other = await rest(trader, exchange.v1)
    token = {"asset_id": exchange.v2.token_ids[1]}
    assert (await trader.call("DELETE", "/cancel-market-orders", token))[1]["canceled"] == [no]
    short = {"market": exchange.v2.condition_id[:64]}
    assert (await trader.call("DELETE", "/cancel-market-orders", short))[1]["canceled"] == [yes]
    assert [order.order_id for order in exchange.engine.open_orders(trader.wallet)] == [other]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/order", {}),
        ("/order", []),
        ("/order", {"orderID": 7}),
        ("/orders", {}),
        ("/orders", [7]),
        ("/cancel-market-orders", {}),
        ("/cancel-market-orders", []),
        ("/cancel-market-orders", {"market": 7}),
    ],
)
async def test_malformed_cancels(exchange, path, body):
    """Bodies of another form are refused."""
    assert (await exchange.trader().call("DELETE", path, body))[:2] == MALFORMED


async def beat(trader, heartbeat_id):
    status, body, _ = await trader.call("POST", "/v1/heartbeats", {"heartbeat_id": heartbeat_id})
    return status, body


async def test_heartbeats_are_a_chain(exchange):
    """Each beat carries the id of the last answer; a wrong one is told the expected id."""
    trader = exchange.trader()
    assert await beat(trader, "x") == (400, {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": ""})
    status, first = await beat(trader, "")
    assert status == 200
    status, second = await beat(trader, first["heartbeat_id"])
    assert status == 200
    assert await beat(trader, "") == (400, {"error_msg": "Invalid Heartbeat ID"} | second)
    assert (await trader.call("POST", "/v1/heartbeats", {}))[:2] == MALFORMED


async def test_silence_cancels_everything(start):
    """Ten seconds after its last beat a key's orders are canceled; those of a key that never beat stay."""
    running = await start(WireSettings(heartbeat_check_s=0.02))
    trader, other = running.trader(), running.trader(OTHER_KEY)
    running.engine.deposit(other.wallet, 1_000_000_000)
    await beat(trader, "")
    mine, others = await rest(trader, running.v1), await rest(other, running.v1)
    running.clock.ahead_ms = 9_000
    await asyncio.sleep(0.1)
    assert running.engine.order(mine).status == "LIVE"
    running.clock.ahead_ms = 10_500
    async with asyncio.timeout(3):
        while running.engine.order(mine).status == "LIVE":
            await asyncio.sleep(0.02)
    assert running.engine.order(mine).status == "CANCELED"
    assert running.engine.order(others).status == "LIVE"
