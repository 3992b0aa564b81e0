"""The seeded traders of one event: they quote around drifting fair prices, take a little, and now and then misprice it.

Everything moves on a grid of ticks and is drawn from a generator of the event's own, so that the same seed gives the
same prices whatever happens elsewhere. What reacts to others (refills, the end of a mispricing that was taken) draws
from a second generator and leaves the first alone.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from arbsaga.exchange import misprice
from arbsaga.exchange.engine import Engine
from arbsaga.exchange.fair import Quote, draw_fair, drift, ladder, quote
from arbsaga.exchange.house import HouseBook, Level
from arbsaga.exchange.model import Event, Market
from arbsaga.exchange.units import ONE

UNLISTED: Final = (80_000, 150_000)
"""The chance of an outcome that an augmented event does not list."""

_DRIFTS, _JITTERS, _TAKES = 0.4, 0.3, 0.03
"""Chances per tick and event: fair prices drift, a size changes, somebody takes a little."""


@dataclass(frozen=True, slots=True)
class Mispricing:
    """How events are mispriced: when (ms before the market resolves, and between two), how long (ms), how much
    (USD per $1 of payout after fees) and in what size (whole shares on every leg)."""

    window_ms: tuple[int, int] = (21_000, 9_000)
    every_ms: tuple[int, int] = (3_500, 6_000)
    life_ms: tuple[int, int] = (1_000, 4_000)
    edge: tuple[Decimal, Decimal] = (Decimal("0.03"), Decimal("0.07"))
    shares: tuple[int, int] = (15, 80)
    reaction_ms: tuple[int, int] = (300, 800)
    """How long after somebody took of it the traders see their mistake, and refill what was taken elsewhere."""


class EventTraders:
    """All house traders of one event."""

    def __init__(
        self,
        engine: Engine,
        event: Event,
        seed: str,
        ids: Iterator[str],
        *,
        mispricing: Mispricing | None,
        half_spread: int,
    ) -> None:
        self.event = event
        self._markets: Sequence[Market] = [engine.markets[market_id] for market_id in event.market_ids]
        self._books = [HouseBook(engine, market, ids) for market in self._markets]
        self._rng = random.Random(f"traders {seed}")
        self._reactions = random.Random(f"reactions {seed}")
        total = ONE - self._rng.randrange(*UNLISTED, 1_000) if event.augmented else ONE
        self._fair = draw_fair(self._rng, len(self._markets), total)
        self._sizes: list[dict[Level, int]] = [{} for _ in self._markets]
        self._mispriced: list[Quote] = []
        self._half_spread = half_spread
        self._ends_ms = 0
        self._refill_ms: dict[int, int] = {}
        self._mispricing = mispricing or Mispricing()
        self._due = self._schedule() if mispricing else []

    @property
    def closed(self) -> bool:
        """Whether no market of the event takes orders any more."""
        return not any(book.open for book in self._books)

    def quote_all(self) -> None:
        """Show every market's ladder anew, in full."""
        for at in range(len(self._books)):
            self._show(at, refill=True)

    def tick(self, now_ms: int) -> None:
        """One step of the grid."""
        moved = drift(self._rng, self._fair) if self._rng.random() < _DRIFTS else []
        jittered = self._jitter() if self._rng.random() < _JITTERS else []
        taken_at = self._rng.randrange(len(self._books)) if self._rng.random() < _TAKES else None
        if self._mispriced:
            self._watch_mispricing(now_ms)
        elif self._due and now_ms >= self._due[0]:
            self._misprice_by_chance(now_ms)
        else:
            for at in dict.fromkeys([*moved, *jittered]):
                self._show(at)
            if taken_at is not None:
                self._take(taken_at)
        self._refill(now_ms)

    def misprice(self, edge: Decimal, now_ms: int, life_ms: int, *, of_no: bool) -> None:
        """Misprice the event until it is taken, for `life_ms` at most.

        `edge` is USD per $1 of payout after fees. `of_no` makes NO of some markets cheap instead of YES of all, which
        pays for sure only where the listed markets are exhaustive. Raises ValueError where that is not possible.
        """
        quotes = [self._fair_quote(at) for at in range(len(self._markets))]
        shares = [ONE * self._rng.randint(*self._mispricing.shares) for _ in self._markets]
        if of_no:
            legs = misprice.no_legs(self._rng, self._fair)
            self._mispriced = misprice.no_of_some(self._markets, quotes, legs, edge, shares)
        else:
            self._mispriced = misprice.yes_of_all(self._markets, quotes, edge, shares)
        self._ends_ms = now_ms + life_ms
        self.quote_all()

    def _schedule(self) -> list[int]:
        """When the event will be mispriced by chance: some seconds before it resolves, so that capital turns over."""
        ends_ms = self._markets[0].resolves_ms
        if ends_ms is None or not self.event.neg_risk:
            return []
        plan, (first, last) = self._mispricing, self._mispricing.window_ms
        at, times = ends_ms - first + self._rng.randint(0, plan.every_ms[0]), []
        while at < ends_ms - last:
            times.append(at)
            at += self._rng.randint(*plan.every_ms)
        return times

    def _misprice_by_chance(self, now_ms: int) -> None:
        plan, due = self._mispricing, self._due.pop(0)
        edge = Decimal(self._rng.randint(*(int(bound * 1000) for bound in plan.edge))) / 1000
        of_no, life_ms = self._rng.random() < 0.3, self._rng.randint(*plan.life_ms)
        if now_ms < due + plan.life_ms[0]:  # long overdue after a pause: let it pass
            self.misprice(edge, now_ms, life_ms, of_no=of_no or self.event.augmented)

    def _watch_mispricing(self, now_ms: int) -> None:
        for book, quoted in zip(self._books, self._mispriced, strict=True):
            if quoted.cheap and book.offered((quoted.cheap, _cheap_price(quoted))) < quoted.shares:
                self._ends_ms = min(self._ends_ms, now_ms + self._reactions.randint(*self._mispricing.reaction_ms))
                break
        if now_ms >= self._ends_ms:
            self._mispriced = []
            self.quote_all()

    def _refill(self, now_ms: int) -> None:
        """Offer again what somebody took, after a while."""
        for at, (book, sizes) in enumerate(zip(self._books, self._sizes, strict=True)):
            if all(book.offered(level) == size for level, size in sizes.items()):
                continue
            due = self._refill_ms.setdefault(at, now_ms + self._reactions.randint(*self._mispricing.reaction_ms))
            if now_ms >= due and not self._mispriced:
                del self._refill_ms[at]
                self._show(at, refill=True)

    def _show(self, at: int, *, refill: bool = False) -> None:
        """Show one market's ladder. Sizes stay where the level stays; what was taken stays taken unless `refill`."""
        book, market, known = self._books[at], self._markets[at], self._sizes[at]
        if not book.open:
            return
        quoted = self._mispriced[at] if self._mispriced else self._fair_quote(at)
        levels, cheap = ladder(quoted, market.tick)
        sizes = {level: known.get(level) or self._draw_size(place) for place, level in enumerate(levels)}
        if cheap is not None:
            sizes[cheap] = quoted.shares
        self._sizes[at] = sizes
        kept = {level: book.offered(level) for level in sizes if level in known and not refill}
        book.show(sizes | kept)

    def _fair_quote(self, at: int) -> Quote:
        return quote(self._fair[at], self._markets[at].tick, self._half_spread)

    def _draw_size(self, place: int) -> int:
        return ONE * (self._rng.randint(30, 120) if place == 0 else self._rng.randint(50, 400))

    def _jitter(self) -> list[int]:
        """Change the size of one level."""
        at = self._rng.randrange(len(self._books))
        levels = sorted(self._sizes[at])
        if levels:
            del self._sizes[at][self._rng.choice(levels)]
        return [at]

    def _take(self, at: int) -> None:
        if self._books[at].open:
            self._books[at].take(self._rng.choice(("BUY", "SELL")), ONE * self._rng.randint(5, 15))


def _cheap_price(quoted: Quote) -> int:
    return quoted.bid if quoted.cheap == "BUY" else quoted.ask
