"""The story's port on real activities, without Temporal: what the runtime of `workflows/` does, in one process.

A lost answer to a post is UNKNOWN and is never asked for again, as there; a plan that is lived again enters as of its
decision, as there. Only durability is missing, so a worker's death is played by raising `WorkerDied`.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.trading import TradingActivities
from arbsaga.domain.orders import OrderState, OrderView
from arbsaga.risk.funded import DepthAnswer, FundedOrders
from arbsaga.saga.effects import ABORT, DEADLINE, First
from arbsaga.saga.messages import (
    CancelLeg,
    DepthReport,
    Market,
    Page,
    PlaceLegs,
    PollFills,
    ReadBooks,
    Seen,
    TradePlan,
    TradeRecord,
    ValidateDepth,
)
from proof.mutations.stage import now_ms

T = TypeVar("T")
Hook = Callable[[], Awaitable[None]]


class WorkerDied(BaseException):
    """The process is gone: nothing after this moment happens in it."""


async def nothing() -> None:
    """No hook."""


class WireEffects:
    """The effects of one life of one trade. Hooks run before the entries are sent and after they were answered."""

    def __init__(self, plan: TradePlan, hands: TradingActivities) -> None:
        self._plan, self._hands = plan, hands
        self._rng = random.Random(plan.trade_id)
        self._reliving = False
        self.before_entry: Hook = nothing
        self.after_entry: Hook = nothing
        self.abort = ""

    def now_ms(self) -> int:
        """The wall clock; while a plan is lived again, its decision's time."""
        return self._plan.decided_ms if self._reliving else now_ms()

    def jitter(self) -> float:
        """Seeded."""
        return self._rng.random()

    def abort_reason(self) -> str:
        """Why a person wants this trade ended."""
        return "" if self._reliving else self.abort

    def show(self, record: TradeRecord) -> None:
        """Nobody looks."""

    async def validate_depth(self, ask: ValidateDepth) -> DepthReport:
        """See Effects."""
        answer: DepthAnswer = await self._run(self._hands.validate_depth, ask)
        self._reliving = answer.entered
        return answer.report

    async def place_legs(self, ask: PlaceLegs) -> Seen:
        """See Effects."""
        self._reliving = False
        await self.before_entry()
        seen = await self._post(self._hands.place_legs, ask)
        await self.after_entry()
        return seen

    async def exit_leg(self, ask: PlaceLegs) -> Seen:
        """See Effects."""
        return await self._post(self._hands.exit_leg, ask)

    async def _post(self, activity: Callable[..., Any], ask: PlaceLegs) -> Seen:
        try:
            plan = self._plan
            seen: Seen = await self._run(activity, FundedOrders(plan.account, plan.lease_id, ask, plan.cap))
        except Exception as error:  # noqa: BLE001 - whatever it is, the orders may exist now
            views = tuple(OrderView(terms, "", OrderState.UNKNOWN, evidence=(f"{error!r}",)) for terms in ask.orders)
            return Seen(ask.trade_id, views, now_ms())
        return seen

    async def poll_fills(self, ask: PollFills) -> Seen:
        """See Effects."""
        seen: Seen = await self._run(self._hands.poll_fills, ask)
        return seen

    async def cancel_leg(self, ask: CancelLeg) -> Seen:
        """See Effects."""
        seen: Seen = await self._run(self._hands.cancel_leg, ask)
        return seen

    async def read_books(self, ask: ReadBooks) -> Market:
        """See Effects."""
        market: Market = await self._run(self._hands.read_books, ask)
        return market

    async def record(self, record: TradeRecord) -> Seen:
        """See Effects."""
        seen: Seen = await self._run(self._hands.record, record)
        return seen

    async def page(self, page: Page) -> None:
        """See Effects."""
        try:
            await self._run(self._hands.page, page)
        except ApplicationError:
            return  # it is tried again beside the trade; the alert log is what the judge reads

    async def sleep(self, ms: int) -> None:
        """See Effects."""
        await asyncio.sleep(ms / 1000)

    async def all_in_order(self, effects: Sequence[Awaitable[T]]) -> list[T]:
        """See Effects."""
        return list(await asyncio.gather(*effects))

    async def first_of(self, name: str, effect: Awaitable[T], deadline_ms: int, *, abort: bool) -> First[T]:
        """See Effects."""
        task = asyncio.ensure_future(effect)
        while not task.done():
            left = deadline_ms - self.now_ms()
            if left <= 0 or (abort and self.abort):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                return First(ABORT if left > 0 else DEADLINE, None)
            await asyncio.wait([task], timeout=min(left / 1000, 0.05 if abort else 10))
        return First(name, task.result())

    async def _run(self, activity: Callable[..., Any], ask: object) -> Any:  # noqa: ANN401 - an answer of any activity
        environment = ActivityEnvironment()
        environment.info = replace(
            environment.info, started_time=datetime.now(UTC), workflow_id=f"basket/{self._plan.basket.key}"
        )
        return await environment.run(activity, ask)
