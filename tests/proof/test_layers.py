"""A layer runs in a process of its own, and one that breaks has proved nothing."""

import os
import sys
from pathlib import Path

import pytest

from proof import __main__ as command
from proof import layers
from proof.result import Effort

MADE = """
import os
from proof.result import Result

def prove(effort):
    {body}
    return Result("made", 3, "things", notes=(str(os.getpid()), effort))
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A layer with this body, known by the name `made`."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{Path(layers.__file__).parents[1]}")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setitem(layers.LAYERS, "made", "made_layer")

    def make(body: str = "") -> None:
        (tmp_path / "made_layer.py").write_text(MADE.format(body=body))

    return make


def test_a_layer_is_alone(made) -> None:
    made()
    result = layers.prove("made", Effort.FULL)
    assert (result.cases, result.notes[1]) == (3, "full")
    assert result.notes[0] != str(os.getpid())


@pytest.mark.parametrize(("body", "why"), [("raise ValueError('no')", "ValueError: no"), ("os._exit(3)", "abruptly")])
def test_a_layer_that_breaks_is_a_violation(made, body: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception, and a process that dies; the table is shown all the same, and the end is 1."""
    made(body)
    assert command.main(["--only", "made", "--effort", "quick"]) == 1
    told = capsys.readouterr().out
    assert "the layer itself broke" in told
    assert why in told
