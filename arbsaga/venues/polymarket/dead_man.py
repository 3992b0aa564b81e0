"""Polymarket's order heartbeat: its dead-man switch. Docs: docs.polymarket.com manage orders; facts of SDK 0.14.0.

After the first accepted beat, 10 s without another one cancel every open order of the API key (looked at every 5 s,
so up to 15 s). Each beat carries the id that the last one was answered with; there is no disarming.
"""

import asyncio

import structlog
from polymarket import AsyncSecureClient
from polymarket.errors import OrderHeartbeatMismatchError, PolymarketError

from arbsaga.errors import VenueError
from arbsaga.venues.polymarket.client import connect
from arbsaga.venues.polymarket.settings import PolymarketSettings
from arbsaga.venues.polymarket.signing import Signer

BEAT_LIMIT_S = 3.0
"""A beat has no answer after this: two of them fit into the venue's 10 s."""
CONNECT_LIMIT_S = 10.0

log = structlog.get_logger()


class PolymarketDeadMan:
    """The dead-man switch of one account; see `arbsaga.venues.port.DeadMan`. Connects with its first beat.

    Raises SecretError for a key that cannot be used.
    """

    def __init__(self, settings: PolymarketSettings) -> None:
        self._settings = settings
        signer = Signer(settings)
        self.key, self._wallet = signer.address, signer.wallet
        self._client: AsyncSecureClient | None = None

    async def beat(self, last: str) -> str:
        """See `DeadMan.beat`. A stale id (an answer was lost, or another owner beats) is mended at once."""
        try:
            if self._client is None:
                async with asyncio.timeout(CONNECT_LIMIT_S):
                    self._client = await connect(self._settings, self._settings.private_key, self._wallet)
            async with asyncio.timeout(BEAT_LIMIT_S):
                return await self._send(self._client, last)
        except TimeoutError as error:
            raise VenueError(f"the heartbeat had no answer in {BEAT_LIMIT_S:g} s") from error
        except PolymarketError as error:
            raise VenueError(f"the heartbeat was not accepted: {error}") from error

    async def close(self) -> None:
        """Release its connections. The switch stays armed: nobody can disarm it."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _send(self, client: AsyncSecureClient, last: str) -> str:
        try:
            return (await client.send_order_heartbeat(heartbeat_id=last)).heartbeat_id
        except OrderHeartbeatMismatchError as error:
            if last:
                log.warning("the heartbeat's id was stale: an answer was lost, or another process beats for this key")
            return (await client.send_order_heartbeat(heartbeat_id=error.heartbeat_id)).heartbeat_id
