"""Markets one by one, each asked of its own venue."""

import structlog

from arbsaga.errors import UnknownThing
from arbsaga.venues.port import MarketListing, Venue
from arbsaga.venues.several import parts_of

log = structlog.get_logger(__name__)


class Listings:
    """The markets of an account's venues. One that its venue no longer shows is told once, and stops no other."""

    def __init__(self, venue: Venue) -> None:
        self._venue, self._parts = venue, parts_of(venue)
        self._unknown: set[str] = set()

    async def of(self, name: str, market: str) -> MarketListing | None:
        """A market of the venue `name`, or None where that has none such. Raises VenueError."""
        try:
            return await self._parts.get(name, self._venue).listing(market)
        except UnknownThing as error:
            if market not in self._unknown:
                self._unknown.add(market)
                log.warning("a market is no longer shown", venue=name, market=market, error=str(error))
            return None
