"""The paired questions at the simulated Polymarket: opened, quoted by traders of their own, and replaced at their end.

The engine resolves them when their time comes, as `Market.outcome` says, also where that was while nobody ran it.
"""

import random
from collections.abc import Iterator

from arbsaga.exchange.engine import Engine
from arbsaga.exchange.fair import DEPTH, ladder, quote
from arbsaga.exchange.house import HouseBook, Level
from arbsaga.exchange.model import NO, YES, Event, Market
from arbsaga.exchange.paired import SPREAD, Paired, PairedSettings, current
from arbsaga.exchange.units import ONE

REFILL_MS = 1_500
"""What was taken of a level is offered again after this."""


class PairedWorld:
    """Keeps one question of every subject open. `step` does what is due."""

    def __init__(self, engine: Engine, settings: PairedSettings, ids: Iterator[str]) -> None:
        self._engine, self._settings, self._ids = engine, settings, ids
        self._traders: dict[str, PairedTraders] = {}

    def step(self, now_ms: int) -> None:
        """Open what is not open yet, and quote."""
        for at, paired in enumerate(current(self._settings, now_ms)):
            traders = self._traders.get(paired.subject.name)
            if traders is None or traders.paired != paired:
                traders = self._traders[paired.subject.name] = self._open(at, paired)
            traders.tick(now_ms)

    def _open(self, at: int, paired: Paired) -> "PairedTraders":
        condition_id, _ = paired.ids
        if condition_id not in self._engine.markets:
            market = _market(paired, f"9{at}{paired.opens_ms // 1000}")
            self._engine.open_event(_event(market, paired), [market])
        market = self._engine.markets[condition_id]
        return PairedTraders(paired, HouseBook(self._engine, market, self._ids), market.tick)


class PairedTraders:
    """The traders of one question: they quote around what they believe, and refill what was taken after a while."""

    def __init__(self, paired: Paired, book: HouseBook, tick: int) -> None:
        self.paired, self._book, self._tick = paired, book, tick
        self._rng = random.Random(f"paired sizes {paired.seed} {paired.subject.name} {paired.number}")
        self._levels: list[Level] = []
        self._sizes: dict[Level, int] = {}
        self._taken_ms = 0

    def tick(self, now_ms: int) -> None:
        """Show the levels around the price of now. Sizes stay where a level stays."""
        if not self._book.open:
            return
        levels, _ = ladder(quote(self.paired.quoted("polymarket", now_ms), self._tick, SPREAD), self._tick)
        if levels == self._levels and not self._refill_due(now_ms):
            return
        kept = {} if levels == self._levels else {level: self._book.offered(level) for level in self._levels}
        known, self._levels = self._sizes, levels
        self._sizes = {level: known.get(level) or self._draw(place % DEPTH) for place, level in enumerate(levels)}
        self._book.show(self._sizes | {level: shares for level, shares in kept.items() if level in self._sizes})
        self._taken_ms = 0

    def _refill_due(self, now_ms: int) -> bool:
        """Whether something was taken so long ago that it is offered again."""
        if all(self._book.offered(level) == shares for level, shares in self._sizes.items()):
            return False
        self._taken_ms = self._taken_ms or now_ms
        return now_ms - self._taken_ms >= REFILL_MS

    def _draw(self, place: int) -> int:
        return ONE * (self._rng.randint(40, 120) if place == 0 else self._rng.randint(60, 300))


def _market(paired: Paired, event_id: str) -> Market:
    condition_id, token_ids = paired.ids
    return Market(
        condition_id=condition_id,
        event_id=event_id,
        question=paired.text(paired.subject.polymarket),
        slug=paired.name,
        version="v1",
        token_ids=token_ids,
        fee_rate=paired.subject.fee_rate,
        opened_ms=paired.opens_ms,
        resolves_ms=paired.ends_ms,
        outcome=YES if paired.is_yes("polymarket") else NO,
        description=paired.text(paired.subject.description),
    )


def _event(market: Market, paired: Paired) -> Event:
    return Event(
        event_id=market.event_id,
        title=market.question,
        slug=paired.name,
        neg_risk=False,
        augmented=False,
        version="v1",
        market_ids=(market.condition_id,),
        neg_risk_market_id="",
    )
