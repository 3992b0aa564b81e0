"""Signed requests to the venue's REST API, each with one hard deadline around the whole of it.

Every read is signed too: unsigned market data comes from a cache of up to 15 s (cache-control max-age=15), and nobody
should price from that. Nothing is retried: a write must not be, and a read is asked again by whoever needs it.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from arbsaga.errors import BadMessage, VenueError
from arbsaga.venues.kalshi.settings import KalshiSettings
from arbsaga.venues.kalshi.signing import Signer
from arbsaga.venues.kalshi.wire import Fault, load, read_fault

MAX_PAGES: Final = 1_000
"""Pages of one listing: a venue that never ends it must not hold us for ever."""
PAGE: Final = 1_000
"""Items of a page: the most the venue gives (1001 is a 400)."""
IDLE_S: Final = 30.0
"""A connection that was idle for so long is not used again: the server may have closed it."""

Params = Mapping[str, str | int | Sequence[str]]

for _name in ("httpcore", "httpx"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # at DEBUG they log headers: key id and signature


class RefusedRead(VenueError):
    """A read was answered with an HTTP error."""

    def __init__(self, path: str, fault: Fault) -> None:
        super().__init__(f"{path}: {fault}")
        self.fault = fault

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.fault.status


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request, whatever it says. `date` is the header: the venue's clock, in whole seconds."""

    status: int
    raw: bytes
    date: str = ""

    @property
    def fault(self) -> Fault:
        """What it says as an error."""
        return read_fault(self.status, self.raw)

    def body(self) -> Any:  # noqa: ANN401  JSON
        """Its JSON. Raises BadMessage."""
        return load(self.raw)


class Rest:
    """The venue's REST API as one key. Raises VenueError for an answer that cannot be used, or none."""

    def __init__(self, settings: KalshiSettings, signer: Signer) -> None:
        self._signer = signer
        self._read_s, self._write_s = settings.read_timeout_ms / 1000, settings.post_timeout_ms / 1000
        self._base = settings.rest_url.rstrip("/")
        limits = httpx.Limits(max_keepalive_connections=None, keepalive_expiry=IDLE_S)
        self._http = httpx.AsyncClient(timeout=max(self._read_s, self._write_s), limits=limits)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def get(self, path: str, params: Params | None = None) -> Mapping[str, Any]:
        """A read; `path` is relative to the API. Raises RefusedRead for an HTTP error, BadMessage for no object."""
        answer = await self.ask("GET", path, params=params, timeout_s=self._read_s)
        if answer.status >= 300:
            raise RefusedRead(path, answer.fault)
        body = answer.body()
        if not isinstance(body, Mapping):
            raise BadMessage(f"{path}: the answer is no object")
        return body

    async def listing(self, path: str, name: str, params: Params | None = None) -> list[Mapping[str, Any]]:
        """All pages of a listing whose items are under `name`. An item that is no object is left out.

        A cursor the venue does not know gives the first page again, silently: one that comes twice ends in BadMessage.
        """
        items: list[Mapping[str, Any]] = []
        cursor, used = "", {""}
        for _ in range(MAX_PAGES):
            page = await self.get(path, {**(params or {}), **({"cursor": cursor} if cursor else {})})
            found = page.get(name, False)
            if not isinstance(found, list | None):
                raise BadMessage(f"{path}: a page without {name}")
            items += [item for item in found or () if isinstance(item, Mapping)]
            cursor = str(page.get("cursor") or "")
            if not cursor:
                return items
            if cursor in used:
                break
            used.add(cursor)
        raise BadMessage(f"{path}: the listing does not end")

    async def delete(self, path: str, params: Params | None = None) -> Answer:
        """A cancel, sent once. Raises VenueError where no answer came: then it may or may not have been taken."""
        return await self.send(self.build("DELETE", path, params=params))

    async def ask(self, method: str, path: str, *, params: Params | None = None, timeout_s: float) -> Answer:
        """The answer to one request without a body, of any status. Raises VenueError for none."""
        return await self.send(self.build(method, path, params=params), timeout_s=timeout_s)

    def build(
        self, method: str, path: str, *, params: Params | None = None, body: bytes | None = None
    ) -> httpx.Request:
        """A signed request: to be sent at once, since its signature holds for some seconds. Raises VenueError."""
        try:
            request = self._http.build_request(method, self._base + path, params=params, content=body)
        except httpx.InvalidURL as error:
            raise VenueError(f"{path}: no address ({error})") from error
        request.headers.update(self._signer.headers(method, request.url.raw_path.decode()))
        if body is not None:
            request.headers["Content-Type"] = "application/json"
        return request

    async def send(self, request: httpx.Request, *, timeout_s: float | None = None) -> Answer:
        """The answer of any status, within `timeout_s` in all (a write's by default). Raises VenueError for none."""
        try:
            async with asyncio.timeout(self._write_s if timeout_s is None else timeout_s):
                response = await self._http.send(request)
        except (httpx.HTTPError, TimeoutError) as error:
            why = f"{type(error).__name__} {error}".rstrip()
            raise VenueError(f"{request.method} {request.url.path}: no answer ({why})") from error
        return Answer(response.status_code, response.content, response.headers.get("Date", ""))
