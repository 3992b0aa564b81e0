"""Baskets that are watched: a running sum over best asks tells in constant time whether to price one.

The sums are exact (decimals), so that a watch that is not `near` cannot hold an opportunity: the
best prices of its legs fail a gate, and worse ones do all the more.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import accumulate

from arbsaga.domain.baskets import Basket, no_of_some
from arbsaga.domain.books import Book
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Instrument
from arbsaga.domain.money import ZERO, Price
from arbsaga.domain.pricing import Gates, NoTrade, Quote, price_basket

Books = Callable[[str], Book | None]
"""The book of a token if it can be believed."""


def others(instruments: Iterable[Instrument]) -> tuple[str, ...]:
    """The tokens that cannot be held together with these, at venues with one signed position a market."""
    return tuple(instrument.complement for instrument in instruments if instrument.rules.nets)


class _CostTable(dict[Price, Decimal]):
    """What a share costs at a price, fee included, unrounded; computed once per price."""

    def __init__(self, fee: FeeSchedule) -> None:
        super().__init__()
        self._fee = fee

    def __missing__(self, price: Price) -> Decimal:
        cost = self[price] = price + self._fee.per_share(price)
        return cost


class Watch(ABC):
    """One basket's legs with their best asks. `near`: it passes the gates at the best prices.

    `others` are tokens that must not be in flight. `said` is the last reason for which it was refused.
    """

    def __init__(self, key: str, event: str, instruments: Sequence[Instrument], gates: Gates) -> None:
        self.key, self.event, self.gates = key, event, gates
        self.instruments = tuple(instruments)
        self.tokens = tuple(instrument.token for instrument in instruments)
        self.others = others(instruments)
        self.asks: list[Price | None] = [None] * len(self.tokens)
        self.near = False
        self.said = ""
        tables = {instrument.rules.fee: _CostTable(instrument.rules.fee) for instrument in instruments}
        self._costs = [tables[instrument.rules.fee] for instrument in instruments]

    @abstractmethod
    def move(self, at: int, ask: Price | None) -> None:
        """The best ask of leg `at` is now this one, or there is none."""

    @abstractmethod
    def price(self, books: Books) -> Quote | NoTrade:
        """The basket at real depth."""


class FixedWatch(Watch):
    """A basket whose legs are all needed: YES of all, YES and NO of one market, or a pair of markets."""

    def __init__(self, basket: Basket, gates: Gates) -> None:
        super().__init__(basket.key, basket.event, [leg.instrument for leg in basket.legs], gates)
        self.basket = basket
        self._price = self._cost = ZERO
        self._without = len(self.tokens)
        self._under = gates.max_price_ratio * basket.payout
        self._at_most = (1 - gates.min_edge) * basket.payout

    def move(self, at: int, ask: Price | None) -> None:
        """Keep the sums of prices and costs over the legs."""
        before, table = self.asks[at], self._costs[at]
        self.asks[at] = ask
        if before is None:
            self._without -= 1
        else:
            self._price -= before
            self._cost -= table[before]
        if ask is None:
            self._without += 1
        else:
            self._price += ask
            self._cost += table[ask]
        self.near = not self._without and self._price < self._under and self._cost <= self._at_most

    def price(self, books: Books) -> Quote | NoTrade:
        """The basket at real depth."""
        believed = {token: book for token in self.tokens if (book := books(token)) is not None}
        return price_basket(self.basket, believed, self.gates)


class PoolWatch(Watch):
    """The NOs of an event: any two or more of them are a basket, and the best subset is traded.

    k of them pay k - 1. With `r` the price gate, prices a of a subset pass it when the sum of
    (r - a) is over r; with `e` = 1 - min_edge, costs c pass when the sum of (e - c) is at least e.
    No subset has a larger sum than all positive terms together: that is what is kept.
    """

    def __init__(self, event: str, title: str, no: Sequence[Instrument], gates: Gates, max_legs: int) -> None:
        super().__init__(no_of_some(event, title, no).key, event, no, gates)
        self._title, self._max_legs = title, max_legs
        self._ratio, self._share = gates.max_price_ratio, 1 - gates.min_edge
        self._by_price = self._by_cost = ZERO

    def move(self, at: int, ask: Price | None) -> None:
        """Keep the sums of what each leg would add."""
        before = self.asks[at]
        self.asks[at] = ask
        self._add(at, before, -1)
        self._add(at, ask, 1)
        self.near = self._by_price > self._ratio and self._by_cost >= self._share

    def _add(self, at: int, ask: Price | None, sign: int) -> None:
        if ask is not None:
            self._by_price += sign * max(ZERO, self._ratio - ask)
            self._by_cost += sign * max(ZERO, self._share - self._costs[at][ask])

    def price(self, books: Books) -> Quote | NoTrade:
        """The subset that earns most at real depth, of the few that can.

        For each k the cheapest k are looked at. Where the budget is what is scarce, the best return on
        cost earns most; where depth is, the largest profit of a unit.
        """
        believed = {token: book for token in self.tokens if (book := books(token)) is not None and book.asks}
        refused = NoTrade("price: no subset of the event is under its payout")
        quotes = []
        for legs in self._subsets(believed):
            found = price_basket(self._basket(sorted(legs)), believed, self.gates)
            if isinstance(found, Quote):
                quotes.append(found)
            else:
                refused = found
        return max(quotes, key=lambda quote: quote.edge, default=None) or refused

    def _basket(self, legs: list[int]) -> Basket:
        return no_of_some(self.event, self._title, [self.instruments[at] for at in legs])

    def _subsets(self, believed: dict[str, Book]) -> list[list[int]]:
        """The positions of the legs of the two subsets with the best return, and of the one with the most profit."""
        tops = [
            (self._costs[at][believed[token].asks[0].price], believed[token].asks[0].price, at)
            for at, token in enumerate(self.tokens)
            if token in believed
        ]
        tops.sort()
        costs = list(accumulate((cost for cost, _, _ in tops), initial=ZERO))
        prices = list(accumulate((price for _, price, _ in tops), initial=ZERO))
        passing = [
            k
            for k in range(2, min(len(tops), self._max_legs) + 1)
            if prices[k] < self._ratio * (k - 1) and costs[k] <= self._share * (k - 1)
        ]
        by_return = sorted(passing, key=lambda k: (k - 1) / costs[k], reverse=True)
        by_profit = sorted(passing, key=lambda k: k - 1 - costs[k], reverse=True)
        chosen = dict.fromkeys(by_return[:2] + by_profit[:1])
        return [[at for _, _, at in tops[:k]] for k in chosen]
