"""The simulated exchange that most tests of the venue run on."""

import functools

import httpx._transports.default
import pytest

from .rig import start_rig
from .stub import Stub


@pytest.fixture
async def start(tmp_path):
    """Starts an exchange with given settings on one folder."""
    running = []

    async def begin(*settings):
        running.append(await start_rig(tmp_path, *settings))
        return running[-1]

    yield begin
    for rig in running:
        await rig.close()


@pytest.fixture
async def rig(start):
    """The exchange as it is by default."""
    return await start()


@pytest.fixture
async def stub():
    """A server that answers what the test says."""
    running = await Stub().start()
    yield running
    await running.stop()


@pytest.fixture(autouse=True)
def _one_tls_context(monkeypatch):
    """The official client loads the certificates ten times at its start, which costs 0.3 s in every test."""
    monkeypatch.setattr(httpx._transports.default, "create_ssl_context", _tls_context)


@functools.cache
def _tls_context(*_args, **_options):
    return httpx.create_ssl_context()
