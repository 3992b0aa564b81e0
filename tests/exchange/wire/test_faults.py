"""Every fault of the wire, set by the admin API and felt by a client; the engine's faults as the wire shows them."""

import asyncio
import time

import aiohttp
import pytest

from arbsaga.exchange.polymarket.venue import WireSettings


async def posted(exchange, **terms):
    """POST /order of a resting BUY: (status, body)."""
    trader = exchange.trader(wallet=terms.pop("wallet", 0))
    terms = {"price": "0.4", "size": "10"} | terms
    price, size = terms.pop("price"), terms.pop("size")
    return (await trader.post(exchange.v1, "BUY", price, size, **terms))[:2]


async def until(condition, within=3.0):
    """Waits for a condition, looking often."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


async def test_drop_response(exchange):
    """The connection ends without an answer although the order rests; a second one is answered."""
    await exchange.fault("drop_response,count=1")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await posted(exchange)
    assert exchange.engine.accepted == 1
    assert (await posted(exchange))[0] == 200


async def test_drop_response_hides_acceptances_only(exchange):
    """A refusal is answered: a dropped response always means that something was accepted."""
    await exchange.fault("drop_response")
    assert (await posted(exchange, size="1"))[0] == 400


async def test_late_post(exchange):
    """Dropped at once, delivered later, also after its cancel by id said there is no such order."""
    await exchange.fault("late_post,seconds=0.3,count=1")
    trader = exchange.trader()
    await trader.login()
    payload = trader.payload(exchange.v1, "BUY", "0.4", "10")
    begin = time.monotonic()
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await trader.call("POST", "/order", payload)
    assert time.monotonic() - begin < 0.3
    assert exchange.engine.accepted == 0
    order_id = "0x" + "00" * 32
    assert order_id in (await trader.cancel(order_id))[1]["not_canceled"]
    await until(lambda: exchange.engine.accepted == 1)
    [order] = exchange.engine.open_orders(trader.wallet)
    assert order.resting


async def test_late_batch(exchange):
    """A batch is late as a whole; what the engine then refuses, nobody hears of."""
    await exchange.fault("late_post,seconds=0.1,count=1")
    trader = exchange.trader()
    await trader.login()
    batch = [trader.payload(exchange.v1, "BUY", "0.4", size) for size in ("10", "1", "20")]
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await trader.call("POST", "/orders", batch)
    await until(lambda: exchange.engine.accepted == 2)


async def test_a_stop_of_the_exchange_loses_what_is_late(exchange, start):
    """An order still on its way when the exchange stops is never delivered."""
    await exchange.fault("late_post,seconds=60,count=1")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await posted(exchange)
    again = await start()
    assert again.engine.accepted == 0


@pytest.mark.parametrize(
    ("spec", "status", "text"),
    [
        ("status", 500, "Internal server error"),
        ("status,code=500,variant=insert", 500, "could not insert order"),
        ("status,code=500,variant=could not insert order", 500, "could not insert order"),
        ("status,code=425", 425, "Service is not ready"),
        ("status,code=429", 429, "Too Many Requests"),
        ("status,code=503", 503, "trading is disabled"),
        ("status,code=503,variant=disabled", 503, "Trading is currently disabled. Check polymarket.com for updates"),
        (
            "status,code=503,variant=cancel_only",
            503,
            "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed.",
        ),
    ],
)
async def test_status(exchange, spec, status, text):
    """The engine sees nothing of such an order."""
    await exchange.fault(spec)
    assert await posted(exchange) == (status, {"error": text})
    assert exchange.engine.accepted == 0


async def test_status_of_the_post_only_mode(exchange):
    """Text, code and retry_after_seconds as the official client knows them."""
    await exchange.fault("status,code=503,variant=post_only")
    status, body = await posted(exchange)
    assert (status, body["code"], body["retry_after_seconds"]) == (503, "post_only_mode", 79)


async def test_status_after_acceptance(exchange):
    """after=1: the order was taken, and the answer says 500."""
    await exchange.fault("status,code=500,after=1")
    assert (await posted(exchange))[0] == 500
    assert exchange.engine.accepted == 1


async def test_status_with_retry_after(exchange):
    """seconds= is the Retry-After."""
    await exchange.fault("status,code=425,seconds=7")
    _, _, headers = await exchange.trader().post(exchange.v1, "BUY", "0.4", "10")
    assert headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("spec", "stopped"),
    [
        ("status,code=503,variant=disabled", True),
        ("status,code=425", True),
        ("status,code=503,variant=cancel_only", False),
        ("status,code=500", False),
    ],
)
async def test_status_and_cancels(exchange, spec, stopped):
    """A restart and a trading stop hit cancels too; cancel-only mode does not."""
    _, body = await posted(exchange)
    await exchange.fault(spec)
    status, _, _ = await exchange.trader().cancel(body["orderID"])
    assert (status != 200) is stopped


async def test_limits_of_a_fault(exchange):
    """only= by side or phase, token=, address= and path= narrow a fault down."""
    trader = exchange.trader()
    for limit in (
        "only=SELL",
        "only=exit",
        f"token={exchange.v2.token_ids[0]}",
        f"address={trader.wallets[1]}",
        "path=/orders",
    ):
        await exchange.fault(f"status,{limit}")
    assert (await posted(exchange))[0] == 200
    assert (await posted(exchange, wallet=1))[0] == 500
    assert (await trader.post(exchange.v2, "BUY", "0.4", "10"))[0] == 500
    assert (await trader.call("POST", "/orders", [trader.payload(exchange.v1, "BUY", "0.4", "10")]))[0] == 500


async def test_restart(exchange):
    """425 on all order endpoints, then post-only, then normal."""
    _, resting = await posted(exchange)
    await exchange.fault("restart,seconds=5,post_only_seconds=10,count=1")
    trader = exchange.trader()
    status, body, headers = await trader.post(exchange.v1, "BUY", "0.4", "10")
    assert (status, body["error"]) == (425, "Service is not ready")
    assert headers["Retry-After"] == str(body["retry_after_seconds"]) == "5"
    assert (await trader.cancel(resting["orderID"]))[0] == 425
    exchange.clock.ahead_ms = 6_000
    status, body, _ = await trader.post(exchange.v1, "BUY", "0.4", "10")
    assert (status, body["code"]) == (503, "post_only_mode")
    assert body["error"] == "post-only mode: only post-only orders and cancels are allowed"
    assert 8 <= body["retry_after_seconds"] <= 9
    assert (await trader.post(exchange.v1, "BUY", "0.4", "10", post_only=True))[0] == 200
    [entry] = (await trader.call("POST", "/orders", [trader.payload(exchange.v1, "BUY", "0.4", "10")]))[1]
    assert (entry["success"], entry["orderID"]) == (True, "")
    assert entry["errorMsg"] == "post-only mode: only post-only orders and cancels are allowed"
    assert (await trader.cancel(resting["orderID"]))[0] == 200
    exchange.clock.ahead_ms = 16_000
    assert (await posted(exchange))[0] == 200


async def test_cancel_error(exchange):
    """500, and the order still rests."""
    _, body = await posted(exchange)
    await exchange.fault("cancel_error,count=1")
    trader = exchange.trader()
    assert (await trader.cancel(body["orderID"]))[:2] == (500, {"error": "Internal server error"})
    assert (await trader.cancel(body["orderID"]))[1]["canceled"] == [body["orderID"]]


@pytest.mark.parametrize(("variant", "left"), [("missing", 1), ("malformed", 2)])
async def test_partial_batch(exchange, variant, left):
    """The last entry of the answer is missing or lacks a key; both orders were placed."""
    await exchange.fault(f"partial_batch,variant={variant},count=1")
    trader = exchange.trader()
    await trader.login()
    batch = [trader.payload(exchange.v1, "BUY", "0.4", "10") for _ in range(2)]
    status, body, _ = await trader.call("POST", "/orders", batch)
    assert (status, len(body)) == (200, left)
    assert ("makingAmount" in body[-1]) is (variant == "missing")
    assert exchange.engine.accepted == 2


async def test_the_success_of_a_refused_entry_is_a_setting(start):
    """Reports have seen success: true beside an error."""
    running = await start(WireSettings(refused_entry_success=True))
    trader = running.trader()
    await trader.login()
    [entry] = (await trader.call("POST", "/orders", [trader.payload(running.v1, "BUY", "0.4", "1")]))[1]
    assert (entry["success"], entry["orderID"]) == (True, "")


async def test_latency(exchange):
    """Every call takes that much longer, except the admin's."""
    await exchange.fault("latency,ms=120")
    begin = time.monotonic()
    await exchange.call("GET", "/ok")
    between = time.monotonic()
    await exchange.admin("GET", "faults")
    assert between - begin >= 0.12 > time.monotonic() - between


async def test_stale_balance(exchange):
    """The answer stays as it was, until an update is asked for."""
    trader = exchange.trader()
    query = "?asset_type=COLLATERAL&signature_type=0"
    path = "/balance-allowance"
    before = (await trader.call("GET", path, query=query))[1]["balance"]
    await exchange.fault("stale_balance")
    exchange.engine.deposit(trader.wallet, 1_000_000)
    assert (await trader.call("GET", path, query=query))[1]["balance"] == before
    assert (await trader.call("GET", f"{path}/update", query=query))[0] == 200
    assert int((await trader.call("GET", path, query=query))[1]["balance"]) == int(before) + 1_000_000


async def test_stale_book(exchange):
    """0.01 / 0.99 by default, or the book as it once was."""
    await exchange.offer(exchange.v1, "SELL", "0.52", "100")
    path = f"/book?token_id={exchange.v1.token_ids[0]}"
    _, old, _ = await exchange.call("GET", path)
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    await exchange.fault("stale_book,count=1")
    _, wide, _ = await exchange.call("GET", path)
    assert (wide["bids"][-1]["price"], wide["asks"][-1]["price"]) == ("0.01", "0.99")
    await exchange.fault("stale_book,variant=old,count=1")
    assert (await exchange.call("GET", path))[1] == old
    assert (await exchange.call("GET", path))[1]["asks"][-1]["price"] == "0.5"


async def test_torn_books(exchange):
    """Two books of one answer are of two moments: YES of now beside NO of before seem to cost less than $1."""
    yes, no = exchange.v1.token_ids
    asked = [{"token_id": yes}, {"token_id": no}]
    await exchange.offer(exchange.v1, "BUY", "0.6", "100")
    await exchange.offer(exchange.v1, "SELL", "0.62", "100")
    await exchange.call("POST", "/books", json=asked)
    exchange.engine.wipe(exchange.v1.condition_id)
    await exchange.offer(exchange.v1, "BUY", "0.3", "100")
    await exchange.offer(exchange.v1, "SELL", "0.32", "100")
    await exchange.fault("torn_book,count=1")
    _, books, _ = await exchange.call("POST", "/books", json=asked)
    assert [book["asks"][-1]["price"] for book in books] == ["0.32", "0.4"]
    _, books, _ = await exchange.call("POST", "/books", json=asked)
    assert [book["asks"][-1]["price"] for book in books] == ["0.32", "0.7"]


async def test_torn_books_on_the_stream(exchange):
    """The change of one token comes at once, that of the other half a second later."""
    stream = await exchange.trader().listen_market(*exchange.v1.token_ids)
    await exchange.fault("torn_book,count=1")
    await exchange.offer(exchange.v1, "SELL", "0.52", "100")
    for token in exchange.v1.token_ids:
        event = await stream.next_of("price_change")
        assert {change["asset_id"] for change in event["price_changes"]} == {token}


async def test_freeze_stream(exchange):
    """No data for a while, PONG alive; afterwards only what is new."""
    stream = await exchange.trader().listen_market(exchange.v1.token_ids[0])
    await stream.next_of("book")
    await exchange.fault("freeze_stream,seconds=5,channel=market,count=1")
    await exchange.offer(exchange.v1, "SELL", "0.52", "100")
    await exchange.offer(exchange.v1, "SELL", "0.53", "100")
    await stream.socket.send_str("PING")
    assert await stream.next() == "PONG"
    exchange.clock.ahead_ms = 6_000
    await exchange.offer(exchange.v1, "SELL", "0.54", "100")
    assert (await stream.next())["price_changes"][0]["price"] == "0.54"


async def test_drop_stream_of_one_channel(exchange):
    """The connection breaks without a close frame; the other channel stays."""
    trader = exchange.trader()
    books, mine = await trader.listen_market(exchange.v1.token_ids[0]), await trader.listen_user()
    await books.next_of("book")
    await exchange.fault("drop_stream,channel=market,count=1")
    await trader.post(exchange.v1, "BUY", "0.4", "10")
    await mine.next_of("order")
    assert (await books.socket.receive(timeout=3)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


@pytest.mark.parametrize("variant", ["json", "unknown", "array"])
async def test_malformed_frames(exchange, variant):
    """Junk in the place of an event."""
    socket = await exchange.http.ws_connect(exchange.url + "/ws/market")
    await exchange.fault(f"malformed_frame,variant={variant},count=1")
    await socket.send_json({"type": "market", "assets_ids": [exchange.v1.token_ids[0]]})
    text = (await socket.receive(timeout=3)).data
    assert "asks" not in text
    await socket.close()


async def test_oversized_frame(exchange):
    """A frame over 1 MiB, which the official client cannot take."""
    socket = await exchange.http.ws_connect(exchange.url + "/ws/market")
    await exchange.fault("oversized_frame,count=1")
    await socket.send_json({"type": "market", "assets_ids": [exchange.v1.token_ids[0]]})
    assert len((await socket.receive(timeout=3)).data) > 1 << 20
    await socket.close()


async def test_duplicate_events(exchange):
    """Each trade event comes twice."""
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    trader = exchange.trader()
    stream = await trader.listen_user()
    await exchange.fault("duplicate_events")
    await trader.post(exchange.v1, "BUY", "0.5", "10")
    assert [(await stream.next_of("trade"))["status"] for _ in range(3)] == ["MATCHED", "MATCHED", "MINED"]


async def test_drop_user_events(exchange):
    """Nothing is told; the market channel goes on."""
    trader = exchange.trader()
    mine, books = await trader.listen_user(), await trader.listen_market(exchange.v1.token_ids[0])
    await books.next_of("book")
    await exchange.fault("drop_user_events")
    await trader.post(exchange.v1, "BUY", "0.4", "10")
    await books.next_of("price_change")
    await mine.socket.send_str("PING")
    assert await mine.next() == "PONG"


async def test_reorder_events(exchange):
    """User events are late by up to some seconds, each on its own, so that their order is lost."""
    trader = exchange.trader()
    stream = await trader.listen_user()
    await exchange.fault("reorder_events,seconds=0.3")
    sent = [(await trader.post(exchange.v1, "BUY", "0.4", "10"))[1]["orderID"] for _ in range(12)]
    seen = [(await stream.next_of("order"))["id"] for _ in range(12)]
    assert sorted(seen) == sorted(sent)
    assert seen != sent


async def test_reject(exchange):
    """A fault of the engine: any text at all."""
    await exchange.fault("reject,count=1,text=the market is closed, sorry")
    assert await posted(exchange) == (400, {"error": "the market is closed, sorry"})


async def test_delayed_and_unmatched(exchange):
    """The two statuses that official clients misread."""
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    await exchange.fault("delayed,seconds=1,count=1")
    assert (await posted(exchange, price="0.5"))[1]["status"] == "delayed"
    await exchange.fault("unmatched,count=1")
    assert (await posted(exchange, price="0.5"))[1]["status"] == "unmatched"


async def test_a_lost_leg(exchange):
    """The liquidity is gone: a GTC rests."""
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    await exchange.fault("lose_leg,count=1")
    assert (await posted(exchange, price="0.5"))[1]["status"] == "live"


async def test_a_cancel_that_loses(exchange):
    """The order fills just before its cancel."""
    _, body = await posted(exchange)
    await exchange.fault("cancel_loses,count=1")
    trader = exchange.trader()
    assert (await trader.cancel(body["orderID"]))[1]["not_canceled"] == {body["orderID"]: "Order already matched"}


async def test_settlements_that_fail(exchange):
    """MATCHED, then FAILED, on the stream and by REST; the shares never come."""
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    await exchange.fault("fail_settlement,count=1")
    trader = exchange.trader()
    stream = await trader.listen_user()
    await trader.post(exchange.v1, "BUY", "0.5", "10")
    assert (await stream.next(lambda event: event.get("status") == "FAILED"))["event_type"] == "trade"
    [trade] = (await trader.call("GET", "/data/trades"))[1]["data"]
    assert trade["status"] == "TRADE_STATUS_FAILED"
    assert exchange.engine.account(trader.wallet).shares == {}


async def test_a_tick_change_in_flight(exchange):
    """The order is refused by the new tick, which the stream tells."""
    stream = await exchange.trader().listen_market(exchange.v1.token_ids[0])
    await exchange.fault("tick_change,tick=0.1,count=1")
    status, body = await posted(exchange, price="0.45")
    assert (status, body["error"].endswith("breaks minimum tick size rule: 0.1")) == (400, True)
    assert (await stream.next_of("tick_size_change"))["new_tick_size"] == "0.1"
