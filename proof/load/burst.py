"""A burst of opportunities of which the budget allows few, through real traders, their desk and its leases."""

import asyncio
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from activities.depth import DepthSettings
from activities.desk import DeskActivities
from activities.trading import TradingActivities
from arbsaga.config import Config
from arbsaga.detect import Opportunity, Scanner
from arbsaga.domain.baskets import Basket, no_of_some
from arbsaga.domain.money import Usd
from arbsaga.domain.pricing import LegQuote, Quote
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.risk.desk import DeskStatus, Limits
from arbsaga.venues.polymarket import PolymarketVenue
from bench.site import SHARES, Legs
from proof.load.crowd import starved
from proof.load.histories import Wait
from proof.load.theatre import Seat, Theatre, now_ms
from workers.desk_client import DeskClient
from workers.payouts import Payouts
from workers.planning import most_spent
from workers.start import tell_desk
from workers.trader import Budget, PhaseReports, Trader
from workers.worker import build_worker
from workflows.desk import DeskWorkflow
from workflows.messages import basket_id, desk_id

TRADERS = 2
AGAIN_S = 0.1
"""What was not taken is offered again, as a scanner does with every change of a book."""
LIMIT_S = 40.0
DEPTH = DepthSettings(60_000)
"""The books stand still, and are as good as new."""


@dataclass(slots=True)
class Burst:
    """What came of it: how many entered, times in seconds, the most at the exchange in USD, and what was wrong.

    `looks`: how often the desk was asked; `free`: what it last said is free.
    """

    offered: int
    budget: int
    entered: int = 0
    seconds: float = 0.0
    first_order_s: float = 0.0
    wait: Wait = field(default_factory=lambda: Wait(0, "nothing", ""))
    limit: Decimal = Decimal(0)
    most_out: Decimal = Decimal(0)
    looks: int = 0
    free: Decimal = Decimal(0)
    wrong: list[str] = field(default_factory=list)


def quote_of(legs: Legs, number: int) -> Quote:
    """One of many baskets on the same two books."""
    known = no_of_some(f"burst{number}", "burst", legs.instruments)
    basket = Basket(f"burst:{number}", known.kind, known.title, known.event, known.legs, known.payout)
    priced = []
    for leg, limit in zip(basket.legs, legs.limits, strict=True):
        fee = leg.instrument.rules.fee.taker_fee(SHARES, limit)
        priced.append(LegQuote(leg, SHARES, limit, Usd(SHARES * limit), fee))
    cost, fees = (
        Usd(sum(amounts, Decimal(0))) for amounts in zip(*((one.cost, one.fee) for one in priced), strict=True)
    )
    return Quote(basket, SHARES, tuple(priced), cost, fees, Usd(SHARES * basket.payout))


@dataclass(frozen=True, slots=True)
class Place:
    """What the traders share."""

    theatre: Theatre
    seat: Seat
    config: Config
    venue: PolymarketVenue
    ledger: Ledger


async def burst(theatre: Theatre, seat: Seat, offered: int, budget: int) -> Burst:
    """Offer everything at once and again and again, until the budget is used and a while longer."""
    each = most_spent(quote_of(theatre.legs, 0))
    desk, temporal = {"total": each * budget, "per_trade": each}, {"task_queue": seat.queue}
    config = Config.model_validate({"account": seat.account, "desk": desk, "temporal": temporal})
    place = Place(theatre, seat, config, theatre.venue(seat.key), seat.ledger())
    found = Burst(offered, budget, limit=config.total)
    await place.venue.start()
    try:
        with _quiet():
            await _offer(place, found)
        await _sum_up(place, found)
    finally:
        await place.venue.close()
        place.ledger.close()
    return found


async def _offer(place: Place, found: Burst) -> None:
    """The worker is in the traders' process, as it is in `arbsaga up`."""
    theatre, seat, ledger = place.theatre, place.seat, place.ledger
    trading = TradingActivities(place.venue, ledger, Pager([], seat.alerts, lambda _: None), None, DEPTH)
    desk_side = DeskActivities(theatre.client, ledger, partial(tell_desk, theatre.client, seat.queue))
    async with build_worker(theatre.client, [*trading.all(), *desk_side.all()], seat.queue):
        traders = [await _trader(place) for _ in range(TRADERS)]
        with _heard(traders):
            watching = asyncio.create_task(_watch_desk(theatre, seat, place.config.total, found))
            began = time.monotonic()
            await _keep_offering(theatre, traders, found)
            found.seconds = time.monotonic() - began
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        for trader in traders:
            await trader.desk.close()


async def _sum_up(place: Place, found: Burst) -> None:
    plans = [row.plan for row in place.ledger.trades()]
    first = place.theatre.first_orders(place.seat, plans)
    found.entered, found.first_order_s = len(first), max(first.values(), default=0.0)
    if plans:
        found.wait, _ = await place.theatre.waits([basket_id(plan.basket.key) for plan in plans])
    found.wrong += starved(found.wait, found.first_order_s)
    if found.entered != found.budget:
        found.wrong.append(f"{place.seat.account}: {found.entered} trades were entered of {found.budget} in the budget")
    findings = place.theatre.judge(place.seat, limit=found.limit)
    found.wrong += [f"{place.seat.account}: {violation}" for violation in findings.violations]
    found.most_out = findings.most_out_usd


async def _trader(place: Place) -> Trader:
    """A trader as its own process puts it together, but for the scanner's streams; it wants its part of the budget."""
    config, seat, client = place.config, place.seat, place.theatre.client
    desk = DeskClient(client, seat.account, seat.queue, want=Usd(config.total / TRADERS))
    await desk.start(Limits(config.total, config.per_trade))
    payouts = Payouts(place.venue, place.ledger, seat.account, desk.paid_out)
    trader = Trader(config, client, desk, payouts, place.ledger, Budget(None))
    trader.scanner = Scanner(place.venue, config.scan_settings(), trader.on_opportunity)
    return trader


async def _keep_offering(theatre: Theatre, traders: Sequence[Trader], found: Burst) -> None:
    """All opportunities at once, then what is left again and again: until the budget is used up, and 2 s more."""
    quotes = {number: quote_of(theatre.legs, number) for number in range(found.offered)}
    each = most_spent(quotes[0])
    end = time.monotonic() + LIMIT_S
    used_up = False
    while time.monotonic() < end:
        for number, quote in list(quotes.items()):
            offer = Opportunity(quote, (), now_ms(), time.monotonic_ns())
            if traders[number % len(traders)].on_opportunity(offer):
                del quotes[number]
        busy = found.free >= each or any(trader.in_flight or trader.desk.at_hand >= each for trader in traders)
        if not busy and not used_up:
            used_up, end = True, min(end, time.monotonic() + 2)
        await asyncio.sleep(AGAIN_S)


async def _watch_desk(theatre: Theatre, seat: Seat, total: Usd, found: Burst) -> None:
    """The desk's own word, all the while: nothing is ever leased, reserved and invested beyond the limit."""
    handle = theatre.client.get_workflow_handle_for(DeskWorkflow.run, desk_id(seat.account))
    while True:
        status: DeskStatus = await handle.query(DeskWorkflow.status)
        found.looks, found.free = found.looks + 1, status.free
        held = status.leased + status.reserved + status.invested
        if held > total:
            found.wrong.append(f"I5 {seat.account}: the desk gave out {held} USD, the limit is {total}")
        await asyncio.sleep(0.02)


@contextmanager
def _heard(traders: Sequence[Trader]) -> Iterator[None]:
    """The phases that workflows log reach the traders, as in their own process."""
    logger = logging.getLogger("temporalio.workflow")
    reports = [PhaseReports(trader.heard) for trader in traders]
    level = logger.level
    logger.setLevel(logging.INFO)
    for report in reports:
        logger.addFilter(report)
    yield
    for report in reports:
        logger.removeFilter(report)
    logger.setLevel(level)


@contextmanager
def _quiet() -> Iterator[None]:
    """A trader tells its supervisor on standard output: here nobody listens."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        yield
