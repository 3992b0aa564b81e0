"""Running a trade again under its own workflow id: the ledger's fence lets no order be sent again, so it only looks
up, books, makes equal what is not, and ends.

A trade without intents is never run again: there is nothing to book, and it must not enter anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import ParseError
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHistory, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.desk import RESOLVED, archive_run
from arbsaga.domain import instruments
from arbsaga.domain.instruments import Instrument, MarketRules
from arbsaga.domain.money import MICRO, NO_USD
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, Purpose, TimeInForce
from arbsaga.ledger import Intent, Ledger, TradeRow, TradeStory
from arbsaga.notify import Pager
from arbsaga.reconcile.actions import MAX_REOPENED, Reopen
from arbsaga.reconcile.looking import now_ms
from arbsaga.reconcile.replan import plan_from
from arbsaga.risk.desk import Claim, Closed, DeskNote, Ended
from arbsaga.saga import judge
from arbsaga.saga.messages import Page, Phase, TradePlan, TradeRecord
from arbsaga.saga.trade import Trade
from arbsaga.venues.port import OpenOrder, Venue
from arbsaga.venues.several import market_of, venue_of

MEMO = "trade_id"
"""In the memo of a trade's workflow: whose run of the basket it is."""
MOST_RUNS = 50
"""Of one basket, among which a trade is looked for."""
UNREADABLE = (ParseError, ValueError, RuntimeError, LookupError, AttributeError, TypeError)
"""What decoding raises where another version wrote: pydantic's errors are ValueErrors, and the SDK walks the JSON."""
NO_RUN = "00000000-0000-0000-0000-000000000000"
"""Of a trade that the server has lost. An empty id would mean the newest run, which may be another trade's."""


@dataclass(frozen=True, slots=True)
class Starters:
    """What starts workflows. `trade`: False where its basket is in use."""

    tell_desk: Callable[[DeskNote], Awaitable[None]]
    trade: Callable[[TradePlan], Awaitable[bool]]
    watch: Callable[[TradeRecord], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Run:
    """The newest run of a basket: whose trade it is ("" where nothing tells) and whether it is still running."""

    run_id: str = ""
    trade_id: str = ""
    running: bool = False

    def is_of(self, trade_id: str) -> bool:
        """Whether it is this trade that runs; a run that does not tell whose it is is left alone."""
        return self.running and self.trade_id in ("", trade_id)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done, in a few words; empty where there was nothing to do. `again`: a trade was run again."""

    said: str = ""
    again: bool = False


class Reopening:
    """What runs trades again, and knows which of them run. Methods raise RPCError, and what the ledger raises."""

    def __init__(self, client: Client, venue: Venue, ledger: Ledger, pager: Pager, starters: Starters) -> None:
        self._client, self._venue, self._ledger = client, venue, ledger
        self._pager, self._starters = pager, starters

    async def claims(self, account: str) -> Sequence[Claim]:
        """The capital that trades hold, by the account's desk; none when it does not answer."""
        try:
            claims: list[Claim] = await self._client.get_workflow_handle(f"desk/{account}").query(
                "claims", result_type=list[Claim]
            )
        except (RPCError, WorkflowQueryFailedError) as error:
            activity.logger.info("the desk does not answer: %s", error)
            return ()
        return claims

    async def runs(self, trade_id: str, workflow_id: str) -> bool:
        """Whether this trade's workflow runs."""
        return (await self._newest(workflow_id)).is_of(trade_id)

    async def watched(self, trade_id: str) -> bool:
        """Whether somebody watches a HELD trade."""
        return await self._status(f"held/{trade_id}") is WorkflowExecutionStatus.RUNNING

    async def cancel(self, order: OpenOrder) -> Outcome:
        """Cancel an order by id, unless it is the business of a trade that runs."""
        known = await asyncio.to_thread(self._ledger.intents_by_order, [order.order_id])
        if known and await self.runs(known[0].terms.trade_id, known[0].workflow_id):
            return Outcome()
        terms = known[0].terms if known else _of_a_stranger(order)
        view = await self._venue.cancel(OrderView(terms, order.order_id, OrderState.LIVE))
        whose = f"of {terms.trade_id}" if known else "that nobody intended"
        fate = f"{view.known.normalize():f} filled" if view.state.final else f"it is {view.state}: {view.evidence[-1:]}"
        return Outcome(f"order {order.order_id} {whose} was cancelled, {fate}")

    async def reopen(self, what: Reopen, account: str, before: int, resting: Sequence[OpenOrder]) -> Outcome:
        """Run the trade again, for the `before`+1st time. Those of its orders that still rest are cancelled first.

        They are long over their time, and a run that starts late would give up waiting for them. First the workflow,
        then its row: read the other way round, a trade that records its end and closes in between looks broken off.
        """
        intents = await asyncio.to_thread(self._ledger.intents_by_trade, what.trade_id)
        if not intents:
            await self._starters.tell_desk(DeskNote(account, "paid_out", what.trade_id))
            return Outcome(f"{what.trade_id} sent no order: its capital is free")
        run = await self._newest(intents[0].workflow_id)
        story = await asyncio.to_thread(self._ledger.trade, what.trade_id)
        assert story is not None, "it has intents"
        row = story.row
        if run.is_of(what.trade_id):
            return Outcome()
        if row is not None and row.ended and (what.broken or what.untold):  # it ended between the looks
            return await self._tell_end(row, story, run) if what.untold else Outcome()
        ids = {one.order_id for one in intents}
        cancelled = [await self.cancel(order) for order in resting if order.order_id in ids]
        plan = row.plan if row is not None else await self._plan(what.trade_id, intents)
        if plan is None:
            await self._page_lost(what.trade_id, intents)
            return Outcome(f"{what.trade_id} cannot be run again: nothing tells its plan")
        if what.unsettled and now_ms() >= max(one.terms.created_ms for one in intents) + plan.patience.settle:
            # Run again after that time, it would give up waiting for the settlement at once, and be HELD.
            return Outcome(f"{what.trade_id} waits until its fill is final")
        outcome = await self._run_or_hold(what, plan, story, run, before)
        return Outcome("; ".join(one.said for one in (*cancelled, outcome)), outcome.again)

    async def _run_or_hold(self, what: Reopen, plan: TradePlan, story: TradeStory, run: Run, before: int) -> Outcome:
        if story.row is not None and story.row.phase is Phase.HELD:
            return await self._hold(plan, story, story.row.reason, run)
        if before >= MAX_REOPENED:
            return await self._hold(plan, story, f"run again {before} times, and still: {what.why}", run)
        return await self._start(what, plan, run)

    async def look_again(self, trade_id: str) -> Outcome:
        """Have the watch over a HELD trade look at all its orders; start it where it is gone."""
        watched = await self.watched(trade_id)  # first, because a watch that ends has recorded the decision by then
        story = await asyncio.to_thread(self._ledger.trade, trade_id)
        if story is None or story.row is None or story.row.phase is not Phase.HELD or RESOLVED in story.row.reason:
            return Outcome()  # a person has dealt with it: what comes later is paged, and theirs
        if watched:
            await self._client.get_workflow_handle(f"held/{trade_id}").signal("look_again")
            return Outcome(f"the watch over {trade_id} looks again")
        await self._starters.watch(_record(story.row.plan, story, story.row.reason))
        return Outcome(f"{trade_id} is watched again")

    async def _tell_end(self, row: TradeRow, story: TradeStory, run: Run) -> Outcome:
        """Tell the desk how a trade ended, as its workflow would have: it was terminated before it could."""
        said = f"{row.trade_id} ended {row.phase}, which its desk is told"
        if row.phase is Phase.HELD and RESOLVED in row.reason:
            await self._starters.tell_desk(DeskNote(row.account, "paid_out", row.trade_id))
            return Outcome(said)
        spent = row.spent if row.payout > 0 or row.phase is Phase.HELD else NO_USD
        ended = Ended(_claim(row.plan), await self._own_run(row.plan, run), row.phase, spent)
        await self._starters.tell_desk(DeskNote(row.account, "ended", ended))
        if row.phase is Phase.HELD:
            await self._starters.watch(_record(row.plan, story, row.reason))
        return Outcome(said)

    async def _start(self, what: Reopen, plan: TradePlan, run: Run) -> Outcome:
        claim = _claim(plan)
        await self._starters.tell_desk(DeskNote(plan.account, "reopened", claim))
        if run.trade_id == plan.trade_id:
            closed = Closed(f"{plan.trade_id}/{run.run_id}", claim.workflow_id, run.run_id)
            await archive_run(self._client, self._ledger, closed)
        if not await self._starters.trade(plan):
            return Outcome(f"{plan.trade_id} waits for its basket: another trade is in it")
        return Outcome(f"{plan.trade_id} is run again: {what.why}", again=True)

    async def _hold(self, plan: TradePlan, story: TradeStory, reason: str, run: Run) -> Outcome:
        """Leave it to a person, as a trade that ends HELD does: recorded, its capital kept, watched, paged."""
        record = _record(plan, story, reason)
        await asyncio.to_thread(self._ledger.record, record)
        # Of a trade that ended FLAT the desk hears no second end, unless it was reopened.
        await self._starters.tell_desk(DeskNote(plan.account, "reopened", _claim(plan)))
        ended = Ended(_claim(plan), await self._own_run(plan, run), Phase.HELD, record.spent)
        await self._starters.tell_desk(DeskNote(plan.account, "ended", ended))
        await self._starters.watch(record)
        to_do = f"Decide, then: arbsaga resolve {plan.trade_id}"
        trade = Trade(plan, record.orders)
        await self._pager.deliver(judge.page_for(trade, "held/reconciled", f"trade held: {reason}", to_do))
        return Outcome(f"{plan.trade_id} is HELD: {reason}")

    async def _own_run(self, plan: TradePlan, newest: Run) -> str:
        """The id of the trade's newest run: the basket's newest one may be another trade's."""
        if newest.trade_id == plan.trade_id:
            return newest.run_id
        runs = self._client.list_workflows(f"WorkflowId = '{_claim(plan).workflow_id}'", limit=MOST_RUNS)
        async for found in runs:
            if (await found.memo()).get(MEMO) == plan.trade_id:
                return found.run_id
        return NO_RUN

    async def _page_lost(self, trade_id: str, intents: Sequence[Intent]) -> None:
        facts = tuple((f"order {one.terms.leg}/{one.terms.attempt}", one.order_id) for one in intents)
        to_do = "Look at its orders at the venue; sell or hedge what filled."
        headline = "a trade broke off, and nothing tells its plan"
        await self._pager.deliver(Page(trade_id, f"{trade_id}/lost", headline, facts, to_do))

    async def _plan(self, trade_id: str, intents: Sequence[Intent]) -> TradePlan | None:
        """From its history on the server or in the archive, else from its orders."""
        async for found in self._client.list_workflows(f"WorkflowId = '{intents[0].workflow_id}'", limit=MOST_RUNS):
            plan = await self._first_event(found.id, found.run_id)
            if plan is not None and plan.trade_id == trade_id:
                return plan
        archived = await asyncio.to_thread(self._ledger.history, trade_id)
        try:
            plan = await self._decoded(WorkflowHistory.from_json(trade_id, archived).events) if archived else None
        except UNREADABLE as error:
            activity.logger.warning("the archived history of %s cannot be read: %s", trade_id, _words(error))
            plan = None
        return plan or plan_from(intents)

    async def _first_event(self, workflow_id: str, run_id: str) -> TradePlan | None:
        events = self._client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history_events(page_size=1)
        try:
            async for event in events:
                return await self._decoded([event])
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # deleted since it was listed
                raise
        return None

    async def _decoded(self, events: Sequence[Any]) -> TradePlan | None:
        """The plan that a run was started with; None where it cannot be read: another version wrote it."""
        try:
            start = events[0].workflow_execution_started_event_attributes
            (plan,) = await self._client.data_converter.decode(start.input.payloads, [TradePlan])
        except UNREADABLE as error:
            activity.logger.warning("a plan cannot be read: %s", _words(error))
            return None
        assert isinstance(plan, TradePlan), "a trade's workflow is started with its plan"
        return plan

    async def _newest(self, workflow_id: str) -> Run:
        try:
            found = await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return Run()
            raise
        trade_id = str((await found.memo()).get(MEMO, ""))
        return Run(found.run_id, trade_id, found.status is WorkflowExecutionStatus.RUNNING)

    async def _status(self, workflow_id: str) -> WorkflowExecutionStatus | None:
        try:
            return (await self._client.get_workflow_handle(workflow_id).describe()).status
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise


def _words(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _record(plan: TradePlan, story: TradeStory, reason: str) -> TradeRecord:
    return Trade(plan, story.orders).record(Phase.HELD, reason, now_ms())


def _claim(plan: TradePlan) -> Claim:
    key = plan.basket.key
    return Claim(plan.trade_id, f"basket/{key}", key, plan.lease_id, plan.reserved)


def _of_a_stranger(order: OpenOrder) -> OrderTerms:
    """Terms for an order that nobody intended: what the venue says of it, which is all there is.

    Without its venue's name it could not be cancelled where there are two.
    """
    venue, market, outcome = venue_of(order.token), market_of(order.token), instruments.Outcome.YES
    instrument = Instrument(venue, market, order.token, "", outcome, order.token, MarketRules(MICRO))
    return OrderTerms(
        trade_id="",
        leg=0,
        attempt=0,
        purpose=Purpose.ENTER,
        instrument=instrument,
        side=order.side,
        size=order.size,
        limit=order.price,
        time_in_force=TimeInForce.GTC,
        created_ms=order.created_ms,
        send_by_ms=order.created_ms,
    )
