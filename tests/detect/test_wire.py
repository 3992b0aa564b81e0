"""The scanner on the real exchange's wire: discovery, book sockets, planted edges and faults."""

import asyncio
import time
from contextlib import asynccontextmanager

import aiohttp
import pytest

from arbsaga.detect import AdmissionSettings, Scanner, ScanSettings, StreamSettings
from arbsaga.exchange.server import ExchangeSettings, run
from arbsaga.exchange.world import WorldSettings
from arbsaga.venues.polymarket import PolymarketSettings, PolymarketVenue, generate_key

from .make import until

SETTINGS = ScanSettings(
    discovery_ms=500,
    admission=AdmissionSettings(max_starts=10**6),
    streams=StreamSettings(tend_ms=50, restart_min_ms=100, silent_ms=2_000),
)


class Site:
    """A running exchange, and a scanner of it: `found` holds every opportunity with when it came (monotonic s)."""

    def __init__(self, url, http, scan, found):
        self.url, self.http, self.scan, self.found = url, http, scan, found

    async def admin(self, path, **body):
        async with self.http.post(f"{self.url}/admin/{path}", json=body) as answer:
            text = await answer.text()
            assert answer.status == 200, text

    async def plant(self, event_id, edge="0.06"):
        self.found.clear()
        planted = time.monotonic()
        await self.admin("plant", event_id=event_id, edge=edge)
        return planted

    def yes_events(self):
        return [watch.event for watch in self.scan._index.watches if watch.key.startswith("yes:")]

    def no_events(self):
        """Augmented events: their NOs alone are a basket."""
        pools = [watch.event for watch in self.scan._index.watches if watch.key.startswith("no:")]
        return [name for name in pools if name not in self.yes_events()]

    def best(self, key):
        """The largest edge offered on a basket, in basis points."""
        return max((one.quote.edge_bps for _, one in self.found if one.quote.basket.key == key), default=0)

    def first(self, key):
        """When the basket was first offered."""
        return next(at for at, one in self.found if one.quote.basket.key == key)


@asynccontextmanager
async def site(folder, lifetime=(600, 600)):
    urls, found = asyncio.Queue(), []
    world = WorldSettings(neg_risk_events=4, binary_events=1, lifetime_s=lifetime, mispricing=None)
    exchange = asyncio.create_task(run(ExchangeSettings(folder, seed=3, world=world), urls.put_nowait))
    url = await urls.get()
    venue = PolymarketVenue(PolymarketSettings.at(url, generate_key()))
    scan = Scanner(venue, SETTINGS, lambda one: found.append((time.monotonic(), one)))
    scanning = asyncio.create_task(scan.run())
    try:
        async with aiohttp.ClientSession() as http:
            here = Site(url, http, scan, found)
            await until(lambda: scan.stats()["books"] > 20 and not missing(scan), 10)
            yield here
            assert not scanning.done()
    finally:
        scanning.cancel()
        await asyncio.gather(scanning, return_exceptions=True)
        await venue.close()
        exchange.cancel()
        await asyncio.gather(exchange, return_exceptions=True)


def missing(scan):
    tokens = {token for watch in scan._index.watches for token in watch.tokens}
    return [token for token in tokens if scan.books.book(token) is None]


async def test_planted_edges_are_found_and_nothing_else(tmp_path):
    """YES of an exhaustive event, NO of an augmented one: each within a second, at the size and edge the books give."""
    async with site(tmp_path) as here:
        await asyncio.sleep(1)
        assert here.found == []
        allowed = set()  # an edge that nobody takes stays for a while
        for event_id, kind in ((here.yes_events()[0], "yes"), (here.no_events()[0], "no")):
            allowed.add(f"{kind}:{event_id}")
            planted = await here.plant(event_id)
            # 600 basis points were planted at the best prices; the levels behind them bring the average down.
            await until(lambda wanted=f"{kind}:{event_id}": here.best(wanted) >= 300)
            assert here.first(f"{kind}:{event_id}") - planted < 1
            assert {one.quote.basket.key for _, one in here.found} <= allowed
        counters = here.scan.counters
        assert counters.malformed == counters.caught == counters.strange == 0


@pytest.mark.parametrize(
    "fault",
    [
        "drop_stream:1,count=1",
        "freeze_stream:1,seconds=4",
        "malformed_frame:1,count=3",
        "oversized_frame:1,count=1",
        "torn_book:0.5,seconds=2",
    ],
)
async def test_it_comes_back_from_every_fault_of_the_stream(tmp_path, fault):
    """Books are found out or interrupted, nothing is offered on them, and afterwards an edge is found again."""
    async with site(tmp_path) as here:
        counters = here.scan.counters
        await here.admin("faults", spec=fault)
        await until(lambda: counters.gaps + counters.caught + counters.restarts, 15)
        await asyncio.sleep(0.5)
        assert here.found == []
        await here.http.delete(f"{here.url}/admin/faults")
        await until(lambda: not missing(here.scan), 15)
        await here.plant(here.yes_events()[0])
        await until(lambda: here.found, 5)


async def test_events_open_and_resolve_and_the_subscriptions_follow(tmp_path):
    """Every event lives for two or three seconds: new ones are watched soon, none of the old ones for long."""
    async with site(tmp_path, lifetime=(2, 3)) as here:
        first = set(here.yes_events())
        await until(lambda: not first & set(here.yes_events()) and not missing(here.scan), 15)
        assert here.yes_events()
        assert here.scan.stats()["streams"] <= 5
        await here.plant(here.yes_events()[0])
        await until(lambda: here.found, 5)
