"""Alembic's entry: migrates over the connection, and in the transaction, of the ledger that opens."""

from alembic import context

from arbsaga.ledger.models import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite's DDL is transactional: a migration that fails leaves nothing behind
)
with context.begin_transaction():
    context.run_migrations()
