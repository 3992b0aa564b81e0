"""A ledger's file as a file: whether anything else has it open, and putting a rebuilt one in its place."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from arbsaga.errors import Unavailable
from arbsaga.ledger.database import parse


def path_of(url: str) -> Path:
    """The file that a ledger's URL names. Raises ConfigError for anything but `sqlite:///file`."""
    return Path(parse(url).database or "").absolute()


def beside(ledger: Path) -> Path:
    """Where a rebuilt ledger is made."""
    return ledger.with_name(f"{ledger.stem}.rebuilt{ledger.suffix}")


@contextmanager
def alone(ledger: Path) -> Iterator[None]:
    """Hold a ledger's file while nothing else has it open. Raises Unavailable when something has.

    Leaving WAL needs that no other connection exists, and moves all of it into the one file.
    """
    with closing(sqlite3.connect(ledger, timeout=1, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            raise Unavailable(
                f"the ledger {ledger} is in use ({error}): stop every arbsaga process that works with it"
            ) from error
        yield
        connection.execute("ROLLBACK")


def take_place(rebuilt: Path, ledger: Path) -> Path | None:
    """Put the rebuilt ledger in the place of the old one, at once; where the old one is kept, None where none was.

    Raises Unavailable while a process has either of them open, or when the files cannot be moved.
    """
    with alone(rebuilt):
        pass
    try:
        _to_disk(rebuilt)
        if not ledger.exists():
            rebuilt.replace(ledger)
            backup = None
        else:
            backup = ledger.with_name(f"{ledger.stem}.{time.strftime('%Y%m%d-%H%M%S')}{ledger.suffix}")
            with alone(ledger):
                os.link(ledger, backup)
                rebuilt.replace(ledger)
        _to_disk(ledger.parent)
    except OSError as error:
        raise Unavailable(f"{ledger} cannot be replaced: {error.strerror}; the rebuilt one is {rebuilt}") from error
    return backup


def _to_disk(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
