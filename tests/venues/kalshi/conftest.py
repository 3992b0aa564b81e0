"""The simulated Kalshi that most tests of the venue run on."""

import pytest

from .rig import start_rig


@pytest.fixture
async def start(tmp_path):
    """Starts an exchange with given settings on one folder; a second call restarts it."""
    running = []

    async def begin(*settings):
        while running:
            await running.pop().close()
        running.append(await start_rig(tmp_path, *settings))
        return running[-1]

    yield begin
    while running:
        await running.pop().close()


@pytest.fixture
async def rig(start):
    """The exchange as it is by default: reads without lag, no limits."""
    return await start()


@pytest.fixture
async def venue(rig):
    """A started venue of a member with $1000 on shard 0."""
    return await rig.trading()
