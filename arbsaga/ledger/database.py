"""Opening the ledger's SQLite file: pragmas, schema, transactions, and errors as one clear line."""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from arbsaga.errors import ConfigError, LedgerError, Unavailable, UnknownThing
from arbsaga.ledger.models import SCHEMA

Durability = Literal["full", "normal"]
"""`full` survives a power cut (one fsync a write); `normal` may lose the last writes at one, never at a crash."""

_MEND: Final = {
    "database is locked": "another process holds it: end that process, or try again",
    "database table is locked": "another process holds it: end that process, or try again",
    "database or disk is full": "free some disk space",
    "attempt to write a readonly database": "make the file and its folder writable",
    "unable to open database file": "make sure that its folder exists and is writable",
    "disk I/O error": "check the disk",
    "file is not a database": "the file is something else: name another one",
    "database disk image is malformed": "the file is damaged: restore a copy of it",
}


def create(url: str, durability: Durability, busy_ms: int) -> Engine:
    """An engine for a `sqlite:///file` URL that waits up to `busy_ms` for another process's write.

    Raises ConfigError for any other URL: only SQLite was ever tested to be safe from several processes here.
    """
    engine = create_engine(parse(url), connect_args={"timeout": busy_ms / 1000})
    synchronous = durability.upper()

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is ours: sqlite3's own is deferred, and deadlocks writers
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        raw = connection.connection.driver_connection
        assert raw is not None, "a connection was made"
        if connection.get_execution_options().get("writes", False):
            _begin_write(raw, busy_ms)
        else:
            raw.execute("BEGIN")

    return engine


def create_read_only(path: Path) -> Engine:
    """An engine on a ledger's file that never writes to it, nor migrates it.

    Raises UnknownThing where there is no such file; Unavailable when it cannot be used, is no ledger, or was written
    by another version of arbsaga.
    """
    if not path.is_file():
        raise UnknownThing(f"no ledger {path}")
    engine = create(f"sqlite:///file:{quote(str(path))}?mode=ro&uri=true", "full", 5_000)
    with explained(engine):
        found = _revision(engine)
    if found != SCHEMA:
        engine.dispose()
        raise Unavailable(f"{path} is {'no ledger' if found is None else f'a ledger of version {found}, not {SCHEMA}'}")
    return engine


def _begin_write(raw: sqlite3.Connection, busy_ms: int) -> None:
    """Wait for the one write lock in short steps: SQLite's own waiting sleeps up to 100 ms between its looks,
    which let four busy processes wait a second for each other (p99).
    """
    deadline = time.monotonic() + busy_ms / 1000
    raw.execute("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() >= deadline:
                    raise
            time.sleep(random.uniform(0.0002, 0.002))
    finally:
        raw.execute(f"PRAGMA busy_timeout={busy_ms}")


def parse(url: str) -> URL:
    """The URL of a ledger's file. Raises ConfigError for anything but `sqlite:///file`."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f"the ledger's URL cannot be read: write it like sqlite:///ledger.db ({error})") from None
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise ConfigError("the ledger is an SQLite file: write its URL like sqlite:///ledger.db")
    return parsed


@contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """Turn what SQLite says into one line: Unavailable where a person can mend it, LedgerError for the rest."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:  # the pragmas of a new connection speak to sqlite3 directly
        said = str(error.orig if isinstance(error, DBAPIError) else error)
        file = str(engine.url.database).removeprefix("file:")
        for symptom, mend in _MEND.items():
            if symptom in said:
                raise Unavailable(f"the ledger {file} cannot be used: {said}; {mend}") from error
        raise LedgerError(f"the ledger {file}: {said}") from error
    except SQLAlchemyError as error:
        raise LedgerError(f"the ledger {engine.url.database}: {error}") from error


def bring_up_to_date(engine: Engine, busy_ms: int) -> None:
    """Switch to WAL and migrate to this version's schema; safe when several processes open it at once.

    Raises Unavailable when the file cannot be used, or was written by a newer arbsaga.
    """
    with explained(engine):
        _use_wal(engine, busy_ms)
        if _revision(engine) == SCHEMA:
            return
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            _migrate(connection)


def _use_wal(engine: Engine, busy_ms: int) -> None:
    """SQLite's busy timeout does not always cover this switch: 7 of 360 first openers at once were told "locked"."""
    deadline = time.monotonic() + busy_ms / 1000
    while True:
        try:
            with engine.connect() as connection:
                assert connection.connection.driver_connection is not None, "a connection was made"
                connection.connection.driver_connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
        time.sleep(0.01)


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        known = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").scalar()
        if not known:
            return None
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _migrate(connection: Connection) -> None:
    # Alembic takes longer to import than the ledger to open: only a new or old file pays for it.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above
    from alembic.util.exc import CommandError  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", "arbsaga.ledger:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Unavailable(
            f"the ledger {connection.engine.url.database} was written by a newer arbsaga: upgrade arbsaga"
        ) from error
