"""Reads a recording of market-channel messages: a parquet file, one row for each element of `price_changes`.

Columns: timestamp (UTC ms), price, size (absolute shares of the level), best_bid, best_ask, side BID/ASK, event_type
PRICE_CHANGE or LAST_TRADE, asset_id. A market is two tokens whose rows mirror each other: a BID at p on one is an ASK
at 1 - p on the other, in neighbouring rows. The first token seen of a pair is taken as YES.

Traps of the format, each with a test:
- LAST_TRADE rows carry best_bid = best_ask = 0: unset, not a book. They say nothing about levels and are left out.
- There are no snapshots, and rows were lost: a level whose removal was lost would cross the book for minutes and look
  like an arbitrage. The best prices that each row carries tell what no longer can be there.
- One message spans several rows; applied one by one, they cross the book for a moment.
- Timestamps go back now and then. The file's order is the order of arrival.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd, isfinite
from pathlib import Path
from typing import Final, Literal, TypeGuard

import pyarrow as pa  # type: ignore[import-untyped]  # ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # ships no types

from arbsaga.errors import ConfigError, UnknownThing
from arbsaga.exchange.house import Level
from arbsaga.exchange.ids import RESERVED_BITS
from arbsaga.exchange.model import NO
from arbsaga.exchange.units import ONE

COLUMNS: Final = ("timestamp", "asset_id", "event_type", "side", "price", "size", "best_bid", "best_ask")

_TICKS: Final = (10_000, 1_000, 100)
_BATCH_ROWS: Final = 4_096
_Row = tuple[int, str, str, Literal["BID", "ASK"], float, float, float | None, float | None]


@dataclass(frozen=True, slots=True)
class RecordedMarket:
    """A pair of tokens and the tick their prices need (base units)."""

    token_ids: tuple[str, str]
    tick: int


@dataclass(frozen=True, slots=True)
class Message:
    """What one message of the feed changed in one market: new absolute sizes (base units) of levels in YES terms.

    `best_bid` and `best_ask` are the best prices after it, None where the rows do not tell.
    """

    ms: int
    market: int
    levels: dict[Level, int]
    best_bid: int | None
    best_ask: int | None
    rows: int


class Recording:
    """A recording that has been looked through once. `messages` reads it again from the start."""

    def __init__(self, path: Path, markets: tuple[RecordedMarket, ...], rows: int) -> None:
        self.path, self.markets, self.rows = path, markets, rows
        self._place = {token: (at, side) for at, one in enumerate(markets) for side, token in enumerate(one.token_ids)}

    @classmethod
    def open(cls, path: Path) -> "Recording":
        """Look through a file. Raises UnknownThing where there is none, ConfigError where it is no recording."""
        survey = _Survey(path)
        rows = 0
        for row in _rows(path):
            rows += 1
            survey.see(rows, row)
        return cls(path, survey.markets(), rows)

    def messages(self) -> Iterator[Message]:
        """Every message in the file's order, a batch of rows in memory at a time."""
        pending: Message | None = None
        for row in _rows(self.path):
            if row[2] != "PRICE_CHANGE":
                continue
            one = self._message(row)
            if pending is not None and _key(pending) == _key(one):
                pending.levels.update(one.levels)
                one = Message(one.ms, one.market, pending.levels, one.best_bid, one.best_ask, pending.rows + 1)
            elif pending is not None:
                yield pending
            pending = one
        if pending is not None:
            yield pending

    def _message(self, row: _Row) -> Message:
        ms, token, _, side, price, size, best_bid, best_ask = row
        market, outcome = self._place[token]
        bid, ask, at = _best(best_bid), _best(best_ask), _units(price)
        is_bid = side == "BID"
        if outcome == NO:
            bid, ask, at, is_bid = _mirror(ask), _mirror(bid), ONE - at, not is_bid
        level: Level = ("BUY" if is_bid else "SELL", at)
        return Message(ms, market, {level: _units(size)}, bid, ask, 1)


class _Survey:
    """Finds the pairs of tokens and their ticks, and refuses what cannot be played."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: _Row | None = None
        self._votes: Counter[tuple[str, str]] = Counter()
        self._grids: dict[str, int] = {}

    def see(self, number: int, row: _Row) -> None:
        """Take note of a row. Raises ConfigError where it cannot be true."""
        ms, token, kind, side, price, size, *_ = row
        sound = ms is not None and token and side in ("BID", "ASK") and kind in ("PRICE_CHANGE", "LAST_TRADE")
        if not sound or not _is_number(price) or not _is_number(size) or not 0 < price < 1 or size < 0:
            raise ConfigError(f"{self._path}: row {number} is no change of a book: {_shown(row)}")
        if kind == "LAST_TRADE":
            return
        self._grids[token] = gcd(self._grids.get(token, 0), _units(price))
        last, self._last = self._last, row
        if last is not None and _mirrors(last, row):
            self._votes[last[1], token] += 1

    def markets(self) -> tuple[RecordedMarket, ...]:
        """The markets in the order they appear. Raises ConfigError for a token without a mirror."""
        partners: dict[str, str] = {}
        for (one, other), _ in self._votes.most_common():
            if one not in partners and other not in partners:
                partners |= {one: other, other: one}
        alone = [token for token in self._grids if token not in partners]
        if alone or not self._grids:
            what = f"token {alone[0]} has no rows that mirror another token's" if alone else "no PRICE_CHANGE rows"
            raise ConfigError(f"{self._path}: {what}; a recording holds both tokens of each market")
        odd = [token for token in self._grids if not token.isdecimal() or not int(token) & RESERVED_BITS]
        if odd:
            raise ConfigError(f"{self._path}: {odd[0]} is no token id of the CTF, as recordings of it hold")
        firsts = [token for at, token in enumerate(self._grids) if partners[token] not in list(self._grids)[:at]]
        return tuple(RecordedMarket((token, partners[token]), self._tick(token)) for token in firsts)

    def _tick(self, token: str) -> int:
        tick = next((tick for tick in _TICKS if self._grids[token] % tick == 0), None)
        if tick is None:
            raise ConfigError(f"{self._path}: prices of token {token} are finer than 0.0001")
        return tick


def _rows(path: Path) -> Iterator[_Row]:
    if not path.is_file():
        raise UnknownThing(f"no recording at {path}")
    try:
        with pq.ParquetFile(path) as file:
            missing = [name for name in COLUMNS if name not in file.schema_arrow.names]
            if missing:
                raise ConfigError(f"{path}: no recording of a market channel, it lacks {', '.join(missing)}")
            for batch in file.iter_batches(_BATCH_ROWS, columns=list(COLUMNS)):
                times = batch.column("timestamp").cast(pa.timestamp("ms")).cast(pa.int64())
                yield from zip(
                    times.to_pylist(), *(batch.column(name).to_pylist() for name in COLUMNS[1:]), strict=True
                )
    except pa.ArrowException as error:
        raise ConfigError(f"{path}: not a readable parquet file: {str(error).splitlines()[0]}") from None


def _key(message: Message) -> tuple[object, ...]:
    return message.ms, message.market, message.best_bid, message.best_ask


def _mirrors(one: _Row, other: _Row) -> bool:
    same = one[0] == other[0] and one[5] == other[5] and one[3] != other[3] and one[1] != other[1]
    return same and _units(one[4]) == ONE - _units(other[4])


def _units(value: float) -> int:
    """Base units of a recorded number: the nearest 1e-6, of which the file's doubles are the closest image."""
    return round(value * ONE)


def _best(value: float | None) -> int | None:
    """A best price, None where unset: 0, 1, missing or not a number stand for an empty side or an unset field."""
    return _units(value) if _is_number(value) and 0 < value < 1 else None


def _mirror(price: int | None) -> int | None:
    return None if price is None else ONE - price


def _is_number(value: float | None) -> TypeGuard[float]:
    return isinstance(value, float | int) and isfinite(value)


def _shown(row: _Row) -> str:
    return ", ".join(f"{name}={value}" for name, value in zip(COLUMNS, row, strict=True))
