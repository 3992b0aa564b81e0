"""Every case runs on every bench."""

import functools

import httpx
import httpx._transports.default
import pytest

from .desk import Desk
from .on_kalshi import KalshiBench
from .on_polymarket import PolymarketBench

BENCHES = {bench.name: bench for bench in (PolymarketBench, KalshiBench)}
"""Every venue there is; a new one is added here."""


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(*of): what a bench must not lack, see benches.py")


@pytest.fixture(params=BENCHES)
async def bench(request, tmp_path):
    """A running exchange of each venue."""
    made = BENCHES[request.param](tmp_path)
    for mark in request.node.iter_markers("needs"):
        for needed in mark.args:
            if needed in made.lacks:
                pytest.skip(f"{made.name} lacks {needed.name}: {made.lacks[needed]}")
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def desk(bench):
    """A started venue with $1000 on it."""
    return await Desk(bench, bench.venue()).open()


@pytest.fixture(autouse=True)
def _one_tls_context(monkeypatch):
    """Loading the certificates for each of the official client's pools costs 0.3 s in every test."""
    monkeypatch.setattr(httpx._transports.default, "create_ssl_context", _tls_context)


@functools.cache
def _tls_context(*_args, **_options):
    return httpx.create_ssl_context()
