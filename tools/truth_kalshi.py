"""A member's record at the simulated Kalshi, told line by line as the other exchange would tell it.

Standard library only. Kalshi prices YES only and holds one signed position a market; here each order is told in the
outcome that it was written down for, so that one judge reads both records. Which order it is, its client_order_id says.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from tools.truth_files import ZERO, Books
from tools.truth_purses import Purses

Line = Mapping[str, Any]
VENUE = "kalshi"


def token_of(ticker: str, yes: bool) -> str:
    """The token that our books have an outcome under."""
    return f"{VENUE}:{ticker}:{'YES' if yes else 'NO'}"


class Translation:
    """One member's lines. `books` tell for which outcome an order was written down."""

    def __init__(self, books: Books, member: str) -> None:
        self._member, self._purses = member, Purses(member)
        self._terms = {order_id: books.terms[key] for key, order_id in books.ids.items()}
        self._names: dict[str, str] = {}
        """Our id of an order, by the exchange's."""
        self._ways: dict[str, tuple[bool, int]] = {}
        """(told in YES, 1 for a BUY and -1 for a SELL), by our id."""

    def of(self, lines: Iterable[Line]) -> Iterator[Line]:
        """The member's lines, translated, and what is `wrong` with them; all others are left out."""
        ms = 0
        for line in lines:
            ms = line["ms"]
            handle = getattr(self, f"_{line['kind']}", None)
            yield from ({"kind": "wrong", "ms": ms, "text": text} for text in self._purses.wrong(line))
            if handle is not None and line["account_id"] == self._member:
                yield from ({"venue": VENUE, "ms": ms, **told} for told in handle(line))
        yield from ({"kind": "wrong", "ms": ms, "text": text} for text in self._purses.wrong_at_the_end())

    def _order(self, line: Line) -> Iterator[Line]:
        order_id = line["client_order_id"]
        self._names[line["order_id"]] = order_id
        yield {"kind": "order", "status": "LIVE", **self._told(line, order_id)}

    def _told(self, line: Line, order_id: str) -> Line:
        terms = self._terms.get(order_id)
        in_yes = terms is None or terms["instrument"]["token"] == token_of(line["ticker"], True)
        buys = (line["side"] == "bid") == in_yes
        self._ways[order_id] = in_yes, 1 if buys else -1
        price = Decimal(line["price"])
        return {
            "order_id": order_id,
            "token_id": token_of(line["ticker"], in_yes),
            "side": "BUY" if buys else "SELL",
            "price": str(price if in_yes else 1 - price),
            "size": line["count"],
            "type": "GTC" if line["time_in_force"] == "good_till_canceled" else "FAK",
            "timestamp": terms["created_ms"] if terms else line["received_ms"],
            "received_ms": line["received_ms"],
        }

    def _duplicate(self, line: Line) -> Iterator[Line]:
        yield {"kind": "duplicate", "order_id": line["client_order_id"]}

    def _refused(self, line: Line) -> Iterator[Line]:
        told = self._told(line, line["client_order_id"])
        yield {"kind": "refused", "used": bool(line.get("used")), **told}

    def _ended(self, line: Line) -> Iterator[Line]:
        why = "user" if line["why"] == "UserCancel" else line["why"]
        yield {"kind": "canceled", "order_id": self._named(line), "why": why}

    def _named(self, line: Line) -> str:
        """Our id of the order that a line is about; the exchange's where it never said that it accepted it."""
        return self._names.get(line["order_id"], str(line["order_id"]))

    def _fill(self, line: Line) -> Iterator[Line]:
        """What was paid for it is the exchange's word, also where it closed a position that was not this order's."""
        order_id = self._named(line)
        if order_id != line["client_order_id"]:
            said = line["client_order_id"][:10]
            yield {"kind": "wrong", "text": f"I1 fill {line['fill_id']} is of order {order_id[:10]}, and says {said}"}
        in_yes, way = self._ways.get(order_id, (True, 1 if line["side"] == "bid" else -1))
        price = Decimal(line["price"])
        yield {
            "kind": "fill",
            "order_id": order_id,
            "trade_id": line["fill_id"],
            "size": line["count"],
            "price": str(price if in_yes else 1 - price),
            "usd": str(-way * Decimal(line["revenue"])),
            "fee": line["fee"],
        }
        yield {"kind": "settlement", "trade_id": line["fill_id"], "status": "CONFIRMED", "over": True}
        yield from self._holds(line["ticker"], Decimal(line["position"]))

    def _payout(self, line: Line) -> Iterator[Line]:
        yield {"kind": "payout", "token_id": token_of(line["ticker"], Decimal(line["position"]) > 0)}
        yield from self._holds(line["ticker"], ZERO)

    def _holds(self, ticker: str, net: Decimal) -> Iterator[Line]:
        for yes, shares in ((True, max(net, ZERO)), (False, max(-net, ZERO))):
            yield {"kind": "balance", "token_id": token_of(ticker, yes), "balance": str(shares)}

    def _deposit(self, line: Line) -> Iterator[Line]:
        yield {"kind": "deposit", "amount": line["amount"]}

    def _balance(self, line: Line) -> Iterator[Line]:
        pocket = str(line["exchange_index"])
        yield {"kind": "balance", "token_id": None, "balance": line["balance"], "pocket": pocket}
