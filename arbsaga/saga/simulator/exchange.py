"""An exchange in memory on virtual time. Its record, not the story's, says what happened."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from arbsaga.domain.books import Book, Level
from arbsaga.domain.evidence import merge
from arbsaga.domain.instruments import Side
from arbsaga.domain.money import NO_SIZE, ZERO, Price, Size
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderTerms, OrderView, Purpose
from arbsaga.saga.simulator.clock import Clock
from arbsaga.saga.simulator.weather import Weather

CENT = Decimal("0.01")


@dataclass(slots=True)
class Resting:
    """The exchange's own record of one accepted order.

    `late_ms`: sent so long after its send-by (0 or less: in time). `excess`: shares by which a
    reducing order was larger than what its leg held when it came.
    """

    terms: OrderTerms
    order_id: str
    state: OrderState = OrderState.LIVE
    fills: dict[str, Fill] = field(default_factory=dict)
    late_ms: int = 0
    excess: Size = NO_SIZE

    def alive_at(self, moment_ms: int) -> Size:
        """Shares matched and not taken back by then."""
        alive = (f.size for f in self.fills.values() if f.status is not FillStatus.FAILED or f.time_ms > moment_ms)
        return Size(sum(alive, ZERO))

    @property
    def adds(self) -> bool:
        """Whether it adds to its leg; EXIT and HEDGE reduce it."""
        return self.terms.purpose in (Purpose.ENTER, Purpose.COMPLETE)

    @property
    def matched(self) -> Size:
        """Shares ever matched; a FAILED fill still counts, as on Polymarket."""
        return Size(sum((fill.size for fill in self.fills.values()), ZERO))


class SimExchange:
    """Matches by luck: how much of an order fills, when, and whether it settles, is drawn from the seed."""

    def __init__(self, clock: Clock, rng: random.Random, weather: Weather) -> None:
        self.clock, self.rng, self.weather = clock, rng, weather
        self.orders: dict[str, Resting] = {}
        self.accepted: dict[str, int] = {}
        self.waiting: list[Callable[[], None]] = []
        self.reference: dict[str, Price] = {}

    def chance(self, share: float) -> bool:
        """Whether something with this chance happens now."""
        return share > 0 and self.rng.random() < share

    def deliver(self, terms: OrderTerms, late_ms: int = 0) -> None:
        """The engine receives an order: it fills in whole, in part or not at all, and the rest rests."""
        order = Resting(terms, order_id(terms), late_ms=late_ms)
        if not order.adds:
            order.excess = Size(max(ZERO, terms.size - max(ZERO, self.held(terms.leg, terms.created_ms))))
        assert order.order_id not in self.orders, "the venue refuses a duplicate for ever"
        self.orders[order.order_id] = order
        self.accepted[terms.key] = self.accepted.get(terms.key, 0) + 1
        self.reference.setdefault(terms.instrument.token, terms.limit)
        if self.chance(self.weather.delayed):
            order.state = OrderState.PENDING
            self.clock.after(self.rng.randrange(250, 3_000), lambda: self._match(order))
        else:
            self._match(order)

    def _match(self, order: Resting) -> None:
        order.state = OrderState.LIVE
        if self.chance(self.weather.thin):
            part = ZERO
        elif self.chance(self.weather.part):
            part = Decimal(self.rng.randrange(1, 100)) / 100
        else:
            part = Decimal(1)
        self._fill(order, order.terms.instrument.floor_size(order.terms.size * part))

    def _fill(self, order: Resting, size: Size) -> None:
        size = Size(min(size, order.terms.size - order.matched))
        if size > 0:
            number = len(order.fills) + 1
            price = order.terms.limit
            fee = order.terms.instrument.rules.fee.taker_fee(size, price)
            fill = Fill(f"{order.order_id}:{number}", size, price, fee, FillStatus.MATCHED, self.clock.now_ms)
            order.fills[fill.fill_id] = fill
            self.clock.after(self.rng.randrange(1, self.weather.settle_ms), lambda: self._settle(order, fill))
        if order.matched >= order.terms.size:
            order.state = OrderState.DONE
        self._happened()

    def _settle(self, order: Resting, fill: Fill) -> None:
        if self.chance(self.weather.retry):
            self._mark(order, fill, FillStatus.RETRYING)
        status = FillStatus.FAILED if self.chance(self.weather.ghost) else FillStatus.CONFIRMED
        self.clock.after(self.rng.randrange(1, 500), lambda: self._mark(order, fill, status))

    def _mark(self, order: Resting, fill: Fill, status: FillStatus) -> None:
        order.fills[fill.fill_id] = Fill(fill.fill_id, fill.size, fill.price, fill.fee, status, self.clock.now_ms)
        self._happened()

    def _happened(self) -> None:
        waiting, self.waiting = self.waiting, []
        for wake in waiting:
            wake()

    def cancel(self, wanted: str) -> bool:
        """Cancel an order that rests; False when it is unknown, held back or over."""
        order = self.orders.get(wanted)
        if order is None or order.state is not OrderState.LIVE:
            return False
        if self.chance(self.weather.race):
            self._fill(order, order.terms.size)
        order.state = OrderState.DONE
        self._happened()
        return True

    def look(self, known: OrderView) -> OrderView:
        """What a reader of every source learns of an order now."""
        order = self.orders.get(order_id(known.terms))
        if order is not None:
            return merge(known, "venue", state=order.state, fills=tuple(order.fills.values()), matched=order.matched)
        return replace(known, denied_ms=self.clock.now_ms)

    def held(self, leg: int, as_of_ms: int | None = None) -> Decimal:
        """Shares of a leg by this record: what added to it less what reduced it.

        Failed fills are left out; with `as_of_ms`, those that had failed by then.
        """
        moment = self.clock.now_ms if as_of_ms is None else as_of_ms
        orders = [order for order in self.orders.values() if order.terms.leg == leg]
        return sum((order.alive_at(moment) if order.adds else -order.alive_at(moment) for order in orders), ZERO)

    def book(self, token: str) -> Book:
        """A book around the last price, moved and thinned by luck; sometimes there is none to speak of."""
        anchor = self.reference.get(token, Decimal("0.5"))
        mid = float(anchor) + self.rng.uniform(-self.weather.move, self.weather.move)
        cents = min(97, max(3, round(mid * 100)))
        depth = NO_SIZE if self.chance(self.weather.dry) else Size(Decimal(self.rng.randrange(5, 60)))
        bids = (Level(Price((cents - 1) * CENT), depth),) if depth else ()
        asks = (Level(Price((cents + 1) * CENT), depth),) if depth else ()
        return Book(token, bids, asks, 1, self.clock.now_ms, self.clock.now_ms)

    def sellable(self, token: str) -> Size:
        """Settled shares of a token, less what open sells reserve."""
        total = ZERO
        for order in self.orders.values():
            if order.terms.instrument.token != token:
                continue
            settled = sum((f.size for f in order.fills.values() if f.status is FillStatus.CONFIRMED), ZERO)
            if order.terms.side is Side.BUY:
                total += settled
            else:
                failed = sum((f.size for f in order.fills.values() if f.status is FillStatus.FAILED), ZERO)
                total -= order.matched - failed if order.state.final else order.terms.size - failed
        return Size(max(ZERO, total))


def order_id(terms: OrderTerms) -> str:
    """The venue's id of an order: a function of its terms, as an EIP-712 digest is."""
    return f"{terms.key}@{terms.created_ms}"
