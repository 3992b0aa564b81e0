"""Both WebSocket channels over real sockets: what is sent, when, and to whom."""

import asyncio

import aiohttp
import orjson
import pytest

from arbsaga.exchange.polymarket.socket import frames
from arbsaga.exchange.polymarket.venue import WireSettings

from .running import OTHER_KEY, markets_of


async def test_a_book_on_subscribing(exchange):
    """One full book per token, in the REST form, best last."""
    await exchange.offer(exchange.v1, "SELL", "0.52", "100")
    stream = await exchange.trader().listen_market(*exchange.v1.token_ids, exchange.v2.token_ids[0])
    yes, no, other = [await stream.next_of("book") for _ in range(3)]
    assert (yes["asset_id"], no["asset_id"]) == exchange.v1.token_ids
    assert yes["asks"] == [{"price": "0.52", "size": "100"}]
    assert no["bids"] == [{"price": "0.48", "size": "100"}]
    assert (other["version"], other["market"]) == ("v2", exchange.v2.condition_id)


async def test_a_price_change_tells_both_tokens(exchange):
    """New absolute sizes on both mirrored books, with their best prices; 0 removes a level."""
    stream = await exchange.trader().listen_market(exchange.v1.token_ids[0])
    await exchange.offer(exchange.v1, "SELL", "0.52", "100")
    await exchange.offer(exchange.v1, "SELL", "0.52", "50")
    yes, no = exchange.v1.token_ids
    first, second = [await stream.next_of("price_change") for _ in range(2)]
    assert [change["size"] for change in first["price_changes"]] == ["100", "100"]
    changes = {change["asset_id"]: change for change in second["price_changes"]}
    expected = {"price": "0.52", "size": "150", "side": "SELL", "best_bid": "", "best_ask": "0.52"}
    assert expected.items() <= changes[yes].items()
    expected = {"price": "0.48", "size": "150", "side": "BUY", "best_bid": "0.48", "best_ask": ""}
    assert expected.items() <= changes[no].items()
    assert second["market"] == exchange.v1.condition_id


async def test_a_trade_is_printed_and_the_books_come_anew(exchange):
    """last_trade_price of the taker's token, then a full book of each token that is listened to."""
    await exchange.offer(exchange.v1, "SELL", "0.52", "100")
    stream = await exchange.trader().listen_market(*exchange.v1.token_ids)
    _, body, _ = await exchange.trader().post(exchange.v1, "BUY", "0.52", "10")
    printed = await stream.next_of("last_trade_price")
    assert (printed["price"], printed["size"], printed["side"]) == ("0.52", "10", "BUY")
    assert printed["transaction_hash"] == body["transactionsHashes"][0]
    books = {book["asset_id"]: book for book in [await stream.next_of("book") for _ in range(2)]}
    yes, no = exchange.v1.token_ids
    assert books[yes]["asks"] == [{"price": "0.52", "size": "90"}]
    assert (books[yes]["last_trade_price"], books[no]["last_trade_price"]) == ("0.52", "0.48")


async def test_a_tick_change(exchange):
    """Both tokens are told the old and the new tick, then a book comes."""
    stream = await exchange.trader().listen_market(exchange.v1.token_ids[0])
    exchange.engine.change_tick(exchange.v1.condition_id, 1_000)
    changed = await stream.next_of("tick_size_change")
    assert (changed["old_tick_size"], changed["new_tick_size"]) == ("0.01", "0.001")
    assert (await stream.next_of("book"))["tick_size"] == "0.001"


async def test_custom_features(exchange):
    """Best prices, new markets and resolutions come only where they were asked for."""
    trader, yes = exchange.trader(), exchange.v1.token_ids[0]
    plain = await trader.listen_market(yes)
    custom = await trader.listen_market(yes, custom=True)
    for stream in (plain, custom):
        await stream.next_of("book")
    await exchange.offer(exchange.v1, "SELL", "0.52", "100")
    await exchange.offer(exchange.v1, "BUY", "0.5", "100")
    await custom.next_of("best_bid_ask", best_bid="", best_ask="0.52", spread="")
    await custom.next_of("best_bid_ask", best_bid="0.5", best_ask="0.52", spread="0.02")
    event, markets = markets_of("15", "v2", 3, fee_rate="0.04")
    exchange.engine.open_event(event, markets)
    opened = await custom.next_of("new_market")
    assert (opened["condition_id"], opened["assets_ids"]) == (markets[0].condition_id, list(markets[0].token_ids))
    await exchange.admin("POST", "resolve", {"condition_id": exchange.v1.condition_id, "outcome": "NO"})
    resolved = await custom.next_of("market_resolved")
    assert (resolved["winning_asset_id"], resolved["winning_outcome"]) == (exchange.v1.token_ids[1], "No")
    await plain.socket.send_str("PING")
    await plain.next(lambda event: event == "PONG")
    kinds = {event["event_type"] for event in plain.seen if event != "PONG"}
    assert kinds == {"book", "price_change"}


async def test_subscriptions_change_on_the_same_socket(exchange):
    """Subscribing adds with a book, once; unsubscribing ends; the custom flag is switched in place."""
    stream = await exchange.trader().listen_market(exchange.v1.token_ids[0])
    await stream.next_of("book", asset_id=exchange.v1.token_ids[0])
    other = exchange.v2.token_ids[0]
    for _ in range(2):
        await stream.socket.send_json({"operation": "subscribe", "assets_ids": [other]})
    await stream.next_of("book", asset_id=other)
    await stream.socket.send_json({"operation": "unsubscribe", "assets_ids": [exchange.v1.token_ids[0]]})
    await stream.socket.send_json({"operation": "subscribe", "assets_ids": [other], "custom_feature_enabled": True})
    await stream.socket.send_str("PING")
    assert await stream.next() == "PONG"
    await exchange.offer(exchange.v1, "SELL", "0.52", "100")
    await exchange.offer(exchange.v2, "SELL", "0.53", "100")
    assert (await stream.next())["market"] == exchange.v2.condition_id
    await stream.next_of("best_bid_ask", asset_id=other)


async def test_a_subscription_without_a_dump(exchange):
    """initial_dump false: nothing until something changes; unknown tokens give no book."""
    frame = {"type": "market", "assets_ids": [exchange.v1.token_ids[0], "123"], "initial_dump": False}
    stream = await exchange.trader().listen("/ws/market", frame)
    await stream.socket.send_str("PING")
    assert await stream.next() == "PONG"
    await exchange.offer(exchange.v1, "SELL", "0.52", "100")
    assert (await stream.next())["event_type"] == "price_change"


@pytest.mark.parametrize(
    "rubbish", ["{", "[]", "7", '{"assets_ids": 7}', '{"operation": "dance"}', '{"assets_ids": [7]}']
)
async def test_rubbish_is_ignored(exchange, rubbish):
    """Frames that say nothing leave the socket open and working."""
    stream = await exchange.trader().listen_market(exchange.v1.token_ids[0])
    await stream.socket.send_str(rubbish)
    await stream.socket.send_str("PING")
    await stream.next(lambda event: event == "PONG")


async def test_protocol_pings_are_answered(exchange):
    """The official client's websockets library closes a socket that does not answer them."""
    socket = await exchange.http.ws_connect(exchange.url + "/ws/market", autoping=False)
    await socket.ping(b"hello")
    answer = await socket.receive(timeout=3)
    assert (answer.type, bytes(answer.data)) == (aiohttp.WSMsgType.PONG, b"hello")
    await socket.close()


async def test_the_initial_dump_is_split_into_frames(start):
    """Frames stay under the limit, since one over 1 MiB kills the official client's socket."""
    running = await start(WireSettings(frame_bytes=2_000))
    tokens = [token for market in running.engine.markets.values() for token in market.token_ids]
    socket = await running.http.ws_connect(running.url + "/ws/market")
    await socket.send_json({"type": "market", "assets_ids": tokens})
    seen = []
    while len(seen) < len(tokens):
        text = (await socket.receive(timeout=3)).data
        assert len(text) <= 2_000
        body = orjson.loads(text)
        seen += body if isinstance(body, list) else [body]
    assert [book["asset_id"] for book in seen] == tokens
    await socket.close()


def test_frames():
    """One event is an object, several are an array; an event over the limit goes alone."""
    assert frames([], 10) == []
    assert frames([b"{}"], 10) == [b"{}"]
    assert frames([b"{}", b"{}", b"{}"], 10) == [b"[{},{},{}]"]
    assert frames([b"{}", b"{}", b"{}", b"{}"], 10) == [b"[{},{},{}]", b"{}"]
    assert frames([b"{}", b"x" * 20, b"{}"], 10) == [b"{}", b"x" * 20, b"{}"]


async def test_a_listener_too_far_behind_is_dropped(start):
    """A socket that does not read is closed, lest the exchange's memory fills."""
    running = await start(WireSettings(backlog_bytes=300))
    socket = await running.http.ws_connect(running.url + "/ws/market")
    await socket.send_json({"type": "market", "assets_ids": [running.v1.token_ids[0]]})
    await socket.send_str("PING")
    closed = (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    async with asyncio.timeout(3):
        while (await socket.receive()).type not in closed:
            pass


async def test_an_order_s_life_on_the_user_channel(exchange):
    """PLACEMENT, then CANCELLATION, with the venue's fields."""
    trader = exchange.trader()
    stream = await trader.listen_user()
    _, body, _ = await trader.post(exchange.v1, "BUY", "0.4", "10")
    placed = await stream.next_of("order")
    expected = {
        "type": "PLACEMENT",
        "id": body["orderID"],
        "owner": trader.credentials["apiKey"],
        "market": exchange.v1.condition_id,
        "asset_id": exchange.v1.token_ids[0],
        "side": "BUY",
        "original_size": "10",
        "size_matched": "0",
        "price": "0.4",
        "status": "LIVE",
    }
    assert expected.items() <= placed.items()
    await trader.cancel(body["orderID"])
    canceled = await stream.next_of("order", id=body["orderID"])
    assert (canceled["type"], canceled["status"]) == ("CANCELLATION", "CANCELED")


async def test_a_trade_s_life_on_the_user_channel(exchange):
    """One event per status with the same id: MATCHED, MINED, CONFIRMED; plain names, as the taker."""
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    trader = exchange.trader()
    stream = await trader.listen_user()
    _, body, _ = await trader.post(exchange.v1, "BUY", "0.5", "10")
    events = [await stream.next_of("trade", id=body["tradeIDs"][0]) for _ in range(3)]
    assert [event["status"] for event in events] == ["MATCHED", "MINED", "CONFIRMED"]
    assert {(event["type"], event["trader_side"], event["size"]) for event in events} == {("TRADE", "TAKER", "10")}
    assert events[0]["taker_order_id"] == body["orderID"]


async def test_each_key_sees_its_own(exchange):
    """The maker sees the trade as maker; a third key sees nothing."""
    maker, taker = exchange.trader(), exchange.trader(OTHER_KEY)
    third = exchange.trader("0x" + "00" * 31 + "03")
    exchange.engine.deposit(taker.wallet, 1_000_000_000)
    streams = [await one.listen_user() for one in (maker, taker, third)]
    await maker.post(exchange.v1, "BUY", "0.4", "10")
    await taker.post(exchange.v1, "BUY", "0.6", "10", outcome=1)
    assert (await streams[0].next_of("trade"))["trader_side"] == "MAKER"
    assert (await streams[1].next_of("trade"))["trader_side"] == "TAKER"
    await streams[2].socket.send_str("PING")
    assert await streams[2].next() == "PONG"


async def test_market_filters_of_the_user_channel(exchange):
    """Only the markets asked for; more and fewer by operations; none left means all."""
    trader = exchange.trader()
    stream = await trader.listen_user(markets=[exchange.v1.condition_id.upper().replace("0X", "0x")])

    async def next_market():
        for market in (exchange.v2, exchange.v1):
            await trader.post(market, "BUY", "0.4", "10")
        return (await stream.next_of("order", type="PLACEMENT"))["market"]

    assert await next_market() == exchange.v1.condition_id
    await stream.socket.send_json({"operation": "subscribe", "markets": [exchange.v2.condition_id[:64]]})
    await stream.socket.send_str("PING")
    await stream.next(lambda event: event == "PONG")
    assert await next_market() == exchange.v2.condition_id
    await stream.socket.send_json(
        {"operation": "unsubscribe", "markets": [exchange.v1.condition_id, exchange.v2.condition_id]}
    )
    await stream.socket.send_str("PING")
    await stream.next(lambda event: event == "PONG")
    assert await next_market() == exchange.v2.condition_id


async def test_v2_conditions_may_be_short_on_the_user_channel(start):
    """Their width is not documented: a setting."""
    running = await start(WireSettings(v2_condition_bytes=31))
    trader = running.trader()
    stream = await trader.listen_user()
    await trader.post(running.v2, "BUY", "0.4", "10")
    assert (await stream.next_of("order"))["market"] == running.v2.condition_id[:64]


@pytest.mark.parametrize("auth", [{}, 7, {"apiKey": "x", "secret": "y", "passphrase": "z"}])
async def test_a_wrong_login_is_closed(exchange, auth):
    """Without valid credentials the socket does not stay."""
    socket = await exchange.http.ws_connect(exchange.url + "/ws/user")
    await socket.send_json({"type": "user", "auth": auth})
    assert (await socket.receive(timeout=3)).type is aiohttp.WSMsgType.CLOSE


async def test_right_key_wrong_secret(exchange):
    """All three credentials count."""
    credentials = await exchange.trader().login()
    for name in ("secret", "passphrase"):
        socket = await exchange.http.ws_connect(exchange.url + "/ws/user")
        await socket.send_json({"type": "user", "auth": credentials | {name: "wrong"}})
        assert (await socket.receive(timeout=3)).type is aiohttp.WSMsgType.CLOSE


async def test_events_before_a_login_go_nowhere(exchange):
    """Operations of a socket that never logged in are harmless."""
    trader = exchange.trader()
    stream = await trader.listen("/ws/user", {"operation": "subscribe", "markets": [exchange.v1.condition_id]})
    await trader.post(exchange.v1, "BUY", "0.4", "10")
    await stream.socket.send_str("PING")
    assert await stream.next() == "PONG"


async def test_closed_sockets_are_forgotten(exchange):
    """Nobody is sent to, or waited for, once they are gone."""
    trader = exchange.trader()
    streams = [await trader.listen_market(exchange.v1.token_ids[0]), await trader.listen_user()]
    for stream in streams:
        await stream.socket.close()
    async with asyncio.timeout(3):
        while exchange.venue.sockets:
            await asyncio.sleep(0.01)
    before = (await exchange.admin("GET", "state"))["messages"]
    await trader.post(exchange.v1, "BUY", "0.4", "10")
    await exchange.call("GET", "/ok")
    assert (await exchange.admin("GET", "state"))["messages"] == before
