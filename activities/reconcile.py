"""Reconciliation of one account: look, and look again until what was found has stayed for its grace, then act.

Every act can be repeated: a cancel by id, a start under the trade's own workflow id (the ledger's fence lets no order
be sent again), a signal, a page under its key. Each run judges anew, from the records of venue and ledger alone.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from temporalio import activity
from temporalio.service import RPCError

from activities.reopening import Outcome, Reopening
from arbsaga.errors import ArbsagaError, Unavailable, VenueError
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.reconcile import looking
from arbsaga.reconcile.actions import PAGED, Action, Cancel, LookAgain, Reopen, action, of_capital
from arbsaga.reconcile.findings import AtVenue, Finding, InLedger, Kind, Snapshot, findings, mismatches
from arbsaga.reconcile.incidents import Incidents
from arbsaga.reconcile.looking import now_ms
from arbsaga.risk.desk import Use
from arbsaga.risk.reconciling import ReconcileAsk, Reconciled
from arbsaga.venues.listed import Listings
from arbsaga.venues.port import Venue
from arbsaga.venues.several import parts_of

VENUE_LIMIT_S = 12.0
"""For a look at a venue, and once more for what it says of decided markets."""
DEAL_LIMIT_S = 15.0
"""One case may take so long."""
QUIET_MS = 10_000
"""A trade without progress for so long is looked for: does its workflow run?"""
CAPITAL_GRACE_MS = 5_000
"""Capital whose trade does not run is looked at again: its end may be on its way to the desk."""
LOOK_EVERY_S = 3.0
LOOKS_LIMIT_S = 38.0
"""Longer than every grace: no look begins later. What is not ripe by then waits for the next run."""
RUN_LIMIT_S = 80.0
"""For the last look too, and for what is done then; less than the workflow gives, so that a run tells its counts."""
BALANCES = frozenset({Kind.STRAY_POSITION, Kind.MISSING_POSITION, Kind.CASH})


@dataclass(frozen=True, slots=True)
class Case:
    """Something to do or to page once it has stayed for `grace_ms`."""

    grace_ms: int
    action: Action | None
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """One look; `down`: why which venue is not in it."""

    snapshot: Snapshot
    down: Mapping[str, str]


@dataclass(slots=True)
class Progress:
    """One run. `since`: when (ms, steady) each case was first seen without a break; `done`: those dealt with."""

    reopened: dict[str, int]
    compared_ms: int = 0
    began: float = field(default_factory=time.monotonic)
    since: dict[str, int] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    told: list[str] = field(default_factory=list)
    seen: str = "nothing was seen"

    @property
    def looks_are_over(self) -> bool:
        """Whether it is too late for one more look."""
        return time.monotonic() - self.began + LOOK_EVERY_S > LOOKS_LIMIT_S

    def ripe(self, cases: Mapping[str, Case], at_ms: int) -> list[str]:
        """The cases that have stayed for their grace and were not dealt with."""
        self.since = {name: self.since.get(name, at_ms) for name in cases}
        return [
            name for name, case in cases.items() if name not in self.done and at_ms - self.since[name] >= case.grace_ms
        ]

    def leave_out(self, down: Mapping[str, str]) -> None:
        """Tell, once a run, which venue is not looked at."""
        lines = [f"{name} is left out ({why})" for name, why in down.items()]
        self.told += [line for line in lines if line not in self.told]

    @property
    def result(self) -> Reconciled:
        """What the next run and the UI are told."""
        return Reconciled(f"{self.seen}: {'; '.join(self.told) or 'nothing to do'}", self.reopened, self.compared_ms)


class ReconcileActivities:
    """The reconciler's hands at one account's venue."""

    def __init__(self, venue: Venue, ledger: Ledger, pager: Pager, reopening: Reopening) -> None:
        self._venue, self._ledger, self._pager, self._trades = venue, ledger, pager, reopening
        self._listings = Listings(venue)

    def all(self) -> list[Callable[..., Any]]:
        """What a worker registers."""
        return [self.reconcile]

    @activity.defn
    async def reconcile(self, ask: ReconcileAsk) -> Reconciled:
        """Compare the account's records and do what `arbsaga.reconcile.actions` says about the differences.

        Nothing is decided about what cannot be seen: the summary then says why.
        """
        progress = Progress(dict(ask.reopened), ask.compared_ms)
        try:
            async with asyncio.timeout(RUN_LIMIT_S):
                await self._run(ask.account, progress)
        except TimeoutError:
            progress.told.append(f"the rest is left to the next run: this one took {RUN_LIMIT_S:g} s")
        except (ArbsagaError, RPCError) as error:
            progress.told.append(f"nothing more is decided: {error}")
        return progress.result

    async def _run(self, account: str, progress: Progress) -> None:
        incidents = Incidents(await asyncio.to_thread(self._pager.alerts), steady_ms())
        balances = True
        while True:
            look = await self._look(account, balances=balances)
            snapshot = look.snapshot
            progress.seen, at_ms = _seen(snapshot), steady_ms()
            progress.leave_out(look.down)
            cases = await self._cases(account, look)
            found = [case.finding for case in cases.values() if case.finding and case.finding.kind in PAGED]
            for page in incidents.update(found, snapshot.judged & PAGED, at_ms):
                await self._pager.deliver(page)
                progress.told.append(f"paged: {page.headline}")
            progress.done |= {name for name, case in cases.items() if case.action is None and incidents.told(name)}
            ripe = progress.ripe(cases, at_ms)
            acted = [await self._deal(name, cases[name].action, account, snapshot, progress) for name in ripe]
            if not look.down:
                progress.compared_ms = snapshot.now_ms
            if not (cases.keys() - progress.done or any(acted)) or progress.looks_are_over:
                return
            balances = any(case.finding and case.finding.kind in BALANCES for case in cases.values())
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, account: str, *, balances: bool) -> Look:
        """Each venue by itself, then the ledger. Raises ArbsagaError where no venue answers."""
        question = await asyncio.to_thread(looking.question, self._ledger, account)
        parts = parts_of(self._venue)
        looks, failed = await looking.each(
            parts, question, balances=balances, limit_s=VENUE_LIMIT_S, sole=len(parts) == 1
        )
        down = {name: str(error) or f"no answer within {VENUE_LIMIT_S:g} s" for name, error in failed.items()}
        if not looks:
            raise Unavailable("; ".join(f"{name}: {why}" for name, why in down.items()))
        at_venue = looking.together(looks)
        in_ledger = await asyncio.to_thread(looking.read, self._ledger, account, at_venue)
        if down:
            at_venue, in_ledger = looking.without(at_venue, in_ledger, down)
        at_venue = await self._with_resolved(account, at_venue, in_ledger)
        snapshot = Snapshot(now_ms(), at_venue, in_ledger, {}, QUIET_MS, settle_ms=0, partial=bool(down))
        return Look(snapshot, down)

    async def _with_resolved(self, account: str, at_venue: AtVenue, in_ledger: InLedger) -> AtVenue:
        """The look with the tokens of decided markets; without its balances where that cannot be told."""
        odd = mismatches(at_venue, in_ledger)
        if not odd:
            return at_venue
        markets = await asyncio.to_thread(looking.markets, self._ledger, account, odd)
        try:
            async with asyncio.timeout(VENUE_LIMIT_S):
                return replace(at_venue, resolved=await looking.decided(self._listings, markets))
        except (VenueError, TimeoutError) as error:
            activity.logger.warning("balances are not compared: what is decided is not known: %s", error)
            return replace(at_venue, shares=None, cash=None)

    async def _cases(self, account: str, look: Look) -> dict[str, Case]:
        snapshot = look.snapshot
        cases = {
            # That a workflow is gone needs no grace: the server says so.
            one.name: Case(0 if one.kind is Kind.STALLED else one.grace_ms, action(one, snapshot), one)
            for one in findings(snapshot)
        }
        claims = await self._trades.claims(account)
        reserved = [claim for claim in claims if claim.use in (Use.RESERVED, Use.REOPENED)]
        running = [one.trade_id for one in reserved if await self._trades.runs(one.trade_id, one.workflow_id)]
        held = [claim.trade_id for claim in claims if claim.use is Use.HELD]
        watched = {trade_id: await self._trades.watched(trade_id) for trade_id in held}
        for todo in of_capital(claims, running, watched):
            if await asyncio.to_thread(self._is_at, todo.trade_id, look.down.keys()):
                continue
            cases[f"capital/{todo.trade_id}"] = Case(CAPITAL_GRACE_MS, todo)
        return cases

    def _is_at(self, trade_id: str, venues: Collection[str]) -> bool:
        """Whether the trade has an order at one of these venues: run again, it could not see it."""
        return any(one.terms.instrument.venue in venues for one in self._ledger.intents_by_trade(trade_id))

    async def _deal(self, name: str, todo: Action | None, account: str, snapshot: Snapshot, progress: Progress) -> bool:
        """Act on a case; whether anything was done. One that fails is told, and the others have their turn."""
        progress.done.add(name)
        try:
            async with asyncio.timeout(DEAL_LIMIT_S):
                outcome = await self._act(todo, account, snapshot, progress)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one case, it must not starve the others
            activity.logger.exception("%s could not be dealt with", name)
            why = str(error) or f"{type(error).__name__} ({DEAL_LIMIT_S:g} s)"
            progress.told.append(f"{name} is left to the next run: {why}")
            return False
        progress.told += [outcome.said] if outcome.said else []
        return bool(outcome.said)

    async def _act(self, todo: Action | None, account: str, snapshot: Snapshot, progress: Progress) -> Outcome:
        assert snapshot.venue is not None, "it was read"
        match todo:
            case Cancel(order_id):
                return await self._trades.cancel(next(one for one in snapshot.venue.orders if one.order_id == order_id))
            case Reopen(trade_id):
                before = progress.reopened.get(trade_id, 0)
                outcome = await self._trades.reopen(todo, account, before, snapshot.venue.orders)
                if outcome.again:
                    progress.reopened[trade_id] = before + 1
                return outcome
            case LookAgain(trade_id):
                return await self._trades.look_again(trade_id)
        return Outcome()


def steady_ms() -> int:
    """A clock in ms that nobody sets: by the wall's, what was seen now could be ripe at once, or never."""
    return time.monotonic_ns() // 1_000_000


def _seen(snapshot: Snapshot) -> str:
    assert snapshot.venue is not None, "it was read"
    assert snapshot.ledger is not None, "it was read"
    trades = {one.terms.trade_id for one in snapshot.ledger.in_flight}
    orders, fills = len(snapshot.venue.orders), len(snapshot.venue.fills)
    return f"{orders} orders rest, {fills} recent fills, {len(trades)} trades in flight"
