"""Books that lie: what GET /book and POST /books answer while a fault has them stale or torn.

Live reports: a REST book stuck at 0.01/0.99 (py-clob-client #180); two books of one answer read at different moments.
"""

from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.polymarket.shapes import Json

_EMPTIED: Json = {
    "bids": [{"price": "0.01", "size": "1000"}],
    "asks": [{"price": "0.99", "size": "1000"}],
}


class Snapshots:
    """Remembers the last true book told of each token, to tell it again when it is no longer true."""

    def __init__(self, faults: FaultPlan) -> None:
        self._faults = faults
        self._told: dict[object, Json] = {}

    def one(self, fresh: Json, path: str) -> Json:
        """The book to answer: the true one, or `stale_book`'s (`variant=old`, or 0.01/0.99)."""
        token = str(fresh["asset_id"])
        fault = self._faults.draw("stale_book", token=token, path=path)
        if fault is None:
            self._told[token] = fresh
            return fresh
        if fault.text("variant") == "old":
            return self._told.get(token, fresh)
        return fresh | _EMPTIED

    def many(self, fresh: list[Json], path: str) -> list[Json]:
        """The books to answer; `torn_book` takes every second one from the last time it was told."""
        if len(fresh) > 1 and self._faults.draw("torn_book", path=path) is not None:
            return [self._told.get(book["asset_id"], book) if at % 2 else book for at, book in enumerate(fresh)]
        return [self.one(book, path) for book in fresh]
