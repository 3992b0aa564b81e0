"""One seed, one trade: a random small basket in random weather, judged by the exchange's record."""

import random
from dataclasses import dataclass
from decimal import Decimal

from arbsaga.domain.baskets import yes_of_all
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome
from arbsaga.domain.money import ZERO, Price, Size, Usd
from arbsaga.saga.messages import Phase, PlannedLeg, TradePlan, TradeRecord
from arbsaga.saga.simulator.clock import Clock
from arbsaga.saga.simulator.exchange import SimExchange
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
    """The promise against the exchange's record: what must hold always, and what must hold at the end."""
    exchange, plan = driver.exchange, record.plan
    found = [f"{key} was accepted {count} times" for key, count in exchange.accepted.items() if count > 1]
    for order in exchange.orders.values():
        found += [f"{order.order_id} was sent {order.late_ms} ms late"] if order.late_ms > 0 else []
        found += [f"{order.order_id} reduces {order.excess} shares too many"] if order.excess > 0 else []
    for leg, planned in enumerate(plan.legs):
        if exchange.held(leg) > planned.size:
            found.append(f"leg {leg}: holds {exchange.held(leg)} of {planned.size} planned")
    if record.phase is Phase.HELD:
        return found + ([] if f"{plan.trade_id}/held" in driver.pages else ["held without a page"])
    return found + _ended_wrong(exchange, record)


def _ended_wrong(exchange: SimExchange, record: TradeRecord) -> list[str]:
    found = [f"{order.order_id} still rests" for order in exchange.orders.values() if not order.state.final]
    if record.phase is Phase.REFUSED and exchange.orders:
        found.append("refused, but orders were sent")
    held = [exchange.held(leg) for leg in range(len(record.legs))]
    hedged = max(ZERO, min(held))
    for leg, shares in enumerate(held):
        if shares != record.legs[leg].held:
            found.append(f"leg {leg}: the exchange has {shares} shares, the trade says {record.legs[leg].held}")
        if abs(shares - hedged) >= record.plan.undo.residue:
            found.append(f"leg {leg}: {shares - hedged} shares are naked")
    return found
