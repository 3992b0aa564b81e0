"""`arbsaga exchange`, and the hidden `arbsaga temporal`: the servers as processes of their own."""

import asyncio
from decimal import Decimal
from typing import Annotated

import typer

from arbsaga.config import VENUES
from arbsaga.errors import UserError
from arbsaga.exchange.kalshi import world as kalshi_world
from arbsaga.exchange.kalshi.server import KalshiSettings
from arbsaga.exchange.kalshi.server import run as run_kalshi
from arbsaga.exchange.kalshi.settings import EngineSettings
from arbsaga.exchange.paired import PairedSettings
from arbsaga.exchange.playback import PlaybackSettings
from arbsaga.exchange.server import ExchangeSettings, RecordedWorld
from arbsaga.exchange.server import run as run_exchange
from arbsaga.exchange.units import parse
from arbsaga.exchange.world import WorldSettings
from workers import console, temporal_process
from workers.commands.options import ConfigFile, DataDir, Faults, Recording, Speed, number, open_folder, pace, read
from workers.folder import free_port
from workers.report import emit

Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free one.")]


def temporal(
    port: Port = 0,
    ui_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the Web UI.")] = 0,
    config_file: ConfigFile = None,
    data_dir: DataDir = None,
) -> int:
    """Run the embedded Temporal server."""
    config, _ = read(config_file, data_dir)
    folder = open_folder(config, "temporal")
    chosen = port or free_port({ui_port})
    chosen_ui = ui_port or free_port({chosen})
    synchronous = config.temporal.synchronous
    return console.run(lambda stop: temporal_process.serve(folder.temporal_dir, chosen, chosen_ui, synchronous, stop))


def exchange(
    *,
    venue: Annotated[str, typer.Option(metavar="VENUE", help="Whose protocols: polymarket or kalshi.")] = "polymarket",
    port: Port = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same events and prices.")] = 0,
    recording: Recording = None,
    speed: Speed = "1",
    fault: Faults = None,
    deposit: Annotated[
        list[str] | None,
        typer.Option(metavar="ACCOUNT=USD", help="Money of a new account: a wallet, or Kalshi's MEMBER/SHARD."),
    ] = None,
    paired_since: Annotated[int | None, typer.Option(metavar="MS", hidden=True)] = None,
    paired_seed: Annotated[int, typer.Option(hidden=True)] = 0,
    config_file: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Run a simulated exchange: the venue's own wire protocols on one loopback port."""
    config, _ = read(config_file, data_dir)
    if venue not in VENUES:
        raise UserError(f"--venue {venue!r} is no venue: known are {', '.join(VENUES)}")
    if venue == "kalshi" and recording is not None:
        raise UserError("--recording drives the books of polymarket only: leave it out for kalshi")
    paired = None if paired_since is None else PairedSettings(paired_since, paired_seed)
    faults = tuple(fault or ())
    if venue == "kalshi":
        folder = open_folder(config, "exchange-kalshi")
        kalshi = KalshiSettings(
            folder.path,
            port=port,
            seed=seed,
            world=_kalshi_world(paired),
            faults=faults,
            deposits=dict(map(_member_deposit, deposit or ())),
            truth=folder.truth_kalshi.name,
            engine=EngineSettings(precision=parse(config.kalshi.precision)),
        )
        asyncio.run(run_kalshi(kalshi, lambda url: emit("ready", url=url)))
        return
    folder = open_folder(config, "exchange")
    settings = ExchangeSettings(
        folder.path,
        port=port,
        seed=seed,
        world=_world(paired) if recording is None else RecordedWorld(recording, PlaybackSettings(pace(speed))),
        faults=faults,
        deposits=dict(map(_deposit, deposit or ())),
    )
    asyncio.run(run_exchange(settings, lambda url: emit("ready", url=url)))


def _world(paired: PairedSettings | None) -> WorldSettings:
    """Beside paired questions fewer events of its own, so that a short run trades between the venues too."""
    return WorldSettings() if paired is None else WorldSettings(neg_risk_events=3, binary_events=1, paired=paired)


def _kalshi_world(paired: PairedSettings | None) -> kalshi_world.WorldSettings:
    """Alone, it misprices events of its own; beside another venue, trades are between the two."""
    own = kalshi_world.Mispricing() if paired is None else None
    return kalshi_world.WorldSettings(paired=paired, mispricing=own)


def _deposit(text: str) -> tuple[str, Decimal]:
    address, found, usd = text.partition("=")
    mistake = f"--deposit {text!r} is not ADDRESS=USD, e.g. 0x12…ab=1000"
    if not (found and address):
        raise UserError(mistake)
    return address, number(usd, mistake)


def _member_deposit(text: str) -> tuple[tuple[str, int], Decimal]:
    account, _, usd = text.partition("=")
    member, found, shard = account.partition("/")
    mistake = f"--deposit {text!r} is not MEMBER/SHARD=USD, e.g. paper/0=1000"
    if not (member and found and shard.isdecimal()):
        raise UserError(mistake)
    return (member, int(shard)), number(usd, mistake)
