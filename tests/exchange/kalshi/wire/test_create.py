"""Creating orders over HTTP: the shapes of answers and refusals, batches, idempotency, shards, scopes."""

import random
import uuid

import pytest

from arbsaga.exchange.kalshi.limits import Limits
from arbsaga.exchange.kalshi.settings import EngineSettings

from .running import API, QUICK
from .signer import ed25519_key, headers, now_ms, rsa_key


def code(answer):
    """The code of a nested error."""
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_resting_order(member):
    """201 with id and counts as fixed-point strings; no averages, since nothing was filled."""
    body = member.order()
    answer = await member.call("POST", "/portfolio/events/orders", body)
    assert answer.status_code == 201
    told = answer.json()
    assert isinstance(told.pop("ts_ms"), int)
    assert told.pop("order_id")
    assert told == {"client_order_id": body["client_order_id"], "fill_count": "0.00", "remaining_count": "10.00"}


async def test_a_fill(exchange, member):
    """Filled at the maker's price, with the average price and fee per contract."""
    await exchange.offer("RAIN-A", "ask", "0.39", "4.50")
    told = await member.placed(price="0.4000", count="4.50", time_in_force="immediate_or_cancel")
    assert (told["fill_count"], told["remaining_count"]) == ("4.50", "0.00")
    assert told["average_fill_price"] == "0.3900"
    assert float(told["average_fee_paid"]) > 0


async def test_200_instead_of_201(start):
    """A setting: live reports differ from the specification."""
    exchange = await start(QUICK.__class__(created_status=200, rate_limits=False))
    member = await exchange.member()
    answer = await member.create()
    assert answer.status_code == 200
    assert answer.json()["order_id"]


async def test_rsa_keys(exchange):
    """The other kind of key."""
    member = await exchange.member("r", rsa_key())
    assert (await member.create()).status_code == 201


async def test_unsigned_and_skewed(exchange, member):
    """401 in the nested shape: no headers, another's signature, a clock 11 s off; 9 s are taken."""
    bare = await exchange.http.post(f"{exchange.url}{API}/portfolio/events/orders", json=member.order())
    assert code(bare) == (401, "authentication_error")
    for off_s, status in ((-11, 401), (11, 401), (-9, 201), (9, 201)):
        answer = await member.call("POST", "/portfolio/events/orders", member.order(), stamp=now_ms() + off_s * 1000)
        assert answer.status_code == status
    member.key = ed25519_key("second")
    assert code(await member.create()) == (401, "authentication_error")


async def test_the_query_is_not_signed(member):
    """A signature over the path alone serves any query."""
    assert (await member.call("GET", "/portfolio/orders", params={"status": "resting"})).status_code == 200


async def test_scopes(exchange):
    """A key that only reads cannot trade; write::trade can trade but not transfer."""
    reading = await exchange.member("a", scopes=["read"])
    assert code(await reading.create()) == (403, "insufficient_scope")
    trading = await exchange.member("b", scopes=["write::trade", "read::portfolio_balance"])
    assert (await trading.create()).status_code == 201
    assert (await trading.call("GET", "/portfolio/balance")).status_code == 200
    assert (await trading.call("GET", "/portfolio/orders")).status_code == 403
    assert code(await trading.call("POST", "/portfolio/intra_exchange_instance_transfer", {})) == (
        403,
        "insufficient_scope",
    )


async def test_subaccount_lock(exchange):
    """A locked key acts on its subaccount alone, and does so unasked."""
    await exchange.admin("POST", "deposit", {"address": "m/3", "amount": "50"})
    member = await exchange.member(usd=None, subaccount=3)
    assert (await member.create()).status_code == 201
    assert code(await member.create(subaccount=0)) == (403, "subaccount_not_allowed")
    assert code(await member.create(subaccount=64)) == (400, "invalid_parameters")
    [order] = (await member.get("/portfolio/orders"))["orders"]
    assert order["subaccount_number"] == 3


async def test_region(exchange):
    """A lapsed attestation closes Sports, not weather."""
    member = await exchange.member(region_expires=1)
    assert code(await member.create(ticker="GAME-1")) == (403, "region_attestation_expired")
    assert (await member.create()).status_code == 201
    assert (await member.get("/api_keys"))["api_key_region_expiration_ts"] == 1


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"price": "0.4050"}, "invalid_price"),
        ({"price": "1.0000"}, "invalid_price"),
        ({"price": "abc"}, "invalid_price"),
        ({"price": "0.40001"}, "invalid_price"),
        ({"count": "0.00"}, "invalid_order_size"),
        ({"count": "1.001"}, "invalid_order_size"),
        ({"count": "-1"}, "invalid_order_size"),
        ({"side": "yes"}, "invalid_parameters"),
        ({"time_in_force": "gtc"}, "invalid_parameters"),
        ({"self_trade_prevention_type": None}, "invalid_parameters"),
        ({"ticker": None}, "invalid_parameters"),
        ({"price": None}, "invalid_parameters"),
        ({"client_order_id": "a.b"}, "invalid_parameters"),
        ({"client_order_id": "x" * 65}, "invalid_parameters"),
        ({"exchange_index": "0"}, "invalid_parameters"),
        ({"expiration_time": 2**62}, "invalid_parameters"),
        ({"count": "3000.00"}, "insufficient_balance"),
    ],
)
async def test_refused_with_400(member, terms, expected):
    """The nested shape with the venue's code."""
    assert code(await member.create(**terms)) == (400, expected)


@pytest.mark.parametrize("terms", [{"price": 0.4}, {"count": 10}, {"post_only": "yes"}, {"expiration_time": "1"}])
async def test_json_of_the_wrong_type(member, terms):
    """The flat shape: numbers in place of fixed-point strings above all."""
    answer = await member.create(**terms)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("content", [b"{", b"[]", b""])
async def test_bodies_that_are_no_object(exchange, member, content):
    """The flat shape."""
    path = f"{API}/portfolio/events/orders"
    signed = headers(member.key_id, member.key, "POST", path)
    answer = await exchange.http.post(exchange.url + path, content=content, headers=signed)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_the_same_client_order_id(member):
    """409 for ever: while it rests, after its cancel, and after a killed FOK."""
    known = str(uuid.uuid4())
    placed = await member.placed(client_order_id=known)
    assert code(await member.create(client_order_id=known)) == (409, "order_already_exists")
    assert (await member.cancel(placed["order_id"])).status_code == 200
    assert code(await member.create(client_order_id=known)) == (409, "order_already_exists")
    killed = str(uuid.uuid4())
    terms = {"time_in_force": "fill_or_kill", "client_order_id": killed}
    assert code(await member.create(**terms)) == (409, "fill_or_kill_insufficient_resting_volume")
    assert code(await member.create(client_order_id=killed)) == (409, "order_already_exists")


async def test_ioc_that_finds_nothing(member):
    """201 with nothing filled and nothing left."""
    told = await member.placed(time_in_force="immediate_or_cancel")
    assert (told["fill_count"], told["remaining_count"]) == ("0.00", "0.00")
    assert "average_fill_price" not in told


async def test_post_only_refused(exchange, member):
    """As recorded on the demo: 400 invalid_order, details "post only cross"."""
    await exchange.offer("RAIN-A", "ask", "0.39", "5")
    answer = await member.create(post_only=True)
    assert code(answer) == (400, "invalid_order")
    assert answer.json()["error"]["details"] == "post only cross"


async def test_post_only_canceled(start):
    """As in the changelog: accepted, then canceled with a reason."""
    exchange = await start(QUICK, EngineSettings(post_only_cross="cancel"))
    member = await exchange.member()
    await exchange.offer("RAIN-A", "ask", "0.39", "5")
    told = await member.placed(post_only=True)
    assert (told["fill_count"], told["remaining_count"]) == ("0.00", "0.00")
    order = (await member.get(f"/portfolio/orders/{told['order_id']}"))["order"]
    assert (order["status"], order["last_update_reason"]) == ("canceled", "PostOnlyCrossCancel")


async def test_shards(exchange, member):
    """Cash must be on the market's shard; a transfer brings it there; another shard does not know the market."""
    assert code(await member.create(ticker="COIN-1", exchange_index=2)) == (400, "insufficient_balance")
    body = {
        "source": "event_contract",
        "destination": "event_contract",
        "amount": 500_000,
        "source_exchange_shard": 0,
        "destination_exchange_shard": 2,
    }
    answer = await member.call("POST", "/portfolio/intra_exchange_instance_transfer", body)
    assert answer.status_code == 200
    assert uuid.UUID(answer.json()["transfer_id"])
    assert (await member.get("/portfolio/balance", exchange_index=2))["balance_dollars"] == "50.0000"
    assert code(await member.create(ticker="COIN-1", exchange_index=0)) == (404, "market_not_found")
    for shard in (2, -1, None):
        assert (await member.create(ticker="COIN-1", exchange_index=shard)).status_code == 201


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"amount": "5"}, 400),
        ({"amount": 0}, 400),
        ({"source_exchange_shard": 9}, 400),
        ({"source": "margin"}, 400),
        ({"destination": None}, 400),
        ({"amount": 10**12}, 400),
    ],
)
async def test_transfers_that_cannot_be(member, change, status):
    """Types, shards, and what is not there."""
    body = {
        "source": "event_contract",
        "destination": "event_contract",
        "amount": 1,
        "source_exchange_shard": 0,
        "destination_exchange_shard": 2,
    }
    answer = await member.call("POST", "/portfolio/intra_exchange_instance_transfer", body | change)
    assert answer.status_code == status


async def test_unknown_markets_and_paths(exchange, member):
    """404 market_not_found; text for a path that is none; 410 for the legacy endpoint."""
    assert code(await member.create(ticker="NOPE")) == (404, "market_not_found")
    answer = await exchange.http.get(f"{exchange.url}{API}/nope")
    assert (answer.status_code, answer.text) == (404, "404 page not found")
    assert code(await member.call("POST", "/portfolio/orders", {})) == (410, "deprecated_v1_order_endpoint")


async def test_a_batch(member):
    """Each entry on its own, in order; a refused one has the error inside."""
    orders = [member.order(), member.order(price="0.4050"), member.order(count=1), "junk", member.order(count="1.00")]
    answer = await member.call("POST", "/portfolio/events/orders/batched", {"orders": orders})
    assert answer.status_code == 201
    told = answer.json()["orders"]
    assert [entry.get("remaining_count") for entry in told] == ["10.00", None, None, None, "1.00"]
    assert told[1]["error"]["code"] == "invalid_price"
    assert told[1]["client_order_id"] == orders[1]["client_order_id"]
    assert told[2]["error"]["code"] == "bad_request"
    assert "client_order_id" not in told[3]


async def test_batches_that_are_none(member):
    """No list, an empty one, more than a full bucket of the tier pays for."""
    for orders in (None, [], {}):
        answer = await member.call("POST", "/portfolio/events/orders/batched", {"orders": orders})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    orders = [member.order(count="1.00") for _ in range(11)]
    answer = await member.call("POST", "/portfolio/events/orders/batched", {"orders": orders})
    assert code(answer) == (400, "invalid_parameters")


async def test_a_paused_market_and_a_halted_exchange(exchange, member):
    """One halted market, all trading, everything: with the venue's codes; cancels go on unless all is halted."""
    placed = await member.placed()
    await exchange.admin("POST", "halt", {"ticker": "RAIN-A", "paused": True})
    assert code(await member.create()) == (409, "trading_is_paused")
    assert (await member.create(ticker="RAIN-B")).status_code == 201
    await exchange.admin("POST", "halt", {"ticker": "RAIN-A", "paused": False})
    await exchange.admin("POST", "halt", {"exchange": True})
    assert code(await member.create()) == (409, "exchange_is_paused")
    assert code(await member.cancel(placed["order_id"])) == (409, "exchange_is_paused")
    await exchange.admin("POST", "halt", {"trading": True})
    assert (await member.create()).status_code == 409
    assert (await member.cancel(placed["order_id"])).status_code == 200
    await exchange.admin("POST", "halt", {})
    assert (await member.create()).status_code == 201


async def test_rate_limits(start):
    """Basic: ten creates, then 429 with a string and no Retry-After."""
    exchange = await start(QUICK.__class__(read_lag_ms=0))
    exchange.venue.limits = Limits("basic", True, lambda: 0.0)
    member = await exchange.member()
    *taken, refused = [await member.create(count="1.00") for _ in range(11)]
    assert {answer.status_code for answer in taken} == {201}
    assert (refused.status_code, refused.json()) == (429, {"error": "too many requests"})
    assert "retry-after" not in refused.headers


async def test_no_body_breaks_the_exchange(member):
    """Whatever stands in a field, the answer is an order or a 4xx."""
    rng = random.Random(5)
    junk = [None, True, -1, 1.5, 2**62, 1e300, "", "x", "é" * 70, [], [[]], {"a": 1}, "0.4000", "COIN-1", "ask"]
    fields = [*member.order(), "post_only", "reduce_only", "expiration_time", "subaccount", "exchange_index"]
    for _ in range(120):
        body = member.order(count="1.00") | {name: rng.choice(junk) for name in rng.sample(fields, rng.randint(1, 2))}
        answer = await member.call("POST", "/portfolio/events/orders", body)
        assert answer.status_code < 500, body
    assert (await member.get("/portfolio/orders"))["orders"]
