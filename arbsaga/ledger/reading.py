"""From the ledger's rows to the domain's values."""

from sqlalchemy import ColumnElement, Connection, Row, select, text

from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderView
from arbsaga.ledger.models import fills, orders, postings, trades
from arbsaga.ledger.rows import EVIDENCE, LEGS, PLAN, TERMS, Intent, Posting, TradeRow
from arbsaga.saga.messages import Phase

Condition = ColumnElement[bool]

INTENTS = (
    select(orders, trades.c.phase)
    .outerjoin(trades, trades.c.trade_id == orders.c.trade_id)
    .order_by(orders.c.created_ms, orders.c.trade_id, orders.c.leg, orders.c.attempt)
)
STILL_OPEN = text("orders.state NOT IN ('done', 'absent')")


def intent(row: Row[tuple[object, ...]]) -> Intent:
    """A row of INTENTS."""
    return Intent(
        terms=TERMS.validate_json(row.terms),
        order_id=row.order_id,
        account=row.account,
        workflow_id=row.workflow_id,
        lease_id=row.lease_id,
        state=OrderState(row.state),
        phase=None if row.phase is None else Phase(row.phase),
    )


def trade_row(row: Row[tuple[object, ...]]) -> TradeRow:
    """A row of `trades`."""
    return TradeRow(
        trade_id=row.trade_id,
        account=row.account,
        phase=Phase(row.phase),
        reason=row.reason,
        plan=PLAN.validate_json(row.plan),
        legs=LEGS.validate_json(row.legs),
        hedged=row.hedged,
        payout=row.payout,
        spent=row.spent,
        fees=row.fees,
        profit=row.profit,
        decided_ms=row.decided_ms,
        updated_ms=row.updated_ms,
    )


def fill(row: Row[tuple[object, ...]]) -> Fill:
    """A row of `fills`."""
    return Fill(row.fill_id, row.size, row.price, row.fee, FillStatus(row.status), row.time_ms)


def story(
    connection: Connection, trade_id: str
) -> tuple[TradeRow | None, tuple[OrderView, ...], tuple[Posting, ...]] | None:
    """A trade's row, orders with fills and evidence, and postings; None when nothing is known of it."""
    row = connection.execute(select(trades).where(trades.c.trade_id == trade_id)).one_or_none()
    views = _views(connection, trade_id)
    if row is None and not views:
        return None
    lines = connection.execute(select(postings).where(postings.c.trade_id == trade_id).order_by(postings.c.id))
    return (
        None if row is None else trade_row(row),
        views,
        tuple(Posting(line.entry, line.book, line.unit, line.amount, line.time_ms) for line in lines),
    )


def _views(connection: Connection, trade_id: str) -> tuple[OrderView, ...]:
    query = select(orders).where(orders.c.trade_id == trade_id).order_by(orders.c.leg, orders.c.attempt)
    rows = connection.execute(query).all()
    known: dict[tuple[int, int], list[Fill]] = {(row.leg, row.attempt): [] for row in rows}
    query_fills = select(fills).where(fills.c.trade_id == trade_id).order_by(fills.c.time_ms, fills.c.fill_id)
    for row in connection.execute(query_fills):
        known[row.leg, row.attempt].append(fill(row))
    return tuple(
        OrderView(
            terms=TERMS.validate_json(row.terms),
            order_id=row.order_id,
            state=OrderState(row.state),
            fills=tuple(known[row.leg, row.attempt]),
            matched=row.matched,
            reason=row.reason,
            evidence=EVIDENCE.validate_json(row.evidence),
            denied_ms=row.denied_ms,
        )
        for row in rows
    )
