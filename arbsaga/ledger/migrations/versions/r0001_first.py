"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table, and the triggers that keep postings append-only."""
    _trades()
    _orders()
    _fills()
    _postings()
    op.create_table(
        "histories",
        sa.Column("trade_id", sa.String, primary_key=True),
        sa.Column("history", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "flags",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.String, nullable=False),
    )


def _trades() -> None:
    op.create_table(
        "trades",
        sa.Column("trade_id", sa.String, primary_key=True),
        *_columns("account phase reason plan legs hedged payout spent fees profit", sa.String()),
        *_columns("decided_ms updated_ms", sa.BigInteger()),
    )
    op.create_index("trades_by_phase", "trades", ["phase"])
    op.create_index("trades_by_time", "trades", ["decided_ms"])


def _orders() -> None:
    op.create_table(
        "orders",
        *_attempt(),
        *_columns("order_id account workflow_id lease_id terms", sa.String()),
        *_columns("created_ms", sa.BigInteger()),
        *_columns("state matched reason evidence", sa.String()),
        *_columns("denied_ms", sa.BigInteger()),
        *_columns("intended", sa.Boolean()),
    )
    op.create_index("orders_by_id", "orders", ["order_id"], unique=True, sqlite_where=sa.text("order_id != ''"))
    op.create_index("orders_by_lease", "orders", ["lease_id"])
    still_open = sa.text("state NOT IN ('done', 'absent')")
    op.create_index("orders_open", "orders", ["state"], sqlite_where=still_open)


def _fills() -> None:
    op.create_table(
        "fills",
        *_attempt(),
        sa.Column("fill_id", sa.String, primary_key=True),
        *_columns("size price fee status", sa.String()),
        *_columns("time_ms", sa.BigInteger()),
        sa.ForeignKeyConstraint(["trade_id", "leg", "attempt"], ["orders.trade_id", "orders.leg", "orders.attempt"]),
    )


def _postings() -> None:
    op.create_table(
        "postings",
        sa.Column("id", sa.Integer, primary_key=True),
        *_columns("entry account trade_id book unit", sa.String()),
        *_columns("amount time_ms", sa.BigInteger()),
    )
    op.create_index("postings_by_entry", "postings", ["entry"])
    op.create_index("postings_by_trade", "postings", ["trade_id"])
    op.create_index("postings_by_book", "postings", ["account", "book", "unit"])
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER postings_no_{change.lower()} BEFORE {change} ON postings "
            "BEGIN SELECT RAISE(ABORT, 'postings are append-only'); END"
        )


def _attempt() -> list["sa.Column[object]"]:
    return [
        sa.Column("trade_id", sa.String, primary_key=True),
        sa.Column("leg", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    ]


def _columns(
    names: str, kind: "sa.types.TypeEngine[str] | sa.types.TypeEngine[int] | sa.types.TypeEngine[bool]"
) -> list["sa.Column[object]"]:
    return [sa.Column(name, kind, nullable=False) for name in names.split()]
