"""The simulated Kalshi on a free port, and what reads its market data: see tests/exchange/kalshi/wire/running.py."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace

from exchange.kalshi.wire.running import QUICK, started, stopped

from arbsaga.venues.kalshi.books import Books
from arbsaga.venues.kalshi.discovery import Discovery
from arbsaga.venues.kalshi.market_stream import Timing, stream_books
from arbsaga.venues.kalshi.rest import Rest
from arbsaga.venues.kalshi.settings import KalshiSettings
from arbsaga.venues.kalshi.signing import Signer
from venues.sink import Recorder

BRISK = Timing(
    probe=60, dead=2_000, snapshot=2_000, resync=20, compare=100, check=10, retry=20, retry_max=100, steady=1_000
)
HASTY = replace(BRISK, dead=400, snapshot=400, compare=60_000)
"""For what must be found by its silence; on a busy machine it may also find what is only slow."""


def tokens_of(*tickers):
    return [f"kalshi:{ticker}:{outcome}" for ticker in tickers for outcome in ("YES", "NO")]


async def until(condition, seconds=10.0):
    """Polls until the condition holds; fails at the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.005)
    return found


class MarketRig:
    """`exchange` is the running one; everything else reads it as one signed member."""

    def __init__(self, exchange, settings):
        self.exchange, self.settings = exchange, settings
        self.signer = Signer(settings.key_id, settings.private_key, exchange.clock)
        self.rest = Rest(settings, self.signer)
        self.books = Books(self.rest)
        self.discovery = Discovery(self.rest, settings, exchange.clock)
        self.changed = []

    @property
    def engine(self):
        return self.exchange.engine

    async def read(self, tokens):
        return await self.books.read(tokens, self.exchange.clock())

    @asynccontextmanager
    async def streaming(self, *tickers, tokens=None, sink=None, wait=True, timing=BRISK, read=None):
        """A stream of both outcomes' books, which are there when this begins; ends with the block."""
        sink, tokens = sink or Recorder(), tokens_of(*tickers) if tokens is None else tokens
        work = stream_books(
            self.settings,
            self.signer,
            tokens,
            sink,
            read=read or self.read,
            on_change=self.changed.append,
            timing=timing,
        )
        task = asyncio.create_task(work)
        try:
            if wait:
                await until(lambda: task.done() or all(token in sink.books for token in tokens))
            yield sink
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def market_rig(folder, wire=QUICK, **settings):
    exchange, runner = await started(folder, wire)
    member = await exchange.member()
    pem = member.key.export_key(format="PEM")
    rig = MarketRig(exchange, replace(KalshiSettings.at(exchange.url, member.key_id, pem, **settings), quiet_ms=100))
    try:
        yield rig
    finally:
        await rig.rest.close()
        await stopped(exchange, runner)


def levels(side):
    """Plain numbers of a recorded side."""
    return {str(price.normalize()): str(size.normalize()) for price, size in side.items()}
