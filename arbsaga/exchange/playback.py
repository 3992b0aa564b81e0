"""A world whose books are a recording's: its markets, its levels, at its pace or as fast as the listeners keep up.

How the recorded books become engine orders: one house order per recorded level, changed only when the recording
changes that level, so that what anybody else took stays taken until then. A message of the recording is one change of
the book, told for both tokens at once. Resting house orders never trade with each other (house.py), so a book is
shown as it was recorded whatever it was.

No edge can be planted inside a recorded market. Its two books mirror each other: an offer of YES and an offer of NO
that cost under $1 together are a bid above an ask in both books, which a venue crosses at once and whoever sees it must
take for a torn read. So one neg-risk event of the seeded world stands beside the recorded markets, quoted widely and
open for a day, and edges are planted there: by its id, `edge_event`.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from arbsaga.exchange.engine import Clock, Engine
from arbsaga.exchange.house import MAKER, HouseBook, Level, order_ids
from arbsaga.exchange.ids import v1_ids
from arbsaga.exchange.model import BookReset, Event, Market
from arbsaga.exchange.recording import Message, RecordedMarket, Recording
from arbsaga.exchange.units import ONE
from arbsaga.exchange.world import World, WorldSettings

_BESIDE: Final = WorldSettings(
    neg_risk_events=1, binary_events=0, lifetime_s=(86_400, 86_400), mispricing=None, half_spread=40_000
)
"""So wide that nobody trades on it unless an edge was planted, also with a threshold somewhat under 0."""
_TURN: Final = 20
"""Messages in one turn of the event loop: orders never wait for more than some milliseconds of playback."""
_BACKLOG_BYTES: Final = 64 * 1024
_NAP_S: Final = 0.02
_SHORT_NAP_S: Final = 0.001
_TOLD_ANEW_NAPS: Final = 50
"""Once the recording is over its books are told anew every second: a feed that fell silent would count as dead."""


@dataclass(frozen=True, slots=True)
class PlaybackSettings:
    """`speed`: 1 is real time, None as fast as the listeners keep up. `fee_rate` is not recorded: that of sports."""

    speed: Decimal | None = Decimal(1)
    fee_rate: Decimal = Decimal("0.05")


def nobody_counts() -> int:
    """The backlog where nothing can fall behind."""
    return 0


class Playback:
    """Plays a recording into an engine. `start` opens the markets, `run` plays; books stay as they are at its end."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        recording: Recording,
        settings: PlaybackSettings,
        backlog: Callable[[], int | None] = nobody_counts,
    ) -> None:
        """`backlog` tells how many bytes the slowest listener is behind, None while nobody listens at all. Playing
        begins with the first listener; at full speed it also waits for the slowest, and while there is none."""
        self._engine, self._clock, self._recording = engine, clock, recording
        self._settings, self._backlog = settings, backlog
        self._ids: Iterator[str] = iter(())
        self._books: list[RecordedBook] = []
        self._messages = recording.messages()
        self._message: Message | None = None
        self._beside = World(engine, clock, _BESIDE)
        self.rows = 0
        """Rows played so far."""
        self.finished = False
        self.paused = False

    def start(self) -> None:
        """Open the recorded markets, each an event of its own with an empty book, and the event for planted edges."""
        self._beside.start()
        self._engine.create_account(MAKER, house=True)
        self._ids = order_ids(f"recording {self._clock()}")
        for recorded in self._recording.markets:
            event, market = self._describe(recorded)
            if event.event_id not in self._engine.events:
                self._engine.open_event(event, [market])
            self._books.append(RecordedBook(self._engine, self._engine.markets[market.condition_id], self._ids))

    async def run(self) -> None:
        """Play on to the end, then keep the books as they are until cancelled. Call `start` first."""
        loop = asyncio.get_running_loop()
        while self._backlog() is None:
            await self._nap()
        begun, first_ms, latest_ms, turns = loop.time(), None, 0, 0
        while (message := self._upcoming()) is not None:
            first_ms = message.ms if first_ms is None else first_ms
            latest_ms = max(latest_ms, message.ms)  # recorded times go back now and then
            turns += 1
            if turns % _TURN == 0:
                await self._nap(0)
            begun += await self._while_paused()
            if self._settings.speed is None:
                await self._keep_up()
            else:
                await self._until(begun + (latest_ms - first_ms) / 1000 / float(self._settings.speed))
            self._message = None
            self.play(message)
        self.finished = True
        while True:
            for book in self._books:
                book.tell_anew()
            for _ in range(_TOLD_ANEW_NAPS):
                await self._nap()

    def play(self, message: Message) -> None:
        """Apply one message to its book."""
        self._books[message.market].apply(message)
        self.rows += message.rows

    def pause(self) -> None:
        """Stop playing."""
        self.paused = True
        self._beside.pause()

    def resume(self) -> None:
        """Go on where it stopped."""
        self.paused = False
        self._beside.resume()

    @property
    def edge_event(self) -> str:
        """The id of the event where edges can be planted."""
        return self._beside.event_ids[0]

    def plant(self, target: str, edge: Decimal) -> None:
        """Misprice the event beside the recorded markets, see World.plant. Raises ValueError for a recorded market."""
        if any(target in (book.market.event_id, book.market.condition_id) for book in self._books):
            raise ValueError(
                "YES and NO of one market cannot be mispriced, for their books mirror each other: "
                f"plant the edge in event {self.edge_event}"
            )
        self._beside.plant(target, edge)

    def _upcoming(self) -> Message | None:
        """The next message to play, None at the end. It stays the next one until it is played: a run can be cut off."""
        if self._message is None:
            self._message = next(self._messages, None)
        return self._message

    async def _nap(self, seconds: float = _NAP_S) -> None:
        self._beside.step()
        await asyncio.sleep(seconds)

    async def _while_paused(self) -> float:
        """Wait while paused. Returns the seconds that took."""
        loop = asyncio.get_running_loop()
        before = loop.time()
        while self.paused:
            await self._nap()
        return loop.time() - before

    async def _until(self, due: float) -> None:
        """Wait for the time of a message."""
        loop = asyncio.get_running_loop()
        while (left := due - loop.time()) > 0:
            await self._nap(min(left, _NAP_S))

    async def _keep_up(self) -> None:
        """Wait for listeners that are behind, and while there are none."""
        while (behind := self._backlog()) is None or behind > _BACKLOG_BYTES:
            await self._nap(_SHORT_NAP_S)

    def _describe(self, recorded: RecordedMarket) -> tuple[Event, Market]:
        yes, _ = recorded.token_ids
        condition_id, _ = v1_ids(f"recorded {yes}")
        event_id, name = str(10**12 + int(yes) % 10**12), f"Recorded market {yes[:6]}"
        market = Market(
            condition_id=condition_id,
            event_id=event_id,
            question=name,
            slug=f"recorded-{event_id}",
            version="v1",
            token_ids=recorded.token_ids,
            tick=recorded.tick,
            fee_rate=self._settings.fee_rate,
            opened_ms=self._clock(),
        )
        return Event(event_id, name, market.slug, False, False, "v1", (condition_id,)), market


class RecordedBook:
    """The book of one recorded market. It appears once a level was seen on both sides."""

    def __init__(self, engine: Engine, market: Market, ids: Iterator[str]) -> None:
        self.market = market
        self._shown = HouseBook(engine, market, ids)
        self._core = engine.core
        self._book = engine.core.state.books[market.condition_id]
        self._recorded: dict[Level, int] = {}
        self._appeared = False

    def apply(self, message: Message) -> None:
        """Take over what the message changes. A row that says what the level already was changes nothing."""
        changed = {level: size for level, size in message.levels.items() if self._recorded.get(level, 0) != size}
        changed |= dict.fromkeys(self._outdated(message), 0)
        for level, size in changed.items():
            if size:
                self._recorded[level] = size
            else:
                self._recorded.pop(level, None)
        if not self._shown.open:
            return
        if self._appeared:
            self._shown.change(changed)
        elif len({side for side, _ in self._recorded}) == 2:
            self._appeared = True
            self._shown.change(self._recorded)

    def tell_anew(self) -> None:
        """Have whole snapshots of both tokens sent."""
        for token_id in self.market.token_ids:
            self._core.tell(BookReset(self.market.condition_id, token_id, self._core.clock()))

    def _outdated(self, message: Message) -> list[Level]:
        """Levels better than the best prices of the message: they went in messages that the recorder missed."""
        bid = ONE if message.best_bid is None else message.best_bid
        ask = 0 if message.best_ask is None else message.best_ask
        if self._appeared and (self._book.best("BUY") or 0) <= bid and (self._book.best("SELL") or ONE) >= ask:
            return []  # quick, where going through all levels is not
        better = [level for level in self._recorded if (level[1] > bid if level[0] == "BUY" else level[1] < ask)]
        return [level for level in better if level not in message.levels]
