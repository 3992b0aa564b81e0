"""Gamma, the Data API, the relayer and the chain, over the wire."""

import json

import pytest
from eth_account import Account
from polymarket._internal.actions.relayer.calls import (
    erc20_allowance_call,
    erc20_approval_call,
    erc1155_balance_of_batch_call,
    erc1155_balance_of_call,
    erc1155_is_approved_for_all_call,
    erc1155_set_approval_for_all_call,
)
from polymarket._internal.environment import PRODUCTION_CONFIG

from arbsaga.exchange.polymarket.data import CTF, PUSD
from arbsaga.exchange.polymarket.ids import gamma_id

from .running import OWNER_KEY


async def get(exchange, path):
    status, body, _ = await exchange.call("GET", path)
    return status, body


async def slugs(exchange, query):
    return [market["slug"] for market in (await get(exchange, f"/markets/keyset?{query}"))[1]["markets"]]


async def test_markets_by_keyset(exchange):
    """Every market once, in pages; the last page has no cursor."""
    seen, cursor = [], ""
    while cursor is not None:
        _, page = await get(exchange, f"/markets/keyset?limit=4&after_cursor={cursor}")
        seen += page["markets"]
        cursor = page.get("next_cursor")
    assert [market["slug"] for market in seen] == [market.slug for market in exchange.engine.markets.values()]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "offset=3", "after_cursor=!!", "after_cursor=AAAA"]
)
async def test_keysets_that_are_none(exchange, query):
    """422, as on the live service for offset."""
    assert (await get(exchange, f"/markets/keyset?{query}"))[0] == 422


async def test_ids_by_version(exchange):
    """v1 has token ids as JSON text, v2 position ids as an array and a 31-byte condition id."""
    _, v1 = await get(exchange, f"/markets/slug/{exchange.v1.slug}")
    assert json.loads(v1["clobTokenIds"]) == list(exchange.v1.token_ids)
    assert (v1["version"], v1["conditionId"]) == ("v1", exchange.v1.condition_id)
    assert v1["feeSchedule"] == {"rate": 0.05, "exponent": 1, "takerOnly": True, "rebateRate": 0.25}
    assert "positionIds" not in v1
    _, v2 = await get(exchange, f"/markets/{gamma_id(exchange.four[1].condition_id)}")
    assert v2["positionIds"] == list(exchange.four[1].token_ids)
    assert (v2["conditionId"], v2["resolutionStatus"]) == (exchange.four[1].condition_id[:64], "active")
    assert v2["onchainEventId"] == v2["requestId"] == exchange.four[0].condition_id[:60] + "000000"
    assert "clobTokenIds" not in v2
    assert v2["feesEnabled"] is False


async def test_market_filters(exchange):
    """Repeated parameters are alternatives; tokens are found by the parameter of their version only."""
    first, second = exchange.v1, exchange.v2
    assert await slugs(exchange, f"slug={first.slug}&slug={second.slug}") == [first.slug, second.slug]
    assert await slugs(exchange, f"condition_ids={second.condition_id[:64]}") == [second.slug]
    assert await slugs(exchange, f"condition_ids={first.condition_id}") == [first.slug]
    assert await slugs(exchange, f"clob_token_ids={first.token_ids[1]}") == [first.slug]
    assert await slugs(exchange, f"position_ids={second.token_ids[0]}") == [second.slug]
    assert await slugs(exchange, f"clob_token_ids={second.token_ids[0]}") == []
    assert await slugs(exchange, f"id={gamma_id(first.condition_id)}") == [first.slug]
    assert len(await slugs(exchange, "version=v2")) == 5
    await exchange.admin("POST", "resolve", {"condition_id": first.condition_id, "outcome": "YES"})
    assert await slugs(exchange, "closed=true") == [first.slug]
    assert first.slug not in await slugs(exchange, "closed=false")
    _, closed = await get(exchange, f"/markets/slug/{first.slug}")
    assert (json.loads(closed["outcomePrices"]), closed["umaResolutionStatus"]) == (["1.0", "0.0"], "resolved")


async def test_events_with_their_markets(exchange):
    """Neg-risk and augmented flags, all markets nested, filters."""
    _, page = await get(exchange, "/events/keyset?limit=500")
    found = {event["id"]: event for event in page["events"]}
    assert list(found) == ["11", "12", "13", "14"]
    assert [found[key]["negRisk"] for key in found] == [False, False, True, True]
    assert [found[key]["negRiskAugmented"] for key in found] == [False, False, False, True]
    assert [market["slug"] for market in found["13"]["markets"]] == [market.slug for market in exchange.three]
    assert found["14"]["version"] == "v2"
    _, some = await get(exchange, "/events/keyset?version=v1&id=13&id=14")
    assert [event["id"] for event in some["events"]] == ["13"]
    assert (await get(exchange, "/events/14"))[1] == (await get(exchange, "/events/slug/event-14"))[1]


async def test_an_event_is_closed_with_its_last_market(exchange):
    """YES of one neg-risk market closes them all."""
    await exchange.admin("POST", "resolve", {"condition_id": exchange.three[1].condition_id, "outcome": "YES"})
    _, page = await get(exchange, "/events/keyset?closed=true")
    assert [event["id"] for event in page["events"]] == ["13"]


@pytest.mark.parametrize("path", ["/events/99", "/events/slug/none", "/markets/99", "/markets/slug/none"])
async def test_things_that_are_not_there(exchange, path):
    """404 in the venue's form."""
    status, body = await get(exchange, path)
    assert (status, list(body)) == (404, ["error"])


async def test_positions(exchange):
    """Settled holdings from 0.1 share on, as numbers; status tells what is decided."""
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    trader = exchange.trader()
    await trader.post(exchange.v1, "BUY", "0.5", "10")
    path = f"/v2/positions?user={trader.wallet}"
    assert (await get(exchange, path))[1]["data"] == []
    exchange.clock.ahead_ms = 60_000
    [row] = (await get(exchange, path))[1]["data"]
    assert (row["token_id"], row["current_size"], row["avg_price"]) == (exchange.v1.token_ids[0], 10.0, 0.5)
    assert (row["status"], row["outcome"], row["mergeable"]) == ("OPEN", "Yes", False)
    assert (await get(exchange, f"{path}&condition_id={exchange.v2.condition_id}"))[1]["data"] == []
    assert (await get(exchange, f"{path}&status=REDEEMABLE"))[1]["data"] == []
    assert (await get(exchange, "/v2/positions?user=me"))[0] == 400
    assert (await get(exchange, f"/v2/positions?user={PUSD}"))[1]["data"] == []


async def test_resolutions(exchange):
    """Decided markets by condition (both widths) or event; open ones are left out."""
    await exchange.admin("POST", "resolve", {"condition_id": exchange.four[2].condition_id, "outcome": "YES"})
    short, open_one = exchange.four[2].condition_id[:64], exchange.v1.condition_id
    [row] = (await get(exchange, f"/v2/resolutions?condition_id={short},{open_one}"))[1]["data"]
    assert (row["status"], row["payouts"]) == ("resolved", [1_000_000, 0])
    rows = (await get(exchange, "/v2/resolutions?event_id=14,99"))[1]["data"]
    assert [row["payouts"][0] for row in rows] == [0, 0, 1_000_000, 0]


async def rpc(exchange, method, *params):
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    return (await exchange.call("POST", "/rpc", json=body))[1]


async def read(exchange, call):
    return int((await rpc(exchange, "eth_call", {"to": str(call.to), "data": call.data}, "latest"))["result"], 16)


def transaction(call, nonce):
    fields = {
        "to": str(call.to),
        "value": 0,
        "data": call.data,
        "gas": 100_000,
        "gasPrice": 1,
        "nonce": nonce,
        "chainId": 137,
    }
    return "0x" + Account.from_key(OWNER_KEY).sign_transaction(fields).raw_transaction.hex()


async def test_an_approval_by_transaction(exchange):
    """A limited allowance is what orders and /v2/approvals then see; nonces count; receipts tell."""
    wallet, spender = exchange.trader().wallet, PRODUCTION_CONFIG.standard_exchange
    call = erc20_approval_call(token_address=PUSD, spender=spender, amount=1_000_000)
    sent = await rpc(exchange, "eth_sendRawTransaction", transaction(call, 0))
    receipt = await rpc(exchange, "eth_getTransactionReceipt", sent["result"])
    assert receipt["result"]["status"] == "0x1"
    allowed = erc20_allowance_call(token_address=PUSD, owner=wallet, spender=spender)
    assert await read(exchange, allowed) == 1_000_000
    assert (await rpc(exchange, "eth_getTransactionCount", wallet, "pending"))["result"] == "0x1"
    rows = (await get(exchange, f"/v2/approvals?user={wallet}"))[1]["data"]["contracts"]
    assert [row["amount"] for row in rows if row["spender"] == spender and row["token"] == PUSD] == ["1000000"]
    status, body, _ = await exchange.trader().post(exchange.v1, "BUY", "0.4", "10")
    assert (status, "the allowance is not enough" in body["error"]) == (400, True)


async def test_what_the_chain_does_not_know(exchange):
    """Other transactions revert, other methods do not exist, rubbish is an invalid argument."""
    approve_all = erc1155_set_approval_for_all_call(token_address=CTF, operator=PUSD)
    for nonce, (call, status) in enumerate(
        [(approve_all, "0x1"), (erc1155_balance_of_call(token_address=CTF, owner=PUSD, token_id="1"), "0x0")]
    ):
        sent = await rpc(exchange, "eth_sendRawTransaction", transaction(call, nonce))
        assert (await rpc(exchange, "eth_getTransactionReceipt", sent["result"]))["result"]["status"] == status
    assert (await rpc(exchange, "eth_sendRawTransaction", transaction(approve_all, 0)))["error"]["code"] == -32602
    assert (await rpc(exchange, "eth_sendRawTransaction", "0x00"))["error"]["code"] == -32602
    assert (await rpc(exchange, "eth_call", {"to": CTF, "data": "0x12345678"}))["error"][
        "message"
    ] == "execution reverted"
    assert (await rpc(exchange, "eth_mine"))["error"]["code"] == -32601
    assert (await rpc(exchange, "eth_getTransactionReceipt", "0x00"))["result"] is None


async def test_reads_of_the_chain(exchange):
    """Chain id, gas, blocks, balances and approvals, one by one and in a batch."""
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    wallet, token = exchange.trader().wallet, exchange.v1.token_ids[0]
    await exchange.trader().post(exchange.v1, "BUY", "0.5", "10")
    exchange.clock.ahead_ms = 60_000
    assert (await rpc(exchange, "eth_chainId"))["result"] == hex(137)
    for method in ("eth_gasPrice", "eth_estimateGas", "eth_blockNumber"):
        assert int((await rpc(exchange, method))["result"], 16) > 0
    assert int((await rpc(exchange, "eth_getBlockByNumber", "latest", False))["result"]["timestamp"], 16) > 0
    one = erc1155_balance_of_call(token_address=CTF, owner=wallet, token_id=token)
    assert await read(exchange, one) == 10_000_000
    approved = erc1155_is_approved_for_all_call(token_address=CTF, owner=wallet, operator=PUSD)
    assert await read(exchange, approved) == 1
    many = erc1155_balance_of_batch_call(token_address=CTF, owners=[wallet, PUSD], token_ids=[token, token])
    assert (await rpc(exchange, "eth_call", {"data": many.data}))["result"].endswith(f"{10_000_000:064x}{0:064x}")
    cash = "0x70a08231" + wallet[2:].rjust(64, "0")
    batch = [{"id": at, "method": "eth_call", "params": [{"data": cash}]} for at in (1, 2)] + ["junk"]
    answers = (await exchange.call("POST", "/rpc", json=batch))[1]
    assert [int(answer["result"], 16) for answer in answers[:2]] == [994_875_000, 994_875_000]
    assert answers[2]["error"]["code"] == -32601


async def test_every_wallet_is_deployed(exchange):
    """So that the official client never submits a deployment."""
    assert await get(exchange, f"/deployed?address={PUSD}&type=WALLET") == (200, {"deployed": True})
