"""The ledger's tables. The migrations in `migrations/` make them; a test holds both equal."""

from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    text,
)

from arbsaga.domain.money import MICRO
from arbsaga.errors import LedgerError

SCHEMA = "0001"
"""The newest revision in `migrations/versions`: what this version of arbsaga reads and writes."""


class Exact(TypeDecorator[Decimal]):
    """A decimal kept as its text: never a float, every digit as it was."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """The plain digits, without an exponent."""
        return None if value is None else f"{value:f}"

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        """The decimal as it was written."""
        return None if value is None else Decimal(value)


class Micros(TypeDecorator[Decimal]):
    """USD or shares as a whole number of millionths, so that SQLite sums it exactly."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """Raises LedgerError for an amount between two millionths: postings are never rounded here."""
        if value is None:
            return None
        whole = int(value / MICRO)
        if whole * MICRO != value:
            raise LedgerError(f"an amount of {value} is not a whole number of millionths")
        return whole

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        """The amount in USD or shares."""
        return None if value is None else Decimal(value) * MICRO


metadata = MetaData()

trades = Table(
    "trades",
    metadata,
    Column("trade_id", String, primary_key=True),
    Column("account", String, nullable=False),
    Column("phase", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("plan", String, nullable=False, comment="the TradePlan as JSON"),
    Column("legs", String, nullable=False, comment="the LegResults as JSON"),
    Column("hedged", Exact, nullable=False),
    Column("payout", Exact, nullable=False),
    Column("spent", Exact, nullable=False),
    Column("fees", Exact, nullable=False),
    Column("profit", Exact, nullable=False),
    Column("decided_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Index("trades_by_phase", "phase"),
    Index("trades_by_time", "decided_ms"),
)

orders = Table(
    "orders",
    metadata,
    # The send-once fence: an attempt has one row for ever, written before its bytes are sent.
    Column("trade_id", String, primary_key=True),
    Column("leg", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("order_id", String, nullable=False, comment="empty for an order that was given up before it had one"),
    Column("account", String, nullable=False),
    Column("workflow_id", String, nullable=False),
    Column("lease_id", String, nullable=False),
    Column("terms", String, nullable=False, comment="the OrderTerms as JSON"),
    Column("created_ms", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("matched", Exact, nullable=False),
    Column("reason", String, nullable=False),
    Column("evidence", String, nullable=False, comment="a JSON list, oldest first"),
    Column("denied_ms", BigInteger, nullable=False),
    Column("intended", Boolean, nullable=False, comment="false while only a record has named it"),
    Index("orders_by_id", "order_id", unique=True, sqlite_where=text("order_id != ''")),
    Index("orders_by_lease", "lease_id"),
    Index("orders_open", "state", sqlite_where=text("state NOT IN ('done', 'absent')")),
)

fills = Table(
    "fills",
    metadata,
    Column("trade_id", String, primary_key=True),
    Column("leg", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("fill_id", String, primary_key=True),
    Column("size", Exact, nullable=False),
    Column("price", Exact, nullable=False),
    Column("fee", Exact, nullable=False),
    Column("status", String, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(["trade_id", "leg", "attempt"], ["orders.trade_id", "orders.leg", "orders.attempt"]),
)

postings = Table(
    "postings",
    metadata,
    # Append-only: triggers refuse an update or a delete.
    Column("id", Integer, primary_key=True),
    Column("entry", String, nullable=False, comment="what happened: fill/…, payout/…, opening/…, close/…"),
    Column("account", String, nullable=False),
    Column("trade_id", String, nullable=False, comment="empty when it belongs to no trade"),
    Column("book", String, nullable=False, comment="cash:<venue>, position:<token>, market:<venue>, fees, profit, …"),
    Column("unit", String, nullable=False, comment="USD or a token"),
    Column("amount", Micros, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Index("postings_by_entry", "entry"),
    Index("postings_by_trade", "trade_id"),
    Index("postings_by_book", "account", "book", "unit"),
)

histories = Table(
    "histories",
    metadata,
    Column("trade_id", String, primary_key=True),
    Column("history", LargeBinary, nullable=False, comment="the workflow's history as JSON, zlib"),
)

flags = Table(
    "flags",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)
