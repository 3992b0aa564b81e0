"""The ledger: what was intended, what happened, and the books that follow.

Every write is one immediate transaction, idempotent, and safe from several processes at once. Methods raise
Unavailable (locked, full, read-only: a person can mend it) or LedgerError, each one line; nothing is half-written.
"""

import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Engine, Select, and_, func, or_, select
from sqlalchemy.dialects.sqlite import insert

from arbsaga.domain.instruments import Instrument, Side
from arbsaga.domain.money import ZERO, Size, Usd
from arbsaga.domain.orders import FillStatus, OrderState, OrderTerms, Purpose
from arbsaga.errors import Opposed
from arbsaga.ledger import booking, caps, database, models, netting, postings, reading
from arbsaga.ledger.database import Durability, explained
from arbsaga.ledger.rows import TERMS, Intent, TradeRow, TradeStory
from arbsaga.notify.alert_log import read_alerts
from arbsaga.saga.messages import ENDS, TradePlan, TradeRecord

_HALT, _CHECKED = "halt", "checked"
_INTEND_INSERT = insert(models.orders)
# An attempt that a record has named, but that nobody intended and nothing is known of, was never sent.
_INTEND = _INTEND_INSERT.on_conflict_do_update(
    index_elements=["trade_id", "leg", "attempt"],
    set_={
        name: _INTEND_INSERT.excluded[name]
        for name in ("order_id", "account", "workflow_id", "lease_id", "terms", "created_ms", "intended")
    },
    where=and_(models.orders.c.intended.is_(False), models.orders.c.state == OrderState.UNKNOWN),
)


class Ledger:
    """One SQLite file. Synchronous: asyncio callers use `asyncio.to_thread`. Threads may share one Ledger."""

    def __init__(self, engine: Engine, alert_log: Path | None) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        self._alert_log = alert_log

    @classmethod
    def open(
        cls, url: str, *, durability: Durability = "full", busy_ms: int = 5_000, alert_log: Path | None = None
    ) -> Self:
        """Open `sqlite:///file`, made or migrated where needed.

        `busy_ms`: how long a call waits for another process's write. `alert_log`: where `trade()` finds the pages.
        Raises ConfigError for another kind of URL; Unavailable when the file is locked, full, read-only, no
        ledger, or written by a newer arbsaga.
        """
        engine = database.create(url, durability, busy_ms)
        database.bring_up_to_date(engine, busy_ms)
        return cls(engine, alert_log)

    def close(self) -> None:
        """Release the file."""
        self._engine.dispose()

    def prove_writable(self) -> None:
        """Write one row to the disk. Raises Unavailable where that cannot be done."""
        self._set_flag(_CHECKED, str(time.time_ns()))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with explained(self._engine), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with explained(self._engine), self._writer.begin() as connection:
            yield connection

    # -- orders ------------------------------------------------------------------------------------------------

    def intend(
        self,
        orders: Sequence[tuple[OrderTerms, str]],
        *,
        account: str,
        workflow_id: str,
        lease_id: str,
        cap: Usd | None = None,
    ) -> tuple[bool, ...]:
        """Write orders down before they are sent: the send-once fence, on the disk when this returns.

        True: fresh, may be sent. False: this (trade, leg, attempt) was intended before, by whatever process: it
        must never be posted again. All or none are written. Raises Opposed, and none is written, where all are fresh
        and one of them is an entry that would close what others count on (see `opposed`), or all of them would take
        their pair over `cap` USD (see `capped`).
        """
        with self._writing() as connection:
            fresh = tuple(
                connection.execute(_INTEND, _intent_row(terms, order_id, account, workflow_id, lease_id)).rowcount == 1
                for terms, order_id in orders
            )
            if all(fresh):  # what was sent before must be looked up, whatever there is beside it by now
                _check_opposed(connection, account, [terms for terms, _ in orders])
                _check_cap(connection, account, workflow_id, [terms for terms, _ in orders], cap)
            return fresh

    def opposed(self, account: str, trade_id: str, buys: Sequence[Instrument]) -> str:
        """Why a trade that buys these would close what the account holds, or another trade is about to, or empty.

        Only where the venue nets a market's two outcomes: there buying one of them sells the other.
        """
        with self._reading() as connection:
            each = (netting.against(connection, account, trade_id, one) for one in buys if one.rules.nets)
            return next((why for why in each if why), "")

    def capped(self, plan: TradePlan) -> str:
        """Why the plan would take its pair over the plan's cap, or empty: by what all processes have in it."""
        if plan.cap is None:
            return ""
        legs = [leg.instrument for leg in plan.basket.legs]
        with self._reading() as connection:
            key = plan.basket.key
            return caps.exceeded(connection, plan.account, plan.trade_id, key, legs, plan.reserved, plan.cap)

    def intent(self, trade_id: str, leg: int, attempt: int) -> Intent | None:
        """The terms and the order id as they were first written."""
        table = models.orders.c
        found = self._intents(
            reading.INTENTS.where(table.trade_id == trade_id, table.leg == leg, table.attempt == attempt)
        )
        return found[0] if found else None

    def intents_by_trade(self, trade_id: str) -> list[Intent]:
        """Every order of this trade that was ever intended."""
        return self._intents(reading.INTENTS.where(models.orders.c.trade_id == trade_id))

    def intents_by_lease(self, lease_id: str) -> list[Intent]:
        """Every order whose capital came from this lease."""
        return self._intents(reading.INTENTS.where(models.orders.c.lease_id == lease_id))

    def intents_by_order(self, order_ids: Sequence[str]) -> list[Intent]:
        """The intents behind these order ids; an id that none knows is missing."""
        return self._intents(reading.INTENTS.where(models.orders.c.order_id.in_(order_ids)))

    def filled(self, order_ids: Sequence[str]) -> dict[str, Size]:
        """Shares by order of the fills that did not fail; an order without any is missing."""
        orders, fills = models.orders.c, models.fills.c
        same = and_(fills.trade_id == orders.trade_id, fills.leg == orders.leg, fills.attempt == orders.attempt)
        query = (
            select(orders.order_id, fills.size)
            .join(models.fills, same)
            .where(orders.order_id.in_(order_ids), fills.status != FillStatus.FAILED)
        )
        sizes: dict[str, Size] = {}
        with self._reading() as connection:
            for order_id, size in connection.execute(query):
                sizes[order_id] = Size(sizes.get(order_id, ZERO) + size)
        return sizes

    def open_intents(self) -> list[Intent]:
        """Every order that, for all that was recorded, may still fill."""
        # Literal text, as in the partial index: a bound parameter would keep SQLite from using it.
        return self._intents(reading.INTENTS.where(reading.STILL_OPEN))

    def intents_in_flight(self) -> list[Intent]:
        """Every order of a trade that has recorded no end yet (HELD is an end)."""
        trades, orders = models.trades.c, models.orders.c
        running = select(trades.trade_id).where(trades.phase.not_in(ENDS))
        return self._intents(
            reading.INTENTS.where(
                or_(reading.STILL_OPEN, orders.trade_id.in_(running)),
                or_(trades.phase.is_(None), trades.phase.not_in(ENDS)),
            )
        )

    def intents(self, account: str) -> list[Intent]:
        """Every order this account ever intended, oldest first."""
        return self._intents(reading.INTENTS.where(models.orders.c.account == account))

    def _intents(self, query: Select[tuple[object, ...]]) -> list[Intent]:
        with self._reading() as connection:
            return [reading.intent(row) for row in connection.execute(query)]

    # -- trades ------------------------------------------------------------------------------------------------

    def record(self, record: TradeRecord, *, booked_ms: int | None = None) -> None:
        """Keep a trade as it stands: its row, orders and fills, and the postings that follow from new fills.

        Idempotent. A record older than the last one adds what fills it knows and takes nothing back. `booked_ms` is
        the postings' time (ms since the epoch), now by default. Raises LedgerError when an order is not the one that
        was intended.
        """
        with self._writing() as connection:
            booking.book_record(connection, record, _now_ms() if booked_ms is None else booked_ms)

    def archive(self, trade_id: str, history_json: str) -> None:
        """Keep the workflow's history of a trade; a later one replaces it."""
        row = {"trade_id": trade_id, "history": zlib.compress(history_json.encode())}
        query = insert(models.histories)
        query = query.on_conflict_do_update(index_elements=["trade_id"], set_={"history": query.excluded.history})
        with self._writing() as connection:
            connection.execute(query, row)

    def history(self, trade_id: str) -> str | None:
        """The archived history as JSON."""
        with self._reading() as connection:
            found = connection.scalar(select(models.histories.c.history).where(models.histories.c.trade_id == trade_id))
        return None if found is None else zlib.decompress(found).decode()

    def trades(self, *, open_only: bool = False, limit: int | None = None) -> list[TradeRow]:
        """Trades, newest decision first. `open_only`: those whose workflow is not over (HELD is over)."""
        query = select(models.trades).order_by(models.trades.c.decided_ms.desc()).limit(limit)
        if open_only:
            query = query.where(models.trades.c.phase.not_in(ENDS))
        with self._reading() as connection:
            return [reading.trade_row(row) for row in connection.execute(query)]

    def trade(self, trade_id: str) -> TradeStory | None:
        """Everything kept of one trade, with the evidence for each order and the pages about it.

        None when nothing is known of it.
        """
        with self._reading() as connection:
            story = reading.story(connection, trade_id)
        if story is None:
            return None
        row, orders, lines = story
        alerts = read_alerts(self._alert_log, trade_id) if self._alert_log else ()
        return TradeStory(row, orders, lines, alerts)

    # -- money -------------------------------------------------------------------------------------------------

    def open_account(self, account: str, venue: str, cash: Usd) -> None:
        """Book the money an account starts with at a venue; only the first call counts."""
        with self._writing() as connection:
            lines = postings.of_opening(venue, cash)
            booking.book_once(connection, f"opening/{account}/{venue}", account, lines, _now_ms())

    def opened_ms(self, account: str) -> int | None:
        """When (ms since the epoch) the account was opened here; None where it was not."""
        table = models.postings.c
        opening = select(func.min(table.time_ms)).where(table.account == account, table.entry.startswith("opening/"))
        with self._reading() as connection:
            found: int | None = connection.scalar(opening)
            return found

    def book_payout(  # noqa: PLR0917 - a payout has these six facts, and callers know them in this order
        self, account: str, venue: str, token: str, shares: Size, usd: Usd, ref: str
    ) -> None:
        """Book `shares` of a token that were paid out, merged or redeemed for `usd` (0 for the losing side).

        Idempotent by `ref` within the account. Shares that are not held are not booked: another process, which knew
        of other trades and so called the payout otherwise, was faster.
        """
        with self._writing() as connection:
            if booking.shares(connection, account, token) < shares:
                return
            lines, now_ms = postings.of_payout(venue, token, shares, usd), _now_ms()
            if booking.book_once(connection, f"payout/{account}/{ref}", account, lines, now_ms):
                booking.close_empty(connection, account, {token}, "", now_ms)

    def paid(self, account: str, token: str) -> Usd | None:
        """USD that a share of the token paid, by the payouts booked for it; None where there is none."""
        table = models.postings.c
        entry = table.entry.startswith(f"payout/{account}/{token}/", autoescape=True)
        query = select(table.unit, table.book, func.sum(table.amount)).where(table.account == account, entry)
        with self._reading() as connection:
            found = {(unit, book): amount for unit, book, amount in connection.execute(query.group_by("unit", "book"))}
        shares = -found.get((token, f"position:{token}"), ZERO)
        usd = sum((amount for (unit, book), amount in found.items() if book.startswith("cash:")), ZERO)
        return Usd(usd / shares) if shares else None

    def cash(self, account: str, venue: str = "") -> Usd:
        """USD at a venue, or at all of them, by our books, fills that may yet be taken back included."""
        book = models.postings.c.book
        return Usd(self._sum(account, book == postings.cash_book(venue) if venue else book.startswith("cash:")))

    def fees(self, account: str, venue: str = "") -> Usd:
        """USD of fees booked for fills at a venue, or at all of them."""
        table = models.postings.c
        there = select(table.entry).where(table.account == account, table.book == postings.cash_book(venue))
        fees = table.book == postings.FEES
        return Usd(self._sum(account, and_(fees, table.entry.in_(there)) if venue else fees))

    def profit(self, account: str) -> Usd:
        """USD realised on positions that are gone, before fees."""
        return Usd(-self._sum(account, models.postings.c.book == postings.PROFIT))

    def _sum(self, account: str, where: "reading.Condition") -> Decimal:
        table = models.postings.c
        query = select(func.sum(table.amount)).where(table.account == account, table.unit == postings.USD, where)
        with self._reading() as connection:
            return connection.scalar(query) or ZERO

    def positions(self, account: str) -> dict[str, Size]:
        """Shares by token by our books, those without any left out."""
        table = models.postings.c
        shares = func.sum(table.amount)
        query = (
            select(table.unit, shares)
            .where(table.account == account, table.book == "position:" + table.unit)
            .group_by(table.unit)
            .having(shares != 0)
        )
        with self._reading() as connection:
            return {token: Size(amount) for token, amount in connection.execute(query)}

    def postings_balance(self) -> Usd:
        """How far all postings are from zero, added up over every unit: anything but 0 is a bug."""
        table = models.postings.c
        with self._reading() as connection:
            sums = connection.execute(select(func.sum(table.amount)).group_by(table.unit)).scalars()
            return Usd(sum((abs(amount) for amount in sums), ZERO))

    # -- halt --------------------------------------------------------------------------------------------------

    def halt(self, reason: str | None) -> None:
        """Stop new entries in every process, with a reason; None lets them go on. Undoing is never stopped."""
        self._set_flag(_HALT, reason or "")

    def halted(self) -> str:
        """Why entries are stopped, or empty."""
        with self._reading() as connection:
            return connection.scalar(select(models.flags.c.value).where(models.flags.c.name == _HALT)) or ""

    def _set_flag(self, name: str, value: str) -> None:
        query = insert(models.flags)
        query = query.on_conflict_do_update(index_elements=["name"], set_={"value": query.excluded.value})
        with self._writing() as connection:
            connection.execute(query, {"name": name, "value": value})


def _check_opposed(connection: Connection, account: str, orders: Sequence[OrderTerms]) -> None:
    """Raise Opposed for an entry that would close something. Undoing is never stopped."""
    for terms in orders:
        enters = terms.purpose is Purpose.ENTER and terms.side is Side.BUY and terms.instrument.rules.nets
        if enters and (why := netting.against(connection, account, terms.trade_id, terms.instrument)):
            raise Opposed(why)


def _check_cap(
    connection: Connection, account: str, workflow_id: str, orders: Sequence[OrderTerms], cap: Usd | None
) -> None:
    """Raise Opposed for entries that take their pair over its cap. Undoing is never stopped."""
    entries = [terms for terms in orders if terms.purpose is Purpose.ENTER]
    if cap is None or not entries:
        return
    trade_id, legs = entries[0].trade_id, [terms.instrument for terms in entries]
    key, wanted = workflow_id.removeprefix("basket/"), caps.entries_cost(connection, [trade_id])
    if why := caps.exceeded(connection, account, trade_id, key, legs, wanted, cap):
        raise Opposed(why)


def _intent_row(terms: OrderTerms, order_id: str, account: str, workflow_id: str, lease_id: str) -> dict[str, object]:
    return {
        "trade_id": terms.trade_id,
        "leg": terms.leg,
        "attempt": terms.attempt,
        "order_id": order_id,
        "account": account,
        "workflow_id": workflow_id,
        "lease_id": lease_id,
        "terms": TERMS.dump_json(terms).decode(),
        "created_ms": terms.created_ms,
        "state": OrderState.UNKNOWN,
        "matched": ZERO,
        "reason": "",
        "evidence": "[]",
        "denied_ms": 0,
        "intended": True,
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
