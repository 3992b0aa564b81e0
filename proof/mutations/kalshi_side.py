"""The other half of a stage with two venues: Kalshi's simulated exchange, with an account that trades there.

Its market is on a shard of its own, and asks for fractions of a contract: several prices within the limit, so that one
order has several fills, none of whole contracts; and a dear level beyond it.
"""

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler
from Crypto.PublicKey import ECC

from arbsaga.exchange.kalshi.app import application
from arbsaga.exchange.kalshi.auth import ApiKey
from arbsaga.exchange.kalshi.engine import Engine
from arbsaga.exchange.kalshi.model import BookSide, Event, Market, NewOrder, Series
from arbsaga.exchange.kalshi.settings import EngineSettings
from arbsaga.exchange.kalshi.truth import Truth
from arbsaga.exchange.kalshi.venue import PREFIX, WireSettings
from arbsaga.exchange.kalshi.venue import Venue as WireVenue
from arbsaga.exchange.units import parse
from arbsaga.venues.kalshi import KalshiSettings, KalshiVenue
from arbsaga.venues.kalshi.market_stream import Timing
from arbsaga.venues.kalshi.sockets import Keepalive
from proof.mutations.stage import now_ms

MEMBER, HOUSE, KEY_ID = "proof", "house", "5b1f1a3c-0000-4000-8000-00000000000a"
TICKER = "KXRACE-27-R0"
SHARD = 2
BIDS = (("0.42", "4.63"), ("0.41", "5.20"), ("0.40", "40.17"), ("0.15", "200"))
"""Of YES. Who buys NO pays 0.58, 0.59, 0.60, and 0.85 for the rest."""
ASKS = (("0.45", "200"),)
DEAR = (("0.15", "200"),)
BRISK = Keepalive(ping=200, dead=4_000, check=50, retry=20, retry_max=200, steady=1_000)
PROVED = Timing(probe=60_000, dead=120_000)
"""Quiet books are not asked for again: what a scenario does to the stream is not mended by the next proof."""
CREATE = f"{PREFIX}/portfolio/events/orders"
CENTS = ((0, 1_000_000, 10_000),)
LAG = WireSettings(read_lag_ms=100, rate_limits=False, public_cache_s=0)


@dataclass(frozen=True, slots=True)
class KalshiTerms:
    """How the exchange behaves, and USD of the account by shard."""

    wire: WireSettings = LAG
    cash: Mapping[int, str] = field(default_factory=lambda: {0: "1000", SHARD: "1000"})


@dataclass
class KalshiSide:
    """The running exchange and our venue at it. `twice`: each post reaches it twice, and the second answer is told."""

    truth_file: Path
    engine: Engine
    wire: WireVenue
    venue: KalshiVenue = field(init=False)
    twice: bool = False
    _port: int = 0
    _runner: web.AppRunner | None = None
    _house: list[str] = field(default_factory=list)

    def truth(self) -> Truth:
        """The exchange's own record of the account."""
        return Truth.read(self.truth_file, MEMBER)

    def offer(self, side: BookSide, price: str, count: str) -> None:
        """A resting order of the house, in YES."""
        self._house.append(self.engine.submit(NewOrder(HOUSE, TICKER, side, parse(price), parse(count))).order_id)

    def withdraw_offers(self) -> None:
        """The house takes back all that rests."""
        for order_id in self._house:
            order = self.engine.order(order_id)
            if order is not None and order.status == "resting":
                self.engine.cancel(HOUSE, order_id)
        self._house.clear()

    def quote(self, bids: Sequence[tuple[str, str]] = BIDS, asks: Sequence[tuple[str, str]] = ASKS) -> None:
        """Put up the house's book, in YES."""
        for price, count in bids:
            self.offer("bid", price, count)
        for price, count in asks:
            self.offer("ask", price, count)

    async def serve(self) -> str:
        """Answer, on the port it had before; the address."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        app = application(self.wire, None)
        app.middlewares.insert(0, self._resend)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()
        return f"http://127.0.0.1:{self._port}"

    async def die(self) -> None:
        """Answer nothing, and end every connection."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @web.middleware
    async def _resend(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A proxy or a client between us and the exchange that sends posts again by itself."""
        again = self.twice and request.method == "POST" and request.path == CREATE
        if not again:
            return await handler(request)
        await handler(request)
        return await handler(request)


@asynccontextmanager
async def beside(folder: Path, terms: KalshiTerms) -> AsyncIterator[KalshiSide]:
    """The exchange in this folder, quoted, and our venue there, started, until the block ends."""
    truth = folder / "truth.jsonl"
    engine = _engine(truth)
    key = ECC.generate(curve="Ed25519")
    wire = WireVenue(engine, truth, now_ms, terms.wire, folder / "keys.json")
    wire.keys.add(ApiKey(key_id=KEY_ID, member=MEMBER, public_key=str(key.public_key().export_key(format="PEM"))))
    for shard, usd in terms.cash.items():
        engine.deposit(MEMBER, parse(usd), shard)
    wire.reads.remember(engine.create_account(MEMBER))
    side = KalshiSide(truth, engine, wire)
    pem = str(key.export_key(format="PEM"))
    side.venue = KalshiVenue(KalshiSettings.at(await side.serve(), KEY_ID, pem), keepalive=BRISK, timing=PROVED)
    try:
        side.quote()
        await side.venue.start()
        yield side
    finally:
        await side.venue.close()
        await side.die()
        engine.close()


def _engine(truth: Path) -> Engine:
    """With one market, for whole cents, on the shard of crypto."""
    truth.parent.mkdir(parents=True, exist_ok=True)
    engine = Engine.recover(truth, now_ms, EngineSettings())
    engine.open_series(Series("KXRACE", texts={"title": "Races", "category": "World"}))
    told = {"rules_primary": "Yes if runner 0 wins.", "rules_secondary": "", "yes_sub_title": "Runner 0"}
    close_ms = now_ms() + 10_000_000
    market = Market(
        TICKER,
        "KXRACE-27",
        open_ms=now_ms(),
        close_ms=close_ms,
        price_ranges=CENTS,
        settlement_timer_seconds=0,
        texts=told,
    )
    event = Event("KXRACE-27", "KXRACE", exchange_index=SHARD, texts={"title": "Who wins the race?"})
    engine.open_event(event, [market])
    engine.create_account(HOUSE, house=True)
    return engine
