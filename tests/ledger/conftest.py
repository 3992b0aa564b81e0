"""Fixtures of the ledger's tests: a real SQLite file each; for trades a real Temporal server and the workflows' rig."""

import asyncio
import shutil
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "workflows"))  # for memory_venue and temporal_rig

from memory_venue import MemoryVenue
from temporal_rig import Rig

from arbsaga.ledger import Ledger
from workers.connect import TemporalSettings, connect, prepare
from workers.temporal_server import EmbeddedTemporal


class Forgetful(EmbeddedTemporal):
    """A server that has deleted an execution seconds after it was told to; by default it takes half a minute."""

    def _arguments(self) -> list[str]:
        waits = ("history.visibilityProcessorUpdateAckInterval", "history.transferProcessorUpdateAckInterval")
        return [*super()._arguments(), *(f'--dynamic-config-value={name}="500ms"' for name in waits)]


@pytest.fixture(scope="session")
def forgetful() -> Iterator[Forgetful]:
    """A server on its own loop and thread, so that it outlives each test's loop."""
    folder = Path(tempfile.mkdtemp(prefix="arbsaga-forgetful-"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = Forgetful(folder, ui_port=None, synchronous="normal")

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
async def rig(forgetful: Forgetful, tmp_path: Path) -> AsyncIterator[Rig]:
    """A world with an account, a venue in memory and a ledger; no worker yet."""
    client = await connect(TemporalSettings(forgetful.address))
    rig = Rig(client, forgetful.address, tmp_path, MemoryVenue())
    yield rig
    rig.ledger.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a ledger file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'ledger.sqlite'}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """An empty ledger."""
    opened = Ledger.open(url)
    yield opened
    opened.close()
