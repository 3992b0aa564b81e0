"""Fixtures of the ledger's tests: a real SQLite file each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from arbsaga.ledger import Ledger


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
