"""The end of a run: what the truth journal, the ledger and the board together say of it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from arbsaga.domain.orders import Purpose
from arbsaga.exchange.truth import Truth
from arbsaga.ledger import Ledger, TradeRow, TradeStory
from arbsaga.saga.messages import ENDS, Phase
from workers.board import Board
from workers.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Summary:
    """What `arbsaga up --trades/--for` answers. `fields` is its JSON object; `holds` decides the exit code."""

    fields: Mapping[str, Any]
    holds: bool
    failures: Sequence[str]


def summarize(
    verdict: Verdict,
    truth: Truth,
    ledger: Ledger,
    board: Board,
    *,
    since_ms: int,
    journal: Path,
    unended: int,
    journals: Mapping[str, Path] | None = None,
) -> Summary:
    """The summary of the trades that were open or decided at or after `since_ms`.

    `decision_to_wire_ms`: from the receipt of the deciding frame to the exchange's receipt of a trade's last entry
    order, on one monotonic clock. `done_ms`: from the decision to HEDGED, or to the end where it never was.
    `paid_in_part`: positions whose market was decided for neither side, so that a share paid between 0 and 1 USD.
    `journals` are all the truth journals by venue, where there are several; what is told of each venue comes with them.
    """
    rows = [row for row in ledger.trades() if row.updated_ms >= since_ms]
    stories = [story for row in rows if (story := ledger.trade(row.trade_id)) is not None]
    failures = _failures(verdict, rows, stories, unended)
    fields = {
        "trades": sum(1 for story in stories if story.orders),
        **{phase.value.lower(): sum(1 for row in rows if row.phase is phase) for phase in ENDS},
        "unended": unended,
        "orders_sent": verdict.orders_sent,
        "duplicate_orders": verdict.duplicate_orders,
        "unhedged_shares": float(verdict.unhedged_shares),
        "held_shares": float(verdict.held_shares),
        "residue_shares": float(verdict.residue_shares),
        "ledger_equals_exchange": verdict.ledger_equals_exchange,
        "fees_equal_billed": verdict.fees_equal_billed,
        "messages": board.stats.get("messages", 0),
        "profit_usd": float(verdict.profit_usd),
        "paid_in_part": sum(1 for paid in truth.payouts if paid.ms >= since_ms and 0 < paid.usd < paid.shares),
        "restarts": board.restarts,
        "truth_journal": str(journal),
        "decision_to_wire_ms": percentiles(_to_wire(truth, stories)),
        "done_ms": percentiles(board.done_ms(since_ms)),
        **(_of_venues(verdict, stories, journals, board) if journals else {}),
        "failures": failures,
    }
    return Summary(fields, not failures, failures)


def _of_venues(
    verdict: Verdict, stories: Iterable[TradeStory], journals: Mapping[str, Path], board: Board
) -> dict[str, Any]:
    """What only several venues have: trades between them, pairs that resolved differently, and each venue's part.

    A pair that resolved differently is no broken promise: it is the risk that a pair has, and it shows in the profit.
    """
    rows = [story.row for story in stories if story.row is not None and story.orders]
    cross = [row for row in rows if len({leg.instrument.venue for leg in row.plan.basket.legs}) > 1]
    return {
        "cross_trades": len(cross),
        "cross_committed": sum(row.phase is Phase.COMMITTED for row in cross),
        "resolved_differently": len(verdict.resolved_differently),
        "in_the_market_usd": {place: float(usd) for place, usd in board.locked.items()},
        "days_to_resolution": None if board.days is None else float(board.days),
        "truth_journals": {venue: str(path) for venue, path in journals.items()},
        "venues": {
            venue: {
                "orders": one.orders,
                "duplicates": one.duplicates,
                "cash_usd": float(one.cash),
                "fees_usd": float(one.fees),
                "cash_equal": not any(text.startswith(f"cash at {venue}:") for text in verdict.differences),
            }
            for venue, one in verdict.venues.items()
        },
    }


def _failures(verdict: Verdict, rows: Iterable[TradeRow], stories: Iterable[TradeStory], unended: int) -> list[str]:
    """Each broken promise as one line; none when the run holds."""
    alerted = {story.row.trade_id for story in stories if story.row and story.alerts}
    silent = [row.trade_id for row in rows if row.phase is Phase.HELD and row.trade_id not in alerted]
    checks = {
        f"{verdict.duplicate_orders} orders were sent twice": verdict.duplicate_orders != 0,
        f"{verdict.unhedged_shares} shares are unhedged: {'; '.join(verdict.exposures)}": verdict.unhedged_shares != 0,
        f"ledger and exchange differ: {'; '.join(verdict.differences)}": not verdict.ledger_equals_exchange,
        "fees booked are not the fees billed": not verdict.fees_equal_billed,
        f"{unended} trades had not ended in time": unended != 0,
        f"held without an alert: {', '.join(silent)}": bool(silent),
    }
    return [line for line, broken in checks.items() if broken]


def _to_wire(truth: Truth, stories: Iterable[TradeStory]) -> list[float]:
    """Milliseconds from each decision to the exchange's receipt of the last entry order."""
    found = []
    for story in stories:
        if story.row is None:
            continue
        entries = [view.order_id for view in story.orders if view.terms.purpose is Purpose.ENTER]
        received = [truth.orders[order_id].received_ns for order_id in entries if order_id in truth.orders]
        if received:
            found.append((max(received) - story.row.plan.decided_ns) / 1e6)
    return found


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """p50 and p99 by nearest rank; None where there is nothing to rank."""
    ranked = sorted(values)
    return {f"p{rank}": _nearest_rank(ranked, rank) for rank in (50, 99)}


def _nearest_rank(ranked: Sequence[float], rank: int) -> float | None:
    return round(ranked[math.ceil(rank / 100 * len(ranked)) - 1], 3) if ranked else None


def table(summary: Summary) -> RenderableType:
    """The summary for a person."""
    grid = Table(box=None, show_header=False, pad_edge=False)
    for name, value in summary.fields.items():
        if name != "failures":
            grid.add_row(Text(name.replace("_", " "), "dim"), _cell(value))
    ending = Text("every promise held", "bold green") if summary.holds else Text("NOT HELD", "bold red")
    return Group(grid, ending, *(Text(f"  {line}", "red") for line in summary.failures))


def _cell(value: object) -> Text:
    if isinstance(value, dict):
        return Text("   ".join(f"{key} {_cell(item).plain}" for key, item in value.items()))
    if isinstance(value, bool):
        return Text("yes" if value else "NO", "green" if value else "bold red")
    return Text(str(value))
