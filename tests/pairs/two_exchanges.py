"""Both simulated exchanges on free loopback ports, in a thread of their own: the commands run their own event loop."""

import asyncio
import random
import threading
import time

from aiohttp import web
from Crypto.PublicKey import ECC

from arbsaga.exchange.engine import Engine, EngineSettings
from arbsaga.exchange.ids import v1_ids
from arbsaga.exchange.kalshi.app import application
from arbsaga.exchange.kalshi.auth import ApiKey
from arbsaga.exchange.kalshi.engine import Engine as KalshiEngine
from arbsaga.exchange.kalshi.model import Event as KalshiEvent
from arbsaga.exchange.kalshi.model import Market as KalshiMarket
from arbsaga.exchange.kalshi.model import Series
from arbsaga.exchange.kalshi.settings import EngineSettings as KalshiEngineSettings
from arbsaga.exchange.kalshi.venue import Venue as KalshiWire
from arbsaga.exchange.kalshi.venue import WireSettings as KalshiWireSettings
from arbsaga.exchange.model import Event, Market
from arbsaga.exchange.polymarket.app import Wire
from arbsaga.exchange.polymarket.venue import Venue, WireSettings

DAY_MS = 86_400_000
CUT, BITCOIN = "Will the Fed cut rates in December 2026?", "Bitcoin above $90,000 on December 31, 2026?"
HIGHER = "Bitcoin above $100,000 on December 31, 2026?"


def now_ms():
    return time.time_ns() // 1_000_000


class TwoExchanges:
    """`fed` and `bitcoin` are Polymarket's condition ids; Kalshi has KXFED-CUT and KXBTC-T100."""

    def __init__(self, folder):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.key = ECC.generate(curve="Ed25519")
        self.closes_ms = (now_ms() + 10 * DAY_MS) // 1000 * 1000
        self._do(self._start(folder))
        self._urls = [f"http://{host}:{port}" for host, port in (runner.addresses[0] for runner in self._runners)]

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self, folder):
        truth = folder / "truth.jsonl"
        self.polymarket = Engine.recover(truth, now_ms, EngineSettings(), random.Random(1))
        self.fed, self.bitcoin = (self._list(number, title) for number, title in enumerate((CUT, BITCOIN)))
        wire = Wire(Venue(self.polymarket, truth, now_ms, WireSettings(), folder / "keys.json"))
        self._runners = [await _serve(wire.app(None))]
        truth = folder / "truth-kalshi.jsonl"
        self.kalshi = KalshiEngine.recover(truth, now_ms, KalshiEngineSettings())
        self._list_kalshi("KXFED", "CUT", CUT)
        self._list_kalshi("KXBTC", "T100", HIGHER)
        settings = KalshiWireSettings(read_lag_ms=0, rate_limits=False, public_cache_s=0)
        venue = KalshiWire(self.kalshi, truth, now_ms, settings, folder / "kalshi-keys.json")
        public = self.key.public_key().export_key(format="PEM")
        venue.keys.add(ApiKey(key_id="key", member="m", public_key=public))
        self._runners.append(await _serve(application(venue, None)))

    def _list(self, number, title):
        condition, tokens = v1_ids(title)
        market = Market(
            condition, str(number), title, f"m-{number}", "v1", tokens, opened_ms=now_ms(), resolves_ms=self.closes_ms
        )
        event = Event(str(number), title, f"e-{number}", False, False, "v1", (condition,))
        self.polymarket.open_event(event, [market])
        return condition

    def _list_kalshi(self, series, outcome, title):
        self.kalshi.open_series(Series(series, texts={"title": title, "category": "Economics"}))
        rules = {"yes_sub_title": "", "rules_primary": f"YES if so: {title}", "rules_secondary": "First release."}
        market = KalshiMarket(
            f"{series}-{outcome}", series, open_ms=now_ms(), close_ms=self.closes_ms + 3_600_000, texts=rules
        )
        self.kalshi.open_event(KalshiEvent(series, series, texts={"title": title}), [market])

    def environment(self):
        """What a command needs to reach both."""
        return {
            "ARBSAGA_VENUES": "polymarket,kalshi",
            "ARBSAGA_VENUE__CLOB_URL": self._urls[0],
            "ARBSAGA_VENUE__PRIVATE_KEY": "0x" + "00" * 31 + "01",
            "ARBSAGA_KALSHI__REST_URL": self._urls[1] + "/trade-api/v2",
            "ARBSAGA_KALSHI__KEY_ID": "key",
            "ARBSAGA_KALSHI__PRIVATE_KEY": self.key.export_key(format="PEM"),
            "ARBSAGA_DATA_DIR": "data",
        }

    def do(self, change):
        """Change something at an exchange, between its requests."""

        async def run():
            change()

        self._do(run())

    def stop_kalshi(self):
        self._do(self._runners[1].cleanup())

    def close(self):
        for runner in self._runners:
            self._do(runner.cleanup())
        self._do(_let_go())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.polymarket.close()
        self.kalshi.close()


async def _let_go():
    """A transport is closed some turns of the loop after it was told to; a loop that stops before leaves it open."""
    for _ in range(20):
        await asyncio.sleep(0)


async def _serve(app):
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner
