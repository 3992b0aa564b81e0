"""How the venue answers: JSON bodies, error bodies `{"error", "code"?, "retry_after_seconds"?}` and their status."""

from collections.abc import Mapping

import orjson
from aiohttp import web


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
