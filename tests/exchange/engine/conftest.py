"""Fixtures of the exchange engine's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .place import Place, open_place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Two markets, two users with 1000 USD each, and the house."""
    place = open_place(tmp_path / "truth.jsonl")
    yield place
    place.engine.close()
