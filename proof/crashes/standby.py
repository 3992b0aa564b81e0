"""The process beside the doomed worker: sets the case up, takes the trade over, waits for its end, judges it.

One for each account, for many cases. It works on trades only while it has taken one over; the account's desk has its
worker here all the time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from multiprocessing.connection import Connection

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.desk import DeskActivities
from activities.trading import TradingActivities
from arbsaga.domain.money import Usd
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import Phase, TradePlan
from arbsaga.venues.port import Venue
from proof.crashes import child
from proof.crashes.acts import Outsider, Truth
from proof.crashes.books import Books
from proof.crashes.judge import MANY_EVENTS, judge
from proof.crashes.replaying import differs
from proof.crashes.setting import CASH, SHARDS, Case, CaseResult, Setting
from workers.start import start_desk, tell_desk
from workers.worker import build_worker
from workflows.arbitrage import ArbitrageWorkflow
from workflows.desk import DeskWorkflow
from workflows.held import HeldWorkflow
from workflows.messages import basket_id, held_id

END_LIMIT_S = 150
"""From the takeover to the trade's end; a stopped worker that goes on being handed tasks costs two seconds for each."""
SETTLE_LIMIT_S = 15
HELD_LIMIT_S = 30
AWAY_S = 0.2
LAST_ACT_S = 0.3
"""An act whose moment has not come so long after the end never comes."""


def main(setting: Setting, wire: Connection) -> None:
    """Answer calls until killed."""
    child.begin(setting.folder / "standby.log")
    with child.mutated(setting.mutation):
        asyncio.run(_serve(setting, wire))


async def _serve(setting: Setting, wire: Connection) -> None:
    standby = await Standby.open(setting)
    calls: Mapping[str, Callable[..., Awaitable[object]]] = {
        "prepare": standby.prepare,
        "started": standby.started,
        "take_over": standby.take_over,
        "end": standby.end,
        "finish": standby.finish,
    }
    wire.send(("ready", None))
    while True:
        name, *arguments = await asyncio.to_thread(wire.recv)
        wire.send((name, await calls[name](*arguments)))


@dataclass
class _Run:
    """The case that is on."""

    case: Case
    plan: TradePlan
    truths: Mapping[str, Truth]
    acting: asyncio.Task[tuple[str, ...]]
    began: float = field(default_factory=time.monotonic)
    working: asyncio.Task[None] | None = None
    worker: Worker | None = None
    phase: Phase | None = None
    wrong: list[str] = field(default_factory=list)

    @property
    def workflow_id(self) -> str:
        """The trade's workflow."""
        return basket_id(self.plan.basket.key)


class Standby:
    """One account's second worker, and its stage manager."""

    def __init__(self, setting: Setting, client: Client, venue: Venue, ledger: Ledger) -> None:
        self._setting, self._client, self._ledger = setting, client, ledger
        self._books = Books(setting, venue)
        self._outsider = Outsider(client, ledger, setting)
        trading = TradingActivities(venue, ledger, setting.pager())
        desk = DeskActivities(client, ledger, partial(tell_desk, client, setting.desk_queue))
        self._activities = [*trading.all(), *desk.all()]
        self._desk = asyncio.create_task(
            build_worker(client, desk.all(), setting.desk_queue, workflows=[DeskWorkflow]).run()
        )
        self._now: _Run | None = None

    @classmethod
    async def open(cls, setting: Setting) -> "Standby":
        """Connected, with the account's desk at work."""
        client = await child.connected(setting.temporal)
        venue = setting.venue()
        await venue.start()
        ledger = setting.ledger()
        ledger.open_account(setting.account, "polymarket", Usd(Decimal(CASH)))
        if setting.kalshi:
            ledger.open_account(setting.account, "kalshi", Usd(Decimal(CASH * len(SHARDS))))
        standby = cls(setting, client, venue, ledger)
        await standby._books.open()
        return standby

    @property
    def _run(self) -> _Run:
        assert self._now is not None, "a case was prepared"
        return self._now

    async def prepare(self, case: Case) -> TradePlan:
        """Books, faults, halt and desk as the scenario wants them."""
        scenario = case.story
        plan = await self._books.plan(scenario)
        await self._books.strike(scenario, plan)
        self._ledger.halt("by hand" if scenario.halted else None)
        desk = await start_desk(self._client, self._setting.account, self._setting.desk_queue)
        if scenario.deskless:
            await desk.terminate("nobody is there")
        idle = asyncio.create_task(_nothing())
        self._now = _Run(case, plan, _truths(self._setting), idle)
        return plan

    async def started(self) -> None:
        """The trade is under way: what is to be done to it from outside is done in its time."""
        run = self._run
        run.acting = asyncio.create_task(self._outsider.act(run.case.story, run.workflow_id, run.truths))

    async def take_over(self) -> None:
        """Work on the trade from now on."""
        run, workflows = self._run, (ArbitrageWorkflow, HeldWorkflow)
        run.worker = build_worker(self._client, self._activities, self._setting.queue, workflows=workflows)
        run.working = asyncio.create_task(run.worker.run())

    async def end(self) -> str:
        """Wait for the trade's end, and for that of the watch over a HELD one; its phase."""
        run = self._run
        try:
            async with asyncio.timeout(END_LIMIT_S):
                run.phase = await self._last_phase()
        except TimeoutError:
            run.wrong.append(f"the trade did not end within {END_LIMIT_S} s")
        if run.phase is Phase.HELD:
            run.wrong += await self._resolved(held_id(run.plan.trade_id))
        await asyncio.sleep(run.case.story.linger_s)
        if not await self._books.settled(SETTLE_LIMIT_S):
            run.wrong.append(f"the exchange did not settle within {SETTLE_LIMIT_S} s")
        return run.phase or ""

    async def finish(self, reached: bool, trace: tuple[str, ...]) -> CaseResult:
        """Let go of the trade, and judge it."""
        run = self._run
        if run.worker is not None and run.working is not None:
            await run.worker.shutdown()
            await run.working
        missed = await run.acting if run.acting.done() else ("not everything was done to it",)
        run.acting.cancel()
        story = run.case.story
        late = any(fault.startswith("late_post") for fault in (*story.faults, *story.kalshi))
        wrong = run.wrong + await asyncio.to_thread(
            judge, self._setting, run.plan.trade_id, run.phase, self._ledger, delivered_late=late
        )
        replays, differing = await self._replayed()
        if not run.phase:
            await self._give_up()
        return CaseResult(
            case=run.case,
            violations=(*wrong, *differing),
            reached=reached,
            phase=run.phase or "",
            seconds=time.monotonic() - run.began,
            replays=replays,
            trace=trace,
            notes=(*missed, *self._out_of_place()),
        )

    async def _last_phase(self) -> Phase:
        """The end of the last run: a reset, or a person who starts it again, revives a trade."""
        run = self._run
        while True:
            handle = self._client.get_workflow_handle_for(ArbitrageWorkflow.run, run.workflow_id)
            try:
                phase = (await handle.result()).phase
            except WorkflowFailureError as error:
                if not run.case.story.acts:
                    raise AssertionError(f"the trade's workflow failed: {error.cause}") from error
                await run.acting
                continue
            except RPCError:  # the server is away
                await asyncio.sleep(AWAY_S)
                continue
            await asyncio.wait([run.acting], timeout=LAST_ACT_S)
            if (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING:
                return phase

    async def _resolved(self, watch: str) -> list[str]:
        """A person resolves the HELD trade, and the watch over it ends."""
        handle = self._client.get_workflow_handle_for(HeldWorkflow.run, watch)
        try:
            async with asyncio.timeout(HELD_LIMIT_S):
                await handle.signal(HeldWorkflow.resolve, "by hand")
                await handle.result()
        except RPCError as error:
            return [f"nobody watches the HELD trade: {error.message}"]
        except TimeoutError:
            return [f"the watch over the HELD trade did not end within {HELD_LIMIT_S} s"]
        return []

    async def _replayed(self) -> tuple[int, list[str]]:
        """Every history of this trade replays to the same commands with the same arguments, and is of sane length."""
        run, wrong = self._run, []
        runs = [(run.workflow_id, run_id) for run_id in (*self._outsider.cut_off, None)]
        if run.phase is Phase.HELD:
            runs.append((held_id(run.plan.trade_id), None))
        for workflow_id, cut_off in runs:
            handle = self._client.get_workflow_handle(workflow_id, run_id=cut_off)
            run_id, history = (await handle.describe()).run_id, await handle.fetch_history()
            wrong.append(await differs(history, whole=cut_off is None and run.phase is not None, run_id=run_id))
            if len(history.events) > MANY_EVENTS:
                wrong.append(f"the trade took {len(history.events)} events")
        self._outsider.cut_off.clear()
        return len(runs), [text for text in wrong if text]

    async def _give_up(self) -> None:
        with suppress(RPCError):
            await self._client.get_workflow_handle(self._run.workflow_id).terminate("the case is over")

    def _out_of_place(self) -> list[str]:
        """An uncut run that ends otherwise than its scenario says: the scenario is not what it says, or had no time.

        Over two venues also a fault that never struck.
        """
        run, story = self._run, self._run.case.story
        if run.case.cut is not None or run.case.forgetful:
            return []
        odd = [] if run.phase in story.ends else [f"uncut it ended {run.phase}, not {' or '.join(sorted(story.ends))}"]
        if story.across:
            missing = run.truths["polymarket"].unstruck(story.faults) + run.truths["kalshi"].unstruck(story.kalshi)
            odd += [f"{name} never struck" for name in missing]
        return odd


def _truths(setting: Setting) -> Mapping[str, Truth]:
    return {venue: Truth(path) for venue, path in setting.truths.items()}


async def _nothing() -> tuple[str, ...]:
    return ()
