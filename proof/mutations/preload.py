"""What every trial needs, imported once by the server that its process is forked from."""

from importlib import import_module

import proof.mutations.layers

for _name in ("sqlalchemy.dialects.sqlite", "alembic.command", "temporalio.testing", "aiohttp.web", "polymarket"):
    import_module(_name)

__all__ = ["proof"]
