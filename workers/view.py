"""The live view of `arbsaga up` in a terminal, and plain lines where there is none."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from arbsaga.saga.messages import Phase
from workers.board import Board, TradeLine
from workers.trade_event import LegPhase

MARKS: Mapping[str, tuple[str, str]] = {
    LegPhase.PLANNED: ("·", "dim"),
    LegPhase.UNKNOWN: ("?", "bold magenta"),
    LegPhase.RESTING: ("◌", "yellow"),
    LegPhase.PARTLY: ("◐", "yellow"),
    LegPhase.FILLED: ("●", "cyan"),
    LegPhase.SETTLED: ("✔", "green"),
    LegPhase.MISSED: ("✗", "red"),
    LegPhase.UNDONE: ("↩", "blue"),
}
PHASE_STYLE: Mapping[Phase, str] = {
    Phase.COMMITTED: "bold green",
    Phase.HEDGED: "cyan",
    Phase.SETTLING: "cyan",
    Phase.FLAT: "blue",
    Phase.UNWINDING: "yellow",
    Phase.HELD: "bold red",
    Phase.REFUSED: "dim",
}
ENDINGS = (Phase.COMMITTED, Phase.FLAT, Phase.HELD, Phase.REFUSED)
FIXED_LINES = 14
"""Lines of a screen that are not trades: header, capital, table head, legend, alerts, footer."""
SHOWN_ALERTS = 3
DRAW_EVERY_S = 0.25
BAR_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Header:
    """What stands above everything: the mode, the addresses, what the run is for."""

    mode: str
    ui: str
    data_dir: str
    goal: str = ""


def render(board: Board, header: Header, height: int) -> RenderableType:
    """The whole screen, `height` lines at most."""
    return Group(
        _head(board, header),
        _capital(board),
        _trades(board, rows=max(3, height - FIXED_LINES - _spans(board))),
        _legend(),
        _alerts(board),
        _foot(board),
    )


def _head(board: Board, header: Header) -> RenderableType:
    grid = Table.grid(expand=True)
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    seconds = int(time.monotonic() - board.began)
    name = Text.assemble(("arbsaga", "bold"), f" {header.mode} · {seconds // 60:02d}:{seconds % 60:02d}")
    for note in (header.goal, board.doing):
        if note:
            name.append(f" · {note}", "dim")
    grid.add_row(name, Text.assemble(("Temporal UI ", "dim"), (header.ui, f"underline link {header.ui}")))
    return grid


def _capital(board: Board) -> RenderableType:
    capital = board.capital
    total = sum(capital.values(), Decimal(0))
    line = Text(no_wrap=True)
    for key, style in (("free", "green"), ("reserved", "yellow"), ("invested", "cyan")):
        line.append(f"{key} ", "dim").append(f"${capital.get(key, Decimal(0)):.2f}", style).append("   ")
    line.append_text(_bar(capital, total))
    profit = board.profit
    line.append("   profit ", "dim").append(f"{'-' if profit < 0 else '+'}${abs(profit):.2f}", _money_style(profit))
    if _spans(board):
        line.append("\nin the market ", "dim")
        for place, usd in board.locked.items():
            line.append(f"{place} ", "dim").append(f"${usd:.2f}   ")
    return Panel(line, title="capital", title_align="left", border_style="dim")


def _spans(board: Board) -> bool:
    """Whether trades have money at more than one venue, or in more than one pocket: that is a line of its own."""
    return len(board.locked) > 1


def _bar(capital: Mapping[str, Decimal], total: Decimal) -> Text:
    bar = Text()
    used = 0
    for key, style in (("invested", "cyan"), ("reserved", "yellow")):
        cells = int(capital.get(key, Decimal(0)) / total * BAR_WIDTH) if total else 0
        bar.append("█" * cells, style)
        used += cells
    return bar.append("░" * (BAR_WIDTH - used), "dim")


def _trades(board: Board, rows: int) -> RenderableType:
    table = Table(expand=True, box=None, pad_edge=False, header_style="dim")
    table.add_column("time", no_wrap=True, width=8)
    table.add_column("event", no_wrap=True, ratio=1, overflow="ellipsis")
    table.add_column("basket", no_wrap=True, width=6)
    table.add_column("edge", justify="right", no_wrap=True, width=6)
    table.add_column("size", justify="right", no_wrap=True, width=6)
    table.add_column("legs", no_wrap=True, width=8)
    table.add_column("phase", no_wrap=True, width=10)
    table.add_column("profit", justify="right", no_wrap=True, width=7)
    lines = _newest(board, rows)
    for line in lines:
        table.add_row(*_row(line))
    for _ in range(rows - len(lines)):
        table.add_row()
    return table


def _newest(board: Board, rows: int) -> list[TradeLine]:
    """The newest trades, and every open one as long as there is room; newest first."""
    everything = list(board.trades.values())[::-1]
    shown = sorted(everything, key=lambda line: line.ended)[:rows]
    return sorted(shown, key=lambda line: -int(line.event["decided_ms"]))


def _row(line: TradeLine) -> tuple[Text, ...]:
    event = line.event
    at = time.strftime("%H:%M:%S", time.localtime(int(event["decided_ms"]) / 1000))
    title = Text(str(event["title"]))
    if event.get("days"):
        title.append(f"  pays in {event['days']} d", "dim")
    if event["reason"] and line.phase is not Phase.COMMITTED:
        title.append(f"  {event['reason']}", "dim italic")
    return (
        Text(at, "dim"),
        title,
        Text(str(event["basket"])),
        Text(f"{float(event['edge']):+.1f}%"),
        Text(f"{float(event['size']):g}"),
        _marks(event),
        Text(line.phase.value, PHASE_STYLE.get(line.phase, "")),
        _money(event["profit"]),
    )


def _marks(event: Mapping[str, Any]) -> Text:
    """One mark for each leg; before it the venue's first letter where the legs are at several."""
    marks = Text()
    several = len({leg.get("venue", "") for leg in event["legs"]}) > 1
    for leg in event["legs"]:
        marks.append(leg["venue"][0] if several else "", "dim").append(*MARKS[leg["phase"]])
    return marks


def _money(text: str) -> Text:
    if not text:
        return Text("")
    value = Decimal(text)
    return Text(f"{value:+.2f}", _money_style(value))


def _money_style(value: Decimal) -> str:
    return "red" if value < 0 else "green"


def _legend() -> RenderableType:
    text = Text("each leg: ", "dim", justify="left", no_wrap=True, overflow="crop")
    for name, (mark, style) in MARKS.items():
        text.append(f"{mark} ", style).append(f"{name}  ", "dim")
    return text


def _alerts(board: Board) -> RenderableType:
    shown = list(board.alerts)[-SHOWN_ALERTS:]
    text = Text("\n".join(shown) if shown else "none", "red" if shown else "dim", no_wrap=True, overflow="ellipsis")
    text.append("\n" * (SHOWN_ALERTS - max(1, len(shown))))
    return Panel(text, title="alerts", title_align="left", border_style="red" if shown else "dim")


def _foot(board: Board) -> RenderableType:
    counts = "  ".join(f"{phase.value.lower()} {board.count(phase)}" for phase in ENDINGS)
    text = Text(f"trades {board.sent}  {counts}  open {len(board.open)}", no_wrap=True, overflow="ellipsis")
    text.append(f"   messages {board.stats.get('messages', 0):,}", "dim")
    if board.down:
        text.append("\n" + ", ".join(f"{name} {state}" for name, state in board.down.items()), "bold yellow")
    else:
        text.append("\nCtrl-C stops; open trades go on with the next `arbsaga up`", "dim")
    return text


class View(Protocol):
    """Shows a run as it goes. A context manager: the screen is given back at the end."""

    def __enter__(self) -> object:
        """Take the screen."""

    def __exit__(self, *_: object) -> None:
        """Give it back."""

    def feed(self, process: str, event: Mapping[str, Any]) -> None:
        """Hear one event of a process."""

    def refresh(self, board: Board) -> None:
        """Draw what changed."""


class LiveView:
    """The whole screen of a terminal, drawn four times a second."""

    def __init__(self, console: Console, header: Header) -> None:
        self._console, self._header = console, header
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._drawn = 0.0

    def __enter__(self) -> "LiveView":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def feed(self, process: str, event: Mapping[str, Any]) -> None:
        """Nothing: the next drawing shows it."""

    def refresh(self, board: Board) -> None:
        """Draw, at most four times a second."""
        if time.monotonic() - self._drawn < DRAW_EVERY_S:
            return
        self._drawn = time.monotonic()
        self._live.update(render(board, self._header, self._console.height), refresh=True)


class PlainView:
    """One line for each thing that happened, for pipes and logs."""

    def __init__(self, console: Console, header: Header) -> None:
        self._console, self._header = console, header

    def __enter__(self) -> "PlainView":
        self._say(f"arbsaga {self._header.mode}: Temporal UI {self._header.ui}, data in {self._header.data_dir}")
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was taken."""

    def feed(self, process: str, event: Mapping[str, Any]) -> None:
        """Print the event if a person would want to read it."""
        line = _plain_line(process, event)
        if line:
            self._say(line)

    def refresh(self, board: Board) -> None:
        """Nothing: every line is printed as it comes."""

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, markup=False, highlight=False)


def _plain_line(process: str, event: Mapping[str, Any]) -> str:
    match event["event"]:
        case "trade":
            return _plain_trade(event["trade"])
        case "alert":
            return f"ALERT {event.get('text', '')}"
        case "note":
            return str(event["text"])
        case "died":
            return f"{process} died (exit code {event['exit_code']}), restarting in {event['restart_in_s']} s"
        case "ready":
            return f"{process} is ready"
    return ""


def _plain_trade(trade: Mapping[str, Any]) -> str:
    marks = _marks(trade).plain
    days = f" pays in {trade['days']} d" if trade.get("days") else ""
    profit = f" profit {Decimal(trade['profit']):+.2f}" if trade["profit"] else ""
    reason = f" ({trade['reason']})" if trade["reason"] else ""
    return (
        f"{trade['trade_id']} {trade['phase']} {trade['title']} {trade['basket']} "
        f"edge {trade['edge']}% size {trade['size']} legs {marks}{days}{profit}{reason}"
    )
