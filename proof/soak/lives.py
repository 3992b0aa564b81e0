"""The lives of the trades, gathered at the end of a soak: Temporal's histories, the ledger's intents, the journal."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution

from arbsaga.domain.orders import Purpose
from arbsaga.exchange.journal import read_journal
from arbsaga.ledger import Intent
from proof.soak.recovery import Entry, Life

TRADES = "WorkflowType = 'ArbitrageWorkflow'"
AT_ONCE = 20
"""Histories fetched at the same time."""
STARTED = EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
DONE = (EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED)
MOVES = (EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, STARTED, *DONE)


@dataclass(slots=True)
class Record:
    """What the exchanges' journals have of our orders, in ms: by trade its `orders` and the `news` of them.

    `entries`: every accepted entry order; `faults` that struck, by name.
    """

    orders: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    news: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    entries: list[Entry] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def read_record(journals: Mapping[str, Path], intents: Iterable[Intent], decided_ms: Mapping[str, int]) -> Record:
    """Read the journals, by venue; the ledger only tells which order belongs to which trade. Raises Unavailable."""
    owners = {intent.order_id: intent for intent in intents}
    record, touched = Record(), defaultdict[str, set[str]](set)
    for line in (line for venue, journal in journals.items() for line in _lines(venue, journal)):
        if line["kind"] == "fault":
            record.faults[line["name"]] += 1
        elif line["kind"] == "settlement":
            for trade_id in touched[line["trade_id"]]:
                record.news[trade_id].append(line["ms"])
        elif (owner := owners.get(line.get("order_id", ""))) is not None:
            _take(record, line, owner, decided_ms)
            if line["kind"] == "fill":
                touched[line["trade_id"]].add(owner.terms.trade_id)
    return record


def _lines(venue: str, journal: Path) -> Iterator[Mapping[str, Any]]:
    """Kalshi's in the other's words: there our order is known by its client_order_id, and `ended` is any end."""
    names: dict[str, str] = {}
    for line in read_journal(journal).records:
        if venue == "kalshi" and "order_id" in line:
            own = names.setdefault(line["order_id"], line.get("client_order_id", ""))
            kind = "canceled" if line["kind"] == "ended" else line["kind"]
            yield line | {"order_id": own, "kind": kind}
        else:
            yield line


def _take(record: Record, line: Mapping[str, Any], owner: Intent, decided_ms: Mapping[str, int]) -> None:
    trade_id = owner.terms.trade_id
    if line["kind"] in ("fill", "canceled"):
        record.news[trade_id].append(line["ms"])
    if line["kind"] == "order":
        record.orders[trade_id].append(line["received_ms"])
        if owner.terms.purpose is Purpose.ENTER:
            decided = decided_ms.get(trade_id, owner.terms.created_ms)
            record.entries.append(Entry(decided, line["received_ms"], owner.terms.instrument.venue))


async def read_lives(client: Client, struck_ms: Sequence[int], record: Record) -> list[Life]:
    """Every trade that was in flight at one of these moments (ms since the epoch)."""
    hit = [found async for found in client.list_workflows(TRADES) if _was_hit(found, struck_ms)]
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(found: WorkflowExecution) -> Life:
        async with slots:
            handle = client.get_workflow_handle(found.id, run_id=found.run_id)
            events = (await handle.fetch_history()).events
        return life(events, record)

    return list(await asyncio.gather(*(one(found) for found in hit)))


def _was_hit(found: WorkflowExecution, struck_ms: Iterable[int]) -> bool:
    began, ended = _ms(found.start_time), None if found.close_time is None else _ms(found.close_time)
    return any(began <= ms and (ended is None or ms <= ended) for ms in struck_ms)


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def life(events: Sequence[HistoryEvent], record: Record) -> Life:
    """One trade's life by its history and the exchange's record."""
    first = events[0].workflow_execution_started_event_attributes
    plan = json.loads(first.input.payloads[0].data)
    trade_id = str(plan["trade_id"])
    at = {event.event_id: event.event_time.ToMilliseconds() for event in events}
    moves = [at[event.event_id] for event in events if event.event_type in MOVES]
    done = [event for event in events if event.event_type in DONE]
    return Life(
        trade_id=trade_id,
        began=at[1],
        ended=at[events[-1].event_id],
        moves=tuple(sorted([*moves, *record.orders[trade_id]])),
        steps=tuple((at[begun], at[event.event_id]) for event in done if (begun := _begun(event))),
        news=tuple(sorted(record.news[trade_id])),
        venues=frozenset(leg["instrument"]["venue"] for leg in plan["basket"]["legs"]),
    )


def _begun(event: HistoryEvent) -> int:
    """The id of the event with which an ended activity's last attempt began, 0 where none ever did."""
    if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
        return event.activity_task_completed_event_attributes.started_event_id
    return event.activity_task_canceled_event_attributes.started_event_id
