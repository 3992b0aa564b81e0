"""A member's own reads: shapes, filters, pages, and that they lag what was answered."""

import pytest

from .running import QUICK


@pytest.fixture
async def traded(exchange, member):
    """A member who bought 4 YES of RAIN-A at 0.39, with 6 more bid at 0.40, and sold 2 of RAIN-B short."""
    await exchange.offer("RAIN-A", "ask", "0.39", "4")
    await exchange.offer("RAIN-B", "bid", "0.30", "2")
    await member.placed()
    await member.placed(ticker="RAIN-B", side="ask", price="0.3000", count="2.00")
    return member


async def test_an_order(traded):
    """Every field of an order that was partly filled."""
    [order] = (await traded.get("/portfolio/orders", ticker="RAIN-A"))["orders"]
    assert (await traded.get(f"/portfolio/orders/{order['order_id']}"))["order"] == order
    for name in ("order_id", "client_order_id", "created_time", "last_update_time", "taker_fees_dollars"):
        assert isinstance(order.pop(name), str)
    assert order == {
        "user_id": "m",
        "ticker": "RAIN-A",
        "exchange_index": 0,
        "status": "resting",
        "type": "limit",
        "book_side": "bid",
        "outcome_side": "yes",
        "yes_price_dollars": "0.4000",
        "no_price_dollars": "0.6000",
        "fill_count_fp": "4.00",
        "remaining_count_fp": "6.00",
        "initial_count_fp": "10.00",
        "taker_fill_cost_dollars": "1.5600",
        "maker_fill_cost_dollars": "0.0000",
        "maker_fees_dollars": "0.0000",
        "last_update_reason": "Trade",
        "cancel_order_on_pause": False,
        "subaccount_number": 0,
    }


async def test_orders_are_filtered_and_paged(traded):
    """Status, market, time; the last page has an empty cursor, and a cursor that is none is the first page."""
    [executed] = (await traded.get("/portfolio/orders", status="executed"))["orders"]
    assert (executed["ticker"], executed["outcome_side"]) == ("RAIN-B", "no")
    assert len((await traded.get("/portfolio/orders", event_ticker="RAIN"))["orders"]) == 2
    assert (await traded.get("/portfolio/orders", exchange_index=2))["orders"] == []
    assert (await traded.get("/portfolio/orders", max_ts=1000))["orders"] == []
    assert len((await traded.get("/portfolio/orders", min_ts=1000))["orders"]) == 2
    first = await traded.get("/portfolio/orders", limit=1)
    second = await traded.get("/portfolio/orders", limit=1, cursor=first["cursor"])
    assert first["orders"] + second["orders"] == (await traded.get("/portfolio/orders", cursor="garbage"))["orders"]
    assert second["cursor"] == ""


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/portfolio/orders", {"limit": 1001}),
        ("/portfolio/orders", {"limit": 0}),
        ("/portfolio/orders", {"status": "open"}),
        ("/portfolio/fills", {"min_ts": "x"}),
        ("/portfolio/positions", {"settlement_status": "x"}),
        ("/portfolio/balance", {"subaccount": 64}),
    ],
)
async def test_parameters_that_are_wrong(traded, path, params):
    """400 in the {"msg"} shape."""
    answer = await traded.call("GET", path, params=params)
    assert answer.status_code == 400
    assert list(answer.json()) == ["msg"]


async def test_fills(traded):
    """Newest first, with the fee in 6 decimals; the filter by order."""
    newest, oldest = (await traded.get("/portfolio/fills"))["fills"]
    assert (newest["ticker"], newest["book_side"], newest["outcome_side"]) == ("RAIN-B", "ask", "no")
    assert (await traded.get("/portfolio/fills", order_id=oldest["order_id"]))["fills"] == [oldest]
    for name in ("fill_id", "trade_id", "order_id", "created_time"):
        assert isinstance(oldest.pop(name), str)
    assert isinstance(oldest.pop("ts"), int)
    # 0.07 * 4 * 0.39 * 0.61 = 0.066612, and what the cent leaves of 1.56 + 0.066612
    assert oldest == {
        "ticker": "RAIN-A",
        "market_ticker": "RAIN-A",
        "exchange_index": 0,
        "count_fp": "4.00",
        "is_taker": True,
        "fee_cost": "0.070000",
        "subaccount_number": 0,
        "book_side": "bid",
        "outcome_side": "yes",
        "yes_price_dollars": "0.3900",
        "no_price_dollars": "0.6100",
    }


async def test_positions(traded):
    """Signed, by market and by event."""
    told = await traded.get("/portfolio/positions")
    assert {each["ticker"]: each["position_fp"] for each in told["market_positions"]} == {
        "RAIN-A": "4.00",
        "RAIN-B": "-2.00",
    }
    assert told["market_positions"][0]["market_exposure_dollars"] == "1.5600"
    [event] = told["event_positions"]
    assert (event["event_ticker"], event["event_exposure_dollars"]) == ("RAIN", "2.9600")
    assert event["total_cost_shares_fp"] == "6.00"
    [one] = (await traded.get("/portfolio/positions", ticker="RAIN-B"))["market_positions"]
    assert one["ticker"] == "RAIN-B"
    assert (await traded.get("/portfolio/positions", settlement_status="settled"))["market_positions"] == []


async def test_balance(traded):
    """Cents cut off, 4 decimals, and by shard."""
    told = await traded.get("/portfolio/balance")
    assert isinstance(told.pop("updated_ts"), int)
    # 1000 - (1.56 + 0.07) - (1.40 + 0.03) for the fills, and 6 * 0.40 with its fee kept for what rests
    assert 994 < float(told["balance_dollars"]) < 995
    assert told["balance"] == int(float(told["balance_dollars"]) * 100 + 0.001)
    assert [shard["exchange_index"] for shard in told["balance_breakdown"]] == [0, 1, 2, 3]
    assert (await traded.get("/portfolio/balance", exchange_index=2))["balance_dollars"] == "0.0000"


async def test_settlements(exchange, traded):
    """A scalar result: the net position is paid, in whole cents of revenue."""
    await exchange.admin("POST", "resolve", {"ticker": "RAIN-A", "outcome": "0.26"})
    exchange.clock.ahead_ms += 2_000
    [told] = (await traded.get("/portfolio/settlements"))["settlements"]
    assert told.pop("settled_time")
    assert told.pop("fee_cost")
    assert told == {
        "ticker": "RAIN-A",
        "event_ticker": "RAIN",
        "market_result": "scalar",
        "yes_count_fp": "4.00",
        "no_count_fp": "0.00",
        "yes_total_cost_dollars": "1.5600",
        "no_total_cost_dollars": "0.0000",
        "revenue": 104,
        "value": 26,
        "exchange_index": 0,
    }


async def test_queue_positions(exchange, member):
    """Contracts ahead at the same price."""
    await exchange.offer("RAIN-A", "bid", "0.40", "3")
    placed = await member.placed()
    one = await member.get(f"/portfolio/orders/{placed['order_id']}/queue_position")
    assert one == {"queue_position_fp": "3.00"}
    [each] = (await member.get("/portfolio/orders/queue_positions"))["queue_positions"]
    assert each == {"order_id": placed["order_id"], "market_ticker": "RAIN-A", "queue_position_fp": "3.00"}
    assert (await member.call("GET", "/portfolio/orders/no/queue_position")).status_code == 404


async def test_unknown_order(member):
    """404."""
    assert (await member.call("GET", "/portfolio/orders/no")).status_code == 404


async def test_reads_lag(start):
    """What was answered shows half a second later: orders, fills, positions, balances."""
    exchange = await start(QUICK.__class__(rate_limits=False))
    member = await exchange.member()
    await exchange.offer("RAIN-A", "ask", "0.39", "4")
    exchange.clock.held_ms = begin = exchange.clock() + 1_000
    path = f"/portfolio/orders/{(await member.placed())['order_id']}"
    exchange.clock.held_ms = begin + 499
    assert (await member.call("GET", path)).status_code == 404
    assert (await member.get("/portfolio/fills"))["fills"] == []
    assert (await member.get("/portfolio/positions"))["market_positions"] == []
    assert (await member.get("/portfolio/balance"))["balance"] == 100_000
    exchange.clock.held_ms = begin + 500
    order = (await member.get(path))["order"]
    assert order["fill_count_fp"] == "4.00"
    assert len((await member.get("/portfolio/fills"))["fills"]) == 1
    assert len((await member.get("/portfolio/positions"))["market_positions"]) == 1
    assert (await member.get("/portfolio/balance"))["balance"] < 100_000
    assert (await member.cancel(order["order_id"])).status_code == 200
    for later, status in ((999, "resting"), (1_000, "canceled")):
        exchange.clock.held_ms = begin + later
        assert (await member.get(path))["order"]["status"] == status


async def test_a_restart_remembers(start):
    """Orders, positions and balances of before are there at once."""
    exchange = await start()
    member = await exchange.member()
    placed = await member.placed()
    shown = (await member.get(f"/portfolio/orders/{placed['order_id']}"))["order"]
    balance = (await member.get("/portfolio/balance"))["balance"]
    member.exchange = await start()
    assert (await member.get(f"/portfolio/orders/{placed['order_id']}"))["order"] == shown
    assert (await member.get("/portfolio/balance"))["balance"] == balance


async def test_netting(member):
    """Off for new accounts; switched by shard."""
    before = (await member.get("/portfolio/subaccounts/netting"))["netting_configs"]
    assert [each["enabled"] for each in before] == [False] * 4
    body = {"subaccount_number": 0, "enabled": True, "exchange_index": 2}
    assert (await member.call("PUT", "/portfolio/subaccounts/netting", body)).status_code == 200
    after = (await member.get("/portfolio/subaccounts/netting"))["netting_configs"]
    assert [each["enabled"] for each in after] == [False, False, True, False]
    answer = await member.call("PUT", "/portfolio/subaccounts/netting", body | {"enabled": 1})
    assert answer.json()["code"] == "bad_request"


async def test_account(member):
    """Limits, costs, keys, and how fresh reads are."""
    assert (await member.get("/account/limits"))["usage_tier"] == "basic"
    assert (await member.get("/account/endpoint_costs"))["default_cost"] == 10
    [key] = (await member.get("/api_keys"))["api_keys"]
    assert key == {"api_key_id": member.key_id, "name": "key", "scopes": ["read", "write"], "key_type": "ed25519"}
    assert (await member.get("/exchange/user_data_timestamp"))["as_of_time"].endswith("Z")
