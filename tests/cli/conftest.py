"""Fixtures of the command line's tests."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from arbsaga_command import Arbsaga, in_folder, within

from workers import logs


@pytest.fixture
def arbsaga(tmp_path: Path) -> Arbsaga:
    """Run `arbsaga ARGS` in an empty folder, without the environment's own settings."""
    return in_folder(tmp_path)


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], own_logs: None) -> Arbsaga:
    """The same without a process of its own."""
    return within(tmp_path, monkeypatch, capfd)


@pytest.fixture
def own_logs() -> Iterator[None]:
    """Logging and environment as they were before."""
    root, before = logging.getLogger(), dict(os.environ)
    handlers, level = root.handlers[:], root.level
    yield
    logs.close()
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
