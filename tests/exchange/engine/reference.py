"""A brute-force matcher to compare the exchange with: no book, no levels, exact fractions, slow and plain.

It keeps a list of resting orders. For each incoming order it looks at every resting order again and again, takes the
best price for the taker and of those the oldest, and trades until nothing is left to do.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import floor


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

    def submit(
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

    def cancel(self, order_id: str) -> None:
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
