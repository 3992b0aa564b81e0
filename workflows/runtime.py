"""The saga's effects on Temporal: each one an activity, a timer or a signal, with a summary in a trader's words.

What can be repeated is retried for ever. What must not be (sending orders) has one attempt: when its
answer is lost, the orders are UNKNOWN and the story proves their fate. Every answer must echo the
trade, legs and attempts that were asked for.
"""

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError
from temporalio.workflow import ActivityCancellationType, ActivityHandle

from arbsaga.domain.orders import OrderState, OrderTerms, OrderView
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
from workflows import attributes, words

T = TypeVar("T")

HEARTBEAT = timedelta(seconds=2)
"""A worker that is silent for so long is dead, and its trades move on."""
FOREVER = RetryPolicy(
    initial_interval=timedelta(milliseconds=50), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=2)
)
ONCE = RetryPolicy(maximum_attempts=1)
STEP_LIMIT = timedelta(seconds=20)
"""One attempt of a request to the venue, the ledger or the pager."""
DEPTH_LIMIT = timedelta(seconds=3)
POST_SLACK = timedelta(seconds=3)
"""Beyond `send_by` and the HTTP limit: signing, the ledger's write, and a loaded machine."""
TIMER_GRACE_MS = 250
"""A watch ends by itself at its time; the timer behind it only fires when its worker is gone."""
PAGE_PATIENCE = timedelta(seconds=1)
"""How long a trade waits for a slow paging service; delivery goes on beside it."""


class TemporalEffects:
    """The `Effects` of one trade's workflow."""

    def __init__(self, plan: TradePlan) -> None:
        """`latest` is what the status query shows, `placed` whether the entries are out (or lost on their way)."""
        self._plan = plan
        self._abort = ""
        # A plan whose orders were sent before (a reset, or a second run) enters as of its decision: refused as
        # too late, it would leave those orders alone. `place_legs` sends nothing again and tells what they became.
        self._reliving = False
        self._pages: list[tuple[Page, ActivityHandle[None]]] = []
        self.latest: TradeRecord | None = None
        self.placed = False

    def abort(self, reason: str) -> None:
        """A person wants this trade ended. The first reason stays."""
        self._abort = self._abort or reason or "no reason given"

    def now_ms(self) -> int:
        """Workflow time: the server's, the same in every replay. While a plan is lived again, its decision's."""
        return self._plan.decided_ms if self._reliving else workflow.time_ns() // 1_000_000

    def jitter(self) -> float:
        """From the workflow's seeded randomness."""
        return workflow.random().random()

    def abort_reason(self) -> str:
        """Empty, or why a person (or a UI cancel) wants this trade ended."""
        return "" if self._reliving else self._abort

    def show(self, record: TradeRecord) -> None:
        """Search attribute, status query, details in the UI, and a log line for the live view."""
        before, self.latest = self.latest, record
        if before is not None and before.phase is record.phase:
            return
        if before is not None:  # the first phase was set when the workflow was started
            workflow.upsert_search_attributes(attributes.after(record))
        workflow.set_current_details(words.details(record))
        workflow.logger.info("phase", extra={"trade": record})

    async def validate_depth(self, ask: ValidateDepth) -> DepthReport:
        """A local activity: a harmless read on the way to the wire, one hop less."""
        try:
            answer: DepthAnswer = await workflow.execute_local_activity(
                "validate_depth",
                ask,
                result_type=DepthAnswer,
                start_to_close_timeout=DEPTH_LIMIT,
                retry_policy=FOREVER,
                summary=words.short(f"validate depth: {self._plan.basket.title}"),
            )
        except ActivityError as error:
            raise AssertionError(f"validate depth is retried for ever: {error}") from error
        assert answer.report.trade_id == ask.plan.trade_id, "the depth report is for this trade"
        self._reliving = answer.entered
        return answer.report

    async def place_legs(self, ask: PlaceLegs) -> Seen:
        """Send the entry orders, once."""
        self._reliving = False
        seen = await self._post("place_legs", ask)
        self.placed = True
        return seen

    async def exit_leg(self, ask: PlaceLegs) -> Seen:
        """Send one reducing order, once."""
        return await self._post("exit_leg", ask)

    async def poll_fills(self, ask: PollFills) -> Seen:
        """Watch until there is news. Interruptible; ends only when the watching has really stopped."""
        left = max(0, ask.until_ms - self.now_ms())
        seen = await workflow.execute_activity(
            "poll_fills",
            ask,
            result_type=Seen,
            start_to_close_timeout=timedelta(milliseconds=left) + STEP_LIMIT,
            heartbeat_timeout=timedelta(milliseconds=self._plan.patience.beat),
            retry_policy=FOREVER,
            # TRY_CANCEL reports an activity as cancelled while it still runs.
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=words.short(("watch settlement of " if ask.settled else "watch ") + words.orders(ask.known)),
        )
        return _echoed(seen, ask.trade_id, [view.terms for view in ask.known])

    async def cancel_leg(self, ask: CancelLeg) -> Seen:
        """Cancel one order by id, until the venue has been asked."""
        summary = "cancel " + words.order(ask.known.terms)
        seen = await _retried("cancel_leg", ask, Seen, summary)
        return _echoed(seen, ask.trade_id, [ask.known.terms])

    async def read_books(self, ask: ReadBooks) -> Market:
        """Fresh books and sellable balances."""
        market = await _retried("read_books", ask, Market, f"read {len(ask.tokens)} books")
        assert market.trade_id == ask.trade_id, "the books are for this trade"
        return market

    async def record(self, record: TradeRecord) -> Seen:
        """Write to the ledger, unless it knows of orders that are left out."""
        seen = await _retried("record", record, Seen, f"book {record.phase}, profit {record.profit:.2f} USD")
        assert seen.trade_id == record.plan.trade_id, "what is left out is of this trade"
        return seen

    async def page(self, page: Page) -> None:
        """Tell a person. A slow service holds the trade for a second only; delivery goes on beside it."""
        handle = workflow.start_activity(
            "page",
            page,
            result_type=type(None),
            start_to_close_timeout=STEP_LIMIT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)),
            summary=words.short(f"page: {page.headline}"),
        )
        self._pages.append((page, handle))
        try:
            await workflow.wait_condition(handle.done, timeout=PAGE_PATIENCE)
        except TimeoutError:
            workflow.logger.warning("page not delivered yet", extra={"key": page.key})

    async def undelivered(self, patience: timedelta) -> tuple[Page, ...]:
        """The pages that no service has taken yet, after waiting for up to `patience`."""
        try:
            await workflow.wait_condition(lambda: all(handle.done() for _, handle in self._pages), timeout=patience)
        except TimeoutError:
            return tuple(page for page, handle in self._pages if not handle.done())
        return ()

    async def sleep(self, ms: int) -> None:
        """A durable timer."""
        await workflow.sleep(timedelta(milliseconds=max(1, ms)))

    async def all_in_order(self, effects: Sequence[Awaitable[T]]) -> list[T]:
        """Ordered gather: nothing is cancelled, everything is awaited, then the first error is raised."""
        outcomes = await asyncio.gather(*effects, return_exceptions=True)
        answers: list[T] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            answers.append(outcome)
        return answers

    async def first_of(self, name: str, effect: Awaitable[T], deadline_ms: int, *, abort: bool) -> First[T]:
        """The effect's answer, DEADLINE, or ABORT. The effect has ended when this returns."""
        if abort and self._abort:
            _drop(effect)
            return First(ABORT, None)
        task = asyncio.ensure_future(effect)
        left = timedelta(milliseconds=max(0, deadline_ms - self.now_ms()) + TIMER_GRACE_MS)
        try:
            await workflow.wait_condition(lambda: task.done() or (abort and bool(self._abort)), timeout=left)
            interruption = ABORT
        except TimeoutError:
            interruption = DEADLINE
        if cut := not task.done():
            task.cancel()
        # gather tells the effect's own cancellation (a result) from that of this workflow task (raised).
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(outcome, BaseException):
            return First(name, outcome)
        if cut and isinstance(outcome, asyncio.CancelledError | ActivityError):
            return First(interruption, None)
        raise AssertionError(f"{name} is retried for ever: {outcome}") from outcome

    async def _post(self, activity: str, ask: PlaceLegs) -> Seen:
        """One attempt. Where its answer is lost, the orders are UNKNOWN: they may or may not exist."""
        verb = "place" if activity == "place_legs" else "exit"
        patience = timedelta(milliseconds=self._plan.patience.send_by + self._plan.patience.http)
        try:
            seen = await workflow.execute_activity(
                activity,
                FundedOrders(self._plan.account, self._plan.lease_id, ask, self._plan.cap),
                result_type=Seen,
                start_to_close_timeout=patience + POST_SLACK,
                heartbeat_timeout=HEARTBEAT,
                retry_policy=ONCE,
                summary=words.short(", ".join(words.order(terms) for terms in ask.orders)),
            )
        except ActivityError as error:
            why = f"{verb}: no answer ({error.cause or error})"
            views = tuple(OrderView(terms, "", OrderState.UNKNOWN, evidence=(why,)) for terms in ask.orders)
            return Seen(ask.trade_id, views, self.now_ms())
        return _echoed(seen, ask.trade_id, ask.orders)


async def _retried(activity: str, ask: object, answer: type[T], summary: str) -> T:
    """An idempotent activity, retried until it succeeds."""
    try:
        result: T = await workflow.execute_activity(
            activity,
            ask,
            result_type=answer,
            start_to_close_timeout=STEP_LIMIT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=FOREVER,
            summary=words.short(summary),
        )
    except ActivityError as error:
        # Failing the workflow would leave the trade alone; failing the task keeps it, and the watchdog pages.
        raise AssertionError(f"{activity} is retried for ever: {error}") from error
    return result


def _echoed(seen: Seen, trade_id: str, asked: Sequence[OrderTerms]) -> Seen:
    """The answer, if it is one to this question (a TaskGroup once swapped legs' results on replay)."""
    keys = [(view.terms.trade_id, view.terms.leg, view.terms.attempt) for view in seen.orders]
    assert seen.trade_id == trade_id, f"an answer for {seen.trade_id} came to {trade_id}"
    assert keys == [(terms.trade_id, terms.leg, terms.attempt) for terms in asked], "every order is answered, in order"
    return seen


def _drop(effect: Awaitable[Any]) -> None:
    """An effect that is not started must not warn that it was never awaited."""
    if isinstance(effect, Coroutine):
        effect.close()
