"""Reads of the venue's REST services, public and signed.

The official client posts and cancels; reading is done here, because it gives up on a whole page when
one item is odd, cannot tell a `null` order from a malformed one, has no call for
/balance-allowance/update, and costs three times as much on the way to an order.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from arbsaga.errors import BadMessage, VenueError

END_CURSOR = "LTE="
MAX_PAGES = 1_000
"""Pages of one listing: a venue that repeats its cursor must not hold us for ever."""

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What signs a private read: the API key of `address` (the signing key's own, never the wallet)."""

    address: str
    key: str
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)

    def headers(self, method: str, path: str) -> dict[str, str]:
        """The headers of a request without a body. The path is signed without host, prefix or query."""
        timestamp = str(int(time.time()))
        digest = hmac.digest(
            base64.urlsafe_b64decode(self.secret + "=" * (-len(self.secret) % 4)),
            f"{timestamp}{method}{path}".encode(),
            hashlib.sha256,
        )
        return {
            "POLY_ADDRESS": self.address,
            "POLY_API_KEY": self.key,
            "POLY_PASSPHRASE": self.passphrase,
            "POLY_SIGNATURE": base64.urlsafe_b64encode(digest).decode(),
            "POLY_TIMESTAMP": timestamp,
        }


class RefusedRead(VenueError):
    """A read was answered with an HTTP error: `status` and the venue's text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Rest:
    """One HTTP session. Every method raises VenueError for an answer that cannot be used."""

    def __init__(self, timeout_ms: int) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000)
        self._session: aiohttp.ClientSession | None = None
        self.credentials: Credentials | None = None

    async def close(self) -> None:
        """Close the session's connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get(self, base: str, path: str, query: Query = ()) -> Any:  # noqa: ANN401  JSON
        """A public GET."""
        return await self._request("GET", base, path, query)

    async def post(self, base: str, path: str, body: object) -> Any:  # noqa: ANN401  JSON
        """A public POST that only reads."""
        return await self._request("POST", base, path, (), body=orjson.dumps(body))

    async def private(self, base: str, path: str, query: Query = ()) -> Any:  # noqa: ANN401  JSON
        """A signed GET."""
        assert self.credentials is not None, "signed reads come after start"
        return await self._request("GET", base, path, query, headers=self.credentials.headers("GET", path))

    async def listing(self, base: str, path: str, query: Query = ()) -> list[dict[str, Any]]:
        """All pages of a signed cursor listing. An item that is no object is left out."""
        items: list[dict[str, Any]] = []
        cursor = ""
        for _ in range(MAX_PAGES):
            page = await self.private(base, path, (*query, ("next_cursor", cursor)) if cursor else query)
            data = page.get("data") if isinstance(page, dict) else None
            if not isinstance(data, list):
                raise BadMessage(f"{path}: a page without data")
            items += [item for item in data if isinstance(item, dict)]
            following = page.get("next_cursor") or END_CURSOR
            if following in (END_CURSOR, cursor):
                return items
            cursor = following
        raise BadMessage(f"{path}: more than {MAX_PAGES} pages")

    async def _request(
        self,
        method: str,
        base: str,
        path: str,
        query: Query,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401  JSON
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        sent = {**(headers or {}), **({"Content-Type": "application/json"} if body else {})}
        try:
            async with self._session.request(
                method, base + path, params=query, data=body, headers=sent, allow_redirects=False
            ) as answer:
                return _read(path, answer.status, await answer.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise VenueError(f"{path}: no answer ({type(error).__name__} {error})".rstrip()) from error


def _read(path: str, status: int, raw: bytes) -> Any:  # noqa: ANN401  JSON
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None if status >= 300 else _NOT_JSON
    if status >= 300:
        text = body.get("error") if isinstance(body, dict) else None
        raise RefusedRead(status, f"{path}: {status} {text or raw[:200].decode(errors='replace')}")
    if body is _NOT_JSON:
        raise BadMessage(f"{path}: the answer is no JSON")
    return body


_NOT_JSON = object()
