"""How the venue answers: JSON bodies, error bodies `{"error", "code"?, "retry_after_seconds"?}` and their status."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from aiohttp import web

MALFORMED = "Invalid order payload"


@dataclass(frozen=True, slots=True)
class Received:
    """When the bytes of a request were in: monotonic ns and wall ms."""

    ns: int
    ms: int


class Refusal(Exception):
    """An error answer of the venue. `code` and `retry_after` (s) are sent only where the venue sends them."""

    def __init__(
        self,
        status: int,
        text: str,
        *,
        code: str | None = None,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.code = code
        self.retry_after = retry_after
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        """The answer to send."""
        body: dict[str, object] = {"error": self.text}
        if self.code is not None:
            body["code"] = self.code
        if self.retry_after is not None:
            body["retry_after_seconds"] = self.retry_after
            self.headers["Retry-After"] = str(self.retry_after)
        return reply(body, status=self.status, headers=self.headers)


def reply(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer. Without the content type the official client ignores error, code and retry fields."""
    return web.Response(body=orjson.dumps(body), status=status, headers=headers, content_type="application/json")


def hang_up(request: web.Request) -> web.Response:
    """Closes the connection instead of answering. The response it gives is for the server loop, nobody reads it."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
