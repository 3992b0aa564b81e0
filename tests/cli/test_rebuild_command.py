"""`arbsaga ledger rebuild` as a user runs it: on the data folder of real runs, and every mistake as one line."""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from arbsaga_command import ARBSAGA, Arbsaga
from cli_make import NOW, plan, record
from temporalio.service import RPCError, RPCStatusCode

from arbsaga.exchange.truth import Truth
from arbsaga.ledger import Ledger, files
from arbsaga.saga.messages import Phase
from workers.folder import DataFolder
from workers.histories import History
from workers.verdict import compare

KEY = "0x" + "5a" * 32
AWAY = {
    "ARBSAGA_TEMPORAL__ADDRESS": "127.0.0.1:1",
    "ARBSAGA_VENUE__CLOB_URL": "http://127.0.0.1:1",
    "ARBSAGA_VENUE__PRIVATE_KEY": KEY,
}
REBUILD = ("ledger", "rebuild", "--data-dir", "data")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose ledger has one trade and an opening balance, but no history."""
    folder = tmp_path / "data"
    folder.mkdir()
    ledger = Ledger.open(f"sqlite:///{folder / 'ledger.sqlite'}")
    with monkeypatch.context() as patch:
        patch.setattr("arbsaga.ledger.ledger._now_ms", lambda: NOW - 1_000)
        ledger.open_account("main", "sim", Decimal(100))
    made = record(plan(), Phase.COMMITTED, "20", "20")
    orders = [(view.terms, view.order_id) for view in made.orders]
    ledger.intend(orders, account="main", workflow_id="w", lease_id="lease-1")
    ledger.record(made)
    ledger.close()
    return folder


@contextmanager
def exchange(folder: Path) -> Iterator[None]:
    """The exchange of an `arbsaga up` that is over, on its port, without anything else."""
    port = json.loads((folder / "ports.json").read_text())["exchange"]
    command = [str(ARBSAGA), "exchange", "--port", str(port), "--data-dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert b"ready" in process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_run_is_rebuilt_equal_and_from_the_server_alone_where_its_ledger_is_gone(
    arbsaga: Arbsaga, tmp_path: Path
) -> None:
    """After real trades: equal with the archive; without the ledger, from server and venue, equal to the exchange."""
    data = tmp_path / "data"
    run = arbsaga("up", "--trades", "1", "--seed", "7", "--json", "--data-dir", "data", timeout=400)
    assert run.code == 0, run
    wallet = next(iter(json.loads((data / "api_keys.json").read_text())))[0]
    sent = json.loads(run.out.splitlines()[-1])["orders_sent"]

    assert (data / "heartbeat.armed").read_text().split()[0] == wallet, "the watchdog has beaten for the account"

    swapped = arbsaga(*REBUILD, "--replace", "--json")
    assert swapped.code == 0, swapped
    answer = json.loads(swapped.out)
    assert set(answer["findings"]) <= {"histories kept that the old ledger did not have"}
    assert answer["counts"]["orders"] == sent
    assert (answer["replaced"], Path(answer["backup"]).is_file()) == (True, True)
    assert equal_to_the_exchange(data, wallet) == ()

    (data / "ledger.sqlite").unlink()
    lonely = arbsaga(*REBUILD, "--replace")
    assert lonely.code == 1, "the exchange is down, so nothing tells the opening balance"
    assert "it must not be used yet" in lonely.out
    assert not (data / "ledger.sqlite").exists()
    (data / "ledger.rebuilt.sqlite").unlink()
    with exchange(data):
        alone = arbsaga(*REBUILD, "--replace")
    assert alone.code == 0, alone
    assert "are the venue's word" in " ".join(alone.out.split())
    assert equal_to_the_exchange(data, wallet) == ()
    ledger = Ledger.open(DataFolder(data).ledger_url)
    assert ledger.halted().startswith("rebuilt without its old ledger")
    again = [(one.terms, one.order_id) for one in ledger.intents("main")]
    assert len(again) == sent
    assert not any(ledger.intend(again, account="main", workflow_id="w", lease_id="l"))
    ledger.close()


def equal_to_the_exchange(data: Path, wallet: str) -> tuple[str, ...]:
    ledger = Ledger.open(DataFolder(data).ledger_url)
    differences = compare(Truth.read(data / "truth.jsonl", wallet), ledger, "main").differences
    ledger.close()
    return differences


def test_without_a_server_the_old_ledger_is_taken_over_and_it_is_said(said: Arbsaga, data: Path) -> None:
    """Nothing but the archive is left to read: the trade has no history, so its rows are the old ledger's."""
    done = said(*REBUILD, "--replace", env=AWAY)
    assert done.code == 0, done
    assert "no histories of the server were read: no Temporal server at 127.0.0.1:1" in done.out
    assert "1 trades of which there is no history, taken over from the old ledger: T1" in done.out
    backup, now = sorted(data.glob("ledger*.sqlite"))
    assert now.name == "ledger.sqlite"
    for table in ("trades", "orders", "fills", "flags"):
        assert rows(backup, table) == rows(now, table)
    assert rows(backup, "postings", "entry, book, amount") == rows(now, "postings", "entry, book, amount")


def rows(path: Path, table: str, columns: str = "*") -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.execute(f"SELECT {columns} FROM {table}"), key=repr)


def test_an_opening_balance_booked_after_trades_is_no_opening_balance(said: Arbsaga, data: Path) -> None:
    """The ledger was lost, and a trader began a new one with the cash of that day: that must be seen."""
    with closing(sqlite3.connect(data / "ledger.sqlite")) as connection:
        connection.execute("DROP TRIGGER postings_no_update")
        connection.execute("UPDATE postings SET time_ms = 9999999999999 WHERE entry LIKE 'opening/%'")
        connection.commit()
    done = said(*REBUILD, env=AWAY)
    assert done.code == 1
    assert "opening balances booked after trades" in done.out


def test_what_a_person_can_get_wrong_is_one_line(said: Arbsaga, data: Path, tmp_path: Path) -> None:
    """Target there already, in use, another `up`, nothing to rebuild from, not a ledger, no key."""
    ledger, target = data / "ledger.sqlite", data / "ledger.rebuilt.sqlite"
    target.touch()
    said(*REBUILD, env=AWAY).is_one_clear_line("ledger.rebuilt.sqlite exists already: delete it")
    target.unlink()
    opened = Ledger.open(f"sqlite:///{ledger}")
    opened.halted()
    said(*REBUILD, "--replace", env=AWAY).is_one_clear_line("is in use", "stop every arbsaga process")
    assert said(*REBUILD, env=AWAY).code == 0
    opened.close()
    target.unlink()
    with DataFolder(data).lock():
        said(*REBUILD, "--replace", env=AWAY).is_one_clear_line("another `arbsaga up`")
    said(*REBUILD, env={**AWAY, "ARBSAGA_VENUE__PRIVATE_KEY": ""}).is_one_clear_line("private")
    said("ledger", "rebuild", "--data-dir", "elsewhere").is_one_clear_line("no data folder elsewhere")
    shutil.copy(ledger, data / "copy")
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    said(*REBUILD, env=AWAY).is_one_clear_line("a ledger of version 9999", "moved away, it is rebuilt from the server")
    ledger.write_bytes(b"torn" * 5_000)
    said(*REBUILD, env=AWAY).is_one_clear_line("file is not a database", "moved away")
    ledger.unlink()
    said(*REBUILD, env=AWAY).is_one_clear_line("nothing to rebuild from", "no Temporal server at 127.0.0.1:1")
    assert not target.exists()


def test_a_server_that_goes_away_leaves_no_half_ledger(
    said: Arbsaga, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the server's histories would be a fence with holes: nothing is left that could be taken for a ledger."""

    async def connected(_settings: object) -> object:
        return object()

    async def broken(_client: object) -> AsyncIterator[History]:
        raise RPCError("connection lost", RPCStatusCode.UNAVAILABLE, b"")
        yield

    monkeypatch.setattr("workers.commands.ledger.connect", connected)
    monkeypatch.setattr("workers.rebuild.on_server", broken)
    done = said(*REBUILD, "--replace", env=AWAY)
    done.is_one_clear_line("the Temporal server went away while it was read (connection lost): try again")
    assert [path.name for path in data.glob("ledger*.sqlite")] == ["ledger.sqlite"]


def test_a_ledger_that_is_opened_again_meanwhile_is_not_replaced(data: Path) -> None:
    """The old one stays where it is, and the rebuilt one beside it."""
    ledger = data / "ledger.sqlite"
    target = files.beside(ledger)
    shutil.copy(ledger, target)
    opened = Ledger.open(f"sqlite:///{ledger}")
    opened.halted()
    with pytest.raises(Exception, match="is in use"):
        files.take_place(target, ledger)
    opened.close()
    assert target.exists()
    assert files.take_place(target, ledger) is not None
    assert sorted(path.suffix for path in data.iterdir()) == [".sqlite", ".sqlite"]
