"""Fixtures of the watchdog's, doctor's and verdict's tests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "ledger"))  # for ledger_make

from arbsaga.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger that finds the pages in `alerts.jsonl` beside it."""
    opened = Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}", alert_log=tmp_path / "alerts.jsonl")
    yield opened
    opened.close()
