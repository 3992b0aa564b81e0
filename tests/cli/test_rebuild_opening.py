"""No opening balance is told while trades go on: what they moved and nobody has booked would count as opening."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from arbsaga_command import Arbsaga
from cli_make import plan, record

from arbsaga.config import load
from arbsaga.domain.money import Usd
from arbsaga.errors import Unavailable
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import Phase
from workers.histories import History
from workers.trader_process import Parts, prepare_account

AWAY = {
    "ARBSAGA_TEMPORAL__ADDRESS": "127.0.0.1:1",
    "ARBSAGA_VENUE__CLOB_URL": "http://127.0.0.1:1",
    "ARBSAGA_VENUE__PRIVATE_KEY": "0x" + "5a" * 32,
}


def openings(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [entry for (entry,) in connection.execute("SELECT entry FROM postings WHERE entry LIKE 'opening/%'")]


def test_a_rebuild_tells_no_opening_while_a_trade_goes_on(
    said: Arbsaga, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the place of the lost one all the same: its fence is whole, and trades can end on it."""

    async def connected(_settings: object) -> object:
        return object()

    async def one_runs(_client: object) -> AsyncIterator[History]:
        yield History("T1", "main", run_id="r")
        yield History("T2", "main", run_id="r", watch=True)

    monkeypatch.setattr("workers.commands.ledger.connect", connected)
    monkeypatch.setattr("workers.rebuild.on_server", one_runs)
    (tmp_path / "data").mkdir()
    done = said("ledger", "rebuild", "--data-dir", "data", "--replace", env=AWAY)
    assert done.code == 1, done
    assert "1 trades that go on, so no opening balance: `arbsaga worker` ends them" in done.out
    assert openings(tmp_path / "data" / "ledger.sqlite") == []


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "ledger.sqlite"


async def prepare(path: Path, monkeypatch: pytest.MonkeyPatch, *on_server: History, before: Callable = str) -> None:
    """On a new ledger to which this happened `before`, with these running on the server."""

    async def cash() -> Usd:
        return Usd(Decimal("83.80"))

    async def running(_client: object, _account: str) -> list[History]:
        return list(on_server)

    async def listing(market: str) -> SimpleNamespace:
        return SimpleNamespace(winner=None, value=None)

    monkeypatch.setattr("workers.trader_process.running", running)
    ledger = Ledger.open(f"sqlite:///{path}")
    try:
        before(ledger)
        venue = SimpleNamespace(name="sim", cash=cash, listing=listing)
        await prepare_account(Parts(load(), ledger, venue, None, None), path)  # type: ignore[arg-type]  # all it asks
        assert ledger.cash("main") == Decimal("83.80")
    finally:
        ledger.close()


async def test_a_trader_opens_an_account_when_nothing_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first start; and one on a rebuilt ledger, whose HELD trade, watched on, is booked as far as it went."""
    held = record(plan("T2"), Phase.HELD, "20", "20")
    watch = History("T2", "main", watch=True)
    await prepare(path, monkeypatch, watch, before=lambda ledger: ledger.record(held))
    assert openings(path)[0] == "opening/main/sim"


def intend(ledger: Ledger) -> None:
    orders = [(view.terms, view.order_id) for view in record(plan(), Phase.COMMITTED, "20", "20").orders]
    ledger.intend(orders, account="main", workflow_id="w", lease_id="l")


@pytest.mark.parametrize(
    ("on_server", "before"),
    [([History("T1", "main")], str), ([History("T1", "main", watch=True)], str), ([], intend)],
    ids=["a trade runs", "a HELD one that the ledger does not have", "orders in flight"],
)
async def test_a_trader_refuses_a_ledger_that_was_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch, on_server: list[History], before: Callable
) -> None:
    """One line that says what to run, and no opening balance."""
    with pytest.raises(Unavailable, match=r"^1 trades go on \(as T1\).*`arbsaga ledger rebuild --replace`"):
        await prepare(path, monkeypatch, *on_server, before=before)
    assert openings(path) == []


async def test_an_account_that_is_open_is_not_asked_about(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every later start, with trades that go on: nothing is refused, nothing booked."""
    await prepare(path, monkeypatch)
    await prepare(path, monkeypatch, History("T1", "main"))
    assert len(set(openings(path))) == 1
