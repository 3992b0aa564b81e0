"""Fixtures of the tests of the exchange's worlds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """An engine that has just been started, with a journal of its own."""
    stage = Stage(tmp_path / "truth.jsonl")
    yield stage
    stage.engine.close()
