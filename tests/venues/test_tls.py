"""Starting a venue is quick: a killed trader's trades wait for it."""

import ssl

import pytest

from arbsaga.venues.polymarket import PolymarketVenue

from .rig import BRISK


async def test_the_root_certificates_are_loaded_once(stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The official client makes eleven connection pools, each with a TLS context of its own: 0.3 s of every start."""
    loaded: list[int] = []
    create = ssl.create_default_context
    monkeypatch.setattr(
        ssl, "create_default_context", lambda *args, **given: loaded.append(1) or create(*args, **given)
    )
    for _ in range(2):
        running = PolymarketVenue(stub.settings(), keepalive=BRISK)
        await running.start()
        await running.close()
    assert len(loaded) <= 1
