"""A record made by hand for each test of the judge."""

from pathlib import Path

import pytest
from hand_made import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)
