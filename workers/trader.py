"""The trader: scanner, desk lease and trading worker in one process, so that a trade starts without a hop."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from functools import partial

import structlog
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError

from arbsaga.config import Config
from arbsaga.detect import FillRates, Opportunity, Scanner
from arbsaga.domain.capital import Pocket
from arbsaga.domain.money import Usd
from arbsaga.domain.pricing import Quote
from arbsaga.errors import ArbsagaError
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import ENDS, Phase, TradePlan, TradeRecord
from workers import following, trade_event
from workers.desk_client import DeskClient, Taken
from workers.following import Aftermath, Handle, after_break_off, result, trade_of
from workers.pairing import Pairing, no_pairs
from workers.payouts import Payouts
from workers.planning import affordable, beat_ms, most_spent, plan_trade
from workers.report import emit
from workers.start import start_trade
from workflows.arbitrage import ArbitrageWorkflow
from workflows.messages import basket_id

log = structlog.get_logger(__name__)

REPORT_EVERY_S = 0.5
PAYOUTS_EVERY_S = 1.0
RUNNING = "WorkflowType = 'ArbitrageWorkflow' AND ExecutionStatus = 'Running'"


class Budget:
    """How many more trades may be started: those under way count, and those that sent an order."""

    def __init__(self, trades: int | None) -> None:
        self._trades = trades
        self._counted: set[str] = set()

    def allows(self) -> bool:
        """Whether one more trade may be started."""
        return self._trades is None or self._trades > len(self._counted)

    def started(self, trade_id: str) -> None:
        """A trade was started, by this process or one before it."""
        if self._trades is not None:
            self._counted.add(trade_id)

    def moved(self, trade_id: str, phase: Phase) -> None:
        """A trade entered a phase: REFUSED gives its place back.

        Even after PLACING, which a killed worker tells of before the server has it: lived again, the trade was
        refused as too late, and a run of N trades ended with N-1.
        """
        if phase is Phase.REFUSED:
            self._counted.discard(trade_id)


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
    ledger: Ledger
    budget: Budget
    pairing: Pairing = field(default_factory=no_pairs)
    draining: bool = False
    rates: FillRates = field(default_factory=FillRates)
    scanner: Scanner = field(init=False)
    in_flight: dict[str, str] = field(default_factory=dict)
    held: dict[str, bool] = field(default_factory=dict)
    _told: dict[str, TradeRecord] = field(default_factory=dict)
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
            patience=replace(self.config.trade_patience(), beat=beat_ms(len(self.in_flight))),
            undo=self.config.undo_limits(),
            rates=self.rates if self.config.entry.order == "less-certain-first" else None,
            cap=self.pairing.cap(quote.basket.event),
        )
        self.in_flight[key] = plan.trade_id
        self.budget.started(plan.trade_id)
        self._spawn(self._trade(plan, taken), key)
        return True

    def _affordable(self, quote: Quote) -> Quote | None:
        tokens = [leg.instrument.token for leg in quote.basket.legs]
        books = {token: book for token in tokens if (book := self.scanner.books.book(token)) is not None}
        left = self.pairing.left(quote.basket.event)
        limit = self.config.per_trade if left is None else min(self.config.per_trade, left)
        return affordable(quote, limit, books, self.scanner.settings.gates)

    @property
    def locked(self) -> dict[Pocket, Usd]:
        """USD that trades have at each venue, and in each pocket of it."""
        return self.pairing.holdings.by_pocket()

    async def resume(self) -> None:
        """Follow the trades that an earlier process left running; the worker goes on with them by itself.

        Raises RPCError where Temporal does not answer, before anything is followed.
        """
        for found in [found async for found in self.client.list_workflows(RUNNING)]:
            handle = self.client.get_workflow_handle_for(ArbitrageWorkflow.run, found.id, run_id=found.run_id)
            key = found.id.removeprefix(basket_id(""))
            self.in_flight[key] = trade_id = await trade_of(found)
            self.budget.started(trade_id)
            self._spawn(self._resume(handle, key), key)

    async def _resume(self, handle: Handle, key: str) -> None:
        try:
            record = await handle.query(ArbitrageWorkflow.status)
        except (RPCError, WorkflowQueryFailedError) as error:  # it ended meanwhile, or cannot tell yet
            log.info("status not known", workflow_id=handle.id, error=str(error))
            self.scanner.resumed(key, await asyncio.to_thread(self._ordered, self.in_flight[key]))
        else:
            self.scanner.resumed(key, [leg.instrument.token for leg in record.plan.basket.legs])
            self.heard(record)
        await self._follow(handle, key)

    def _ordered(self, trade_id: str) -> list[str]:
        """The tokens a trade has ordered, by the ledger: no other basket may take them while it runs."""
        try:
            intents = self.ledger.intents_by_trade(trade_id)
        except ArbsagaError as error:
            log.warning("a trade's tokens are not known", trade_id=trade_id, error=str(error))
            return []
        return list(dict.fromkeys(one.terms.instrument.token for one in intents))

    async def wait_drained(self) -> None:
        """Wait until no trade of the account is running, here or anywhere, or is about to be run again.

        One that runs nowhere for LOST_AFTER_S is not about to be: nothing tells its plan, or nobody reconciles.
        """
        self.draining = True
        quiet_since: float | None = None
        while True:
            if self.in_flight or await self._running():
                quiet_since = None
            elif not await asyncio.to_thread(self._unended):
                return
            elif quiet_since is None:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since >= following.LOST_AFTER_S:
                log.error("trades without an end are left: nobody goes on with them", account=self.config.account)
                return
            await asyncio.sleep(REPORT_EVERY_S)

    async def _running(self) -> bool:
        try:
            return (await self.client.count_workflows(RUNNING)).count > 0
        except RPCError:  # Temporal is being restarted: not known, so not drained
            return True

    def _unended(self) -> bool:
        """Whether a trade of the account has not ended by the ledger: of one that broke off nothing else may tell."""
        try:
            return any(intent.account == self.config.account for intent in self.ledger.intents_in_flight())
        except ArbsagaError as error:
            log.warning("open trades not known", error=str(error))
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
        self._over(plan.basket.key, Phase.REFUSED)

    async def _follow(self, handle: Handle, key: str) -> None:
        """Report how the trade ends, also when its workflow breaks off in its middle and another run ends it."""
        trade_id = self.in_flight[key]
        end: Aftermath | None = None
        try:
            end = await result(handle)
        except WorkflowFailureError as error:  # terminated, or a bug
            log.exception("trade broke off", workflow_id=handle.id)
            emit("alert", text=f"{key}: the workflow broke off ({error.cause}); the reconciler runs it again")
        if end is None:
            end = await after_break_off(self.client, self.ledger, handle.id, trade_id)
        if isinstance(end, WorkflowHandle):
            await self._follow(end, key)
            return
        self._tell_end(key, trade_id, end)
        self._over(key, end if isinstance(end, Phase) else end.phase)

    def _tell_end(self, key: str, trade_id: str, end: TradeRecord | Phase) -> None:
        """Tell of a trade's end. One that broke off and left no record is told of as it was when it was last heard."""
        if isinstance(end, TradeRecord):
            self.heard(end)
            return
        self.budget.moved(trade_id, end)
        if end is Phase.HELD:
            emit("alert", text=f"{key}: nobody goes on with {trade_id}, which broke off: look at its orders by hand")
        told = self._told.get(key)
        if told is not None and told.plan.trade_id == trade_id:
            why = "before it sent an order" if end is Phase.REFUSED else "and nobody goes on with it"
            self.heard(replace(told, phase=end, reason=f"broke off {why}", time_ms=now_ms()))

    def heard(self, record: TradeRecord) -> None:
        """A trade entered a phase."""
        told = self._told.get(record.plan.basket.key)
        if told is not None and (told.plan.trade_id, told.phase) == (record.plan.trade_id, record.phase):
            return  # its worker told of it before its result came
        self._told[record.plan.basket.key] = record
        self.budget.moved(record.plan.trade_id, record.phase)
        self.pairing.heard(record)
        if record.phase in ENDS:
            self.rates.learn(record.orders)
        if record.orders or record.phase is Phase.PLACING:
            self.payouts.know(record.plan)
        log.info("phase", trade_id=record.plan.trade_id, phase=record.phase, reason=record.reason)
        emit("trade", trade=trade_event.of_record(record, self.pairing.days(record.plan.basket.event)))

    def _over(self, key: str, phase: Phase) -> None:
        self.in_flight.pop(key, None)
        self._told.pop(key, None)
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

    def _spawn(self, work: Awaitable[None], key: str) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._done, key))

    def _done(self, key: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("following a trade failed", basket=key, exc_info=error)
        if key in self.in_flight:  # nobody knows how it ends: its basket is not entered, and nothing waits for it
            emit("alert", text=f"{key}: {self.in_flight[key]} is not followed any more ({error}); look at it by hand")
            self._over(key, Phase.HELD)


def now_ms() -> int:
    """The wall clock in ms."""
    return time.time_ns() // 1_000_000
