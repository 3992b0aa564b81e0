"""The real `arbsaga` executable, run as a user runs it."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

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
