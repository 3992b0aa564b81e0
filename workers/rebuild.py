"""Making the ledger again from the histories, beside the old one, and telling in what they differ.

First every order that a history shows as sent, or as possibly sent, is written down: the fence that keeps an order
from being sent twice must be whole before anything else. Then every record, payout and opening balance is booked in
the order of its time. What no history tells is taken over from the old ledger, and said.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
from temporalio.client import Client

from arbsaga.domain.money import Usd
from arbsaga.domain.orders import OrderTerms
from arbsaga.errors import LedgerError
from arbsaga.ledger import Ledger, models
from arbsaga.ledger.comparing import Change, Difference, differences
from arbsaga.ledger.rebuilt import Entry, OldLedger, OrderKey, RebuiltLedger, Row, order_key
from arbsaga.saga.messages import TradeRecord
from arbsaga.venues.port import Venue
from workers.accounts import open_account
from workers.histories import Booked, History, Sent, of_archive, on_server
from workers.payouts import Payouts
from workflows.messages import basket_id, held_id

log = structlog.get_logger(__name__)

SHOWN: Final = 3
"""How many subjects of a kind are named in its line."""
NO_HISTORY: Final = "trades of which there is no history, taken over from the old ledger"
LATER: Final = "trades whose last record is in no history, taken over from the old ledger"
UNSHOWN: Final = "orders that no history shows, taken over all the same: they may have been sent"
UNANSWERED: Final = "orders whose sending was never answered, kept as possibly sent"
UNDER_WAY: Final = "trades with a record that was under way, booked"
UNREAD: Final = "histories that cannot be read whole, of trades that the old ledger has: what came later may be missing"
INCOMPLETE: Final = "histories that cannot be read whole, of trades that nothing else tells of: orders may be missing"
CONTRADICTION: Final = "records that contradict what was intended, left out"
CLASH: Final = "orders that contradict another order, left out: they may have been sent"
NO_OPENING: Final = "opening balances that nobody could tell: a trader must not start on this ledger"
TOO_EARLY: Final = "trades that go on, so no opening balance: `arbsaga worker` ends them, then the trader books it"
LATE_OPENING: Final = "opening balances booked after trades, of a ledger that was begun anew: move it away, and rebuild"
FOREIGN: Final = "histories of other accounts, left out"
KEPT: Final = "histories kept that the old ledger did not have"
CLOSED: Final = "positions whose profit is booked at another moment than before"
EXPLAINED: Final = frozenset({NO_HISTORY, LATER, UNANSWERED, UNDER_WAY, FOREIGN, KEPT, CLOSED})
"""Kinds that need nobody's look. All others are differences that a person must judge."""
BARRING: Final = frozenset({INCOMPLETE, UNREAD, CLASH, NO_OPENING})
"""Kinds with which a ledger must not be traded on: an order that may have been sent, or the opening, is missing."""
_SENDING: Final = frozenset({"order_id", "account", "workflow_id", "lease_id", "terms", "created_ms", "intended"})
"""What is written down of an order before it is sent."""


@dataclass(slots=True)
class Report:
    """What was rebuilt, which trades go on by the server, and the subjects of each kind of finding."""

    counts: dict[str, int] = field(default_factory=dict)
    going_on: set[str] = field(default_factory=set)
    _noted: dict[str, dict[str, None]] = field(default_factory=dict)

    def note(self, kind: str, subject: str) -> None:
        """Say something of a subject, once."""
        self._noted.setdefault(kind, {})[subject] = None

    @property
    def kinds(self) -> dict[str, list[str]]:
        """The subjects of each kind, in the order they were found."""
        return {kind: list(subjects) for kind, subjects in self._noted.items()}

    @property
    def explained(self) -> bool:
        """Whether nothing is left for a person to judge."""
        return EXPLAINED.issuperset(self.kinds)

    @property
    def complete(self) -> bool:
        """Whether it can take the old one's place: every order that may have been sent is in it, and the opening.

        Where trades go on the trader sees to the opening, once they have ended.
        """
        return BARRING.isdisjoint(self.kinds)

    def lines(self) -> list[str]:
        """One line for each kind of finding, those to be judged first."""
        ordered = sorted(self.kinds.items(), key=lambda kind: (kind[0] in EXPLAINED, kind[0]))
        return [f"{len(subjects)} {kind}: {_some(subjects)}" for kind, subjects in ordered]


@dataclass(frozen=True, slots=True)
class Sources:
    """What to rebuild from: the old ledger with its archive, the server, either of them or both.

    `accounts`: whose trades; those of the old ledger come with it. `order_id`: the venue's id of an order, for one
    whose answer was lost.
    """

    old: OldLedger | None
    client: Client | None
    accounts: frozenset[str]
    order_id: Callable[[OrderTerms], str]

    async def histories(self) -> AsyncIterator[History]:
        """Every history, the archive's first."""
        for trade_id, json in self.old.archived() if self.old else ():
            yield await of_archive(trade_id, json)
        if self.client is not None:
            async for history in on_server(self.client):
                yield history


async def rebuild(target: Path, sources: Sources) -> Report:
    """Make the ledger `target`, a new file. Raises LedgerError, Unavailable, and RPCError when the server goes away."""
    new = RebuiltLedger.make(target)
    try:
        making = _Making(sources, new, Report())
        await making.read()
        making.write()
        return making.report
    finally:
        new.close()


async def open_books(ledger: Ledger, venue: Venue, account: str) -> Usd:
    """Book what only the venue can still tell: payouts, and as the opening balance whatever makes the cash equal.

    Only while no trade goes on: what it has moved and nobody has booked would count as opening. `venue` is started.
    Returns the opening balance in USD. Raises VenueError.
    """

    async def told(_trade_id: str) -> None:
        """The desk hears of payouts when the trader next starts."""

    await Payouts(venue, ledger, account, told).sweep()
    return await open_account(ledger, venue, account)


@dataclass(slots=True)
class _Making:
    """One rebuild. `told` are the trades of which at least the start of a history could be read."""

    sources: Sources
    new: RebuiltLedger
    report: Report
    histories: list[History] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    unanswered: set[OrderKey] = field(default_factory=set)
    under_way: set[str] = field(default_factory=set)
    _ids: dict[OrderKey, str] = field(default_factory=dict)
    _intended: defaultdict[str, set[OrderKey]] = field(default_factory=lambda: defaultdict(set))

    async def read(self) -> None:
        """Read every history of our accounts."""
        accounts = self.sources.accounts | (self.sources.old.accounts() if self.sources.old else frozenset())
        async for history in self.sources.histories():
            if not history.account or history.account in accounts:
                self.histories.append(history)
                self.told.update([history.trade_id] if history.account else [])
                if history.run_id and not history.json and not history.watch:  # on the server, and not closed
                    self.report.going_on.add(history.trade_id)
            else:
                self._note(FOREIGN, history.account)

    def write(self) -> None:
        """Orders first, then money in the order of time, then what is only kept; then compare."""
        self._write_orders()
        self._book()
        self._keep()
        self._judge_problems()
        if self.sources.old is not None:
            for difference in differences(self.sources.old, self.new):
                self._note(*self._explain(difference))
        tables = (models.trades, models.orders, models.fills, models.postings)
        self.report.counts = {table.name: self.new.count(table) for table in tables}

    # -- orders ------------------------------------------------------------------------------------------------

    def _write_orders(self) -> None:
        """Answered ones first: their terms are those that were really written down."""
        sent = [one for history in self.histories for one in (*history.sent, *_named(history))]
        for one in sorted(sent, key=lambda one: (not one.order_id, one.time_ms)):
            self._intend(one)
        known = self.new.orders()
        for row in self._old_rows("orders"):
            key = (row["trade_id"], row["leg"], row["attempt"])
            if row["intended"] and key not in known:
                self.new.take_order(row)
                told = row["trade_id"] in self.told
                self._note(UNSHOWN if told else NO_HISTORY, "/".join(map(str, key)) if told else row["trade_id"])
        for order in self.new.orders():
            self._intended[order[0]].add(order)

    def _intend(self, one: Sent) -> None:
        order_id = one.order_id or self.sources.order_id(one.terms)
        try:
            (fresh,) = self.new.intend(
                [(one.terms, order_id)], account=one.account, workflow_id=one.workflow_id, lease_id=one.lease_id
            )
        except LedgerError as error:
            log.warning("order left out", order=one.terms.key, order_id=order_id, error=str(error))
            self._note(CLASH, one.terms.key)
            return
        key = order_key(one.terms)
        if one.order_id and self._ids.setdefault(key, order_id) != order_id:
            self._note(CLASH, one.terms.key)
        if fresh and not one.order_id:
            self.unanswered.add(key)
            self._note(UNANSWERED, one.terms.key)

    # -- money -------------------------------------------------------------------------------------------------

    def _book(self) -> None:
        """Records, payouts and opening balances in the order of their time."""
        steps: list[tuple[int, TradeRecord | Entry]] = []
        for booked in self._written():
            steps.append((booked.time_ms, booked.record))
            if not booked.done:
                self.under_way.add(booked.record.plan.trade_id)
        steps += [(record.time_ms, record) for record in self._untold_records()]
        steps += [(entry.time_ms, entry) for entry in (self.sources.old.entries() if self.sources.old else ())]
        traded: set[str] = set()
        for time_ms, step in sorted(steps, key=lambda step: step[0]):
            if isinstance(step, TradeRecord):
                self._record(step, time_ms)
                traded.update([step.plan.account] if step.orders else [])
                continue
            self.new.take_entry(step)
            if step.name.startswith("opening/") and step.account in traded:
                self._note(LATE_OPENING, step.account)

    def _written(self) -> Iterator[Booked]:
        """The records that the ledger wrote, or will: none that leaves out an order of its trade."""
        for booked in (booked for history in self.histories for booked in history.booked):
            named = {order_key(view.terms) for view in booked.record.orders}
            refused = booked.left_out or (not booked.done and self._intended[booked.record.plan.trade_id] - named)
            if not refused:
                yield booked

    def _record(self, record: TradeRecord, time_ms: int) -> None:
        try:
            self.new.record(record, booked_ms=time_ms)
        except LedgerError as error:
            log.warning("record left out", trade_id=record.plan.trade_id, error=str(error))
            self._note(CONTRADICTION, record.plan.trade_id)

    def _untold_records(self) -> Iterable[TradeRecord]:
        """What the old ledger has recorded later than any history."""
        newest: defaultdict[str, int] = defaultdict(int)
        for booked in self._written():
            trade_id = booked.record.plan.trade_id
            newest[trade_id] = max(newest[trade_id], booked.record.time_ms)
        for row in self._old_rows("trades"):
            trade_id = row["trade_id"]
            if row["updated_ms"] > newest[trade_id]:
                assert self.sources.old is not None, "the rows are its"
                record = self.sources.old.last_record(trade_id)
                assert record is not None, "a trade's row was recorded"
                self._note(LATER if trade_id in self.told else NO_HISTORY, trade_id)
                yield record

    # -- what is only kept ---------------------------------------------------------------------------------------

    def _keep(self) -> None:
        kept = self._old_rows("histories")
        self.new.take_rows(models.histories, kept)
        self.new.take_rows(models.flags, self._old_rows("flags"))
        known = {row["trade_id"] for row in kept}
        closed = sorted((one for one in self.histories if one.json), key=lambda one: one.started_ms)
        newest = {one.trade_id: one.run_id for one in closed if not one.watch}
        for one in closed:
            run = f"{one.trade_id}/{one.run_id}"
            name = held_id(run) if one.watch else one.trade_id if newest[one.trade_id] == one.run_id else run
            if name not in known:
                self.new.archive(name, one.json)

    def _judge_problems(self) -> None:
        """A run of which another copy is whole lacks nothing; of the rest the old ledger may know."""
        whole: defaultdict[str, set[int]] = defaultdict(set)
        for history in self.histories:
            if not history.problem and not history.watch:
                whole[history.trade_id] |= {0, history.started_ms}
        in_old = {row["trade_id"] for name in ("trades", "orders") for row in self._old_rows(name)}
        for history in self.histories:
            if history.problem and history.started_ms not in whole[history.trade_id]:
                known = history.trade_id in in_old
                self._note(UNREAD if known else INCOMPLETE, f"{history.trade_id} ({history.problem})")

    # -- the comparison ------------------------------------------------------------------------------------------

    def _explain(self, difference: Difference) -> tuple[str, str]:
        """The kind of a difference, and its subject."""
        subject = "/".join(map(str, difference.key))
        added, trade_id = difference.change is Change.ADDED, str(difference.key[0])
        if difference.table == "histories" and added:
            return KEPT, subject
        sending = added or _SENDING.issuperset(difference.columns)
        if difference.table == "orders" and difference.key in self.unanswered and sending:
            return UNANSWERED, subject
        if difference.table == "postings":
            subject, trade_id = str(difference.key[0]), str(difference.key[1])
            if subject.startswith("close/"):
                return CLOSED, subject
        if trade_id in self.under_way and difference.change is not Change.LOST:
            return UNDER_WAY, trade_id
        return _plain(difference), subject

    # -- shared ------------------------------------------------------------------------------------------------

    def _old_rows(self, table: str) -> list[Row]:
        return self.sources.old.rows(models.metadata.tables[table]) if self.sources.old else []

    def _note(self, kind: str, subject: str) -> None:
        self.report.note(kind, subject)


def _named(history: History) -> Iterator[Sent]:
    """Orders that a record or its answer names by their ids: sent, though another run's history may show it.

    A trade that was reset finds the orders of the run that was taken back; that run is not archived.
    """
    for booked in history.booked:
        plan = booked.record.plan
        for view in (*booked.record.orders, *booked.left_out):
            if view.order_id:
                workflow_id = basket_id(plan.basket.key)
                yield Sent(booked.time_ms, workflow_id, plan.account, plan.lease_id, view.terms, view.order_id)


def _plain(difference: Difference) -> str:
    if difference.change is Change.LOST:
        return f"{difference.table} of the old ledger that no history tells of"
    if difference.change is Change.ADDED:
        return f"{difference.table} that the old ledger does not have"
    return f"{difference.table} that differ ({', '.join(difference.columns)})"


def _some(subjects: list[str]) -> str:
    more = len(subjects) - SHOWN
    return ", ".join(subjects[:SHOWN]) + (f" and {more} more" if more > 0 else "")
