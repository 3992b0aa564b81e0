"""How the venue says no: the five body shapes of its errors, and texts of the refusals that the wire makes itself.

The nested shape is the usual one; 429 is a bare string without Retry-After; gateways answer HTML.
"""

import orjson
from aiohttp import web

HTML = {
    500: "<html><head><title>500 Internal Server Error</title></head><body><h1>500</h1></body></html>",
    502: "<html><head><title>502 Bad Gateway</title></head><body><center>502 Bad Gateway</center></body></html>",
}


class Refusal(Exception):
    """An error answer: its status, and either a JSON body or, with `text`, anything else."""

    def __init__(self, status: int, body: object = None, *, text: str | None = None) -> None:
        super().__init__(f"{status} {text or body}")
        self.status, self.body, self.text = status, body, text

    def response(self) -> web.Response:
        """The answer to send."""
        if self.text is not None:
            return web.Response(text=self.text, status=self.status, content_type="text/html")
        return reply(self.body, status=self.status)


def nested(status: int, code: str, message: str = "", details: str = "") -> Refusal:
    """{"error": {"code", "message", "details"?}}: authentication and orders."""
    return Refusal(status, {"error": error(code, message, details)})


def error(code: str, message: str = "", details: str = "") -> dict[str, str]:
    """What is inside the nested shape; also an item of a batch that was refused."""
    body = {"code": code, "message": message or code.replace("_", " "), "service": "exchange"}
    return body | ({"details": details} if details else {})


def flat(details: str) -> Refusal:
    """{"code", "message", "details"}: JSON of the wrong type."""
    return Refusal(400, {"code": "bad_request", "message": "bad request", "details": details})


def invalid_parameter(text: str) -> Refusal:
    """{"msg"}: a query parameter that does not validate."""
    return Refusal(400, {"msg": text})


def too_many() -> Refusal:
    """429 with a string, and no Retry-After."""
    return Refusal(429, {"error": "too many requests"})


def html(status: int) -> Refusal:
    """What a gateway in front of the venue answers."""
    return Refusal(status, text=HTML.get(status, f"<html><body><h1>{status}</h1></body></html>"))


def unauthorized(details: str) -> Refusal:
    """401: no, wrong or late signature."""
    return nested(401, "authentication_error", "authentication_error", details)


def forbidden(code: str, details: str) -> Refusal:
    """403: scope, subaccount or region."""
    return nested(403, code, "forbidden", details)


def not_found(what: str) -> Refusal:
    """404 of a market, order, event or group."""
    return nested(404, f"{what}_not_found" if what == "market" else "not_found", f"{what} not found")


def reply(body: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
