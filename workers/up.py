"""`arbsaga up`: the four processes, the view of their run, and the verdict at its end."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console

from arbsaga.config import Config
from arbsaga.errors import Unavailable
from arbsaga.exchange.truth import Truth
from workers.board import Board
from workers.console import FAILED, OK, show
from workers.exchange_admin import ExchangeAdmin
from workers.folder import DataFolder, Ports
from workers.paper import wallet_address
from workers.site import exchange_url, open_ledger
from workers.summary import Summary, summarize, table
from workers.supervisor import Child
from workers.verdict import compare
from workers.view import Header, LiveView, PlainView, View

log = structlog.get_logger(__name__)

START_LIMIT_S = 60.0
QUIET_LIMIT_S = 60.0
SWEEP_LIMIT_S = 30.0
STOP_PATIENCE_S = 5.0
"""How long Ctrl-C waits for running trades; after that they wait, durable, for the next `arbsaga up`."""
TICK_S = 0.1


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What `arbsaga up` was asked for; the settings among it are in the environment, where the children find them."""

    trades: int | None = None
    seconds: float | None = None
    seed: int | None = None
    recording: Path | None = None
    speed: str = "1"
    faults: tuple[str, ...] = ()
    as_json: bool = False
    live: bool = False

    @property
    def bounded(self) -> bool:
        """Whether the run stops by itself and is judged at its end."""
        return self.trades is not None or self.seconds is not None


class Up:
    """One run. `run` returns the exit code."""

    def __init__(self, config: Config, folder: DataFolder, ports: Ports, options: UpOptions) -> None:
        self._config, self._folder, self._ports, self._options = config, folder, ports, options
        self._wallet = wallet_address(config, folder)
        self._board = Board()
        self._since_ms = int(time.time() * 1000)
        self._draining = False
        self._drained = asyncio.Event()
        self._swept = asyncio.Event()
        self._view = self._make_view()
        self._temporal = self._child("temporal", self._temporal_argv)
        self._exchange = self._child("exchange", self._exchange_argv)
        self._trader = self._child("trader", self._trader_argv)
        self._watchdog = self._child("watchdog", lambda: ["watchdog", *self._live()])

    async def run(self, stop: asyncio.Event) -> int:
        """Start everything, trade until asked to stop or done, end in order. Raises UserError."""
        async with self._children():
            with self._view:
                await self._start()
                await self._trade(stop)
                finished = not stop.is_set()
                summary = await self._finish() if self._options.bounded and finished else None
            if summary is None:
                return await self._stopped_early()
        show(summary.fields, table(summary), as_json=self._options.as_json)
        return OK if summary.holds else FAILED

    @contextlib.asynccontextmanager
    async def _children(self) -> AsyncIterator[None]:
        """However the run ends, the children are stopped in the order that loses least."""
        try:
            yield
        finally:
            for child in (self._trader, self._watchdog, self._exchange, self._temporal):
                await child.stop()

    async def _start(self) -> None:
        servers = [self._temporal] if self._options.live else [self._temporal, self._exchange]
        for child in servers:
            child.start()
        for child in servers:
            await child.wait_ready(START_LIMIT_S)
        for child in (self._trader, self._watchdog):
            child.start()
        await self._trader.wait_ready(START_LIMIT_S)
        await self._watchdog.wait_ready(START_LIMIT_S)

    async def _trade(self, stop: asyncio.Event) -> None:
        """Until asked to stop, or the run has what it was started for."""
        deadline = time.monotonic() + self._options.seconds if self._options.seconds else None
        while not stop.is_set() and not self._enough(deadline):
            self._check_children()
            self._view.refresh(self._board)
            await asyncio.sleep(TICK_S)

    def _enough(self, deadline: float | None) -> bool:
        if deadline is not None and time.monotonic() >= deadline:
            return True
        return self._options.trades is not None and self._board.sent >= self._options.trades

    def _check_children(self) -> None:
        for child in (self._temporal, self._exchange, self._trader, self._watchdog):
            if child.given_up:
                raise Unavailable(child.failure or f"{child.name} ended; see {self._folder.log(child.name)}")

    async def _finish(self) -> Summary:
        """Let every trade end, the exchange settle and the last payouts be booked; then judge."""
        self._drain()
        ended = await self._watch(self._drained, self._patience_s())
        async with ExchangeAdmin(exchange_url(self._config, self._folder)) as admin:
            await admin.pause()
            quiet = asyncio.create_task(admin.wait_quiet(QUIET_LIMIT_S))
            while not quiet.done():
                self._view.refresh(self._board)
                await asyncio.sleep(TICK_S)
            await quiet
        self._trader.tell("sweep")
        await self._watch(self._swept, SWEEP_LIMIT_S)
        for child in (self._trader, self._watchdog):
            await child.stop()
        return self._judge(0 if ended else len(self._board.open))

    def _judge(self, unended: int) -> Summary:
        ledger = open_ledger(self._config, self._folder)
        truth = Truth.read(self._folder.truth, self._wallet)
        verdict = compare(truth, ledger, self._config.account)
        return summarize(
            verdict,
            truth,
            ledger,
            self._board,
            since_ms=self._since_ms,
            journal=self._folder.truth,
            unended=unended,
        )

    async def _stopped_early(self) -> int:
        self._drain()
        await self._watch(self._drained, STOP_PATIENCE_S)
        left = len(self._board.open)
        message = (
            f"Stopped. {left} open trades go on with the next `arbsaga up`." if left else "Stopped. No trade is open."
        )
        show({"stopped": True, "open": left, "trades": self._board.sent}, message, as_json=self._options.as_json)
        return OK

    def _drain(self) -> None:
        self._draining = True
        self._trader.tell("drain")

    async def _watch(self, happened: asyncio.Event, limit_s: float) -> bool:
        """Wait for it with the view alive; False after `limit_s`."""
        deadline = time.monotonic() + limit_s
        while not happened.is_set() and time.monotonic() < deadline:
            self._view.refresh(self._board)
            await asyncio.sleep(TICK_S)
        return happened.is_set()

    def _patience_s(self) -> float:
        """Longer than any trade may live: placing, proving, undoing and settling."""
        patience = self._config.patience
        entry = patience.entry_ms + patience.send_by_ms + patience.http_ms + patience.prove_ms
        return (entry + self._config.undo.rounds * patience.undo_ms + patience.settle_ms) / 1000

    def _heard(self, process: str, event: Mapping[str, Any]) -> None:
        self._board.feed(process, event)
        self._view.feed(process, event)
        if event["event"] == "drained":
            self._drained.set()
        elif event["event"] == "swept":
            self._swept.set()

    # -- the children --------------------------------------------------------------------------------------------

    def _child(self, name: str, argv: Callable[[], Sequence[str]]) -> Child:
        env = {"ARBSAGA_DATA_DIR": str(self._folder.path)}
        command = [sys.executable, "-m", "workers.cli"]
        return Child(name, lambda: [*command, *argv()], self._folder.log(f"{name}.stderr"), self._heard, env)

    def _temporal_argv(self) -> list[str]:
        return ["temporal", "--port", str(self._ports.temporal), "--ui-port", str(self._ports.ui)]

    def _exchange_argv(self) -> list[str]:
        options = self._options
        argv = ["exchange", "--port", str(self._ports.exchange), "--speed", options.speed]
        argv += ["--seed", str(options.seed)] if options.seed is not None else []
        argv += ["--recording", str(options.recording)] if options.recording else []
        argv += ["--deposit", f"{self._wallet}={self._config.paper.deposit}"]
        return argv + [part for fault in options.faults for part in ("--fault", fault)]

    def _live(self) -> list[str]:
        return ["--live"] if self._options.live else []

    def _trader_argv(self) -> list[str]:
        """A restarted trader gets what is left of its orders to start."""
        argv = ["trader", *self._live()]
        if self._options.trades is not None:
            undecided = sum(1 for line in self._board.open if not line.sent)
            argv += ["--trades", str(max(0, self._options.trades - self._board.sent - undecided))]
        return [*argv, "--drain"] if self._draining else argv

    def _make_view(self) -> View:
        options = self._options
        header = Header(
            mode="live" if options.live else "paper",
            ui=f"http://127.0.0.1:{self._ports.ui}",
            data_dir=str(self._folder.path),
            goal=f"{options.trades} trades" if options.trades else "",
        )
        console = Console(stderr=options.as_json)
        return LiveView(console, header) if console.is_terminal and not options.as_json else PlainView(console, header)
