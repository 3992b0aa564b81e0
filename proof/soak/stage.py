"""The real processes of the soak: Temporal, exchange, two traders on one task queue, watchdog; and what they tell."""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from arbsaga.config import Config
from arbsaga.saga.messages import ENDS, Phase
from proof.soak.plan import TRADERS, Kill, Victim
from workers.folder import DataFolder, Ports
from workers.supervisor import Child, Event

ARBSAGA = str(Path(sys.executable).with_name("arbsaga"))
START_LIMIT_S = 90.0
NO_ORDER = (Phase.VALIDATING, Phase.REFUSED)
SETTINGS = {
    "ARBSAGA_SCAN__MAX_STARTS": "40",
    "ARBSAGA_DESK__TOTAL": "15000",
    "ARBSAGA_PATIENCE__PROVE_MS": "6000",
}
"""What differs from the shipped settings: many trades at once, and less quiet before "it never existed"."""


@dataclass(frozen=True, slots=True)
class Struck:
    """A kill that was done: when (ms since the epoch), and whether the process had been ready."""

    victim: Victim
    ms: int
    was_ready: bool = True


@dataclass(slots=True)
class Heard:
    """What the processes told on their standard outputs. `ready_ms`: each time a process said that it is."""

    phases: dict[str, Phase] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    ready_ms: dict[str, list[int]] = field(default_factory=dict)
    restarts: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    server_pid: int = 0

    def __call__(self, name: str, event: Event) -> None:
        """Take one event of one process."""
        match event["event"]:
            case "trade":
                self._moved(event["trade"]["trade_id"], Phase(event["trade"]["phase"]))
            case "ready":
                self.ready_ms.setdefault(name, []).append(now_ms())
                self.server_pid = int(event.get("pid", self.server_pid))
            case "died":
                self.restarts[name] += 1
                self.said = Counter({key: count for key, count in self.said.items() if not key.startswith(name)})
            case "drained" | "swept" as word:
                self.said[f"{name} {word}"] += 1

    def _moved(self, trade_id: str, phase: Phase) -> None:
        if self.phases.get(trade_id) not in ENDS:  # a process that was just killed may be heard after its successor
            self.phases[trade_id] = phase
        if phase not in NO_ORDER:
            self.sent.add(trade_id)

    @property
    def open(self) -> dict[str, Phase]:
        """The trades that were never told to have ended."""
        return {trade_id: phase for trade_id, phase in self.phases.items() if phase not in ENDS}


@dataclass(slots=True)
class Stage:
    """The running processes. `children` by name, the victims' among them."""

    config: Config
    folder: DataFolder
    heard: Heard
    children: Mapping[str, Child]
    _spared: set[Victim] = field(default_factory=set)

    def strike(self, kill: Kill) -> Struck | None:
        """SIGKILL. None where the victim is between two lives: there is nothing to kill.

        A process that was killed while it was starting is spared until it has started once: on a machine where a start
        takes longer than the pause between kills nothing would ever run.
        """
        child = self.children[kill.victim]
        pid = child.pid
        if child.ready.is_set():
            self._spared.discard(kill.victim)
        elif kill.victim in self._spared:
            return None
        else:
            self._spared.add(kill.victim)
        if kill.victim is Victim.TEMPORAL and child.ready.is_set() and not kill.keeper:
            pid = self.heard.server_pid
        if pid is None:
            return None
        struck = Struck(kill.victim, now_ms(), was_ready=child.ready.is_set())
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return None
        return struck

    async def ask_traders(self, word: str, answer: str, limit_s: float) -> bool:
        """Tell both traders a word until both have answered it. False when that takes too long."""
        deadline = time.monotonic() + limit_s
        next_s = 0.0
        while time.monotonic() < deadline:
            silent = [name for name in TRADERS if not self.heard.said[f"{name} {answer}"]]
            if not silent:
                return True
            if time.monotonic() >= next_s:
                next_s = time.monotonic() + 5  # a trader that was just starting has missed it
                for name in silent:
                    self.children[name].tell(word)
            await asyncio.sleep(0.1)
        return False


@asynccontextmanager
async def running(config: Config, wallet: str, seed: int, faults: Sequence[str]) -> AsyncIterator[Stage]:
    """Start everything; however the block ends, everything is stopped. Raises Unavailable."""
    folder, heard = DataFolder(config.data_dir), Heard()
    commands = _commands(folder.path, folder.choose_ports(), wallet, seed, faults)
    children = {name: _child(name, argv, folder, heard) for name, argv in commands.items()}
    try:
        for group in ((Victim.TEMPORAL, Victim.EXCHANGE), (*TRADERS, "watchdog")):
            for name in group:
                children[name].start()
            for name in group:
                await children[name].wait_ready(START_LIMIT_S)
        yield Stage(config, folder, heard, children)
    finally:
        for name in (*TRADERS, "watchdog", Victim.EXCHANGE, Victim.TEMPORAL):
            await children[name].stop()


def _child(name: str, argv: Sequence[str], folder: DataFolder, heard: Heard) -> Child:
    return Child(name, lambda: argv, folder.logs / f"{name}.err", heard, env=SETTINGS)


def _commands(folder: Path, ports: Ports, wallet: str, seed: int, faults: Sequence[str]) -> dict[str, tuple[str, ...]]:
    at = ("--data-dir", str(folder))
    exchange = (sys.executable, "-m", "proof.soak.exchange_process", str(folder), str(ports.exchange), str(seed))
    return {
        Victim.TEMPORAL: (ARBSAGA, "temporal", "--port", str(ports.temporal), "--ui-port", str(ports.ui), *at),
        Victim.EXCHANGE: (*exchange, wallet, *faults),
        **dict.fromkeys(TRADERS, (ARBSAGA, "trader", *at)),
        "watchdog": (ARBSAGA, "watchdog", *at),
    }


def now_ms() -> int:
    """The wall clock in ms: histories, ledger and journal have no other clock in common."""
    return time.time_ns() // 1_000_000
