"""A HELD trade waits for a person or for its market's resolution; meanwhile its orders stay watched."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow

from arbsaga.risk.desk import Closed
from arbsaga.saga import judge
from arbsaga.saga.messages import Phase, PollFills, TradeRecord
from arbsaga.saga.trade import Trade
from workflows import messages
from workflows.messages import CANCELLED, HeldTrade, held_id
from workflows.runtime import TemporalEffects
from workflows.to_desk import tell_desk

FIRST_PAUSE_S = 1
LONGEST_PAUSE_S = 300
PAGES_LIMIT = timedelta(minutes=1)


@workflow.defn
class HeldWorkflow:
    """Signals: `resolve` (a person), `paid_out` (the desk: nothing is held any more), `look_again`. Query: `status`."""

    @workflow.init
    def __init__(self, held: HeldTrade) -> None:
        """Before any signal is handled."""
        self._held = held
        self._fx = TemporalEffects(held.record.plan)
        self._fx.latest = held.record
        self._decision = held.decision
        self._again = False

    @workflow.run
    async def run(self, held: HeldTrade) -> TradeRecord:
        """The trade's record once it is resolved."""
        watch = asyncio.ensure_future(self._watch())
        while True:
            try:
                return await asyncio.shield(watch)
            except asyncio.CancelledError:
                if watch.done() or workflow.cancellation_reason() is None:
                    raise
                self._decision = self._decision or workflow.cancellation_reason() or CANCELLED

    @workflow.signal
    def resolve(self, decision: str) -> None:
        """A person has dealt with it: the capital is free and the basket may be traded again."""
        self._decision = self._decision or decision or "no words"

    @workflow.signal
    def paid_out(self) -> None:
        """The market resolved and nothing is held any more."""
        self._decision = self._decision or "the market paid out"

    @workflow.signal
    def look_again(self) -> None:
        """The venue shows more of this trade than is booked: look at every order, also at what was proved absent."""
        self._again = True

    @workflow.query
    def status(self) -> TradeRecord:
        """The trade as last seen."""
        return self._held.record

    async def _watch(self) -> TradeRecord:
        for page in self._held.pages:
            await self._fx.page(page)
        while not self._decision:
            await self._look()
            if workflow.info().get_current_history_length() > messages.MAX_EVENTS:
                pages = await self._fx.undelivered(PAGES_LIMIT)
                await self._close()
                workflow.continue_as_new(replace(self._held, pages=pages, decision=self._decision))
            await self._pause()
        return await self._resolve()

    async def _look(self) -> None:
        """Ask once what became of orders that can still change, and write down what is new."""
        record = self._held.record
        trade = Trade(record.plan, record.orders)
        forgotten = trade.orders if self._again else ()
        self._again = False
        open_ended = tuple(dict.fromkeys((*trade.open, *trade.unexplained, *trade.unsettled, *forgotten)))
        if not open_ended:
            return
        ask = PollFills(record.plan.trade_id, open_ended, self._fx.now_ms(), record.plan.patience.poll)
        seen = await self._fx.poll_fills(ask)
        after = judge.conclude(trade.with_orders(seen.orders), self._fx.now_ms())
        if after.orders != trade.orders:
            await self._keep(after.record(Phase.HELD, record.reason, self._fx.now_ms()))
        if [view.known for view in after.orders] != [view.known for view in trade.orders]:
            await self._page_change(after)

    async def _page_change(self, trade: Trade) -> None:
        """What the person was told when the trade became HELD is no longer so: never silently."""
        state = ",".join(f"{view.known.normalize():f}" for view in trade.orders)
        to_do = f"Look at it again, then: arbsaga resolve {trade.plan.trade_id}"
        await self._fx.page(judge.page_for(trade, f"held/{state}", "the fills of a held trade have changed", to_do))

    async def _pause(self) -> None:
        """Longer each time, up to five minutes; a decision ends it at once."""
        seconds = min(FIRST_PAUSE_S * 2 ** min(self._held.looks, 10), LONGEST_PAUSE_S)
        self._held = replace(self._held, looks=self._held.looks + 1)
        try:
            await workflow.wait_condition(
                lambda: bool(self._decision) or self._again, timeout=timedelta(seconds=seconds)
            )
        except TimeoutError:
            return

    async def _resolve(self) -> TradeRecord:
        record = self._held.record
        reason = f"{record.reason}; resolved: {self._decision}"
        await self._keep(replace(record, reason=reason, time_ms=self._fx.now_ms()))
        await self._fx.undelivered(PAGES_LIMIT)
        await tell_desk(record.plan.account, "paid_out", record.plan.trade_id)
        await self._close()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._held.record

    async def _close(self) -> None:
        """Have this run's history archived beside the trade's own."""
        name, info = held_id(self._held.record.plan.trade_id), workflow.info()
        closed = Closed(f"{name}/{info.run_id}", name, info.run_id)
        await tell_desk(self._held.record.plan.account, "closed", closed)

    async def _keep(self, record: TradeRecord) -> None:
        self._held = replace(self._held, record=record)
        self._fx.latest = record
        left_out = await self._fx.record(record)
        if left_out.orders:
            known = Trade(record.plan, record.orders).with_orders(left_out.orders)
            await self._keep(known.record(Phase.HELD, record.reason, self._fx.now_ms()))
