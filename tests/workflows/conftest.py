"""One real Temporal server for each test process, and a rig for each test."""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from memory_venue import MemoryVenue
from temporal_rig import Rig

from workers.connect import TemporalSettings, connect, prepare
from workers.temporal_server import EmbeddedTemporal


@pytest.fixture(scope="session")
def temporal_server() -> Iterator[EmbeddedTemporal]:
    """A server on its own loop and thread, so that it outlives each test's loop."""
    folder = Path(tempfile.mkdtemp(prefix="arbsaga-temporal-"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = EmbeddedTemporal(folder, ui_port=None, synchronous="normal")

    async def start() -> None:
        await server.start()
        await prepare(TemporalSettings(server.address))

    asyncio.run_coroutine_threadsafe(start(), loop).result(60)
    yield server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    shutil.rmtree(folder)


@pytest.fixture
async def rig(temporal_server: EmbeddedTemporal, tmp_path: Path) -> AsyncIterator[Rig]:
    """A world with an account, a venue in memory and a ledger; no worker yet."""
    client = await connect(TemporalSettings(temporal_server.address))
    rig = Rig(client, temporal_server.address, tmp_path, MemoryVenue())
    yield rig
    rig.ledger.close()
