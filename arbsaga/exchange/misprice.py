"""How an event comes to be mispriced: by how much, on which markets, so that a basket pays a wanted edge after fees.

Two ways: the YES of all markets of an exhaustive event cost under $1, or the NO of k markets cost under k - 1 dollars
(a bid for YES at p is an offer of NO at 1 - p). Prices are base units, YES terms.
"""

import random
from collections.abc import Callable, Sequence
from decimal import Decimal

from arbsaga.exchange.fair import GRID, Quote
from arbsaga.exchange.fees import taker_fee
from arbsaga.exchange.model import Market
from arbsaga.exchange.units import ONE

LEAST_LEG = 70_000
"""No leg is mispriced under 0.07, lest a small basket miss the $1 minimum of marketable orders."""
MOST_LEG = 900_000
LEAST_FIELD = 20_000


def fee_per_share(market: Market, price: int) -> int:
    """What a taker pays for one share, in base units, rounded up."""
    return taker_fee(ONE, price, ONE, market, "up")


def yes_of_all(markets: Sequence[Market], quotes: Sequence[Quote], edge: Decimal, shares: Sequence[int]) -> list[Quote]:
    """Quotes whose asks cost `edge` (0.05 = 5 cents per $1 of payout) under 1, fees included, or a tick's worth more.

    `shares` is what each cheap ask offers. Raises ValueError where prices cannot go that low.
    """
    asks = [quoted.ask for quoted in quotes]

    def profit() -> int:
        return ONE - sum(ask + fee_per_share(market, ask) for market, ask in zip(markets, asks, strict=True))

    def lower() -> bool:
        legs = [leg for leg, ask in enumerate(asks) if ask - markets[leg].tick >= LEAST_LEG]
        leg = max(legs, key=lambda at: (asks[at] > 150_000, asks[at] * ONE // quotes[at].ask), default=None)
        if leg is not None:
            asks[leg] -= markets[leg].tick
        return leg is not None

    _until(profit, lower, edge, ONE)
    return [
        Quote(min(quoted.bid, ask - market.tick), ask, "SELL", size, behind=quoted.ask)
        for market, quoted, ask, size in zip(markets, quotes, asks, shares, strict=True)
    ]


def no_of_some(
    markets: Sequence[Market], quotes: Sequence[Quote], legs: Sequence[int], edge: Decimal, shares: Sequence[int]
) -> list[Quote]:
    """Quotes where NO of the markets `legs` costs under k - 1 dollars by `edge` of that, fees included.

    The other markets' quotes fall by what those rise, so that no larger set of NO pays much more.
    Raises ValueError where prices cannot go that high.
    """
    bids = {leg: quotes[leg].bid for leg in legs}

    def profit() -> int:
        return sum(bid - fee_per_share(markets[leg], bid) for leg, bid in bids.items()) - ONE

    def rise() -> bool:
        able = [leg for leg, bid in bids.items() if bid + markets[leg].tick <= MOST_LEG]
        leg = min(able, key=lambda at: bids[at] * ONE // quotes[at].bid, default=None)
        if leg is not None:
            bids[leg] += markets[leg].tick
        return leg is not None

    _until(profit, rise, edge, ONE * (len(legs) - 1))
    others = [at for at in range(len(markets)) if at not in bids]
    fall = sum(bid - quotes[leg].bid for leg, bid in bids.items()) // max(len(others), 1)
    fallen = {at: _fallen(quotes[at], fall, markets[at].tick) for at in others}
    return [
        fallen[at]
        if at in fallen
        else Quote(bids[at], max(quoted.ask, bids[at] + market.tick), "BUY", shares[at], behind=quoted.bid)
        for at, (market, quoted) in enumerate(zip(markets, quotes, strict=True))
    ]


def no_legs(rng: random.Random, fair: Sequence[int]) -> list[int]:
    """The markets whose NO is to be cheap: the two or three likeliest, two only where they are most of the event."""
    ranked = sorted(range(len(fair)), key=lambda at: -fair[at])
    enough = fair[ranked[0]] + fair[ranked[1]] >= 550 * GRID
    return sorted(ranked[: 2 if enough and rng.random() < 0.9 else 3])


def _fallen(quoted: Quote, fall: int, tick: int) -> Quote:
    fall = min(fall, max(quoted.bid - LEAST_FIELD, 0)) // tick * tick
    return Quote(quoted.bid - fall, quoted.ask - fall)


def _until(profit: Callable[[], int], cheaper: Callable[[], bool], edge: Decimal, payout: int) -> None:
    wanted = int(edge * payout)
    while profit() < wanted:
        if not cheaper():
            raise ValueError(f"an edge of {edge} is more than these prices can give")
