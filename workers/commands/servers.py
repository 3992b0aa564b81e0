"""`arbsaga exchange`, and the hidden `arbsaga temporal`: the servers as processes of their own."""

import asyncio
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from arbsaga.errors import UserError
from arbsaga.exchange.playback import PlaybackSettings
from arbsaga.exchange.server import ExchangeSettings, RecordedWorld
from arbsaga.exchange.server import run as run_exchange
from arbsaga.exchange.world import WorldSettings
from workers import console, temporal_process
from workers.commands.options import ConfigFile, DataDir, Faults, Recording, Speed, open_folder, pace, read
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
    port: Port = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same events and prices.")] = 0,
    recording: Recording = None,
    speed: Speed = "1",
    fault: Faults = None,
    deposit: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS=USD", help="Money of an account that is new.")
    ] = None,
    config_file: ConfigFile = None,
    data_dir: DataDir = None,
) -> None:
    """Run the simulated exchange: the venue's own wire protocols on one loopback port."""
    config, _ = read(config_file, data_dir)
    folder = open_folder(config, "exchange")
    settings = ExchangeSettings(
        folder.path,
        port=port,
        seed=seed,
        world=WorldSettings() if recording is None else RecordedWorld(recording, PlaybackSettings(pace(speed))),
        faults=tuple(fault or ()),
        deposits=dict(map(_deposit, deposit or ())),
    )
    asyncio.run(run_exchange(settings, lambda url: emit("ready", url=url)))


def _deposit(text: str) -> tuple[str, Decimal]:
    address, found, usd = text.partition("=")
    try:
        if found and address:
            return address, Decimal(usd)
    except InvalidOperation:
        pass
    raise UserError(f"--deposit {text!r} is not ADDRESS=USD, e.g. 0x12…ab=1000")
