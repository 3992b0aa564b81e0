"""The exchange that most tests of the wire run against."""

import pytest

from arbsaga.exchange.units import parse

from .running import started, stopped


@pytest.fixture
async def start(tmp_path):
    """Starts the exchange on one folder, with $1000 on the owner's three wallets; a second call restarts it."""
    up = []

    async def begin(*settings, **binary):
        while up:
            await stopped(*up.pop())
        up.append(await started(tmp_path, *settings, **binary))
        running = up[0][0]
        for wallet in running.trader().wallets:
            if running.engine.account(wallet) is None:
                running.engine.deposit(wallet, parse("1000"))
        return running

    yield begin
    while up:
        await stopped(*up.pop())


@pytest.fixture
async def exchange(start):
    """The exchange as it is by default."""
    return await start()
