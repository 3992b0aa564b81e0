"""One service of a person's: apprise behind two functions, so that its URLs (they hold secrets) stay here."""

import asyncio
import hashlib
import warnings
from typing import Final

TIMEOUT_S: Final = 10.0
"""A service that has not answered by then counts as failed."""


class Service:
    """An apprise URL. `name` tells services apart and holds no secret: the scheme and a fingerprint."""

    def __init__(self, url: str) -> None:
        """Raises ValueError, without the URL, when apprise does not know it."""
        fingerprint = hashlib.sha256(url.encode()).hexdigest()[:8]
        self.name = f"{url.partition('://')[0][:20]}#{fingerprint}" if "://" in url else f"#{fingerprint}"
        # Slow to import, and only people with a service pay for it.
        from apprise import Apprise  # noqa: PLC0415 - see above

        self._apprise = Apprise()
        with warnings.catch_warnings():
            # apprise loads all its plugins here; one of them imports a module that Python deprecates.
            warnings.simplefilter("ignore", DeprecationWarning)
            known = self._apprise.add(url)
        if not known:
            raise ValueError(f"{self.name} is no URL that apprise knows")

    async def send(self, title: str, body: str) -> str:
        """Empty when the service took it, else why not. Never raises for an outcome."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                result = await self._apprise.async_notify(title=title, body=body)
        except TimeoutError:
            return f"no answer within {TIMEOUT_S:g} s"
        return "" if result else "the service did not take it"
