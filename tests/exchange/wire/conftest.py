"""The exchange that most tests of the wire run against."""

import pytest

from arbsaga.exchange.units import parse

from .running import started, stopped


@pytest.fixture
async def exchange(tmp_path):
    """The exchange with $1000 on the owner's three wallets."""
    running, runner = await started(tmp_path)
    for wallet in running.trader().wallets:
        running.engine.deposit(wallet, parse("1000"))
    yield running
    await stopped(running, runner)
