"""`arbsaga up`: its processes, the view of their run, and the verdict at its end."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console

from arbsaga.config import Config
from arbsaga.domain.money import Usd
from arbsaga.errors import Unavailable
from workers.board import Board
from workers.console import FAILED, OK, show
from workers.exchange_admin import ExchangeAdmin
from workers.folder import DataFolder, Ports
from workers.paper import KALSHI_MEMBER, SHARDS, paired_since, public_key, wallet_address
from workers.site import exchange_url, open_ledger, venues_of
from workers.summary import Summary, summarize, table
from workers.supervisor import Child
from workers.truths import journals, together
from workers.truths import read as truths_of
from workers.verdict import compare
from workers.view import Header, LiveView, PlainView, View

log = structlog.get_logger(__name__)

START_LIMIT_S = 60.0
QUIET_LIMIT_S = 60.0
SWEEP_TRIES, SWEEP_RETRY_S = 10, 5.0
STOP_PATIENCE_S = 5.0
"""How long Ctrl-C waits for running trades; after that they wait, durable, for the next `arbsaga up`."""
IDLE_S = 30.0
"""No new trade for so long in a run that waits for some: it says why, and again when the reason changes."""
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
    def judged(self) -> bool:
        """Whether the run stops by itself and is compared with the exchange's own record, which only paper has."""
        return (self.trades is not None or self.seconds is not None) and not self.live


@dataclass(slots=True)
class Idle:
    """Says why a run that waits for trades gets none: it would wait for ever on a dead stream without a word."""

    board: Board
    per_trade: Usd
    say: Callable[[str], None]
    _sent: int = -1
    _since: float = 0.0
    _said: str = ""

    def look(self, now: float) -> None:
        """Look, at a monotonic time in seconds."""
        if self.board.sent != self._sent:
            self._sent, self._since, self._said = self.board.sent, now, ""
        elif now - self._since >= IDLE_S and (why := self.board.why_idle(self.per_trade)) != self._said:
            self._said = why
            self.say(f"no trade for {now - self._since:.0f} s: {why}")


class Up:
    """One run. `run` returns the exit code."""

    def __init__(self, config: Config, folder: DataFolder, ports: Ports, options: UpOptions) -> None:
        self._config, self._folder, self._ports, self._options = config, folder, ports, options
        self._venues = venues_of(config, folder)
        self._wallet = wallet_address(config, folder) if "polymarket" in self._venues else ""
        self._board = Board()
        self._since_ms = int(time.time() * 1000)
        self._draining = False
        self._drained = asyncio.Event()
        self._swept = asyncio.Event()
        self._view = self._make_view()
        self._temporal = self._child("temporal", self._temporal_argv)
        self._exchanges = [] if options.live else [self._exchange(venue) for venue in self._venues]
        self._trader = self._child("trader", self._trader_argv)
        self._watchdog = self._child("watchdog", lambda: ["watchdog", *self._live()])

    async def run(self, stop: asyncio.Event) -> int:
        """Start everything, trade until asked to stop or done, end in order. Raises UserError."""
        async with self._children():
            with self._view:
                await self._show_while("starting", self._start())
                await self._trade(stop)
                summary = await self._finish(stop) if self._options.judged else None
                if summary is None:
                    await self._drain(stop, STOP_PATIENCE_S)
        if summary is None:
            return self._say_stopped()
        show(summary.fields, table(summary), as_json=self._options.as_json)
        return OK if summary.holds else FAILED

    @contextlib.asynccontextmanager
    async def _children(self) -> AsyncIterator[None]:
        """However the run ends, the children are stopped in the order that loses least."""
        try:
            yield
        finally:
            for child in (self._trader, self._watchdog, *self._exchanges, self._temporal):
                await child.stop()

    async def _start(self) -> None:
        await self._start_all([self._temporal, *self._exchanges])
        if "kalshi" in self._venues and not self._options.live:
            async with self._admin("kalshi") as admin:
                await admin.add_key(KALSHI_MEMBER, *public_key(self._config, self._folder))
        await self._start_all([self._trader, self._watchdog])

    async def _start_all(self, children: Sequence[Child]) -> None:
        for child in children:
            child.start()
            self._board.down[child.name] = "starting"
        for child in children:
            await child.wait_ready(START_LIMIT_S)

    async def _trade(self, stop: asyncio.Event) -> None:
        """Until asked to stop, or the run has what it was started for."""
        deadline = time.monotonic() + self._options.seconds if self._options.seconds else None
        idle = Idle(
            self._board, self._config.per_trade, lambda text: self._heard("up", {"event": "alert", "text": text})
        )
        while not stop.is_set() and not self._enough(deadline):
            self._check_children()
            if self._options.trades is not None:
                idle.look(time.monotonic())
            self._view.refresh(self._board)
            await asyncio.sleep(TICK_S)

    def _enough(self, deadline: float | None) -> bool:
        if deadline is not None and time.monotonic() >= deadline:
            return True
        return self._options.trades is not None and self._board.sent >= self._options.trades

    def _check_children(self) -> None:
        for child in (self._temporal, *self._exchanges, self._trader, self._watchdog):
            if child.given_up:
                raise Unavailable(child.failure or f"{child.name} ended; see {self._folder.log(child.name)}")

    async def _finish(self, stop: asyncio.Event) -> Summary | None:
        """Let every trade end, the exchange settle and the last payouts be booked; then judge. None: stopped."""
        ended = await self._drain(stop, self._patience_s())
        if stop.is_set():
            return None
        await self._show_while("waiting for settlement", self._settle())
        await self._show_while("booking payouts", self._sweep())
        for child in (self._trader, self._watchdog):
            await self._show_while("comparing with the truth journal", child.stop())
        return self._judge(0 if ended else len(self._board.open))

    async def _settle(self) -> None:
        """All exchanges at once: what one of them still decides, the other must not have closed its books on."""
        async with contextlib.AsyncExitStack() as stack:
            admins = [await stack.enter_async_context(self._admin(venue)) for venue in self._venues]
            await asyncio.gather(*(admin.settle(QUIET_LIMIT_S) for admin in admins))

    def _admin(self, venue: str) -> ExchangeAdmin:
        return ExchangeAdmin(exchange_url(self._config, self._folder, venue))

    async def _drain(self, stop: asyncio.Event, limit_s: float) -> bool:
        """Start no more trades and wait until those that run have ended; False when that takes too long."""
        self._draining = True
        self._trader.tell("drain")
        deadline, asked = time.monotonic() + limit_s, stop.is_set()
        while not self._drained.is_set() and time.monotonic() < deadline and stop.is_set() is asked:
            self._board.doing = f"waiting for {len(self._board.open)} open trades"
            self._view.refresh(self._board)
            await asyncio.sleep(TICK_S)
        return self._drained.is_set()

    async def _sweep(self) -> None:
        """Have the trader book the last payouts; one that was just being restarted is asked again."""
        for _ in range(SWEEP_TRIES):
            self._trader.tell("sweep")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._swept.wait(), SWEEP_RETRY_S)
                return

    async def _show_while(self, doing: str, work: Coroutine[Any, Any, None]) -> None:
        """Wait for it with the view alive."""
        self._board.doing = doing
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                self._view.refresh(self._board)
                await asyncio.wait({task}, timeout=TICK_S)
        finally:
            task.cancel()
        self._board.doing = ""
        task.result()

    def _judge(self, unended: int) -> Summary:
        ledger = open_ledger(self._config, self._folder)
        truths, files = truths_of(self._config, self._folder), journals(self._config, self._folder)
        several = len(truths) > 1
        truth = together(truths) if several else next(iter(truths.values()))
        verdict = compare(truth, ledger, self._config.account, truths if several else None)
        return summarize(
            verdict,
            truth,
            ledger,
            self._board,
            since_ms=self._since_ms,
            journal=next(iter(files.values())),
            unended=unended,
            journals=files if several else None,
        )

    def _say_stopped(self) -> int:
        left = len(self._board.open)
        going_on = f"{left} open trades go on with the next `arbsaga up`." if left else "No trade is open."
        stopped = {"stopped": True, "open": left, "trades": self._board.sent}
        show(stopped, f"Stopped. {going_on}", as_json=self._options.as_json)
        return OK

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

    def _exchange(self, venue: str) -> Child:
        name = "exchange" if venue == "polymarket" else f"exchange-{venue}"
        return self._child(name, lambda: self._exchange_argv(venue))

    def _exchange_argv(self, venue: str) -> list[str]:
        options = self._options
        argv = ["exchange", "--venue", venue, "--port", str(self._ports.of(venue)), "--speed", options.speed]
        argv += ["--seed", str(options.seed)] if options.seed is not None else []
        argv += ["--recording", str(options.recording)] if options.recording else []
        if len(self._venues) > 1:
            since_ms, seed = paired_since(self._folder, options.seed)
            argv += ["--paired-since", str(since_ms), "--paired-seed", str(seed)]
        for account in self._accounts(venue):
            argv += ["--deposit", f"{account}={self._config.paper.deposit}"]
        return argv + [part for fault in options.faults for part in ("--fault", fault)]

    def _accounts(self, venue: str) -> list[str]:
        """Where the paper account's first money goes."""
        if venue == "kalshi":
            return [f"{KALSHI_MEMBER}/{shard}" for shard in SHARDS]
        return [self._wallet]

    def _live(self) -> list[str]:
        return ["--live"] if self._options.live else []

    def _trader_argv(self) -> list[str]:
        """A restarted trader gets what is left of its trades to start; those that still run it counts itself."""
        argv = ["trader", *self._live()]
        if self._options.trades is not None:
            argv += ["--trades", str(max(0, self._options.trades - self._board.done))]
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
