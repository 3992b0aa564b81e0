"""The exchange as a process, and its seeded world."""

import asyncio
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from decimal import Decimal

import httpx
import pytest

from arbsaga.errors import ConfigError, Rejected, Unavailable, UnknownThing
from arbsaga.exchange.kalshi.engine import Engine
from arbsaga.exchange.kalshi.model import NewOrder
from arbsaga.exchange.kalshi.server import KalshiSettings, run
from arbsaga.exchange.kalshi.settings import EngineSettings
from arbsaga.exchange.kalshi.world import KINDS, PLANT_MS, TICK_MS, Mispricing, World, WorldSettings, tickers_of

from .running import API, Exchange
from .signer import ed25519_key

PROCESS = """
import asyncio, sys
from decimal import Decimal
from pathlib import Path
from arbsaga.exchange.kalshi.server import KalshiSettings, run
settings = KalshiSettings(data_dir=Path(sys.argv[1]), deposits={("m", 0): Decimal(100)})
asyncio.run(run(settings, lambda url: print(url, flush=True)))
"""
EVENT = KINDS[0].event


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


async def test_it_serves_its_world(tmp_path):
    """A free port, every kind of event, books with both sides, the journal; a second start goes on."""
    settings = KalshiSettings(data_dir=tmp_path / "new", deposits={("m", 2): Decimal(5)})
    for _ in range(2):
        async with serving(settings) as url, httpx.AsyncClient() as http:
            events = (await http.get(f"{url}{API}/events", params={"with_nested_markets": "true"})).json()["events"]
            assert [event["event_ticker"] for event in events] == [kind.event for kind in KINDS]
            for event in events:
                for market in event["markets"]:
                    path = f"{url}{API}/markets/{market['ticker']}/orderbook"
                    book = (await http.get(path)).json()["orderbook_fp"]
                    assert book["yes_dollars"]
                    assert book["no_dollars"]
            truth = (await http.get(f"{url}/admin/truth")).json()
            assert truth["path"] == str(tmp_path / "new" / "truth.jsonl")


async def test_deposits_are_given_once(tmp_path):
    """A restart does not give them again."""
    settings = KalshiSettings(data_dir=tmp_path, deposits={("m", 0): Decimal(5)}, world=None)
    for _ in range(2):
        async with serving(settings) as url, httpx.AsyncClient(timeout=10) as http:
            exchange = Exchange(url, None, None, None, http)
            member = await exchange.member(usd=None)
            async with asyncio.timeout(5):
                while (await member.get("/portfolio/balance"))["balance_dollars"] != "5.0000":
                    await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "wrong",
    [
        {"deposits": {("m", 0): Decimal(0)}},
        {"deposits": {("m", 9): Decimal(1)}},
        {"deposits": {("m/1", 0): Decimal(1)}},
        {"deposits": {("m", 0): Decimal("NaN")}},
        {"faults": ("nope",)},
    ],
)
async def test_settings_that_are_wrong(tmp_path, wrong):
    """One line, before anything is served."""
    with pytest.raises(ConfigError):
        await run(KalshiSettings(data_dir=tmp_path, **wrong))


async def test_a_data_folder_that_cannot_be_made(tmp_path):
    """A file stands in the way."""
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match=r"the data folder .* cannot be made"):
        await run(KalshiSettings(data_dir=tmp_path / "file" / "data"))


async def test_kill_9_loses_nothing_that_was_answered(tmp_path):
    """A process killed after an answer: the order, its client id and the key are there after the next start."""
    command = [sys.executable, "-c", PROCESS, str(tmp_path)]

    def begin():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return process, next(line.strip() for line in process.stdout if line.startswith("http"))

    async with httpx.AsyncClient(timeout=10) as http:
        process, url = begin()
        try:
            member = await Exchange(url, None, None, None, http).member(usd=None, key=ed25519_key())
            terms = member.order(ticker=f"{EVENT}-ALDER", price="0.0100", count="3.00")
            placed = await member.call("POST", "/portfolio/events/orders", terms)
            assert placed.status_code == 201
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        process, url = begin()
        try:
            member.exchange = Exchange(url, None, None, None, http)
            again = await member.call("POST", "/portfolio/events/orders", terms)
            assert again.json()["error"]["code"] == "order_already_exists"
            [order] = (await member.get("/portfolio/orders"))["orders"]
            assert (order["order_id"], order["status"]) == (placed.json()["order_id"], "resting")
        finally:
            process.terminate()
            process.communicate()
        assert process.returncode == 0


class Clock:
    now = 1_790_000_000_000

    def __call__(self):
        return self.now


@pytest.fixture
def stage(tmp_path):
    """(engine, clock, start): start gives a world of this seed that has begun."""
    clock, engines = Clock(), []

    def start(seed=1, mispricing=None):
        clock.now = Clock.now
        engines.append(Engine.recover(tmp_path / f"{len(engines)}.jsonl", clock, EngineSettings()))
        world = World(engines[-1], clock, WorldSettings(seed, mispricing=mispricing))
        world.start()
        return engines[-1], world

    yield clock, start
    for engine in engines:
        engine.close()


def books(engine):
    return {ticker: (engine.book(ticker).bids, engine.book(ticker).asks) for ticker in engine.markets}


def test_the_same_seed_gives_the_same_books(stage):
    """Prices and sizes, also after they have drifted; another seed gives others."""
    clock, start = stage
    shown = []
    for seed in (1, 1, 2):
        engine, world = start(seed)
        before = books(engine)
        for _ in range(40):
            clock.now += TICK_MS
            world.step()
        assert books(engine) != before
        shown.append(books(engine))
    assert shown[0] == shown[1]
    assert shown[0] != shown[2]


def test_what_is_taken_comes_back(stage):
    """A level that a member took is quoted again at the next tick; books never cross."""
    clock, start = stage
    engine, world = start()
    ticker = f"{EVENT}-ALDER"
    engine.deposit("m", 10**12)
    price, size = engine.book(ticker).asks[-1]
    engine.submit(NewOrder("m", ticker, "bid", price, size, "immediate_or_cancel", client_order_id="1"))
    assert engine.book(ticker).asks[-1][0] > price
    world.pause()
    clock.now += 10 * TICK_MS
    world.step()
    assert engine.book(ticker).asks[-1][0] > price
    world.resume()
    clock.now += TICK_MS
    world.step()
    view = engine.book(ticker)
    assert len(view.asks) == 3
    assert view.bids[-1][0] < view.asks[-1][0]


def test_a_planted_event(stage):
    """YES bids of an exclusive event sum to 1 and the edge; after 10 s they no longer do."""
    clock, start = stage
    engine, world = start()
    tickers = [ticker for ticker in engine.markets if ticker.startswith(EVENT)]

    def total():
        return sum(engine.book(ticker).bids[-1][0] for ticker in tickers)

    assert total() < 1_000_000
    world.plant(EVENT, Decimal("0.03"))
    assert total() >= 1_000_000
    clock.now += PLANT_MS + TICK_MS
    world.step()
    assert total() < 1_000_000


def mispriced(clock, engine, world):
    """The events whose YES bids sum to over $1, at each tick of 20 s."""
    exclusive = [kind for kind in KINDS if len(kind.outcomes) > 1]
    seen = []
    for _ in range(20_000 // TICK_MS):
        clock.now += TICK_MS
        world.step()
        bids = {kind.event: sum(engine.book(one).bids[-1][0] for one in tickers_of(kind)) for kind in exclusive}
        seen.append({event for event, total in bids.items() if total > 1_050_000})
    return seen


def test_exclusive_events_are_mispriced_by_chance_and_by_the_seed(stage):
    """Alone, the venue gave no trade at all: NO of every market of an event must come to less than it pays."""
    clock, start = stage
    first, again, other = (mispriced(clock, *start(seed, Mispricing())) for seed in (7, 7, 8))
    assert first == again != other
    assert any(first)
    assert not all(first)
    assert not any(mispriced(clock, *start(7)))


def test_a_planted_market(stage):
    """A negative edge on one market: its ask is below what its bid was."""
    _, start = stage
    engine, world = start()
    ticker = f"{EVENT}-BIRCH"
    before = engine.book(ticker).bids[-1][0]
    world.plant(ticker, Decimal("-0.05"))
    assert engine.book(ticker).asks[-1][0] < before


def test_what_cannot_be_planted(stage):
    """Unknown names, and edges that leave 0..1."""
    _, start = stage
    _, world = start()
    with pytest.raises(UnknownThing):
        world.plant("NOPE", Decimal("0.01"))
    with pytest.raises(ValueError, match="more than the prices"):
        world.plant(EVENT, Decimal(2))


@pytest.mark.parametrize("halt", [{"trading": True}, {"exchange": True}])
def test_closed_and_halted_markets_are_left_alone(stage, halt):
    """The house waits while nothing can be placed or canceled, then quotes on in the markets that are open."""
    clock, start = stage
    engine, world = start()
    engine.close_market(f"{EVENT}-ALDER")
    engine.halt(**halt)
    before = books(engine)
    for _ in range(40):
        clock.now += TICK_MS
        world.step()
    assert books(engine) == before
    engine.halt()
    clock.now += TICK_MS
    world.step()
    assert books(engine) != before
    assert not engine.book(f"{EVENT}-ALDER").bids
    assert engine.book(f"{EVENT}-BIRCH").bids


def test_a_market_that_closes_under_a_quote(stage, monkeypatch):
    """A refusal is no error where the market has just closed; anywhere else it is one."""
    clock, start = stage
    engine, world = start()
    ticker = f"{EVENT}-ALDER"
    engine.deposit("m", 10**12)
    price, size = engine.book(ticker).asks[-1]
    engine.submit(NewOrder("m", ticker, "bid", price, size, "immediate_or_cancel", client_order_id="1"))

    def closing(new):
        if engine.markets[new.ticker].status == "active":
            engine.close_market(new.ticker)
        raise Rejected(400, "closed", "market_inactive")

    monkeypatch.setattr(engine, "submit", closing)
    clock.now += TICK_MS
    world.step()
    assert engine.markets[ticker].status == "closed"

    def refusing(new):
        raise Rejected(400, "no", "invalid_order")

    monkeypatch.setattr(engine, "submit", refusing)
    with pytest.raises(Rejected):
        world.plant(f"{EVENT}-BIRCH", Decimal("0.05"))
