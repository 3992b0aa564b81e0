"""POST /order and /orders over the wire: what is accepted, and the venue's text for everything that is not."""

import asyncio
import json

import pytest

from arbsaga.exchange.ids import CTF_EXCHANGE, EXCHANGE_V3, NEG_RISK_EXCHANGE
from arbsaga.exchange.polymarket.signatures import SignedFields, digest, struct_hash

from .running import OTHER_KEY

MALFORMED = (400, {"error": "Invalid order payload"})


def id_of(payload, contract):
    """The order id computed here from the payload."""
    order = payload["order"]
    fields = SignedFields(
        salt=order["salt"],
        maker=order["maker"],
        signer=order["signer"],
        token_id=int(order["tokenId"]),
        maker_amount=int(order["makerAmount"]),
        taker_amount=int(order["takerAmount"]),
        side=int(order["side"] == "SELL"),
        signature_type=order["signatureType"],
        timestamp=int(order["timestamp"]),
        metadata=bytes(32),
        builder=bytes(32),
    )
    return "0x" + digest(contract, struct_hash(fields)).hex()


@pytest.mark.parametrize("wallet", [0, 1, 2])
@pytest.mark.parametrize(
    ("market", "contract"),
    [("v1", CTF_EXCHANGE), ("v2", EXCHANGE_V3), ("three", NEG_RISK_EXCHANGE), ("four", EXCHANGE_V3)],
)
async def test_a_resting_order(exchange, wallet, market, contract):
    """Every kind of wallet on every kind of market; the id is the digest, the answer has the venue's keys."""
    trader = exchange.trader(wallet=wallet)
    await trader.login()
    found = getattr(exchange, market)
    found = found[0] if isinstance(found, list) else found
    payload = trader.payload(found, "BUY", "0.4", "10")
    status, body, _ = await trader.call("POST", "/order", payload)
    assert (status, body) == (
        200,
        {
            "success": True,
            "errorMsg": "",
            "orderID": id_of(payload, contract),
            "status": "live",
            "makingAmount": "",
            "takingAmount": "",
            "transactionsHashes": [],
            "tradeIDs": [],
        },
    )
    assert exchange.engine.order(body["orderID"]).maker == trader.wallet


async def test_a_matching_order(exchange):
    """A marketable GTC BUY gets exactly its shares, at the maker's better price."""
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    status, body, _ = await exchange.trader().post(exchange.v1, "BUY", "0.52", "10")
    assert (status, body["status"], body["makingAmount"], body["takingAmount"]) == (200, "matched", "5", "10")
    assert len(body["tradeIDs"]) == len(body["transactionsHashes"]) == 1


async def test_the_truth_is_journaled_before_the_answer(exchange):
    """The journal holds the order with the moment its bytes were in, taken before it was answered."""
    _, body, _ = await exchange.trader().post(exchange.v1, "BUY", "0.4", "10")
    lines = [json.loads(line) for line in exchange.venue.truth.read_text().splitlines()]
    [order] = [line for line in lines if line["kind"] == "order"]
    assert order["order_id"] == body["orderID"]
    assert 0 < order["received_ns"] < order["ns"]


async def test_a_second_post_of_the_same_bytes(exchange):
    """The id stays used: the venue says so, and the journal notes the duplicate."""
    trader = exchange.trader()
    await trader.login()
    payload = trader.payload(exchange.v1, "BUY", "0.4", "10")
    _, body, _ = await trader.call("POST", "/order", payload)
    again = await trader.call("POST", "/order", payload | {"orderType": "FAK"})
    assert again[:2] == (400, {"error": f"order {body['orderID']} is invalid. Duplicated."})
    assert exchange.engine.duplicates == 1


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("FOK", "order couldn't be fully filled. FOK orders are fully filled or killed."),
        (
            "FAK",
            "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found.",
        ),
    ],
)
async def test_a_killed_order(exchange, kind, text):
    """No liquidity is an HTTP 400 on /order."""
    assert (await exchange.trader().post(exchange.v1, "BUY", "0.4", "10", kind))[:2] == (400, {"error": text})


async def test_post_only_that_crosses(exchange):
    """A post-only order that would take is refused."""
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    answer = await exchange.trader().post(exchange.v1, "BUY", "0.5", "10", post_only=True)
    assert answer[:2] == (400, {"error": "invalid post-only order: order crosses book"})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"price": "0.405"}, "breaks minimum tick size rule: 0.01"),
        ({"size": "4"}, "Size (4) lower than the minimum: 5"),
        ({"size": "10000"}, "not enough balance / allowance: the balance is not enough -> balance: 1000000000"),
    ],
)
async def test_the_engine_s_texts_come_through(exchange, changes, text):
    """Tick, minimum size and balance are refused by the engine; its texts are the answer."""
    terms = {"price": "0.4", "size": "10"} | changes
    status, body, _ = await exchange.trader().post(exchange.v1, "BUY", terms["price"], terms["size"])
    assert status == 400
    assert text in body["error"]


async def test_expirations(exchange):
    """GTD needs at least three minutes, the others need none."""
    now, trader = exchange.clock() // 1000, exchange.trader()
    late = {"error": "invalid expiration"}
    assert (await trader.post(exchange.v1, "BUY", "0.4", "10", "GTD", expiration=now + 60))[:2] == (400, late)
    assert (await trader.post(exchange.v1, "BUY", "0.4", "10", expiration=now + 600))[:2] == (400, late)
    assert (await trader.post(exchange.v1, "BUY", "0.4", "10", "GTD", expiration=now + 600))[0] == 200


async def test_the_owner_must_be_the_api_key(exchange):
    """The owner of a payload is the key it is sent with."""
    trader = exchange.trader()
    await trader.login()
    payload = trader.payload(exchange.v1, "BUY", "0.4", "10") | {"owner": "somebody"}
    answer = await trader.call("POST", "/order", payload)
    assert answer[:2] == (400, {"error": "the order owner has to be the owner of the API KEY"})


@pytest.mark.parametrize(
    "changes",
    [
        {"signer": "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"},
        {"signature_type": 3},
        {"signature_type": 1, "signer": "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"},
    ],
)
async def test_the_signer_must_be_the_api_key_s_address(exchange, changes):
    """Type 0 is signed for the key's address, type 3 for one of its deposit wallets (py-clob-client-v2 #75)."""
    answer = await exchange.trader().post(exchange.v1, "BUY", "0.4", "10", **changes)
    assert answer[:2] == (400, {"error": "the order signer address has to be the address of the API KEY"})


@pytest.mark.parametrize(
    "changes",
    [
        {"exchange_address": NEG_RISK_EXCHANGE},
        {"protocol_version": "3"},
        {"chain_id": 80002},
        {"maker": "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"},
        {"signature_type": 1},
    ],
)
async def test_wrong_signatures(exchange, changes):
    """Signed for another exchange, domain or chain, or with somebody else's money."""
    answer = await exchange.trader().post(exchange.v1, "BUY", "0.4", "10", **changes)
    assert answer[:2] == (400, {"error": "invalid signature"})


async def test_another_key_s_signature(exchange):
    """An order that claims my address but is signed by another key."""
    mine, other = exchange.trader(), exchange.trader(OTHER_KEY)
    await mine.login()
    other.credentials, other.wallet = mine.credentials, mine.wallet
    payload = other.payload(exchange.v1, "BUY", "0.4", "10")
    assert (await mine.call("POST", "/order", payload))[:2] == (400, {"error": "invalid signature"})


async def test_an_order_of_the_old_struct(exchange):
    """What the venue refuses since CLOB V2."""
    trader = exchange.trader()
    await trader.login()
    payload = trader.payload(exchange.v1, "BUY", "0.4", "10")
    del payload["order"]["timestamp"]
    payload["order"] |= {"nonce": "0", "feeRateBps": "0", "taker": "0x" + "00" * 20}
    assert (await trader.call("POST", "/order", payload))[:2] == (400, {"error": "order_version_mismatch"})


async def test_unknown_extras_are_tolerated(exchange):
    """Keys the venue does not know are ignored, wherever they stand."""
    trader = exchange.trader()
    await trader.login()
    payload = trader.payload(exchange.v1, "BUY", "0.4", "10") | {"hint": 7}
    payload["order"]["note"] = "hello"
    assert (await trader.call("POST", "/order", payload))[0] == 200


async def test_an_unknown_token(exchange):
    """A well-formed order on a token that has no market."""
    answer = await exchange.trader().post(exchange.v1, "BUY", "0.4", "10", token_id="1234")
    assert answer[:2] == (400, {"error": "Invalid token id"})


@pytest.mark.parametrize(
    "damage",
    [
        lambda payload: [],
        lambda payload: {"order": []},
        lambda payload: payload | {"orderType": "IOC"},
        lambda payload: payload | {"postOnly": "yes"},
        lambda payload: payload | {"order": payload["order"] | {"salt": "1"}},
        lambda payload: payload | {"order": payload["order"] | {"salt": 1 << 53}},
        lambda payload: payload | {"order": payload["order"] | {"salt": True}},
        lambda payload: payload | {"order": payload["order"] | {"side": 0}},
        lambda payload: payload | {"order": payload["order"] | {"makerAmount": 4000000}},
        lambda payload: payload | {"order": payload["order"] | {"takerAmount": "-1"}},
        lambda payload: payload | {"order": payload["order"] | {"makerAmount": "9" * 78}},
        lambda payload: payload | {"order": payload["order"] | {"maker": "0x00"}},
        lambda payload: payload | {"order": payload["order"] | {"signature": "0x0"}},
        lambda payload: payload | {"order": payload["order"] | {"signatureType": 9}},
        lambda payload: payload | {"order": payload["order"] | {"metadata": None}},
        lambda payload: payload | {"order": payload["order"] | {"expiration": "soon"}},
    ],
)
async def test_malformed_payloads(exchange, damage):
    """Whatever is not of the venue's form is one text, and the engine sees none of it."""
    trader = exchange.trader()
    await trader.login()
    payload = damage(trader.payload(exchange.v1, "BUY", "0.4", "10"))
    assert (await trader.call("POST", "/order", payload))[:2] == MALFORMED
    assert exchange.engine.accepted == 0


async def test_a_body_that_is_no_json(exchange):
    """Signed rightly, but no JSON."""
    trader = exchange.trader()
    await trader.login()
    headers = trader.l2_headers("POST", "/order", "{")
    assert (await exchange.call("POST", "/order", data="{", headers=headers))[:2] == MALFORMED


async def test_a_batch_answers_each_entry_on_its_own(exchange):
    """One good, one unsigned, one too small, one no order at all: 200, in their order, nothing lost."""
    trader = exchange.trader()
    await trader.login()
    good = trader.payload(exchange.v1, "BUY", "0.4", "10")
    forged = trader.payload(exchange.v1, "BUY", "0.4", "10", chain_id=1)
    small = trader.payload(exchange.v2, "BUY", "0.4", "1")
    status, body, headers = await trader.call("POST", "/orders", [good, forged, small, {"order": 7}])
    assert status == 200
    assert [entry["errorMsg"] for entry in body[:2]] == ["", "invalid signature"]
    assert body[2]["errorMsg"].endswith("Size (1) lower than the minimum: 5")
    assert body[3]["errorMsg"] == "Invalid order payload"
    assert [entry["success"] for entry in body] == [True, False, False, False]
    assert [bool(entry["orderID"]) for entry in body] == [True, False, False, False]
    assert headers["Poly-RateLimit-Remaining"] == "56"


async def test_batches_that_are_none(exchange):
    """More than 15 entries, none, or no list."""
    trader = exchange.trader()
    await trader.login()
    many = [trader.payload(exchange.v1, "BUY", "0.4", "10")] * 16
    answer = await trader.call("POST", "/orders", many)
    assert answer[:2] == (400, {"error": "Too many orders in payload: 16, max allowed: 15"})
    assert (await trader.call("POST", "/orders", []))[:2] == MALFORMED
    assert (await trader.call("POST", "/orders", {}))[:2] == MALFORMED


async def test_the_token_bucket_over_the_wire(exchange):
    """60 orders at once and no more: 429 with Retry-After; cancels go on."""
    trader = exchange.trader()
    await trader.login()
    statuses = set()
    for _ in range(5):
        payload = [trader.payload(exchange.v1, "BUY", "0.01", "5") for _ in range(15)]
        status, body, headers = await trader.call("POST", "/orders", payload)
        statuses.add(status)
        if status == 429:
            break
    assert statuses == {200, 429}
    assert body["error"] == "Too Many Requests"
    assert headers["Retry-After"] == str(body["retry_after_seconds"])
    assert headers["Poly-RateLimit-Tier"] == "Standard"
    assert (await trader.call("DELETE", "/cancel-all"))[0] == 200


async def test_a_short_taker_delay_is_held_inside_the_call(start):
    """A taker waits 250 ms in its call; a maker does not."""
    running = await start(taker_delay_ms=250)
    await running.offer(running.v1, "SELL", "0.5", "100")
    trader, loop_time = running.trader(), asyncio.get_running_loop().time
    await trader.login()
    begin = loop_time()
    assert (await trader.post(running.v1, "BUY", "0.4", "10"))[1]["status"] == "live"
    between = loop_time()
    assert (await trader.post(running.v1, "BUY", "0.5", "10"))[1]["status"] == "matched"
    assert between - begin < 0.25 <= loop_time() - between


async def test_a_long_taker_delay_answers_delayed(start):
    """Markets with whole seconds of delay answer at once; the order cannot be canceled and matches later."""
    running = await start(taker_delay_ms=3000)
    await running.offer(running.v1, "SELL", "0.5", "100")
    trader = running.trader()
    _, body, _ = await trader.post(running.v1, "BUY", "0.5", "10")
    assert (body["status"], body["tradeIDs"]) == ("delayed", [])
    assert body["orderID"] in (await trader.cancel(body["orderID"]))[1]["not_canceled"]
    running.clock.ahead_ms = 4000
    _, found, _ = await trader.call("GET", f"/data/order/{body['orderID']}")
    assert (found["status"], found["size_matched"]) == ("MATCHED", "10")


async def test_refusals_tell_the_bucket_too(exchange):
    """A refused order has cost its token, and its answer says so."""
    _, _, headers = await exchange.trader().post(exchange.v1, "BUY", "0.4", "1")
    assert headers["Poly-RateLimit-Remaining"] == "59"
    assert "Poly-RateLimit-Remaining" not in (await exchange.call("GET", "/ok"))[2]
