"""A real simulated exchange on a free loopback port, and a Polymarket venue that trades on it."""

import asyncio
import random
import time
from decimal import Decimal

from aiohttp import web

from arbsaga.domain.instruments import Side
from arbsaga.domain.money import Price, Size
from arbsaga.domain.orders import OrderTerms, Purpose, TimeInForce
from arbsaga.exchange.engine import Engine, EngineSettings
from arbsaga.exchange.ids import v1_ids, v2_event_id, v2_ids
from arbsaga.exchange.model import Event, Market, NewOrder
from arbsaga.exchange.polymarket.app import Wire
from arbsaga.exchange.polymarket.venue import Venue, WireSettings
from arbsaga.exchange.units import collateral, parse
from arbsaga.venues.polymarket import PolymarketSettings, PolymarketVenue
from arbsaga.venues.polymarket.sockets import Keepalive

KEY = "0x" + "00" * 31 + "01"
HOUSE = f"0x{7:040d}"
QUICK = EngineSettings(mined_ms=(50, 50), confirmed_ms=(50, 50), retry_ms=(50, 50))
BRISK = Keepalive(ping=100, dead=2_000, check=50, retry=20, retry_max=200, steady=1_000)


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


class Rig:
    """The running exchange with its markets; `one` and `two` are binary (v1, v2), `three` and `four` neg-risk."""

    def __init__(self, engine, wire_venue, runner, url):
        self.engine, self.wire, self.runner, self.url = engine, wire_venue, runner, url
        self.venues = []
        self._made = 0

    def markets(self, event):
        return [self.engine.markets[market] for market in self.engine.events[event].market_ids]

    def fault(self, spec):
        self.wire.faults.add(spec)

    def calm(self):
        self.wire.faults.clear()

    def offer(self, market, side, price, size, outcome=0):
        """A resting order of the house."""
        self._made += 1
        shares, order_id = parse(size), f"0x{self._made:064x}"
        usd = collateral(shares, parse(price))
        given, wanted = (usd, shares) if side == "BUY" else (shares, usd)
        self.engine.submit(NewOrder(order_id, HOUSE, HOUSE, market.token_ids[outcome], side, given, wanted, "GTC"))
        return order_id

    def drop_offer(self, order_id):
        self.engine.cancel(HOUSE, order_id)

    def settings(self, **changes):
        base = PolymarketSettings.at(
            self.url, changes.pop("private_key", KEY), **_only(changes, "wallet", "signature_type")
        )
        for name, value in changes.items():
            object.__setattr__(base, name, value)
        return base

    def venue(self, keepalive=BRISK, **changes):
        """A venue that is not started, closed with the rig."""
        venue = PolymarketVenue(self.settings(**changes), keepalive=keepalive)
        self.venues.append(venue)
        return venue

    async def started(self, cash="1000", **changes):
        """A started venue with cash."""
        venue = self.venue(**changes)
        if self.engine.account(venue.wallet) is None:
            self.engine.deposit(venue.wallet, parse(cash))
        await venue.start()
        return venue

    async def instruments(self, venue, event):
        """(YES, NO) of each market of an event."""
        listing = next(found for found in await venue.events() if found.event == event)
        return [(market.yes, market.no) for market in listing.markets]

    async def close(self):
        for venue in self.venues:
            await venue.close()
        await self.runner.cleanup()
        self.engine.close()


def _only(changes, *names):
    return {name: changes.pop(name) for name in names if name in changes}


def _event(engine, event_id, version, count, *, neg_risk, fee="0", augmented=False):
    markets = []
    for index in range(count):
        seed = f"{event_id} {index}"
        condition, tokens = v1_ids(seed)
        if version == "v2":
            condition, tokens = v2_ids(event_id, index=index, arity=count, neg_risk=neg_risk)
        markets.append(
            Market(
                condition_id=condition,
                event_id=event_id,
                question=f"Outcome {index} of {event_id}?",
                slug=f"outcome-{index}-of-{event_id}",
                version=version,
                token_ids=tokens,
                neg_risk=neg_risk,
                fee_rate=Decimal(fee),
                opened_ms=now_ms(),
                resolves_ms=now_ms() + 10_000_000,
            )
        )
    parent = v2_event_id(markets[0].condition_id) if version == "v2" else v1_ids(event_id)[0]
    engine.open_event(
        Event(
            event_id=event_id,
            title=f"Event {event_id}",
            slug=f"event-{event_id}",
            neg_risk=neg_risk,
            augmented=augmented,
            version=version,
            market_ids=tuple(market.condition_id for market in markets),
            neg_risk_market_id=parent if neg_risk else "",
        ),
        markets,
    )


async def start_rig(folder, engine_settings=QUICK, wire_settings=None):
    truth = folder / "truth.jsonl"
    engine = Engine.recover(truth, now_ms, engine_settings, random.Random(1))
    if not engine.events:
        _event(engine, "1", "v1", 1, neg_risk=False, fee="0.05")
        _event(engine, "2", "v2", 1, neg_risk=False, fee="0.05")
        _event(engine, "3", "v1", 3, neg_risk=True, fee="0.04")
        _event(engine, "4", "v2", 4, neg_risk=True, augmented=True)
    engine.create_account(HOUSE, house=True)
    venue = Venue(engine, truth, now_ms, wire_settings or WireSettings(), folder / "keys.json")
    runner = web.AppRunner(Wire(venue).app(None), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    return Rig(engine, venue, runner, f"http://{host}:{port}")


_ATTEMPTS = iter(range(1, 1_000_000))


def terms(
    instrument,
    side="BUY",
    price="0.50",
    size="10",
    *,
    kind="GTC",
    trade="trade",
    leg=0,
    attempt=None,
    created=None,
    send_by=None,
):
    """An order's terms; each call is another attempt."""
    at = now_ms() if created is None else created
    return OrderTerms(
        trade_id=trade,
        leg=leg,
        attempt=next(_ATTEMPTS) if attempt is None else attempt,
        purpose=Purpose.ENTER,
        instrument=instrument,
        side=Side(side),
        size=Size(Decimal(size)),
        limit=Price(Decimal(price)),
        time_in_force=TimeInForce(kind),
        created_ms=at,
        send_by_ms=at + 1_000 if send_by is None else send_by,
    )
