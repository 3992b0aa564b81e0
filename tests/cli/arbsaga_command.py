"""The `arbsaga` command: the real executable as a user runs it, or the same without a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from workers import cli

ARBSAGA = Path(sys.executable).with_name("arbsaga")


@dataclass(frozen=True, slots=True)
class Run:
    """How a command ended."""

    code: int
    out: str
    err: str

    def is_one_clear_line(self, *words: str, code: int = 2) -> None:
        """Assert that a person got one line on standard error that holds these words, and no traceback."""
        assert self.code == code, self
        assert "Traceback" not in self.out + self.err
        assert len(self.err.strip().splitlines()) == 1, self.err
        for word in words:
            assert word in self.err, self.err


Arbsaga = Callable[..., Run]


def within(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Arbsaga:
    """As `in_folder`, but in this process: for what is refused before anything runs, where 2 s of imports are a lot."""

    def run(*args: str, env: Mapping[str, str] | None = None) -> Run:
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            for name in [name for name in os.environ if name.startswith("ARBSAGA_")]:
                patch.delenv(name)
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            capfd.readouterr()
            code = cli.run(args)
            out, err = capfd.readouterr()
        return Run(code, out, err)

    return run


def in_folder(folder: Path) -> Arbsaga:
    """A function that runs `arbsaga ARGS` in this folder, without the environment's own settings."""

    def run(*args: str, env: Mapping[str, str] | None = None, timeout: float = 60) -> Run:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("ARBSAGA_")}
        done = subprocess.run(
            [str(ARBSAGA), *args],
            cwd=folder,
            env={**clean, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    return run
