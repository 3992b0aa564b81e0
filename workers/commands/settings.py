"""`arbsaga config init` and `arbsaga config check`."""

from pathlib import Path
from typing import Annotated

import typer

from arbsaga.config import DEFAULT_FILE, template
from arbsaga.errors import UserError
from workers.commands.options import ConfigFile, DataDir, Json, read
from workers.console import show

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
        chosen.private_key()
    summary = {
        "mode": chosen.mode,
        "account": chosen.account,
        "data_dir": str(folder.path),
        "total_usd": str(chosen.total),
        "per_trade_usd": str(chosen.per_trade),
        "min_edge": str(chosen.gates.min_edge),
        "temporal": chosen.temporal.address or "embedded",
    }
    show(summary, "\n".join(f"{key:14} {value}" for key, value in summary.items()), as_json=as_json)
