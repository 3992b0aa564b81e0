"""One arbitrage as a durable workflow: claim the capital, live the story, settle with the desk.

The workflow's id is the basket's (`basket/<key>`), so that a basket is never in two trades at once.
A HELD trade hands over to `held/<trade_id>` and ends; the desk keeps its capital and blocks the basket.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from arbsaga.domain.money import NO_USD
from arbsaga.risk.desk import Claim, Ended
from arbsaga.saga.messages import Page, Phase, TradePlan, TradeRecord
from arbsaga.saga.story import arbitrage
from workflows import words
from workflows.messages import CANCELLED, HELD_WORKFLOW, TASK_TIMEOUT, HeldTrade, held_id
from workflows.runtime import TemporalEffects
from workflows.to_desk import tell_desk

PAGES_LIMIT = timedelta(seconds=30)
"""How long an ended trade waits for its pages; a HELD one hands them over instead."""


@workflow.defn
class ArbitrageWorkflow:
    """A trade. Signals: `abort`, `resolve`. Query: `status`. Cancelling it in the UI is an abort."""

    @workflow.init
    def __init__(self, plan: TradePlan) -> None:
        """Before any signal is handled."""
        self._plan = plan
        self._fx = TemporalEffects(plan)
        self._decision = ""

    @workflow.run
    async def run(self, plan: TradePlan) -> TradeRecord:
        """The trade's record at its end: REFUSED, COMMITTED, FLAT or HELD."""
        life = asyncio.ensure_future(self._live())
        while True:
            try:
                # Only this wait is ever cancelled: orders, cancels and records go on to their end.
                return await asyncio.shield(life)
            except asyncio.CancelledError:
                if life.done() or workflow.cancellation_reason() is None:
                    raise
                self._fx.abort(workflow.cancellation_reason() or CANCELLED)

    @workflow.signal
    def abort(self, reason: str) -> None:
        """End this trade: send nothing new, cancel what rests, undo what filled."""
        self._fx.abort(reason)

    @workflow.signal
    def resolve(self, decision: str) -> None:
        """A person's decision on this trade, for when it is HELD."""
        self._decision = decision

    @workflow.query
    def status(self) -> TradeRecord:
        """Where the trade stands, with the evidence for every order."""
        assert self._fx.latest is not None, "a trade shows its first phase before anything else"
        return self._fx.latest

    async def _live(self) -> TradeRecord:
        claiming = asyncio.ensure_future(self._tell_claim())
        record = await arbitrage(self._fx, self._plan)
        self._fx.placed = True  # a refused trade placed nothing, and tells the desk all the same
        await claiming
        undelivered = await self._fx.undelivered(timedelta(0) if record.phase is Phase.HELD else PAGES_LIMIT)
        if record.phase is Phase.HELD:
            await self._hand_over(record, undelivered)
        # A FLAT trade can still hold pairs from hedging: they pay $1 each, but only when their market resolves.
        spent = record.spent if record.payout > 0 or record.phase is Phase.HELD else NO_USD
        ended = Ended(self._claim, workflow.info().run_id, record.phase, spent)
        await tell_desk(self._plan.account, "ended", ended)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return record

    async def _tell_claim(self) -> None:
        """Claim the capital once the entries are out: its answer must not wake this workflow while they are sent.

        Until then the lease counts it as taken, and the desk finds the orders of a silent lease by their intents.
        """
        await workflow.wait_condition(lambda: self._fx.placed)
        await tell_desk(self._plan.account, "claim", self._claim)

    @property
    def _claim(self) -> Claim:
        plan = self._plan
        return Claim(plan.trade_id, workflow.info().workflow_id, plan.basket.key, plan.lease_id, plan.reserved)

    async def _hand_over(self, record: TradeRecord, pages: tuple[Page, ...]) -> None:
        """Start the watch over a HELD trade. A second hand-over (after a reset) finds it there already."""
        try:
            await workflow.start_child_workflow(
                HELD_WORKFLOW,
                HeldTrade(record, pages, self._decision),
                id=held_id(record.plan.trade_id),
                parent_close_policy=ParentClosePolicy.ABANDON,
                task_timeout=TASK_TIMEOUT,
                static_summary=words.short(f"held: {record.plan.basket.title}: {record.reason}"),
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("the hand-over was made before", extra={"trade_id": record.plan.trade_id})
