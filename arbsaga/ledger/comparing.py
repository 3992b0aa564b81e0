"""Two ledgers, table by table and row by row. Pure: what a difference means is the caller's to say."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import Table

from arbsaga.ledger import models
from arbsaga.ledger.rebuilt import LedgerRows, Row

Key = tuple[object, ...]


class Change(StrEnum):
    """How a row differs."""

    LOST = "lost"
    ADDED = "added"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not the same in both. `columns` are those that differ in a row that both have.

    A posting's key is its entry, trade, account, book and unit: its amount is summed over those, and neither its
    number nor the millisecond of its booking counts.
    """

    table: str
    key: Key
    change: Change
    columns: tuple[str, ...] = ()


def differences(old: LedgerRows, new: LedgerRows) -> list[Difference]:
    """Everything in which the new ledger is not the old one."""
    found: list[Difference] = []
    for table in (models.trades, models.orders, models.fills, models.histories, models.flags):
        before, after = _by_key(table, old.rows(table)), _by_key(table, new.rows(table))
        found += _compare(table.name, before, after)
    postings = models.postings
    return found + list(_compare(postings.name, _sums(old.rows(postings)), _sums(new.rows(postings))))


def _compare(table: str, before: Mapping[Key, Row], after: Mapping[Key, Row]) -> Iterator[Difference]:
    for key, row in before.items():
        if key not in after:
            yield Difference(table, key, Change.LOST)
        elif columns := tuple(name for name, value in row.items() if after[key][name] != value):
            yield Difference(table, key, Change.CHANGED, columns)
    for key in after:
        if key not in before:
            yield Difference(table, key, Change.ADDED)


def _by_key(table: Table, rows: Iterable[Row]) -> dict[Key, Row]:
    names = [column.name for column in table.primary_key]
    return {tuple(row[name] for name in names): row for row in rows}


def _sums(rows: Iterable[Row]) -> dict[Key, Row]:
    sums: defaultdict[Key, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[row["entry"], row["trade_id"], row["account"], row["book"], row["unit"]] += row["amount"]
    return {key: {"amount": amount} for key, amount in sums.items() if amount}
