"""Fixtures of the command line's tests."""

from pathlib import Path

import pytest
from arbsaga_command import Arbsaga, in_folder


@pytest.fixture
def arbsaga(tmp_path: Path) -> Arbsaga:
    """Run `arbsaga ARGS` in an empty folder, without the environment's own settings."""
    return in_folder(tmp_path)
