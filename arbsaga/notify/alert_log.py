"""The append-only alert log: every page as a JSON line on the disk before anything else happens to it.

Lines: `page` (the page itself), `sent` and `failed` (one service's answer). Safe from several processes.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson
from pydantic import TypeAdapter

from arbsaga.saga.messages import Page

Kind = Literal["page", "sent", "failed"]
_PAGE = TypeAdapter(Page)


@dataclass(frozen=True, slots=True)
class Alert:
    """A page as the log has it. `time_ms` since the epoch; `sent` and `failed` name services, without secrets."""

    page: Page
    time_ms: int
    sent: tuple[str, ...]
    failed: tuple[str, ...]


class AlertLog:
    """The log at one path. Methods raise OSError when the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Alert]:
        """Every page by its key, oldest first. A line that is not whole (a crash while writing) is skipped."""
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return {}
        alerts: dict[str, Alert] = {}
        for line in lines:
            _apply(alerts, line)
        return alerts

    def add(self, page: Page) -> Alert | None:
        """Write the page, once. None when it is new; otherwise what the log already has of its key."""
        with self._locked() as file:
            known = self.read().get(page.key)
            if known is None:
                _append(file, {"kind": "page", "page": _PAGE.dump_python(page)})
        return known

    def note(self, key: str, kind: Kind, service: str, text: str = "") -> None:
        """Write what became of a page at one service."""
        with self._locked() as file:
            _append(file, {"kind": kind, "key": key, "service": service, "text": text})

    @contextmanager
    def _locked(self) -> Iterator[int]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)


def _append(file: int, line: dict[str, object]) -> None:
    """One write and one fsync. A torn line of a crash before is ended first, so that it spoils no other."""
    size = os.fstat(file).st_size
    torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
    data = (b"\n" if torn else b"") + orjson.dumps({"ms": time.time_ns() // 1_000_000, **line}) + b"\n"
    if os.write(file, data) != len(data):
        raise OSError("the alert log was written only in part: is the disk full?")
    os.fsync(file)


def _apply(alerts: dict[str, Alert], line: bytes) -> None:
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return
    if entry["kind"] == "page":
        page = _PAGE.validate_python(entry["page"])
        alerts.setdefault(page.key, Alert(page, entry["ms"], (), ()))
        return
    alert = alerts[entry["key"]]
    sent, failed, service = set(alert.sent), set(alert.failed), entry["service"]
    if entry["kind"] == "sent":
        sent.add(service)
        failed.discard(service)
    else:
        failed.add(service)
    alerts[entry["key"]] = Alert(alert.page, alert.time_ms, tuple(sorted(sent)), tuple(sorted(failed)))


def read_alerts(path: Path, trade_id: str | None = None) -> tuple[Alert, ...]:
    """The pages in an alert log, oldest first; of one trade where it is named. Raises OSError."""
    alerts = AlertLog(path).read().values()
    return tuple(alert for alert in alerts if trade_id is None or alert.page.trade_id == trade_id)
