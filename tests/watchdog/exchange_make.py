"""The simulated exchange as a server inside a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal as D
from pathlib import Path

from arbsaga.exchange.server import ExchangeSettings
from arbsaga.exchange.server import run as run_exchange


@asynccontextmanager
async def exchange(folder: Path, wallet: str, usd: int) -> AsyncIterator[str]:
    """Its URL: with its own world, on a free port, with `usd` in this wallet."""
    folder.mkdir()
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    deposits = {wallet: D(usd)} if usd else {}
    task = asyncio.create_task(run_exchange(ExchangeSettings(folder, deposits=deposits), url.set_result))
    try:
        yield await asyncio.wait_for(asyncio.shield(url), 20)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
