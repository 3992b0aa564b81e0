"""What processes say: events on standard output, logs without secrets, a budget of trades, a trade's story."""

import io
import json
import logging
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import structlog
from cli_make import plan, record
from rich.console import Console

from arbsaga.domain.money import Usd
from arbsaga.errors import UnknownThing, UserError, VenueError
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.saga.messages import Page, Phase, TradeRecord
from workers import console, logs, report, trade_names
from workers.story import tell, trades_table
from workers.summary import percentiles
from workers.trader import Budget, PhaseReports


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite", alert_log=tmp_path / "alerts.jsonl")
    made.open_account("main", "sim", Usd(Decimal(100)))
    return made


def printed(thing: object) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(thing)
    return out.getvalue()


def test_events_are_json_lines_and_anything_else_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    report.emit("stats", messages=3, usd=Decimal("1.50"))
    line = capsys.readouterr().out
    assert report.parse(line.encode()) == {"event": "stats", "messages": 3, "usd": "1.50"}
    assert report.parse(b"noise\n") is None
    assert report.parse(b'{"no": "event"}\n') is None
    assert report.parse(b"[1]\n") is None


def test_a_process_whose_supervisor_is_gone_does_not_fail_on_its_reports() -> None:
    code = "from workers.report import emit\nfor _ in range(9999): emit('stats', padding='x' * 100)\n"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_logs_are_json_lines_without_secrets(tmp_path: Path, own_logs: None) -> None:
    key = "ab" * 32
    logs.configure(tmp_path / "it.log")
    structlog.get_logger("part").info("signed", private_key=key, note=f"with 0x{key}!", order_id="0x" + key, n=1)
    logging.getLogger("library").warning("key %s leaked", key)
    logging.getLogger("httpx").info("too chatty")
    logs.close()
    first, second = [json.loads(line) for line in (tmp_path / "it.log").read_text().splitlines()]
    assert first["event"] == "signed"
    assert (first["private_key"], first["note"]) == ("***", "with ***!")
    assert first["order_id"] == "0x" + key
    assert second["event"] == "key *** leaked"


def test_the_budget_counts_trades_that_sent_an_order() -> None:
    budget = Budget(2)
    for name in ("a", "b"):
        assert budget.allows()
        budget.started(name)
    assert not budget.allows()
    budget.moved("a", Phase.VALIDATING)
    budget.moved("a", Phase.REFUSED)
    assert budget.allows()
    budget.started("c")
    budget.moved("b", Phase.PLACING)
    budget.moved("c", Phase.PLACING)
    budget.moved("c", Phase.COMMITTED)
    assert not budget.allows()
    budget.moved("b", Phase.REFUSED)
    assert budget.allows(), "placed again by a worker that was killed while it placed, it was too late"
    endless = Budget(None)
    endless.started("a")
    endless.moved("a", Phase.PLACING)
    assert endless.allows()


def test_phases_are_taken_out_of_the_log() -> None:
    heard: list[TradeRecord] = []
    reports = PhaseReports(heard.append)
    made = record(plan(), Phase.PLACING)
    phase = logging.makeLogRecord({"msg": "phase", "trade": made})
    other = logging.makeLogRecord({"msg": "the hand-over was made before"})
    assert (reports.filter(phase), reports.filter(other)) == (False, True)
    assert heard == [made]


def test_a_trade_is_found_by_its_id_or_its_ending(ledger: Ledger) -> None:
    for name in ("260101-aaaa1x", "260102-bbbb1x", "260103-cccc2y"):
        ledger.record(record(plan(name), Phase.REFUSED))
    found = trade_names.find(ledger, "cccc2y")
    assert found.row is not None
    assert found.row.trade_id == "260103-cccc2y"
    with pytest.raises(UnknownThing, match="2 trades end in '1x'"):
        trade_names.find(ledger, "1x")
    with pytest.raises(UnknownThing, match="no trade '' in the ledger"):
        trade_names.find(ledger, "")


async def test_the_story_tells_plan_orders_evidence_pages_and_result(ledger: Ledger, tmp_path: Path) -> None:
    ledger.record(record(plan(), Phase.HELD, "20", "0"))
    page = Page("T1", "T1/held", "trade held: look", (("spent", "8.10 USD"),), "decide")
    assert await Pager([], tmp_path / "alerts.jsonl", lambda _: None).deliver(page)
    story = ledger.trade("T1")
    assert story is not None
    told = printed(tell(story))
    for text in (
        "T1  HELD  because", "YES×2, 20 units that pay $1 each", "leg 0: BUY YES Runner 0: 20 @ 0.40 planned, 20 held",
        "order 0/1 (enter): BUY 20 @ 0.40 GTC YES Runner 0: done, 20 filled at 0.4000",
        "evidence  post: done, filled 20",
        "20 @ 0.40, fee $0.1, CONFIRMED", "page: trade held: look", "spent: 8.10 USD", "what to do: decide",
        "0 units hedged, $8.1",
    ):  # fmt: skip
        assert text in told, f"{text!r} is not in:\n{told}"


def test_the_table_of_trades_never_cuts_an_id(ledger: Ledger) -> None:
    assert "no trades yet" in printed(trades_table([]))
    ledger.record(record(plan("261120T120236977-rrd45f"), Phase.COMMITTED, "20", "20"))
    out = io.StringIO()
    Console(file=out, width=80).print(trades_table(ledger.trades()))
    assert "261120T120236977-rrd45f" in out.getvalue()


@pytest.mark.parametrize(
    ("values", "p50", "p99"), [([], None, None), ([3.0], 3.0, 3.0), ([float(n) for n in range(1, 201)], 100.0, 198.0)]
)
def test_percentiles_are_by_nearest_rank(values: list[float], p50: float | None, p99: float | None) -> None:
    assert percentiles(values) == {"p50": p50, "p99": p99}


def test_of_several_errors_at_once_the_one_to_mend_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> int:
        raise ExceptionGroup("two", [VenueError("odd"), ExceptionGroup("inner", [UserError("mend this")])])

    assert console.guarded(fails) == 2
    assert capsys.readouterr().err == "arbsaga: mend this\n"


def test_a_supervised_process_tells_its_supervisor_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> int:
        raise UserError("mend this")

    monkeypatch.setenv("_ARBSAGA_PARENT", "1")
    assert console.guarded(fails) == 2
    assert json.loads(capsys.readouterr().out) == {"event": "error", "text": "mend this"}


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (SystemExit(3), 3), (SystemExit("x"), 1)])
def test_interrupts_and_exits_keep_their_codes(error: BaseException, code: int) -> None:
    def fails() -> int:
        raise error

    assert console.guarded(fails) == code
