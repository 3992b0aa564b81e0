"""Small stories on the real effects, to see what each combination does."""

import asyncio
from datetime import timedelta

from temporalio import workflow

from arbsaga.errors import ArbsagaError
from arbsaga.saga.effects import First
from arbsaga.saga.messages import Page, TradePlan
from workflows.runtime import TemporalEffects


class LegFailed(ArbsagaError):
    """One effect of several went wrong."""


@workflow.defn
class FirstOf:
    """`first_of` over a sleep: which of the three ends it."""

    @workflow.init
    def __init__(self, plan: TradePlan, sleep_ms: int, limit_ms: int, abort: bool) -> None:
        self.fx = TemporalEffects(plan)

    @workflow.run
    async def run(self, plan: TradePlan, sleep_ms: int, limit_ms: int, abort: bool) -> list[str | None]:
        outcomes: list[str | None] = []
        for _ in range(2):
            sleeping = self.sleep(sleep_ms)
            first: First[str] = await self.fx.first_of("slept", sleeping, self.fx.now_ms() + limit_ms, abort=abort)
            outcomes += [first.name, first.answer]
        return outcomes

    async def sleep(self, ms: int) -> str:
        await self.fx.sleep(ms)
        return "well"

    @workflow.signal
    def abort(self, reason: str) -> None:
        self.fx.abort(reason)


@workflow.defn
class AllInOrder:
    """Four effects of different length; one of them fails at once."""

    @workflow.run
    async def run(self, plan: TradePlan, failing: int) -> list[str]:
        fx = TemporalEffects(plan)
        finished: list[str] = []

        async def step(number: int, ms: int) -> str:
            if number == failing:
                raise LegFailed(str(number))
            await fx.sleep(ms)
            finished.append(f"end {number}")
            return f"answer {number}"

        try:
            return await fx.all_in_order([step(number, 200 - 50 * number) for number in range(4)])
        except LegFailed as error:
            return [f"failed {error}", *finished]


@workflow.defn
class Paging:
    """How long a page holds a trade up, and whether it is delivered in the end."""

    @workflow.run
    async def run(self, plan: TradePlan, page: Page) -> list[int]:
        fx = TemporalEffects(plan)
        began = fx.now_ms()
        await fx.page(page)
        held_up = fx.now_ms() - began
        left = await fx.undelivered(timedelta(0))
        after = await fx.undelivered(timedelta(seconds=20))
        return [held_up, len(left), len(after)]


@workflow.defn
class Jitters:
    """The seeded randomness and the clock replay the same."""

    @workflow.run
    async def run(self, plan: TradePlan) -> list[float]:
        fx = TemporalEffects(plan)
        first = fx.jitter()
        await asyncio.sleep(0.01)
        return [first, fx.jitter(), float(fx.now_ms())]


STORIES = (FirstOf, AllInOrder, Paging, Jitters)
