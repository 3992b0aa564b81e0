"""The real processes of the soak: Temporal, exchange, two traders on one task queue, watchdog; and what they tell."""

import asyncio
import contextlib
import math
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from arbsaga.config import Config
from arbsaga.saga.messages import ENDS, Phase
from proof.crashes import admin
from proof.soak import outage
from proof.soak.outage import Away, Outage
from proof.soak.plan import TRADERS, Kill, Victim
from workers.exchange_admin import ExchangeAdmin
from workers.folder import DataFolder, Ports
from workers.paper import KALSHI_MEMBER, public_key, wallet_address
from workers.site import exchange_url
from workers.supervisor import Child, Event
from workers.trade_event import LegPhase

ARBSAGA = str(Path(sys.executable).with_name("arbsaga"))
START_LIMIT_S = 90.0
ONE_SIDED = "lose_leg,count=3,only=entry"
ONE_SIDED_LIMIT_S = 15.0
MORE_S = 1.0
"""So much longer, for others to come; an entry rests for five."""
LOOK_EVERY_S = 0.02
HAS_FILLED = (LegPhase.FILLED, LegPhase.SETTLED)
NO_ORDER = (Phase.VALIDATING, Phase.REFUSED)
SETTINGS = {
    "ARBSAGA_SCAN__MAX_STARTS": "40",
    "ARBSAGA_DESK__TOTAL": "15000",
    "ARBSAGA_PATIENCE__PROVE_MS": "6000",
    "ARBSAGA_PAIRS__CHECK_MS": "2000",
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
    """What the processes told on their standard outputs. `ready_ms`: each time a process said that it is; `one_sided`:
    trades over both venues with an order resting at Kalshi and the other leg filled."""

    phases: dict[str, Phase] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    one_sided: set[str] = field(default_factory=set)
    ready_ms: dict[str, list[int]] = field(default_factory=dict)
    restarts: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    server_pid: int = 0

    def __call__(self, name: str, event: Event) -> None:
        """Take one event of one process."""
        match event["event"]:
            case "trade":
                trade = event["trade"]
                self._moved(trade["trade_id"], Phase(trade["phase"]))
                there = [leg["phase"] for leg in trade.get("legs", ()) if leg["venue"] == "kalshi"]
                others = [leg["phase"] for leg in trade.get("legs", ()) if leg["venue"] != "kalshi"]
                alone = trade["phase"] == Phase.WATCHING and there == [LegPhase.RESTING] and others[0] in HAS_FILLED
                (self.one_sided.add if alone else self.one_sided.discard)(trade["trade_id"])
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
    _away: tuple[Victim, str, int] | None = None

    def strike(self, kill: Kill) -> Struck | None:
        """SIGKILL. None where the victim is between two lives: there is nothing to kill.

        A process that was killed while it was starting is spared until it has started once: on a machine where a start
        takes longer than the pause between kills nothing would ever run.
        """
        child = self.children[kill.victim]
        pid = child.pid
        if self._away is not None and self._away[0] is kill.victim:
            return None
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

    async def endure(self, planned: Outage, began: float) -> Away:
        """Kill a venue's exchange when a trade has a leg filled at the other one only; it stays away for so long.

        `began`: when the killing began (monotonic). That there is such a trade is seen to. Answers once it is back.
        """
        await asyncio.sleep(max(0.0, began + planned.at_s - time.monotonic()))
        url = exchange_url(self.config, self.folder, planned.venue)
        with contextlib.suppress(OSError):
            await admin.ask(url, "POST", "pause")  # else its traders offer at once what the fault takes away
            await admin.ask(url, "POST", "faults", {"spec": ONE_SIDED})
        await _until(lambda: bool(self.heard.one_sided), ONE_SIDED_LIMIT_S)
        await asyncio.sleep(MORE_S)
        self._send_away(planned)
        await _until(lambda: self._came_back() is not None)
        away, self._away = self._came_back(), None
        assert away is not None, "it is back"
        return away

    def _send_away(self, planned: Outage) -> None:
        victim = next(one for one in Victim if one.venue == planned.venue)
        pid = self.children[victim].pid
        outage.begin(self.folder.path, planned)
        self._away = victim, planned.venue, now_ms()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _came_back(self) -> Away | None:
        """The outage, once the exchange is ready again."""
        if self._away is None:
            return None
        victim, venue, from_ms = self._away
        ready = [ms for ms in self.heard.ready_ms.get(victim, ()) if ms > from_ms]
        if not ready:
            return None
        return Away(venue, from_ms, ready[0])

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


async def _until(condition: Callable[[], bool], limit_s: float = math.inf) -> None:
    """Look until it is so, or until the limit."""
    deadline = time.monotonic() + limit_s
    while True:
        if condition() or time.monotonic() > deadline:
            return
        await asyncio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def running(config: Config, seed: int, faults: Mapping[str, Sequence[str]]) -> AsyncIterator[Stage]:
    """Start everything; however the block ends, everything is stopped. `faults` by venue. Raises UserError."""
    folder, heard = DataFolder(config.data_dir), Heard()
    ports, settings = folder.choose_ports(config.venues), SETTINGS | {"ARBSAGA_VENUES": ",".join(config.venues)}
    exchanges = {
        Victim.EXCHANGE: wallet_address(config, folder),
        Victim.KALSHI: KALSHI_MEMBER,
    }
    commands = _commands(folder.path, ports) | {
        victim: (*_exchange(folder.path, ports, victim.venue), str(seed), account, *faults[victim.venue])
        for victim, account in exchanges.items()
        if victim.venue in config.venues
    }
    children = {name: _child(name, argv, folder, heard, settings) for name, argv in commands.items()}
    traders = (*TRADERS, "watchdog")
    servers = [name for name in children if name not in traders]
    try:
        await _start([children[name] for name in servers])
        if "kalshi" in config.venues:
            async with ExchangeAdmin(exchange_url(config, folder, "kalshi")) as admin:
                await admin.add_key(KALSHI_MEMBER, *public_key(config, folder))
        await _start([children[name] for name in traders])
        yield Stage(config, folder, heard, children)
    finally:
        for name in (*traders, *reversed(servers)):
            await children[name].stop()


async def _start(children: Sequence[Child]) -> None:
    for child in children:
        child.start()
    for child in children:
        await child.wait_ready(START_LIMIT_S)


def _child(name: str, argv: Sequence[str], folder: DataFolder, heard: Heard, env: Mapping[str, str]) -> Child:
    return Child(name, lambda: argv, folder.logs / f"{name}.err", heard, env=env)


def _commands(folder: Path, ports: Ports) -> dict[str, tuple[str, ...]]:
    at = ("--data-dir", str(folder))
    return {
        Victim.TEMPORAL: (ARBSAGA, "temporal", "--port", str(ports.temporal), "--ui-port", str(ports.ui), *at),
        **dict.fromkeys(TRADERS, (ARBSAGA, "trader", *at)),
        "watchdog": (ARBSAGA, "watchdog", *at),
    }


def _exchange(folder: Path, ports: Ports, venue: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "proof.soak.exchange_process", venue, str(folder), str(ports.of(venue)))


def now_ms() -> int:
    """The wall clock in ms: histories, ledger and journal have no other clock in common."""
    return time.time_ns() // 1_000_000
