"""What the workflows' histories tell: every order that was, or may have been, sent, and every record of a trade.

A history shows an order before it can be sent: the activity that sends carries its terms, and the server has written
that down before any worker gets the activity.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from google.protobuf.json_format import ParseError
from pydantic import ValidationError
from temporalio.api.common.v1 import Payloads
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecution, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from arbsaga.domain.orders import OrderTerms, OrderView
from arbsaga.risk.funded import FundedOrders
from arbsaga.saga.messages import Seen, TradePlan, TradeRecord
from workers.converter import DATA_CONVERTER
from workflows.messages import HELD_WORKFLOW, HeldTrade, basket_id, held_id

TRADE_WORKFLOW: Final = "ArbitrageWorkflow"
INPUTS: Final[dict[str, type]] = {TRADE_WORKFLOW: TradePlan, HELD_WORKFLOW: HeldTrade}
"""The workflows whose histories are a trade's, and what each is started with."""
_NAMES: Final = ", ".join(f"'{name}'" for name in INPUTS)
SENDS: Final = ("place_legs", "exit_leg")
RECORDS: Final = "record"
AT_ONCE: Final = 8
"""Histories fetched at the same time."""
_CLOSED: Final = tuple(
    f"workflow_execution_{end}_event_attributes"
    for end in ("completed", "failed", "timed_out", "canceled", "terminated", "continued_as_new")
)


@dataclass(frozen=True, slots=True)
class Sent:
    """An order handed to an activity that sends. `order_id` is empty while no answer of it is in the history."""

    time_ms: int
    workflow_id: str
    account: str
    lease_id: str
    terms: OrderTerms
    order_id: str


@dataclass(frozen=True, slots=True)
class Booked:
    """A record of a trade. `done`: the ledger has answered, at `time_ms`.

    `left_out`: orders of the trade that the answer named because the record does not: then nothing was written.
    """

    time_ms: int
    record: TradeRecord
    done: bool
    left_out: tuple[OrderView, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """One run of a trade's or a held trade's workflow, as far as it can be read.

    `problem`: empty, or why it cannot be read whole; what could be read is there all the same. `account` is empty
    where not even its start could be read. `json` is set for a closed run on the server: it can be archived.
    """

    trade_id: str
    account: str = ""
    run_id: str = ""
    watch: bool = False
    started_ms: int = 0
    sent: tuple[Sent, ...] = ()
    booked: tuple[Booked, ...] = ()
    problem: str = ""
    json: str = ""


class _UnreadableError(Exception):
    """Part of a history does not say what this version understands."""


async def of_archive(name: str, json: str) -> History:
    """An archived history by its name: `trade`, `trade/run` or `held/trade/run`.

    What cannot be read at all is a History with a problem.
    """
    try:
        events = WorkflowHistory.from_json(name, json).events
    except (ParseError, ValueError, AttributeError, TypeError):  # the SDK walks the JSON before it is parsed
        return History(_trade_of(name), problem="no history, or a torn one")
    found = await read(name, events)
    closed = bool(events) and _is_closed(events[-1])
    return found if closed or found.problem else replace(found, problem="torn: its end is missing")


async def on_server(client: Client) -> AsyncIterator[History]:
    """Every trade and held trade that the server has, closed and running. Raises RPCError when it goes away."""
    gate = asyncio.Semaphore(AT_ONCE)
    found = [one async for one in client.list_workflows(f"WorkflowType IN ({_NAMES})")]
    for fetched in asyncio.as_completed([_fetched(client, one, gate) for one in found]):
        history = await fetched
        if history is not None:
            yield history


async def running(client: Client, account: str) -> list[History]:
    """The beginnings of an account's trades, and watches over HELD ones, that run now. Raises RPCError.

    One whose beginning cannot be read is counted: it may be the account's.
    """
    found = []
    async for one in client.list_workflows(f"WorkflowType IN ({_NAMES}) AND ExecutionStatus = 'Running'"):
        events = client.get_workflow_handle(one.id, run_id=one.run_id).fetch_history_events(page_size=1)
        history = await read(one.id, [await anext(events)])
        if history.account in {"", account}:
            found.append(history)
    return found


async def _fetched(client: Client, one: WorkflowExecution, gate: asyncio.Semaphore) -> History | None:
    async with gate:
        try:
            history = await client.get_workflow_handle(one.id, run_id=one.run_id).fetch_history()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:  # deleted since it was listed
                return None
            raise
    json = history.to_json() if _is_closed(history.events[-1]) else ""
    return replace(await read(one.id, history.events), run_id=one.run_id, json=json)


async def read(name: str, events: Sequence[HistoryEvent]) -> History:
    """What one run's events tell; `name` is of its workflow or in the archive, where they do not tell the trade."""
    try:
        given = await _started(events)
    except _UnreadableError as error:
        return History(_trade_of(name), problem=str(error))
    watch = isinstance(given, HeldTrade)
    plan = given.record.plan if isinstance(given, HeldTrade) else given
    booked = [Booked(_ms(events[0]), given.record, done=True)] if isinstance(given, HeldTrade) else []
    sent: list[Sent] = []
    problems: list[str] = []
    if [event.event_id for event in events] != list(range(1, len(events) + 1)):
        problems.append("torn: events are missing")
    answers = {
        event.activity_task_completed_event_attributes.scheduled_event_id: event
        for event in events
        if event.HasField("activity_task_completed_event_attributes")
    }
    for event in events:
        if not event.HasField("activity_task_scheduled_event_attributes"):
            continue
        activity = event.activity_task_scheduled_event_attributes.activity_type.name
        try:
            if activity in SENDS:
                sent += await _sent(basket_id(plan.basket.key), event, answers.get(event.event_id))
            elif activity == RECORDS:
                booked.append(await _booked(event, answers.get(event.event_id)))
        except _UnreadableError as error:
            problems.append(f"{activity}: {error}")
    return History(
        plan.trade_id,
        plan.account,
        watch=watch,
        started_ms=_ms(events[0]),
        sent=tuple(sent),
        booked=tuple(booked),
        problem="; ".join(problems),
    )


async def _started(events: Sequence[HistoryEvent]) -> TradePlan | HeldTrade:
    """What the run was started with."""
    if not events or not events[0].HasField("workflow_execution_started_event_attributes"):
        raise _UnreadableError("torn: its beginning is missing")
    start = events[0].workflow_execution_started_event_attributes
    if start.workflow_type.name not in INPUTS:
        raise _UnreadableError(f"a workflow {start.workflow_type.name} is none of this version's")
    given = await _decoded(start.input, INPUTS[start.workflow_type.name])
    assert isinstance(given, TradePlan | HeldTrade), "a trade is started with its plan, a watch with its trade"
    return given


async def _sent(workflow_id: str, event: HistoryEvent, answer: HistoryEvent | None) -> list[Sent]:
    """The orders of one sending. Answered without an id: it was refused before it was written down (a halt)."""
    funded: FundedOrders = await _decoded(event.activity_task_scheduled_event_attributes.input, FundedOrders)
    told = [(terms, "") for terms in funded.ask.orders]
    if answer is not None:
        seen: Seen = await _decoded(answer.activity_task_completed_event_attributes.result, Seen)
        told = [(view.terms, view.order_id) for view in seen.orders if view.order_id]
    return [Sent(_ms(event), workflow_id, funded.account, funded.lease_id, terms, order_id) for terms, order_id in told]


async def _booked(event: HistoryEvent, answer: HistoryEvent | None) -> Booked:
    record: TradeRecord = await _decoded(event.activity_task_scheduled_event_attributes.input, TradeRecord)
    if answer is None:
        return Booked(_ms(event), record, done=False)
    seen: Seen | None = await _decoded(answer.activity_task_completed_event_attributes.result, Seen | None)
    return Booked(_ms(answer), record, done=True, left_out=seen.orders if seen else ())  # None: an older version's


async def _decoded(payloads: Payloads, kind: Any) -> Any:  # noqa: ANN401 - a type or a union, and one of it
    try:
        (value,) = await DATA_CONVERTER.decode(payloads.payloads, [kind])
    except (ValidationError, ValueError, RuntimeError, KeyError) as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _UnreadableError(f"written by another version of arbsaga? ({words})") from error
    return value


def _trade_of(name: str) -> str:
    return name.removeprefix(held_id("")).partition("/")[0] if not name.startswith(basket_id("")) else name


def _is_closed(event: HistoryEvent) -> bool:
    return any(event.HasField(name) for name in _CLOSED)  # type: ignore[arg-type]  # names of its own fields


def _ms(event: HistoryEvent) -> int:
    return event.event_time.ToMilliseconds()
