"""Which prices and counts a market takes: price_ranges and hundredths of a contract.

`price_ranges` are authoritative, the label of a market's price structure is not; whole cents are valid on every grid
(docs.kalshi.com, fixed_point_migration).
"""

from arbsaga.errors import Rejected
from arbsaga.exchange.kalshi.model import CENT_CONTRACT
from arbsaga.exchange.units import ONE, format_units

Ranges = tuple[tuple[int, int, int], ...]

FINEST = 100
"""$0.0001: the finest step of any of the venue's grids. On it every value of a fill is a whole base unit."""
_CENT = 10_000


def check_ranges(ranges: Ranges) -> None:
    """Raises ValueError unless each range is (start, end, step) within 0..1 in steps of $0.0001 or coarser."""
    for start, end, step in ranges:
        if not 0 <= start < end <= ONE or step < FINEST or any(part % FINEST for part in (start, end, step)):
            raise ValueError(
                f"price range {format_units(start)}-{format_units(end)} by {format_units(step)} is no grid"
            )


def on_grid(price: int, ranges: Ranges) -> bool:
    """Whether an order may have this price: above 0, below 1, and on a step of its range."""
    if not 0 < price < ONE:
        return False
    return price % _CENT == 0 or any(
        start <= price <= end and (price - start) % step == 0 for start, end, step in ranges
    )


def check_count(count: int) -> None:
    """Raises Rejected (400) for a count that is not a positive number of hundredths."""
    if count <= 0 or count % CENT_CONTRACT:
        raise Rejected(400, f"count {format_units(count)} is not a positive multiple of 0.01", "invalid_order_size")


def check_terms(price: int, count: int, ranges: Ranges) -> None:
    """Raises Rejected (400) for a price off the grid, or a count as in `check_count`."""
    check_count(count)
    if not on_grid(price, ranges):
        raise Rejected(400, f"price {format_units(price)} is not on the market's price_ranges", "invalid_price")
