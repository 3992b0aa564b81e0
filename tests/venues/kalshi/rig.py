"""A real simulated Kalshi on a free loopback port, and venues that trade on it."""

import asyncio
import functools
import time
import uuid
from decimal import Decimal

import httpx
from aiohttp import web
from Crypto.PublicKey import ECC, RSA

from arbsaga.domain.instruments import Instrument, MarketRules, Outcome, Side
from arbsaga.domain.money import NO_USD, Price, Size
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, Purpose, TimeInForce
from arbsaga.exchange.kalshi.app import application
from arbsaga.exchange.kalshi.engine import Engine
from arbsaga.exchange.kalshi.model import Event, Market, Series
from arbsaga.exchange.kalshi.settings import EngineSettings
from arbsaga.exchange.kalshi.venue import Venue, WireSettings
from arbsaga.venues.kalshi import KalshiSettings, KalshiVenue
from arbsaga.venues.kalshi.sockets import Keepalive

QUICK = WireSettings(read_lag_ms=0, rate_limits=False, public_cache_s=0)
LAGGING = WireSettings(read_lag_ms=400, rate_limits=False, public_cache_s=0)
BRISK = Keepalive(ping=100, dead=2_000, check=50, retry=20, retry_max=200, steady=1_000)
TAPERED = ((0, 100_000, 1_000), (100_000, 900_000, 10_000), (900_000, 1_000_000, 1_000))


def now_ms():
    return time.time_ns() // 1_000_000


async def until(condition, seconds=5.0):
    """Polls until the condition holds; fails at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.01)


@functools.cache
def key(kind="ed25519"):
    return RSA.generate(2048) if kind == "rsa" else ECC.generate(curve="Ed25519")


def pem(of):
    text = of.export_key(format="PEM")
    return text.decode() if isinstance(text, bytes) else text


class Clock:
    """The wall clock of the exchange, which tests can move or hold."""

    def __init__(self):
        self.ahead_ms = 0
        self.held_ms = None

    def __call__(self):
        return now_ms() + self.ahead_ms if self.held_ms is None else self.held_ms


class Rig:
    """The running exchange. RAIN-A, RAIN-B exclude each other (shard 0); COIN-1 is on shard 2; GAME-1 is Sports."""

    def __init__(self, wire, runner, url, clock):
        self.wire, self.runner, self.url, self.clock = wire, runner, url, clock
        self.http = httpx.AsyncClient(timeout=10)
        self.venues = []

    @property
    def engine(self):
        return self.wire.engine

    def fault(self, spec):
        self.engine.faults.add(spec)

    def calm(self):
        self.engine.faults.clear()

    async def admin(self, method, path, body=None):
        answer = await self.http.request(method, f"{self.url}/admin/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def offer(self, ticker, side, price, count):
        """A resting order of the house, in YES terms; its id."""
        body = {"ticker": ticker, "side": side, "price": price, "count": count}
        return (await self.admin("POST", "order", body))["order_id"]

    async def member(self, name="m", usd="1000", shard=0, kind="ed25519", **more):
        """Settings of a member with money and a key."""
        if usd is not None:
            await self.admin("POST", "deposit", {"address": name, "amount": usd, "exchange_index": shard})
        public = key(kind).public_key().export_key(format="PEM")
        text = public.decode() if isinstance(public, bytes) else public
        made = await self.admin("POST", "keys", {"address": name, "public_key": text} | more)
        return KalshiSettings.at(self.url, made["key_id"], pem(key(kind)))

    def venue(self, settings, **options):
        """A venue that is not started."""
        made = KalshiVenue(settings, **({"keepalive": BRISK} | options))
        self.venues.append(made)
        return made

    async def trading(self, name="m", **more):
        """A started venue of a member."""
        venue = self.venue(await self.member(name, **more))
        await venue.start()
        return venue

    def orders(self, member="m"):
        """The member's orders, as the engine has them."""
        return self.engine.orders(member)

    def net(self, ticker, member="m"):
        held = self.engine.account(member).positions.get(ticker)
        return Decimal(held.net if held else 0) / 1_000_000

    async def close(self):
        for venue in self.venues:
            await venue.close()
        await self.http.aclose()
        await self.runner.cleanup()
        self.engine.close()


async def start_rig(folder, wire=QUICK, engine_settings=None):
    clock = Clock()
    truth = folder / "truth.jsonl"
    engine = Engine.recover(truth, clock, engine_settings or EngineSettings())
    if not engine.markets:
        _open(engine, clock())
    venue = Venue(engine, truth, clock, wire, folder / "keys.json")
    runner = web.AppRunner(application(venue, None), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    return Rig(venue, runner, f"http://{host}:{port}", clock)


def _open(engine, now):
    for ticker, category in (("RAINS", "Climate and Weather"), ("COINS", "Crypto"), ("GAMES", "Sports")):
        engine.open_series(Series(ticker, texts={"title": ticker, "category": category}))
    rain = [Market(f"RAIN-{each}", "RAIN", open_ms=now, close_ms=now + 86_400_000) for each in "AB"]
    engine.open_event(Event("RAIN", "RAINS", mutually_exclusive=True), rain)
    coin = Market("COIN-1", "COIN", open_ms=now, price_ranges=TAPERED)
    engine.open_event(Event("COIN", "COINS", exchange_index=2), [coin])
    engine.open_event(Event("GAME", "GAMES"), [Market("GAME-1", "GAME", open_ms=now)])


RULES = MarketRules(tick=Decimal("0.01"), min_size=Size(Decimal("0.01")), min_notional=NO_USD, nets=True, pocket="0")


def instrument(ticker="RAIN-A", outcome=Outcome.YES, rules=RULES):
    token, other = f"kalshi:{ticker}:YES", f"kalshi:{ticker}:NO"
    if outcome is Outcome.NO:
        token, other = other, token
    return Instrument("kalshi", ticker, token, other, outcome, ticker, rules)


def terms(
    on=None,
    *,
    side=Side.BUY,
    size="10",
    limit="0.40",
    kind=TimeInForce.GTC,
    trade=None,
    leg=0,
    attempt=1,
    left_ms=5_000,
    purpose=Purpose.ENTER,
):
    """Terms of a new order (its own trade unless named)."""
    created = now_ms()
    return OrderTerms(
        trade_id=trade or uuid.uuid4().hex,
        leg=leg,
        attempt=attempt,
        purpose=purpose,
        instrument=on or instrument(),
        side=side,
        size=Size(Decimal(size)),
        limit=Price(Decimal(limit)),
        time_in_force=kind,
        created_ms=created,
        send_by_ms=created + left_ms,
    )


def unknown(venue, order):
    """The view of an order of which nothing is known: what a restart begins with."""
    return OrderView(order, venue.order_id(order), OrderState.UNKNOWN)


async def one(venue, order):
    """Post one order."""
    (view,) = await venue.post([order])
    return view


async def seen(venue, view, condition, seconds=5.0):
    """Looks until the condition holds of the order."""
    deadline = time.monotonic() + seconds
    while True:
        (view,) = await venue.look([view])
        if condition(view):
            return view
        assert time.monotonic() < deadline, view
        await asyncio.sleep(0.02)
