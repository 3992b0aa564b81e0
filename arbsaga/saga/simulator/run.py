"""One seed, one trade: a random small basket in random weather, judged by the exchange's record."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from arbsaga.domain.baskets import Basket, BasketKind, cross, yes_of_all
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Band, Instrument, MarketRules, Outcome
from arbsaga.domain.money import NO_USD, ZERO, Price, Size, Usd, floor_to
from arbsaga.saga.messages import PlannedLeg, TradePlan, TradeRecord
from arbsaga.saga.simulator.clock import Clock
from arbsaga.saga.simulator.exchange import TICKS
from arbsaga.saga.simulator.runtime import Driver
from arbsaga.saga.simulator.weather import Luck, Weather

START_MS = 1_790_000_000_000
REPLAYED = 8
"""Of so many seeds one is replayed as a whole at its end; a crash replays what came before it in any."""
PAIRED = 0.5
"""Of the trades with two legs, so many are over two venues."""
SEQUENTIAL = 0.25
"""So many trades enter some legs first."""
UNITS = (Usd(Decimal("0.01")), Usd(Decimal("0.0001")))
"""What balances are kept in, by the kind of account."""
NETTING = MarketRules(
    tick=Decimal("0.001"),
    min_size=Size(Decimal("0.01")),
    min_notional=NO_USD,
    fee=FeeSchedule(Decimal("0.07"), step=Decimal("0.000001")),
    bands=(
        Band(Price(ZERO), Price(Decimal("0.10")), Decimal("0.001")),
        Band(Price(Decimal("0.10")), Price(Decimal("0.90")), Decimal("0.01")),
        Band(Price(Decimal("0.90")), Price(Decimal(1)), Decimal("0.001")),
    ),
    nets=True,
)
"""A market of Kalshi's kind: tapered price bands, contracts of 0.01, one signed position."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one seed came to. `violations` are breaches of the promise, in words; none are allowed.

    `struck` counts how often each kind of weather did; `lasted_ms` is virtual time.
    """

    seed: int
    record: TradeRecord
    effects: int
    crashes: int
    lasted_ms: int
    struck: tuple[tuple[str, int], ...]
    violations: tuple[str, ...]


def run_seed(seed: int, weather: Weather | None = None, *, legs: int = 0, trace: list[str] | None = None) -> Run:
    """Run the trade of a seed to its end. The same seed gives the same run, to the byte of its trace.

    Without `weather` the seed's own is taken; `legs` (2 to 4) replaces the number it draws. `trace` is filled with
    the run in words, one line an event.
    """
    rng = random.Random(seed)
    drawn = Weather.draw(rng)
    luck = Luck(rng.getrandbits(64), drawn if weather is None else weather)
    clock = Clock(START_MS, trace)
    driver = Driver(random_plan(seed, rng, legs), clock, luck)
    record = driver.run()
    lasted_ms = clock.now_ms - START_MS
    clock.run_dry()
    found = driver.witness.verdict(record)
    if seed % REPLAYED == 0 and driver.replay() != record:
        found += ("the same history ended in another record",)
    struck = tuple(sorted(luck.struck.items()))
    return Run(seed, record, driver.steps, driver.crashes + driver.hands.crashes, lasted_ms, struck, found)


def run_seeds(seeds: Iterable[int], weather: Weather | None = None) -> list[Run]:
    """The runs of these seeds, in order."""
    return [run_seed(seed, weather) for seed in seeds]


def random_plan(seed: int, rng: random.Random, legs: int = 0) -> TradePlan:
    """A basket of 2 to 4 legs (or as many as given) under its payout; now and then some of them go first."""
    drawn = rng.randrange(2, 5)
    count = legs or drawn
    paired = rng.random() < PAIRED and count == 2
    basket, price = _pair(seed, rng) if paired else _runners(seed, rng, count)
    size = Size(Decimal(rng.randrange(10, 50)))
    first = tuple(rng.sample(range(count), rng.randrange(1, count))) if rng.random() < SEQUENTIAL else ()
    cost = Usd(count * size * price)
    fees = Usd(sum((leg.instrument.rules.fee.taker_fee(size, price) for leg in basket.legs), NO_USD))
    return TradePlan(
        trade_id=f"T{seed}",
        account="sim",
        basket=basket,
        units=size,
        legs=tuple(PlannedLeg(size, price) for _ in basket.legs),
        cost=cost,
        fees=fees,
        edge=Usd(size - cost - fees),
        reserved=Usd(cost + fees),
        lease_id="lease",
        lease_expires_ms=START_MS + 60_000,
        decided_ms=START_MS,
        decided_ns=0,
        books=(),
        first=first,
    )


def _runners(seed: int, rng: random.Random, count: int) -> tuple[Basket, Price]:
    """One YES of each runner, with fees or without, and what each may cost."""
    rules = MarketRules(tick=rng.choice(TICKS), fee=FeeSchedule(rng.choice((ZERO, Decimal("0.05")))), neg_risk=True)
    price = Price(floor_to(Decimal(rng.randrange(80, 96)) / 100 / count, rules.tick))
    yes = [Instrument("sim", f"m{n}", f"m{n}-yes", f"m{n}-no", Outcome.YES, f"Runner {n}", rules) for n in range(count)]
    return yes_of_all(f"event-{seed}", "Who wins?", yes), price


def _pair(seed: int, rng: random.Random) -> tuple[Basket, Price]:
    """YES here and NO at a venue of Kalshi's kind, and what each may cost."""
    here = MarketRules(tick=rng.choice(TICKS), fee=FeeSchedule(rng.choice((ZERO, Decimal("0.05")))))
    there = replace(NETTING, fee=replace(NETTING.fee, rounding=rng.choice(UNITS)))
    yes = Instrument("sim", "m0", "m0-yes", "m0-no", Outcome.YES, "Rain", here)
    no = Instrument("net", "RAIN", "net:RAIN:NO", "net:RAIN:YES", Outcome.NO, "Rain", there)
    price = Price(Decimal(rng.randrange(40, 48)) / 100)
    return cross(f"rain-{seed}", "Will it rain?", BasketKind.IDENTITY, yes, no), price
