"""Alembic's migrations of the ledger, shipped with the package. `database.py` runs them."""
