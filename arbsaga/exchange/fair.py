"""What the seeded traders believe: fair prices of an event's markets, how they drift, and what is quoted around them.

All in base units (1e-6 USD), on a grid of 0.001. The fair prices of an event always keep their sum: 1 where its
markets are exhaustive, less where an unlisted outcome can win.
"""

import random
from dataclasses import dataclass
from typing import Final

from arbsaga.exchange.house import Level
from arbsaga.exchange.model import Side
from arbsaga.exchange.units import ONE

GRID: Final = 1_000
HALF_SPREAD: Final = 2_000
"""Usual least distance of a quote from the fair price: YES asks of an exhaustive event sum to over 1."""
HIGHEST: Final = 750_000
DEPTH: Final = 4
"""Price levels on each side."""


def lowest(count: int) -> int:
    """The least fair price in an event of this many markets: 10 to 15 shares of a leg pass the $1 minimum."""
    return 100_000 if count <= 5 else 80_000


def draw_fair(rng: random.Random, count: int, total: int) -> list[int]:
    """Fair prices of `count` markets that sum to `total`: two or three favourites and a field.

    A single market has any price from 0.20 to 0.75.
    """
    if count == 1:
        return [rng.randrange(200_000, HIGHEST, GRID)]
    floor = lowest(count)
    weights = [rng.randint(6, 12) if place < 3 else rng.randint(1, 2) for place in range(count)]
    spare = total - floor * count
    prices = [floor + spare * weight // sum(weights) // GRID * GRID for weight in weights]
    prices[0] += total - sum(prices)
    rng.shuffle(prices)
    return prices


def drift(rng: random.Random, fair: list[int]) -> list[int]:
    """Move a little of one market's fair price to another's. Returns the indices that changed."""
    step = GRID * rng.randint(1, 3)
    if len(fair) == 1:
        moved = fair[0] + rng.choice((-step, step))
        fair[0] = min(max(moved, 200_000), HIGHEST)
        return [0]
    down, up = rng.sample(range(len(fair)), 2)
    if fair[down] - step < lowest(len(fair)) or fair[up] + step > HIGHEST:
        return []
    fair[down] -= step
    fair[up] += step
    return [down, up]


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask of a market in YES terms. A mispriced side offers `shares` (base units) at its best price, and
    goes on from `behind`, the best price it would have otherwise."""

    bid: int
    ask: int
    cheap: Side | None = None
    shares: int = 0
    behind: int = 0


def quote(fair: int, tick: int, half_spread: int = HALF_SPREAD) -> Quote:
    """Where the traders quote around a fair price: outwards to the next tick."""
    bid = max((fair - half_spread) // tick * tick, tick)
    ask = min(-(-(fair + half_spread) // tick) * tick, ONE - tick)
    return Quote(bid, ask)


def ladder(quoted: Quote, tick: int) -> tuple[list[Level], Level | None]:
    """The levels of a quote, best first, and the mispriced one, whose size is given."""
    bids, asks = _steps("BUY", quoted.bid, tick), _steps("SELL", quoted.ask, tick)
    if quoted.cheap == "SELL":
        asks = _steps("SELL", max(quoted.behind, quoted.ask + tick), tick)
        return bids + asks, ("SELL", quoted.ask)
    if quoted.cheap == "BUY":
        bids = _steps("BUY", min(quoted.behind, quoted.bid - tick), tick)
        return bids + asks, ("BUY", quoted.bid)
    return bids + asks, None


def _steps(side: Side, best: int, tick: int) -> list[Level]:
    step = max(tick, 4 * GRID) * (-1 if side == "BUY" else 1)
    prices = (best + step * number for number in range(DEPTH))
    return [(side, price) for price in prices if tick <= price <= ONE - tick]
