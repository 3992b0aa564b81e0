"""`arbsaga up`: the whole system with one command."""

import os
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from arbsaga.config import known_venues, split_venues
from arbsaga.errors import UserError
from arbsaga.exchange.faults import parse_fault
from workers import console
from workers.commands.options import (
    ConfigFile,
    DataDir,
    Faults,
    Json,
    Live,
    Recording,
    Speed,
    number,
    open_folder,
    pace,
    read,
    require_switch,
)
from workers.paper import ensure_key
from workers.site import venues_of
from workers.up import Up, UpOptions

PARQUET = b"PAR1"
"""What every parquet file begins with."""


def up(
    *,
    trades: Annotated[int | None, typer.Option(min=1, help="Stop after so many trades that sent an order.")] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0.1, metavar="SECONDS", help="Stop after so long.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the paper exchange; fresh state unless --data-dir.")] = None,
    min_edge: Annotated[
        str | None, typer.Option(metavar="EDGE", help="USD of profit per $1 of payout, after fees.")
    ] = None,
    venues: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Where to trade: polymarket, kalshi, or polymarket,kalshi.")
    ] = None,
    recording: Recording = None,
    speed: Speed = "1",
    fault: Faults = None,
    live: Live = False,
    config_file: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> int:
    """Run everything: Temporal, exchange, trader, watchdog, and a live view. Ctrl-C stops; a second run goes on."""
    for spec in fault or ():
        parse_fault(spec)
    pace(speed)
    if recording is not None:
        _check_recording(recording)
    if seed is not None and data_dir is None:
        data_dir = Path(tempfile.mkdtemp(prefix="arbsaga-"))
    env = _overrides(min_edge, venues, with_recording=recording is not None, config_file=config_file)
    os.environ.update(env)
    config, _ = read(config_file, data_dir)
    require_switch(config, live=live)
    folder = open_folder(config, "up")
    with folder.lock():
        traded = venues_of(config, folder)
        if recording is not None and traded != ("polymarket",):
            raise UserError("--recording drives the books of polymarket only: leave it out, or give another --data-dir")
        ensure_key(config, folder)
        options = UpOptions(trades, seconds, seed, recording, speed, tuple(fault or ()), as_json, live)
        return console.run(Up(config, folder, folder.choose_ports(traded), options).run)


def _check_recording(file: Path) -> None:
    """What can be seen at once: the exchange reads the whole of it."""
    try:
        with file.open("rb") as opened:
            magic = opened.read(len(PARQUET))
    except OSError as error:
        raise UserError(f"the recording {file} cannot be read: {error.strerror}") from None
    if magic != PARQUET:
        raise UserError(f"the recording {file} is no parquet file")


def _overrides(
    min_edge: str | None, venues: str | None, *, with_recording: bool, config_file: Path | None
) -> dict[str, str]:
    """What the command line sets, as the environment variables that the children read."""
    env = {}
    if config_file is not None:
        env["ARBSAGA_CONFIG"] = str(config_file.absolute())
    if venues is not None:
        env["ARBSAGA_VENUES"] = ",".join(_venues(venues))
    if min_edge is not None:
        edge = _edge(min_edge)
        env["ARBSAGA_GATES__MIN_EDGE"] = str(edge)
        if edge < 0:  # a drill at a loss: the gate on the price alone would refuse what this one lets through
            env["ARBSAGA_GATES__MAX_PRICE_RATIO"] = str(1 - edge)
    if with_recording:  # its markets are binary, so this is the only basket there can be
        env["ARBSAGA_SCAN__COMPLEMENT"] = "true"
    return env


def _venues(text: str) -> tuple[str, ...]:
    try:
        return known_venues(split_venues(text))
    except ValueError as mistake:
        raise UserError(f"--venues {text!r}: {mistake}") from None


def _edge(text: str) -> Decimal:
    edge = number(text, f"--min-edge {text!r} is not a number, e.g. 0.005 or -0.03")
    if not -1 <= edge < 1:
        raise UserError(f"--min-edge {text} must be in -1..1: USD of profit per $1 of payout")
    return edge
