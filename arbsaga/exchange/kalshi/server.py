"""The simulated Kalshi as a process: truth journal, engine, world and wire, until it is told to stop."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import structlog
from aiohttp import web

from arbsaga.errors import ConfigError, Unavailable
from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.kalshi.app import application
from arbsaga.exchange.kalshi.engine import Engine
from arbsaga.exchange.kalshi.settings import EngineSettings
from arbsaga.exchange.kalshi.venue import SHARDS, Venue, WireSettings
from arbsaga.exchange.kalshi.world import World, WorldSettings
from arbsaga.exchange.server import TRUTH, bound, first_of, keep_alive, stop_signal, wall_ms
from arbsaga.exchange.units import parse

log = structlog.get_logger(__name__)

KEYS = "kalshi_keys.json"


@dataclass(frozen=True, slots=True)
class KalshiSettings:
    """What the exchange is started with.

    `port` 0 takes a free one. `data_dir` holds the truth journal, named `truth`, and the public keys; a second start
    with the same folder goes on where the first one ended. `deposits` are USD by (member, shard), given once. `world`
    None: nothing but what callers and the admin API do.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 0
    world: WorldSettings | None = field(default_factory=WorldSettings)
    faults: tuple[str, ...] = ()
    deposits: Mapping[tuple[str, int], Decimal] = field(default_factory=dict)
    engine: EngineSettings = field(default_factory=EngineSettings)
    wire: WireSettings = field(default_factory=WireSettings)
    truth: str = TRUTH


async def run(settings: KalshiSettings, ready: Callable[[str], None] | None = None) -> None:
    """Serves until SIGTERM, SIGINT or cancellation. `ready` is called with the URL once it answers.

    Raises Unavailable (one line for a person) for a taken port or a data folder that cannot be used, ConfigError for a
    fault or deposit that is none.
    """
    async with _serving(settings) as (url, world):
        if ready is not None:
            ready(url)
        with stop_signal() as stop:
            await first_of(stop.wait(), keep_alive(world))
    log.info("exchange_stopped", url=url)


@asynccontextmanager
async def _serving(settings: KalshiSettings) -> AsyncIterator[tuple[str, World | None]]:
    with closing(bound(settings.host, settings.port)) as listener, closing(_recovered(settings)) as engine:
        truth, keys = settings.data_dir / settings.truth, settings.data_dir / KEYS
        venue = Venue(engine, truth, wall_ms, settings.wire, keys, settings.seed)
        world = None
        if settings.world is not None:
            world = World(engine, wall_ms, replace(settings.world, seed=settings.seed))
            world.start()
        runner = web.AppRunner(application(venue, world), access_log=None, shutdown_timeout=1)
        try:
            await runner.setup()
            await web.SockSite(runner, listener).start()
            url = f"http://{settings.host}:{listener.getsockname()[1]}"
            log.info("exchange_ready", url=url, truth=str(truth))
            yield url, world
        finally:
            await runner.cleanup()


def _recovered(settings: KalshiSettings) -> Engine:
    """The engine as the journal tells, with the faults and first deposits of the settings.

    Raises Unavailable, or ConfigError for a fault or deposit that is none.
    """
    deposits = [_deposit(member, shard, usd) for (member, shard), usd in settings.deposits.items()]
    faults = FaultPlan(settings.seed, settings.faults)
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"the data folder {settings.data_dir} cannot be made ({error.strerror}): name another with --data-dir"
        ) from error
    chosen = replace(settings.engine, seed=settings.seed)
    engine = Engine.recover(settings.data_dir / settings.truth, wall_ms, chosen, faults)
    for member, shard, amount in deposits:
        account = engine.account(member)
        if account is None or shard not in account.cash:
            engine.deposit(member, amount, shard)
    return engine


def _deposit(member: str, shard: int, usd: Decimal) -> tuple[str, int, int]:
    """(member, shard, base units). Raises ConfigError."""
    try:
        amount = parse(f"{usd:f}")
    except ValueError:
        amount = 0
    if amount <= 0 or shard not in SHARDS or not member or "/" in member:
        raise ConfigError(
            f"deposit {member}={usd}: write a member's name, a shard of {', '.join(map(str, SHARDS))}, and USD above 0"
        )
    return member, shard, amount
