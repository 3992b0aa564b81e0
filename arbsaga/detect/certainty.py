"""How surely entries fill, measured by venue and market: which leg to place first."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from arbsaga.domain.instruments import Instrument
from arbsaga.domain.money import ZERO
from arbsaga.domain.orders import OrderState, OrderView, Purpose
from arbsaga.domain.pricing import Quote

KNOWN = 5
"""A venue with fewer attempts than this is not known: chance would choose the leg."""
MAX_MARKETS = 10_000
"""Markets come and go for months: the one that was tried longest ago is forgotten."""
PRIOR = 2
"""A market's own rate begins as its venue's, with the weight of so many attempts (Laplace)."""


@dataclass(slots=True)
class Tries:
    """Entry orders that were sent, and how many of them filled; a part filled counts as that part."""

    attempts: int = 0
    filled: Decimal = ZERO

    def add(self, part: Decimal) -> None:
        """One more order, of which `part` (0 to 1) filled."""
        self.attempts += 1
        self.filled += part

    def rate(self, prior: Decimal) -> Decimal:
        """The share expected to fill, between 0 and 1, never exactly either while the prior is not."""
        return (self.filled + PRIOR * prior) / (self.attempts + PRIOR)


@dataclass(slots=True)
class FillRates:
    """Fill rates of entries, by venue and by market; fed with the orders of trades that have ended."""

    _venues: dict[str, Tries] = field(default_factory=dict)
    _markets: dict[tuple[str, str], Tries] = field(default_factory=dict)

    def learn(self, orders: Iterable[OrderView]) -> None:
        """The orders of one ended trade, told once. Only entries count, and of them only what was sent."""
        for order in orders:
            if order.terms.purpose is not Purpose.ENTER or order.state is OrderState.ABSENT:
                continue
            part = min(order.known / order.terms.size, Decimal(1))
            venue, market = order.terms.instrument.venue, order.terms.instrument.market
            self._venues.setdefault(venue, Tries()).add(part)
            tries = self._markets.pop((venue, market), None) or Tries()
            tries.add(part)
            self._markets[venue, market] = tries
            if len(self._markets) > MAX_MARKETS:
                del self._markets[next(iter(self._markets))]

    def rate(self, instrument: Instrument) -> Decimal | None:
        """The share of an entry expected to fill in this market, 0 to 1; None while its venue is not known."""
        venue = self._venues.get(instrument.venue)
        if venue is None or venue.attempts < KNOWN:
            return None
        of_venue = venue.rate(Decimal("0.5"))
        tries = self._markets.get((instrument.venue, instrument.market))
        return tries.rate(of_venue) if tries is not None else of_venue


def less_certain_first(quote: Quote, rates: FillRates) -> tuple[int, ...]:
    """The leg to place before the others, as its position; none when all are alike, unknown, or of one venue.

    Its siblings then risk nothing when it does not fill. Legs of one venue go in one request, all at once.
    """
    instruments = [one.leg.instrument for one in quote.legs]
    if len({instrument.venue for instrument in instruments}) == 1:
        return ()
    found = [rates.rate(instrument) for instrument in instruments]
    known = [rate for rate in found if rate is not None]
    if len(known) < len(found) or min(known) == max(known):
        return ()
    return (known.index(min(known)),)
