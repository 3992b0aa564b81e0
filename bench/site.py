"""The scene of the trade bench: one exchange process, one account, two legs that never run dry."""

import asyncio
import json
import multiprocessing
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from pathlib import Path

import httpx
from coincurve import PrivateKey
from eth_account import Account

from arbsaga.domain.baskets import Basket, no_of_some
from arbsaga.domain.instruments import Instrument
from arbsaga.domain.money import NO_USD, Price, Size, Usd
from arbsaga.exchange.polymarket.venue import WireSettings
from arbsaga.exchange.server import ExchangeSettings, run
from arbsaga.exchange.settings import EngineSettings
from arbsaga.exchange.world import WorldSettings
from arbsaga.saga.messages import PlannedLeg, TradePlan
from arbsaga.venues.port import Venue

SHARES = Size(Decimal(10))
DEPTH = "1000000"
CASH = Decimal(10_000_000)
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Site:
    """Where the exchange answers, its truth journal, and the key of the account that trades."""

    url: str
    truth: Path
    key: str
    address: str

    async def latency(self, ms: int) -> None:
        """Every call takes this long from now on, there and back."""
        async with httpx.AsyncClient(base_url=self.url) as admin:
            await admin.delete("/admin/faults")
            if ms:
                (await admin.post("/admin/faults", json={"spec": f"latency,ms={ms}"})).raise_for_status()

    def arrivals(self) -> dict[str, int]:
        """When the exchange had each accepted order's bytes: monotonic ns, by order id."""
        lines = (json.loads(line) for line in self.truth.read_text().splitlines())
        return {line["order_id"]: line["received_ns"] for line in lines if line["kind"] == "order"}


def _serve(directory: str, address: str, urls: "multiprocessing.Queue[str]") -> None:
    settings = ExchangeSettings(
        data_dir=Path(directory),
        world=WorldSettings(lifetime_s=(7_200, 7_200), mispricing=None),
        deposits={address: CASH},
        engine=EngineSettings(mined_ms=(20, 40), confirmed_ms=(10, 20)),
        wire=WireSettings(rate_limits="off"),
    )
    asyncio.run(run(settings, urls.put))


@contextmanager
def exchange(directory: Path) -> Iterator[Site]:
    """The exchange in a process of its own, for as long as the block runs."""
    key = PrivateKey(secrets.token_bytes(32)).to_hex()
    address = str(Account.from_key(key).address)
    spawning = multiprocessing.get_context("spawn")
    urls: multiprocessing.Queue[str] = spawning.Queue()
    process = spawning.Process(target=_serve, args=(str(directory), address, urls))
    process.start()
    try:
        yield Site(urls.get(timeout=30), directory / "truth.jsonl", "0x" + key, address)
    finally:
        process.terminate()
        process.join()


@dataclass(frozen=True, slots=True)
class Legs:
    """The two NO shares every trade of the bench buys, and at what price they are always to be had."""

    instruments: tuple[Instrument, ...]
    limits: tuple[Price, ...]

    def plan(self, account: str, lease_id: str, lease_expires_ms: int) -> TradePlan:
        """A new trade of 10 units, decided now."""
        number, now_ns = next(_NUMBERS), time.monotonic_ns()
        now_ms = time.time_ns() // 1_000_000
        basket = no_of_some(f"bench{number}", "bench", self.instruments)
        cost = Usd(sum((SHARES * limit for limit in self.limits), NO_USD))
        return TradePlan(
            trade_id=f"bench-{secrets.token_hex(4)}-{number}",
            account=account,
            basket=Basket(f"bench:{number}", basket.kind, basket.title, basket.event, basket.legs, basket.payout),
            units=SHARES,
            legs=tuple(PlannedLeg(SHARES, limit) for limit in self.limits),
            cost=cost,
            fees=NO_USD,
            edge=NO_USD,
            reserved=Usd(cost + 2),
            lease_id=lease_id,
            lease_expires_ms=lease_expires_ms,
            decided_ms=now_ms,
            decided_ns=now_ns,
            books=(),
        )


async def prepare(site: Site, venue: Venue) -> Legs:
    """Choose two markets of one neg-risk event, and put up asks that last; the traders pause."""
    event = next(event for event in await venue.events() if event.neg_risk and len(event.markets) >= 2)
    legs = tuple(market.no for market in event.markets[:2])
    books = await venue.books([leg.token for leg in legs])
    limits = tuple(book.asks[0].price for book in books)
    async with httpx.AsyncClient(base_url=site.url) as admin:
        (await admin.post("/admin/pause")).raise_for_status()
        for leg, limit in zip(legs, limits, strict=True):
            ask = {"token_id": leg.token, "side": "SELL", "price": f"{limit:f}", "size": DEPTH}
            (await admin.post("/admin/order", json=ask)).raise_for_status()
    return Legs(legs, limits)
