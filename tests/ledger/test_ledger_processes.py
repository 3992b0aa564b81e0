"""Several processes write to one ledger at the same moment."""

import multiprocessing
import sqlite3
from decimal import Decimal as D
from multiprocessing.synchronize import Barrier
from pathlib import Path

from ledger_make import ACCOUNT, fill, order_id, plan, record, terms, view

from arbsaga.ledger import Ledger, database
from arbsaga.ledger.models import SCHEMA

PROCESSES = 3
TRADES = 10
ROUNDS = 60

spawn = multiprocessing.get_context("spawn")


def _work(url: str, barrier: Barrier, answers: "multiprocessing.Queue[list[tuple[bool, ...]]]") -> None:
    """Open the file, then intend, record and pay out the same trades as every other process."""
    barrier.wait()
    ledger = Ledger.open(url, busy_ms=30_000)
    ledger.open_account(ACCOUNT, "polymarket", D(1000))
    fresh = []
    for number in range(TRADES):
        of = plan(f"t{number}")
        orders = [terms(of.trade_id, leg) for leg in range(2)]
        pairs = [(order, order_id(order)) for order in orders]
        fresh.append(ledger.intend(pairs, account=ACCOUNT, workflow_id="w", lease_id="l"))
        ledger.record(record([view(order, fill(f"f{order.leg}")) for order in orders], of=of))
    ledger.book_payout(ACCOUNT, "polymarket", "y0", D(10 * TRADES), D(10 * TRADES), "resolved y0")
    ledger.close()
    answers.put(fresh)


def test_processes_that_do_the_same_at_once_do_it_once(url: str, tmp_path: Path):
    """From a file that does not exist yet: one migrates, one sends each order, and the books count each fill once."""
    barrier, answers = spawn.Barrier(PROCESSES), spawn.Queue()
    workers = [spawn.Process(target=_work, args=(url, barrier, answers)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    fresh = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(timeout=60)
        assert worker.exitcode == 0
    for number in range(TRADES):
        assert [sum(one[number][leg] for one in fresh) for leg in range(2)] == [1, 1]
    ledger = Ledger.open(url)
    paid = D("4.096") * 2 * TRADES
    assert ledger.cash(ACCOUNT) == D(1000) - paid + 10 * TRADES
    assert ledger.positions(ACCOUNT) == {"y1": D(10 * TRADES)}
    assert ledger.fees(ACCOUNT) == D("0.192") * TRADES
    assert ledger.postings_balance() == 0
    ledger.close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [(SCHEMA,)]
    raw.close()


def _open_first(folder: str, barrier: Barrier) -> None:
    for number in range(ROUNDS):
        engine = database.create(f"sqlite:///{folder}/{number}", "full", 5_000)
        barrier.wait()
        database._use_wal(engine, 5_000)
        engine.dispose()


def test_first_openers_at_once_all_get_their_turn(tmp_path: Path):
    """SQLite answers "locked" at once, whatever its timeout, when several switch a new file to WAL together."""
    barrier = spawn.Barrier(PROCESSES)
    workers = [spawn.Process(target=_open_first, args=(str(tmp_path), barrier)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
        assert worker.exitcode == 0
