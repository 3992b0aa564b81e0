"""The key's location attestation: once it has lapsed, some categories are closed to the key, and only those.

Source: docs.kalshi.com, changelog 2026-08-16: Sports, Elections and Entertainment; `GET /api_keys` names the end.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import structlog

from arbsaga.errors import VenueError
from arbsaga.venues.kalshi.rest import Rest
from arbsaga.venues.kalshi.wire import decimal

CLOSED: Final = frozenset({"sports", "elections", "entertainment"})
"""The categories, in small letters."""
AGAIN_MS: Final = 60_000
"""A lapsed attestation is looked at again so often: a person can renew it at any time."""
_WORDS: Final = ("region", "attestation", "location")

log = structlog.get_logger()


def attested_until_s(body: Mapping[str, Any]) -> float | None:
    """The end of the attestation (seconds since the epoch) by an answer of GET /api_keys; None where it names none."""
    try:
        return float(decimal(body["api_key_region_expiration_ts"]))
    except (KeyError, ValueError):
        return None


def is_of_region(refusal: str) -> bool:
    """Whether a 403 in these words is for the attestation. The venue lists no codes: told by what it names."""
    return any(word in refusal.casefold() for word in _WORDS)


class Attestation:
    """Tells which markets a key whose attestation has lapsed may not trade. `clock` is the wall clock in ms."""

    def __init__(self, rest: Rest, clock: Callable[[], int]) -> None:
        self._rest, self._clock = rest, clock
        self._until_s: float | None = None
        self._read_ms = 0

    def take(self, body: Mapping[str, Any]) -> None:
        """Take what an answer of GET /api_keys says."""
        self._until_s, self._read_ms = attested_until_s(body), self._clock()

    async def barred(self, markets: Iterable[str], categories: Callable[[str], Awaitable[frozenset[str]]]) -> str:
        """Why the key may not trade one of these markets, or empty; `categories` tells those of a market.

        Raises VenueError where a market's categories cannot be told.
        """
        if self._has_lapsed() and self._clock() - self._read_ms >= AGAIN_MS:
            await self._read_again()
        if not self._has_lapsed():
            return ""
        for market in markets:
            if closed := CLOSED & await categories(market):
                return (
                    f"{market} is closed to this key: its location attestation has lapsed, which "
                    f"{'/'.join(sorted(closed))} needs: attest your location anew at kalshi.com, API keys"
                )
        return ""

    def _has_lapsed(self) -> bool:
        return self._until_s is not None and self._clock() >= self._until_s * 1000

    async def _read_again(self) -> None:
        try:
            self.take(await self._rest.get("/api_keys"))
        except VenueError as error:  # it stays lapsed until the venue says otherwise
            log.warning("the location attestation cannot be read again", error=str(error))
