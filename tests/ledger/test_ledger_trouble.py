"""A ledger that cannot be used says why and how to mend it in one line, and nothing is half-written."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal as D
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from ledger_make import ACCOUNT, fill, plan, record, terms, view
from sqlalchemy import create_engine, event

from arbsaga.errors import ConfigError, LedgerError, Unavailable
from arbsaga.ledger import Ledger
from arbsaga.ledger.models import SCHEMA, metadata


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as SQLite alone sees it."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where `url` puts the file."""
    return tmp_path / "ledger.sqlite"


def one_line(error: Exception) -> str:
    text = str(error)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


def test_a_locked_ledger_cannot_be_opened(url: str, path: Path):
    """Another process that holds a write for longer than we wait."""
    Ledger.open(url).close()
    with raw(path) as other:
        other.execute("BEGIN IMMEDIATE")
        ledger = Ledger.open(url, busy_ms=50)
        with pytest.raises(Unavailable, match=r"locked.*another process") as caught:
            ledger.halt("now")
        one_line(caught.value)
        ledger.close()


def test_a_new_ledger_that_another_process_holds_cannot_be_made(url: str, path: Path):
    """The switch to WAL needs the file for a moment."""
    with raw(path) as other:
        other.execute("CREATE TABLE t (a)")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unavailable, match="locked"):
            Ledger.open(url, busy_ms=50)


def test_a_write_that_waits_gets_its_turn(url: str, path: Path):
    """Locked for less than we wait is no error."""
    ledger = Ledger.open(url, busy_ms=10_000)
    held = subprocess.Popen([sys.executable, "-c", _HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert held.stdout is not None
    assert held.stdout.readline() == "held\n"
    ledger.halt("now")
    assert held.wait(timeout=10) == 0
    held.stdout.close()
    assert ledger.halted() == "now"
    ledger.close()


_HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(0.2)
connection.execute("COMMIT")
"""


def test_a_full_disk_leaves_nothing_half_written(url: str):
    """SQLite's own limit on pages gives the answer of a full disk: no trade, order, fill or posting stays."""
    ledger = Ledger.open(url)
    ledger.open_account(ACCOUNT, "polymarket", D(100))
    before = ledger.cash(ACCOUNT)
    _limit_pages(ledger)

    def trade_on() -> None:
        for number in range(100):
            of = plan(f"t{number}")
            ledger.record(record([view(terms(of.trade_id), fill("f"))], of=of))

    with pytest.raises(Unavailable, match=r"full.*free some disk space") as caught:
        trade_on()
    one_line(caught.value)
    rows = {row.trade_id for row in ledger.trades()}
    filled = {one.terms.trade_id for one in ledger.intents(ACCOUNT)}
    assert rows == filled
    assert ledger.cash(ACCOUNT) == before - len(rows) * D("4.096")
    assert ledger.postings_balance() == 0
    ledger.close()


def _limit_pages(ledger: Ledger) -> None:
    engine = ledger._engine
    with engine.connect() as connection:
        pages = int(connection.exec_driver_sql("PRAGMA page_count").scalar() or 0)
    engine.dispose()
    event.listen(engine, "connect", lambda new, _: new.execute(f"PRAGMA max_page_count={pages + 4}"))


def test_a_full_disk_makes_no_intent_fresh(url: str):
    """An intent that is not on the disk must not be sent: the error comes instead of True."""
    ledger = Ledger.open(url)
    _limit_pages(ledger)
    fresh = []

    def intend_on() -> None:
        for number in range(200):
            pairs = [(terms(f"t{number}", leg), f"0x{number}-{leg}") for leg in range(2)]
            fresh.extend(ledger.intend(pairs, account=ACCOUNT, workflow_id="w", lease_id="l"))

    with pytest.raises(Unavailable, match="full"):
        intend_on()
    assert len(ledger.intents(ACCOUNT)) == len(fresh) > 0
    ledger.close()


def test_a_newer_schema_is_not_touched(url: str, path: Path):
    """An older arbsaga must not write into books it does not understand."""
    Ledger.open(url).close()
    with raw(path) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Unavailable, match="written by a newer arbsaga: upgrade") as caught:
        Ledger.open(url)
    one_line(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes read-only files")
def test_a_read_only_file_cannot_be_used(url: str, path: Path):
    """By its mode."""
    Ledger.open(url).close()
    path.chmod(0o400)
    path.parent.chmod(0o500)
    with pytest.raises(Unavailable, match=r"readonly.*writable"):
        Ledger.open(url).halt("now")


def test_a_read_only_connection_is_explained(url: str):
    """What a read-only disk answers, also to root."""
    ledger = Ledger.open(url)
    event.listen(ledger._engine, "checkout", lambda new, *_: new.execute("PRAGMA query_only=ON"))
    with pytest.raises(Unavailable, match="readonly database; make the file"):
        ledger.halt("now")
    ledger.close()


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path):
    """Instead of SQLite's bare "unable to open"."""
    with pytest.raises(Unavailable, match=r"nowhere/ledger.*folder exists"):
        Ledger.open(f"sqlite:///{tmp_path}/nowhere/ledger.sqlite")


def test_another_kind_of_file_is_named(url: str, path: Path):
    """A path that was mistyped."""
    path.write_text("this is my diary, and it is long enough to have a header " * 20)
    with pytest.raises(Unavailable, match=r"not a database.*name another"):
        Ledger.open(url)


@pytest.mark.parametrize("wrong", ["ledger.db", "postgresql://host/db", "sqlite://", "sqlite:///:memory:"])
def test_only_a_file_is_a_ledger(wrong: str):
    """Several processes need one file; nothing else was ever tested."""
    with pytest.raises(ConfigError, match="sqlite:///"):
        Ledger.open(wrong)


def test_damaged_rows_are_an_error_of_the_ledger(url: str, path: Path):
    """Not a traceback of the database's library."""
    ledger = Ledger.open(url)
    with raw(path) as other:
        other.execute("DROP TABLE flags")
    with pytest.raises(LedgerError, match="no such table"):
        ledger.halted()
    ledger.close()


def test_the_migrations_make_the_tables_of_the_models(url: str):
    """A column that only one of them has would break the first user who upgrades."""
    Ledger.open(url).close()
    engine = create_engine(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    engine.dispose()
    assert differences == []


def test_the_schema_of_the_models_is_the_newest_migration():
    """Opening compares with it, without importing Alembic."""
    assert ScriptDirectory("arbsaga/ledger/migrations").get_current_head() == SCHEMA
