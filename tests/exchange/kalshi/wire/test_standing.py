"""What is done to orders that stand: cancels of every kind, decrease, amend, order groups."""

import asyncio

import pytest

from .running import QUICK
from .test_create import code

ORDERS = "/portfolio/events/orders"


async def until_status(member, order_id, status):
    """Waits for an order to have a status."""
    async with asyncio.timeout(5):
        while (await member.get(f"/portfolio/orders/{order_id}"))["order"]["status"] != status:
            await asyncio.sleep(0.01)


async def test_cancel(member):
    """200 with what was taken off; then 404, as for an id that never was, or another member's."""
    placed = await member.placed()
    answer = await member.cancel(placed["order_id"])
    told = answer.json()
    assert answer.status_code == 200
    assert told.pop("ts_ms") > 0
    assert told == {
        "order_id": placed["order_id"],
        "client_order_id": placed["client_order_id"],
        "reduced_by": "10.00",
    }
    assert (await member.cancel(placed["order_id"])).status_code == 404
    assert (await member.cancel("never-was")).status_code == 404
    other = await member.exchange.member("other")
    mine = await member.placed()
    assert (await other.cancel(mine["order_id"])).status_code == 404
    assert (await member.get(f"/portfolio/orders/{mine['order_id']}"))["order"]["status"] == "resting"


async def test_cancel_on_another_shard(exchange):
    """Without a market or a shard, shard 0 is assumed: it does not know the order."""
    member = await exchange.member(shard=2)
    order_id = (await member.placed(ticker="COIN-1"))["order_id"]
    assert (await member.cancel(order_id)).status_code == 404
    assert (await member.cancel(order_id, exchange_index=1)).status_code == 404
    assert (await member.cancel(order_id, market_ticker="RAIN-A")).status_code == 404
    assert (await member.cancel(order_id, market_ticker="NOPE")).status_code == 404
    assert (await member.cancel(order_id, exchange_index="x")).json() == {
        "msg": "exchange_index must be a whole number in -1..3"
    }
    assert (await member.cancel(order_id, market_ticker="COIN-1")).status_code == 200
    for shard in (2, -1):
        order_id = (await member.placed(ticker="COIN-1"))["order_id"]
        assert (await member.cancel(order_id, exchange_index=shard)).status_code == 200


async def test_cancel_batch(member):
    """A result per entry, in order; refused ones have the error inside."""
    ids = [(await member.placed())["order_id"] for _ in range(2)]
    items = [{"order_id": ids[0]}, {"order_id": "no"}, "junk", {"order_id": ids[1], "market_ticker": "RAIN-A"}]
    answer = await member.call("DELETE", f"{ORDERS}/batched", {"orders": [*items, {"order_id": ids[0]}]})
    assert answer.status_code == 200
    told = answer.json()["orders"]
    assert [entry["reduced_by"] for entry in told] == ["10.00", "0.00", "0.00", "10.00", "0.00"]
    assert ["error" in entry for entry in told] == [False, True, True, False, True]
    assert [entry["order_id"] for entry in told[:2]] == [ids[0], "no"]


async def test_cancel_all(exchange, member):
    """204; what is placed within the next minute goes too, afterwards it stays."""
    placed = await member.placed()
    answer = await member.call("DELETE", ORDERS)
    assert (answer.status_code, answer.content) == (204, b"")
    await until_status(member, placed["order_id"], "canceled")
    await until_status(member, (await member.placed())["order_id"], "canceled")
    exchange.clock.ahead_ms += 60_000
    later = await member.placed()
    await member.get("/account/limits")
    assert (await member.get(f"/portfolio/orders/{later['order_id']}"))["order"]["status"] == "resting"


async def test_cancel_all_without_a_sweep(start):
    """The switch: new orders stay."""
    exchange = await start(QUICK.__class__(cancel_all_sweep_s=0, read_lag_ms=0))
    member = await exchange.member()
    await member.call("DELETE", ORDERS)
    placed = await member.placed()
    await member.get("/account/limits")
    assert (await member.get(f"/portfolio/orders/{placed['order_id']}"))["order"]["status"] == "resting"


async def test_decrease(member):
    """By or to, exactly one of them."""
    placed = await member.placed()
    path = f"{ORDERS}/{placed['order_id']}/decrease"
    first = (await member.call("POST", path, {"reduce_by": "2.50"})).json()
    assert first.pop("ts_ms") > 0
    assert first == {
        "order_id": placed["order_id"],
        "client_order_id": placed["client_order_id"],
        "remaining_count": "7.50",
    }
    assert (await member.call("POST", path, {"reduce_to": "1.00"})).json()["remaining_count"] == "1.00"
    for body in ({}, {"reduce_by": "1.00", "reduce_to": "1.00"}):
        assert code(await member.call("POST", path, body)) == (400, "invalid_parameters")
    assert (await member.call("POST", path, {"reduce_by": 1})).json()["code"] == "bad_request"
    assert (await member.call("POST", f"{ORDERS}/no/decrease", {"reduce_by": "1.00"})).status_code == 404


async def test_amend(member):
    """A new price and count; the answer tells what rests."""
    placed = await member.placed()
    path = f"{ORDERS}/{placed['order_id']}/amend"
    body = {"ticker": "RAIN-A", "side": "bid", "price": "0.3500", "count": "6.00", "updated_client_order_id": "new"}
    answer = await member.call("POST", path, body)
    assert answer.status_code == 200
    assert answer.json()["remaining_count"] == "6.00"
    order = (await member.get(f"/portfolio/orders/{placed['order_id']}"))["order"]
    assert (order["yes_price_dollars"], order["client_order_id"]) == ("0.3500", "new")
    assert order["last_update_reason"] == "Amend"
    assert (await member.call("POST", path, body | {"price": 0.35})).json()["code"] == "bad_request"
    assert code(await member.call("POST", path, body | {"price": "0.3550"})) == (400, "invalid_price")
    assert (await member.call("POST", f"{ORDERS}/no/amend", body)).status_code == 404


async def test_order_groups(member):
    """Made, read, limited, triggered, reset, deleted; a trigger cancels, and refuses until the reset."""
    made = await member.call("POST", "/portfolio/order_groups/create", {"contracts_limit_fp": "5.50"})
    assert made.status_code == 201
    group_id = made.json()["order_group_id"]
    assert made.json() == {"order_group_id": group_id, "subaccount": 0, "exchange_index": 0}
    placed = await member.placed(order_group_id=group_id)
    path = f"/portfolio/order_groups/{group_id}"
    assert await member.get(path) == {
        "is_auto_cancel_enabled": True,
        "contracts_limit_fp": "5.50",
        "orders": [placed["order_id"]],
    }
    assert (await member.call("PUT", f"{path}/limit", {"contracts_limit": 7})).status_code == 200
    [listed] = (await member.get("/portfolio/order_groups"))["order_groups"]
    assert (listed["id"], listed["contracts_limit_fp"]) == (group_id, "7.00")
    assert (await member.call("PUT", f"{path}/trigger")).status_code == 200
    assert (await member.get(path))["is_auto_cancel_enabled"] is False
    await until_status(member, placed["order_id"], "canceled")
    assert (await member.create(order_group_id=group_id)).status_code in (400, 409)
    assert (await member.call("PUT", f"{path}/reset")).status_code == 200
    assert (await member.create(order_group_id=group_id)).status_code == 201
    assert (await member.call("DELETE", path)).status_code == 200
    assert (await member.call("GET", path)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"contracts_limit": 0},
        {"contracts_limit": True},
        {"contracts_limit": 5, "exchange_index": 9},
        {"contracts_limit": 5, "exchange_index": [1]},
    ],
)
async def test_order_groups_that_cannot_be(member, body):
    """Limits and shards."""
    assert (await member.call("POST", "/portfolio/order_groups/create", body)).status_code == 400
