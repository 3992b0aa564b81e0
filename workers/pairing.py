"""Keeps the approved pairs checked, and tells the scanner which of them may be traded, for how much.

A pair is disabled by itself when a text, a close time or a status is no longer what was approved; what its trades hold
counts off its cap. The file is read anew at each check, so that an approval needs no restart.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from arbsaga.detect import WatchedPair
from arbsaga.domain.baskets import BasketKind
from arbsaga.domain.money import NO_USD, Usd
from arbsaga.domain.resolution import days_to_resolution
from arbsaga.errors import ArbsagaError, UserError
from arbsaga.ledger import Ledger
from arbsaga.pairs import Disabled, Pair, Relation, guaranteed, left, used
from arbsaga.pairs.asking import states
from arbsaga.pairs.registry import load
from arbsaga.saga.messages import TradeRecord
from arbsaga.venues.port import Venue
from workers.holdings import Holdings

if TYPE_CHECKING:
    from workers.paper_pairs import PaperPairs

log = structlog.get_logger(__name__)

_SAME = (Relation.IDENTITY, Relation.COMPLEMENT)


@dataclass(slots=True)
class Pairing:
    """The pairs of one account. `tell` is the scanner's `watch_pairs`; `alert` is for a person.

    `paper` approves the simulated pairs, None where there are none to approve (and always in live mode).
    `on_paper`: no real money is traded, so that what it approved counts.
    """

    venues: Mapping[str, Venue]
    file: Path
    tell: Callable[[Sequence[WatchedPair]], None]
    alert: Callable[[str], None]
    paper: "PaperPairs | None" = None
    on_paper: bool = False
    holdings: Holdings = field(default_factory=Holdings)
    _pairs: dict[str, Pair] = field(default_factory=dict)
    _live: list[WatchedPair] = field(default_factory=list)
    _said: dict[str, str] = field(default_factory=dict)

    async def run(self, every_s: float) -> None:
        """Check until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(every_s)

    async def check(self) -> None:
        """Read the file, ask the venues, and tell. A file with a mistake stops all pairs until it is mended."""
        try:
            if self.paper is not None:
                await self.paper.approve(self.venues, self.file)
            registry = load(self.file)
            stated = await states(registry.pairs, self.venues, now_ms(), paper=self.on_paper)
        except UserError as error:
            self._say("", f"no pair is traded: {error}")
            self._live = []
            self._tell()
            return
        self._said.pop("", None)
        self._pairs = {pair.name: pair for pair in registry.pairs}
        for one in stated:
            self._say(one.pair.name, one.state.reason if isinstance(one.state, Disabled) else "")
        live = [one.pair for one in stated if not isinstance(one.state, Disabled)]
        watched = await asyncio.gather(*(self._watched(pair) for pair in live))
        self._live = [pair for pair in watched if pair is not None]
        self._tell()

    def recall(self, ledger: Ledger, account: str) -> None:
        """Count what earlier trades hold, by the ledger. Reads it: call it in a thread."""
        self.holdings.recall(ledger, account)

    def heard(self, record: TradeRecord) -> None:
        """A trade entered a phase: what it holds counts until it has ended without, or was paid out."""
        if self.holdings.heard(record):
            self._tell()

    def paid_out(self, trade_id: str) -> None:
        """A trade holds nothing any more."""
        if self.holdings.paid_out(trade_id):
            self._tell()

    def cap(self, event: str) -> Usd | None:
        """USD that all trades of this event's pair may have out; None for an event that is no pair's."""
        if not event.startswith("pairs/"):
            return None
        pair = self._pairs.get(event.removeprefix("pairs/"))
        return pair.cap_usd if pair is not None else NO_USD

    def left(self, event: str) -> Usd | None:
        """USD that may still go into the pair of this event; None for an event that is no pair's."""
        if not event.startswith("pairs/"):
            return None
        pair = self._pairs.get(event.removeprefix("pairs/"))
        return left(pair, used(pair, self.holdings.by_event())) if pair is not None else NO_USD

    def days(self, event: str) -> Decimal | None:
        """Days until the pair of this event is expected to have paid out at both venues; None where nobody says."""
        found = next((pair for pair in self._live if pair.event == event), None)
        return days_to_resolution(now_ms(), found.a.resolves_ms, found.b.resolves_ms) if found is not None else None

    def _tell(self) -> None:
        if not self.venues:
            return
        watched = [replace(pair, cap=self.left(pair.event) or NO_USD) for pair in self._live]
        self.tell([pair for pair in watched if pair.cap > 0])

    async def _watched(self, pair: Pair) -> WatchedPair | None:
        try:
            a, b = await asyncio.gather(*(self.venues[ref.venue].listing(ref.market) for ref in (pair.a, pair.b)))
        except ArbsagaError as error:
            self._say(pair.name, str(error))
            return None
        kind = BasketKind.IDENTITY if pair.relation in _SAME else BasketKind.NESTED
        return WatchedPair(pair.name, a.yes.title, a, b, guaranteed(pair), kind, pair.cap_usd)

    def _say(self, name: str, reason: str) -> None:
        """Once for each new reason; the simulated pairs end so often that a person is not told of it."""
        if reason == self._said.get(name, ""):
            return
        self._said[name] = reason
        log.info("pair", pair=name, disabled=reason)
        if reason and (self.paper is None or not name):
            self.alert(f"pair {name} is not traded: {reason}" if name else reason)


def no_pairs() -> Pairing:
    """Of a trader at one venue."""
    return Pairing({}, Path(), lambda _: None, lambda _: None)


def now_ms() -> int:
    """The wall clock in ms."""
    return time.time_ns() // 1_000_000
