"""The simulated exchange that most tests of the venue run on."""

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
