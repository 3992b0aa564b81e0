"""Makes the shipped recording: `python -m arbsaga.exchange.recordings.make`. The same seed makes the same rows.

Three made-up markets, 60 s, in the format that recording.py reads. It holds what makes real recordings hard: mirrored
rows, LAST_TRADE rows with unset best prices, messages of several rows that cross the book half-way, removals that were
never recorded, times that go back, dust, and a market on a fine tick.
"""

import random
from typing import Final

import pyarrow as pa  # type: ignore[import-untyped]  # ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # ships no types

from arbsaga.exchange.ids import v1_ids
from arbsaga.exchange.recordings import SYNTHETIC

SCHEMA: Final = pa.schema(
    [
        ("timestamp", pa.timestamp("ms", tz="UTC")),
        ("price", pa.float64()),
        ("size", pa.float64()),
        ("best_bid", pa.float64()),
        ("best_ask", pa.float64()),
        ("side", pa.dictionary(pa.int8(), pa.string())),
        ("event_type", pa.dictionary(pa.int8(), pa.string())),
        ("asset_id", pa.large_string()),
    ]
)

_START_MS: Final = 1_780_000_000_000
_LENGTH_MS: Final = 60_000
_LOSSES_MS: Final = (20_000, 41_000)
_ROUND: Final = 1_000
"""Prices are whole thousandths here, sizes whole hundredths of a share."""

Row = dict[str, object]


class SyntheticMarket:
    """A true book in YES terms, and the rows that a recorder would write of its changes."""

    def __init__(self, name: str, middle: int, tick: int, rng: random.Random) -> None:
        self._tokens = v1_ids(f"synthetic {name}")[1]
        self._tick, self._rng = tick, rng
        self._bids = {middle - tick * step: self._size() for step in range(1, 7) if middle > tick * step}
        self._asks = {middle + tick * step: self._size() for step in range(1, 7)}

    def opening(self) -> list[tuple[str, int]]:
        """The levels that are there when the recording starts, as changes, deepest first."""
        bids = [("BID", price) for price in sorted(self._bids)]
        return bids + [("ASK", price) for price in sorted(self._asks, reverse=True)]

    def step(self, ms: int) -> list[Row]:
        """One message of the feed."""
        what = self._rng.random()
        if what < 0.06:
            return self._trade(ms)
        if what < 0.14:
            return self.rows(ms, self._jump())
        return self.rows(ms, [self._change()])

    def lose(self) -> None:
        """The best ask goes, and nobody records it."""
        del self._asks[min(self._asks)]

    def rows(self, ms: int, changes: list[tuple[str, int]]) -> list[Row]:
        """Mirrored rows of changed levels, all with the best prices after the whole message."""
        rows = []
        for side, price in changes:
            pair = [self._row(ms, 0, side, price), self._row(ms, 1, side, price)]
            rows += pair if self._rng.random() < 0.5 else pair[::-1]
        return rows

    def _change(self) -> tuple[str, int]:
        """A level near the best changes its size, appears or goes; two at least stay on each side."""
        side = self._rng.choice(("BID", "ASK"))
        mine, sign = (self._bids, -1) if side == "BID" else (self._asks, 1)
        best = max(mine) if side == "BID" else min(mine)
        price = best + sign * self._tick * self._rng.randint(-1, 7)
        other = min(self._asks) if side == "BID" else max(self._bids)
        if not self._tick <= price <= _ROUND - self._tick or (other - price) * sign >= 0:
            price = best
        if price in mine and len(mine) > 3 and self._rng.random() < 0.3:
            del mine[price]
        else:
            mine[price] = self._size()
        return side, price

    def _jump(self) -> list[tuple[str, int]]:
        """Takers clear the best level and quote there: row by row, both sides stand at one price for a moment."""
        up = self._rng.random() < 0.5
        comes, goes, sign = ("BID", "ASK", 1) if up else ("ASK", "BID", -1)
        grows, shrinks = (self._bids, self._asks) if up else (self._asks, self._bids)
        price = min(shrinks) if up else max(shrinks)
        if len(shrinks) < 4:
            return [self._change()]
        del shrinks[price]
        grows[price] = self._size()
        far = (max(shrinks) if up else min(shrinks)) + sign * self._tick
        if not self._tick <= far <= _ROUND - self._tick:
            return [(comes, price), (goes, price)]
        shrinks[far] = self._size()
        return [(comes, price), (goes, price), (goes, far)]

    def _trade(self, ms: int) -> list[Row]:
        """A taker hits the best bid: a LAST_TRADE row without best prices, then what is left of the level."""
        price = max(self._bids)
        taken = min(self._bids[price], self._rng.randint(200, 3_000))
        rest = self._bids[price] - taken
        if rest or len(self._bids) > 3:
            self._bids.pop(price)
            self._bids |= {price: rest} if rest else {}
        print_row = self._row(ms, 0, "BID", price) | {
            "size": taken / 100,
            "best_bid": 0.0,
            "best_ask": 0.0,
            "event_type": "LAST_TRADE",
        }
        return [print_row, *self.rows(ms + 3, [("BID", price)])]

    def _row(self, ms: int, outcome: int, side: str, price: int) -> Row:
        size = (self._bids if side == "BID" else self._asks).get(price, 0)
        bid, ask = max(self._bids), min(self._asks)
        if outcome:
            side, price, bid, ask = ("ASK" if side == "BID" else "BID"), _ROUND - price, _ROUND - ask, _ROUND - bid
        return {
            "timestamp": ms,
            "price": price / _ROUND,
            "size": size / 100,
            "best_bid": bid / _ROUND,
            "best_ask": ask / _ROUND,
            "side": side,
            "event_type": "PRICE_CHANGE",
            "asset_id": self._tokens[outcome],
        }

    def _size(self) -> int:
        """Hundredths of a share: mostly tens to hundreds of shares, sometimes dust under the venue's minimum."""
        return self._rng.randint(1, 450) if self._rng.random() < 0.05 else 100 * self._rng.randint(15, 900)


def synthetic(seed: int = 1) -> pa.Table:
    """The rows of the shipped recording."""
    rng = random.Random(f"recording {seed}")
    markets = [
        SyntheticMarket("even", 480, 10, rng),
        SyntheticMarket("likely", 860, 10, rng),
        SyntheticMarket("fine", 31, 1, rng),
    ]
    rows = [row for market in markets for row in market.rows(_START_MS, market.opening())]
    ms, losses = 0, list(_LOSSES_MS)
    while ms < _LENGTH_MS:
        ms += rng.randint(5, 55)
        if losses and ms >= losses[0]:
            losses.pop(0)
            markets[0].lose()
        late = 20 if rng.random() < 0.02 else 0
        rows += rng.choice(markets).step(_START_MS + ms - late)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


if __name__ == "__main__":
    pq.write_table(synthetic(), SYNTHETIC, compression="zstd")
