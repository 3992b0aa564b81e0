"""The WebSocket end to end: handshake, commands, sequence numbers, shapes of messages, and the faults of streams."""

import asyncio

import pytest
import websockets

from arbsaga.exchange.kalshi.model import NewOrder

from .running import QUICK, WS
from .signer import headers


async def book_of(listener, **params):
    """Subscribes to RAIN-A's book: (sid, snapshot)."""
    sid = await listener.subscribe("orderbook_delta", market_tickers=["RAIN-A"], **params)
    return sid, await listener.next()


async def test_the_handshake_is_signed(exchange, member):
    """Unsigned, and signed over another path: 401, for public channels too."""
    url = exchange.url.replace("http", "ws") + WS
    for given in ({}, headers(member.key_id, member.key, "GET", WS + "/x")):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(url, additional_headers=given)
        assert refused.value.response.status_code == 401


async def test_book(exchange, member):
    """A snapshot, then signed increments; both count in the sequence of the sid."""
    await exchange.offer("RAIN-A", "bid", "0.08", "300")
    await exchange.offer("RAIN-A", "ask", "0.46", "20")
    async with await member.connect() as listener:
        sid, snapshot = await book_of(listener)
        assert snapshot == {
            "type": "orderbook_snapshot",
            "sid": sid,
            "seq": 1,
            "msg": {
                "market_ticker": "RAIN-A",
                "market_id": "RAIN-A",
                "yes_dollars_fp": [["0.0800", "300.00"]],
                "no_dollars_fp": [["0.5400", "20.00"]],
            },
        }
        own = await member.placed(price="0.0900", count="2.50")
        added = await listener.next()
        assert added["msg"].pop("ts_ms") > 0
        assert added == {
            "type": "orderbook_delta",
            "sid": sid,
            "seq": 2,
            "msg": {
                "market_ticker": "RAIN-A",
                "market_id": "RAIN-A",
                "price_dollars": "0.0900",
                "delta_fp": "2.50",
                "side": "yes",
                "client_order_id": own["client_order_id"],
            },
        }
        await member.cancel(own["order_id"])
        removed = await listener.next()
        assert (removed["seq"], removed["msg"]["delta_fp"]) == (3, "-2.50")


async def test_empty_sides_are_absent(exchange, member):
    """Not an empty list: no key at all."""
    async with await member.connect() as listener:
        _, snapshot = await book_of(listener)
        assert set(snapshot["msg"]) == {"market_ticker", "market_id"}
        await exchange.offer("RAIN-A", "ask", "0.46", "20")
        assert (await listener.next())["msg"]["side"] == "no"


@pytest.mark.parametrize(("flag", "price"), [(None, "0.5400"), (False, "0.5400"), (True, "0.4600")])
async def test_use_yes_price(exchange, member, flag, price):
    """The NO side in NO prices unless asked otherwise, in snapshots and deltas."""
    await exchange.offer("RAIN-A", "ask", "0.46", "20")
    async with await member.connect() as listener:
        _, snapshot = await book_of(listener, **({} if flag is None else {"use_yes_price": flag}))
        assert snapshot["msg"]["no_dollars_fp"] == [[price, "20.00"]]
        await exchange.offer("RAIN-A", "ask", "0.46", "5")
        assert (await listener.next())["msg"]["price_dollars"] == price


async def test_one_sequence_for_all_markets(exchange, member):
    """The sid counts, not the market."""
    async with await member.connect() as listener:
        sid = await listener.subscribe("orderbook_delta", market_tickers=["RAIN-A", "RAIN-B"])
        assert [(await listener.next())["seq"] for _ in range(2)] == [1, 2]
        await exchange.offer("RAIN-B", "bid", "0.10", "1")
        await exchange.offer("RAIN-A", "bid", "0.10", "1")
        messages = [await listener.next() for _ in range(2)]
        assert [(each["sid"], each["seq"], each["msg"]["market_ticker"]) for each in messages] == [
            (sid, 3, "RAIN-B"),
            (sid, 4, "RAIN-A"),
        ]


async def test_update_subscription(exchange, member):
    """Adding, removing, a new snapshot; the replies take numbers of the sid."""
    async with await member.connect() as listener:
        sid, _ = await book_of(listener)
        await listener.command("update_subscription", sid=sid, action="add_markets", market_tickers=["RAIN-B"])
        answer = await listener.next()
        assert answer == {"id": 2, "type": "ok", "sid": sid, "seq": 2, "msg": {"market_tickers": ["RAIN-A", "RAIN-B"]}}
        assert (await listener.next())["msg"]["market_ticker"] == "RAIN-B"
        await listener.command("update_subscription", sids=[sid], action="delete_markets", market_tickers=["RAIN-A"])
        assert (await listener.next())["msg"] == {"market_tickers": ["RAIN-B"]}
        await exchange.offer("RAIN-A", "bid", "0.10", "1")
        await listener.command("update_subscription", sid=sid, action="get_snapshot", market_tickers=["RAIN-B"])
        snapshot = await listener.next()
        assert (snapshot["id"], snapshot["type"], snapshot["seq"]) == (4, "orderbook_snapshot", 5)
        await listener.command("list_subscriptions")
        assert (await listener.next())["msg"] == [{"channel": "orderbook_delta", "sid": sid}]
        await listener.command("unsubscribe", sids=[sid])
        assert await listener.next() == {"id": 6, "sid": sid, "seq": 6, "type": "unsubscribed"}
        await exchange.offer("RAIN-B", "bid", "0.10", "1")
        assert await listener.silent()


async def test_replies_without_numbers(start):
    """The switch: replies may not count."""
    exchange = await start(QUICK.__class__(replies_take_seq=False, read_lag_ms=0))
    member = await exchange.member()
    async with await member.connect() as listener:
        sid, _ = await book_of(listener)
        await listener.command("update_subscription", sid=sid, action="add_markets", market_tickers=["RAIN-B"])
        assert "seq" not in await listener.next()
        assert (await listener.next())["seq"] == 2


@pytest.mark.parametrize(
    ("cmd", "params", "code"),
    [
        ("dance", {}, 5),
        ("subscribe", None, 2),
        ("subscribe", {}, 3),
        ("subscribe", {"channels": []}, 3),
        ("subscribe", {"channels": ["nope"]}, 8),
        ("subscribe", {"channels": ["orderbook_delta"]}, 14),
        ("subscribe", {"channels": ["orderbook_delta"], "market_tickers": []}, 14),
        ("subscribe", {"channels": ["orderbook_delta"], "market_tickers": ["NOPE"]}, 16),
        ("subscribe", {"channels": ["orderbook_delta"], "market_tickers": "RAIN-A"}, 11),
        ("subscribe", {"channels": ["trade"], "market_ticker": "RAIN-A", "market_tickers": ["RAIN-A"]}, 11),
        ("subscribe", {"channels": ["trade"], "use_yes_price": "yes"}, 11),
        ("subscribe", {"channels": ["market_lifecycle_v2"], "market_tickers": ["RAIN-A"]}, 11),
        ("subscribe", {"channels": ["ticker"]}, 6),
        ("unsubscribe", {}, 4),
        ("unsubscribe", {"sids": [99]}, 7),
        ("update_subscription", {"action": "add_markets"}, 12),
        ("update_subscription", {"sids": [1, 2]}, 12),
        ("update_subscription", {"sid": 99}, 7),
        ("update_subscription", {"sid": 1}, 15),
        ("update_subscription", {"sid": 1, "action": "dance"}, 13),
        ("update_subscription", {"sid": 1, "action": "add_markets"}, 14),
        ("update_subscription", {"sid": 1, "action": "get_snapshot", "market_tickers": ["RAIN-A"]}, 13),
        ("update_subscription", {"sid": 2, "action": "get_snapshot", "market_tickers": ["RAIN-B"]}, 16),
    ],
)
async def test_mistakes(member, cmd, params, code):
    """Each has its number; the connection goes on."""
    async with await member.connect() as listener:
        await listener.subscribe("ticker", market_tickers=["RAIN-A"])
        await book_of(listener)
        if params is None:
            await listener.socket.send('{"id": 3, "cmd": "subscribe"}')
        else:
            await listener.command(cmd, **params)
        answer = await listener.next()
        assert (answer["id"], answer["type"], answer["msg"]["code"]) == (3, "error", code)


@pytest.mark.parametrize("text", ["{", "[]", "7"])
async def test_frames_that_are_no_command(member, text):
    """Error 1 with id 0."""
    async with await member.connect() as listener:
        await listener.socket.send(text)
        answer = await listener.next()
        assert answer == {"id": 0, "type": "error", "msg": {"code": 1, "msg": "Unable to process message"}}


async def test_private_channels(exchange, member):
    """fill, user_order and market_position: without seq, with fixed-point strings, to their member alone."""
    other = await exchange.member("other")
    await exchange.offer("RAIN-A", "ask", "0.39", "4")
    async with await member.connect() as listener, await other.connect() as stranger:
        for each in (listener, stranger):
            await each.command("subscribe", channels=["fill", "user_orders", "market_positions"])
            assert [(await each.next())["msg"]["sid"] for _ in range(3)] == [1, 2, 3]
        placed = await member.placed(count="10.00")
        messages = {}
        while len(messages) < 3 or messages["user_order"]["msg"]["fill_count_fp"] == "0.00":
            message = await listener.next()
            assert "seq" not in message
            messages[message["type"]] = message
        assert await stranger.silent()
    fill = messages["fill"]["msg"]
    assert fill.pop("ts_ms") > 0
    assert fill.pop("trade_id")
    assert fill == {
        "order_id": placed["order_id"],
        "client_order_id": placed["client_order_id"],
        "market_ticker": "RAIN-A",
        "exchange_index": 0,
        "is_taker": True,
        "yes_price_dollars": "0.3900",
        "count_fp": "4.00",
        "fee_cost": fill["fee_cost"],
        "outcome_side": "yes",
        "book_side": "bid",
        "post_position_fp": "4.00",
    }
    assert len(fill["fee_cost"].partition(".")[2]) == 6
    order = messages["user_order"]["msg"]
    assert (order["status"], order["fill_count_fp"], order["remaining_count_fp"]) == ("resting", "4.00", "6.00")
    assert order["last_update_reason"] == "Trade"
    assert messages["market_position"]["msg"]["position_fp"] == "4.00"


async def test_fills_of_wanted_markets_only(exchange, member):
    """The filter of a private channel."""
    await exchange.offer("RAIN-A", "ask", "0.39", "4")
    await exchange.offer("RAIN-B", "ask", "0.39", "4")
    async with await member.connect() as listener:
        await listener.subscribe("fill", market_ticker="RAIN-B")
        await member.placed(count="1.00")
        await member.placed(count="1.00", ticker="RAIN-B")
        assert (await listener.next())["msg"]["market_ticker"] == "RAIN-B"


async def test_a_fill_before_the_answer(exchange, member):
    """With distance between client and exchange the fill is there first."""
    await exchange.offer("RAIN-A", "ask", "0.39", "4")
    async with await member.connect() as listener:
        await listener.subscribe("fill")
        await exchange.fault("latency,ms=1200")
        answer = asyncio.create_task(member.placed(count="1.00"))
        fill = await listener.next()
        assert not answer.done()
        assert (await answer)["order_id"] == fill["msg"]["order_id"]


async def test_trade_and_ticker(exchange, member):
    """The tape has a sequence, the ticker has none; an initial ticker where asked for."""
    await exchange.offer("RAIN-A", "ask", "0.39", "4")
    async with await member.connect() as listener:
        await listener.subscribe("trade")
        sid = await listener.subscribe("ticker", market_tickers=["RAIN-A"], send_initial_snapshot=True)
        first = await listener.next()
        assert (first["type"], first["sid"], first["msg"]["yes_ask_dollars"]) == ("ticker", sid, "0.3900")
        assert "seq" not in first
        await member.placed(count="1.50")
        trade = await listener.next()
        assert trade["seq"] == 1
        assert trade["msg"].pop("trade_id")
        assert trade["msg"].pop("ts_ms")
        assert trade["msg"] == {
            "market_ticker": "RAIN-A",
            "yes_price_dollars": "0.3900",
            "no_price_dollars": "0.6100",
            "count_fp": "1.50",
            "taker_outcome_side": "yes",
            "taker_book_side": "bid",
            "is_block_trade": False,
        }
        moved = (await listener.until("ticker"))["msg"]
        assert (moved["price_dollars"], moved["last_trade_size_fp"], moved["volume_fp"]) == ("0.3900", "1.50", "1.50")


async def test_ticker_by_id(exchange, member):
    """That channel alone also takes ids."""
    async with await member.connect() as listener:
        await listener.subscribe("ticker", market_ids=["RAIN-A"], send_initial_snapshot=True)
        assert (await listener.next())["msg"]["market_id"] == "RAIN-A"
        await listener.command("subscribe", channels=["orderbook_delta"], market_ids=["RAIN-A"])
        assert (await listener.next())["msg"]["code"] == 14


async def test_lifecycle(exchange, member):
    """A market is decided and settled; its grid and its event's fees change: for everyone, in one sequence."""
    async with await member.connect() as listener:
        await listener.subscribe("market_lifecycle_v2")
        exchange.engine.set_price_ranges("RAIN-B", ((0, 1_000_000, 1_000),))
        grid = await listener.next()
        assert grid["seq"] == 1
        assert grid["msg"]["event_type"] == "price_level_structure_updated"
        assert grid["msg"]["price_ranges"] == [{"start": "0.0000", "end": "1.0000", "step": "0.0010"}]
        exchange.engine.set_event_fees("RAIN", "flat", None)
        assert (await listener.next())["msg"]["fee_type_override"] == "flat"
        exchange.engine.pause_market("RAIN-B", True)
        assert (await listener.next())["msg"]["is_deactivated"] is True
        await exchange.admin("POST", "resolve", {"ticker": "RAIN-A", "outcome": "0.26"})
        kinds = {}
        while "settled" not in kinds:
            message = (await listener.next())["msg"]
            kinds[message["event_type"]] = message
    assert kinds["determined"]["result"] == "scalar"
    assert kinds["determined"]["settlement_value"] == "0.2600"
    assert kinds["settled"]["settled_ts"] >= kinds["determined"]["determination_ts"]
    assert "close_date_updated" in kinds


async def test_order_groups_are_told(exchange, member):
    """Created, triggered: to the member."""
    async with await member.connect() as listener:
        await listener.subscribe("order_group_updates", market_tickers=["RAIN-A"])
        made = await member.call("POST", "/portfolio/order_groups/create", {"contracts_limit": 10})
        assert made.status_code == 201
        told = await listener.next()
        assert (told["seq"], told["msg"]["event_type"]) == (1, "created")
        assert told["msg"]["contracts_limit_fp"] == "10.00"


async def test_heartbeat(start):
    """A protocol ping with the body `heartbeat`."""
    exchange = await start(QUICK.__class__(ping_s=0.05, read_lag_ms=0))
    member = await exchange.member()
    seen = asyncio.Event()
    async with await member.connect() as listener:
        answer = listener.socket.protocol.recv_frame

        def watch(frame):
            if frame.opcode == 9 and bytes(frame.data) == b"heartbeat":
                seen.set()
            answer(frame)

        listener.socket.protocol.recv_frame = watch
        reader = asyncio.create_task(listener.socket.recv())
        async with asyncio.timeout(5):
            await seen.wait()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def test_sids_start_anew(member):
    """After a reconnect they count from 1 again, and so do sequences."""
    for _ in range(2):
        async with await member.connect() as listener:
            sid, snapshot = await book_of(listener)
            assert (sid, snapshot["seq"]) == (1, 1)


async def test_gap(exchange, member):
    """A message takes its number and is not sent."""
    async with await member.connect() as listener:
        await book_of(listener)
        await exchange.fault("gap,count=1,channel=orderbook_delta")
        await exchange.offer("RAIN-A", "bid", "0.10", "1")
        await exchange.offer("RAIN-A", "bid", "0.11", "1")
        assert (await listener.next())["seq"] == 3


async def test_duplicate(exchange, member):
    """The same message with the same number, twice."""
    async with await member.connect() as listener:
        await book_of(listener)
        await exchange.fault("duplicate_events,count=1")
        await exchange.offer("RAIN-A", "bid", "0.10", "1")
        assert await listener.next() == await listener.next()


async def test_reset(exchange, member):
    """The sequence begins again at 1."""
    async with await member.connect() as listener:
        await book_of(listener)
        await exchange.offer("RAIN-A", "bid", "0.10", "1")
        await exchange.fault("reset,count=1")
        await exchange.offer("RAIN-A", "bid", "0.11", "1")
        assert [(await listener.next())["seq"] for _ in range(2)] == [2, 1]


async def test_late_fills(exchange, member):
    """A delayed fill comes after the answer, and only that channel is late."""
    await exchange.offer("RAIN-A", "ask", "0.39", "4")
    async with await member.connect() as listener:
        await listener.subscribe("fill")
        await listener.subscribe("user_orders")
        await exchange.fault("reorder_events,seconds=0.3,channel=fill,count=1")
        await member.placed(count="1.00")
        assert (await listener.next())["type"] == "user_order"
        assert (await listener.until("fill"))["msg"]["count_fp"] == "1.00"


async def test_drop_stream(exchange, member):
    """The connection breaks without a close frame."""
    async with await member.connect() as listener:
        await book_of(listener)
        await exchange.fault("drop_stream,count=1")
        await exchange.offer("RAIN-A", "bid", "0.10", "1")
        with pytest.raises(websockets.ConnectionClosedError):
            await listener.next()


async def test_freeze_stream(exchange, member):
    """Nothing is sent for a while, the connection lives, and numbers go on: the client sees a gap."""
    async with await member.connect() as listener:
        await book_of(listener)
        await exchange.fault("freeze_stream,seconds=0.2,count=1")
        await exchange.offer("RAIN-A", "bid", "0.10", "1")
        assert await listener.silent(0.1)
        await listener.command("list_subscriptions")
        assert (await listener.next())["type"] == "ok"
        exchange.clock.ahead_ms += 300
        await exchange.offer("RAIN-A", "bid", "0.11", "1")
        assert (await listener.next())["seq"] == 3


async def test_overflow(exchange, member):
    """Error 25 names the sid, which is over; a new subscription works."""
    async with await member.connect() as listener:
        sid, _ = await book_of(listener)
        await exchange.fault("overflow,count=1")
        await exchange.offer("RAIN-A", "bid", "0.10", "1")
        told = await listener.next()
        assert told == {"type": "error", "sid": sid, "msg": {"code": 25, "msg": "Subscription buffer overflow"}}
        again, snapshot = await book_of(listener)
        assert (again, snapshot["seq"]) == (sid + 1, 1)


async def test_a_reader_that_is_too_slow(start):
    """What piles up beyond the limit ends the subscription with error 25."""
    exchange = await start(QUICK.__class__(backlog_bytes=200, read_lag_ms=0))
    member = await exchange.member()
    async with await member.connect() as listener:
        await book_of(listener)
        for at in range(4):
            exchange.engine.create_account("h", house=True)
            exchange.engine.submit(house_bid(at))
        assert (await listener.next())["msg"]["code"] == 25


def house_bid(at):
    return NewOrder("h", "RAIN-A", "bid", 100_000 + at * 10_000, 1_000_000)


@pytest.mark.parametrize("variant", ["json", "unknown", "array"])
async def test_malformed_frame(exchange, member, variant):
    """Junk in the place of a message."""
    async with await member.connect() as listener:
        await book_of(listener)
        await exchange.fault(f"malformed_frame,variant={variant},count=1")
        await exchange.offer("RAIN-A", "bid", "0.10", "1")
        async with asyncio.timeout(5):
            assert "orderbook_delta" in await listener.socket.recv() or variant == "unknown"


async def test_restart(exchange, member):
    """Sockets break, endpoints of orders answer 503 with the exchange's status, then all goes on."""
    async with await member.connect() as listener:
        await book_of(listener)
        await exchange.fault("restart,seconds=5,count=1")
        with pytest.raises(websockets.ConnectionClosedError):
            await listener.next()
    for answer in (await member.create(), await member.cancel("x")):
        assert answer.status_code == 503
        assert answer.json()["trading_active"] is False
    exchange.clock.ahead_ms += 5_000
    assert (await member.create()).status_code == 201
