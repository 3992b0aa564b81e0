"""What really happened to one Kalshi account, read from the truth journal: the judge of every other record.

Knows nothing of the trading code: only what the exchange wrote before it answered (docs/truth-journal-kalshi.md).
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
    """One match of one order: contracts, USD per YES, `revenue` USD before the fee (negative where it paid)."""

    trade_id: str
    order_id: str
    client_order_id: str
    ticker: str
    side: str
    role: str
    count: Decimal
    price: Decimal
    revenue: Decimal
    fee: Decimal
    ms: int


@dataclass(frozen=True, slots=True)
class TrueOrder:
    """An order the exchange accepted; `count` is as last amended or decreased. `open`: it can still fill.

    `received_ns` is the exchange's monotonic clock when the request's bytes were in.
    """

    order_id: str
    client_order_id: str
    ticker: str
    side: str
    price: Decimal
    count: Decimal
    received_ms: int
    received_ns: int
    open: bool = True
    filled: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class TruePayout:
    """What a finalized market paid: the net position before it, USD per YES, USD paid, and the fee of a scalar."""

    ticker: str
    position: Decimal
    value: Decimal
    usd: Decimal
    fee: Decimal
    ms: int


@dataclass(slots=True)
class Truth:
    """One account as the exchange's own record has it, in USD and contracts.

    `refused` has codes by client_order_id, `duplicates` the ids sent again, once for each time, `cash` USD by
    exchange_index, `positions` nets (+ YES, - NO), `worth` USD per YES of the markets decided so far, `advanced` the
    collateral returned by event.
    """

    account_id: str
    orders: dict[str, TrueOrder] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    duplicates: list[str] = field(default_factory=list)
    fills: list[TrueFill] = field(default_factory=list)
    payouts: list[TruePayout] = field(default_factory=list)
    deposits: Decimal = ZERO
    cash: dict[int, Decimal] = field(default_factory=dict)
    positions: dict[str, Decimal] = field(default_factory=dict)
    worth: dict[str, Decimal] = field(default_factory=dict)
    advanced: dict[str, Decimal] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, account_id: str) -> "Truth":
        """An account by the journal at `path`, empty when it never appears there.

        Raises Unavailable where the file cannot be read, or is damaged before its end; what a crash left torn at
        the end was never answered and does not count.
        """
        return tell(read_journal(path).records, account_id)

    @property
    def fees(self) -> Decimal:
        """USD billed on fills and scalar payouts."""
        return sum((fill.fee for fill in self.fills), sum((one.fee for one in self.payouts), ZERO))

    def fills_of(self, order_id: str) -> list[TrueFill]:
        """Every fill of one order."""
        return [fill for fill in self.fills if fill.order_id == order_id]


def tell(lines: Iterable[Line], account_id: str) -> Truth:
    """The account as these journal lines tell it."""
    truth = Truth(account_id)
    for line in lines:
        if line["kind"] == "lifecycle" and line["value"] is not None:
            truth.worth[line["ticker"]] = Decimal(line["value"])
        elif line["kind"] in _OF_ORDERS and line["order_id"] in truth.orders:
            order = truth.orders[line["order_id"]]
            truth.orders[order.order_id] = _OF_ORDERS[line["kind"]](order, line)
        elif line["kind"] in _OWN and line["account_id"] == account_id:
            _OWN[line["kind"]](truth, line)
    return truth


def _deposit(truth: Truth, line: Line) -> None:
    truth.deposits += Decimal(line["amount"])


def _balance(truth: Truth, line: Line) -> None:
    truth.cash[line["exchange_index"]] = Decimal(line["balance"])


def _advance(truth: Truth, line: Line) -> None:
    truth.advanced[line["event_ticker"]] = Decimal(line["amount"])
    if not truth.advanced[line["event_ticker"]]:
        del truth.advanced[line["event_ticker"]]


def _order(truth: Truth, line: Line) -> None:
    truth.orders[line["order_id"]] = TrueOrder(
        order_id=line["order_id"],
        client_order_id=line["client_order_id"],
        ticker=line["ticker"],
        side=line["side"],
        price=Decimal(line["price"]),
        count=Decimal(line["count"]),
        received_ms=line["received_ms"],
        received_ns=line["received_ns"],
    )


def _refused(truth: Truth, line: Line) -> None:
    truth.refused[line["client_order_id"]] = line["code"]


def _duplicate(truth: Truth, line: Line) -> None:
    truth.duplicates.append(line["client_order_id"])


def _fill(truth: Truth, line: Line) -> None:
    fill = TrueFill(
        trade_id=line["trade_id"],
        order_id=line["order_id"],
        client_order_id=line["client_order_id"],
        ticker=line["ticker"],
        side=line["side"],
        role=line["role"],
        count=Decimal(line["count"]),
        price=Decimal(line["price"]),
        revenue=Decimal(line["revenue"]),
        fee=Decimal(line["fee"]),
        ms=line["ms"],
    )
    truth.fills.append(fill)
    _hold(truth, fill.ticker, Decimal(line["position"]))
    order = truth.orders.get(fill.order_id)
    if order is not None:
        filled = order.filled + fill.count
        truth.orders[order.order_id] = replace(order, filled=filled, open=order.open and filled < order.count)


def _payout(truth: Truth, line: Line) -> None:
    payout = TruePayout(
        ticker=line["ticker"],
        position=Decimal(line["position"]),
        value=Decimal(line["value"]),
        usd=Decimal(line["revenue"]),
        fee=Decimal(line["fee"]),
        ms=line["ms"],
    )
    truth.payouts.append(payout)
    _hold(truth, payout.ticker, ZERO)


def _hold(truth: Truth, ticker: str, net: Decimal) -> None:
    if net:
        truth.positions[ticker] = net
    else:
        truth.positions.pop(ticker, None)


def _ended(order: TrueOrder, line: Line) -> TrueOrder:
    return replace(order, open=False)


def _reduced(order: TrueOrder, line: Line) -> TrueOrder:
    return replace(order, count=order.count - Decimal(line["count"]))


def _amended(order: TrueOrder, line: Line) -> TrueOrder:
    price, count = Decimal(line["price"]), Decimal(line["count"])
    return replace(order, client_order_id=line["client_order_id"], price=price, count=count)


_OF_ORDERS = {"ended": _ended, "reduced": _reduced, "amended": _amended}
"""Lines that name an order, and what becomes of it."""

_OWN = {
    "deposit": _deposit,
    "balance": _balance,
    "advance": _advance,
    "order": _order,
    "refused": _refused,
    "duplicate": _duplicate,
    "fill": _fill,
    "payout": _payout,
}
"""Lines that name an account, and what they tell of it."""
