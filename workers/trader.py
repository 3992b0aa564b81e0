"""The trader: scanner, desk lease and trading worker in one process, so that a trade starts without a hop."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

import structlog
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from arbsaga.config import Config
from arbsaga.detect import Opportunity, Scanner
from arbsaga.domain.pricing import Quote
from arbsaga.saga.messages import Phase, TradePlan, TradeRecord
from workers import trade_event
from workers.desk_client import DeskClient, Taken
from workers.payouts import Payouts
from workers.planning import affordable, most_spent, plan_trade
from workers.report import emit
from workers.start import start_trade
from workflows.arbitrage import ArbitrageWorkflow
from workflows.messages import basket_id

log = structlog.get_logger(__name__)

REPORT_EVERY_S = 0.5
PAYOUTS_EVERY_S = 1.0
RUNNING = "WorkflowType = 'ArbitrageWorkflow' AND ExecutionStatus = 'Running'"
Handle = WorkflowHandle[ArbitrageWorkflow, TradeRecord]


class Budget:
    """How many more trades may be started: those that sent an order count, and those that may yet do so."""

    def __init__(self, trades: int | None) -> None:
        self._left = trades
        self._undecided: set[str] = set()

    def allows(self) -> bool:
        """Whether one more trade may be started."""
        return self._left is None or self._left > len(self._undecided)

    def started(self, trade_id: str) -> None:
        """A trade was started."""
        self._undecided.add(trade_id)

    def moved(self, trade_id: str, phase: Phase) -> None:
        """A trade entered a phase: from PLACING on it counts, REFUSED gives its place back."""
        if trade_id not in self._undecided or phase is Phase.VALIDATING:
            return
        self._undecided.remove(trade_id)
        if self._left is not None and phase is not Phase.REFUSED:
            self._left -= 1


class PhaseReports(logging.Filter):
    """Takes the phases that workflows log out of the log, and hands them on."""

    def __init__(self, heard: Callable[[TradeRecord], None]) -> None:
        super().__init__()
        self._heard = heard

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a phase, which is then told; other log records go their way."""
        trade = getattr(record, "trade", None)
        if not isinstance(trade, TradeRecord):
            return True
        self._heard(trade)
        return False


@dataclass(slots=True)
class Trader:
    """Starts a trade for each opportunity that capital allows, and follows every trade to its end."""

    config: Config
    client: Client
    desk: DeskClient
    payouts: Payouts
    budget: Budget
    draining: bool = False
    scanner: Scanner = field(init=False)
    in_flight: dict[str, str] = field(default_factory=dict)
    held: dict[str, bool] = field(default_factory=dict)
    _told: dict[str, tuple[str, Phase]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def on_opportunity(self, opportunity: Opportunity) -> bool:
        """Start a trade if there is capital for it. Synchronous: nothing may come between the look and the lease."""
        key = opportunity.quote.basket.key
        if self.draining or not self.budget.allows() or key in self.in_flight or self.desk.blocked(key):
            return False
        quote = self._affordable(opportunity.quote)
        if quote is None:
            return False
        taken = self.desk.take(most_spent(quote), now_ms(), live_ms=self.config.patience.send_by_ms)
        if taken is None:
            return False
        plan = plan_trade(
            opportunity,
            quote,
            taken,
            account=self.config.account,
            patience=self.config.trade_patience(),
            undo=self.config.undo_limits(),
        )
        self.in_flight[key] = plan.trade_id
        self.budget.started(plan.trade_id)
        self._spawn(self._trade(plan, taken))
        return True

    def _affordable(self, quote: Quote) -> Quote | None:
        tokens = [leg.instrument.token for leg in quote.basket.legs]
        books = {token: book for token in tokens if (book := self.scanner.books.book(token)) is not None}
        return affordable(quote, self.config.per_trade, books, self.scanner.settings.gates)

    async def resume(self) -> None:
        """Follow the trades that an earlier process left running; the worker goes on with them by itself.

        Raises RPCError where Temporal does not answer, before anything is followed.
        """
        for found in [found async for found in self.client.list_workflows(RUNNING)]:
            handle = self.client.get_workflow_handle_for(ArbitrageWorkflow.run, found.id, run_id=found.run_id)
            key = found.id.removeprefix(basket_id(""))
            self.in_flight[key] = ""
            self._spawn(self._resume(handle, key))

    async def _resume(self, handle: Handle, key: str) -> None:
        try:
            record = await handle.query(ArbitrageWorkflow.status)
        except (RPCError, WorkflowQueryFailedError) as error:  # it ended meanwhile, or cannot tell yet
            log.info("status not known", workflow_id=handle.id, error=str(error))
        else:
            self.scanner.resumed(key, [leg.instrument.token for leg in record.plan.basket.legs])
            self.heard(record)
        await self._follow(handle, key)

    async def wait_drained(self) -> None:
        """Wait until no trade of the account is running, here or anywhere."""
        self.draining = True
        while True:
            if not self.in_flight and not await self._running():
                return
            await asyncio.sleep(REPORT_EVERY_S)

    async def _running(self) -> bool:
        try:
            return (await self.client.count_workflows(RUNNING)).count > 0
        except RPCError:  # Temporal is being restarted: not known, so not drained
            return True

    async def _trade(self, plan: TradePlan, taken: Taken) -> None:
        key = plan.basket.key
        try:
            handle = await start_trade(self.client, plan, self.config.temporal.task_queue)
        except RPCError as error:
            # It may have been started all the same, so its capital is not given back: the lease is left to expire.
            log.warning("start not confirmed", trade_id=plan.trade_id, error=error.message)
            self.desk.lost()
            self._never_was(plan)
            return
        if handle is None:
            self.desk.give_back(taken)
            self._never_was(plan)
            return
        await self._follow(handle, key)

    def _never_was(self, plan: TradePlan) -> None:
        self.budget.moved(plan.trade_id, Phase.REFUSED)
        self._over(plan.basket.key, None)

    async def _follow(self, handle: Handle, key: str) -> None:
        """Report how the trade ends, through any restart of Temporal."""
        record = None
        try:
            record = await _result(handle)
        except WorkflowFailureError as error:  # terminated, or a bug: the watchdog looks after what it left
            log.exception("trade broke off", workflow_id=handle.id)
            emit("alert", text=f"{key}: the workflow broke off ({error.cause}); the watchdog looks after it")
            self.in_flight.pop(key, None)
            self.scanner.ended(key, Phase.HELD)  # nobody knows what it left: its basket is not entered again
            return
        if record is not None:
            self.heard(record)
        self._over(key, record)

    def heard(self, record: TradeRecord) -> None:
        """A trade entered a phase."""
        if self._told.get(record.plan.basket.key) == (record.plan.trade_id, record.phase):
            return  # its worker told of it before its result came
        self._told[record.plan.basket.key] = (record.plan.trade_id, record.phase)
        self.budget.moved(record.plan.trade_id, record.phase)
        if record.orders or record.phase is Phase.PLACING:
            self.payouts.know(record.plan)
        log.info("phase", trade_id=record.plan.trade_id, phase=record.phase, reason=record.reason)
        emit("trade", trade=trade_event.of_record(record))

    def _over(self, key: str, record: TradeRecord | None) -> None:
        self.in_flight.pop(key, None)
        self._told.pop(key, None)
        phase = record.phase if record else Phase.REFUSED
        self.scanner.ended(key, phase)
        if phase is Phase.HELD:
            self.held[key] = False

    def release(self, blocked: Collection[str]) -> None:
        """Let the scanner enter baskets again whose HELD trade a person resolved: once seen blocked, now no more."""
        for key, seen in list(self.held.items()):
            if key in blocked:
                self.held[key] = True
            elif seen:
                del self.held[key]
                self.scanner.ended(key, Phase.FLAT)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("following a trade failed", exc_info=error)


def now_ms() -> int:
    """The wall clock in ms."""
    return time.time_ns() // 1_000_000


async def _result(handle: Handle) -> TradeRecord | None:
    """The trade's record; None when the server does not know the trade (any more)."""
    while True:
        try:
            return await handle.result()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            await asyncio.sleep(REPORT_EVERY_S)
