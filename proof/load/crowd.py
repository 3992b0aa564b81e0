"""Many trades at once: on one worker while their orders rest, and on several workers of one task queue."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal

import httpx
from temporalio.client import WorkflowHandle

from arbsaga.domain.money import Price, Usd
from arbsaga.risk.desk import Limits
from arbsaga.saga.messages import Patience, Phase, TradePlan, TradeRecord
from bench.site import SHARES, Legs
from proof.load.histories import Wait
from proof.load.theatre import STARVED_S, Seat, Theatre, now_ms, rss_mb
from workers.desk_client import DeskClient
from workers.planning import beat_ms
from workers.start import start_trade
from workflows.arbitrage import ArbitrageWorkflow
from workflows.messages import basket_id

PATIENCE = Patience(entry=120_000, send_by=9_000, http=4_000)
"""Orders may rest for long; a queue of trades may take up to nine seconds to be placed."""
WAVE = 20
"""Trades that are decided in one moment: a trader starts three in a pass, and of those that rest there are many."""
RESERVE = Usd(Decimal(25))
WARM_UP = 5
CHUNK = 40
"""Resting orders that one order of the house fills."""
POLL_S = 0.2
LIMIT_S = 120.0
Running = list[tuple[TradePlan, WorkflowHandle[ArbitrageWorkflow, TradeRecord]]]


@dataclass(frozen=True, slots=True)
class Crowd:
    """What came of it: times in seconds, `mb_per_trade` of the worker for each open trade, and what was wrong."""

    trades: int
    seconds: float
    first_order_s: float
    wait: Wait
    workers: int
    mb_per_trade: float
    wrong: tuple[str, ...]

    @property
    def per_second(self) -> float:
        """Whole trades a second, from the first decision to the last record."""
        return self.trades / self.seconds


async def resting(theatre: Theatre, seat: Seat, trades: int) -> Crowd:
    """So many trades at once on one worker: all their orders rest for a while, then all are filled."""
    (pid,) = await theatre.staff(seat, 1, believing=True)
    legs = _below(theatre.legs)
    async with _desk(theatre, seat, trades + WARM_UP) as desk:
        warm = await _start(theatre, seat, desk, legs, WARM_UP)
        await _all_rest(theatre, seat, 2 * WARM_UP)
        await _fill(theatre, legs)
        await _ends(warm)
        before, began = rss_mb(pid), time.monotonic()
        running = await _start_waves(theatre, seat, desk, legs, trades)
        await asyncio.sleep(1)  # until every watch is asking
        grown = rss_mb(pid) - before
        await _fill(theatre, legs)
        records = await _ends(running)
        return await _sum_up(theatre, seat, records, time.monotonic() - began, grown / trades)


async def shared(theatre: Theatre, seat: Seat, trades: int, workers: int) -> Crowd:
    """So many trades at once on several worker processes of one task queue; what they want is there."""
    await theatre.staff(seat, workers)
    async with _desk(theatre, seat, trades + WARM_UP) as desk:
        await _ends(await _start(theatre, seat, desk, theatre.legs, WARM_UP))
        began = time.monotonic()
        records = await _ends(await _start_waves(theatre, seat, desk, theatre.legs, trades))
        return await _sum_up(theatre, seat, records, time.monotonic() - began, 0)


@asynccontextmanager
async def _desk(theatre: Theatre, seat: Seat, trades: int) -> AsyncIterator[DeskClient]:
    total = Usd(RESERVE * trades)
    desk = DeskClient(theatre.client, seat.account, seat.queue, want=total)
    await desk.start(Limits(total, RESERVE))
    yield desk
    await desk.close()


def _below(legs: Legs) -> Legs:
    """One tick under what is asked: such an order rests, before all others."""
    ticks = (instrument.rules.tick for instrument in legs.instruments)
    return Legs(legs.instruments, tuple(Price(limit - tick) for limit, tick in zip(legs.limits, ticks, strict=True)))


async def _start_waves(theatre: Theatre, seat: Seat, desk: DeskClient, legs: Legs, trades: int) -> Running:
    """Some at a time, the next ones once the exchange has those orders, until all are under way."""
    running: Running = []
    while len(running) < trades:
        running += await _start(theatre, seat, desk, legs, min(WAVE, trades - len(running)), len(running))
        await _all_rest(theatre, seat, 2 * (WARM_UP + len(running)))
    return running


async def _start(  # noqa: PLR0917 - where, whose, what and how many
    theatre: Theatre, seat: Seat, desk: DeskClient, legs: Legs, trades: int, open_before: int = 0
) -> Running:
    """All at once: decided in one moment, and started as fast as the server takes them."""
    plans = []
    for open_now in range(open_before, open_before + trades):
        taken = desk.take(RESERVE, now_ms(), live_ms=PATIENCE.send_by)
        assert taken is not None, "the lease is as large as all trades together"
        plan = legs.plan(seat.account, taken.lease_id, taken.expires_ms)
        patience = replace(PATIENCE, beat=beat_ms(open_now))
        plans.append(replace(plan, reserved=taken.amount, patience=patience))
    handles = await asyncio.gather(*(start_trade(theatre.client, plan, seat.queue) for plan in plans))
    return [(plan, handle) for plan, handle in zip(plans, handles, strict=True) if handle is not None]


async def _all_rest(theatre: Theatre, seat: Seat, orders: int) -> None:
    """Until so many orders were accepted; not longer than they may be sent: what is missing then ends REFUSED."""
    end = time.monotonic() + (PATIENCE.send_by + PATIENCE.http) / 1000
    while len(theatre.orders(seat)) < orders and time.monotonic() < end:  # noqa: ASYNC110 - a file has no event
        await asyncio.sleep(POLL_S)


async def _fill(theatre: Theatre, legs: Legs) -> None:
    """The house sells into the resting orders, some of them at a time, until nothing rests at that price."""
    async with httpx.AsyncClient(base_url=theatre.site.url, timeout=10) as http:
        for leg, limit in zip(legs.instruments, legs.limits, strict=True):
            order = {"token_id": leg.token, "side": "SELL", "price": f"{limit:f}", "order_type": "FAK"}
            size, some = {"size": f"{CHUNK * SHARES:f}"}, True
            while some:
                some = (await http.post("/admin/order", json=order | size)).is_success  # refused once nothing is left


async def _ends(running: Running) -> list[TradeRecord]:
    async with asyncio.timeout(LIMIT_S):
        return list(await asyncio.gather(*(handle.result() for _, handle in running)))


async def _sum_up(
    theatre: Theatre, seat: Seat, records: Sequence[TradeRecord], seconds: float, mb_per_trade: float
) -> Crowd:
    plans = [record.plan for record in records]
    wait, workers = await theatre.waits([basket_id(plan.basket.key) for plan in plans])
    first = theatre.first_orders(seat, plans)
    wrong = [f"{seat.account}: {violation}" for violation in theatre.judge(seat).violations]
    for record in records:
        if record.phase is not Phase.COMMITTED:
            wrong.append(f"{seat.account}: trade {record.plan.trade_id} is {record.phase}: {record.reason}")
    first_s = max(first.values(), default=0.0)
    wrong += starved(wait, first_s)
    return Crowd(len(records), seconds, first_s, wait, len(workers), mb_per_trade, tuple(wrong))


def starved(wait: Wait, first_order_s: float) -> list[str]:
    """What had to wait for too long."""
    found = []
    if wait.seconds > STARVED_S:
        found.append(f"{wait.workflow_id} was starved: {wait.seconds:.1f} s for {wait.what}")
    if first_order_s > STARVED_S:
        found.append(f"a trade was starved: its first order came {first_order_s:.1f} s after its decision")
    return found
