"""The simulated exchange's own controls, as `arbsaga up` uses them."""

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import aiohttp

from arbsaga.errors import Unavailable

QUIET_LOOKS = 3
"""How often in a row nothing may be pending before settlement counts as quiet."""


class ExchangeAdmin:
    """A client of /admin. Raises Unavailable where the exchange does not answer or says no."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))

    async def __aenter__(self) -> "ExchangeAdmin":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def pause(self) -> None:
        """No new events, resolutions or traders' orders from now on; settlement goes on."""
        await self._call("POST", "/admin/pause", {})

    async def state(self) -> dict[str, Any]:
        """Accounts, pending settlements, counters."""
        return await self._call("GET", "/admin/state", None)

    async def wait_quiet(self, limit_s: float) -> bool:
        """Wait until no trade is unsettled and no order of ours rests; False when that takes too long."""
        deadline = time.monotonic() + limit_s
        looks = 0
        while looks < QUIET_LOOKS:
            state = await self.state()
            pending = state["pending_trades"] or any(account["open_orders"] for account in state["accounts"])
            looks = 0 if pending else looks + 1
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.1)
        return True

    async def _call(self, method: str, path: str, body: Mapping[str, str] | None) -> dict[str, Any]:
        try:
            async with self._session.request(method, self._url + path, json=body) as response:
                answer = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(f"the exchange at {self._url} does not answer {path}: {error}") from None
        if response.status != 200 or not isinstance(answer, dict):
            raise Unavailable(f"the exchange at {self._url} refused {path}: {answer}")
        return answer
