"""An in-memory venue behind the port, with a will of its own: what it does with each order is scripted by token."""

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from arbsaga.domain.books import Book, Level
from arbsaga.domain.evidence import merge
from arbsaga.domain.instruments import Instrument, Side
from arbsaga.domain.money import NO_SIZE, NO_USD, Price, Size, Usd
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderTerms, OrderView
from arbsaga.errors import VenueError
from arbsaga.venues.port import Funds

LIFE = (FillStatus.MATCHED, FillStatus.MINED, FillStatus.CONFIRMED)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Behaviour:
    """What happens to the next order: `fills` of its size, whether it `arrives`, whether its `answer` does."""

    fills: Decimal = Decimal(1)
    arrives: bool = True
    answer: bool = True
    refuse: str = ""
    settle_to: FillStatus = FillStatus.CONFIRMED
    before: Callable[[], object] | None = None  # awaited before the order arrives
    after: Callable[[], object] | None = None  # awaited after it arrived, before the answer


@dataclass
class Held:
    """An order as the venue has it."""

    terms: OrderTerms
    state: OrderState
    fills: list[Fill] = field(default_factory=list)
    sent_ms: int = 0
    settle_to: FillStatus = FillStatus.CONFIRMED


class MemoryVenue:
    """Implements `arbsaga.venues.port.Venue` as far as trades need it."""

    name = "memory"

    def __init__(self, settle_ms: int = 40) -> None:
        self.orders: dict[str, Held] = {}
        self.posts: list[str] = []
        self.refused_duplicates = 0
        self.script: dict[str, list[Behaviour]] = defaultdict(list)
        self.asks: dict[str, tuple[Level, ...]] = {}
        self.bids: dict[str, tuple[Level, ...]] = {}
        self.cash_left = Usd(Decimal(1_000))
        self.settle_ms = settle_ms
        self.stream_up = True
        self.down = ""
        self.barring = ""
        self.calls: list[str] = []
        self._news = asyncio.Event()

    # -- scripting
    def quote(self, instrument: Instrument, ask: str, bid: str, size: str = "100") -> None:
        self.asks[instrument.token] = (Level(Price(Decimal(ask)), Size(Decimal(size))),)
        self.bids[instrument.token] = (Level(Price(Decimal(bid)), Size(Decimal(size))),)

    def next(self, instrument: Instrument, *behaviours: Behaviour) -> None:
        self.script[instrument.token].extend(behaviours)

    def stir(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def held(self, token: str) -> Decimal:
        """Shares by every fill that did not fail."""
        total = Decimal(0)
        for order in self.orders.values():
            if order.terms.instrument.token == token:
                sign = 1 if order.terms.side is Side.BUY else -1
                total += sign * sum(f.size for f in order.fills if f.status is not FillStatus.FAILED)
        return total

    # -- the port
    def order_id(self, terms: OrderTerms) -> str:
        return "0x" + hashlib.sha256(repr(terms).encode()).hexdigest()

    async def post(self, orders: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        return tuple(await asyncio.gather(*(self._post(terms) for terms in orders)))

    async def _post(self, terms: OrderTerms) -> OrderView:
        order_id = self.order_id(terms)
        view = OrderView(terms, order_id, OrderState.UNKNOWN)
        script = self.script[terms.instrument.token]
        doing = script.pop(0) if script else Behaviour()
        if doing.before:
            await doing.before()
        if now_ms() > terms.send_by_ms:
            return merge(view, "late", state=OrderState.ABSENT, reason="not sent: too late")
        self.posts.append(order_id)
        if doing.refuse:
            return merge(view, "post", state=OrderState.DONE, reason=doing.refuse)
        if doing.arrives:
            self._arrive(order_id, terms, doing)
        if doing.after:
            await doing.after()
        if not doing.answer:
            return replace(view, evidence=("post: no answer",))
        return (await self.look((view,)))[0]

    def _arrive(self, order_id: str, terms: OrderTerms, doing: Behaviour) -> None:
        if order_id in self.orders:
            self.refused_duplicates += 1
            return
        filled = Size(terms.size * doing.fills)
        state = OrderState.DONE if filled == terms.size else OrderState.LIVE
        order = Held(terms, state, [], now_ms(), doing.settle_to)
        if filled:
            order.fills.append(Fill(f"t-{order_id[:10]}", filled, terms.limit, NO_USD, FillStatus.MATCHED, now_ms()))
        self.orders[order_id] = order
        if filled:
            asyncio.get_running_loop().create_task(self._settle(order))
        self.stir()

    async def _settle(self, order: Held) -> None:
        steps = LIFE if order.settle_to is FillStatus.CONFIRMED else (FillStatus.MATCHED, order.settle_to)
        for status in steps[1:]:
            await asyncio.sleep(self.settle_ms / 1000)
            order.fills = [replace(fill, status=status, time_ms=now_ms()) for fill in order.fills]
            self.stir()
            if status is order.settle_to:
                return

    def bars_account(self, refusal: str) -> bool:
        return refusal == "banned"

    async def look(self, known: Sequence[OrderView]) -> tuple[OrderView, ...]:
        self.calls.append("look")
        return tuple(self._look(view) for view in known)

    def _look(self, view: OrderView) -> OrderView:
        order = self.orders.get(view.order_id)
        if order is None:
            return replace(view, denied_ms=now_ms()) if view.state is OrderState.UNKNOWN else view
        matched = Size(sum((fill.size for fill in order.fills), NO_SIZE))
        return merge(view, "order", state=order.state, fills=order.fills, matched=matched)

    async def cancel(self, known: OrderView) -> OrderView:
        self.calls.append("cancel")
        order = self.orders.get(known.order_id)
        if order is not None and order.state is OrderState.LIVE:
            order.state = OrderState.DONE
            self.stir()
        return self._look(known)

    async def news(self, order_ids: Sequence[str], timeout_ms: int) -> bool:
        try:
            await asyncio.wait_for(self._news.wait(), timeout_ms / 1000)
        except TimeoutError:
            return False
        return True

    def streaming(self) -> bool:
        return self.stream_up

    async def funds(self, buys: Sequence[Instrument]) -> Funds:
        self.calls.append("funds")
        return Funds(self.cash_left)

    async def barred(self, instruments: Sequence[Instrument]) -> str:
        return self.barring

    async def sellable(self, token: str) -> Size:
        confirmed = Decimal(0)
        for order in self.orders.values():
            if order.terms.instrument.token == token:
                sign = 1 if order.terms.side is Side.BUY else -1
                confirmed += sign * sum(f.size for f in order.fills if f.status is FillStatus.CONFIRMED)
        return Size(max(Decimal(0), confirmed))

    async def books(self, tokens: Sequence[str]) -> tuple[Book, ...]:
        self.calls.append("books")
        if self.down:
            raise VenueError(self.down)
        at = now_ms()
        return tuple(Book(token, self.bids.get(token, ()), self.asks.get(token, ()), 0, at, at) for token in tokens)

    async def positions(self, tokens: Sequence[str]) -> Mapping[str, Size]:
        return {token: Size(self.held(token)) for token in tokens}
