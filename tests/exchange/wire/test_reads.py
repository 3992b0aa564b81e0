"""Public and private reads of the CLOB over the wire."""

import time

import pytest

from arbsaga.exchange.polymarket.venue import WireSettings

from .running import OTHER_KEY

NO_BOOK = (404, {"error": "No orderbook exists for the requested token id"})
BAD_TOKEN = (400, {"error": "Invalid token id"})


async def fill_books(exchange):
    """A book on v1: YES bid 0.50 and 0.48, ask 0.52 and 0.55."""
    for side, price in (("BUY", "0.48"), ("BUY", "0.5"), ("SELL", "0.55"), ("SELL", "0.52")):
        await exchange.offer(exchange.v1, side, price, "100")


async def get(exchange, path):
    status, body, _ = await exchange.call("GET", path)
    return status, body


async def test_time_health_version_geoblock(exchange):
    """The calls that need nothing."""
    assert abs((await get(exchange, "/time"))[1] - time.time()) < 5
    assert await get(exchange, "/ok") == (200, "OK")
    assert await get(exchange, "/version") == (200, {"version": 2})
    assert (await get(exchange, "/api/geoblock"))[1]["blocked"] is False


async def test_a_book_has_its_best_prices_last(exchange):
    """Bids ascend, asks descend, decimals are text; NO mirrors YES."""
    await fill_books(exchange)
    yes, no = exchange.v1.token_ids
    status, book = await get(exchange, f"/book?token_id={yes}")
    assert status == 200
    assert [level["price"] for level in book["bids"]] == ["0.48", "0.5"]
    assert [level["price"] for level in book["asks"]] == ["0.55", "0.52"]
    assert (book["market"], book["asset_id"]) == (exchange.v1.condition_id, yes)
    assert (book["min_order_size"], book["tick_size"], book["neg_risk"]) == ("5", "0.01", False)
    assert (book["last_trade_price"], len(book["hash"])) == ("", 40)
    assert "version" not in book
    _, mirror = await get(exchange, f"/book?token_id={no}")
    assert mirror["bids"][-1] == {"price": "0.48", "size": "100"}
    assert (await get(exchange, f"/book?token_id={exchange.v2.token_ids[0]}"))[1]["version"] == "v2"


@pytest.mark.parametrize("path", ["/book", "/midpoint", "/spread", "/last-trade-price", "/tick-size", "/neg-risk"])
async def test_tokens_that_are_none(exchange, path):
    """404 for a token without a market, 400 for what is no token id."""
    assert await get(exchange, f"{path}?token_id=123") == NO_BOOK
    assert await get(exchange, f"{path}?token_id=abc") == BAD_TOKEN
    assert await get(exchange, path) == BAD_TOKEN


async def test_prices_of_one_token(exchange):
    """BUY is the best ask, SELL the best bid."""
    await fill_books(exchange)
    yes = exchange.v1.token_ids[0]
    assert await get(exchange, f"/price?token_id={yes}&side=BUY") == (200, {"price": "0.52"})
    assert await get(exchange, f"/price?token_id={yes}&side=SELL") == (200, {"price": "0.5"})
    assert (await get(exchange, f"/price?token_id={yes}&side=HOLD"))[0] == 400
    assert await get(exchange, f"/midpoint?token_id={yes}") == (200, {"mid": "0.51"})
    assert await get(exchange, f"/spread?token_id={yes}") == (200, {"spread": "0.02"})
    assert await get(exchange, f"/last-trade-price?token_id={yes}") == (200, {"price": "0", "side": ""})
    assert await get(exchange, f"/midpoint?token_id={exchange.v2.token_ids[0]}") == NO_BOOK


async def test_prices_of_many_tokens(exchange):
    """The POST forms leave out what has no book or price."""
    await fill_books(exchange)
    await exchange.trader().post(exchange.v1, "BUY", "0.52", "10")
    yes, empty = exchange.v1.token_ids[0], exchange.v2.token_ids[0]
    asked = [{"token_id": token} for token in (yes, empty, "123")]

    async def post(path, body):
        return (await exchange.call("POST", path, json=body))[1]

    assert [book["asset_id"] for book in await post("/books", asked)] == [yes, empty]
    assert await post("/midpoints", asked) == {yes: "0.51"}
    assert await post("/spreads", asked) == {yes: "0.02"}
    assert await post("/last-trades-prices", asked) == [{"token_id": yes, "price": "0.52", "side": "BUY"}]
    sides = [entry | {"side": side} for entry in asked for side in ("BUY", "SELL", "HOLD")]
    assert await post("/prices", sides) == {yes: {"BUY": "0.52", "SELL": "0.5"}}
    assert await post("/books", [{"token_id": yes}] * 501) == {"error": "Payload exceeds the limit"}
    assert await post("/books", {}) == {"error": "Invalid order payload"}


async def test_market_parameters(exchange):
    """Tick, neg-risk flag, the legacy fee, the market of a token."""
    yes = exchange.three[0].token_ids[0]
    assert await get(exchange, f"/tick-size?token_id={yes}") == (200, {"minimum_tick_size": 0.01})
    assert await get(exchange, f"/neg-risk?token_id={yes}") == (200, {"neg_risk": True})
    assert await get(exchange, f"/fee-rate?token_id={yes}") == (200, {"base_fee": 0})
    assert await get(exchange, f"/fee-rate?token_id={exchange.v1.token_ids[0]}") == (200, {"base_fee": 1000})
    _, found = await get(exchange, f"/markets-by-token/{yes}")
    assert found["condition_id"] == exchange.three[0].condition_id


async def test_compact_records(exchange):
    """What the official clients read before they build an order."""
    _, plain = await get(exchange, f"/clob-markets/{exchange.v1.condition_id}")
    assert (plain["v"], plain["mts"], plain["mos"]) == ("v1", 0.01, 5.0)
    assert plain["fd"] == {"r": 0.05, "e": 1, "to": True}
    assert [entry["t"] for entry in plain["t"]] == list(exchange.v1.token_ids)
    assert "nr" not in plain
    _, grouped = await get(exchange, f"/clob-markets/{exchange.four[1].condition_id}")
    assert (grouped["v"], grouped["nr"]) == ("v2", True)
    assert "fd" not in grouped


async def test_a_31_byte_condition_is_not_found_by_the_clob(exchange):
    """The CLOB wants V2 conditions in 32 bytes; Gamma shows 31."""
    short = exchange.v2.condition_id[:64]
    assert await get(exchange, f"/clob-markets/{short}") == (404, {"error": "market not found"})


async def test_listings_by_cursor(start):
    """Pages follow their cursors to "LTE=", every market once."""
    running = await start(WireSettings(page_size=4))
    seen, cursor = [], "MA=="
    while cursor != "LTE=":
        _, page = await get(running, f"/markets?next_cursor={cursor}")
        assert page["count"] == len(page["data"]) <= page["limit"] == 4
        seen += [market["condition_id"] for market in page["data"]]
        cursor = page["next_cursor"]
    assert seen == list(running.engine.markets)
    assert (await get(running, "/markets?next_cursor=LTE="))[1]["data"] == []
    assert await get(running, "/markets?next_cursor=!") == (400, {"error": "Invalid cursor"})
    _, one = await get(running, f"/markets/{running.v1.condition_id}")
    assert [token["token_id"] for token in one["tokens"]] == list(running.v1.token_ids)


async def test_closed_markets_leave_the_sampling_list(exchange):
    """/sampling-markets has what takes orders, /markets everything with its winner."""
    await exchange.admin("POST", "resolve", {"condition_id": exchange.v1.condition_id, "outcome": "NO"})
    _, sampling = await get(exchange, "/sampling-markets")
    assert exchange.v1.condition_id not in {market["condition_id"] for market in sampling["data"]}
    _, listed = await get(exchange, f"/markets/{exchange.v1.condition_id}")
    assert [(token["winner"], token["price"]) for token in listed["tokens"]] == [(False, 0.0), (True, 1.0)]


async def test_an_order_s_record(exchange):
    """Live, matched and canceled orders are all answered, to their owner only."""
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    trader = exchange.trader()
    _, live, _ = await trader.post(exchange.v1, "BUY", "0.4", "10")
    _, matched, _ = await trader.post(exchange.v1, "BUY", "0.5", "10")
    path = f"/data/order/{live['orderID']}"
    _, record, _ = await trader.call("GET", path)
    expected = {
        "id": live["orderID"],
        "status": "LIVE",
        "owner": trader.credentials["apiKey"],
        "maker_address": trader.wallet,
        "market": exchange.v1.condition_id,
        "asset_id": exchange.v1.token_ids[0],
        "side": "BUY",
        "original_size": "10",
        "size_matched": "0",
        "price": "0.4",
        "outcome": "Yes",
        "order_type": "GTC",
        "expiration": "0",
        "associate_trades": [],
    }
    assert expected.items() <= record.items()
    _, done, _ = await trader.call("GET", f"/data/order/{matched['orderID']}")
    assert (done["status"], done["associate_trades"]) == ("MATCHED", matched["tradeIDs"])
    await trader.cancel(live["orderID"])
    assert (await trader.call("GET", path))[1]["status"] == "CANCELED"
    assert (await exchange.trader(OTHER_KEY).call("GET", path))[:2] == (404, {"error": "order not found"})


async def test_finished_orders_can_be_hidden(start):
    """Older reports say null after a full match: a setting."""
    running = await start(WireSettings(hide_finished_orders=True))
    trader = running.trader()
    _, body, _ = await trader.post(running.v1, "BUY", "0.4", "10")
    assert (await trader.call("GET", f"/data/order/{body['orderID']}"))[1]["status"] == "LIVE"
    await trader.cancel(body["orderID"])
    assert (await trader.call("GET", f"/data/order/{body['orderID']}"))[:2] == (200, None)


async def test_open_orders_are_filtered_and_paged(start):
    """By id, market and token; in pages."""
    running = await start(WireSettings(page_size=2))
    trader = running.trader()
    ids = []
    for market in (running.v1, running.v2, running.v1):
        ids.append((await trader.post(market, "BUY", "0.4", "10"))[1]["orderID"])

    async def listed(query):
        return [order["id"] for order in (await trader.call("GET", "/data/orders", query=query))[1]["data"]]

    _, first, _ = await trader.call("GET", "/data/orders")
    assert [order["id"] for order in first["data"]] == ids[:2]
    assert await listed(f"?next_cursor={first['next_cursor']}") == ids[2:]
    assert await listed(f"?market={running.v2.condition_id}") == [ids[1]]
    assert await listed(f"?asset_id={running.v1.token_ids[0]}") == [ids[0], ids[2]]
    assert await listed(f"?id={ids[2]}") == [ids[2]]


async def test_trades_of_taker_and_maker(exchange):
    """Both sides see the trade, each in its role; filters narrow; REST statuses carry their prefix."""
    maker, taker = exchange.trader(), exchange.trader(OTHER_KEY)
    exchange.engine.deposit(taker.wallet, 1_000_000_000)
    _, resting, _ = await maker.post(exchange.v1, "BUY", "0.4", "10")
    _, taking, _ = await taker.post(exchange.v1, "BUY", "0.6", "10", outcome=1)
    [seen] = (await taker.call("GET", "/data/trades"))[1]["data"]
    assert (seen["trader_side"], seen["side"], seen["price"], seen["size"]) == ("TAKER", "BUY", "0.6", "10")
    assert (seen["taker_order_id"], seen["outcome"], seen["fee_rate_bps"]) == (taking["orderID"], "No", "1000")
    assert seen["status"] == "TRADE_STATUS_MATCHED"
    [part] = seen["maker_orders"]
    assert (part["order_id"], part["matched_amount"], part["price"]) == (resting["orderID"], "10", "0.4")
    assert (part["asset_id"], part["outcome"], part["fee_rate_bps"]) == (exchange.v1.token_ids[0], "Yes", "")
    [other] = (await maker.call("GET", "/data/trades"))[1]["data"]
    assert (other["trader_side"], other["id"], other["owner"]) == (
        "MAKER",
        seen["id"],
        maker.credentials["apiKey"],
    )

    async def count(query):
        return len((await maker.call("GET", "/data/trades", query=query))[1]["data"])

    moment = int(seen["match_time"])
    assert await count(f"?id={seen['id']}") == await count(f"?market={exchange.v1.condition_id}") == 1
    assert await count(f"?after={moment - 1}&before={moment + 1}") == 1
    assert await count(f"?after={moment}") == await count(f"?before={moment}") == await count("?id=x") == 0
    assert await count(f"?maker_address={maker.wallet}") == await count(f"?asset_id={part['asset_id']}") == 1
    assert await count(f"?maker_address={exchange.v1.condition_id[:42]}") == 0
    assert (await maker.call("GET", "/data/trades", query="?after=noon"))[0] == 400


async def test_balances_and_allowances(exchange):
    """Settled balances in base units as text, for the wallet that the signature type means."""
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    trader = exchange.trader(wallet=1)
    await trader.post(exchange.v1, "BUY", "0.5", "10")
    exchange.clock.ahead_ms = 60_000

    async def balance(query):
        return (await trader.call("GET", "/balance-allowance", query=query))[1]

    cash = await balance("?asset_type=COLLATERAL&signature_type=3")
    assert cash["balance"] == "994875000"  # 10 shares at 0.5, and a fee of 10 * 0.05 * 0.25
    assert set(cash["allowances"].values()) == {str(2**256 - 1)}
    token = exchange.v1.token_ids[0]
    assert (await balance(f"?asset_type=CONDITIONAL&token_id={token}&signature_type=3"))["balance"] == "10000000"
    assert (await balance("?asset_type=COLLATERAL&signature_type=0"))["balance"] == "1000000000"
    nobody = await balance("?asset_type=COLLATERAL&signature_type=2")
    assert (nobody["balance"], set(nobody["allowances"].values())) == ("0", {"0"})


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "Invalid asset type"),
        ("?asset_type=CONDITIONAL", "Invalid token id"),
        ("?asset_type=COLLATERAL&signature_type=x", "Invalid signature type"),
    ],
)
async def test_balances_of_nothing(exchange, query, text):
    """What does not name an asset is refused."""
    answer = await exchange.trader().call("GET", "/balance-allowance", query=query)
    assert answer[:2] == (400, {"error": text})


async def test_notifications_are_empty(exchange):
    """The endpoint answers; nothing is notified there."""
    assert (await exchange.trader().call("GET", "/notifications"))[:2] == (200, [])


async def test_paths_that_are_none(exchange):
    """Unknown paths and methods are answered in JSON too."""
    assert await get(exchange, "/nowhere") == (404, {"error": "not found"})
    assert (await exchange.call("PUT", "/order"))[:2] == (405, {"error": "Method Not Allowed"})
