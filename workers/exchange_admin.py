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
LOOK_EVERY_S = 0.1
RESTART_LIMIT_S = 15.0


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

    async def settle(self, limit_s: float) -> None:
        """Let no new event, resolution or traders' order come, and wait until nothing of ours is unsettled or rests.

        Gives up waiting after `limit_s`: what is not settled by then is a difference for the verdict to tell.
        """
        deadline, looks = time.monotonic() + limit_s, 0
        while looks < QUIET_LOOKS and time.monotonic() < deadline:
            state = await self.state()
            if not state["paused"]:  # not asked yet, or restarted meanwhile: it forgets
                await self._call("POST", "/admin/pause", {})
                looks = 0
                continue
            unsettled = state.get("pending_trades") or state.get("pending_payouts")
            pending = unsettled or any(account["open_orders"] for account in state["accounts"])
            looks = 0 if pending else looks + 1
            await asyncio.sleep(LOOK_EVERY_S)

    async def add_key(self, member: str, key_id: str, public_key: str) -> None:
        """Register a member's API key at the simulated Kalshi; the same one again changes nothing."""
        await self._call("POST", "/admin/keys", {"address": member, "key_id": key_id, "public_key": public_key})

    async def state(self) -> dict[str, Any]:
        """Accounts, pending settlements, counters."""
        return await self._call("GET", "/admin/state", None)

    async def _call(self, method: str, path: str, body: Mapping[str, str] | None) -> dict[str, Any]:
        """One call, tried again while the exchange is being restarted."""
        deadline = time.monotonic() + RESTART_LIMIT_S
        while True:
            try:
                async with self._session.request(method, self._url + path, json=body) as response:
                    answer = await response.json()
                break
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                if time.monotonic() > deadline:
                    raise Unavailable(f"the exchange at {self._url} does not answer {path}: {error}") from None
                await asyncio.sleep(LOOK_EVERY_S)
        if response.status != 200 or not isinstance(answer, dict):
            raise Unavailable(f"the exchange at {self._url} refused {path}: {answer}")
        return answer
