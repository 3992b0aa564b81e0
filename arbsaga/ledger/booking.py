"""Writing a trade and its postings, inside the caller's transaction."""

from collections.abc import Iterator

from sqlalchemy import Connection, and_, func, select, update
from sqlalchemy.dialects.sqlite import insert

from arbsaga.domain.money import ZERO, Size
from arbsaga.domain.orders import Fill, FillStatus, OrderTerms, OrderView
from arbsaga.errors import LedgerError
from arbsaga.ledger import models, reading
from arbsaga.ledger.postings import USD, Lines, difference, of_close, of_fill, position_book
from arbsaga.ledger.rows import EVIDENCE, LEGS, PLAN, TERMS
from arbsaga.saga.messages import TradeRecord

_TRADE_INSERT = insert(models.trades)
_TRADE = _TRADE_INSERT.on_conflict_do_update(
    index_elements=["trade_id"],
    set_={
        name: _TRADE_INSERT.excluded[name]
        for name in ("phase", "reason", "plan", "legs", "hedged", "payout", "spent", "fees", "profit", "updated_ms")
    },
    where=models.trades.c.updated_ms <= _TRADE_INSERT.excluded.updated_ms,
)
_FILL_INSERT = insert(models.fills)
_FILL = _FILL_INSERT.on_conflict_do_update(
    index_elements=["trade_id", "leg", "attempt", "fill_id"],
    set_={name: _FILL_INSERT.excluded[name] for name in ("size", "price", "fee", "status", "time_ms")},
)


def book_record(connection: Connection, record: TradeRecord, booked_ms: int) -> None:
    """The trade's row, its orders and fills, and the postings of what is new in them."""
    newest = connection.execute(_TRADE, _trade_values(record)).rowcount == 1
    for view in record.orders:
        _put_order(connection, record, view, newest=newest)
    touched = set()
    for view, fill in _changed(connection, record):
        connection.execute(_FILL, _fill_values(view.terms, fill))
        entry = f"fill/{view.terms.key}/{fill.fill_id}"
        lines = difference(of_fill(view.terms, fill), _booked(connection, entry))
        _append(connection, entry, record.plan.account, record.plan.trade_id, lines, booked_ms)
        touched.add(view.terms.instrument.token)
    close_empty(connection, record.plan.account, touched, record.plan.trade_id, booked_ms)


def book_once(connection: Connection, entry: str, account: str, lines: Lines, booked_ms: int) -> bool:
    """Append lines under an entry that belongs to no trade; False, and nothing, when it is already there."""
    found = select(models.postings.c.id).where(models.postings.c.entry == entry).limit(1)
    if connection.execute(found).first():
        return False
    _append(connection, entry, account, "", lines, booked_ms)
    return True


def shares(connection: Connection, account: str, token: str) -> Size:
    """Shares of a token by the books."""
    table = models.postings.c
    query = select(func.sum(table.amount)).where(
        table.account == account, table.book == position_book(token), table.unit == token
    )
    return Size(connection.scalar(query) or ZERO)


def close_empty(connection: Connection, account: str, tokens: set[str], trade_id: str, booked_ms: int) -> None:
    """Move what is left in positions without shares to profit or loss."""
    table = models.postings.c
    query = (
        select(table.book, table.unit, func.sum(table.amount))
        .where(table.account == account, table.book.in_([position_book(token) for token in tokens]))
        .group_by(table.book, table.unit)
    )
    sums = {(book, unit): amount for book, unit, amount in connection.execute(query)}
    for token in sorted(tokens):
        book = position_book(token)
        left = sums.get((book, USD), ZERO)
        if left and not sums.get((book, token), ZERO):
            _append(connection, f"close/{account}/{token}", account, trade_id, of_close(token, left), booked_ms)


def _changed(connection: Connection, record: TradeRecord) -> Iterator[tuple[OrderView, Fill]]:
    """Fills that are new or say more than the ledger does. What is final stays as it is, with one exception.

    Merging evidence never changes a final status either: a CONFIRMED fill that is FAILED now was read afresh from the
    venue, by a trade that was run again because it was taken back.
    """
    query = select(models.fills).where(models.fills.c.trade_id == record.plan.trade_id)
    known = {(row.leg, row.attempt, row.fill_id): reading.fill(row) for row in connection.execute(query)}
    for view in record.orders:
        for fill in view.fills:
            before = known.get((view.terms.leg, view.terms.attempt, fill.fill_id))
            if before is None or (before != fill and not before.status.final) or _taken_back(before, fill):
                yield view, fill


def _taken_back(before: Fill, after: Fill) -> bool:
    return before.status is FillStatus.CONFIRMED and after.status is FillStatus.FAILED


def _put_order(connection: Connection, record: TradeRecord, view: OrderView, *, newest: bool) -> None:
    """Write what is known of an order. A view without an id (its answer was lost) is of the order that was intended."""
    terms, table = view.terms, models.orders.c
    this = and_(table.trade_id == terms.trade_id, table.leg == terms.leg, table.attempt == terms.attempt)
    known = connection.scalar(select(table.order_id).where(this))
    if known is None:
        connection.execute(insert(models.orders), _order_values(record, view) | _evidence_values(view))
        return
    if known and view.order_id not in ("", known):
        raise LedgerError(f"order {terms.key} is {view.order_id}, but {known} was intended: nothing was recorded")
    if newest:
        values = _evidence_values(view) | {"order_id": known or view.order_id}
        connection.execute(update(models.orders).where(this).values(values))


def _booked(connection: Connection, entry: str) -> Lines:
    table = models.postings.c
    query = select(table.book, table.unit, func.sum(table.amount)).where(table.entry == entry)
    return {(book, unit): amount for book, unit, amount in connection.execute(query.group_by(table.book, table.unit))}


def _append(  # noqa: PLR0917 - a line's columns, in their order
    connection: Connection, entry: str, account: str, trade_id: str, lines: Lines, booked_ms: int
) -> None:
    rows = [
        {
            "entry": entry,
            "account": account,
            "trade_id": trade_id,
            "book": book,
            "unit": unit,
            "amount": amount,
            "time_ms": booked_ms,
        }
        for (book, unit), amount in lines.items()
    ]
    if rows:
        connection.execute(insert(models.postings), rows)


def _trade_values(record: TradeRecord) -> dict[str, object]:
    plan = record.plan
    return {
        "trade_id": plan.trade_id,
        "account": plan.account,
        "phase": record.phase,
        "reason": record.reason,
        "plan": PLAN.dump_json(plan).decode(),
        "legs": LEGS.dump_json(record.legs).decode(),
        "hedged": record.hedged,
        "payout": record.payout,
        "spent": record.spent,
        "fees": record.fees,
        "profit": record.profit,
        "decided_ms": plan.decided_ms,
        "updated_ms": record.time_ms,
    }


def _order_values(record: TradeRecord, view: OrderView) -> dict[str, object]:
    terms = view.terms
    return {
        "trade_id": terms.trade_id,
        "leg": terms.leg,
        "attempt": terms.attempt,
        "order_id": view.order_id,
        "account": record.plan.account,
        "workflow_id": f"basket/{record.plan.basket.key}",
        "lease_id": record.plan.lease_id,
        "terms": TERMS.dump_json(terms).decode(),
        "created_ms": terms.created_ms,
        "intended": False,
    }


def _evidence_values(view: OrderView) -> dict[str, object]:
    return {
        "state": view.state,
        "matched": view.matched,
        "reason": view.reason,
        "evidence": EVIDENCE.dump_json(view.evidence).decode(),
        "denied_ms": view.denied_ms,
    }


def _fill_values(terms: OrderTerms, fill: Fill) -> dict[str, object]:
    return {
        "trade_id": terms.trade_id,
        "leg": terms.leg,
        "attempt": terms.attempt,
        "fill_id": fill.fill_id,
        "size": fill.size,
        "price": fill.price,
        "fee": fill.fee,
        "status": fill.status,
        "time_ms": fill.time_ms,
    }
