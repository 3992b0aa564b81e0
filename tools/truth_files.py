"""The three files that the independent judge reads, as plain values: truth journal, ledger, alert log.

Standard library only. Of the ledger only plans, intended orders and our own sums are read, the last to be compared.
"""

import json
import sqlite3
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

ZERO, MICRO = Decimal(0), Decimal("0.000001")
Key = tuple[str, int, int]
"""Trade, leg, attempt. Attempt 1 of each leg is its entry; every later one undoes."""


@dataclass(frozen=True)
class Leg:
    """A planned leg: `ratio` and `size` in shares; `least` is the smallest order the venue takes."""

    token: str
    complement: str
    side: str
    ratio: Decimal
    size: Decimal
    least: Decimal


@dataclass(frozen=True)
class Plan:
    """A planned trade, in USD and shares. One that recorded nothing has no legs, and may hold nothing.

    `first` are the legs that are entered first: the others follow once those are over, the rest of them canceled.
    """

    phase: str = "not recorded"
    reason: str = ""
    legs: tuple[Leg, ...] = ()
    payout: Decimal = ZERO
    reserved: Decimal = ZERO
    residue: Decimal = ZERO
    residue_usd: Decimal = ZERO
    first: tuple[int, ...] = ()
    event: str = ""

    def follows(self, leg: int) -> bool:
        """Whether a leg is entered after others."""
        return bool(self.first) and leg not in self.first


@dataclass
class Books:
    """What our ledger says of one account: plans, terms of orders, shares and fees by order, sums of postings."""

    plans: dict[str, Plan] = field(default_factory=dict)
    terms: dict[Key, Mapping[str, Any]] = field(default_factory=dict)
    ids: dict[Key, str] = field(default_factory=dict)
    filled: defaultdict[Key, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    fees: defaultdict[Key, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    fills: list[tuple[Key, str, str]] = field(default_factory=list)
    """(order, match at the exchange, status)"""
    sums: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """by (book, unit)"""
    openings: dict[str, Decimal] = field(default_factory=dict)
    """by venue, the cash that the books began with"""
    uneven: list[str] = field(default_factory=list)
    """entries whose lines do not sum to zero"""


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The whole batches of a truth journal, in order; what a crash cut short at its end was never answered.

    Raises ValueError where it is damaged before its end, OSError where it cannot be read.
    """
    whole: list[dict[str, Any]] = []
    batch: list[dict[str, Any]] = []
    for number, text in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        line = json.loads(text)
        if line["n"] != number:
            raise ValueError(f"{path}: line {number} says that it is {line['n']}")
        batch.append(line)
        if line["n"] == line["to"]:
            whole += batch
            batch = []
    return whole


def read_pages(path: Path) -> set[str]:
    """The keys of delivered pages: on the log, and taken by every service that had failed to take them."""
    pages: set[str] = set()
    owed: set[tuple[str, str]] = set()
    for text in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            line = json.loads(text)
        except ValueError:  # torn by a crash: its page is written again
            continue
        if line["kind"] == "page":
            pages.add(line["page"]["key"])
        else:
            (owed.add if line["kind"] == "failed" else owed.discard)((line["key"], line["service"]))
    return pages - {key for key, _ in owed}


def read_caps(path: Path) -> dict[str, Decimal]:
    """USD that each pair of a pairs file may have out at a time, by its event. Raises OSError, ValueError."""
    pairs = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal).get("pair", [])
    return {f"pairs/{pair['name']}": Decimal(pair["cap_usd"]) for pair in pairs}


def read_ledger(path: Path, account: str) -> Books:
    """One account's books, by plain SQL. Raises sqlite3.Error where the file is no ledger, ValueError where it knows
    no such account."""
    books = Books()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        mine = "FROM {} WHERE account = ?"
        orders = "SELECT trade_id, leg, attempt, order_id, terms " + mine.format("orders")
        for trade, leg, attempt, order_id, terms in db.execute(orders, (account,)):
            books.plans[trade] = Plan()
            books.terms[trade, leg, attempt] = json.loads(terms)
            books.ids[trade, leg, attempt] = order_id
        trades = "SELECT trade_id, phase, reason, plan " + mine.format("trades")
        for trade, phase, reason, plan in db.execute(trades, (account,)):
            books.plans[trade] = _plan(phase, reason, json.loads(plan))
        fills = "SELECT trade_id, leg, attempt, fill_id, size, fee, fills.status "
        fills += mine.format("fills JOIN orders USING (trade_id, leg, attempt)")
        for trade, leg, attempt, match, size, fee, status in db.execute(fills, (account,)):
            books.filled[trade, leg, attempt] += Decimal(size) * (status != "FAILED")
            books.fees[trade, leg, attempt] += Decimal(fee) * (status != "FAILED")
            books.fills.append(((trade, leg, attempt), match.partition("@")[0], status))
        sums = "SELECT book, unit, SUM(amount) " + mine.format("postings") + " GROUP BY book, unit"
        books.sums = {(book, unit): amount * MICRO for book, unit, amount in db.execute(sums, (account,))}
        opened = "SELECT book, SUM(amount) " + mine.format("postings") + " AND entry LIKE 'opening/%' GROUP BY book"
        cash = {
            book.partition(":")[2]: amount * MICRO for book, amount in db.execute(opened, (account,)) if ":" in book
        }
        books.openings = cash
        if not (books.plans or books.sums):
            known = [name for (name,) in db.execute("SELECT DISTINCT account FROM postings ORDER BY account")]
            raise ValueError(f"{path} knows no account {account!r}, only {', '.join(known) or 'none at all'}")
        uneven = "SELECT entry, unit, SUM(amount) FROM postings GROUP BY entry, unit HAVING SUM(amount) != 0"
        books.uneven = [f"{entry} by {amount * MICRO} {unit}" for entry, unit, amount in db.execute(uneven)]
    return books


def _plan(phase: str, reason: str, plan: Mapping[str, Any]) -> Plan:
    legs = tuple(
        _leg(leg, leg["instrument"], planned) for leg, planned in zip(plan["basket"]["legs"], plan["legs"], strict=True)
    )
    residue, residue_usd = Decimal(plan["undo"]["residue"]), Decimal(plan["undo"]["residue_usd"])
    first, event = tuple(plan.get("first", ())), plan["basket"]["event"]
    payout, reserved = Decimal(plan["basket"]["payout"]), Decimal(plan["reserved"])
    return Plan(phase, reason, legs, payout, reserved, residue, residue_usd, first, event)


def _leg(leg: Mapping[str, Any], what: Mapping[str, Any], planned: Mapping[str, Any]) -> Leg:
    ratio, size, least = Decimal(leg["ratio"]), Decimal(planned["size"]), Decimal(what["rules"]["min_size"])
    return Leg(what["token"], what["complement"], leg["side"], ratio, size, least)
