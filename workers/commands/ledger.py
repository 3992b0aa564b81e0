"""`arbsaga ledger rebuild`: the ledger made again from the histories of its trades."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import structlog
import typer
from temporalio.client import Client
from temporalio.service import RPCError

from arbsaga.config import Config
from arbsaga.errors import LedgerError, Unavailable, UserError, VenueError
from arbsaga.ledger import Ledger, files
from arbsaga.ledger.rebuilt import OldLedger
from arbsaga.venues.port import Venue
from workers import console
from workers.commands.options import ConfigFile, DataDir, Json, open_folder, read
from workers.connect import connect
from workers.connections import open_venue, temporal_settings
from workers.folder import DataFolder
from workers.rebuild import NO_OPENING, TOO_EARLY, Report, Sources, open_books, rebuild
from workers.site import venues_of
from workers.temporal_server import EmbeddedTemporal

log = structlog.get_logger(__name__)

ledger = typer.Typer(help="Mend the ledger.", no_args_is_help=True)

HALT = "rebuilt without its old ledger"


@ledger.callback()
def _together() -> None:
    """Keeps a single command a command."""


@ledger.command("rebuild")
def rebuild_command(
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of the old one, which is kept beside it.")
    ] = False,
    config_file: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> int:
    """Make the ledger again, in a new file, from the histories on the Temporal server and in its archive."""
    config, _ = read(config_file, data_dir)
    if config.temporal.address is None and not config.data_dir.expanduser().is_dir():
        raise UserError(f"no data folder {config.data_dir}: it holds the histories; give the right --data-dir")
    folder = open_folder(config, "rebuild")
    path = files.path_of(config.ledger.url or folder.ledger_url)
    target = files.beside(path)
    if target.exists():
        raise UserError(f"{target} exists already: delete it, or move it away")
    with contextlib.ExitStack() as held:
        running = _hold(held, folder, must=replace)
        if replace and path.exists():
            with files.alone(path):
                pass  # refused now rather than after the work
        with _old_ledger(path) as old:
            said, report = asyncio.run(_rebuild(config, folder, old, path, running=running))
        result: dict[str, Any] = {"file": str(target), "replaced": False, "explained": report.explained}
        compared = old is not None
        if replace and report.complete:
            backup = files.take_place(target, path)
            result |= {"file": str(path), "replaced": True, "backup": backup and str(backup)}
    result |= {"counts": report.counts, "notes": said, "findings": report.kinds}
    console.show(
        result, "\n".join([*said, *report.lines(), *_ending(result, report, path, compared=compared)]), as_json=as_json
    )
    return console.OK if report.explained else console.FAILED


def _hold(held: contextlib.ExitStack, folder: DataFolder, *, must: bool) -> bool:
    """Hold the folder, so that no `arbsaga up` begins on it. True if one runs already; where it `must`, Unavailable."""
    try:
        held.enter_context(folder.lock())
    except Unavailable:
        if must:
            raise
        return True
    return False


@contextlib.contextmanager
def _old_ledger(path: Path) -> Iterator[OldLedger | None]:
    """The ledger that is rebuilt, None where it is gone. Raises Unavailable for one that cannot be read."""
    if not path.exists():
        yield None
        return
    try:
        old = OldLedger.read(path)
    except (Unavailable, LedgerError) as error:
        raise Unavailable(f"{error}; moved away, it is rebuilt from the server alone") from error
    with contextlib.closing(old):
        yield old


async def _rebuild(
    config: Config, folder: DataFolder, old: OldLedger | None, path: Path, *, running: bool
) -> tuple[list[str], Report]:
    """What is to be said of the sources, and the report."""
    said: list[str] = []
    venue, target = open_venue(config, folder), files.beside(path)
    try:
        async with _server(config, folder, running, said) as client:
            if old is None and client is None:
                _give_up(path, said)
            report = await rebuild(target, Sources(old, client, frozenset({config.account}), venue.order_id))
        if old is None:
            said.append(await _without_old(config, path, report, venue))
    except BaseException:
        target.unlink(missing_ok=True)  # half a ledger must not be taken for a whole one
        raise
    finally:
        await venue.close()
    return said, report


@contextlib.asynccontextmanager
async def _server(config: Config, folder: DataFolder, running: bool, said: list[str]) -> AsyncIterator[Client | None]:
    """The Temporal server: the one that runs, or the embedded one, started for this alone. None: none answers."""
    embedded: EmbeddedTemporal | None = None
    try:
        if not config.temporal.address and not running and folder.temporal_dir.is_dir():
            ports = folder.choose_ports(venues_of(config, folder))
            embedded = EmbeddedTemporal(folder.temporal_dir, port=ports.temporal, ui_port=None)
            await embedded.start()
        client: Client | None = await connect(temporal_settings(config, folder))
    except Unavailable as error:
        client = None
        said.append(f"no histories of the server were read: {error}")
    try:
        yield client
    except RPCError as error:
        raise Unavailable(f"the Temporal server went away while it was read ({error.message}): try again") from error
    finally:
        if embedded is not None:
            await embedded.stop()


def _give_up(path: Path, said: list[str]) -> NoReturn:
    raise Unavailable(f"nothing to rebuild from: there is no ledger {path}, and {'; '.join(said)}")


async def _without_old(config: Config, path: Path, report: Report, venue: Venue) -> str:
    """Ask the venue for what no history tells, and halt entries until a person has looked. Returns what to say."""
    new = Ledger.open(f"sqlite:///{files.beside(path)}")
    try:
        new.halt(f"{HALT}: look at it, then `arbsaga resume`")
        if report.going_on:
            for trade_id in sorted(report.going_on):
                report.note(TOO_EARLY, trade_id)
            return f"there was no ledger {path}: payouts and the opening balance are not booked; entries are halted"
        await venue.start()
        opening = await open_books(new, venue, config.account)
    except (UserError, VenueError) as error:
        report.note(NO_OPENING, str(error))
        return f"there was no ledger {path}: payouts are not booked; entries are halted"
    finally:
        new.close()
    return (
        f"there was no ledger {path}: payouts and the opening balance ({opening:f} USD, by today's cash) are the "
        "venue's word; pages stay in the alert log; entries are halted until `arbsaga resume`"
    )


def _ending(result: dict[str, Any], report: Report, path: Path, *, compared: bool) -> list[str]:
    lines = ["rebuilt: " + ", ".join(f"{count} {name}" for name, count in report.counts.items())]
    if compared and not report.kinds:
        lines.append("nothing in it is unlike the old ledger")
    if result["replaced"]:
        kept = f"; the old one is {result['backup']}" if result["backup"] else ""
        return [*lines, f"it is {path} now{kept}"]
    if not report.complete:
        return [*lines, f"it must not be used yet, since something is missing; it is {result['file']}"]
    return [*lines, f"it is {result['file']}; to use it, stop arbsaga, delete it, and rebuild again with --replace"]
