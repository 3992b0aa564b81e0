"""Faults of the HTTP side, set by the admin API and felt by a client; and the admin API itself."""

import asyncio
import time

import httpx
import pytest

from arbsaga.errors import Unavailable

from .signer import public_pem, rsa_key
from .test_create import code


async def until(condition, within=5.0):
    """Waits for a condition, looking often."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


async def test_drop_response(exchange, member):
    """The order was taken, the answer never comes; the same id again is 409, and finds it among the orders."""
    await exchange.fault("drop_response,count=1")
    terms = member.order()
    with pytest.raises(httpx.RemoteProtocolError):
        await member.call("POST", "/portfolio/events/orders", terms)
    again = await member.call("POST", "/portfolio/events/orders", terms)
    assert code(again) == (409, "order_already_exists")
    [order] = (await member.get("/portfolio/orders"))["orders"]
    assert order["client_order_id"] == terms["client_order_id"]


async def test_drop_response_hides_acceptances_only(exchange, member):
    """A refusal is answered."""
    await exchange.fault("drop_response")
    assert code(await member.create(price="0.4050")) == (400, "invalid_price")


async def test_lost(exchange, member):
    """It never arrives: the same id again is taken."""
    await exchange.fault("lost,count=1")
    terms = member.order()
    with pytest.raises(httpx.RemoteProtocolError):
        await member.call("POST", "/portfolio/events/orders", terms)
    assert (await member.call("POST", "/portfolio/events/orders", terms)).status_code == 201
    assert exchange.engine.accepted == 1


async def test_late_post(exchange, member):
    """Dropped at once, delivered later; a batch as a whole."""
    await exchange.fault("late_post,seconds=0.3,count=1")
    begin = time.monotonic()
    orders = [member.order(), member.order(price="0.4050"), member.order(count="1.00")]
    with pytest.raises(httpx.RemoteProtocolError):
        await member.call("POST", "/portfolio/events/orders/batched", {"orders": orders})
    assert exchange.engine.accepted == 0 or time.monotonic() - begin >= 0.3
    await until(lambda: exchange.engine.accepted == 2)


@pytest.mark.parametrize(
    ("spec", "status", "body"),
    [
        ("status,code=429", 429, {"error": "too many requests"}),
        ("status", 500, None),
        ("status,code=502", 502, None),
        ("status,code=504", 504, None),
        ("status,code=409,variant=trading_is_paused", 409, "trading_is_paused"),
        ("status,code=409,variant=exchange_is_paused", 409, "exchange_is_paused"),
        ("status,code=400", 400, "bad_request"),
        ("status,code=400,variant=market_inactive", 400, "market_inactive"),
    ],
)
async def test_status(exchange, member, spec, status, body):
    """The engine sees nothing of such an order: its id is free. Gateways answer HTML."""
    await exchange.fault(f"{spec},count=1")
    terms = member.order()
    answer = await member.call("POST", "/portfolio/events/orders", terms)
    assert answer.status_code == status
    if body is None:
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.text.startswith("<html>")
    elif isinstance(body, str):
        assert answer.json()["error"]["code"] == body
    else:
        assert answer.json() == body
    assert (await member.call("POST", "/portfolio/events/orders", terms)).status_code == 201


async def test_503_carries_the_status_of_the_exchange(exchange, member):
    """The body of GET /exchange/status."""
    await exchange.fault("status,code=503")
    answer = await member.create()
    assert answer.status_code == 503
    assert answer.json()["exchange_index_statuses"]


async def test_status_after_acceptance(exchange, member):
    """after=1: taken, and yet 502."""
    await exchange.fault("status,code=502,after=1,count=1")
    terms = member.order()
    assert (await member.call("POST", "/portfolio/events/orders", terms)).status_code == 502
    assert code(await member.call("POST", "/portfolio/events/orders", terms)) == (409, "order_already_exists")


async def test_limits_of_faults(exchange, member):
    """By side, phase, market, member and path."""
    await exchange.offer("RAIN-A", "ask", "0.39", "4")
    await member.placed(count="1.00")
    await exchange.fault("status,only=exit")
    assert (await member.create()).status_code == 201
    assert (await member.create(side="ask", price="0.9000", count="1.00")).status_code == 500
    await exchange.admin("DELETE", "faults?name=status")
    await exchange.fault("status,only=BUY,token=RAIN-B,address=m,path=/trade-api/v2/portfolio/events/orders")
    assert (await member.create()).status_code == 201
    assert (await member.create(ticker="RAIN-B")).status_code == 500
    assert (await member.create(ticker="RAIN-B", side="ask", price="0.9000")).status_code == 201


async def test_cancel_error(exchange, member):
    """500 and the order rests on."""
    placed = await member.placed()
    await exchange.fault("cancel_error,count=1")
    assert (await member.cancel(placed["order_id"])).status_code == 500
    assert (await member.cancel(placed["order_id"])).status_code == 200


async def test_stale_read(exchange, member):
    """Reads of long ago, for as long as the fault says."""
    placed = await member.placed()
    await exchange.fault("stale_read,seconds=30,count=1")
    path = f"/portfolio/orders/{placed['order_id']}"
    assert (await member.call("GET", path)).status_code == 404
    assert (await member.call("GET", path)).status_code == 200


async def test_latency(exchange, member):
    """There and back."""
    await exchange.fault("latency,ms=200")
    begin = time.monotonic()
    await member.get("/portfolio/orders")
    assert time.monotonic() - begin >= 0.2


async def test_lose_leg_and_partial(exchange, member):
    """Liquidity of the house is gone, or half of it."""
    await exchange.offer("RAIN-A", "ask", "0.39", "10")
    await exchange.fault("partial,share=0.5,count=1")
    told = await member.placed(time_in_force="immediate_or_cancel", count="10.00")
    assert told["fill_count"] == "5.00"
    await exchange.offer("RAIN-A", "ask", "0.39", "10")
    await exchange.fault("lose_leg,count=1")
    answer = await member.create(time_in_force="fill_or_kill", count="5.00")
    assert code(answer) == (409, "fill_or_kill_insufficient_resting_volume")


async def test_cancel_loses(exchange, member):
    """The order fills just before its cancel: 404."""
    placed = await member.placed()
    await exchange.fault("cancel_loses,count=1")
    assert (await member.cancel(placed["order_id"])).status_code == 404
    order = (await member.get(f"/portfolio/orders/{placed['order_id']}"))["order"]
    assert (order["status"], order["fill_count_fp"]) == ("executed", "10.00")


async def test_a_journal_that_cannot_be_written(exchange, member, monkeypatch):
    """500, nothing was accepted; reads go on."""

    def fails(new):
        raise Unavailable("the truth journal cannot be written")

    monkeypatch.setattr(exchange.engine, "submit", fails)
    assert code(await member.create()) == (500, "internal_server_error")
    assert (await member.get("/portfolio/orders"))["orders"] == []
    monkeypatch.setattr(exchange.engine, "advance", lambda: fails(None))
    assert (await member.get("/portfolio/orders"))["orders"] == []
    monkeypatch.setattr(exchange.engine, "cancel_all", lambda _: fails(None))
    assert code(await member.call("DELETE", "/portfolio/events/orders")) == (500, "internal_server_error")


async def test_admin_faults(exchange):
    """Set, shown with how often they struck, lifted; a mistake is one line."""
    await exchange.fault("gap,channel=trade")
    assert (await exchange.admin("GET", "faults"))["faults"] == [
        {"spec": "gap:1,channel=trade", "name": "gap", "struck": 0}
    ]
    wrong = await exchange.admin("POST", "faults", {"spec": "nope"}, status=400)
    assert "unknown fault 'nope'" in wrong["error"]
    assert await exchange.admin("DELETE", "faults") == {"lifted": 1}


async def test_admin_state_and_truth(exchange, member):
    """What there is, and where the journal is."""
    await member.placed()
    state = await exchange.admin("GET", "state")
    [account] = [each for each in state["accounts"] if each["address"] == "m"]
    assert account["cash"] == {"0": "1000"}
    assert account["open_orders"][0]["ticker"] == "RAIN-A"
    assert (state["markets"], state["accepted"], state["duplicates"], state["sockets"]) == (5, 1, 0, 0)
    truth = await exchange.admin("GET", "truth")
    assert truth["lines"] > 5


async def test_admin_world(exchange):
    """Pause, resume and plant reach the world."""
    assert await exchange.admin("POST", "pause") == {"paused": True}
    assert await exchange.admin("POST", "resume") == {"paused": False}
    await exchange.admin("POST", "plant", {"event_ticker": "RAIN", "edge": "0.05"})
    await exchange.admin("POST", "plant", {"ticker": "RAIN-A", "edge": "0.05"})
    assert exchange.world.told[:2] == ["pause", "resume"]
    assert [target for target, _ in exchange.world.told[2:]] == ["RAIN", "RAIN-A"]
    wrong = await exchange.admin("POST", "plant", {"event_ticker": "RAIN", "edge": "2"}, status=400)
    assert "an edge of 1" in wrong["error"]


async def test_admin_keys(exchange, member):
    """A removed key opens nothing; what is no public key is refused."""
    assert (await exchange.admin("DELETE", f"keys?key_id={member.key_id}")) == {"removed": True}
    assert (await member.create()).status_code == 401
    for body in (
        {"address": "m"},
        {"address": "m", "public_key": "x"},
        {"address": "m", "public_key": rsa_key().export_key().decode()},
        {"address": "m/1", "public_key": public_pem(rsa_key())},
        {"address": "m", "public_key": public_pem(rsa_key()), "scopes": "read"},
        {"address": "m", "public_key": public_pem(rsa_key()), "subaccount": "1"},
    ):
        assert (await exchange.admin("POST", "keys", body, status=400))["error"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("deposit", {"address": "m", "amount": "0"}, 400),
        ("deposit", {"address": "m", "amount": "x"}, 400),
        ("deposit", {"address": "m", "amount": "1", "exchange_index": 9}, 400),
        ("deposit", {"address": "m", "amount": "1", "exchange_index": [1]}, 400),
        ("resolve", {"ticker": "NOPE", "outcome": "YES"}, 404),
        ("resolve", {"ticker": "RAIN-A", "outcome": "MAYBE"}, 400),
        ("resolve", {"ticker": "RAIN-A", "outcome": "1.5"}, 400),
        ("halt", {"trading": "yes"}, 400),
        ("order", {"ticker": "RAIN-A", "side": "BUY", "price": "0.3", "count": "1"}, 400),
        ("order", {"ticker": "NOPE", "side": "bid", "price": "0.3", "count": "1"}, 404),
        ("cancel", {"order_id": "no"}, 404),
    ],
)
async def test_admin_mistakes(exchange, path, body, status):
    """One line that says what is wrong."""
    await exchange.admin("POST", path, body, status=status)


async def test_admin_orders(exchange):
    """An order of the house is put up and taken back."""
    put = await exchange.offer("RAIN-A", "bid", "0.30", "5")
    assert (await exchange.admin("POST", "cancel", {"order_id": put["order_id"]}))["reduced_by"] == "5"
    assert not exchange.engine.book("RAIN-A").bids
