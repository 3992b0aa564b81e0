"""Options that several commands share, and the configuration they lead to."""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from arbsaga.config import Config, load
from arbsaga.errors import UserError
from workers import console
from workers.folder import DataFolder

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Configuration file; by default arbsaga.toml where it is.")
]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder of ledger, server state, logs, paper key.")]
Json = Annotated[bool, typer.Option("--json", help="Answer as one JSON object on the last line.")]
Live = Annotated[bool, typer.Option("--live", help="Trade with real money; needs mode = live in the configuration.")]

Faults = Annotated[
    list[str] | None, typer.Option("--fault", metavar="SPEC", help="NAME[:RATE][,key=value…], e.g. lose_leg:0.2.")
]
Recording = Annotated[Path | None, typer.Option(help="Drive the books by this recording (parquet).")]
Speed = Annotated[str, typer.Option(help="Pace of the recording: 1 is real time, max as fast as possible.")]


def read(config_file: Path | None, data_dir: Path | None, **given: Any) -> tuple[Config, DataFolder]:  # noqa: ANN401 (any field of Config)
    """The configuration and its data folder. Raises UserError."""
    config = load(config_file, **given, **({"data_dir": data_dir} if data_dir else {}))
    return config, DataFolder(config.data_dir)


def open_folder(config: Config, process: str) -> DataFolder:
    """The data folder, made where it is not, with this process's log in it. Raises Unavailable."""
    folder = DataFolder(config.data_dir)
    folder.create()
    console.log_to(folder.log(process))
    return folder


def require_switch(config: Config, *, live: bool) -> None:
    """Refuse to trade with real money unless both the configuration and the command line say so."""
    if config.mode == "live" and not live:
        raise UserError(
            'mode is "live" but --live was not given: add --live to trade with real money, or set mode = "paper"'
        )
    if config.mode == "paper" and live:
        raise UserError(
            '--live was given but mode is "paper": set mode = "live" in the configuration to trade with real money'
        )


def number(text: str, mistake: str) -> Decimal:
    """A finite number. Raises UserError, with what is wrong, for anything else: NaN passes no comparison."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite():
        raise UserError(mistake)
    return found


def pace(speed: str) -> Decimal | None:
    """The pace of a recording: a number above 0, or None for `max`. Raises UserError."""
    if speed == "max":
        return None
    mistake = f"--speed {speed!r} is neither a number above 0 nor max"
    found = number(speed, mistake)
    if found <= 0:
        raise UserError(mistake)
    return found
