"""Reading what the venue sends: JSON without floats, fixed-point numbers, times, and the shapes of its errors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from arbsaga.errors import BadMessage

_LONGEST: Final = 300
"""Characters kept of an answer that is no JSON: a gateway's HTML page."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What an error answer says. `code` is empty where the venue names none.

    `own`: it has one of the venue's own shapes, so that it is no gateway in front of it that speaks.
    """

    status: int
    code: str
    text: str
    own: bool

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.text}" if self.code else f"{self.status} {self.text}"


def load(raw: bytes | str) -> Any:  # noqa: ANN401  JSON
    """JSON with Decimals for its fractions. Raises BadMessage."""
    try:
        return json.loads(raw, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"no JSON: {error}") from error


def read_fault(status: int, raw: bytes) -> Fault:
    """The error of any shape: nested, flat, `msg`, a bare string, or a gateway's page. Never raises."""
    try:
        body = load(raw)
    except BadMessage:
        return Fault(status, "", raw[:_LONGEST].decode(errors="replace").strip() or "no text", own=False)
    said = body.get("error", body) if isinstance(body, Mapping) else body
    if not isinstance(said, Mapping):
        return Fault(status, "", str(said)[:_LONGEST], own=False)
    parts = [str(said[name]) for name in ("message", "details", "msg") if said.get(name)]
    code = str(said.get("code") or "")
    text = ", ".join(parts) or json.dumps(said, default=str)[:_LONGEST]
    return Fault(status, code, text, own=bool(code or parts))


def decimal(value: object) -> Decimal:
    """A finite number, sent as a fixed-point text or as a JSON number. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"no number: {value!r}")  # noqa: TRY004  one kind of error for every bad value
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"no number: {value!r}") from None
    if not number.is_finite():
        raise ValueError(f"no finite number: {value!r}")
    return number


def moment_ms(value: object) -> int:
    """A time of RFC 3339 as ms since the epoch. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"no time: {value!r}")  # noqa: TRY004  one kind of error for every bad value
    time = datetime.fromisoformat(value)
    if time.tzinfo is None:
        raise ValueError(f"a time without its zone: {value!r}")
    return round(time.timestamp() * 1000)
