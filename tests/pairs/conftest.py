"""The commands in a folder of their own, and both simulated exchanges."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "cli"))  # for arbsaga_command

from arbsaga_command import within
from two_exchanges import TwoExchanges


@pytest.fixture
def exchanges(tmp_path):
    """Both exchanges, with a pair of identical and one of nested questions."""
    folder = tmp_path / "exchanges"
    folder.mkdir()
    running = TwoExchanges(folder)
    yield running
    running.close()


@pytest.fixture
def said(tmp_path, monkeypatch, capfd, exchanges):
    """Run `arbsaga ARGS` in this process, with both exchanges configured."""
    (tmp_path / "data").mkdir()
    run = within(tmp_path, monkeypatch, capfd)
    return lambda *args, env=None: run(*args, env=exchanges.environment() | (env or {}))
