"""`arbsaga config init` and `arbsaga config check`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from arbsaga.config import DEFAULT_FILE, Config, template
from arbsaga.errors import ConfigError, UserError
from workers.commands.options import ConfigFile, DataDir, Json, read
from workers.console import show
from workers.folder import DataFolder
from workers.site import venues_of

config = typer.Typer(help="Write or check the configuration.", no_args_is_help=True)


@config.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = DEFAULT_FILE,
    as_json: Json = False,
) -> None:
    """Write a configuration with every key, commented out at its default."""
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(template())
    except FileExistsError:
        raise UserError(f"{file} exists already: delete it first, or name another file") from None
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}") from None
    show({"file": str(file)}, f"Wrote {file}. Every key in it is optional.", as_json=as_json)


@config.command()
def check(config_file: ConfigFile = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Check the configuration and say what it amounts to."""
    chosen, folder = read(config_file, data_dir)
    if chosen.mode == "live":
        asyncio.run(_try_keys(chosen, folder))
    summary = {
        "mode": chosen.mode,
        "venues": ", ".join(venues_of(chosen, folder)),
        "account": chosen.account,
        "data_dir": str(folder.path),
        "total_usd": str(chosen.total),
        "per_trade_usd": str(chosen.per_trade),
        "min_edge": str(chosen.gates.min_edge),
        "temporal": chosen.temporal.address or "embedded",
    }
    show(summary, "\n".join(f"{key:14} {value}" for key, value in summary.items()), as_json=as_json)


async def _try_keys(config: Config, folder: DataFolder) -> None:
    """Open each venue that is traded on, and connect to none. Raises ConfigError, a line for each wrong key."""
    from workers.connections import OPEN  # noqa: PLC0415 (the venues' clients take a second)

    mistakes = []
    for venue in venues_of(config, folder):
        try:
            await OPEN[venue](config, folder).close()
        except UserError as error:
            mistakes.append(str(error))
    if mistakes:
        raise ConfigError("\n".join(mistakes))
