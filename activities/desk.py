"""What an account's desk needs of the world: who sent orders under a lease, histories, the halt flag."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from arbsaga.domain.instruments import Side
from arbsaga.domain.money import NO_USD, Usd
from arbsaga.domain.orders import Purpose
from arbsaga.ledger import Intent, Ledger, TradeRow
from arbsaga.risk.desk import Claim, Closed, Desk, DeskNote, Limits, Use
from arbsaga.saga.messages import Phase

RESOLVED = "; resolved: "
"""In the recorded reason of a HELD trade that was dealt with."""


class DeskActivities:
    """The desk's hands. `start_desk` starts an account's desk with a signal, where it is not running."""

    def __init__(self, client: Client, ledger: Ledger, start_desk: Callable[[DeskNote], Awaitable[None]]) -> None:
        self._client = client
        self._ledger = ledger
        self._start_desk = start_desk

    def all(self) -> list[Callable[..., Any]]:
        """What a worker registers."""
        return [self.claims_of_lease, self.rebuild_desk, self.archive, self.set_halt, self.tell_desk]

    @activity.defn
    async def claims_of_lease(self, lease_id: str) -> list[Claim]:
        """The trades that wrote down an order under this lease, each with the most its entries can cost.

        Called when no order can be sent under it any more, so this is all of them.
        """
        return _claims(await asyncio.to_thread(self._ledger.intents_by_lease, lease_id))

    @activity.defn
    async def rebuild_desk(self, account: str) -> Desk:
        """The desk as the ledger has it: trades under way, HELD, and COMMITTED ones that were not paid out."""
        claims = await asyncio.to_thread(self._claims_in_ledger, account)
        return Desk(Limits(NO_USD, NO_USD), claims={claim.trade_id: claim for claim in claims})

    @activity.defn
    async def archive(self, runs: list[Closed]) -> list[str]:
        """Keep the histories of runs that are closed; the names of those that are done with."""
        return [run.name for run in runs if await archive_run(self._client, self._ledger, run)]

    @activity.defn
    async def set_halt(self, reason: str) -> None:
        """The flag that every process reads before it enters."""
        await asyncio.to_thread(self._ledger.halt, reason or None)

    @activity.defn
    async def tell_desk(self, note: DeskNote) -> None:
        """Start the desk with what it missed."""
        await self._start_desk(note)

    def _claims_in_ledger(self, account: str) -> list[Claim]:
        held = self._ledger.positions(account)
        under_way = [intent for intent in self._ledger.intents_in_flight() if intent.account == account]
        kept = [claim for row in self._ledger.trades() if row.account == account for claim in _kept(row, held)]
        return [*_claims(under_way), *kept]


async def archive_run(client: Client, ledger: Ledger, run: Closed) -> bool:
    """Keep the history of a run that is closed. False while it is not; True too when the server has lost it."""
    handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
    try:
        if (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
            return False
        history = await handle.fetch_history()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            activity.logger.warning("history is gone: %s", run.name)
            return True
        raise
    await asyncio.to_thread(ledger.archive, run.name, history.to_json())
    return True


def _claims(intents: Iterable[Intent]) -> list[Claim]:
    claims: dict[str, Claim] = {}
    for intent in intents:
        terms = intent.terms
        if terms.purpose is not Purpose.ENTER or terms.side is not Side.BUY:
            continue
        known = claims.get(terms.trade_id)
        cost = terms.size * terms.limit + terms.instrument.rules.fee.taker_fee(terms.size, terms.limit)
        basket = intent.workflow_id.removeprefix("basket/")
        amount = Usd(cost + (known.amount if known else NO_USD))
        claims[terms.trade_id] = Claim(terms.trade_id, intent.workflow_id, basket, intent.lease_id, amount)
    return list(claims.values())


def _kept(row: TradeRow, positions: Collection[str]) -> list[Claim]:
    """The claim of a trade that is HELD, or that ended and still holds something; none for the others."""
    plan, key = row.plan, row.plan.basket.key
    claim = Claim(row.trade_id, f"basket/{key}", key, plan.lease_id, Usd(max(row.spent, NO_USD)), Use.INVESTED)
    if row.phase is Phase.HELD:  # whatever it holds: an order of it may be unknown
        held = replace(claim, use=Use.HELD, amount=Usd(max(row.spent, plan.reserved)))
        return [] if RESOLVED in row.reason else [held]
    tokens = [token for leg in plan.basket.legs for token in (leg.instrument.token, leg.instrument.complement)]
    return [claim] if row.ended and row.payout > 0 and any(token in positions for token in tokens) else []
