"""The data folder: everything that outlives a process, each thing at one known place."""

import fcntl
import json
import os
import random
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from arbsaga.errors import ConfigError, Unavailable

FIRST_PORT, LAST_PORT = 20_000, 29_999
"""Below every system's ephemeral range, so that no outgoing connection takes a remembered port."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The loopback ports of the embedded servers, remembered so that a restarted server has the same address.

    0 for a simulated exchange (`exchange` is Polymarket's) that was never started on the folder.
    """

    temporal: int
    ui: int
    exchange: int = 0
    kalshi: int = 0

    def of(self, venue: str) -> int:
        """The port of a venue's simulated exchange."""
        return {"polymarket": self.exchange, "kalshi": self.kalshi}[venue]


class DataFolder:
    """Names of files under one folder, and the few that are read and written here."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.temporal_dir = self.path / "temporal"
        self.truth = self.path / "truth.jsonl"
        self.alerts = self.path / "alerts.jsonl"
        self.truth_kalshi = self.path / "truth-kalshi.jsonl"
        self.key = self.path / "paper.key"
        self.kalshi_key = self.path / "paper-kalshi.pem"
        self.paired = self.path / "paired.json"
        self.logs = self.path / "logs"
        self.heartbeat = self.path / "heartbeat.lock"
        self._ports = self.path / "ports.json"

    @property
    def ledger_url(self) -> str:
        """The ledger's SQLAlchemy URL where the configuration names none."""
        return f"sqlite:///{self.path / 'ledger.sqlite'}"

    def log(self, process: str) -> Path:
        """Where this process logs to."""
        return self.logs / f"{process}.log"

    def create(self) -> None:
        """Make the folder, readable by its owner only. Raises Unavailable."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
            probe = self.path / ".write-probe"
            probe.write_bytes(b"x" * 4096)  # a full disk lets an empty file be made
            probe.unlink()
        except OSError as error:
            raise Unavailable(f"data folder {self.path} cannot be written: {error.strerror}; see --data-dir") from None

    def lock(self) -> IO[str]:
        """Hold the folder for one `arbsaga up`, until the returned file is closed. Raises Unavailable."""
        file = (self.path / "up.lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise Unavailable(
                f"another `arbsaga up` (process {holder}) runs on {self.path}: stop it, or give --data-dir"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return file

    def ports(self) -> Ports | None:
        """The remembered ports, None before the first `arbsaga up`. Raises ConfigError for a damaged file."""
        try:
            return Ports(**json.loads(self._ports.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            raise ConfigError(f"{self._ports} is damaged: delete it, new ports are chosen") from None

    def choose_ports(self, venues: Iterable[str] = ("polymarket",)) -> Ports:
        """The remembered ports where they are free, otherwise new ones, remembered from now on.

        An exchange has a port where its venue is among `venues`, or was before.
        """
        before = self.ports()
        needed = {"temporal", "ui", *("exchange" if venue == "polymarket" else venue for venue in venues)}
        chosen: dict[str, int] = {}
        for name, port in asdict(before or Ports(0, 0)).items():
            if port and is_free(port):
                chosen[name] = port
            elif port or name in needed:
                chosen[name] = free_port(set(chosen.values()))
        ports = Ports(**chosen)
        if ports != before:
            self._ports.write_text(json.dumps(asdict(ports)))
        return ports


def is_free(port: int) -> bool:
    """Whether a server can listen on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(taken: set[int]) -> int:
    """A free loopback port that is not in `taken`. Raises Unavailable when none is found."""
    for _ in range(200):
        port = random.SystemRandom().randint(FIRST_PORT, LAST_PORT)
        if port not in taken and is_free(port):
            return port
    raise Unavailable(f"no free port between {FIRST_PORT} and {LAST_PORT}: stop other servers on this machine")
