"""What the venue's last answers say about when it takes marketable orders again.

A restart is announced in no API: order endpoints answer 425 while the engine restarts, and for two minutes after
it 503 `post_only_mode` (docs.polymarket.com, matching engine). So each answer is remembered until it has passed.
"""

from collections.abc import Callable

import httpx
import orjson

from arbsaga.venues.polymarket.outcome import POST_ONLY_CODE

RESTART_MS = 30_000
"""How long a restart lasts where the answer does not say it."""
POST_ONLY_MS = 120_000
"""The post-only window after every restart."""
STOPPED_MS = 30_000
"""For how long an answer counts that trading is off: these come without a time."""
_STOPPED = ("trading is disabled", "trading is currently disabled", "trading is currently cancel-only")
_POST_ONLY = b"post-only mode: only post-only orders"
_POSTS = ("/order", "/orders")


class Halts:
    """Remembers the last answer that orders are not taken. `clock` is the wall clock in ms."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._why, self._until_ms = "", 0

    def barred(self) -> str:
        """Why no marketable order is taken now, in one line; empty when nothing says so, or no longer."""
        left_ms = self._until_ms - self._clock()
        return f"Polymarket {self._why}: {-(-left_ms // 1000)} s to go" if left_ms > 0 else ""

    async def heard(self, response: httpx.Response) -> None:
        """A response hook of the connection that posts and cancels. Raises only what reading the answer does."""
        status, path = response.status_code, response.request.url.path
        if status not in (200, 425, 503) or not path.endswith(_POSTS):
            return
        body = await response.aread()
        if status == 425:
            self._note("restarts its engine", _wait_ms(response, body, RESTART_MS) + POST_ONLY_MS)
        elif status == 503 and _text(body, "code") == POST_ONLY_CODE:
            self._note("takes post-only orders alone", _wait_ms(response, body, POST_ONLY_MS))
        elif status == 503 and _text(body, "error").lower().startswith(_STOPPED):
            self._note(f"says {_text(body, 'error')!r}", _wait_ms(response, body, STOPPED_MS))
        elif (
            status == 200 and _POST_ONLY in body.lower()
        ):  # an entry of a batch is refused with 200, and without a time
            self._note("takes post-only orders alone", POST_ONLY_MS)
        elif status == 200 and response.request.method == "POST":
            self._until_ms = 0  # orders are taken again, and none of ours is post-only

    def _note(self, why: str, wait_ms: int) -> None:
        self._why, self._until_ms = why, self._clock() + wait_ms


def _wait_ms(response: httpx.Response, body: bytes, usual_ms: int) -> int:
    """How long the answer says to wait, by its header or its body; never longer than the usual restart cycle."""
    said = response.headers.get("Retry-After") or _text(body, "retry_after_seconds")
    return min(int(said) * 1000, RESTART_MS + POST_ONLY_MS) if said.isdecimal() else usual_ms


def _text(body: bytes, key: str) -> str:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    return str(found.get(key, "")) if isinstance(found, dict) else ""
