"""The seeded world: a few series, events and markets of each kind, and a house that quotes them around drifting prices.

The same seed gives the same tickers, prices and sizes. Kinds: an exclusive event of several markets, single questions,
every price grid and fee type that is traded here, and events on other shards.
"""

import asyncio
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from arbsaga.errors import UnknownThing
from arbsaga.exchange.core import Clock
from arbsaga.exchange.fair import GRID, draw_fair, drift
from arbsaga.exchange.kalshi.engine import Engine
from arbsaga.exchange.kalshi.house import MAKER, STEP, HouseBook
from arbsaga.exchange.kalshi.model import WHOLE_CENTS, Event, FeeType, Market, Series
from arbsaga.exchange.kalshi.paired_world import TAPERED, PairedWorld
from arbsaga.exchange.paired import PairedSettings
from arbsaga.exchange.units import ONE

TICK_MS: Final = 250
PLANT_MS: Final = 10_000
"""How long a planted edge stays."""
_DAY_MS: Final = 86_400_000
_DRIFT: Final = 0.2
_LATE_MS: Final = 2_000
_DECI: Final = ((0, ONE, 1_000),)


@dataclass(frozen=True, slots=True)
class Kind:
    """One event of the world: its series, question and markets."""

    series: str
    event: str
    category: str
    question: str
    outcomes: tuple[str, ...]
    fee_type: FeeType = "quadratic"
    fee_multiplier: Decimal = Decimal(1)
    exchange_index: int = 0
    price_ranges: tuple[tuple[int, int, int], ...] = WHOLE_CENTS


KINDS: Final = (
    Kind("KXMAYOR", "KXMAYOR-27", "Elections", "Who wins the mayoral election?", ("ALDER", "BIRCH", "CEDAR")),
    Kind("KXRATE", "KXRATE-27JAN", "Economics", "What does the central bank do?", ("CUT", "HOLD", "HIKE"), "quadratic"),
    Kind("KXRAIN", "KXRAIN-27JAN", "Climate and Weather", "Does it rain in the capital?", ("YES",)),
    Kind("KXCOIN", "KXCOIN-27JAN", "Crypto", "Is the coin above $100,000?", ("T100",), "quadratic_with_maker_fees",
         exchange_index=2, price_ranges=TAPERED),
    Kind("KXBALL", "KXBALL-27APR", "Sports", "Who wins the opening game?", ("HOME", "AWAY"), exchange_index=3,
         price_ranges=_DECI),
    Kind("KXINDEX", "KXINDEX-27JAN", "Financials", "Does the index close higher?", ("UP",), "quadratic",
         Decimal("0.5")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mispricing:
    """How exclusive events are mispriced: the pause between two (ms), how long one stays (ms), and by how much their
    YES bids sum to more than their fair prices (USD before fees): NO of all k markets pays k - 1 or more."""

    every_ms: tuple[int, int] = (2_500, 5_000)
    life_ms: tuple[int, int] = (1_500, 4_000)
    edge: tuple[Decimal, Decimal] = (Decimal("0.10"), Decimal("0.14"))


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """`kinds` are the events that are opened, once. `paired`: the questions that another venue lists too, or None.
    `mispricing` None: never by itself, only when planted."""

    seed: int = 0
    kinds: tuple[Kind, ...] = KINDS
    paired: PairedSettings | None = None
    mispricing: Mispricing | None = None


class World:
    """Opens its events and keeps their books alive. `step` does what is due; `run` calls it for ever."""

    def __init__(self, engine: Engine, clock: Clock, settings: WorldSettings) -> None:
        self._engine, self._clock, self._settings = engine, clock, settings
        self._rng = random.Random(f"kalshi world {settings.seed}")
        self._fair: dict[str, list[int]] = {}
        self._books: dict[str, HouseBook] = {}
        self._planted: dict[str, tuple[int, int]] = {}
        self._chance = random.Random(f"kalshi mispricing {settings.seed}")
        self._due_ms = 0
        self._paired: PairedWorld | None = None
        if settings.paired is not None:
            self._paired = PairedWorld(engine, settings.paired)
        self._next_ms = 0
        self.paused = False

    def start(self) -> None:
        """Open every event that the engine does not know yet, and quote all."""
        self._engine.create_account(MAKER, house=True)
        self._next_ms = self._clock()
        for kind in self._settings.kinds:
            if kind.event not in self._engine.events:
                _open(self._engine, kind, self._next_ms)
            total = ONE if len(kind.outcomes) > 1 else 0
            self._fair[kind.event] = draw_fair(self._rng, len(kind.outcomes), total)
            for ticker in tickers_of(kind):
                self._books[ticker] = HouseBook(self._engine, self._engine.markets[ticker], str(self._settings.seed))
        self._quote()
        if self._paired is not None:
            self._paired.step(self._next_ms)

    def step(self) -> None:
        """Do every tick that is due by the clock."""
        now_ms = self._clock()
        if self.paused or now_ms - self._next_ms > _LATE_MS:
            self._next_ms = max(self._next_ms, now_ms)  # no burst of ticks after a pause
        while self._next_ms <= now_ms and not self.paused:
            if self._paired is not None:
                self._paired.step(self._next_ms)
            for fair in self._fair.values():
                if self._rng.random() < _DRIFT:
                    drift(self._rng, fair)
            self._misprice_by_chance(self._next_ms)
            self._quote()
            self._next_ms += TICK_MS

    async def run(self) -> None:
        """Keep stepping until cancelled. Call `start` first."""
        while True:
            self.step()
            await asyncio.sleep(TICK_MS / 1000)

    def pause(self) -> None:
        """No orders of the house."""
        self.paused = True

    def resume(self) -> None:
        """Let the house go on."""
        self.paused = False

    def plant(self, target: str, edge: Decimal) -> None:
        """Misprice a market, or every market of an event, for 10 s: `edge` USD per contract before fees, + or -.

        A market's bid is `edge` over its fair price (its ask under it, where negative). An event's YES bids sum to
        `edge` over what its fair prices sum to. Raises UnknownThing, or ValueError beyond 0.02..0.98.
        """
        self._misprice(target, edge, self._clock() + PLANT_MS)
        self._quote()

    def _misprice_by_chance(self, now_ms: int) -> None:
        """An exclusive event now and then; all that is drawn is drawn by a generator of its own."""
        plan = self._settings.mispricing
        exclusive = [kind.event for kind in self._settings.kinds if len(kind.outcomes) > 1]
        if plan is None or now_ms < self._due_ms or not exclusive:
            return
        if self._due_ms:
            low, high = (int(bound * 1000) for bound in plan.edge)
            edge = Decimal(self._chance.randint(low, high)) / 1000
            self._misprice(self._chance.choice(exclusive), edge, now_ms + self._chance.randint(*plan.life_ms))
        self._due_ms = now_ms + self._chance.randint(*plan.every_ms)

    def _misprice(self, target: str, edge: Decimal, until_ms: int) -> None:
        kinds = {kind.event: tickers_of(kind) for kind in self._settings.kinds}
        tickers = kinds.get(target, [target])
        if not all(ticker in self._books for ticker in tickers):
            raise UnknownThing(f"no event or market {target} is quoted here: choose one of {', '.join(kinds)}")
        share = int(edge * ONE) // len(tickers)
        shift = share + (STEP if edge > 0 else -STEP)
        shift = -(-shift // STEP) * STEP
        for ticker in tickers:
            if not 2 * STEP <= self._fair_of(ticker) + shift <= ONE - 2 * STEP:
                raise ValueError(f"an edge of {edge} is more than the prices of {ticker} can give")
        self._planted |= dict.fromkeys(tickers, (shift, until_ms))

    def _quote(self) -> None:
        now_ms = self._clock()
        for ticker, book in self._books.items():
            shift, until = self._planted.get(ticker, (0, 0))
            book.quote(self._fair_of(ticker) + (shift if now_ms < until else 0))

    def _fair_of(self, ticker: str) -> int:
        event = self._engine.markets[ticker].event_ticker
        kind = next(kind for kind in self._settings.kinds if kind.event == event)
        return self._fair[event][tickers_of(kind).index(ticker)] // GRID * GRID


def tickers_of(kind: Kind) -> list[str]:
    """The tickers of an event's markets."""
    return [f"{kind.event}-{outcome}" for outcome in kind.outcomes]


def _open(engine: Engine, kind: Kind, now_ms: int) -> None:
    texts: dict[str, Any] = {"title": kind.question, "category": kind.category}
    if kind.series not in engine.series:
        source = {"name": "The simulated agency", "url": "https://example.org/results"}
        told = texts | {"settlement_sources": [source], "tags": [kind.category]}
        engine.open_series(Series(kind.series, kind.fee_type, kind.fee_multiplier, told))
    event = Event(kind.event, kind.series, len(kind.outcomes) > 1, kind.exchange_index, texts=texts)
    markets = [
        Market(
            ticker=ticker,
            event_ticker=kind.event,
            open_ms=now_ms,
            close_ms=now_ms + 90 * _DAY_MS,
            price_ranges=kind.price_ranges,
            texts={
                "yes_sub_title": outcome,
                "no_sub_title": outcome,
                "rules_primary": f"{kind.question} This market resolves to Yes for {outcome}.",
                "rules_secondary": "The first official announcement counts.",
            },
        )
        for ticker, outcome in zip(tickers_of(kind), kind.outcomes, strict=True)
    ]
    engine.open_event(event, markets)
