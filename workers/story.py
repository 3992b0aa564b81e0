"""A trade's story for a person: what was planned, what each order did and how that is known, what it came to."""

import time
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from arbsaga.domain.baskets import Leg
from arbsaga.domain.money import NO_USD, ZERO
from arbsaga.domain.orders import Fill, FillStatus, OrderView
from arbsaga.ledger import TradeRow, TradeStory
from arbsaga.saga.messages import TradePlan
from workers.exposure import plain
from workers.realised import Realised
from workers.trade_event import basket_name
from workers.view import PHASE_STYLE

ID_WIDTH = 23
"""Characters of a trade's id: it is there to be copied, so it is never cut."""


def tell(story: TradeStory, result: Realised | None = None) -> RenderableType:
    """The whole story, oldest first. `result`: what it came to, where its markets have paid."""
    return Group(*_parts(story, result))


def trades_table(rows: list[TradeRow]) -> RenderableType:
    """Trades at a glance, one line each."""
    if not rows:
        return Text("no trades yet", "dim")
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("trade", no_wrap=True, min_width=ID_WIDTH)
    table.add_column("basket", no_wrap=True, min_width=6)
    table.add_column("event", no_wrap=True, overflow="ellipsis")
    table.add_column("phase", no_wrap=True, min_width=9)
    for name in ("size", "edge", "spent", "profit"):
        table.add_column(name, justify="right", no_wrap=True, min_width=5)
    table.add_column("why", overflow="ellipsis", no_wrap=True)
    for row in rows:
        table.add_row(
            row.trade_id,
            basket_name(row.plan.basket),
            row.plan.basket.title,
            Text(row.phase, PHASE_STYLE.get(row.phase, "")),
            f"{row.plan.units.normalize():f}",
            f"{row.plan.edge:+.2f}",
            f"{row.spent:.2f}",
            f"{row.profit:+.2f}",
            row.reason,
        )
    return table


def _parts(story: TradeStory, result: Realised | None) -> Iterator[RenderableType]:
    if story.row is not None:
        yield from _plan(story.row)
    for view in story.orders:
        yield from _order(view)
    for alert in story.alerts:
        yield Text(f"{_clock(alert.time_ms)}  page: {alert.page.headline}", "red")
        yield from (Text(f"    {name}: {text}") for name, text in alert.page.facts)
        told = f"told {', '.join(alert.sent)}" if alert.sent else "on the alert log only"
        yield Text(f"    what to do: {alert.page.to_do} ({told})", "dim")
    if story.row is not None:
        yield _result(story.row, result)


def _plan(row: TradeRow) -> Iterator[RenderableType]:
    plan = row.plan
    yield Text.assemble(
        (plan.trade_id, "bold"), "  ", (row.phase.value, PHASE_STYLE.get(row.phase, "")), f"  {row.reason}"
    )
    yield Text(
        f"{plan.basket.title}: {basket_name(plan.basket)}, {plan.units} units that pay ${plan.basket.payout} each"
    )
    yield Text(
        f"{_clock(plan.decided_ms)}  decided: cost ${plan.cost}, fees ${plan.fees}, edge ${plan.edge}; "
        f"${plan.reserved} reserved from lease {plan.lease_id}"
    )
    yield from _legs(plan, row)


def _result(row: TradeRow, result: Realised | None) -> RenderableType:
    spent = f"{row.hedged} units hedged, ${row.spent} spent (fees ${row.fees})"
    if result is None:
        return Text(f"{_clock(row.updated_ms)}  {spent}, pays ${row.payout}: profit ${row.profit}")
    promised = f"promised were ${plain(row.payout)}, profit ${plain(row.profit)}"
    told = f"{_clock(row.updated_ms)}  {spent}, paid ${plain(result.paid)}: profit ${plain(result.profit)} ({promised})"
    return Text(f"{told}; its pair resolved differently", "red") if result.differently else Text(told)


def _legs(plan: TradePlan, row: TradeRow) -> Iterator[RenderableType]:
    several = len({leg.instrument.venue for leg in plan.basket.legs}) > 1
    for index, (planned, leg, result) in enumerate(zip(plan.legs, plan.basket.legs, row.legs, strict=True)):
        surplus = f", {result.surplus} of it surplus" if result.surplus else ""
        where = _place(leg) if several else ""
        yield Text(
            f"  leg {index}{where}: {leg.side} {leg.instrument.outcome} {leg.instrument.title}: "
            f"{planned.size} @ {planned.limit} planned, {result.held} held{surplus}, ${result.spent} spent"
        )


def _place(leg: Leg) -> str:
    """Where a leg is, with the part of the account that pays for it."""
    instrument = leg.instrument
    return f" at {instrument.venue}" + (f"/{instrument.rules.pocket}" if instrument.rules.pocket else "")


def _order(view: OrderView) -> Iterator[RenderableType]:
    terms = view.terms
    yield Text(
        f"{_clock(terms.created_ms)}  order {terms.leg}/{terms.attempt} ({terms.purpose}): {terms.side} {terms.size} "
        f"@ {terms.limit} {terms.time_in_force} {terms.instrument.outcome} {terms.instrument.title}: "
        f"{view.state}, {view.known} filled{_average(view)}" + (f" ({view.reason})" if view.reason else ""),
        "bold",
    )
    yield Text(f"    id {view.order_id}", "dim")
    for line in view.evidence:
        yield Text(f"    evidence  {line}")
    for fill in view.fills:
        yield _fill(fill)


def _average(view: OrderView) -> str:
    alive = [fill for fill in view.fills if fill.status is not FillStatus.FAILED]
    shares = sum((fill.size for fill in alive), ZERO)
    if not shares:
        return ""
    cost = sum((fill.size * fill.price for fill in alive), NO_USD)
    return f" at {cost / shares:.4f}"


def _fill(fill: Fill) -> RenderableType:
    return Text(
        f"    fill {_clock(fill.time_ms)}  {fill.size} @ {fill.price}, fee ${fill.fee}, {fill.status} ({fill.fill_id})"
    )


def _clock(time_ms: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(time_ms / 1000)) + f".{time_ms % 1000:03d}"
