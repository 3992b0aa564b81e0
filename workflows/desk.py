"""An account's desk as a workflow: leases by update, claims and ends by signal, state through continue-as-new."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, FailureError

from arbsaga.domain.money import NO_USD, Usd
from arbsaga.risk.desk import (
    Claim,
    Closed,
    Desk,
    DeskStatus,
    Ended,
    LeaseAnswer,
    LeaseAsk,
    Limits,
    Use,
)
from arbsaga.saga.messages import Page
from workflows import messages
from workflows.messages import DeskStart, held_id

ARCHIVE_PAUSE = timedelta(seconds=2)
"""Ended trades are archived together, a moment after the first of them."""
ARCHIVE_BATCH = 20
"""Histories archived in one step: leases of silent processes are taken back between two of them."""
STEP_LIMIT = timedelta(seconds=30)
HEARTBEAT = timedelta(seconds=2)
"""A worker that is silent for so long is dead, and the step is another's, as in trades."""
PAGE_LIMIT = timedelta(minutes=10)
T = TypeVar("T")

FOREVER = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10))


@workflow.defn
class DeskWorkflow:
    """One account's capital. Idempotency lives in the state: update ids do not survive continue-as-new."""

    @workflow.init
    def __init__(self, start: DeskStart) -> None:
        """Before any message is handled."""
        self._account = start.account
        self._known = start.desk

    @workflow.run
    async def run(self, start: DeskStart) -> None:
        """For ever: take back leases of silent processes, archive what ended, continue as new."""
        if self._known is None:
            self._known = await _ask("rebuild_desk", self._account, Desk)
        while workflow.info().get_current_history_length() < messages.MAX_EVENTS:
            await self._until_something_is_due()
            await self._take_back()
            await self._archive()
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(DeskStart(self._account, self._desk))

    @workflow.update
    async def lease(self, ask: LeaseAsk) -> LeaseAnswer:
        """Grant, top up or renew a process's lease."""
        await self._ready()
        self._known, lease = self._desk.lease(ask, _now_ms())
        return LeaseAnswer(lease, self._desk.status())

    @workflow.update
    async def set_limits(self, limits: Limits) -> DeskStatus:
        """USD for all trades and for each. Lowered limits stop new leases; nothing is taken from a trade."""
        await self._ready()
        self._known = replace(self._desk, limits=limits)
        return self._desk.status()

    @workflow.update
    async def halt(self, reason: str) -> DeskStatus:
        """Grant nothing and have every process refuse entries, by the ledger's flag. Empty: go on."""
        await self._ready()
        self._known = replace(self._desk, halted=reason)
        await _ask("set_halt", reason, type(None))
        return self._desk.status()

    @workflow.signal
    async def claim(self, claim: Claim) -> None:
        """A trade took its capital out of its lease."""
        await self._change(claim.trade_id, lambda desk: desk.claim(claim))

    @workflow.signal
    async def ended(self, ended: Ended) -> None:
        """A trade's workflow is over."""
        await self._change(ended.claim.trade_id, lambda desk: desk.end(ended))

    @workflow.signal
    async def reopened(self, claim: Claim) -> None:
        """A trade is about to be run again."""
        await self._change(claim.trade_id, lambda desk: desk.reopen(claim))

    @workflow.signal
    async def closed(self, closed: Closed) -> None:
        """A run is over, or will be in a moment, and its history is to be kept."""
        await self._ready()
        self._known = self._desk.close(closed)

    @workflow.signal
    async def paid_out(self, trade_id: str) -> None:
        """A trade's capital came back; a watch over it, where it was HELD, ends."""
        await self._ready()
        claim = self._desk.claims.get(trade_id)
        self._known = self._desk.paid_out(trade_id)
        if claim is not None and claim.use is Use.HELD:
            await _end_watch(trade_id)

    @workflow.query
    def status(self) -> DeskStatus:
        """The desk at a glance."""
        return self._desk.status()

    @workflow.query
    def claims(self) -> list[Claim]:
        """Every trade that holds capital."""
        return list(self._desk.claims.values())

    @property
    def _desk(self) -> Desk:
        assert self._known is not None, "the desk is being made again from the ledger"
        return self._known

    async def _ready(self) -> None:
        await workflow.wait_condition(lambda: self._known is not None)

    async def _change(self, trade_id: str, change: Callable[[Desk], Desk]) -> None:
        await self._ready()
        before, self._known = self._desk, change(self._desk)
        if _over(before) <= 0 < _over(self._known):
            await _page(_overrun(self._account, trade_id, self._known))

    async def _until_something_is_due(self) -> None:
        due = self._desk.next_due_ms()
        timeout = None if due is None else timedelta(milliseconds=max(1, due - _now_ms()))
        try:
            await workflow.wait_condition(lambda: self._busy() or self._due_before(due), timeout=timeout)
        except TimeoutError:
            return
        if self._desk.to_archive:
            await workflow.sleep(ARCHIVE_PAUSE)

    def _busy(self) -> bool:
        return bool(self._desk.to_archive) or workflow.info().get_current_history_length() >= messages.MAX_EVENTS

    def _due_before(self, due_ms: int | None) -> bool:
        """Whether a lease came that is due before what is waited for. Renewals only move it further away."""
        first = self._desk.next_due_ms()
        return first is not None and (due_ms is None or first < due_ms)

    async def _take_back(self) -> None:
        for lease in self._desk.due(_now_ms()):
            found = await _ask("claims_of_lease", lease.lease_id, list[Claim])
            current = self._desk.leases.get(lease.lease_id)
            if current is not None and current.expires_ms == lease.expires_ms:  # not renewed meanwhile
                self._known = self._desk.take_back(lease.lease_id, found)

    async def _archive(self) -> None:
        left = self._desk.to_archive
        while left:
            batch, left = left[:ARCHIVE_BATCH], left[ARCHIVE_BATCH:]
            done = await _ask("archive", list(batch), list[str])
            self._known = self._desk.archived(done)
            if left:
                await self._take_back()


async def _ask(activity: str, about: object, answer: type[T]) -> T:
    result: T = await workflow.execute_activity(
        activity,
        about,
        result_type=answer,
        start_to_close_timeout=STEP_LIMIT,
        heartbeat_timeout=HEARTBEAT,
        retry_policy=FOREVER,
    )
    return result


def _over(desk: Desk) -> Usd:
    """USD that trades hold over the limit; 0 for a desk made again that nobody has told its limits yet."""
    return Usd(desk.used(*Use) - desk.limits.total) if desk.limits.total > 0 else NO_USD


def _overrun(account: str, trade_id: str, desk: Desk) -> Page:
    facts = (("limit", f"{desk.limits.total:f} USD"), ("over it", f"{_over(desk):f} USD"))
    return Page(
        trade_id,
        f"{trade_id}/overrun",
        f"undoing a trade took the account {account} over its limit",
        facts,
        "Nothing new is entered until enough is paid out; nothing else is to be done.",
    )


async def _page(page: Page) -> None:
    """Not for ever: a desk that waits for a paging service could never continue as new."""
    try:
        await workflow.execute_activity(
            "page",
            page,
            result_type=type(None),
            start_to_close_timeout=STEP_LIMIT,
            schedule_to_close_timeout=PAGE_LIMIT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=FOREVER,
            summary=page.headline,
        )
    except ActivityError as error:
        workflow.logger.warning("page not delivered everywhere", extra={"key": page.key, "error": str(error.cause)})


async def _end_watch(trade_id: str) -> None:
    try:
        await workflow.get_external_workflow_handle(held_id(trade_id)).signal("paid_out")
    except FailureError:
        workflow.logger.info("nobody watches this trade any more", extra={"trade_id": trade_id})


def _now_ms() -> int:
    return workflow.time_ns() // 1_000_000
