"""The model's exchange: what is true of every order, kept apart from what the trade believes.

A `World` is a value. Sizes are hundredths of a share; nothing here reads the trade's evidence, and the only
product code used is the merging of a reading into what was known (`domain/evidence.py`), which is under test too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from enum import IntEnum
from typing import NamedTuple

from arbsaga.domain.money import Price
from arbsaga.domain.orders import OrderTerms, Purpose


class Status(IntEnum):
    """Where an order is. FLIGHT: sent, may arrive until `until_ms`. LOST: never at the venue, and never will be."""

    FLIGHT = 0
    LOST = 1
    PENDING = 2
    LIVE = 3
    DONE = 4


class Settled(IntEnum):
    """A fill's life: FAILED never happened."""

    MATCHED = 0
    CONFIRMED = 1
    FAILED = 2


class Match(NamedTuple):
    """One fill: hundredths of a share, and how far it is settled."""

    size: int
    settled: Settled


class Order(NamedTuple):
    """One order at the exchange. `until_ms` only while in flight."""

    name: "Name"
    status: Status
    until_ms: int
    fills: tuple[Match, ...]

    @property
    def alive(self) -> int:
        """Hundredths of a share matched and not taken back."""
        return sum(fill.size for fill in self.fills if fill.settled != Settled.FAILED)

    @property
    def open(self) -> int:
        """Hundredths of a share that can still match."""
        if self.status in (Status.LOST, Status.DONE):
            return 0
        return self.name.size - sum(fill.size for fill in self.fills)

    @property
    def spent(self) -> Decimal:
        """USD paid, fees included; negative for a sale."""
        sign = -1 if self.name.purpose is Purpose.EXIT else 1
        alive = [fill.size for fill in self.fills if fill.settled != Settled.FAILED]
        return sum((sign * self.name.price * size / 100 + self.name.fee(size) for size in alive), Decimal(0))


@dataclass(frozen=True, slots=True)
class Name:
    """What an order is, without its times. `unit`: its venue nets outcomes and keeps balances in such steps (USD)."""

    leg: int
    attempt: int
    purpose: Purpose
    token: str
    size: int
    price: Price
    rate: Decimal
    unit: Decimal = Decimal(0)

    def fee(self, size: int) -> Decimal:
        """The venue's fee of a fill, in USD, rounded up to 5 decimals; or so that the balance is in whole units."""
        if self.unit:
            sign = 1 if self.purpose is Purpose.EXIT else -1
            moved = sign * self.price * size / 100 - self.rate * self.price * (1 - self.price) * size / 100
            return sign * self.price * size / 100 - moved.quantize(self.unit, ROUND_FLOOR)
        exact = self.rate * self.price * (1 - self.price) * size * 1000
        whole = int(exact)
        return Decimal(whole + (exact > whole)) / 100_000

    @property
    def adds(self) -> bool:
        """Whether it adds to its leg."""
        return self.purpose in (Purpose.ENTER, Purpose.COMPLETE)

    def __str__(self) -> str:
        return f"{self.leg}/{self.attempt}"


def name_of(terms: OrderTerms) -> Name:
    """The model's name of an order."""
    return Name(
        terms.leg,
        terms.attempt,
        terms.purpose,
        terms.instrument.token,
        int(terms.size * 100),
        terms.limit,
        terms.instrument.rules.fee.rate,
        terms.instrument.rules.fee.rounding if terms.instrument.rules.nets else Decimal(0),
    )


class World(NamedTuple):
    """Everything that is true: the orders in the order of their sending, and what else happened."""

    orders: tuple[Order, ...] = ()
    aborted: bool = False
    paged: bool = False

    def order(self, leg: int, attempt: int) -> Order | None:
        """The order of this attempt, if it was ever sent."""
        return next((o for o in self.orders if (o.name.leg, o.name.attempt) == (leg, attempt)), None)

    def with_order(self, order: Order) -> "World":
        """The world with this order as it is now."""
        orders = tuple(order if o.name is order.name or o.name == order.name else o for o in self.orders)
        return self._replace(orders=orders)

    def at(self, now_ms: int) -> "World":
        """The world when it is `now_ms`: what was in flight for too long never arrives."""
        if all(order.status != Status.FLIGHT for order in self.orders):
            return self
        orders = tuple(
            order._replace(status=Status.LOST, until_ms=0)
            if order.status == Status.FLIGHT and order.until_ms <= now_ms
            else order
            for order in self.orders
        )
        return self._replace(orders=orders)

    def shifted(self, ms: int) -> "World":
        """The world with its times counted from `ms` later."""
        if all(order.status != Status.FLIGHT for order in self.orders):
            return self
        orders = tuple(
            order._replace(until_ms=order.until_ms - ms) if order.status == Status.FLIGHT else order
            for order in self.orders
        )
        return self._replace(orders=orders)

    @property
    def over(self) -> bool:
        """Whether nothing can happen to any order any more."""
        return all(
            order.status in (Status.LOST, Status.DONE) and all(fill.settled != Settled.MATCHED for fill in order.fills)
            for order in self.orders
        )

    def held(self, leg: int) -> int:
        """Hundredths of a share of a leg: what added to it, less what reduced it."""
        return sum(o.alive if o.name.adds else -o.alive for o in self.orders if o.name.leg == leg)

    def tokens(self, token: str) -> int:
        """Hundredths of a share of a token, settled or not."""
        return sum(
            -o.alive if o.name.purpose is Purpose.EXIT else o.alive for o in self.orders if o.name.token == token
        )

    def sellable(self, token: str) -> int:
        """Hundredths of a share that can be sold now: settled, less what sales took or reserve."""
        total = 0
        for order in self.orders:
            if order.name.token == token and order.name.purpose is Purpose.EXIT:
                total -= order.alive + order.open
            elif order.name.token == token:
                total += sum(fill.size for fill in order.fills if fill.settled == Settled.CONFIRMED)
        return max(0, total)

    @property
    def spent(self) -> Decimal:
        """USD spent less received, fees included."""
        return sum((order.spent for order in self.orders), Decimal(0))


def fill(order: Order, size: int) -> Order:
    """The order after a match of so many hundredths; final at once where the venue nets outcomes."""
    fills = (*order.fills, Match(size, Settled.CONFIRMED if order.name.unit else Settled.MATCHED))
    done = sum(f.size for f in fills) >= order.name.size
    return order._replace(status=Status.DONE if done else Status.LIVE, until_ms=0, fills=fills)


def happenings(world: World, *, part: Decimal, fills: int, ghosts: bool, wipes: bool) -> Iterator[tuple[str, World]]:
    """Everything that may happen at the exchange by itself, one thing at a time, with its words."""
    for order in world.orders:
        for words, after in _moves(order, part, fills):
            yield f"order {order.name} {words}", world.with_order(after)
        if wipes and order.status == Status.LIVE:
            after = order._replace(status=Status.DONE)
            yield f"order {order.name} is withdrawn by the venue", world.with_order(after)
        for index, match in enumerate(order.fills):
            if match.settled == Settled.MATCHED:
                for fate in (Settled.CONFIRMED, Settled.FAILED) if ghosts else (Settled.CONFIRMED,):
                    settled = (*order.fills[:index], Match(match.size, fate), *order.fills[index + 1 :])
                    words = f"fill {index + 1} of order {order.name} is {fate.name}"
                    yield words, world.with_order(order._replace(fills=settled))


def _moves(order: Order, part: Decimal, fills: int) -> Iterator[tuple[str, Order]]:
    left = order.open
    if not left:
        return
    if order.status in (Status.FLIGHT, Status.PENDING):
        yield "arrives and rests", order._replace(status=Status.LIVE, until_ms=0)
    if order.status == Status.PENDING:
        yield "is killed after the delay", order._replace(status=Status.DONE)
    if fills:
        yield f"fills {left / 100:g}", fill(order, left)
    some = int(left * part)
    if fills > 1 and not order.fills and 0 < some < left:
        yield f"fills {some / 100:g} of {left / 100:g}", fill(order, some)
