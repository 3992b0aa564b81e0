"""Public reads: shapes of series, events, markets and books; filters; the cache of unsigned ones."""

import pytest

from arbsaga.exchange.kalshi.settings import EngineSettings

from .running import API, QUICK


async def get(exchange, path, expected=200, **params):
    """The body of an unsigned call."""
    answer = await exchange.http.get(exchange.url + API + path, params=params)
    assert answer.status_code == expected, answer.text
    return answer.json()


async def test_exchange(exchange):
    """Status with every shard, hours in New York time."""
    told = await get(exchange, "/exchange/status")
    assert told["exchange_active"] is told["trading_active"] is True
    assert [shard["exchange_index"] for shard in told["exchange_index_statuses"]] == [0, 1, 2, 3]
    await exchange.admin("POST", "halt", {"trading": True, "exchange_index": 2})
    shards = (await get(exchange, "/exchange/status"))["exchange_index_statuses"]
    assert [shard["trading_active"] for shard in shards] == [True, True, False, True]
    [week] = (await get(exchange, "/exchange/schedule"))["schedule"]["standard_hours"]
    assert week["thursday"] == week["monday"] == [{"open_time": "00:00", "close_time": "00:00"}]


async def test_only_a_pause_that_is_kept_is_announced(start):
    """Who heeds the hours would wait on Thursdays for nothing."""
    exchange = await start(QUICK, EngineSettings(thursday_pause=True))
    [week] = (await get(exchange, "/exchange/schedule"))["schedule"]["standard_hours"]
    assert week["thursday"][0]["close_time"] == "03:00"


async def test_series(exchange):
    """Fee type and multiplier are read from here."""
    assert [each["ticker"] for each in (await get(exchange, "/series"))["series"]] == ["RAINS", "COINS", "GAMES"]
    [coins] = (await get(exchange, "/series", category="Crypto"))["series"]
    assert (coins["fee_type"], coins["fee_multiplier"]) == ("quadratic_with_maker_fees", 1)
    assert (await get(exchange, "/series/COINS"))["series"] == coins
    assert (await get(exchange, "/series/NOPE", 404))["error"]["code"] == "not_found"
    assert await get(exchange, "/series/fee_changes") == {"series_fee_change_arr": []}


async def test_events(exchange):
    """Exclusive ones say MECNET; markets are nested on request; overrides of fees show."""
    events = {each["event_ticker"]: each for each in (await get(exchange, "/events"))["events"]}
    assert events["RAIN"]["collateral_return_type"] == "MECNET"
    assert events["COIN"]["collateral_return_type"] == ""
    assert events["COIN"]["exchange_index"] == 2
    assert "markets" not in events["RAIN"]
    told = await get(exchange, "/events/RAIN")
    assert [market["ticker"] for market in told["markets"]] == ["RAIN-A", "RAIN-B", "RAIN-C"]
    nested = (await get(exchange, "/events/RAIN", with_nested_markets="true"))["event"]
    assert [market["ticker"] for market in nested["markets"]] == ["RAIN-A", "RAIN-B", "RAIN-C"]
    exchange.engine.set_event_fees("RAIN", "flat", None)
    assert (await get(exchange, "/events", series_ticker="RAINS"))["events"][0]["fee_type_override"] == "flat"
    assert (await get(exchange, "/events/NOPE", 404))["error"]["code"] == "not_found"
    assert (await get(exchange, "/events", status="settled"))["events"] == []
    assert len((await get(exchange, "/events", tickers="RAIN,COIN"))["events"]) == 2


async def test_a_market(exchange):
    """Prices of both sides, grid, result and settlement."""
    await exchange.offer("RAIN-A", "bid", "0.30", "5")
    await exchange.offer("RAIN-A", "ask", "0.46", "20")
    market = (await get(exchange, "/markets/RAIN-A"))["market"]
    expected = {
        "ticker": "RAIN-A",
        "event_ticker": "RAIN",
        "market_type": "binary",
        "status": "active",
        "yes_bid_dollars": "0.3000",
        "yes_ask_dollars": "0.4600",
        "no_bid_dollars": "0.5400",
        "no_ask_dollars": "0.7000",
        "yes_bid_size_fp": "5.00",
        "yes_ask_size_fp": "20.00",
        "last_price_dollars": "0.0000",
        "volume_fp": "0.00",
        "volume_24h_fp": "0.00",
        "previous_price_dollars": "0.0000",
        "expiration_value": "",
        "open_interest_fp": "0.00",
        "notional_value_dollars": "1.0000",
        "result": "",
        "settlement_timer_seconds": 1,
        "price_level_structure": "linear_cent",
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
        "exchange_index": 0,
    }
    assert {name: market[name] for name in expected} == expected
    coin = (await get(exchange, "/markets/COIN-1"))["market"]
    assert coin["price_level_structure"] == "tapered_deci_cent"
    assert coin["close_time"].startswith("9999-12-31")
    assert coin["price_ranges"][0] == {"start": "0.0000", "end": "0.1000", "step": "0.0010"}
    await exchange.admin("POST", "resolve", {"ticker": "RAIN-A", "outcome": "YES"})
    exchange.clock.ahead_ms += 2_000
    settled = (await get(exchange, "/markets/RAIN-A"))["market"]
    assert (settled["status"], settled["result"]) == ("finalized", "yes")
    assert settled["settlement_value_dollars"] == "1.0000"
    assert settled["settlement_ts"]
    assert (await get(exchange, "/markets/NOPE", 404))["error"]["code"] == "market_not_found"


async def test_markets(exchange):
    """The filter's word `open` finds `active`; pages end with an empty cursor."""
    await exchange.admin("POST", "resolve", {"ticker": "GAME-1", "outcome": "NO"})
    assert [each["ticker"] for each in (await get(exchange, "/markets", status="open", limit=2))["markets"]] == [
        "RAIN-A",
        "RAIN-B",
    ]
    [game] = (await get(exchange, "/markets", status="closed"))["markets"]
    assert game["status"] == "determined"
    assert len((await get(exchange, "/markets", event_ticker="RAIN"))["markets"]) == 3
    assert len((await get(exchange, "/markets", series_ticker="COINS"))["markets"]) == 1
    assert len((await get(exchange, "/markets", tickers="RAIN-A,COIN-1"))["markets"]) == 2
    first = await get(exchange, "/markets", limit=3)
    last = await get(exchange, "/markets", limit=3, cursor=first["cursor"])
    assert (len(first["markets"]), len(last["markets"]), last["cursor"]) == (3, 2, "")


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/markets", {"limit": 1001}),
        ("/events", {"limit": 201}),
        ("/markets", {"status": "active"}),
        ("/markets/RAIN-A/orderbook", {"depth": 101}),
    ],
)
async def test_parameters_that_are_wrong(exchange, path, params):
    """400 with {"msg"}."""
    assert list(await get(exchange, path, 400, **params)) == ["msg"]


async def test_books(exchange):
    """Bids alone, ascending, the best last; `depth` keeps the best."""
    for price, count in (("0.30", "5"), ("0.28", "7"), ("0.29", "1.5")):
        await exchange.offer("RAIN-A", "bid", price, count)
    await exchange.offer("RAIN-A", "ask", "0.46", "20")
    await exchange.offer("RAIN-A", "ask", "0.45", "2")
    book = (await get(exchange, "/markets/RAIN-A/orderbook"))["orderbook_fp"]
    assert book == {
        "yes_dollars": [["0.2800", "7.00"], ["0.2900", "1.50"], ["0.3000", "5.00"]],
        "no_dollars": [["0.5400", "20.00"], ["0.5500", "2.00"]],
    }
    top = (await get(exchange, "/markets/RAIN-A/orderbook", depth=1))["orderbook_fp"]
    assert top == {"yes_dollars": [["0.3000", "5.00"]], "no_dollars": [["0.5500", "2.00"]]}
    many = (await get(exchange, "/markets/orderbooks", tickers=["RAIN-A", "RAIN-B"]))["orderbooks"]
    assert many == [
        {"ticker": "RAIN-A", "orderbook_fp": book},
        {"ticker": "RAIN-B", "orderbook_fp": {"yes_dollars": [], "no_dollars": []}},
    ]
    assert list(await get(exchange, "/markets/orderbooks", 400)) == ["msg"]


async def test_trades(exchange, member):
    """The tape, newest first."""
    await exchange.offer("RAIN-A", "ask", "0.39", "4")
    await member.placed(count="1.00")
    await member.placed(count="2.00")
    told = (await get(exchange, "/markets/trades", ticker="RAIN-A"))["trades"]
    assert [each["count_fp"] for each in told] == ["2.00", "1.00"]
    assert told[0]["taker_book_side"] == "bid"
    assert (await get(exchange, "/markets/RAIN-A"))["market"]["volume_24h_fp"] == "3.00"
    assert (await get(exchange, "/markets/trades", max_ts=1000))["trades"] == []


async def test_the_cache_of_unsigned_reads(start):
    """Up to 15 s old without a signature, fresh with one; the header says so."""
    exchange = await start(QUICK.__class__(rate_limits=False))
    member = await exchange.member()
    path = "/markets/RAIN-A/orderbook"
    before = await get(exchange, path)
    await exchange.offer("RAIN-A", "bid", "0.30", "5")
    answer = await exchange.http.get(exchange.url + API + path)
    assert answer.json() == before
    assert answer.headers["Cache-Control"] == "max-age=15"
    assert await member.get(path) != before
    exchange.clock.ahead_ms += 15_000
    assert await get(exchange, path) != before


async def test_a_wrong_signature_is_refused_here_too(exchange, member):
    """Whoever signs must sign well."""
    assert (await member.call("GET", "/markets", stamp=1)).status_code == 401
