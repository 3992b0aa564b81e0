"""What really happened to one account, read from the truth journal: the judge of every other record.

Knows nothing of the trading code: only what the exchange wrote before it answered (docs/truth-journal.md).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from arbsaga.exchange.journal import read_journal

ZERO = Decimal(0)

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TrueFill:
    """One match of one order: shares, USD per share, USD moved (fee apart), and the trade's status."""

    trade_id: str
    order_id: str
    token: str
    side: str
    role: str
    size: Decimal
    price: Decimal
    usd: Decimal
    fee: Decimal
    status: str
    ms: int

    @property
    def alive(self) -> bool:
        """Whether it happened, or may yet: a FAILED trade moved nothing."""
        return self.status != "FAILED"

    @property
    def settled(self) -> bool:
        """Whether it can no longer change."""
        return self.status in ("CONFIRMED", "FAILED")


@dataclass(frozen=True, slots=True)
class TrueOrder:
    """An order the exchange accepted. `filled` counts shares that did not fail; `open`: it can still fill.

    `received_ns` is the exchange's monotonic clock when the request's bytes were in.
    """

    order_id: str
    token: str
    side: str
    price: Decimal
    size: Decimal
    salt: int
    received_ms: int
    received_ns: int
    open: bool
    filled: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class TruePayout:
    """Shares that a decided market paid out; 0 USD for the losing side."""

    token: str
    shares: Decimal
    usd: Decimal
    ms: int


@dataclass(slots=True)
class Truth:
    """One account as the exchange's own record has it, in USD and shares.

    `duplicates` are the ids of orders posted again, once for each time; `worth` is what a share of a decided
    market's token pays (1, 0, or 0.5 after a split decision).
    """

    address: str
    orders: dict[str, TrueOrder] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)
    fills: list[TrueFill] = field(default_factory=list)
    payouts: list[TruePayout] = field(default_factory=list)
    deposits: Decimal = ZERO
    cash: Decimal = ZERO
    positions: dict[str, Decimal] = field(default_factory=dict)
    worth: dict[str, Decimal] = field(default_factory=dict)
    _by_order: dict[str, list[TrueFill]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, address: str) -> "Truth":
        """The account of a wallet by the journal at `path`, empty when it never appears there.

        Raises Unavailable where the file cannot be read, or is damaged before its end; what a crash left torn at
        the end was never answered and does not count.
        """
        return tell(read_journal(path).records, address)

    @property
    def fees(self) -> Decimal:
        """USD billed on fills that did not fail."""
        return sum((fill.fee for fill in self.fills if fill.alive), ZERO)

    def fills_of(self, order_id: str) -> list[TrueFill]:
        """Every fill of one order, FAILED ones included."""
        return self._by_order.get(order_id, [])

    def add_up(self) -> None:
        """Shares filled per order. A wholly matched order is over, even when a trade of it failed afterwards."""
        for fill in self.fills:
            self._by_order.setdefault(fill.order_id, []).append(fill)
        for order_id, order in self.orders.items():
            fills = self.fills_of(order_id)
            matched = sum((fill.size for fill in fills), ZERO)
            filled = sum((fill.size for fill in fills if fill.alive), ZERO)
            self.orders[order_id] = replace(order, open=order.open and matched < order.size, filled=filled)


def tell(lines: Iterable[Line], address: str) -> Truth:
    """The account of a wallet as these journal lines tell it."""
    truth = Truth(address)
    statuses: dict[str, str] = {}
    tokens: dict[str, tuple[str, str]] = {}
    for line in lines:
        kind = line["kind"]
        if kind == "settlement":
            statuses[line["trade_id"]] = line["status"]
        elif kind == "market":
            tokens[line["condition_id"]] = tuple(line["token_ids"])
        elif kind == "resolved":
            yes, no = tokens[line["condition_id"]]
            is_no = Decimal("0.5") if line["winner"] is None else Decimal(line["winner"])
            truth.worth |= {yes: 1 - is_no, no: is_no}
        elif kind in _OWN and line["address"].lower() == address.lower():
            _OWN[kind](truth, line)
    truth.fills = [replace(fill, status=statuses.get(fill.trade_id, fill.status)) for fill in truth.fills]
    truth.add_up()
    return truth


def _deposit(truth: Truth, line: Line) -> None:
    truth.deposits += Decimal(line["amount"])


def _balance(truth: Truth, line: Line) -> None:
    balance = Decimal(line["balance"])
    if line["token_id"] is None:
        truth.cash = balance
    elif balance:
        truth.positions[line["token_id"]] = balance
    else:
        truth.positions.pop(line["token_id"], None)


def _order(truth: Truth, line: Line) -> None:
    truth.orders[line["order_id"]] = TrueOrder(
        order_id=line["order_id"],
        token=line["token_id"],
        side=line["side"],
        price=Decimal(line["price"]),
        size=Decimal(line["size"]),
        salt=line["salt"],
        received_ms=line["received_ms"],
        received_ns=line["received_ns"],
        open=line["type"] in ("GTC", "GTD"),
    )


def _refused(truth: Truth, line: Line) -> None:
    truth.refused[line["order_id"]] = line["text"]


def _duplicate(truth: Truth, line: Line) -> None:
    truth.duplicates.append(line["order_id"])


def _canceled(truth: Truth, line: Line) -> None:
    order = truth.orders[line["order_id"]]
    truth.orders[order.order_id] = replace(order, open=False)


def _fill(truth: Truth, line: Line) -> None:
    truth.fills.append(
        TrueFill(
            trade_id=line["trade_id"],
            order_id=line["order_id"],
            token=line["token_id"],
            side=line["side"],
            role=line["role"],
            size=Decimal(line["size"]),
            price=Decimal(line["price"]),
            usd=Decimal(line["usd"]),
            fee=Decimal(line["fee"]),
            status="MATCHED",
            ms=line["ms"],
        )
    )


def _payout(truth: Truth, line: Line) -> None:
    payout = TruePayout(line["token_id"], Decimal(line["shares"]), Decimal(line["usd"]), line["ms"])
    truth.payouts.append(payout)


_OWN = {
    "deposit": _deposit,
    "balance": _balance,
    "order": _order,
    "refused": _refused,
    "duplicate": _duplicate,
    "canceled": _canceled,
    "fill": _fill,
    "payout": _payout,
}
"""Lines that name an address, and what they tell of it."""
