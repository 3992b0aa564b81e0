"""The exchange as a process: starting, stopping, crashing, going on, and what it says when it cannot start."""

import asyncio
import errno
import json
import resource
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

import arbsaga.exchange
from arbsaga.errors import ConfigError, Unavailable, UnknownThing
from arbsaga.exchange import server
from arbsaga.exchange.playback import PlaybackSettings
from arbsaga.exchange.polymarket.venue import WireSettings
from arbsaga.exchange.server import ExchangeSettings, RecordedWorld, run
from arbsaga.exchange.world import WorldSettings

from .running import OWNER_KEY, Exchange
from .trader import Trader

OWNER = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
SYNTHETIC = Path(arbsaga.exchange.__file__).parent / "recordings" / "synthetic.parquet"
PROCESS = """
import asyncio, sys
from decimal import Decimal
from pathlib import Path
from arbsaga.exchange.server import ExchangeSettings, run
from arbsaga.exchange.world import WorldSettings
world = WorldSettings(neg_risk_events=1, binary_events=0, lifetime_s=(600, 600), mispricing=None)
deposits = {"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf": Decimal(1000)}
settings = ExchangeSettings(data_dir=Path(sys.argv[1]), world=world, deposits=deposits)
asyncio.run(run(settings, lambda url: print(url, flush=True)))
"""


@asynccontextmanager
async def serving(settings):
    """The URL of an exchange that runs as a task, ended by cancellation."""
    ready = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run(settings, ready.set_result))
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    try:
        yield ready.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def get(url, path):
    async with aiohttp.ClientSession() as session, session.get(url + path) as answer:
        return await answer.json()


async def cost(url, tokens):
    """USD for one share of each token at its best ask."""
    prices = [(await get(url, f"/price?token_id={token}&side=BUY"))["price"] for token in tokens]
    return sum(map(Decimal, prices))


async def test_it_serves_until_it_is_cancelled(tmp_path):
    """A free port, a world, a journal; afterwards the port is free again."""
    async with serving(ExchangeSettings(data_dir=tmp_path / "new")) as url:
        assert await get(url, "/ok") == "OK"
        assert len((await get(url, "/events/keyset"))["events"]) >= 10
        assert Path((await get(url, "/admin/truth"))["path"]) == tmp_path / "new" / "truth.jsonl"
    with socket.create_server(("127.0.0.1", int(url.rsplit(":", 1)[1]))):
        pass


async def test_a_taken_port(tmp_path):
    """One line that says which, and nothing was written."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Unavailable, match=f"cannot listen on 127.0.0.1:{port} .*address already in use.*--port"):
            await run(ExchangeSettings(data_dir=tmp_path / "new", port=port))
    assert not (tmp_path / "new").exists()


async def test_nobody_can_connect_before_the_journal_is_read(tmp_path, monkeypatch):
    """Orders waited in the socket of an exchange that was starting, and were taken 2 s after their last moment."""
    tried = []

    def recovered(settings):
        with socket.socket() as client:
            tried.append(client.connect_ex(("127.0.0.1", settings.port)))
        return recover(settings)

    recover = server._recovered
    monkeypatch.setattr(server, "_recovered", recovered)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with server._serving(ExchangeSettings(data_dir=tmp_path, port=port, world=None)) as (url, _):
        assert tried == [errno.ECONNREFUSED]
        with socket.create_connection(("127.0.0.1", port), 5):
            assert url.endswith(str(port))


async def test_an_address_that_is_not_here(tmp_path):
    """A host that this machine does not have."""
    with pytest.raises(Unavailable, match=r"cannot listen on 192\.0\.2\.1:0"):
        await run(ExchangeSettings(data_dir=tmp_path, host="192.0.2.1"))


async def test_a_data_folder_that_cannot_be_made(tmp_path):
    """A file stands in the way."""
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match=r"the data folder .* cannot be made .*--data-dir"):
        await run(ExchangeSettings(data_dir=tmp_path / "file" / "data"))


async def test_a_data_folder_in_use(tmp_path):
    """Two exchanges on one journal would both be wrong."""
    settings = ExchangeSettings(data_dir=tmp_path, world=None)
    async with serving(settings):
        with pytest.raises(Unavailable, match="is in use by another exchange"):
            await run(settings)


async def test_a_fault_that_is_none(tmp_path):
    """Said before anything starts."""
    with pytest.raises(ConfigError, match="unknown fault 'earthquake'"):
        await run(ExchangeSettings(data_dir=tmp_path, faults=("earthquake",)))


@pytest.mark.parametrize("deposit", [{"0x00": Decimal(5)}, {OWNER: Decimal(0)}, {OWNER: Decimal("0.0000001")}])
async def test_a_deposit_that_is_none(tmp_path, deposit):
    """Said in one line, before anything is written."""
    with pytest.raises(ConfigError, match="write the wallet's address"):
        await run(ExchangeSettings(data_dir=tmp_path / "new", deposits=deposit))
    assert not (tmp_path / "new").exists()


async def test_a_recording_that_is_not_there(tmp_path):
    """Said before anything is served."""
    with pytest.raises(UnknownThing, match="no recording at"):
        await run(ExchangeSettings(data_dir=tmp_path, world=RecordedWorld(tmp_path / "none.parquet")))


async def test_faults_latency_and_deposits_from_the_start(tmp_path):
    """What --fault, --latency and the first deposits set; a deposit is given once, also over restarts."""
    settings = ExchangeSettings(
        data_dir=tmp_path,
        world=None,
        faults=("drop_response:0.1",),
        latency_ms=Decimal("2.5"),
        deposits={OWNER: Decimal("12.50")},
    )
    for _ in range(2):
        async with serving(settings) as url:
            faults = (await get(url, "/admin/faults"))["faults"]
            assert [fault["spec"] for fault in faults] == ["drop_response:0.1", "latency:1,ms=2.5"]
            [account] = (await get(url, "/admin/state"))["accounts"]
            assert (account["address"], account["cash"]) == (OWNER, "12.5")


async def test_the_seeded_world_over_the_wire(tmp_path):
    """Its books move by themselves, an edge can be planted, and it can be paused."""
    world = WorldSettings(neg_risk_events=2, binary_events=1, lifetime_s=(600, 600), mispricing=None)
    async with (
        serving(ExchangeSettings(data_dir=tmp_path, seed=7, world=world)) as url,
        aiohttp.ClientSession() as http,
    ):
        event = (await get(url, "/events/keyset"))["events"][0]
        tokens = [json.loads(market["clobTokenIds"])[0] for market in event["markets"]]
        stream = await http.ws_connect(url + "/ws/market")
        await stream.send_json({"type": "market", "assets_ids": tokens})
        async with asyncio.timeout(10):
            while "price_change" not in (await stream.receive_str()):
                pass
        before = await cost(url, tokens)
        async with http.post(url + "/admin/plant", json={"event_id": event["id"], "edge": "0.05"}) as answer:
            assert answer.status == 200
        assert await cost(url, tokens) < min(before, Decimal("0.96"))
        async with http.post(url + "/admin/pause") as answer:
            assert await answer.json() == {"paused": True}
        await stream.close()


async def test_a_recording_over_the_wire(tmp_path):
    """Books of the recording come as fast as they are read, over the real channel."""
    world = RecordedWorld(SYNTHETIC, PlaybackSettings(speed=None))
    async with serving(ExchangeSettings(data_dir=tmp_path, world=world)) as url, aiohttp.ClientSession() as http:
        markets = (await get(url, "/markets/keyset"))["markets"]
        tokens = [token for market in markets for token in json.loads(market["clobTokenIds"])]
        stream = await http.ws_connect(url + "/ws/market")
        await stream.send_json({"type": "market", "assets_ids": tokens})
        changes = 0
        async with asyncio.timeout(20):
            while changes < 100:
                body = json.loads(await stream.receive_str())
                events = body if isinstance(body, list) else [body]
                changes += sum(event["event_type"] == "price_change" for event in events)
        await stream.close()


def spawned(folder):
    """(process, URL)"""
    command = [sys.executable, "-c", PROCESS, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        if line.startswith("http"):
            return process, line.strip()
    raise AssertionError("the exchange did not start")


@asynccontextmanager
async def trading_on(url):
    """A trader on an exchange of another process, and a market there."""
    async with aiohttp.ClientSession() as http:
        exchange = Exchange(url, None, None, None, http, None, None, [], [])
        trader = Trader(exchange, OWNER_KEY)
        await trader.login()
        [found] = (await get(url, "/markets/keyset?limit=1"))["markets"]
        yield trader, found


def payload_for(trader, found):
    """A resting BUY on a Gamma market."""

    class Market:
        version = found["version"]
        neg_risk = found["negRisk"]
        token_ids = json.loads(found["clobTokenIds"])

    return trader.payload(Market, "BUY", "0.01", "10")


async def test_it_stops_cleanly_by_signal(tmp_path):
    """SIGTERM: exit code 0, no traceback."""
    process, url = await asyncio.to_thread(spawned, tmp_path)
    assert await get(url, "/ok") == "OK"
    process.send_signal(signal.SIGTERM)
    rest, _ = await asyncio.to_thread(process.communicate, timeout=10)
    assert process.returncode == 0
    assert "Traceback" not in rest


async def test_it_goes_on_after_a_kill(tmp_path):
    """After kill -9 the order rests again, its id stays used, and the API key works."""
    process, url = await asyncio.to_thread(spawned, tmp_path)
    async with trading_on(url) as (trader, found):
        payload, credentials = payload_for(trader, found), trader.credentials
        status, body, _ = await trader.call("POST", "/order", payload)
        assert (status, body["status"]) == (200, "live")
    process.kill()
    await asyncio.to_thread(process.communicate, timeout=10)
    process, url = await asyncio.to_thread(spawned, tmp_path)
    try:
        async with trading_on(url) as (trader, _):
            assert trader.credentials == credentials
            _, listed, _ = await trader.call("GET", "/data/orders")
            assert [order["id"] for order in listed["data"]] == [body["orderID"]]
            again = await trader.call("POST", "/order", payload)
            assert again[:2] == (400, {"error": f"order {body['orderID']} is invalid. Duplicated."})
            assert (await trader.cancel(body["orderID"]))[1]["canceled"] == [body["orderID"]]
    finally:
        process.terminate()
        await asyncio.to_thread(process.communicate, timeout=10)


async def write_everything(exchange, trader, order_id):
    """The answers to all kinds of calls that must be journaled."""
    deposit = {"address": trader.wallet, "amount": "5"}
    return [
        await trader.post(exchange.v1, "BUY", "0.4", "10"),
        await trader.call("POST", "/orders", [trader.payload(exchange.v1, "BUY", "0.4", "10")]),
        await trader.cancel(order_id),
        await trader.call("DELETE", "/cancel-all"),
        await exchange.call("POST", "/admin/deposit", json=deposit),
    ]


async def test_reads_and_the_dead_man_live_through_a_full_disk(start):
    """A settlement and a dead-man's cancels that are due wait for room; reads are answered all the while."""
    running = await start(WireSettings(heartbeat_check_s=0.02))
    await running.offer(running.v1, "SELL", "0.5", "100")
    trader = running.trader()
    await trader.call("POST", "/v1/heartbeats", {"heartbeat_id": ""})
    await trader.post(running.v1, "BUY", "0.5", "10")
    _, resting, _ = await trader.post(running.v1, "BUY", "0.4", "10")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (running.venue.truth.stat().st_size, hard))
    try:
        with capture_logs() as logs:
            running.clock.ahead_ms = 60_000
            async with asyncio.timeout(3):
                while {"truth_journal_failed", "dead_man_failed"} - {entry["event"] for entry in logs}:
                    await asyncio.sleep(0.01)
            status, order, _ = await trader.call("GET", f"/data/order/{resting['orderID']}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (status, order["status"]) == (200, "LIVE")
    assert [entry["event"] for entry in logs].count("truth_journal_failed") == 1
    async with asyncio.timeout(3):
        while running.engine.order(resting["orderID"]).status == "LIVE" or running.engine.pending_trades():
            await asyncio.sleep(0.01)


async def test_a_full_disk_refuses_orders(exchange):
    """Nothing that is not on record is ever accepted; once there is room again, all goes on."""
    trader = exchange.trader()
    _, resting, _ = await trader.post(exchange.v1, "BUY", "0.4", "10")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (exchange.venue.truth.stat().st_size, hard))
    try:
        with capture_logs() as logs:
            refused, batch, kept, swept, gift = await write_everything(exchange, trader, resting["orderID"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "truth_journal_failed" in {entry["event"] for entry in logs}
    assert refused[:2] == (500, {"error": "could not insert order"})
    assert [entry["errorMsg"] for entry in batch[1]] == ["could not insert order"]
    assert kept[1] == {"canceled": [], "not_canceled": {resting["orderID"]: "Internal server error"}}
    assert swept[:2] == gift[:2] == (500, {"error": "Internal server error"})
    assert [order.order_id for order in exchange.engine.open_orders(trader.wallet)] == [resting["orderID"]]
    assert (await trader.post(exchange.v1, "BUY", "0.4", "10"))[0] == 200
