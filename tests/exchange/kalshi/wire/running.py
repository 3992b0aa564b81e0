"""A real exchange on a free loopback port: three series, one exclusive event of three markets, two binary ones."""

import asyncio
import json
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import websockets
from aiohttp import web

from arbsaga.exchange.kalshi.app import application
from arbsaga.exchange.kalshi.engine import Engine
from arbsaga.exchange.kalshi.model import Event, Market, Series
from arbsaga.exchange.kalshi.settings import EngineSettings
from arbsaga.exchange.kalshi.venue import Venue, WireSettings

from .signer import ed25519_key, headers, public_pem

API = "/trade-api/v2"
WS = "/trade-api/ws/v2"
QUICK = WireSettings(read_lag_ms=0, rate_limits=False, public_cache_s=0)


class Clock:
    """The wall clock, which tests can move ahead, or hold at a moment."""

    def __init__(self):
        self.ahead_ms = 0
        self.held_ms = None

    def __call__(self):
        if self.held_ms is not None:
            return self.held_ms
        return time.time_ns() // 1_000_000 + self.ahead_ms


class PlainWorld:
    """A world that only notes what it is told."""

    def __init__(self):
        self.told = []

    def pause(self):
        self.told.append("pause")

    def resume(self):
        self.told.append("resume")

    def plant(self, target, edge):
        if edge > 1:
            raise ValueError("an edge of 1 is more than these prices can give")
        self.told.append((target, edge))


@dataclass
class Exchange:
    """The running exchange. RAIN-A, RAIN-B, RAIN-C exclude each other; COIN is on shard 2; GAME is Sports."""

    url: str
    venue: Venue
    world: PlainWorld
    clock: Clock
    http: httpx.AsyncClient

    @property
    def engine(self):
        return self.venue.engine

    async def admin(self, method, path, body=None, status=200):
        answer = await self.http.request(method, f"{self.url}/admin/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def fault(self, spec):
        await self.admin("POST", "faults", {"spec": spec})

    async def offer(self, ticker, side, price, count):
        """A resting house order."""
        return await self.admin("POST", "order", {"ticker": ticker, "side": side, "price": price, "count": count})

    async def member(self, name="m", key=None, usd="1000", shard=0, **more):
        """A member with money and a key."""
        key = key or ed25519_key()
        if usd is not None:
            await self.admin("POST", "deposit", {"address": name, "amount": usd, "exchange_index": shard})
        body = {"address": name, "public_key": public_pem(key)} | more
        made = await self.admin("POST", "keys", body)
        return Member(self, name, made["key_id"], key)


@dataclass
class Member:
    """Calls as one key."""

    exchange: Exchange
    name: str
    key_id: str
    key: object = field(repr=False)

    async def call(self, method, path, body=None, params=None, stamp=None):
        """The answer to a signed call."""
        if stamp is None and self.exchange.clock is not None:
            stamp = self.exchange.clock()
        signed = headers(self.key_id, self.key, method, API + path, stamp)
        url = self.exchange.url + API + path
        return await self.exchange.http.request(method, url, json=body, params=params, headers=signed)

    async def get(self, path, **params):
        answer = await self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def order(self, ticker="RAIN-A", side="bid", price="0.4000", count="10.00", **more):
        """The body of a create."""
        return {
            "ticker": ticker,
            "side": side,
            "price": price,
            "count": count,
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
            "client_order_id": str(uuid.uuid4()),
        } | more

    async def create(self, **terms):
        return await self.call("POST", "/portfolio/events/orders", self.order(**terms))

    async def placed(self, **terms):
        answer = await self.create(**terms)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def cancel(self, order_id, **params):
        return await self.call("DELETE", f"/portfolio/events/orders/{order_id}", params=params)

    async def connect(self, **options):
        """A signed WebSocket."""
        signed = headers(self.key_id, self.key, "GET", WS)
        url = self.exchange.url.replace("http", "ws") + WS
        return Listener(await websockets.connect(url, additional_headers=signed, **options))


class Listener:
    """A WebSocket that commands and reads with a deadline."""

    def __init__(self, socket):
        self.socket = socket
        self._id = 0

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.socket.close()

    async def command(self, cmd, **params):
        self._id += 1
        await self.socket.send(json.dumps({"id": self._id, "cmd": cmd, "params": params}))

    async def subscribe(self, channel, **params):
        """The sid."""
        await self.command("subscribe", channels=[channel], **params)
        answer = await self.next()
        assert answer["type"] == "subscribed", answer
        return answer["msg"]["sid"]

    async def next(self, within=5.0):
        async with asyncio.timeout(within):
            return json.loads(await self.socket.recv())

    async def until(self, kind, within=5.0):
        """The next message of a type; others are passed over."""
        async with asyncio.timeout(within):
            while (message := json.loads(await self.socket.recv()))["type"] != kind:
                pass
        return message

    async def silent(self, seconds=0.15):
        """Whether nothing comes."""
        try:
            await self.next(seconds)
        except TimeoutError:
            return True
        return False


def world_of(engine, clock):
    """Opens what Exchange tells of."""
    now = clock()
    engine.open_series(Series("RAINS", texts={"title": "Rain", "category": "Climate and Weather"}))
    engine.open_series(Series("COINS", "quadratic_with_maker_fees", texts={"title": "Coins", "category": "Crypto"}))
    engine.open_series(Series("GAMES", texts={"title": "Games", "category": "Sports"}))
    rain = [
        Market(f"RAIN-{each}", "RAIN", open_ms=now, close_ms=now + 86_400_000, settlement_timer_seconds=1)
        for each in "ABC"
    ]
    engine.open_event(Event("RAIN", "RAINS", mutually_exclusive=True, texts={"title": "Where will it rain?"}), rain)
    grid = ((0, 100_000, 1_000), (100_000, 900_000, 10_000), (900_000, 1_000_000, 1_000))
    engine.open_event(
        Event("COIN", "COINS", exchange_index=2), [Market("COIN-1", "COIN", open_ms=now, price_ranges=grid)]
    )
    engine.open_event(Event("GAME", "GAMES"), [Market("GAME-1", "GAME", open_ms=now)])


async def started(directory: Path, settings=QUICK, engine_settings=None):
    """(exchange, runner). The caller cleans both up."""
    clock, world = Clock(), PlainWorld()
    truth = directory / "truth.jsonl"
    engine = Engine.recover(truth, clock, engine_settings or EngineSettings())
    if not engine.markets:
        world_of(engine, clock)
    venue = Venue(engine, truth, clock, settings, directory / "keys.json")
    runner = web.AppRunner(application(venue, world), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    return Exchange(f"http://{host}:{port}", venue, world, clock, httpx.AsyncClient(timeout=10)), runner


async def stopped(exchange, runner):
    await exchange.http.aclose()
    await runner.cleanup()
    exchange.engine.close()
