"""The summary at the end of a run: its JSON object, and each broken promise as one line."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web
from cli_make import NOW, plan, record

from arbsaga.domain.money import NO_SIZE, Size, Usd
from arbsaga.errors import Unavailable
from arbsaga.exchange.truth import TrueOrder, TruePayout, Truth
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.saga.messages import Page, Phase
from workers import exchange_admin
from workers.board import Board
from workers.exchange_admin import ExchangeAdmin
from workers.summary import Summary, summarize
from workers.verdict import Verdict

GOOD = Verdict(
    orders_sent=2,
    duplicate_orders=0,
    fees_equal_billed=True,
    differences=(),
    unhedged_shares=NO_SIZE,
    held_shares=NO_SIZE,
    residue_shares=NO_SIZE,
    profit_usd=Usd(Decimal("3.8")),
    rounding_usd=Usd(Decimal(0)),
    exposures=(),
)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite", alert_log=tmp_path / "alerts.jsonl")
    made.open_account("main", "sim", Usd(Decimal(100)))
    made.record(record(plan("OLD", decided_ms=NOW - 10_000), Phase.COMMITTED, "20", "20"))
    return made


def order(order_id: str, received_ns: int) -> TrueOrder:
    return TrueOrder(order_id, "yes0", "BUY", Decimal("0.4"), Decimal(20), 1, NOW, received_ns, False)


def summary(ledger: Ledger, verdict: Verdict = GOOD, unended: int = 0, since_ms: int = NOW) -> Summary:
    truth = Truth("0xme", orders={"0xT1/0/1": order("0xT1/0/1", 5_000_000), "0xT1/1/1": order("0xT1/1/1", 9_000_000)})
    return summarize(verdict, truth, ledger, Board(), since_ms=since_ms, journal=Path("truth.jsonl"), unended=unended)


def test_a_run_that_holds_tells_its_trades_and_times(ledger: Ledger) -> None:
    ledger.record(record(plan("T1"), Phase.COMMITTED, "20", "20"))
    ledger.record(record(plan("T2"), Phase.REFUSED))
    told = summary(ledger, since_ms=NOW)
    assert (told.holds, told.failures) == (True, [])
    counts = {name: told.fields[name] for name in ("trades", "committed", "flat", "held", "refused", "orders_sent")}
    assert counts == {"trades": 2, "committed": 2, "flat": 0, "held": 0, "refused": 1, "orders_sent": 2}
    assert told.fields["decision_to_wire_ms"] == {"p50": 9.0, "p99": 9.0}
    assert told.fields["profit_usd"] == 3.8


def test_positions_of_which_a_share_paid_less_than_a_dollar_are_told(ledger: Ledger) -> None:
    """A split decision, or a scalar value: neither won nor lost. Of earlier runs it is not told again."""
    truth = Truth("0xme")
    for shares, usd, ms in ((20, 10, NOW), (20, "5.2", NOW), (20, 20, NOW), (20, 0, NOW), (20, 10, NOW - 1)):
        truth.payouts.append(TruePayout("yes0", Decimal(shares), Decimal(usd), ms))
    told = summarize(GOOD, truth, ledger, Board(), since_ms=NOW, journal=Path("truth.jsonl"), unended=0)
    assert told.fields["paid_in_part"] == 2
    assert told.holds


def test_trades_of_earlier_runs_do_not_count(ledger: Ledger) -> None:
    assert summary(ledger, since_ms=NOW + 60_000).fields["trades"] == 0


@pytest.mark.parametrize(
    ("verdict", "unended", "words"),
    [
        (replace(GOOD, duplicate_orders=1), 0, "1 orders were sent twice"),
        (
            replace(GOOD, unhedged_shares=Size(Decimal(7)), exposures=("T1 leg 0",)),
            0,
            "7 shares are unhedged: T1 leg 0",
        ),
        (replace(GOOD, differences=("cash", "fills")), 0, "ledger and exchange differ: cash; fills"),
        (replace(GOOD, fees_equal_billed=False), 0, "fees booked are not the fees billed"),
        (GOOD, 3, "3 trades had not ended in time"),
    ],
)
def test_a_broken_promise_is_one_line_and_the_run_does_not_hold(
    ledger: Ledger, verdict: Verdict, unended: int, words: str
) -> None:
    told = summary(ledger, verdict, unended)
    assert (told.holds, told.failures, told.fields["failures"]) == (False, [words], [words])


async def test_a_held_trade_needs_an_alert(ledger: Ledger, tmp_path: Path) -> None:
    ledger.record(record(plan("T1"), Phase.HELD, "20", "0"))
    assert summary(ledger).failures == ["held without an alert: T1"]
    page = Page("T1", "T1/held", "trade held", (), "decide")
    assert await Pager([], tmp_path / "alerts.jsonl", lambda _: None).deliver(page)
    assert summary(ledger).holds


QUIET = {"pending_trades": [], "accounts": [{"open_orders": []}], "paused": True}
RESTING = {"pending_trades": [], "accounts": [{"open_orders": ["one"]}], "paused": True}


async def serving(answers: list[tuple[int, object]]) -> tuple[web.AppRunner, str, list[str]]:
    """A server that gives these answers in turn, the last one for ever."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path}")
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}", asked


async def test_settlement_is_waited_for_until_nothing_is_pending() -> None:
    going_on = {"pending_trades": [], "accounts": [], "paused": False}
    pending = {"pending_trades": [1], "accounts": [], "paused": True}
    runner, url, asked = await serving([(200, going_on), (200, {}), (200, pending), (200, RESTING), (200, QUIET)])
    async with ExchangeAdmin(url) as admin:
        await admin.settle(10)
    await runner.cleanup()
    assert asked == ["GET /admin/state", "POST /admin/pause"] + ["GET /admin/state"] * 5


async def test_an_exchange_that_was_restarted_is_paused_again() -> None:
    """It had forgotten: a market decided behind the verdict's back paid out what the ledger still held."""
    again = {"pending_trades": [], "accounts": [], "paused": False}
    runner, url, asked = await serving([(200, QUIET), (200, QUIET), (200, again), (200, {}), (200, QUIET)])
    async with ExchangeAdmin(url) as admin:
        await admin.settle(10)
    await runner.cleanup()
    assert asked == ["GET /admin/state"] * 3 + ["POST /admin/pause"] + ["GET /admin/state"] * 3


async def test_settlement_that_takes_too_long_is_left_to_the_verdict() -> None:
    """It is asked again and again until the time is over, and nothing is raised then."""
    runner, url, asked = await serving([(200, {"pending_trades": [1], "accounts": [], "paused": True})])
    async with ExchangeAdmin(url) as admin:
        await admin.settle(0.3)
    await runner.cleanup()
    assert asked.count("GET /admin/state") > 1


async def test_an_exchange_that_refuses_or_is_gone_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange_admin, "RESTART_LIMIT_S", 0.2)
    runner, url, _ = await serving([(400, {"error": "no"})])
    async with ExchangeAdmin(url) as admin:
        with pytest.raises(Unavailable, match=r"refused /admin/state: {'error': 'no'}"):
            await admin.state()
        await runner.cleanup()
        with pytest.raises(Unavailable, match="does not answer /admin/state"):
            await admin.state()
