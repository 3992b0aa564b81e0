"""The exchange's own controls."""

import json
from decimal import Decimal

import pytest

from arbsaga.exchange.polymarket.admin import guard
from arbsaga.exchange.polymarket.replies import Refusal


async def test_faults_are_set_listed_and_lifted(exchange):
    """One grammar; each fault tells how often it struck; the journal notes every strike."""
    await exchange.fault("drop_response:0.5,count=3")
    await exchange.fault("status,code=500")
    await exchange.trader().post(exchange.v1, "BUY", "0.4", "10")
    listed = (await exchange.admin("GET", "faults"))["faults"]
    assert [(fault["spec"], fault["struck"]) for fault in listed] == [
        ("drop_response:0.5,count=3", 0),
        ("status:1,code=500", 1),
    ]
    lines = [json.loads(line) for line in exchange.venue.truth.read_text().splitlines()]
    assert [line["name"] for line in lines if line["kind"] == "fault"] == ["status"]
    assert await exchange.admin("DELETE", "faults?name=status") == {"lifted": 1}
    assert await exchange.admin("DELETE", "faults") == {"lifted": 1}
    assert (await exchange.admin("GET", "faults"))["faults"] == []


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("faults", {"spec": "earthquake"}, "unknown fault 'earthquake'"),
        ("faults", {}, "spec is missing"),
        ("faults", [], "the body must be a JSON object"),
        ("deposit", {"address": "0x00", "amount": "5"}, "0x00"),
        ("deposit", {"address": "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF", "amount": "0"}, "must be"),
        ("deposit", {"address": "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF", "amount": "much"}, "much"),
        ("plant", {"event_id": "13", "edge": "2"}, "more than these prices can give"),
        ("order", {"token_id": "1", "side": "HOLD", "price": "0.5", "size": "10"}, "side must be BUY or SELL"),
        ("order", {"token_id": "1", "side": "BUY", "price": "0.5", "size": "10"}, "Invalid token id"),
        ("resolve", {"condition_id": "0x00", "outcome": "YES"}, "market not found"),
    ],
)
async def test_what_cannot_be_done_is_said(exchange, path, body, text):
    """One line that says what is wrong."""
    status, answer, _ = await exchange.call("POST", f"/admin/{path}", json=body)
    assert status in (400, 404)
    assert text in answer["error"]


async def test_truth(exchange):
    """Where the journal is, and how long."""
    answer = await exchange.admin("GET", "truth")
    assert answer["path"] == str(exchange.venue.truth)
    assert answer["lines"] == len(exchange.venue.truth.read_text().splitlines()) > 0


async def test_deposits(exchange):
    """USD as text; the answer is the new balance."""
    address = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"
    for expected in ("12.5", "25"):
        answer = await exchange.admin("POST", "deposit", {"address": address.lower(), "amount": "12.5"})
        assert answer == {"address": address, "cash": expected}


async def test_pause_and_resume(exchange):
    """The world and resolutions stop; settlement goes on."""
    exchange.v1.resolves_ms = exchange.clock() + 10
    assert await exchange.admin("POST", "pause") == {"paused": True}
    assert exchange.engine.resolutions_paused
    assert await exchange.admin("POST", "resume") == {"paused": False}
    assert not exchange.engine.resolutions_paused
    assert exchange.world.told == ["pause", "resume"]


async def test_planting(exchange):
    """By event or by one of its markets; edges are exact."""
    await exchange.admin("POST", "plant", {"event_id": "13", "edge": "0.05"})
    await exchange.admin("POST", "plant", {"condition_id": exchange.v1.condition_id, "edge": 0.03})
    assert exchange.world.told == [("13", Decimal("0.05")), (exchange.v1.condition_id, Decimal("0.03"))]


async def test_resolving(exchange):
    """Winners are paid at once; a second decision is refused."""
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    trader = exchange.trader()
    await trader.post(exchange.v1, "BUY", "0.5", "10")
    exchange.clock.ahead_ms = 60_000
    body = {"condition_id": exchange.v1.condition_id, "outcome": "YES"}
    assert (await exchange.admin("POST", "resolve", body))["winner"] == 0
    assert exchange.engine.account(trader.wallet).cash == 1_004_875_000
    status, answer, _ = await exchange.call("POST", "/admin/resolve", json=body)
    assert (status, "already decided" in answer["error"]) == (400, True)
    wrong = {"condition_id": exchange.v2.condition_id, "outcome": "MAYBE"}
    assert (await exchange.call("POST", "/admin/resolve", json=wrong))[0] == 400


async def test_a_split_decision(exchange):
    """As listings, resolutions and the account tell it: a half for each side."""
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    trader = exchange.trader()
    await trader.post(exchange.v1, "BUY", "0.5", "10")
    exchange.clock.ahead_ms = 60_000
    body = {"condition_id": exchange.v1.condition_id, "value": "0.5"}
    wrong = body | {"value": "0.4"}
    assert (await exchange.call("POST", "/admin/resolve", json=wrong))[0] == 400
    assert (await exchange.admin("POST", "resolve", body))["winner"] is None
    assert exchange.engine.account(trader.wallet).cash == 999_875_000
    assert (await exchange.call("POST", "/admin/resolve", json=body))[0] == 400
    _, found, _ = await exchange.call("GET", f"/v2/resolutions?condition_id={exchange.v1.condition_id}")
    assert [(row["payouts"], row["price"]) for row in found["data"]] == [([500_000, 500_000], 0.5)]
    _, listed, _ = await exchange.call("GET", f"/markets/{exchange.v1.condition_id}")
    assert [(token["winner"], token["price"]) for token in listed["tokens"]] == [(False, 0.5)] * 2


async def test_state(exchange):
    """Accounts, what is open, what has not settled, counters."""
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    trader = exchange.trader()
    _, resting, _ = await trader.post(exchange.v1, "BUY", "0.4", "10")
    _, taken, _ = await trader.post(exchange.v1, "BUY", "0.5", "10")
    state = await exchange.admin("GET", "state")
    account = next(one for one in state["accounts"] if one["address"] == trader.wallet)
    expected = {"order_id": resting["orderID"], "side": "BUY", "price": "0.4", "remaining": "10"}
    assert expected.items() <= account["open_orders"][0].items()
    assert state["pending_trades"] == [{"trade_id": taken["tradeIDs"][0], "status": "MATCHED"}]
    assert (state["accepted"], state["duplicates"], state["markets"]) == (2, 0, 9)
    exchange.clock.ahead_ms = 60_000
    state = await exchange.admin("GET", "state")
    account = next(one for one in state["accounts"] if one["address"] == trader.wallet)
    assert (account["shares"], state["pending_trades"]) == ({exchange.v1.token_ids[0]: "10"}, [])


async def test_messages_are_counted(exchange):
    """As many as were sent on both channels."""
    stream = await exchange.trader().listen_market(*exchange.v1.token_ids)
    await exchange.offer(exchange.v1, "SELL", "0.5", "100")
    await stream.next_of("price_change")
    assert (await exchange.admin("GET", "state"))["messages"] == 3


async def test_without_a_world_nothing_can_be_planted(start):
    """An exchange that only its callers move."""
    running = await start(with_world=False)
    status, answer, _ = await running.call("POST", "/admin/plant", json={"event_id": "13", "edge": "0.05"})
    assert (status, answer["error"]) == (400, "no world is running that could be mispriced")
    assert await running.admin("POST", "pause") == {"paused": True}


@pytest.mark.parametrize(("remote", "inside"), [("127.0.0.1", True), ("::1", True), ("10.0.0.7", False), (None, False)])
def test_only_this_machine(remote, inside):
    """The admin API is no part of the venue: nobody else may use it."""

    class Request:
        pass

    request = Request()
    request.remote = remote
    if inside:
        guard(request)
        return
    with pytest.raises(Refusal) as refused:
        guard(request)
    assert refused.value.status == 403
