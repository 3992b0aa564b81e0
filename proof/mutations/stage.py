"""The wire layer's stage: one exchange on a loopback port, one account, one ledger, one alert log, in one process.

Everything that a mutation can sit in is real: the venue's code, the activities, the ledger, the pager. The house quotes
an exhaustive neg-risk event of three markets, whose YES asks add up to less than a dollar.
"""

import itertools
import os
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import httpx
import httpx._transports.default
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from activities.depth import DepthSettings, LiveBooksOf
from activities.trading import TradingActivities
from arbsaga.domain.baskets import Basket, yes_of_all
from arbsaga.domain.books import BookRef
from arbsaga.domain.instruments import Instrument
from arbsaga.domain.money import ZERO, Price, Size, Usd
from arbsaga.exchange.engine import Engine, EngineSettings
from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.ids import v1_ids
from arbsaga.exchange.journal import read_journal
from arbsaga.exchange.model import Event, Market, NewOrder, Side
from arbsaga.exchange.polymarket.app import Wire
from arbsaga.exchange.polymarket.venue import Venue as WireVenue
from arbsaga.exchange.polymarket.venue import WireSettings
from arbsaga.exchange.truth import Truth
from arbsaga.exchange.units import collateral, parse
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.saga.messages import Patience, PlannedLeg, TradePlan, UndoLimits
from arbsaga.venues.polymarket import PolymarketSettings, PolymarketVenue
from arbsaga.venues.polymarket.sockets import Keepalive
from arbsaga.venues.port import Venue

ACCOUNT = "proof"
CASH = "1000"
KEY = "0x" + "00" * 31 + "01"
HOUSE = f"0x{7:040d}"
EVENT = "race"
LEGS = 3
LIMIT = Price(Decimal("0.30"))
UNITS = Size(Decimal(15))
ASKS = (
    (("0.28", "5"), ("0.29", "5"), ("0.30", "40"), ("0.55", "200")),
    (("0.26", "10"), ("0.30", "40"), ("0.55", "200")),
    (("0.30", "40"), ("0.55", "200")),
)
"""By market: several prices within the limit, so that one order has several fills; and a dear level beyond it."""
BIDS = (("0.25", "200"),)
QUICK = EngineSettings(mined_ms=(40, 40), confirmed_ms=(40, 40), retry_ms=(40, 40))
BRISK = Keepalive(ping=200, dead=4_000, check=50, retry=20, retry_max=200, steady=1_000)
SLOWNESS = min(6.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))
"""How much longer things take on this machine now, for what must not be given up too soon."""
PATIENCE = Patience(
    entry=900,
    poll=50,
    undo=600,
    send_by=8_000,
    http=int(1_000 * SLOWNESS),
    prove=800,
    settle=int(12_000 * SLOWNESS),
    retry_min=10,
    retry_max=60,
)
"""The story in less time. `send_by` is far, so that a loaded machine does not make orders late."""
UNDO = UndoLimits(rounds=4)
DEPTH = DepthSettings(
    max_book_age_ms=int(2_000 * SLOWNESS),
    max_book_skew_ms=int(500 * SLOWNESS),
    max_cross_skew_ms=int(1_500 * SLOWNESS),
)
"""A loaded machine takes long to read a book."""

_numbers = itertools.count(1)


def now_ms() -> int:
    """Ms since the epoch."""
    return time.time_ns() // 1_000_000


_TLS = httpx.create_ssl_context()


def _tls_context(*_args: object, **_options: object) -> ssl.SSLContext:
    """The official client loads the certificates ten times at its start; nothing here speaks TLS."""
    return _TLS


@dataclass
class Stage:
    """What a scenario plays on. `twice`: every post reaches the exchange twice, and the second answer is told."""

    folder: Path
    engine: Engine
    wire: WireVenue
    polymarket: PolymarketVenue
    ledger: Ledger
    instruments: tuple[Instrument, ...] = ()
    live: LiveBooksOf | None = None
    depth: DepthSettings = field(default_factory=lambda: DEPTH)
    twice: bool = False
    _house: list[str] = field(default_factory=list)

    @property
    def venue(self) -> Venue:
        """Where the account trades."""
        return self.polymarket

    @property
    def alerts(self) -> Path:
        """The alert log."""
        return self.folder / "alerts.jsonl"

    def truths(self) -> dict[str, Truth]:
        """The exchange's own record of the account, by venue."""
        return {self.polymarket.name: Truth.read(self.folder / "truth.jsonl", self.polymarket.wallet)}

    def refusals(self) -> list[str]:
        """The order ids of what the exchange refused, once for each time."""
        lines = read_journal(self.folder / "truth.jsonl").records
        return [line["order_id"] for line in lines if line["kind"] == "refused"]

    def hands(self) -> TradingActivities:
        """The activities as a new worker has them."""
        pager = Pager([], self.alerts, lambda _text: None)
        return TradingActivities(self.venue, self.ledger, pager, self.live, self.depth)

    def send_twice(self) -> None:
        """From now on every post reaches the exchange twice."""
        self.twice = True

    def fault(self, spec: str) -> None:
        """Put a fault in force at the exchange."""
        self.wire.faults.add(spec)

    def calm(self) -> None:
        """Lift every fault."""
        self.wire.faults.clear()

    @property
    def markets(self) -> Sequence[Market]:
        """The event's markets, in the order of the legs."""
        return [self.engine.markets[market] for market in self.engine.events[EVENT].market_ids]

    def offer(self, market: Market, side: Side, price: str, size: str) -> None:
        """A resting order of the house for YES."""
        order_id = f"0x{next(_numbers):064x}"
        shares = parse(size)
        usd = collateral(shares, parse(price))
        given, wanted = (usd, shares) if side == "BUY" else (shares, usd)
        self.engine.submit(NewOrder(order_id, HOUSE, HOUSE, market.token_ids[0], side, given, wanted, "GTC"))
        self._house.append(order_id)

    def withdraw_offers(self) -> None:
        """The house takes back all that rests."""
        for order_id in self._house:
            order = self.engine.order(order_id)
            if order is not None and order.resting:
                self.engine.cancel(HOUSE, order_id)
        self._house.clear()

    def quote(self, asks: Sequence[Sequence[tuple[str, str]]] = ASKS) -> None:
        """Put up the house's book in every market."""
        for market, levels in zip(self.markets, asks, strict=True):
            for price, size in BIDS:
                self.offer(market, "BUY", price, size)
            for price, size in levels:
                self.offer(market, "SELL", price, size)

    def plan(self, patience: Patience = PATIENCE, undo: UndoLimits = UNDO) -> TradePlan:
        """Fifteen units of the basket at 0.30 a leg, decided now."""
        legs = tuple(PlannedLeg(UNITS, LIMIT) for _ in self.instruments)
        return self.decided(yes_of_all(EVENT, "Who wins?", self.instruments), legs, patience, undo)

    def decided(
        self, basket: Basket, legs: tuple[PlannedLeg, ...], patience: Patience, undo: UndoLimits, *, name: str = "t"
    ) -> TradePlan:
        """A plan for these legs, decided now on books of now. `name` tells the stage's trades apart."""
        at = now_ms()
        instruments = [leg.instrument for leg in basket.legs]
        each = (
            leg.size * leg.limit + one.rules.fee.taker_fee(leg.size, leg.limit)
            for leg, one in zip(legs, instruments, strict=True)
        )
        cost = sum(each, ZERO)
        return TradePlan(
            trade_id=f"{name}-{self.folder.name}",
            account=ACCOUNT,
            basket=basket,
            units=legs[0].size,
            legs=legs,
            cost=Usd(cost),
            fees=Usd(ZERO),
            edge=Usd(legs[0].size - cost),
            reserved=Usd(cost),
            lease_id="lease",
            lease_expires_ms=at + 600_000,
            decided_ms=at,
            decided_ns=time.monotonic_ns(),
            books=tuple(BookRef(one.token, 0, at) for one in instruments),
            patience=patience,
            undo=undo,
        )


@asynccontextmanager
async def raised(folder: Path, wire_settings: WireSettings | None = None) -> AsyncIterator[Stage]:
    """A stage in this folder, quoted and with a funded account, until the block ends."""
    httpx._transports.default.create_ssl_context = _tls_context  # type: ignore[attr-defined]  # httpx does not export it
    engine = _engine(folder)
    wire = WireVenue(engine, folder / "truth.jsonl", now_ms, wire_settings or WireSettings(), folder / "keys.json")
    holder: list[Stage] = []
    app = Wire(wire).app(None)
    app.middlewares.insert(0, _twice(lambda: bool(holder) and holder[0].twice))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    settings = replace(PolymarketSettings.at(f"http://{host}:{port}", KEY), read_timeout_ms=30_000)
    venue = PolymarketVenue(settings, keepalive=BRISK)
    engine.deposit(venue.wallet, parse(CASH))
    ledger = Ledger.open(f"sqlite:///{folder}/ledger.sqlite", durability="normal")
    ledger.open_account(ACCOUNT, venue.name, Usd(Decimal(CASH)))
    stage = Stage(folder, engine, wire, venue, ledger)
    holder.append(stage)
    try:
        await venue.start()
        stage.quote()
        listing = next(found for found in await venue.events() if found.event == EVENT)
        stage.instruments = tuple(market.yes for market in listing.markets)
        yield stage
    finally:
        await venue.close()
        await runner.cleanup()
        engine.close()
        ledger.close()


def _twice(wanted: Callable[[], bool]) -> Middleware:
    """A proxy or a client between us and the exchange that sends posts again by itself."""

    @web.middleware
    async def resend(request: web.Request, handler: Handler) -> web.StreamResponse:
        again = wanted() and request.method == "POST" and request.path in ("/order", "/orders")
        answer = await handler(request)
        return await handler(request) if again else answer

    return resend


def _engine(folder: Path) -> Engine:
    folder.mkdir(parents=True, exist_ok=True)
    engine = Engine.recover(folder / "truth.jsonl", now_ms, QUICK, random.Random(1), FaultPlan(1))
    _open_event(engine)
    engine.create_account(HOUSE, house=True)
    return engine


def _open_event(engine: Engine) -> None:
    markets = []
    for index in range(LEGS):
        condition, tokens = v1_ids(f"{EVENT} {index}")
        markets.append(
            Market(
                condition_id=condition,
                event_id=EVENT,
                question=f"Runner {index}?",
                slug=f"runner-{index}",
                version="v1",
                token_ids=tokens,
                neg_risk=True,
                fee_rate=Decimal("0.05"),
                opened_ms=now_ms(),
                resolves_ms=now_ms() + 10_000_000,
            )
        )
    event = Event(
        event_id=EVENT,
        title="Who wins?",
        slug="who-wins",
        neg_risk=True,
        augmented=False,
        version="v1",
        market_ids=tuple(market.condition_id for market in markets),
        neg_risk_market_id=v1_ids(EVENT)[0],
    )
    engine.open_event(event, markets)
