"""A process's lease on its desk's capital: renewed in the background, so that taking some costs no hop."""

import asyncio
import os
import random
import secrets
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError

from arbsaga.domain.money import NO_USD, Usd
from arbsaga.errors import Unavailable
from arbsaga.risk.desk import DeskStatus, LeaseAsk, Limits
from workers.start import start_desk
from workflows.desk import DeskWorkflow
from workflows.messages import desk_id

log = structlog.get_logger(__name__)

PERIOD_S = 3.0
"""How often the lease is renewed: well within its life, so that a slow server costs no trade."""
HURRY_S = 0.2
"""How soon, at the earliest, a renewal follows the last one when capital ran out."""
ROTATE_S = 600.0
"""A lease is replaced after this, so that looking up the trades under one stays short."""
IDLE_S = 12.0
"""Capital that lay idle for so long is let go for a moment, so that another process can have it."""
SHORT_S = 3.0
"""A process whose capital is short of a trade's lets it go at most so often."""
OFFER_S = (0.3, 1.2)
"""How long capital is let go, drawn evenly: of two processes that are short at once, one is back first."""
START_TRIES = 20
ANSWER_LIMIT = timedelta(seconds=5)
NO_ANSWER = (RPCError, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError)
"""The server or the desk is away, or the desk continued as new under our feet: ask again."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Capital for one trade: what goes into its plan. `amount` in USD, `expires_ms` since the epoch."""

    lease_id: str
    expires_ms: int
    amount: Usd


@dataclass(slots=True)
class _Lease:
    """A lease as this process counts it: `amount` granted and `taken` by trades, both in USD and only growing."""

    lease_id: str
    amount: Usd = NO_USD
    taken: Usd = NO_USD
    expires_ms: int = 0
    previous: "_Lease | None" = None
    since: float = field(default_factory=time.monotonic)


class DeskClient:
    """One process's hand at an account's desk. `take` and `give_back` are local and synchronous."""

    def __init__(self, client: Client, account: str, task_queue: str, *, want: Usd) -> None:
        """`want`: USD to have at hand, e.g. what the trades of one pass may cost."""
        self._client = client
        self._account = account
        self._task_queue = task_queue
        self._want = want
        self._holder = f"{socket.gethostname()}/{os.getpid()}"
        self._handle = client.get_workflow_handle_for(DeskWorkflow.run, desk_id(account))
        self._limits = Limits(NO_USD, NO_USD)
        self._wake = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None
        self._closing = False
        self._short_of = NO_USD
        self._busy_at = time.monotonic()
        self._lease = self._new_lease()
        self.status: DeskStatus | None = None

    async def start(self, limits: Limits) -> None:
        """Start the desk where it is not running, set its limits, take the first lease. A worker must be running.

        Raises Unavailable when the desk does not answer.
        """
        self._limits = limits
        for attempt in range(START_TRIES):
            try:
                await start_desk(self._client, self._account, self._task_queue)
                await self._set_limits()
                await self._renew()
                break
            except NO_ANSWER as error:
                _heed_cancel(error)
                log.warning("desk does not answer", account=self._account, attempt=attempt, error=str(error))
                await asyncio.sleep(HURRY_S)
        else:
            raise Unavailable(f"the desk of {self._account} does not answer: is a trading worker running?")
        self._renewing = asyncio.create_task(self._keep_renewing())

    async def close(self) -> None:
        """Give back what no trade took, and stop renewing."""
        # No cancel: the SDK turns one into "no answer", and the loop would go on.
        self._closing = True
        self._wake.set()
        if self._renewing is not None:
            await self._renewing
        self._want = NO_USD
        self._rotate()
        try:
            await self._renew()
        except NO_ANSWER as error:
            log.warning("capital not given back, its lease will expire", account=self._account, error=str(error))

    @property
    def at_hand(self) -> Usd:
        """USD that can be taken now."""
        return Usd(self._lease.amount - self._lease.taken)

    def take(self, amount: Usd, now_ms: int, *, live_ms: int = 1_000) -> Taken | None:
        """Capital for a trade whose orders are sent within `live_ms`, or None when there is not enough now."""
        lease = self._lease
        desk = self.status
        if desk is None or desk.halted or amount > desk.per_trade or now_ms + live_ms > lease.expires_ms:
            return None
        if amount > self.at_hand:
            self._short_of = amount
            self._wake.set()
            return None
        self._short_of, self._busy_at = NO_USD, time.monotonic()
        lease.taken = Usd(lease.taken + amount)
        return Taken(lease.lease_id, lease.expires_ms, amount)

    def give_back(self, taken: Taken) -> None:
        """The trade was surely not started (its basket was in flight): the capital is at hand again."""
        if taken.lease_id == self._lease.lease_id:
            self._lease.taken = Usd(self._lease.taken - taken.amount)

    def lost(self) -> None:
        """The answer to a start was lost, so the trade may have its capital: let this lease expire, begin another."""
        self._rotate()
        self._wake.set()

    def blocked(self, basket: str) -> bool:
        """Whether a trade on this basket is HELD."""
        return self.status is not None and basket in self.status.blocked

    async def paid_out(self, trade_id: str) -> None:
        """Tell the desk that a trade's capital came back. Raises RPCError when it cannot be told."""
        await self._handle.signal(DeskWorkflow.paid_out, trade_id)
        self._wake.set()

    async def halt(self, reason: str) -> DeskStatus:
        """Stop entries in every process; empty: let them go on."""
        return await self._handle.execute_update(DeskWorkflow.halt, reason, rpc_timeout=ANSWER_LIMIT)

    async def _keep_renewing(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), PERIOD_S)
            self._wake.clear()
            if self._closing:
                return
            if time.monotonic() - self._lease.since > ROTATE_S:
                self._rotate()
            try:
                await self._renew()
                if self._holds_in_vain():
                    await self._let_go()
            except NO_ANSWER as error:
                log.warning("lease not renewed", account=self._account, error=str(error))
                await self._revive()
            await asyncio.sleep(HURRY_S)

    def _holds_in_vain(self) -> bool:
        """Whether what is at hand is too little for the trade that asked for it, or has lain idle for long."""
        still = time.monotonic() - self._busy_at
        return self.at_hand > 0 and still > (SHORT_S if self._short_of > self.at_hand else IDLE_S)

    async def _let_go(self) -> None:
        """Give back what is at hand, and ask for it again a moment later.

        Two processes that each held a part of what a trade costs waited for each other for ever, and `arbsaga trade`
        waited in vain for a trader that had leased everything and traded nothing.
        """
        want, self._want = self._want, NO_USD
        short, pause = self._short_of > self.at_hand, random.uniform(*OFFER_S)
        self._short_of, self._busy_at = NO_USD, time.monotonic()
        self._rotate()
        try:
            await self._renew()
            self._wake.clear()
            # An opportunity ends an idle moment; where capital is short it waits for its turn like the others.
            with suppress(TimeoutError):
                await (asyncio.sleep(pause) if short else asyncio.wait_for(self._wake.wait(), pause))
        finally:
            self._want = want
        await self._renew()

    async def _set_limits(self) -> None:
        self.status = await self._handle.execute_update(DeskWorkflow.set_limits, self._limits, rpc_timeout=ANSWER_LIMIT)

    async def _renew(self) -> None:
        lease, before = self._lease, self._lease.previous
        previous = (before.lease_id, before.taken) if before else ("", NO_USD)
        ask = LeaseAsk(lease.lease_id, self._holder, self._want, lease.taken, *previous)
        answer = await self._handle.execute_update(DeskWorkflow.lease, ask, rpc_timeout=ANSWER_LIMIT)
        self.status = answer.status
        if answer.status.total == NO_USD:
            await self._set_limits()  # the desk was made again from the ledger, which does not know them
        if lease is not self._lease:
            return  # replaced while the answer was on its way
        lease.previous = None
        if answer.lease.amount < lease.amount:
            # The desk thought us dead, or was made again: what we had at hand is not ours any more.
            self._lease = self._new_lease()
            self._wake.set()
            return
        lease.amount, lease.expires_ms = answer.lease.amount, answer.lease.expires_ms

    async def _revive(self) -> None:
        """The desk may have been terminated: it starts again from the ledger."""
        try:
            await start_desk(self._client, self._account, self._task_queue)
        except RPCError as error:
            log.warning("desk cannot be started", account=self._account, error=str(error))

    def _rotate(self) -> None:
        """What was not taken moves to a new lease with the next renewal."""
        self._lease = self._new_lease(previous=self._lease)

    def _new_lease(self, previous: _Lease | None = None) -> _Lease:
        return _Lease(f"{self._holder}/{secrets.token_hex(6)}", previous=previous)


def _heed_cancel(error: Exception) -> None:
    """The SDK turns the cancellation of an update's caller into an ordinary error; here it is one again."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error
