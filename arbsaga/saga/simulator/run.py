"""One seed, one trade: a random small basket in random weather, judged by the exchange's record."""

import random
from dataclasses import dataclass
from decimal import Decimal

from arbsaga.domain.baskets import yes_of_all
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome
from arbsaga.domain.money import ZERO, Price, Size, Usd
from arbsaga.domain.orders import FillStatus, OrderTerms, Purpose
from arbsaga.saga.messages import Phase, PlannedLeg, TradePlan, TradeRecord
from arbsaga.saga.simulator.clock import Clock
from arbsaga.saga.simulator.exchange import Resting, SimExchange
from arbsaga.saga.simulator.runtime import Driver
from arbsaga.saga.simulator.weather import Weather

START_MS = 1_790_000_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """What one seed came to. `violations` are breaches of the promise, in words; none are allowed."""

    seed: int
    record: TradeRecord
    effects: int
    crashes: int
    violations: tuple[str, ...]


def run_seed(seed: int, weather: Weather | None = None) -> Run:
    """Run the trade of a seed to its end. The same seed gives the same run."""
    rng = random.Random(seed)
    clock = Clock(START_MS)
    exchange = SimExchange(clock, rng, weather or Weather.draw(rng))
    driver = Driver(random_plan(seed, rng), clock, exchange, rng)
    record = driver.run()
    clock.run_dry()
    return Run(seed, record, len(driver.journal), driver.crashes, tuple(_violations(driver, record)))


def random_plan(seed: int, rng: random.Random) -> TradePlan:
    """A basket of 2 to 4 YES legs under its payout, with fees or without."""
    count = rng.randrange(2, 5)
    fee = FeeSchedule(rng.choice((ZERO, Decimal("0.05"))))
    rules = MarketRules(tick=Decimal("0.01"), fee=fee, neg_risk=True)
    price = Price(Decimal(rng.randrange(80, 96)) / 100 / count // Decimal("0.01") * Decimal("0.01"))
    size = Size(Decimal(rng.randrange(10, 50)))
    yes = [Instrument("sim", f"m{n}", f"m{n}-yes", f"m{n}-no", Outcome.YES, f"Runner {n}", rules) for n in range(count)]
    basket = yes_of_all(f"event-{seed}", "Who wins?", yes)
    cost = Usd(count * size * price)
    return TradePlan(
        trade_id=f"T{seed}",
        account="sim",
        basket=basket,
        units=size,
        legs=tuple(PlannedLeg(size, price) for _ in yes),
        cost=cost,
        fees=Usd(ZERO),
        edge=Usd(size - cost),
        reserved=cost,
        lease_id="lease",
        lease_expires_ms=START_MS + 60_000,
        decided_ms=START_MS,
        decided_ns=0,
        books=(),
    )


def _violations(driver: Driver, record: TradeRecord) -> list[str]:
    """The promise against the exchange's record: I1, I2, I4 (fees), I7 and the send-by fence of I10."""
    exchange, found = driver.exchange, []
    found += [f"{key} was accepted {count} times" for key, count in exchange.accepted.items() if count > 1]
    found += [
        f"{order.order_id} was sent {late} ms late" for order in exchange.orders.values() if (late := order.late_ms) > 0
    ]
    if record.phase not in (Phase.REFUSED, Phase.COMMITTED, Phase.FLAT, Phase.HELD):
        found.append(f"ended as {record.phase}")
    if record.phase is Phase.REFUSED and exchange.orders:
        found.append("refused, but orders were sent")
    if record.phase is Phase.HELD:
        return found + ([] if f"{record.plan.trade_id}/held" in driver.pages else ["held without a page"])
    held = [_truly_held(exchange, leg) for leg in range(len(record.legs))]
    for leg, shares in enumerate(held):
        if shares != record.legs[leg].held:
            found.append(f"leg {leg}: the exchange has {shares} shares, the trade says {record.legs[leg].held}")
        if abs(shares - max(ZERO, min(held))) >= Decimal(5):
            found.append(f"leg {leg}: {shares - max(ZERO, min(held))} shares are naked")
    found += [f"{order.order_id} still rests" for order in exchange.orders.values() if not order.state.final]
    found += _overfilled(exchange, record.plan)
    return found


def _truly_held(exchange: SimExchange, leg: int) -> Decimal:
    """Settled shares of a leg by the exchange's record, exits and hedges counted off."""
    total = ZERO
    for order in exchange.orders.values():
        if order.terms.leg == leg:
            settled = sum((f.size for f in order.fills.values() if f.status is FillStatus.CONFIRMED), ZERO)
            total += settled if _adds(order.terms) else -settled
    return total


def _adds(terms: OrderTerms) -> bool:
    return terms.purpose in (Purpose.ENTER, Purpose.COMPLETE)


def _overfilled(exchange: SimExchange, plan: TradePlan) -> list[str]:
    """I1: all orders of a leg together never hold more of it than was planned."""
    found = []
    for leg, planned in enumerate(plan.legs):
        orders = [order for order in exchange.orders.values() if order.terms.leg == leg]
        got = sum((_alive(order) if _adds(order.terms) else -_alive(order) for order in orders), ZERO)
        if got > planned.size:
            found.append(f"leg {leg}: bought {got} of {planned.size} planned")
    return found


def _alive(order: Resting) -> Decimal:
    return sum((f.size for f in order.fills.values() if f.status is not FillStatus.FAILED), ZERO)
