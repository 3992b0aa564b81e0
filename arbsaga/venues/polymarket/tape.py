"""The account's trades as the CLOB lists them: asked for once for all who wait, and each record read once.

A hundred trades that settle at once look at their orders several times a second; with a listing for each look
the account's whole recent history was sent and read again each time, until nothing else was done.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from arbsaga.domain.once import once
from arbsaga.errors import BadMessage
from arbsaga.venues.polymarket.records import TradeSeen, read_trade
from arbsaga.venues.polymarket.rest import Rest

LISTED_EVERY_MS = 50
"""Shared listings begin this far apart at least: /data/trades allows 500 in 10 s, for all processes of the account."""
UNSETTLED_MS = 600_000
"""How far back trades can still be on their way to the chain."""
OVERLAP_MS = 30_000
"""A trade is listed by then at the latest, as far as what is unsettled is concerned."""
MAX_READ = 20_000
"""Records that are kept as they were read; the longest untouched go first."""
_AT_ONCE = 500
"""Records read before others may run."""

log = structlog.get_logger()


@dataclass(frozen=True)  # no slots: the index is kept beside it
class Trades:
    """A listing of trades. Not `complete` where a record could not be read: then it proves no absence."""

    seen: tuple[TradeSeen, ...]
    complete: bool

    def of(self, order_id: str) -> Sequence[TradeSeen]:
        """Those that touch this order."""
        return self._by_order.get(order_id, ())

    @once
    def _by_order(self) -> Mapping[str, list[TradeSeen]]:
        index: dict[str, list[TradeSeen]] = {}
        for trade in self.seen:
            for order_id in trade.order_ids:
                index.setdefault(order_id, []).append(trade)
        return index


class Tape:
    """Signed listings of one account's trades. Not narrowed by market: its id's width is uncertain for Protocol V2.

    Every method raises VenueError.
    """

    def __init__(self, rest: Rest, clob_url: str) -> None:
        self._rest, self._clob = rest, clob_url
        self._read: OrderedDict[str, tuple[bytes, TradeSeen]] = OrderedDict()
        self._unsettled: dict[str, TradeSeen] = {}
        self._whole_ms = 0
        self._listing = asyncio.Lock()
        self._begun_ns = 0
        self._after_ms = 0
        self._next: asyncio.Task[Trades] | None = None

    async def since(self, after_ms: int) -> Trades:
        """Every trade after this time, in a listing of its own."""
        items = await self._rest.listing(self._clob, "/data/trades", (("after", str(max(after_ms, 0) // 1000)),))
        seen: list[TradeSeen] = []
        for at, item in enumerate(items, start=1):
            if (trade := self._readable(item)) is not None:
                seen.append(trade)
                self._note(trade)
            if at % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return Trades(tuple(seen), complete=len(seen) == len(items))

    async def shared(self, after_ms: int) -> Trades:
        """Every trade after this time, and perhaps older ones: a listing begun after the call, for all who wait."""
        if self._next is None:
            self._after_ms = after_ms
            self._next = asyncio.create_task(self._list_next(), name="trades of the account")
            self._next.add_done_callback(_retrieved)
        self._after_ms = min(self._after_ms, after_ms)
        return await asyncio.shield(self._next)

    async def unsettled(self, now_ms: int) -> tuple[TradeSeen, ...]:
        """The trades that the chain has not settled, as far as they are listed by `now_ms`."""
        horizon = now_ms - UNSETTLED_MS
        for trade in [trade for trade in self._unsettled.values() if trade.time_ms < horizon]:
            del self._unsettled[trade.trade_id]
        oldest = min((trade.time_ms for trade in self._unsettled.values()), default=now_ms)
        trades = await self.shared(max(horizon, min(oldest - 1000, self._whole_ms - OVERLAP_MS)))
        if trades.complete:
            self._whole_ms = max(self._whole_ms, now_ms)
        return tuple(self._unsettled.values())

    async def _list_next(self) -> Trades:
        async with self._listing:
            await asyncio.sleep(max(0.0, LISTED_EVERY_MS / 1000 - (time.monotonic_ns() - self._begun_ns) / 1e9))
            self._begun_ns = time.monotonic_ns()
            self._next = None  # whoever asks from now on needs a later one
            return await self.since(self._after_ms)

    def _note(self, trade: TradeSeen) -> None:
        if trade.status.final:
            self._unsettled.pop(trade.trade_id, None)
        else:
            self._unsettled[trade.trade_id] = trade

    def _readable(self, item: Mapping[str, Any]) -> TradeSeen | None:
        """The record, as it was read before where nothing in it has changed. None, and logged, for a bad one."""
        name, raw = str(item.get("id")), orjson.dumps(item)
        known = self._read.get(name)
        if known is not None and known[0] == raw:
            self._read.move_to_end(name)
            return known[1]
        try:
            trade = read_trade(item)
        except BadMessage as error:
            log.warning("record left out", why=str(error))
            return None
        self._read[name] = (raw, trade)
        if len(self._read) > MAX_READ:
            self._read.popitem(last=False)
        return trade


def _retrieved(task: asyncio.Task[Trades]) -> None:
    """Whoever waited was told; where nobody waits any more, nobody needs to be."""
    if not task.cancelled():
        task.exception()
