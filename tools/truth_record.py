"""One account's record at the exchanges, read line by line, and what is wrong at each moment of it.

Standard library only. Which order belongs to which attempt of which trade is told by the salt in the exchange's own
record: 53 bits of SHA-256 of "trade/leg/attempt"; where it has none, by the id that we gave the order.
"""

import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tools.truth_files import ZERO, Books, Key, Plan

MOST_LEGS, MOST_ATTEMPTS = 16, 64
"""How many orders a trade may have, for finding the attempt behind a salt."""
FEE_STEPS = {"polymarket": Decimal("0.00001"), "kalshi": Decimal("0.01")}
"""A venue rounds the fee of each match up to this, so that many small matches cost a little more than one."""
Line = Mapping[str, Any]


@dataclass
class Fill:
    """One match of an order. `moved`: its money and shares have; `failed_ms`: when it was taken back, else 0."""

    match: str
    size: Decimal
    price: Decimal
    usd: Decimal
    fee: Decimal
    status: str = "MATCHED"
    moved: bool = False
    failed_ms: int = 0

    def alive(self, known_ms: int = 0) -> bool:
        """Whether it happened; with a time, as far as anybody could know then."""
        return not self.failed_ms or 0 < known_ms < self.failed_ms


@dataclass
class Order:
    """An order that the exchange accepted. `sign`: 1 where it adds to its leg, -1 where it reduces it, else 0."""

    line: Line
    key: Key | None
    sign: int
    live: bool
    fills: list[Fill] = field(default_factory=list)
    wrong: bool = False

    @property
    def venue(self) -> str:
        """Where it is."""
        return str(self.line.get("venue", "polymarket"))

    @property
    def leg(self) -> int:
        """Which leg of its trade; -1 where that is not known."""
        return self.key[1] if self.key else -1

    @property
    def entry(self) -> bool:
        """Whether it is the entry of its leg."""
        return self.key is not None and self.key[2] == 1

    @property
    def left(self) -> Decimal:
        """Shares that can still fill: a FAILED match is not tried again."""
        return max(ZERO, Decimal(self.line["size"]) - sum(fill.size for fill in self.fills)) if self.live else ZERO

    def filled(self, known_ms: int = 0) -> Decimal:
        """Shares of the fills that did not fail."""
        return sum((fill.size for fill in self.fills if fill.alive(known_ms)), ZERO)

    @property
    def way(self) -> int:
        """1 for a BUY, -1 for a SELL."""
        return 1 if self.line["side"] == "BUY" else -1

    @property
    def cost(self) -> Decimal:
        """USD that its fills cost, fees included; negative for what they brought in."""
        return sum((self.way * fill.usd + fill.fee for fill in self.fills if fill.alive()), ZERO)

    @property
    def out(self) -> Decimal:
        """`cost`, and what it can still cost at its limit."""
        return self.cost + (self.left * Decimal(self.line["price"]) if self.way > 0 else ZERO)

    def __str__(self) -> str:
        name = "/".join(map(str, self.key)) if self.key else "of no trade"
        return f"order {name} ({self.line['order_id'][:10]}: {self.line['side']} {self.line['size']})"


def salt_of(key: Key) -> int:
    """53 bits of SHA-256 of "trade/leg/attempt"."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, key)).encode()).digest()[:8], "big") >> 11


class Record:
    """One wallet's record, read line by line, and what is wrong at each moment of it."""

    def __init__(
        self,
        books: Books,
        limit: Decimal | None,
        late_ms: int,
        halts: Sequence[tuple[int, int]],
        caps: Mapping[str, Decimal],
    ) -> None:
        self.books, self.limit, self.late_ms, self.halts, self.caps = books, limit, late_ms, halts, caps
        self.found: list[str] = []
        self.counts: Counter[str] = Counter()
        self.orders: dict[str, Order] = {}
        self.of_trade: defaultdict[str, list[Order]] = defaultdict(list)
        self.of_token: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.matches: defaultdict[str, list[tuple[Order, Fill]]] = defaultdict(list)
        self.total = self.most_out = ZERO
        self.purses: dict[tuple[str, str], Decimal] = {}
        """cash, by venue and pocket of it"""
        self.deposits: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.positions: dict[str, Decimal] = {}
        self.paid: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.out: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.of_event: defaultdict[str, Decimal] = defaultdict(Decimal)
        """USD out, by event"""
        self.undone_ms: dict[str, int] = {}
        self.withdrawn_ms: dict[str, int] = {}
        """when an order of a trade was first canceled; what waits for the first legs may follow it"""
        self.by_salt = {salt_of(key): key for trade, plan in books.plans.items() for key in _keys(trade, plan)}
        self.by_id = {order_id: key for key, order_id in books.ids.items()}
        self.used: set[int | str] = set()

    def cash(self, venue: str) -> Decimal:
        """USD at a venue, in all of its pockets."""
        return sum((usd for (where, _), usd in self.purses.items() if where == venue), ZERO)

    def take(self, lines: Iterable[Line], wallet: str) -> None:
        """Every line of the wallet, and every settlement, in order."""
        for line in lines:
            handle = getattr(self, f"_{line['kind']}", None)
            if handle is not None and line.get("address", wallet).lower() == wallet.lower():
                handle(line)

    def _order(self, line: Line) -> None:
        key = self._key(line)
        order = Order(line, key, self._sign(line, key), line["type"] in ("GTC", "GTD") or line["status"] == "DELAYED")
        self.counts["orders"] += 1
        self._once(order)
        self.orders[line["order_id"]] = order
        if key is None:
            self.found.append(f"I1 {order} was accepted and nothing like it was ever planned")
            return
        self.of_trade[key[0]].append(order)
        self.of_token[line["token_id"]][key[0]] = None
        self._as_intended(order, key)
        self._in_time(order, key)
        self._moved(order)

    def _once(self, order: Order) -> None:
        """I1: one order reaches the engine for each attempt, killed ones included."""
        mark = order.line.get("salt", order.line["order_id"])
        if mark in self.used:
            self.found.append(f"I1 {order} is the second one for its attempt")
        self.used.add(mark)

    def _key(self, line: Line) -> Key | None:
        return self.by_salt.get(line["salt"]) if "salt" in line else self.by_id.get(line["order_id"])

    def _sign(self, line: Line, key: Key | None) -> int:
        legs = self.books.plans[key[0]].legs if key else ()
        if key is None or key[1] >= len(legs):
            return 0
        leg = legs[key[1]]
        own = {leg.token: 1, leg.complement: -1}.get(line["token_id"], 0)
        return own if line["side"] == leg.side else -own

    def _as_intended(self, order: Order, key: Key) -> None:
        """I1: the attempt was written down first, and is the order that was written down."""
        terms, line = self.books.terms.get(key), order.line
        if terms is None:
            self.found.append(f"I1 {order} was accepted and never written down")
            return
        wanted = (terms["instrument"]["token"], terms["side"], Decimal(terms["size"]), Decimal(terms["limit"]))
        got = (line["token_id"], line["side"], Decimal(line["size"]), Decimal(line["price"]))
        if wanted != got or int(line["timestamp"]) != terms["created_ms"]:
            self.found.append(f"I1 {order} is not what was written down: {wanted[1]} {wanted[2]} at {wanted[3]}")
        if self.books.ids[key] != line["order_id"]:
            self.found.append(f"I1 {order} is another order by the ledger: {self.books.ids[key][:10]}")

    def _in_time(self, order: Order, key: Key) -> None:
        """I10: none after its send-by. I6: no entry decided in a halt, or sent once its trade is being undone."""
        terms, line = self.books.terms.get(key), order.line
        late = int(line["received_ms"]) - int(terms["send_by_ms"]) if terms else 0
        if late > self.late_ms:
            self.found.append(f"I10 {order} reached the exchange {late} ms after its send-by")
        if key[2] > 1:
            self.undone_ms.setdefault(key[0], line["ms"])
        elif any(begin < int(line["timestamp"]) < end for begin, end in self.halts):
            self.found.append(f"I6 {order} is an entry that was decided while trading was halted")
        elif int(line["received_ms"]) > self._undoing_since(key) + self.late_ms:
            self.found.append(f"I6 {order} is an entry of a trade that was already being undone")

    def _undoing_since(self, key: Key) -> int:
        """When (ms) the entry of this leg could be decided no more; the end of time where nothing was undone."""
        undone = self.undone_ms.get(key[0], sys.maxsize)
        if self.books.plans[key[0]].follows(key[1]):
            return undone
        return min(undone, self.withdrawn_ms.get(key[0], sys.maxsize))

    def _moved(self, order: Order) -> None:
        """I1 at this moment: whatever may still fill, the leg stays between nothing and its plan.

        Each order is judged by what could be known when it was made: a fill that failed later still counts.
        """
        assert order.key is not None
        trade, index, _ = order.key
        plan, known_ms = self.books.plans[trade], int(order.line["timestamp"])
        leg = [one for one in self.of_trade[trade] if one.key and one.key[1] == index]
        net = sum((one.sign * one.filled(known_ms) for one in leg), ZERO)
        to_come = sum((one.left for one in leg if one.sign == order.sign), ZERO)
        wrong = ""
        if order.sign == 0:
            wrong = "is in a token that is none of its leg's"
        elif order.sign > 0 and net + to_come > plan.legs[index].size:
            wrong = f"takes its leg to {net + to_come} shares, {plan.legs[index].size} were planned"
        elif order.sign < 0 and net < to_come:
            wrong = f"takes {to_come} shares off a leg that has {net}"
        if wrong and not order.wrong:
            order.wrong = True
            self.found.append(f"I1 {order} {wrong}")
        self._count_out(trade)

    def _wrong(self, line: Line) -> None:
        self.found.append(line["text"])

    def _accepted(self, line: Line) -> Order | None:
        """The order that a line is about."""
        order = self.orders.get(line["order_id"])
        if order is None:
            self.found.append(f"I1 order {line['order_id'][:10]} has a {line['kind']} line and was never accepted")
        return order

    def _fill(self, line: Line) -> None:
        order = self._accepted(line)
        if order is None:
            return
        size, price, usd, fee = (Decimal(line[name]) for name in ("size", "price", "usd", "fee"))
        fill = Fill(line["trade_id"], size, price, usd, fee)
        order.fills.append(fill)
        self.matches[fill.match].append((order, fill))
        self.counts["fills"] += 1
        if order.key is not None:
            self._moved(order)

    def _settlement(self, line: Line) -> None:
        for order, fill in self.matches.get(line["trade_id"], ()):
            fill.status, fill.moved = line["status"], fill.moved or line["over"]
            if fill.status == "FAILED":
                fill.failed_ms = line["ms"]
                self.counts["failed_fills"] += 1
            if order.key is not None:
                self._count_out(order.key[0])

    def _canceled(self, line: Line) -> None:
        order = self._accepted(line)
        if order is None:
            return
        order.live = False
        self.counts["cancels"] += 1
        if order.key is not None:
            if line["why"] == "user":
                self.withdrawn_ms.setdefault(order.key[0], line["ms"])
            self._count_out(order.key[0])

    def _released(self, line: Line) -> None:
        """A delayed order went to the book; the line names no address."""
        order = self.orders.get(line["order_id"])
        if order is not None:
            order.live = order.line["type"] in ("GTC", "GTD")

    def _refused(self, line: Line) -> None:
        self.counts["refused"] += 1
        if line["used"]:
            self._once(Order(line, self._key(line), 0, live=False))

    def _duplicate(self, line: Line) -> None:
        self.counts["duplicates"] += 1
        self.found.append(f"I1 order {line['order_id'][:10]} was sent again: the exchange refused a duplicate")

    def _deposit(self, line: Line) -> None:
        self.deposits[line.get("venue", "polymarket")] += Decimal(line["amount"])

    def _balance(self, line: Line) -> None:
        if line["token_id"] is None:
            self.purses[line.get("venue", "polymarket"), line.get("pocket", "")] = Decimal(line["balance"])
        else:
            self.positions[line["token_id"]] = Decimal(line["balance"])

    def _payout(self, line: Line) -> None:
        """It takes all shares of a token: what any trade held of it is gone."""
        token = line["token_id"]
        for trade in self.of_token[token]:
            self.paid[trade, token] += self._held(trade)[token]
            self._count_out(trade)

    def _held(self, trade: str) -> defaultdict[str, Decimal]:
        held: defaultdict[str, Decimal] = defaultdict(Decimal)
        for order in self.of_trade[trade]:
            held[order.line["token_id"]] += order.way * order.filled()
        for token in held:
            held[token] -= self.paid[trade, token]
        return held

    def _count_out(self, trade: str) -> None:
        """I5: what trades have out, each up to what it reserved (more, by undoing, is an overrun and booked apart)."""
        orders, plan = self.of_trade[trade], self.books.plans[trade]
        entries = [order for order in orders if order.entry]
        entered = sum((order.out for order in entries), ZERO)
        rounding = sum((FEE_STEPS[order.venue] * len(order.fills) for order in entries), ZERO)
        if plan.legs and entered > plan.reserved + rounding:
            self.found.append(f"I5 trade {trade} has {entered} USD out by its entries, {plan.reserved} were reserved")
        holds = any(self._held(trade).values()) or any(order.left for order in orders)
        now = max(ZERO, sum((order.out for order in orders), ZERO)) if holds else ZERO
        now = min(now, plan.reserved) if plan.legs else now
        self._count_pair(trade, now - self.out[trade])
        within = self.limit is None or self.total <= self.limit
        self.total += now - self.out[trade]
        self.out[trade], self.most_out = now, max(self.most_out, self.total)
        if within and self.limit is not None and self.total > self.limit:
            self.found.append(f"I5 trades have {self.total} USD out as {trade} moves, the limit is {self.limit}")

    def _count_pair(self, trade: str, more: Decimal) -> None:
        """I5: what the trades of one pair have out, up to the pair's cap."""
        event = self.books.plans[trade].event
        cap, before = self.caps.get(event), self.of_event[event]
        self.of_event[event] += more
        if cap is not None and before <= cap < before + more:
            self.found.append(f"I5 {event} has {before + more} USD out as {trade} moves, its cap is {cap}")


def _keys(trade: str, plan: Plan) -> Iterator[Key]:
    for leg in range(len(plan.legs) or MOST_LEGS):
        yield from ((trade, leg, attempt) for attempt in range(1, MOST_ATTEMPTS + 1))
