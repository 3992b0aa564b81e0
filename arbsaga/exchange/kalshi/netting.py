"""YES and NO of one market net at once, and what collateral a mutually exclusive event gives back.

Buying NO while holding YES sells the YES: contracts are closed first, and only what is beyond them is opened. An open
contract costs p (YES) or 1 - p (NO); closing one brings what the other side would cost, which is USD at once.
"""

from collections.abc import Iterable

from arbsaga.exchange.kalshi.model import BookSide, Fill, Position
from arbsaga.exchange.units import ONE


def split(net: int, side: BookSide, count: int) -> tuple[int, int]:
    """(contracts closed, contracts opened) when a net position (+ YES, - NO) trades `count` more."""
    held = max(-net, 0) if side == "bid" else max(net, 0)
    closed = min(held, count)
    return closed, count - closed


def unit_cost(side: BookSide, price: int) -> int:
    """USD that opening one contract costs: p for YES (bid), 1 - p for NO (ask)."""
    return price if side == "bid" else ONE - price


def proceeds(net: int, side: BookSide, price: int, count: int) -> tuple[int, int]:
    """(USD that the closed contracts bring, USD that the opened ones cost). Exact on every grid of the venue."""
    closed, opened = split(net, side, count)
    cost = unit_cost(side, price)
    return closed * (ONE - cost) // ONE, opened * cost // ONE


def moved(net: int, side: BookSide, count: int) -> int:
    """The net position after a fill."""
    return net + count if side == "bid" else net - count


def book_fill(position: Position, fill: Fill) -> None:
    """Change a position by a fill; the cost of what it closes leaves at the average."""
    brought, paid = proceeds(position.net, fill.side, fill.price, fill.count)
    closed, _ = split(position.net, fill.side, fill.count)
    left = position.cost * closed // abs(position.net) if closed else 0
    position.net = moved(position.net, fill.side, fill.count)
    position.cost += paid - left
    position.realized += brought - left
    position.traded += brought + paid
    position.fees += fill.fee
    position.updated_ms = fill.ms


def returned(nets: Iterable[int]) -> int:
    """USD that the positions of a mutually exclusive event surely pay: all its NO but the largest.

    At most one market resolves YES, and perhaps none, so that YES contracts promise nothing.
    """
    shorts = [-net for net in nets if net < 0]
    return sum(shorts) - max(shorts) if shorts else 0
