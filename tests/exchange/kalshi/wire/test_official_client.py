"""The venue's own client reads every answer: it refuses whole pages for one missing field.

`kalshi_python_async` needs Python 3.13, so that it is no dependency of this project; where it is installed, this runs.
"""

import pytest
from Crypto.PublicKey import RSA

from .running import API
from .signer import rsa_key

sdk = pytest.importorskip("kalshi_python_async", reason="the official client needs Python 3.13 and is not installed")

TERMS = {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}


@pytest.fixture
async def client(exchange):
    """The official client with a key and $1000, and a market with a trade in it."""
    key = rsa_key()
    assert isinstance(key, RSA.RsaKey)
    member = await exchange.member(key=key)
    await exchange.offer("RAIN-A", "ask", "0.39", "4")
    configuration = sdk.Configuration(host=exchange.url + API)
    configuration.api_key_id, configuration.private_key_pem = member.key_id, key.export_key().decode()
    client = sdk.KalshiClient(configuration)
    yield client
    await client.close()


async def test_public_reads(client):
    """Series, events, markets, books, trades, the exchange."""
    assert (await client.get_exchange_status()).trading_active
    assert (await client.get_exchange_schedule()).schedule.standard_hours
    assert (await client.get_series(series_ticker="RAINS")).series.fee_type == "quadratic"
    assert len((await client.get_series_list()).series) == 3
    assert len((await client.get_events(with_nested_markets=True)).events) == 3
    assert (await client.get_event(event_ticker="RAIN")).event.mutually_exclusive
    assert len((await client.get_markets()).markets) == 5
    assert (await client.get_market(ticker="COIN-1")).market.exchange_index == 2
    assert (await client.get_market_orderbook(ticker="RAIN-A")).orderbook_fp.no_dollars == [["0.6100", "4.00"]]
    assert len((await client.get_market_orderbooks(tickers=["RAIN-A"])).orderbooks) == 1
    assert (await client.get_trades()).trades == []


async def test_a_life_of_orders(exchange, client):
    """Create, fill, read, decrease, amend, cancel, batch; settlement at the end."""
    terms = TERMS | {"ticker": "RAIN-A", "side": "bid", "price": "0.4000"}
    placed = await client.create_order_v2(count="10.00", client_order_id="a", **terms)
    assert (placed.fill_count, placed.average_fill_price) == ("4.00", "0.3900")
    with pytest.raises(sdk.exceptions.ConflictException, match="409"):
        await client.create_order_v2(count="10.00", client_order_id="a", **terms)
    assert (await client.get_order(order_id=placed.order_id)).order.status == "resting"
    assert len((await client.get_orders()).orders) == 1
    [fill] = (await client.get_fills()).fills
    assert fill.fee_cost == "0.070000"
    assert (await client.get_positions()).market_positions[0].position_fp == "4.00"
    assert (await client.get_balance()).balance > 0
    assert (await client.get_order_queue_position(order_id=placed.order_id)).queue_position_fp == "0.00"
    assert (await client.decrease_order_v2(order_id=placed.order_id, reduce_by="1.00")).remaining_count == "5.00"
    amended = terms | {"price": "0.3500", "count": "6.00"}
    amended = {name: amended[name] for name in ("ticker", "side", "price", "count")}
    assert (await client.amend_order_v2(order_id=placed.order_id, **amended)).remaining_count == "2.00"
    assert (await client.cancel_order_v2(order_id=placed.order_id)).reduced_by == "2.00"
    batch = await client.batch_create_orders_v2(orders=[terms | {"count": "1.00"}, terms | {"count": "0.00"}])
    assert [entry.error is None for entry in batch.orders] == [True, False]
    await exchange.admin("POST", "resolve", {"ticker": "RAIN-A", "outcome": "0.26"})
    exchange.clock.ahead_ms += 2_000
    assert (await client.get_settlements()).settlements[0].revenue == 104


async def test_account(client):
    """Limits, costs, keys, netting, groups, transfers."""
    assert (await client.get_account_api_limits()).write.refill_rate == 100
    assert (await client.get_account_endpoint_costs()).default_cost == 10
    assert len((await client.get_api_keys()).api_keys) == 1
    assert len((await client.get_subaccount_netting()).netting_configs) == 4
    assert (await client.get_user_data_timestamp()).as_of_time
    made = await client.create_order_group(contracts_limit=10)
    assert (await client.get_order_group(order_group_id=made.order_group_id)).contracts_limit_fp == "10.00"
    assert len((await client.get_order_groups()).order_groups) == 1
    shards = {"source_exchange_shard": 0, "destination_exchange_shard": 2}
    ends = {"source": "event_contract", "destination": "event_contract"}
    assert (await client.intra_exchange_instance_transfer(amount=10_000, **shards, **ends)).transfer_id
