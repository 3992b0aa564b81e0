"""A brute-force matcher to compare the exchange with: no book, no levels, exact fractions, slow and plain.

It keeps a list of resting orders. For each incoming order it looks at every resting order again and again, takes the
best price for the taker and of those the oldest, and trades until nothing is left to do.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor


@dataclass
class Resting:
    """A resting order: token 0 is YES, 1 is NO; price in USD per share; amounts in base units."""

    order_id: str
    token: int
    side: str
    price: Fraction
    left: int
    arrived: int


@dataclass(frozen=True)
class Traded:
    """One match, in base units; the price is the taker's."""

    maker: str
    kind: str
    shares: int
    price: Fraction
    maker_usd: int
    taker_usd: int


class Reference:
    """One market's resting orders."""

    def __init__(self) -> None:
        self.resting: list[Resting] = []
        self.arrivals = 0

    def submit(  # noqa: PLR0917 - an order has these seven facts
        self, order_id: str, token: int, side: str, price: Fraction, shares: int, usd: int, kind: str
    ) -> list[Traded] | None:
        """The matches of an order, None where it is killed. What may rest of it, rests."""
        before = [(one, one.left) for one in self.resting]
        trades: list[Traded] = []
        by_usd = side == "BUY" and kind in ("FOK", "FAK")
        left = usd if by_usd else shares
        dust = 1 if by_usd else 0
        while left > dust:
            best = self._best(token, side, price)
            if best is None:
                break
            traded = self._trade(best, token, side, left, by_usd)
            trades.append(traded)
            left -= traded.taker_usd if by_usd else traded.shares
        if (kind == "FOK" and left > dust) or (kind == "FAK" and not trades):
            for one, shares_before in before:
                one.left = shares_before
            return None
        self.resting = [one for one in self.resting if one.left]
        if left and kind in ("GTC", "GTD"):
            self.arrivals += 1
            self.resting.append(Resting(order_id, token, side, price, left, self.arrivals))
        return trades

    def copy(self) -> "Reference":
        """The same resting orders, to try something on."""
        other = Reference()
        other.resting, other.arrivals = [replace(one) for one in self.resting], self.arrivals
        return other

    def cancel(self, order_id: str) -> None:
        """Take an order out, where it rests."""
        self.resting = [one for one in self.resting if one.order_id != order_id]

    def book(self, token: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """(bids ascending, asks descending) of a token in base units."""
        sides: dict[str, dict[int, int]] = {"BUY": {}, "SELL": {}}
        for one in self.resting:
            same = one.token == token
            side = one.side if same else {"BUY": "SELL", "SELL": "BUY"}[one.side]
            price = int((one.price if same else 1 - one.price) * 1_000_000)
            sides[side][price] = sides[side].get(price, 0) + one.left
        return sorted(sides["BUY"].items()), sorted(sides["SELL"].items(), reverse=True)

    def _best(self, token: int, side: str, limit: Fraction) -> Resting | None:
        found: list[tuple[Fraction, int, Resting]] = []
        for one in self.resting:
            if one.left and (one.side != side if one.token == token else one.side == side):
                price = one.price if one.token == token else 1 - one.price
                worse = price - limit if side == "BUY" else limit - price
                if worse <= 0:
                    found.append((price if side == "BUY" else -price, one.arrived, one))
        return min(found, key=lambda each: each[:2])[2] if found else None

    def _trade(self, maker: Resting, token: int, side: str, left: int, by_usd: bool) -> Traded:
        same = maker.token == token
        kind = "complementary" if same else "mint" if side == "BUY" else "merge"
        price = maker.price if same else 1 - maker.price

        def usd(shares: int) -> tuple[int, int]:
            maker_usd = floor(shares * maker.price)
            return maker_usd, maker_usd if same else shares - maker_usd

        shares = min(maker.left, left)
        if by_usd:
            shares = min(maker.left, floor(left / price))
        maker.left -= shares
        return Traded(maker.order_id, kind, shares, price, *usd(shares))


def fee_of(traded: Traded, rate: Fraction, exponent: int, rounding: str) -> int:
    """The taker's fee for one match in base units: shares * rate * (p * (1 - p)) ** exponent, in steps of $0.00001.

    Never more than the fill's own value (docs.polymarket.com trading/fees; the direction is not documented).
    """
    steps = traded.shares * rate * (traded.price * (1 - traded.price)) ** exponent / 10
    whole = ceil(steps) if rounding == "up" else floor(steps) if rounding == "down" else round(steps)
    return min(whole * 10, traded.taker_usd)


@dataclass(frozen=True)
class Part:
    """A user's part of a trade, in base units."""

    address: str
    side: str
    token: str
    shares: int
    usd: int
    fee: int

    @property
    def given(self) -> tuple[str, int]:
        """The asset that is given away, and how much of it; the asset of USD is empty."""
        return ("", self.usd + self.fee) if self.side == "BUY" else (self.token, self.shares)


class Wallets:
    """Settled balances and unsettled trades of every user, by plain sums."""

    def __init__(self) -> None:
        self.settled: dict[tuple[str, str], int] = {}
        self.unsettled: dict[str, tuple[Part, ...]] = {}

    def add(self, address: str, asset: str, amount: int) -> None:
        """A settled balance moves."""
        self.settled[address, asset] = self.settled.get((address, asset), 0) + amount

    def over(self, trade_id: str, *, failed: bool) -> None:
        """A trade settled, or was given up: then nothing of it ever moves. Only the first time counts."""
        for part in self.unsettled.pop(trade_id, ()):
            if failed:
                continue
            way = 1 if part.side == "BUY" else -1
            self.add(part.address, part.token, way * part.shares)
            self.add(part.address, "", -way * part.usd - part.fee)

    def free(self, address: str, asset: str, kept: int) -> int:
        """What can be given away: settled, less what open orders keep and what unsettled trades will take."""
        parts = (part for parts in self.unsettled.values() for part in parts if part.address == address)
        gone = sum(part.given[1] for part in parts if part.given[0] == asset)
        return self.settled.get((address, asset), 0) - kept - gone
