"""I1 to I8 against the model exchange's record. Each check answers with sentences; none are allowed.

I3, I6 and I10 are checked where orders are sent, I1 and I5 in every world, I2, I4 and I8 where a trade is
recorded; I7 by the search itself, which finds a life without an end as a cycle.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from arbsaga.domain.orders import OrderTerms, Purpose
from arbsaga.saga.messages import Phase, TradePlan, TradeRecord
from proof.judgements.venue import Name, Order, Settled, Status, World, fill, name_of

ROUNDING = Decimal("0.00001")
"""The venue rounds the fee of each fill up by less than this, or by what its balances are kept in."""


class Invariants:
    """The promise for one plan."""

    def __init__(self, plan: TradePlan) -> None:
        self._plan = plan
        self._planned = [int(leg.size * 100) for leg in plan.legs]
        self._ratios = [leg.ratio for leg in plan.basket.legs]
        self._rounding = max(ROUNDING, *(leg.instrument.rules.fee.rounding for leg in plan.basket.legs))
        self._tokens = [(leg.instrument.token, leg.instrument.complement) for leg in plan.basket.legs]

    def of_world(self, world: World) -> Iterator[str]:
        """What must hold whatever the story does next."""
        for leg, planned in enumerate(self._planned):
            most = sum(_most(order) for order in world.orders if order.name.leg == leg)
            if most > planned:
                yield f"I1: leg {leg} can come to {most / 100:g} shares, {planned / 100:g} were planned"
        entries = [order for order in world.orders if order.name.purpose is Purpose.ENTER]
        spent = sum((order.spent for order in entries), Decimal(0))
        fills = sum(len(order.fills) for order in entries)
        if spent > self._plan.reserved + self._rounding * fills:
            yield f"I5: entries cost {spent} USD, {self._plan.reserved} are reserved"

    def of_sending(self, world: World, orders: Sequence[OrderTerms], now_ms: int, abort: str) -> Iterator[str]:
        """What must hold when these orders are about to be sent together."""
        names = [name_of(terms) for terms in orders]
        sent = {(order.name.leg, order.name.attempt) for order in world.orders}
        for name, terms in zip(names, orders, strict=True):
            if (name.leg, name.attempt) in sent:
                yield f"I1: order {name} is sent twice"
            sent.add((name.leg, name.attempt))
            if now_ms > terms.send_by_ms:
                yield f"I10: order {name} is sent {now_ms - terms.send_by_ms} ms after its fence"
            if name.purpose is Purpose.ENTER and (abort or (world.orders and not self._follows(world, name))):
                yield f"I6: entry {name} is sent after an abort or after other orders"
        for order in world.orders:
            if order.open:
                yield f"I3: new orders are sent while order {order.name} can still fill ({order.status.name})"
        if all(name.purpose is not Purpose.ENTER for name in names):
            yield from self._reduces(world, names)

    def _follows(self, world: World, name: Name) -> bool:
        """Whether only the legs that go first were entered, and have filled as much as this leg's entry asks for."""
        first = self._plan.first
        entered = all(order.name.leg in first and order.name.purpose is Purpose.ENTER for order in world.orders)
        if not entered or name.leg in first:
            return False
        units = min(Decimal(world.held(leg)) / self._ratios[leg] for leg in first)
        return name.size <= units * self._ratios[name.leg]

    def _reduces(self, world: World, names: Sequence[Name]) -> Iterator[str]:
        """Undo orders never take a leg below nothing nor above its plan; they lower the worst case.

        Or they reduce only, and make the legs equal: what is too little for an order is sold with its siblings.
        """
        for name in names:
            held = world.held(name.leg)
            if name.adds and held + name.size > self._planned[name.leg]:
                yield f"I6: order {name} would bring its leg to {(held + name.size) / 100:g} shares"
            if not name.adds and name.size > held:
                yield f"I6: order {name} reduces {name.size / 100:g} shares, {held / 100:g} are held"
        filled = tuple(fill(Order(name, Status.LIVE, 0, ()), name.size) for name in names)
        after = world._replace(orders=world.orders + filled)
        levels = {Decimal(after.held(leg)) / ratio for leg, ratio in enumerate(self._ratios)}
        levelled = len(levels) == 1 and not any(name.adds for name in names)
        if self.worst(after) <= self.worst(world) and not levelled:
            yield f"I6: the orders take the worst case from {self.worst(world)} to {self.worst(after)} USD"

    def worst(self, world: World) -> Decimal:
        """USD the trade ends with at least: equal legs and complementary pairs pay, the rest is worth nothing."""
        return self._units(world) * self._plan.basket.payout + self._pairs(world) - world.spent

    def _pairs(self, world: World) -> Decimal:
        pairs = [max(0, min(world.tokens(token), world.tokens(other))) for token, other in self._tokens]
        return Decimal(sum(pairs)) / 100

    def _units(self, world: World) -> Decimal:
        units = [Decimal(world.held(leg)) / 100 / ratio for leg, ratio in enumerate(self._ratios)]
        return max(Decimal(0), min(units))

    def of_end(self, world: World, record: TradeRecord) -> Iterator[str]:
        """What must hold when a trade is recorded as over."""
        if record.phase is Phase.HELD:
            if not world.paged:
                yield "I2: held without a page"
            return
        if record.phase is Phase.REFUSED:
            if world.orders:
                yield "I2: refused, but orders were sent"
            return
        if not world.over:
            yield f"I2: {record.phase}, but an order or a fill can still change"
        yield from self._naked(world, record)
        yield from self.of_money(world, record)

    def _naked(self, world: World, record: TradeRecord) -> Iterator[str]:
        units, limits = self._units(world), self._plan.undo
        if (units > 0) != (record.phase is Phase.COMMITTED):
            yield f"I2: {record.phase} with {units} units"
        cost = Decimal(0)
        for leg, ratio in enumerate(self._ratios):
            over = Decimal(world.held(leg)) / 100 - units * ratio
            least = self._plan.basket.legs[leg].instrument.rules.min_size
            if abs(over) >= least or abs(over) > limits.residue:
                yield f"I2: {record.phase}, but {over} shares of leg {leg} are naked"
            cost += abs(over) * (self._cost(world, leg) if over > 0 else 1)
        if cost > limits.residue_usd + ROUNDING:
            yield f"I2: {record.phase} with residue that cost {cost} USD, {limits.residue_usd} are allowed"
        if self.worst(world) < -(limits.loss_budget + limits.residue_usd):
            yield f"I5: {record.phase} with a loss of {-self.worst(world)} USD"

    @staticmethod
    def _cost(world: World, leg: int) -> Decimal:
        """USD a share paid for the leg, fees included."""
        adding = [order for order in world.orders if order.name.leg == leg and order.name.adds]
        shares = sum(order.alive for order in adding)
        return sum((order.spent for order in adding), Decimal(0)) * 100 / shares if shares else Decimal(0)

    def of_money(self, world: World, record: TradeRecord) -> Iterator[str]:
        """Money and shares add up: the record says what the exchange says. A FAILED fill counts nowhere."""
        ghosts = any(match.settled == Settled.FAILED for order in world.orders for match in order.fills)
        rule = "I8" if ghosts else "I4"
        if record.spent != world.spent:
            yield f"{rule}: recorded {record.spent} USD spent, the exchange has {world.spent}"
        fees = sum(
            (o.name.fee(m.size) for o in world.orders for m in o.fills if m.settled != Settled.FAILED), Decimal(0)
        )
        if record.fees != fees:
            yield f"{rule}: recorded {record.fees} USD of fees, the exchange has {fees}"
        for leg, result in enumerate(record.legs):
            held = Decimal(world.held(leg)) / 100
            if result.held != held:
                yield f"{rule}: leg {leg} is recorded with {result.held} shares, the exchange has {held}"
        if record.profit != self.worst(world):
            yield f"{rule}: recorded profit {record.profit} USD, by the exchange it is {self.worst(world)}"


def _most(order: Order) -> int:
    """Hundredths of a share by which an order can raise its leg, at most."""
    return order.alive + order.open if order.name.adds else -order.alive
