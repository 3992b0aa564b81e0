"""A member's money and positions at the simulated Kalshi, worked out anew from its deposits, fills and payouts.

Standard library only. What the record says that the member has must be what these come to, at every line of it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any

from tools.truth_files import MICRO, ZERO

Line = Mapping[str, Any]


class Purses:
    """One member's. `wrong` is told every line of the record, and says what in it cannot be."""

    def __init__(self, member: str) -> None:
        self._member = member
        self._cash: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._told: dict[str, Decimal] = {}
        """What the record last said of each shard's cash."""
        self._nets: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._worth: dict[str, Decimal] = {}
        """USD that a YES pays, by ticker."""
        self._advanced: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._returned = ZERO
        """Collateral that an event gave back, or took, and that the next balance has in it."""

    def wrong(self, line: Line) -> Iterator[str]:
        """I4: each line says what follows from those before it."""
        if line["kind"] == "lifecycle" and line.get("value") is not None:
            self._worth[line["ticker"]] = Decimal(line["value"])
        elif line["kind"] == "transfer":
            self._transfer(line)
        elif line.get("account_id") == self._member:
            yield from getattr(self, f"_{line['kind']}", _nothing)(line)

    def wrong_at_the_end(self) -> Iterator[str]:
        """I4: all that moved has been told."""
        for shard, cash in self._cash.items():
            if cash != self._told.get(shard, ZERO):
                yield f"I4 shard {shard} has {self._told.get(shard, ZERO)} USD at the end, its fills come to {cash}"

    def _transfer(self, line: Line) -> None:
        amount = Decimal(line["amount"])
        if line["account_id"] == self._member:
            self._cash[str(line["source"])] -= amount
        if line["to_account_id"] == self._member:
            self._cash[str(line["destination"])] += amount

    def _deposit(self, line: Line) -> Iterator[str]:
        self._cash[str(line["exchange_index"])] += Decimal(line["amount"])
        return _nothing(line)

    def _advance(self, line: Line) -> Iterator[str]:
        event, amount = line["event_ticker"], Decimal(line["amount"])
        self._returned += amount - self._advanced[event]
        self._advanced[event] = amount
        return _nothing(line)

    def _balance(self, line: Line) -> Iterator[str]:
        shard, balance = str(line["exchange_index"]), Decimal(line["balance"])
        if line.get("why") == "netting":
            self._cash[shard] += self._returned
            self._returned = ZERO
        if balance != self._cash[shard]:
            yield f"I4 shard {shard} has {balance} USD at line {line['n']}, what moved comes to {self._cash[shard]}"
        self._cash[shard] = self._told[shard] = balance

    def _fill(self, line: Line) -> Iterator[str]:
        """Contracts are closed first, for what the other side would cost; only those beyond are opened."""
        ticker, count, price = line["ticker"], Decimal(line["count"]), Decimal(line["price"])
        net, way = self._nets[ticker], 1 if line["side"] == "bid" else -1
        closed = min(count, max(ZERO, -way * net))
        cost = price if way > 0 else 1 - price
        yield from self._paid(line, closed * (1 - cost) - (count - closed) * cost)
        yield from self._holds(line, net + way * count)
        self._nets[ticker] = Decimal(line["position"])

    def _payout(self, line: Line) -> Iterator[str]:
        ticker, value, net = line["ticker"], Decimal(line["value"]), Decimal(line["position"])
        if value != self._worth.get(ticker, value):
            yield f"I4 {ticker} paid {value} USD for a YES at line {line['n']}, it was decided as {self._worth[ticker]}"
        yield from self._holds(line, self._nets[ticker])
        each = value if net > 0 else 1 - value
        yield from self._paid(line, (abs(net) * each).quantize(MICRO, ROUND_DOWN).normalize())
        self._nets[ticker] = ZERO

    def _paid(self, line: Line, due: Decimal) -> Iterator[str]:
        revenue = Decimal(line["revenue"])
        self._cash[str(line["exchange_index"])] += revenue - Decimal(line["fee"])
        if revenue != due:
            yield f"I4 the {line['kind']} of {line['ticker']} at line {line['n']} moved {revenue} USD, due {due:f}"

    def _holds(self, line: Line, net: Decimal) -> Iterator[str]:
        if Decimal(line["position"]) != net:
            yield f"I4 {line['position']} of {line['ticker']} are held by line {line['n']}, its fills come to {net}"


def _nothing(_line: Line) -> Iterator[str]:
    return iter(())
