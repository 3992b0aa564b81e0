"""What processes connect to: the same limits on paper as with real money."""

from pathlib import Path

import pytest

from arbsaga import config
from arbsaga.venues.polymarket import generate_key
from workers import connections
from workers.folder import DataFolder


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_the_limit_around_a_request_is_the_configured_one(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quiet time before "it never existed" is counted from it, so that it must be the one that posts keep."""
    key = generate_key().get_secret_value()
    monkeypatch.setattr(connections, "private_key", lambda *_: key)
    monkeypatch.setattr(connections, "exchange_url", lambda *_: "http://127.0.0.1:1")
    settings = config.load(mode=mode, data_dir=tmp_path, patience={"http_ms": 700})
    assert connections.venue_settings(settings, DataFolder(tmp_path)).post_timeout_ms == 700
