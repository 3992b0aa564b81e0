"""Trades of every kind on the real server, executions deleted from it, and ledgers as plain rows."""

import asyncio
import base64
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from memory_venue import Behaviour, now_ms
from temporal_rig import FAST, D, Rig, make_plan, until
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import WorkflowHandle

from arbsaga.domain.orders import FillStatus
from arbsaga.ledger.rebuilt import OldLedger
from arbsaga.saga.messages import TradePlan
from workers.rebuild import Report, Sources, rebuild
from workflows.arbitrage import ArbitrageWorkflow
from workflows.held import HeldWorkflow
from workflows.messages import held_id

TABLES = ("trades", "orders", "fills", "histories", "flags")
POSTING = "entry, account, trade_id, book, unit, amount"
"""What must be equal of a posting: not its number, nor the millisecond in which it was booked."""


class Trades:
    """One account's trades, each of its own kind, by the name of what became of it."""

    def __init__(self, rig: Rig, account: str):
        self.rig, self.account = rig, account
        self.plans: dict[str, TradePlan] = {}

    async def lived(self) -> None:
        """COMMITTED, FLAT, undone, answered late, failed in settlement, HELD, HELD and resolved, REFUSED, running."""
        _, flat, undone, unknown, failed, held, resolved, _, running = self._plans()
        rig = self.rig
        rig.venue.next(flat.basket.legs[0].instrument, Behaviour(fills=D(0)))
        rig.venue.next(flat.basket.legs[1].instrument, Behaviour(fills=D(0)))
        rig.venue.next(undone.basket.legs[1].instrument, *[Behaviour(refuse="no liquidity")] * 3)
        rig.venue.next(unknown.basket.legs[0].instrument, Behaviour(answer=False))
        rig.venue.next(failed.basket.legs[0].instrument, Behaviour(settle_to=FillStatus.FAILED))
        for plan in (held, resolved):
            rig.venue.next(plan.basket.legs[0].instrument, Behaviour(settle_to=FillStatus.MATCHED))
        for leg in running.basket.legs:
            rig.venue.next(leg.instrument, Behaviour(fills=D("0.5")))
        await (await self.start("clean")).result()  # the first one is slow
        handles = {kind: await self.start(kind) for kind in self.plans if kind != "clean"}
        await until(lambda: len(rig.ledger.intents_by_trade(flat.trade_id)) == len(flat.legs))
        await handles["flat"].signal(ArbitrageWorkflow.abort, "enough")
        await until(lambda: len(rig.ledger.intents_by_trade(running.trade_id)) == len(running.legs))
        await asyncio.gather(*(handle.result() for kind, handle in handles.items() if kind != "running"))
        watch = rig.client.get_workflow_handle_for(HeldWorkflow.run, held_id(resolved.trade_id))
        await watch.signal(HeldWorkflow.resolve, "sold by hand")
        await watch.result()
        watch_id = f"{held_id(resolved.trade_id)}/{(await watch.describe()).run_id}"
        names = [plan.trade_id for plan in self.ended] + [watch_id]
        await until(lambda: all(rig.ledger.history(name) for name in names))

    def _plans(self) -> Iterable[TradePlan]:
        patience = {
            "flat": replace(FAST, entry=30_000),
            "held": replace(FAST, settle=900),
            "resolved": replace(FAST, settle=900),
            "running": replace(FAST, entry=600_000),
        }
        kinds = ("clean", "flat", "undone", "unknown", "failed", "held", "resolved", "refused", "running")
        for kind in kinds:
            plan = make_plan(("Lakers", "Celtics", "Nets"), patience=patience.get(kind, FAST))
            self.plans[kind] = replace(plan, account=self.account)
        return self.plans.values()

    async def start(self, kind: str) -> WorkflowHandle:
        """Decided now."""
        plan = self.plans[kind] = replace(self.plans[kind], decided_ms=now_ms())
        self.rig.quote(plan)
        if kind == "refused":
            self.rig.venue.quote(plan.basket.legs[0].instrument, "0.41", "0.39", size="1")
        return await self.rig.start(plan)

    @property
    def ended(self) -> list[TradePlan]:
        """All but the one that still runs."""
        return [plan for kind, plan in self.plans.items() if kind != "running"]

    async def forget(self, *workflow_ids: str) -> None:
        """Delete these executions from the server, and wait until it lists none of them."""
        for workflow_id in workflow_ids:
            await self.rig.client.workflow_service.delete_workflow_execution(
                DeleteWorkflowExecutionRequest(
                    namespace=self.rig.client.namespace,
                    workflow_execution=WorkflowExecution(workflow_id=workflow_id),
                )
            )
        for workflow_id in workflow_ids:
            query = f"WorkflowId = '{workflow_id}'"
            await until(lambda query=query: self._none(query))

    async def _none(self, query: str) -> bool:
        return (await self.rig.client.count_workflows(query)).count == 0


async def rebuilt(
    rig: Rig, old: Path | None, *, server: bool = True, accounts: Iterable[str] = ()
) -> tuple[Path, Report]:
    """A ledger rebuilt beside the rig's own."""
    target = rig.folder / "rebuilt.sqlite"
    source = OldLedger.read(old) if old else None
    try:
        sources = Sources(source, rig.client if server else None, frozenset(accounts), rig.venue.order_id)
        return target, await rebuild(target, sources)
    finally:
        if source:
            source.close()


def path_of(rig: Rig) -> Path:
    return rig.folder / "ledger.sqlite"


def rows(path: Path, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    """A table's rows by plain SQL, sorted."""
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.execute(f"SELECT {columns} FROM {table}"), key=repr)


def unequal(before: Path, after: Path) -> dict[str, Counter[tuple[Any, ...]]]:
    """By table, the rows that only one of the two has, with how often; nothing where all are equal."""
    found = {}
    for table, columns in [*((table, "*") for table in TABLES), ("postings", POSTING)]:
        left, right = Counter(rows(before, table, columns)), Counter(rows(after, table, columns))
        if left != right:
            found[table] = (left - right) + (right - left)
    return found


def changed(path: Path, *statements: str) -> Path:
    """A copy of a ledger's file in which somebody did this."""
    copy = path.with_name(f"changed{len(list(path.parent.iterdir()))}.sqlite")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        for trigger in ("postings_no_update", "postings_no_delete"):
            target.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        for statement in statements:
            target.execute(statement)
        target.commit()
    return copy


def changed_payloads(whole: str, event_type: str, at: str, change: Callable[[Any], Any]) -> str:
    """The history with the payload at this place of each event of a type changed."""
    history = json.loads(whole)
    for event in history["events"]:
        if event["eventType"] != event_type:
            continue
        attributes = next(value for key, value in event.items() if key.endswith("EventAttributes"))
        for payload in attributes[at]["payloads"]:
            body = change(json.loads(base64.b64decode(payload["data"])))
            payload["data"] = base64.b64encode(json.dumps(body).encode()).decode()
    return json.dumps(history)
