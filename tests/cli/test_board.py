"""What the live view and the summary know: phases of legs, counts, times, capital, and how it is drawn."""

import io
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from cli_make import NOW, plan, record
from rich.console import Console

from arbsaga.domain.money import Usd
from arbsaga.domain.orders import FillStatus, OrderState, OrderView, Purpose
from arbsaga.saga.messages import Phase
from arbsaga.saga.trade import Trade
from workers import trade_event
from workers.board import Board
from workers.trade_event import LegPhase, leg_phase
from workers.up import IDLE_S, Idle
from workers.view import Header, LiveView, PlainView, render

HEADER = Header("paper", "http://127.0.0.1:8233", "/data", "5 trades")


def moved(phase: Phase, at: int, trade_id: str = "T1", **changes: Any) -> dict[str, Any]:
    started = trade_event.of_record(Trade(plan(trade_id)).record(phase, "", NOW + at))
    event = started | {"profit": ""} | changes
    return {"event": "trade", "trade": event}


def board(*events: dict[str, Any]) -> Board:
    made = Board()
    for event in events:
        made.feed("trader", event)
    return made


def drawn(made: Board, width: int = 100, height: int = 30) -> str:
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=False)
    console.print(render(made, HEADER, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def order(filled: str, state: OrderState = OrderState.DONE, status: FillStatus = FillStatus.MATCHED) -> OrderView:
    (view, _) = record(plan(), Phase.WATCHING, filled, "0", status=status).orders
    return OrderView(view.terms, view.order_id, state, view.fills, view.matched)


def undoing(filled: str) -> OrderView:
    view = order(filled)
    return replace(view, terms=replace(view.terms, purpose=Purpose.EXIT, attempt=2))


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ([], LegPhase.PLANNED),
        ([order("0", OrderState.UNKNOWN)], LegPhase.UNKNOWN),
        ([order("0", OrderState.LIVE)], LegPhase.RESTING),
        ([order("5", OrderState.LIVE)], LegPhase.PARTLY),
        ([order("5")], LegPhase.PARTLY),
        ([order("20")], LegPhase.FILLED),
        ([order("20", status=FillStatus.CONFIRMED)], LegPhase.SETTLED),
        ([order("0")], LegPhase.MISSED),
        ([order("20"), undoing("20")], LegPhase.UNDONE),
    ],
)
def test_the_phase_of_a_leg_follows_from_its_orders(orders: list[OrderView], expected: LegPhase) -> None:
    assert leg_phase(orders) is expected


def test_a_trade_is_shown_with_its_edge_its_profit_and_its_legs() -> None:
    ended = trade_event.of_record(record(plan(), Phase.COMMITTED, "20", "20"))
    assert (ended["basket"], ended["edge"], ended["profit"]) == ("YES×2", "20.00", "3.80")
    assert [leg["phase"] for leg in ended["legs"]] == [LegPhase.SETTLED, LegPhase.SETTLED]


def test_a_refused_trade_shows_no_profit() -> None:
    assert trade_event.of_record(record(plan(), Phase.REFUSED))["profit"] == ""


def test_only_trades_past_validation_count_as_sent() -> None:
    made = board(moved(Phase.VALIDATING, 0), moved(Phase.WATCHING, 5), moved(Phase.VALIDATING, 0, "T2"))
    assert (made.sent, made.done, len(made.open)) == (1, 0, 2)
    made.feed("trader", moved(Phase.REFUSED, 9, "T2"))
    assert (made.sent, made.done, len(made.open), made.count(Phase.REFUSED)) == (1, 0, 1, 1)
    made.feed("trader", moved(Phase.COMMITTED, 99))
    assert (made.sent, made.done) == (1, 1)


def test_a_trade_that_a_killed_trader_was_placing_may_have_sent_nothing() -> None:
    """Its worker said PLACING before the server had it: lived again, it was too late. A run of 4 ended with 3."""
    made = board(moved(Phase.PLACING, 5), moved(Phase.PLACING, 5, "T2"))
    assert (made.sent, len(made.open)) == (0, 2)
    made.feed("trader", moved(Phase.REFUSED, 3_000))
    made.feed("trader", moved(Phase.FLAT, 3_000, "T2"))
    assert (made.sent, made.done) == (1, 1)


def test_done_is_the_first_hedge_or_the_end() -> None:
    hedged = board(moved(Phase.PLACING, 5), moved(Phase.HEDGED, 40), moved(Phase.COMMITTED, 9_000))
    assert hedged.trades["T1"].done_ms == 40
    flat = board(moved(Phase.PLACING, 5), moved(Phase.FLAT, 700))
    assert flat.trades["T1"].done_ms == 700
    assert board(moved(Phase.PLACING, 5)).trades["T1"].done_ms is None


def test_a_late_event_does_not_take_a_trade_back() -> None:
    made = board(moved(Phase.COMMITTED, 900), moved(Phase.SETTLING, 100))
    assert made.trades["T1"].phase is Phase.COMMITTED


def test_profit_is_that_of_ended_trades() -> None:
    made = board(moved(Phase.FLAT, 1, profit="-0.25"), moved(Phase.COMMITTED, 1, "T2", profit="1.00"))
    assert made.profit == Decimal("0.75")


def test_a_run_of_months_keeps_only_the_sums_of_old_trades(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.board.KEPT_TRADES", 3)
    made = board(moved(Phase.UNWINDING, 1, "OPEN"), moved(Phase.REFUSED, 1, "R"))
    for at in range(9):
        made.feed("trader", moved(Phase.COMMITTED, at, f"N{at}", profit="0.50"))
    assert len(made.trades) == 3
    assert "OPEN" in made.trades
    assert (made.sent, made.count(Phase.COMMITTED), made.count(Phase.REFUSED), made.profit) == (
        10,
        9,
        1,
        Decimal("4.5"),
    )


def test_messages_counted_before_a_restart_are_kept() -> None:
    made = board({"event": "stats", "messages": 100}, {"event": "died", "exit_code": -9, "restart_in_s": 0.1})
    made.feed("trader", {"event": "stats", "messages": 7})
    assert made.stats["messages"] == 107
    assert made.restarts == 1
    assert "trader" in made.down
    made.feed("trader", {"event": "ready"})
    assert made.down == {}


def test_the_screen_fits_and_shows_what_matters() -> None:
    made = board(
        *(moved(Phase.COMMITTED, at, f"T{at}", profit="1.23") for at in range(40)),
        moved(Phase.UNWINDING, 50, "T99"),
        {"event": "capital", "free": "61.50", "reserved": "8", "invested": "30.5"},
        {"event": "stats", "messages": 12_345},
        {"event": "alert", "text": "trade held: look at it"},
    )
    screen = drawn(made)
    assert len(screen.splitlines()) <= 30
    assert max(len(line) for line in screen.splitlines()) <= 100
    for text in (
        "http://127.0.0.1:8233", "free $61.50", "reserved $8.00", "invested $30.50", "Who wins the race", "+20.0%",
        "UNWINDING", "+1.23", "profit +$49.20", "trade held: look at it", "messages 12,345", "committed 40", "open 1",
    ):  # fmt: skip
        assert text in screen, text


def test_an_empty_and_a_small_screen_can_be_drawn() -> None:
    assert "alerts" in drawn(Board())
    assert "capital" in drawn(board(moved(Phase.PLACING, 1)), width=60, height=15)


def test_an_open_trade_stays_on_the_screen_under_newer_ended_ones() -> None:
    made = board(moved(Phase.HELD, 1), moved(Phase.UNWINDING, 1, "OLD", title="the old one"))
    for at in range(60):
        made.feed("trader", moved(Phase.COMMITTED, at, f"N{at}", decided_ms=NOW + at))
    assert "the old one" in drawn(made)


def test_the_live_view_draws_and_gives_the_screen_back() -> None:
    console = Console(width=100, height=30, file=io.StringIO(), force_terminal=True)
    with LiveView(console, HEADER) as view:
        view.feed("trader", moved(Phase.PLACING, 1))
        view.refresh(board(moved(Phase.PLACING, 1)))
    assert isinstance(console.file, io.StringIO)
    assert "PLACING" in console.file.getvalue()
    assert console.file.getvalue().endswith("\x1b[?25h\x1b[?1049l")


def test_without_a_terminal_each_event_is_one_line() -> None:
    console = Console(width=40, file=io.StringIO())
    with PlainView(console, HEADER) as view:
        view.feed("trader", {"event": "ready"})
        view.feed("trader", {"event": "stats", "messages": 3})
        view.feed("trader", {"event": "trade", "trade": trade_event.of_record(record(plan(), Phase.FLAT, "20", "0"))})
        view.feed("trader", {"event": "alert", "text": "look"})
        view.feed("trader", {"event": "died", "exit_code": 1, "restart_in_s": 0.5})
        view.refresh(Board())
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines == [
        "arbsaga paper: Temporal UI http://127.0.0.1:8233, data in /data",
        "trader is ready",
        "T1 FLAT Who wins the race? YES×2 edge 20.00% size 20 legs ✔✗ profit -8.10 (because)",
        "ALERT look",
        "trader died (exit code 1), restarting in 0.5 s",
    ]


def counted(**stats: int) -> dict[str, Any]:
    return {"event": "stats", **stats}


def test_gauges_of_a_restarted_trader_are_not_added_to_those_before() -> None:
    made = board(counted(messages=100, books=50), {"event": "died", "exit_code": -9}, counted(messages=7, books=3))
    assert (made.stats["messages"], made.stats["books"]) == (107, 3)


WATCHING = counted(events=3, books=20, baskets=9)
CAPITAL = {"event": "capital", "free": "40", "reserved": "0", "invested": "60", "halted": ""}


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([counted(events=0, books=0)], "the venue lists no open event"),
        ([counted(events=3, books=0)], "no book is live: the venue's stream of books says nothing"),
        ([WATCHING], "of 9 baskets none passes the gates"),
        ([WATCHING, CAPITAL], "of 9 baskets none passes the gates"),
        ([WATCHING, CAPITAL | {"free": "3.5"}], "only $3.50 of capital is free, until a market pays out"),
        ([WATCHING, CAPITAL | {"halted": "lunch"}], "trading is halted: lunch"),
        ([WATCHING, {"event": "died", "exit_code": 1}], "trader is down (exit code 1)"),
    ],
)
def test_a_run_without_trades_says_why(events: list[dict[str, Any]], why: str) -> None:
    assert board(*events).why_idle(Decimal(15)) == why


def test_a_run_that_waits_for_trades_says_why_once_for_each_reason() -> None:
    """`up --trades N` waited for ever on a dead stream without a word."""
    said: list[str] = []
    made = board(counted(events=3, books=0))
    idle = Idle(made, Usd(Decimal(15)), said.append)
    for now in (0.0, IDLE_S - 1, IDLE_S, IDLE_S + 1):
        idle.look(now)
    assert said == ["no trade for 30 s: no book is live: the venue's stream of books says nothing"]
    made.feed("trader", WATCHING)
    idle.look(IDLE_S + 2)
    assert len(said) == 2
    made.feed("trader", moved(Phase.PLACING, 5))
    for now in (IDLE_S + 3, 2 * IDLE_S):
        idle.look(now)
    assert len(said) == 2, "a trade came: it waits anew"


SPREAD = CAPITAL | {
    "locked": [
        {"venue": "kalshi", "pocket": "2", "usd": "7.1"},
        {"venue": "polymarket", "pocket": "", "usd": "30"},
    ]
}


def test_a_trade_over_two_venues_shows_the_venue_of_each_leg_and_when_it_pays() -> None:
    at = moved(Phase.COMMITTED, 5, days="0.4")
    for leg, venue in zip(at["trade"]["legs"], ("polymarket", "kalshi"), strict=True):
        leg["venue"] = venue
    screen = drawn(board(at, SPREAD), width=140)
    assert "in the market kalshi/2 $7.10   polymarket $30.00" in screen
    assert "pays in 0.4 d" in screen
    assert re.search(r"p\S+k\S+", screen), screen
    assert board(at).days == Decimal("0.4")


def test_money_at_one_venue_needs_no_line_of_its_own() -> None:
    one = CAPITAL | {"locked": [{"venue": "polymarket", "pocket": "", "usd": "30"}]}
    assert "in the market" not in drawn(board(one))
    assert board(one).locked == {"polymarket": Decimal(30)}
    assert board(moved(Phase.COMMITTED, 5)).days is None
