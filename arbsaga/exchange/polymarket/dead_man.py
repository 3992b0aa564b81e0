"""The order heartbeat: 10 s without a valid beat cancels all open orders of its owner (docs.polymarket.com)."""

import uuid
from dataclasses import dataclass

from arbsaga.exchange.polymarket.auth import ApiKey


@dataclass(slots=True)
class _Beat:
    address: str
    heartbeat_id: str
    at: float


class DeadMan:
    """Who beats, and since when they do not. Armed by the first accepted beat; there is no disarming."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._beats: dict[str, _Beat] = {}

    def beat(self, caller: ApiKey, heartbeat_id: str, now: float) -> str | None:
        """The next id to send, or None when `heartbeat_id` is not the expected one."""
        if heartbeat_id != self.expected(caller):
            return None
        fresh = _Beat(caller.address, str(uuid.uuid4()), now)
        self._beats[caller.key] = fresh
        return fresh.heartbeat_id

    def expected(self, caller: ApiKey) -> str:
        """The id the next beat must carry: empty before the first one."""
        beat = self._beats.get(caller.key)
        return beat.heartbeat_id if beat is not None else ""

    def silent(self, now: float) -> list[str]:
        """Addresses of the keys that have not beaten for the limit."""
        return [beat.address for beat in self._beats.values() if now - beat.at >= self._limit_s]
