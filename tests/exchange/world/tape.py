"""Recordings written by hand, and where the shared one is."""

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arbsaga.exchange.ids import v1_ids
from arbsaga.exchange.recordings.make import SCHEMA

YES, NO = v1_ids("tape")[1]
"""The tokens of a tape's market."""

SHARED = "tickscope/polymarket_20260607_0130.parquet"


def shared_recording() -> Path:
    """The real recording. Skips the test where it is absent."""
    beside = Path(__file__).parents[4] / "shared" / "data"
    path = Path(os.environ.get("ARBSAGA_SHARED_DATA", beside)) / SHARED
    if not path.is_file():
        pytest.skip(f"no recorded data at {path}: set ARBSAGA_SHARED_DATA")
    return path


class Tape:
    """Rows of one market. Prices in USD, sizes in shares, as doubles, as a recording has them."""

    def __init__(self, tokens: tuple[str, str] = (YES, NO)) -> None:
        self.tokens = tokens
        self.rows: list[dict[str, Any]] = []

    def change(
        self, side: str, price: float, size: float, *, best: tuple[float, float | None], ms: int = 0, first: int = 0
    ) -> None:
        """A level of the first token of the pair (or the second) and its mirror image."""
        self.row(self.tokens[first], side, price, size, best=best, ms=ms)
        bid = None if best[1] is None else round(1 - best[1], 6)
        mirrored = "ASK" if side == "BID" else "BID"
        self.row(self.tokens[1 - first], mirrored, round(1 - price, 6), size, best=(bid, round(1 - best[0], 6)), ms=ms)

    def row(
        self,
        token: str,
        side: str,
        price: float,
        size: float,
        *,
        best: tuple[float | None, float | None],
        ms: int = 0,
        kind: str = "PRICE_CHANGE",
    ) -> None:
        """One row as it is."""
        self.rows.append(
            {
                "timestamp": ms,
                "price": price,
                "size": float(size),
                "best_bid": best[0],
                "best_ask": best[1],
                "side": side,
                "event_type": kind,
                "asset_id": token,
            }
        )

    def write(self, folder: Path) -> Path:
        """The rows as a parquet file."""
        path = folder / "recording.parquet"
        pq.write_table(pa.Table.from_pylist(self.rows, schema=SCHEMA), path)
        return path
