"""Child processes that are restarted when they die alone, and stopped in order when asked."""

import asyncio
import contextlib
import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog

from arbsaga.errors import Unavailable
from workers.lifeline import AGAIN, PARENT
from workers.report import parse

log = structlog.get_logger(__name__)

BACKOFF_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Pauses before restarts in a row; a child that was ready for a while starts over at the first."""
STEADY_S: Final = 3.0
"""How long it must have been ready: one that breaks by itself does so sooner. At 20 s from its start, processes that
were killed every ten seconds stayed away for 5 s each time."""
USER_ERROR: Final = 2
"""Exit code of a process that a person must help. One that never was ready is not restarted: it would only
repeat its line. Later the same code can mean that a server it needs is just being restarted."""
MAX_LINE: Final = 1 << 20

Event = Mapping[str, Any]


@dataclass(slots=True)
class Child:
    """One child process: how to start it, and its life so far.

    `argv` is asked anew at each start (a restarted trader gets what is left of its orders to
    start). `on_event` hears each JSON line of its standard output; its standard error goes to `log_file`.
    """

    name: str
    argv: Callable[[], Sequence[str]]
    log_file: Path
    on_event: Callable[[str, Event], None]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    restarts: int = 0
    failure: str = ""
    _ready_at: float = 0.0
    _process: asyncio.subprocess.Process | None = None
    _stopping: bool = False
    _was_ready: bool = False
    _task: asyncio.Task[None] | None = None

    @property
    def given_up(self) -> bool:
        """Whether it ended for good without being asked to: a person must help first."""
        return self._task is not None and self._task.done() and not self._stopping

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def start(self) -> None:
        """Start it, and keep it running until `stop`."""
        self._task = asyncio.create_task(self._keep_running(), name=f"child {self.name}")

    async def wait_ready(self, timeout_s: float) -> None:
        """Wait for its `ready` event. Raises Unavailable with its own words when it cannot start."""
        assert self._task is not None, "a child is started before it is waited for"
        waiter = asyncio.create_task(self.ready.wait())
        await asyncio.wait({waiter, self._task}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        if self._task.done() and (error := self._task.exception()) is not None:
            raise error
        if not self.ready.is_set():
            reason = self.failure or f"not ready after {timeout_s:.0f} s; see {self.log_file}"
            raise Unavailable(self.failure or f"{self.name}: {reason}")

    def tell(self, command: str) -> None:
        """Send a command (one word) to its standard input; a child that is just dying misses it."""
        if self._process and self._process.stdin and self._process.returncode is None:
            with contextlib.suppress(ConnectionError):
                self._process.stdin.write(f"{command}\n".encode())

    async def stop(self, grace_s: float = 8.0) -> None:
        """Ask it to end (SIGTERM), kill it after `grace_s`, and wait until it is gone."""
        self._stopping = True
        if self._task is None:
            return
        self._signal(signal.SIGTERM)
        done, _ = await asyncio.wait({self._task}, timeout=grace_s)
        if not done:
            log.warning("killed", child=self.name, after_s=grace_s)
            self._signal(signal.SIGKILL)
            await asyncio.wait({self._task}, timeout=grace_s)
        if not self._task.done():
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _signal(self, number: signal.Signals) -> None:
        if pid := self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    async def _keep_running(self) -> None:
        failures = 0
        while not self._stopping:
            self._ready_at = math.inf
            code = await self._run_once()
            if self._stopping or (code == USER_ERROR and not self._was_ready):
                break
            failures = 0 if time.monotonic() - self._ready_at > STEADY_S else failures
            pause = BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]
            failures += 1
            log.warning("child died", child=self.name, exit_code=code, restart_in_s=pause)
            self.on_event(self.name, {"event": "died", "exit_code": code, "restart_in_s": pause})
            self.restarts += 1
            await asyncio.sleep(pause)

    async def _run_once(self) -> int:
        self.ready.clear()
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        env = {**os.environ, **self.env, PARENT: str(os.getpid())}
        with self.log_file.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *self.argv(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=env | ({AGAIN: "1"} if self._was_ready else {}),
                start_new_session=True,  # Ctrl-C reaches only us, so that the order of stopping is ours
                limit=MAX_LINE,
            )
        log.info("child started", child=self.name, pid=self._process.pid)
        if self._stopping:  # asked to stop while it was being started
            self._signal(signal.SIGTERM)
        await self._listen(self._process)
        return await self._process.wait()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None, "standard output is a pipe"
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # a line over MAX_LINE: asyncio has dropped it
                log.warning("oversized line", child=self.name)
                continue
            if not line:
                return
            event = parse(line)
            if event is None:
                log.info("stray output", child=self.name, line=line[:200].decode(errors="replace"))
                continue
            self._heard(event)

    def _heard(self, event: Event) -> None:
        if event["event"] == "ready":
            self._was_ready = True
            self._ready_at = time.monotonic()
            self.ready.set()
        elif event["event"] == "error":
            self.failure = str(event.get("text", ""))
        self.on_event(self.name, event)
