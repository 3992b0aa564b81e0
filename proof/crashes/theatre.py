"""Where cases are run: one real Temporal server, and accounts that each have an exchange, a ledger and a standby.

Most of a case is waiting for the server to give a dead worker up, so many accounts are at work at once, each led by
a thread of this process.
"""

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from Crypto.PublicKey import ECC

from arbsaga.errors import Unavailable
from arbsaga.saga.messages import TradePlan
from arbsaga.venues.polymarket import PolymarketSettings, PolymarketVenue, generate_key
from proof.crashes import admin, doomed, exchange, kalshi, standby
from proof.crashes.child import forks
from proof.crashes.cuts import How
from proof.crashes.setting import KEY_ID, MEMBER, Case, CaseResult, Setting
from workers.connect import TemporalSettings, prepare
from workers.temporal_server import EmbeddedTemporal

READY_LIMIT_S = 60
CALL_LIMIT_S = 240
"""The longest call waits for a trade's end, which has a limit of its own."""
CUT_LIMIT_S = 60
"""From the start of a worker to its cut, or to the end of its trade."""
GIVEN_UP_S = 2.6
"""A worker that says nothing is given up after two seconds, and its tasks go to another."""
AWAKE_S = 1.2
"""How long a woken worker is watched for what it still sends: over a second, the longest wait for a connection."""


class Server:
    """The Temporal server, on a loop and a thread of its own, so that its parent lives as long as this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server = EmbeddedTemporal(folder, ui_port=None, synchronous="normal")

    @property
    def address(self) -> str:
        """host:port."""
        return self._server.address

    def start(self) -> None:
        """Start, with the search attributes. Raises Unavailable."""
        self._thread.start()
        self._do(self._start())

    def crash(self) -> None:
        """kill -9, and a new one on the same database and port."""
        os.kill(self._server.pid, signal.SIGKILL)
        self._do(self._again())

    def stop(self) -> None:
        """Stop the server and its thread."""
        self._do(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        await self._server.start()
        await prepare(TemporalSettings(self.address))

    async def _again(self) -> None:
        await self._server.wait()
        self._server = EmbeddedTemporal(self._folder, port=self._server.port, ui_port=None, synchronous="normal")
        await self._server.start()

    def _do(self, work: Any) -> None:  # noqa: ANN401 - a coroutine of any kind
        asyncio.run_coroutine_threadsafe(work, self._loop).result(READY_LIMIT_S)


class Stage:
    """One account: its exchange and standby processes, for one case after the other; `across`: an exchange of Kalshi
    too."""

    def __init__(self, folder: Path, temporal: str, seed: int, mutation: str, *, across: bool = False) -> None:
        """Starts the processes. Raises Unavailable where they do not come up."""
        folder.mkdir(parents=True)
        key = generate_key().get_secret_value()
        wallet = PolymarketVenue(PolymarketSettings.at("http://127.0.0.1:1", key)).wallet
        self._forks = forks()
        self._processes: list[BaseProcess] = []
        process, wire = self._start(exchange.main, folder, wallet, seed)
        self._processes.append(process)
        url = _received(wire, READY_LIMIT_S)
        account = f"a{seed}-{secrets.token_hex(4)}"
        self._keeper, pem = None, ""
        if across:
            self._keeper, pem = self._kalshi(folder, seed)
        kalshi_url = self._keeper.url if self._keeper else ""
        self.setting = Setting(folder, temporal, url, key, wallet, account, mutation, kalshi_url, pem)
        process, self._standby = self._start(standby.main, self.setting)
        self._processes.append(process)
        _received(self._standby, READY_LIMIT_S)

    def run(self, case: Case) -> CaseResult:
        """One case, to its judgement. Raises Unavailable where a process of the stage itself is gone or hangs."""
        if self._keeper is not None:
            self._keeper.away_s = case.story.away_s
        plan: TradePlan = self._ask("prepare", case)
        worker, wire = self._start(doomed.main, self.setting, case, plan)
        try:
            reached, trace = self._until_cut(wire, worker)
            self._ask("take_over")
            self._until_end(case, worker if reached else None)
            return self._ask("finish", reached or case.cut is None, trace)  # type: ignore[no-any-return]  # unpickled
        finally:
            worker.kill()
            worker.join()
            worker.close()
            wire.close()

    def close(self) -> None:
        """Kill the processes."""
        if self._keeper is not None:
            self._keeper.close()
        for process in self._processes:
            process.kill()
            process.join()

    def _until_cut(self, wire: Connection, worker: BaseProcess) -> tuple[bool, tuple[str, ...]]:
        """Whether the worker was cut; otherwise it has seen the trade's end, and tells the moments it passed."""
        end = time.monotonic() + CUT_LIMIT_S
        while wire.poll(max(0, end - time.monotonic())):
            try:
                news, told = wire.recv()
            except EOFError:  # it died otherwise than at its cut
                worker.join()
                raise Unavailable(f"the worker ended by itself: {worker.exitcode}") from None
            if news == "started":
                self._ask("started")
            elif news == "cut":
                return True, ()
            else:
                return False, told
        return False, ()

    def _until_end(self, case: Case, stopped: BaseProcess | None) -> None:
        """Wait for the trade's end. A worker that was only stopped is woken before or after it, and watched."""
        how = case.cut.how if case.cut and stopped else How.KILL
        if how is How.EARLY and stopped is not None:
            time.sleep(GIVEN_UP_S)
            os.kill(_pid(stopped), signal.SIGCONT)
        self._ask("end")
        if how is How.LATE and stopped is not None:
            os.kill(_pid(stopped), signal.SIGCONT)
        if how is not How.KILL:
            time.sleep(AWAKE_S)

    def _ask(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the call answers
        self._standby.send((name, *arguments))
        answered, answer = _received(self._standby, CALL_LIMIT_S)
        assert answered == name, "calls are answered in order"
        return answer

    def _kalshi(self, folder: Path, seed: int) -> tuple[kalshi.Keeper, str]:
        """The other exchange, with a key of the account registered; the private key as PEM."""

        def start(port: int) -> tuple[BaseProcess, str]:
            process, wire = self._start(kalshi.main, folder, port, seed)
            return process, _received(wire, READY_LIMIT_S)

        keeper, key = kalshi.Keeper(start), ECC.generate(curve="Ed25519")
        public = key.public_key().export_key(format="PEM")
        admin.call(keeper.url, "POST", "keys", {"address": MEMBER, "key_id": KEY_ID, "public_key": public})
        return keeper, str(key.export_key(format="PEM"))

    def _start(self, target: Callable[..., None], *arguments: object) -> tuple[BaseProcess, Connection]:
        ours, theirs = self._forks.Pipe()
        process = self._forks.Process(target=target, args=(*arguments, theirs), daemon=True)
        process.start()
        theirs.close()
        return process, ours


@dataclass(frozen=True, slots=True)
class Todo:
    """Cases for one kind of stage."""

    across: bool
    cases: "SimpleQueue[Case]" = field(default_factory=SimpleQueue)


class Theatre:
    """A Temporal server and as many stages as are wanted."""

    def __init__(self, folder: Path, mutation: str = "") -> None:
        self.folder, self._mutation = folder, mutation
        self.server = Server(folder / "temporal")
        self._seeds = iter(range(1, 1_000_000))
        self._lock = threading.Lock()

    def run(self, cases: Iterable[Case], stages: int, deadline: float = float("inf")) -> list[CaseResult]:
        """All cases, on `stages` stages at once. Those not begun by `deadline` (monotonic) are left out."""
        alone, across = Todo(across=False), Todo(across=True)
        for case in cases:
            (across if case.story.across else alone).cases.put(case)
        number = alone.cases.qsize() + across.cases.qsize()
        first = round(stages * across.cases.qsize() / number) if number else 0

        def work(seat: int) -> list[CaseResult]:
            order = (across, alone) if seat < first else (alone, across)
            return [result for todo in order for result in self._work(todo, deadline)]

        with ThreadPoolExecutor(stages) as pool:
            return [result for part in pool.map(work, range(stages)) for result in part]

    def _work(self, todo: "Todo", deadline: float) -> Iterator[CaseResult]:
        """One stage after the other: what a broken case leaves behind must not be held against the next."""
        stage: Stage | None = None
        try:
            while time.monotonic() < deadline:
                try:
                    case = todo.cases.get_nowait()
                except Empty:
                    return
                stage = stage or self._stage(todo)
                result = _tried(stage, case)
                yield result
                if result.violations:
                    stage.close()
                    stage = None
        finally:
            if stage is not None:
                stage.close()

    def _stage(self, todo: "Todo") -> Stage:
        with self._lock:
            seed = next(self._seeds)
        return Stage(self.folder / f"stage-{seed}", self.server.address, seed, self._mutation, across=todo.across)


@contextmanager
def theatre(mutation: str = "", keep: bool = False) -> Iterator[Theatre]:
    """A theatre in a folder of its own, which is removed afterwards unless it is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="arbsaga-crashes-"))
    opened = Theatre(folder, mutation)
    opened.server.start()
    try:
        yield opened
    finally:
        opened.server.stop()
        if not keep:
            shutil.rmtree(folder)


def _tried(stage: Stage, case: Case) -> CaseResult:
    """The case's result; a stage that broke down is one too, since nobody knows what became of the trade."""
    try:
        result = stage.run(case)
    except (Unavailable, OSError, EOFError) as error:
        said = "; ".join(_last_words(log) for log in sorted(stage.setting.folder.glob("*.log")))
        broke = f"the case broke down: {type(error).__name__} {error} ({said})"
        return CaseResult(case, (_shown(case, broke),), reached=False)
    return replace(result, violations=tuple(_shown(case, text) for text in result.violations))


def _shown(case: Case, text: str) -> str:
    return f"{text}; again: python -m proof.crashes --case {case}"


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return f"{log.stem}: {lines[-1][:300] if lines else 'nothing'}"


def _received(wire: Connection, limit_s: float) -> Any:  # noqa: ANN401 - whatever was sent
    if not wire.poll(limit_s):
        raise Unavailable(f"no answer within {limit_s} s")
    return wire.recv()


def _pid(process: BaseProcess) -> int:
    assert process.pid is not None, "the process was started"
    return process.pid
