"""The independent judge: what the exchange's own record says of every trade. Standard library only.

    python tools/check_truth.py --truth truth.jsonl --ledger ledger.sqlite --alerts alerts.jsonl \\
        --account NAME --wallet 0x… [--limit USD] [--late-ms MS] [--halted FROM_MS-UNTIL_MS] \\
        [--kalshi-truth truth-kalshi.jsonl --kalshi-member NAME] [--pairs pairs.toml]

Nothing of the trading code is imported, so that no mistake of it can be made here too. The ledger is believed in one
thing only: what was planned. truth_files.py reads the files, truth_record.py goes through the exchange's record
moment by moment (Kalshi's as truth_kalshi.py tells it; truth_purses.py adds its money up anew), and here is what must
be true at the end. Each finding begins with the invariant that it breaks (docs/reliability.md).
"""

import argparse
import heapq
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

if not __package__:  # run as a file: its neighbours are found by the folder above
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tools.truth_files import MICRO, ZERO, Books, Key, Plan, read_caps, read_journal, read_ledger, read_pages
from tools.truth_kalshi import Translation
from tools.truth_record import Fill, Order, Record

ENDS = ("REFUSED", "COMMITTED", "FLAT", "HELD")


@dataclass(frozen=True)
class Findings:
    """`violations` are sentences. `trades` counts by phase; `most_out_usd` is the most that trades ever had out."""

    violations: tuple[str, ...]
    trades: Mapping[str, int]
    counts: Mapping[str, int]
    most_out_usd: Decimal


def _at_the_end(record: Record, books: Books, pages: set[str]) -> Iterator[str]:
    for trade, plan in books.plans.items():
        held = plan.phase == "HELD" and f"{trade}/held" in pages
        if plan.phase not in ENDS:
            yield f"I7 trade {trade} has not ended: it is {plan.phase}"
        if plan.phase == "HELD" and not held:
            yield f"I2 trade {trade} is HELD and no page about it was delivered"
        if not held:  # what a person was told of may still move
            yield from _unequal(trade, plan, record.of_trade[trade])
            yield from _unfinished(record.of_trade[trade])
    yield from _by_order(record, books)
    yield from _money(record, books)


def _unequal(trade: str, plan: Plan, orders: list[Order]) -> Iterator[str]:
    """I2: the legs are equal but for residue, and the trade ended as what it is."""
    failed = "I8, after a fill that FAILED: " if any(fill.failed_ms for one in orders for fill in one.fills) else ""
    legs = [[order for order in orders if order.leg == index] for index in range(len(plan.legs))]
    nets = [sum((one.sign * one.filled() for one in leg), ZERO) for leg in legs]
    units = max(ZERO, min((net / leg.ratio for net, leg in zip(nets, plan.legs, strict=True)), default=ZERO))
    overs = [net - units * leg.ratio for net, leg in zip(nets, plan.legs, strict=True)]
    cheap = sum(map(_cost, overs, legs), ZERO) <= plan.residue_usd
    for over, leg in zip(overs, plan.legs, strict=True):
        if over and not (cheap and abs(over) < leg.least and abs(over) <= plan.residue):
            yield f"I2 {failed}trade {trade} is {plan.phase} with {over} shares of {leg.token[:10]} unmatched"
    if not plan.legs and any(order.filled() for order in orders):
        yield f"I2 trade {trade} filled and has recorded nothing"
    if plan.phase == "REFUSED" and orders:
        yield f"I6 trade {trade} was refused ({plan.reason}) and has {len(orders)} orders at the exchange"
    if (plan.phase == "COMMITTED" and not units) or (plan.phase == "FLAT" and units):
        yield f"I2 {failed}trade {trade} is {plan.phase} with {units} units"


def _cost(over: Decimal, orders: Sequence[Order]) -> Decimal:
    """USD that left-over shares cost: what was paid for them, or $1 each for shares that are missing."""
    bought = sum((one.filled() for one in orders if one.sign > 0), ZERO)
    paid = sum((one.cost for one in orders if one.sign > 0), ZERO) / bought if bought and over > 0 else Decimal(1)
    return abs(over) * paid


def _unfinished(orders: list[Order]) -> Iterator[str]:
    for order in orders:
        if order.left:
            yield f"I7 {order} still rests at the exchange"
        for fill in order.fills:
            if fill.status not in ("CONFIRMED", "FAILED"):
                yield f"I7 {order} has a fill that is only {fill.status}"


def _by_order(record: Record, books: Books) -> Iterator[str]:
    """I4 and I8: our books have each order's shares and fees as the exchange has them, FAILED fills not at all."""
    real: defaultdict[Key, list[Fill]] = defaultdict(list)
    for order in record.orders.values():
        if order.key:
            real[order.key] += (fill for fill in order.fills if fill.alive())
    for key in sorted(books.terms.keys() | real.keys()):
        name, fills = "/".join(map(str, key)), real[key]
        shares, fee = sum((fill.size for fill in fills), ZERO), sum((fill.fee for fill in fills), ZERO)
        if shares != books.filled[key]:
            yield f"I4 order {name}: {shares} shares at the exchange, {books.filled[key]} in our books"
        if fee != books.fees[key]:
            yield f"I4 order {name}: {fee} USD of fees billed, {books.fees[key]} booked"
    for key, match, status in books.fills:
        if status != "FAILED" and any(fill.failed_ms for _, fill in record.matches.get(match, ())):
            yield f"I8 order {'/'.join(map(str, key))}: our books count a fill that FAILED"


def _money(record: Record, books: Books) -> Iterator[str]:
    """I4: cash of each venue, fees and shares are the exchange's; every entry of the books sums to zero."""
    fills = [(order, fill) for order in record.orders.values() for fill in order.fills if fill.alive()]
    venues = sorted({venue for venue, _ in record.purses} | {order.venue for order, _ in fills})
    for venue in venues:
        mine = [(order, fill) for order, fill in fills if order.venue == venue]
        yield from _cash(record, books, venue if len(venues) > 1 else "", mine)
    fees, booked = sum((fill.fee for _, fill in fills), ZERO), books.sums.get(("fees", "USD"), ZERO)
    if fees != booked:
        yield f"I4 {fees} USD of fees were billed in all, {booked} are booked"
    shares = {token: record.positions.get(token, ZERO) for token in record.positions}
    for order, fill in fills:
        token = order.line["token_id"]
        shares[token] = shares.get(token, ZERO) + (ZERO if fill.moved else order.way * fill.size)
    ours = {unit: amount for (book, unit), amount in books.sums.items() if book == f"position:{unit}"}
    for token in sorted(ours.keys() | shares.keys()):
        if ours.get(token, ZERO) != shares.get(token, ZERO):
            yield f"I4 {shares.get(token, ZERO)} shares of {token[:10]} at the exchange, {ours.get(token, ZERO)} booked"
    yield from (f"I4 the books do not sum to zero: {entry}" for entry in books.uneven)


def _cash(record: Record, books: Books, venue: str, fills: Sequence[tuple[Order, Fill]]) -> Iterator[str]:
    """What moved at one venue; "": at the only one, by whatever name our books have it."""
    of_venue = {book: amount for (book, _), amount in books.sums.items() if book.startswith(f"cash:{venue}")}
    opened = sum(amount for name, amount in books.openings.items() if name.startswith(venue))
    moved = sum(of_venue.values(), ZERO) - opened
    # The exchange drops fractions of a millionth of a dollar; the books round each fill against us.
    rounded = sum((_rounded(order, fill) for order, fill in fills), ZERO)
    coming = sum((order.way * fill.usd + fill.fee for order, fill in fills if not fill.moved), ZERO)
    at = venue or next((name for name, _ in record.purses), "polymarket")
    theirs = record.cash(at) - record.deposits[at] - coming
    if moved + rounded != theirs:
        where = f" of {venue}" if venue else ""
        ours = f"by {moved} in our books ({rounded} of it by rounding)"
        yield f"I4 cash{where} moved by {theirs} USD at the exchange, {ours}"


def _rounded(order: Order, fill: Fill) -> Decimal:
    """USD that the books charge us for this fill beyond what the exchange moves. Kalshi's fees leave whole cents."""
    if order.venue == "kalshi":
        return ZERO
    value = fill.size * fill.price
    if order.way > 0:
        return value.quantize(MICRO, ROUND_CEILING) - fill.usd
    return fill.usd - value.quantize(MICRO, ROUND_FLOOR)


def check(
    truth: Path,
    ledger: Path,
    alerts: Path,
    account: str,
    wallet: str,
    *,
    limit: Decimal | None = None,
    late_ms: int = 500,
    halts: Sequence[tuple[int, int]] = (),
    kalshi_truth: Path | None = None,
    kalshi_member: str = "paper",
    pairs: Path | None = None,
) -> Findings:
    """Judge one account, at Kalshi too where its journal is given. `limit`: USD that trades may have out; `late_ms`:
    how long bytes may be on their way; `halts`: (from, until) in ms, when trading was halted; `pairs`: the file with
    the cap of each pair. Raises OSError, ValueError (also for an account that the ledger does not know),
    sqlite3.Error."""
    books, pages = read_ledger(ledger, account), read_pages(alerts)
    record = Record(books, limit, late_ms, halts, read_caps(pairs) if pairs is not None else {})
    lines: Iterable[Mapping[str, Any]] = read_journal(truth)
    if kalshi_truth is not None:
        theirs = Translation(books, kalshi_member).of(read_journal(kalshi_truth))
        lines = heapq.merge(lines, theirs, key=lambda line: line["ms"])
    record.take(lines, wallet)
    phases = Counter(plan.phase for plan in books.plans.values())
    found = (*record.found, *_at_the_end(record, books, pages))
    return Findings(tuple(dict.fromkeys(found)), phases, record.counts, record.most_out)


def main() -> int:
    """1 when anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("truth", "ledger", "alerts"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("account", "wallet"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--kalshi-truth", type=Path, help="the journal of the simulated Kalshi")
    parser.add_argument("--kalshi-member", default="paper", help="whose account there")
    parser.add_argument("--pairs", type=Path, help="the approved pairs, each with its cap")
    parser.add_argument("--limit", type=Decimal, help="USD that trades may have out at any moment")
    parser.add_argument("--late-ms", type=int, default=500, help="how long an order's bytes may be on their way")
    parser.add_argument("--halted", action="append", default=[], metavar="FROM_MS-UNTIL_MS")
    told = vars(parser.parse_args())
    halts = [(int(begin), int(end)) for begin, _, end in (text.partition("-") for text in told.pop("halted"))]
    try:
        findings = check(**told, halts=halts)
    except (OSError, ValueError, sqlite3.Error) as error:
        print(f"cannot judge: {error}", file=sys.stderr)
        return 1
    print(f"trades {dict(findings.trades)}, {dict(findings.counts)}, most out {findings.most_out_usd} USD")
    for violation in findings.violations:
        print(f"VIOLATION {violation}")
    return 1 if findings.violations else 0


if __name__ == "__main__":
    sys.exit(main())
