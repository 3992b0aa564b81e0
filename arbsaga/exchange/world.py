"""The seeded world: events that open, are traded by the house, resolve, and are replaced by new ones.

The same seed gives the same events, markets, ids and prices. The world decides nothing about orders of others; the
engine resolves markets when their time comes, with chances read from the books.
"""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from arbsaga.errors import UnknownThing
from arbsaga.exchange.catalogue import BINARIES, SHAPES, Shape, slug, word
from arbsaga.exchange.engine import Clock, Engine
from arbsaga.exchange.fair import HALF_SPREAD
from arbsaga.exchange.house import MAKER, TAKER, order_ids
from arbsaga.exchange.ids import v1_ids, v2_event_id, v2_ids
from arbsaga.exchange.model import Event, Market
from arbsaga.exchange.paired import PairedSettings
from arbsaga.exchange.paired_world import PairedWorld
from arbsaga.exchange.traders import EventTraders, Mispricing

TICK_MS: Final = 100
PLANT_MS: Final = 10_000
"""How long a planted edge stays if nobody takes it."""

_SLOT: Final = 1_000_000
_LATE_MS: Final = 2_000


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """`lifetime_s`: (least, most) seconds from an event's opening to its resolution. `mispricing` None: never by
    itself, only when planted. `half_spread` is the least distance of quotes from fair prices (base units). `paired`:
    the questions that another venue lists too, None for none."""

    seed: int = 0
    neg_risk_events: int = 10
    binary_events: int = 3
    lifetime_s: tuple[int, int] = (20, 60)
    mispricing: Mispricing | None = field(default_factory=Mispricing)
    half_spread: int = HALF_SPREAD
    paired: PairedSettings | None = None


class World:
    """Opens events, keeps their books alive, and misprices them. `step` does what is due; `run` calls it for ever."""

    def __init__(self, engine: Engine, clock: Clock, settings: WorldSettings) -> None:
        self._engine, self._clock, self._settings = engine, clock, settings
        self._shapes = [SHAPES[at % len(SHAPES)] for at in range(settings.neg_risk_events)]
        self._shapes += [BINARIES[at % len(BINARIES)] for at in range(settings.binary_events)]
        self._ids: Iterator[str] = iter(())
        self._open: dict[int, EventTraders] = {}
        self._paired: PairedWorld | None = None
        self._next_ms = 0
        self.paused = False
        """While True, no event opens or resolves and no house order moves."""

    @property
    def event_ids(self) -> list[str]:
        """The ids of the open events, by slot."""
        return [self._open[slot].event.event_id for slot in sorted(self._open)]

    def start(self) -> None:
        """Open one event in every slot, going on with those that a recovered engine still has open."""
        self._engine.create_account(MAKER, house=True)
        self._engine.create_account(TAKER, house=True)
        self._next_ms = self._clock()
        self._ids = order_ids(f"{self._settings.seed} {self._next_ms}")
        for event in self._engine.events.values():
            traders = self._traders(event) if event.event_id.isdecimal() else None
            if traders is not None and not traders.closed and _slot(event) < len(self._shapes):
                self._open[_slot(event)] = traders
        for slot in range(len(self._shapes)):
            traders = self._open.get(slot) or self._open_event(slot)
            traders.quote_all()
        if self._settings.paired is not None:
            self._paired = PairedWorld(self._engine, self._settings.paired, self._ids)
            self._paired.step(self._next_ms)

    def step(self) -> None:
        """Do every tick that is due by the clock, and replace events that have resolved."""
        now_ms = self._clock()
        if self.paused or now_ms - self._next_ms > _LATE_MS:
            self._next_ms = max(self._next_ms, now_ms)  # no burst of ticks after a pause
        while self._next_ms <= now_ms and not self.paused:
            for slot in list(self._open):
                self._tick(slot)
            if self._paired is not None:
                self._paired.step(self._next_ms)
            self._next_ms += TICK_MS

    async def run(self) -> None:
        """Keep stepping until cancelled. Call `start` first."""
        while True:
            self.step()
            await asyncio.sleep(TICK_MS / 1000)

    def pause(self) -> None:
        """Stop the world: no new events, no resolutions, no house orders. Settlement goes on."""
        self.paused = self._engine.resolutions_paused = True

    def resume(self) -> None:
        """Let the world go on."""
        self.paused = self._engine.resolutions_paused = False

    def plant(self, target: str, edge: Decimal) -> None:
        """Misprice an event now, named by its id or a condition id: `edge` USD per $1 of payout after fees.

        YES of all markets gets cheap where they are exhaustive, else NO of some. It stays until taken, 10 s at most.
        Raises UnknownThing for anything but an open neg-risk event, ValueError for an edge its prices cannot give.
        """
        market = self._engine.markets.get(target)
        event_id = market.event_id if market is not None else target
        for traders in self._open.values():
            if traders.event.event_id == event_id and traders.event.neg_risk and not traders.closed:
                traders.misprice(edge, self._clock(), PLANT_MS, of_no=traders.event.augmented)
                return
        raise UnknownThing(
            f"no open neg-risk event {target}: YES and NO of one market cannot be mispriced, name an event of several"
        )

    def _tick(self, slot: int) -> None:
        if self._open[slot].closed:
            self._open_event(slot).quote_all()
        else:
            self._open[slot].tick(self._next_ms)

    def _open_event(self, slot: int) -> EventTraders:
        used = [int(event.event_id) for event in self._engine.events.values() if _in_slot(event, slot)]
        number = max(used, default=_SLOT * (slot + 1)) + 1
        event, markets = self._draw(slot, number)
        self._engine.open_event(event, markets)
        self._open[slot] = self._traders(event)
        return self._open[slot]

    def _traders(self, event: Event) -> EventTraders:
        seed = f"{self._settings.seed} {event.event_id}"
        mispricing, half_spread = self._settings.mispricing, self._settings.half_spread
        return EventTraders(self._engine, event, seed, self._ids, mispricing=mispricing, half_spread=half_spread)

    def _draw(self, slot: int, number: int) -> tuple[Event, list[Market]]:
        shape, seed = self._shapes[slot], f"{self._settings.seed} {number}"
        rng = random.Random(f"event {seed}")
        words = word(shape, rng)
        opened_ms = self._next_ms
        resolves_ms = opened_ms + rng.randint(*(1000 * bound for bound in self._settings.lifetime_s))
        markets = []
        for at, (label, question) in enumerate(words.markets):
            condition_id, token_ids = _ids(shape, seed, at, len(words.markets))
            markets.append(
                Market(
                    condition_id=condition_id,
                    event_id=str(number),
                    question=question,
                    slug=f"{slug(words.title)}-{slug(label)}-{number}",
                    version=shape.version,
                    token_ids=token_ids,
                    neg_risk=len(words.markets) > 1,
                    tick=shape.tick,
                    fee_rate=shape.fee_rate,
                    opened_ms=opened_ms,
                    resolves_ms=resolves_ms,
                )
            )
        return _event(shape, number, words.title, markets), markets


def _event(shape: Shape, number: int, title: str, markets: list[Market]) -> Event:
    neg_risk = len(markets) > 1
    group = v2_event_id(markets[0].condition_id) if shape.version == "v2" else v1_ids(f"group {number} {title}")[0]
    return Event(
        event_id=str(number),
        title=title,
        slug=f"{slug(title)}-{number}",
        neg_risk=neg_risk,
        augmented=shape.augmented,
        version=shape.version,
        market_ids=tuple(market.condition_id for market in markets),
        neg_risk_market_id=group if neg_risk else "",
    )


def _ids(shape: Shape, seed: str, index: int, arity: int) -> tuple[str, tuple[str, str]]:
    if shape.version == "v2":
        return v2_ids(seed, index=index, arity=arity, neg_risk=arity > 1)
    return v1_ids(f"{seed} {index}")


def _slot(event: Event) -> int:
    return int(event.event_id) // _SLOT - 1


def _in_slot(event: Event, slot: int) -> bool:
    return event.event_id.isdecimal() and _slot(event) == slot
