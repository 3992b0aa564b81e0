"""A real exchange on a free loopback port: two neg-risk events and two binary markets, of both protocol versions."""

import random
import time
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import aiohttp
from aiohttp import web

from arbsaga.exchange.engine import Engine, EngineSettings
from arbsaga.exchange.ids import v1_ids, v2_event_id, v2_ids
from arbsaga.exchange.model import Event, Market
from arbsaga.exchange.polymarket.app import Wire
from arbsaga.exchange.polymarket.venue import Venue, WireSettings

from .trader import Trader

OWNER_KEY = "0x" + "00" * 31 + "01"
OTHER_KEY = "0x" + "00" * 31 + "02"


class Clock:
    """The wall clock, which tests can move ahead."""

    def __init__(self):
        self.ahead_ms = 0

    def __call__(self):
        return time.time_ns() // 1_000_000 + self.ahead_ms


class PlainWorld:
    """A world that only notes what it is told."""

    def __init__(self):
        self.told = []

    def pause(self):
        self.told.append("pause")

    def resume(self):
        self.told.append("resume")

    def plant(self, event_id, edge):
        if edge > 1:
            raise ValueError("an edge of 1 is more than these prices can give")
        self.told.append((event_id, edge))


@dataclass
class Exchange:
    """The running exchange; `v1`, `v2` are binary markets, `three` and `four` the markets of neg-risk events."""

    url: str
    venue: Venue
    world: PlainWorld
    clock: Clock
    http: aiohttp.ClientSession
    v1: Market
    v2: Market
    three: list[Market]
    four: list[Market]
    traders: list[Trader] = field(default_factory=list)

    @property
    def engine(self):
        return self.venue.engine

    async def call(self, method, path, **options):
        """(status, JSON body, headers) of an unsigned call."""
        async with self.http.request(method, self.url + path, **options) as answer:
            assert answer.content_type == "application/json"
            return answer.status, await answer.json(), answer.headers

    async def admin(self, method, path, body=None):
        status, answer, _ = await self.call(method, f"/admin/{path}", json=body)
        assert status == 200, answer
        return answer

    async def fault(self, spec):
        await self.admin("POST", "faults", {"spec": spec})

    async def offer(self, market, side, price, size, outcome=0):
        """A resting house order."""
        body = {"token_id": market.token_ids[outcome], "side": side, "price": price, "size": size}
        return await self.admin("POST", "order", body)

    def trader(self, key=OWNER_KEY, wallet=0):
        return Trader(self, key, wallet)


def markets_of(event_id, version, count, fee_rate="0", neg_risk=True):
    """An event and its markets."""
    markets = []
    for index in range(count):
        seed = f"{event_id} {index}"
        ids = v1_ids(seed)
        if version == "v2":
            ids = v2_ids(event_id, index=index, arity=count, neg_risk=neg_risk)
        markets.append(
            Market(
                condition_id=ids[0],
                event_id=event_id,
                question=f"Will outcome {index} of {event_id} happen?",
                slug=f"outcome-{index}-of-{event_id}",
                version=version,
                token_ids=ids[1],
                neg_risk=neg_risk,
                fee_rate=Decimal(fee_rate),
                opened_ms=1_790_000_000_000,
                resolves_ms=4_000_000_000_000,
            )
        )
    parent = v2_event_id(markets[0].condition_id) if version == "v2" else v1_ids(event_id)[0]
    event = Event(
        event_id=event_id,
        title=f"Event {event_id}",
        slug=f"event-{event_id}",
        neg_risk=neg_risk,
        augmented=event_id == "14",
        version=version,
        market_ids=tuple(market.condition_id for market in markets),
        neg_risk_market_id=parent if neg_risk else "",
    )
    return event, markets


async def started(directory: Path, settings=None, with_world=True, **binary):
    """(exchange, runner). The caller cleans both up."""
    clock, world = Clock(), PlainWorld()
    truth = directory / "truth.jsonl"
    quick = EngineSettings(mined_ms=(100, 100), confirmed_ms=(100, 100), retry_ms=(100, 100))
    engine = Engine.recover(truth, clock, quick, random.Random(1))
    events = [
        markets_of("11", "v1", 1, neg_risk=False, fee_rate="0.05"),
        markets_of("12", "v2", 1, neg_risk=False, fee_rate="0.05"),
        markets_of("13", "v1", 3),
        markets_of("14", "v2", 4),
    ]
    for name, value in binary.items():
        setattr(events[0][1][0], name, value)
    if not engine.events:
        for event, markets in events:
            engine.open_event(event, markets)
    venue = Venue(engine, truth, clock, settings or WireSettings(), directory / "keys.json")
    runner = web.AppRunner(Wire(venue).app(world if with_world else None), access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    groups = [[engine.markets[market.condition_id] for market in markets] for _, markets in events]
    http = aiohttp.ClientSession()
    url = f"http://{host}:{port}"
    return Exchange(url, venue, world, clock, http, groups[0][0], groups[1][0], groups[2], groups[3]), runner


async def stopped(exchange, runner):
    for trader in exchange.traders:
        await trader.close()
    await exchange.http.close()
    await runner.cleanup()
    exchange.engine.close()
