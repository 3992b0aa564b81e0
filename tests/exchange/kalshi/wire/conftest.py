"""The exchange that most tests of the wire run against."""

import pytest

from .running import started, stopped


@pytest.fixture
async def start(tmp_path):
    """Starts the exchange on one folder; a second call restarts it."""
    up = []

    async def begin(*settings):
        while up:
            await stopped(*up.pop())
        up.append(await started(tmp_path, *settings))
        return up[0][0]

    yield begin
    while up:
        await stopped(*up.pop())


@pytest.fixture
async def exchange(start):
    """The exchange as it is by default: reads without lag, no limits."""
    return await start()


@pytest.fixture
async def member(exchange):
    """A member with $1000 on shard 0."""
    return await exchange.member()
