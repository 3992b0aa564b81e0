"""Fixtures of the command line's tests."""

import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from arbsaga_command import ARBSAGA, Arbsaga, in_folder, within
from running import Running

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


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start `arbsaga up ARGS --data-dir data`; whatever is left at the end of a test is stopped."""
    started: list[Running] = []

    def start(*args: str) -> Running:
        env = {key: value for key, value in os.environ.items() if not key.startswith("ARBSAGA_")}
        with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
            command = [str(ARBSAGA), "up", "--data-dir", "data", *args]
            process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=out, stderr=err)
        started.append(Running(tmp_path, tmp_path / "data", process))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.wait()
