"""The simulated exchange as a process: truth journal, engine, world and wire, until it is told to stop."""

import asyncio
import os
import random
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import structlog
from aiohttp import web

from arbsaga.errors import ConfigError, Unavailable
from arbsaga.exchange.engine import Engine, EngineSettings
from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.playback import Playback, PlaybackSettings
from arbsaga.exchange.polymarket.app import Wire
from arbsaga.exchange.polymarket.signatures import checksum
from arbsaga.exchange.polymarket.venue import Venue, WireSettings
from arbsaga.exchange.recording import Recording
from arbsaga.exchange.units import parse
from arbsaga.exchange.world import World, WorldSettings

log = structlog.get_logger(__name__)

TRUTH = "truth.jsonl"
KEYS = "api_keys.json"
_RETRY_S = 1.0


class Runs(Protocol):
    """Whatever moves the books."""

    async def run(self) -> None:
        """Goes on until cancelled."""


@dataclass(frozen=True, slots=True)
class RecordedWorld:
    """Books driven by a recording (parquet) instead of seeded traders."""

    path: Path
    playback: PlaybackSettings = field(default_factory=PlaybackSettings)


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """What the exchange is started with.

    `port` 0 takes a free one. `data_dir` holds the truth journal and the API keys; a second start with the same folder
    goes on where the first one ended. `deposits` are USD by wallet, given once. `latency_ms` is there and back, on
    every call. `world` None: nothing but what callers and the admin API do.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 0
    world: WorldSettings | RecordedWorld | None = field(default_factory=WorldSettings)
    faults: tuple[str, ...] = ()
    deposits: Mapping[str, Decimal] = field(default_factory=dict)
    latency_ms: Decimal = Decimal(0)
    engine: EngineSettings = field(default_factory=EngineSettings)
    wire: WireSettings = field(default_factory=WireSettings)


async def run(settings: ExchangeSettings, ready: Callable[[str], None] | None = None) -> None:
    """Serves until SIGTERM, SIGINT or cancellation. `ready` is called with the URL once it answers.

    Raises Unavailable (one line for a person) for a taken port or a data folder that cannot be used, ConfigError for a
    fault that is none.
    """
    async with _serving(settings) as (url, world):
        if ready is not None:
            ready(url)
        with stop_signal() as stop:
            await first_of(stop.wait(), keep_alive(world))
    log.info("exchange_stopped", url=url)


@asynccontextmanager
async def _serving(settings: ExchangeSettings) -> AsyncIterator[tuple[str, World | Playback | None]]:
    with closing(bound(settings.host, settings.port)) as listener, closing(_recovered(settings)) as engine:
        truth, keys = settings.data_dir / TRUTH, settings.data_dir / KEYS
        wire = Wire(Venue(engine, truth, wall_ms, settings.wire, keys), settings.seed)
        world = _world(settings, engine, wire)
        if world is not None:
            world.start()
        runner = web.AppRunner(wire.app(world), access_log=None, shutdown_timeout=1)
        try:
            await runner.setup()
            await web.SockSite(runner, listener).start()
            url = f"http://{settings.host}:{listener.getsockname()[1]}"
            log.info("exchange_ready", url=url, truth=str(truth), accepted=engine.accepted)
            yield url, world
        finally:
            await runner.cleanup()


def _world(settings: ExchangeSettings, engine: Engine, wire: Wire) -> World | Playback | None:
    """What moves the books. Raises UnknownThing or ConfigError for a recording that cannot be played."""
    match settings.world:
        case WorldSettings() as seeded:
            return World(engine, wall_ms, replace(seeded, seed=settings.seed))
        case RecordedWorld(path=path, playback=playback):
            return Playback(engine, wall_ms, Recording.open(path), playback, wire.backlog)
    return None


def bound(host: str, port: int) -> socket.socket:
    """The port, taken before anything is written: a second start by mistake leaves no trace. Raises Unavailable.

    Nobody can connect yet: what came while the journal is read would wait, and be taken long after it was sent.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        why = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else str(error)
        raise Unavailable(
            f"the exchange cannot listen on {host}:{port} ({why.lower()}): "
            "stop what uses that port, or name another with --port"
        ) from error
    return listener


def _recovered(settings: ExchangeSettings) -> Engine:
    """The engine as the journal tells, with the faults and first deposits of the settings.

    Raises Unavailable, or ConfigError for a fault or deposit that is none.
    """
    deposits = [_deposit(address, usd) for address, usd in settings.deposits.items()]
    faults = FaultPlan(settings.seed, settings.faults)
    if settings.latency_ms:
        faults.add(f"latency,ms={settings.latency_ms}")
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"the data folder {settings.data_dir} cannot be made ({error.strerror}): name another with --data-dir"
        ) from error
    rng = random.Random(f"engine {settings.seed}")
    chosen = replace(settings.engine, seed=settings.seed)
    engine = Engine.recover(settings.data_dir / TRUTH, wall_ms, chosen, rng, faults)
    for address, amount in deposits:
        if engine.account(address) is None:
            engine.deposit(address, amount)
    return engine


def _deposit(address: str, usd: Decimal) -> tuple[str, int]:
    """(checksummed wallet, base units). Raises ConfigError."""
    try:
        wallet, amount = checksum(address), parse(f"{usd:f}")
    except ValueError:
        amount = 0
    if amount <= 0:
        raise ConfigError(f"deposit {address}={usd}: write the wallet's address (0x and 40 hex digits) and USD above 0")
    return wallet, amount


async def keep_alive(world: Runs | None) -> None:
    """Runs the world for ever. A journal that cannot be written stops it only as long as that lasts."""
    while True:
        try:
            await (world.run() if world is not None else asyncio.Event().wait())
        except Unavailable as error:
            log.warning("world_waits", error=str(error))
            await asyncio.sleep(_RETRY_S)


async def first_of(*works: Coroutine[Any, Any, object]) -> None:
    """Waits for the first of them, ends the others, raises what it raised."""
    tasks = [asyncio.get_running_loop().create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def stop_signal() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set, where the process has no handler of its own for them."""
    stop, loop, taken = asyncio.Event(), asyncio.get_running_loop(), []
    for name in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(name) in (signal.SIG_DFL, signal.default_int_handler):
            with suppress(ValueError, RuntimeError):  # only a main thread can handle signals
                loop.add_signal_handler(name, stop.set)
                taken.append(name)
    try:
        yield stop
    finally:
        for name in taken:
            loop.remove_signal_handler(name)


def wall_ms() -> int:
    """The wall clock in ms."""
    return time.time_ns() // 1_000_000
