"""Making a ledger again: what is read from the old file, and what the new one takes over from it as it stands.

What no history tells (the opening balance, payouts, flags, an order that was written down but stands in no history)
is copied row by row. Everything else is booked anew from what the histories say.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, insert, select

from arbsaga.domain.orders import OrderTerms
from arbsaga.ledger import booking, database, models
from arbsaga.ledger.ledger import Ledger
from arbsaga.ledger.postings import position_book
from arbsaga.saga.messages import TradeRecord

Row = Mapping[str, Any]
OrderKey = tuple[str, int, int]
"""Trade, leg, attempt."""


def order_key(terms: OrderTerms) -> OrderKey:
    """The key of an order in the ledger."""
    return terms.trade_id, terms.leg, terms.attempt


@dataclass(frozen=True, slots=True)
class Entry:
    """Postings that belong to no trade: an opening balance or a payout. `time_ms`: when they were booked."""

    name: str
    account: str
    time_ms: int
    lines: tuple[Row, ...]


class LedgerRows(Ledger):
    """A ledger whose tables can be read as they are."""

    def rows(self, table: Table) -> list[Row]:
        """Every row of one of the ledger's tables, by its primary key."""
        with self._reading() as connection:
            return [row._asdict() for row in connection.execute(select(table).order_by(*table.primary_key))]

    def count(self, table: Table) -> int:
        """How many rows a table has."""
        with self._reading() as connection:
            return connection.scalar(select(func.count()).select_from(table)) or 0


class OldLedger(LedgerRows):
    """A ledger's file that is only read; nothing in it changes."""

    @classmethod
    def read(cls, path: Path) -> "OldLedger":
        """Raises UnknownThing where there is no file, Unavailable when it cannot be used or is of another version."""
        return cls(database.create_read_only(path), None)

    def accounts(self) -> frozenset[str]:
        """Everyone whose orders or trades are in it."""
        found: set[str] = set()
        with self._reading() as connection:
            for table in (models.trades, models.orders, models.postings):
                found.update(connection.scalars(select(table.c.account).distinct()))
        return frozenset(found)

    def archived(self) -> Iterator[tuple[str, str]]:
        """(trade, history as JSON) of the archive; an entry that cannot be unpacked is empty."""
        for row in self.rows(models.histories):
            yield row["trade_id"], _unpacked(row["history"])

    def last_record(self, trade_id: str) -> TradeRecord | None:
        """The trade as it was last recorded, None when it never was."""
        story = self.trade(trade_id)
        if story is None or story.row is None:
            return None
        row = story.row
        return TradeRecord(
            plan=row.plan,
            phase=row.phase,
            orders=story.orders,
            legs=row.legs,
            hedged=row.hedged,
            payout=row.payout,
            spent=row.spent,
            fees=row.fees,
            profit=row.profit,
            reason=row.reason,
            time_ms=row.updated_ms,
        )

    def entries(self) -> list[Entry]:
        """Opening balances and payouts, oldest first."""
        lines: dict[str, list[Row]] = {}
        for row in self.rows(models.postings):
            if row["entry"].startswith(("opening/", "payout/")):
                lines.setdefault(row["entry"], []).append(row)
        return [Entry(name, rows[0]["account"], rows[0]["time_ms"], tuple(rows)) for name, rows in lines.items()]


class RebuiltLedger(LedgerRows):
    """A new ledger under construction."""

    @classmethod
    def make(cls, path: Path) -> "RebuiltLedger":
        """In a new file: a ledger is never rebuilt in place. Raises Unavailable."""
        assert not path.exists(), "a rebuilt ledger begins empty"
        return cls.open(f"sqlite:///{path}", durability="normal")

    def orders(self) -> set[OrderKey]:
        """Every order that it has."""
        table = models.orders.c
        with self._reading() as connection:
            rows = connection.execute(select(table.trade_id, table.leg, table.attempt))
            return {(trade_id, leg, attempt) for trade_id, leg, attempt in rows}

    def take_order(self, row: Row) -> None:
        """An order's row as it stands in the old ledger."""
        with self._writing() as connection:
            connection.execute(insert(models.orders), dict(row))

    def take_entry(self, entry: Entry) -> None:
        """An opening balance or a payout; positions that it emptied are closed."""
        rows = [{name: value for name, value in line.items() if name != "id"} for line in entry.lines]
        tokens = {row["unit"] for row in rows if row["book"] == position_book(row["unit"])}
        with self._writing() as connection:
            connection.execute(insert(models.postings), rows)
            booking.close_empty(connection, entry.account, tokens, "", entry.time_ms)

    def take_rows(self, table: Table, rows: Iterable[Row]) -> None:
        """Rows of a table as they stand in the old ledger."""
        with self._writing() as connection:
            for row in rows:
                connection.execute(insert(table), dict(row))


def _unpacked(packed: bytes) -> str:
    try:
        return zlib.decompress(packed).decode()
    except (zlib.error, UnicodeDecodeError):
        return ""
