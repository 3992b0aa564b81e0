"""The truth journal: one JSON object per line, written before the exchange answers.

Every line has `n` (sequence, from 1), `to` (the `n` of the last line of its batch), `ms` (wall clock), `ns` (monotonic
clock) and `kind`. A batch is one happening: it counts wholly or, cut short by a crash, not at all.
"""

import fcntl
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from arbsaga.errors import Unavailable

FORMAT = 1
"""Of the lines' fields, in every `opened` line. Lines of another format would be misread: they are refused."""

Record = tuple[str, dict[str, Any]]
"""(kind, fields)"""


@dataclass(frozen=True, slots=True)
class Journaled:
    """What a journal holds: its records, the last sequence number, and the bytes that are whole."""

    records: list[dict[str, Any]]
    last: int
    size: int


class Journal:
    """Appends batches to one file, which it holds alone. Survives kill -9; not synced, so not a power cut."""

    def __init__(self, path: Path, clock: Callable[[], int]) -> None:
        """Begin a journal. Raises Unavailable where the file cannot be opened, is in use, or is not empty."""
        self._open(path, clock)
        if os.fstat(self._fd).st_size:
            self.close()
            raise Unavailable(f"the truth journal {path} is not empty: recover from it, or name another file")

    @classmethod
    def resume(cls, path: Path, clock: Callable[[], int]) -> tuple["Journal", list[dict[str, Any]]]:
        """Go on with a journal, absent or empty ones included, and what it holds (see `read_journal`).

        Raises Unavailable where the file cannot be opened, is in use, or is damaged.
        """
        journal = cls.__new__(cls)
        journal._open(path, clock)
        try:
            held = read_journal(path)
        except Unavailable:
            journal.close()
            raise
        journal.last, journal._size = held.last, held.size
        os.ftruncate(journal._fd, held.size)
        return journal, held.records

    def _open(self, path: Path, clock: Callable[[], int]) -> None:
        self.path, self._clock = path, clock
        self.last = self._size = 0
        self._torn = False
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise Unavailable(f"the truth journal {path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise Unavailable(f"the truth journal {path} is in use by another exchange: stop that one first") from error

    def write(self, records: Sequence[Record]) -> int:
        """Append one batch in one write, and tell its `ms`. Raises Unavailable: then the file is as it was before."""
        ms, ns, last = self._clock(), time.monotonic_ns(), self.last + len(records)
        lines = [
            orjson.dumps(
                {"n": n, "to": last, "ms": ms, "ns": ns, "kind": kind, **fields}, option=orjson.OPT_APPEND_NEWLINE
            )
            for n, (kind, fields) in enumerate(records, self.last + 1)
        ]
        batch = b"".join(lines)
        try:
            self._append(batch)
        except OSError as error:
            raise Unavailable(
                f"the truth journal {self.path} cannot be written ({error.strerror}): no order is taken until it can"
            ) from error
        self.last = last
        self._size += len(batch)
        return ms

    def _append(self, batch: bytes) -> None:
        if self._torn:
            self._mend()
        try:
            written = 0
            while written < len(batch):
                written += os.write(self._fd, batch[written:])
        except OSError:
            self._torn = True
            self._mend()
            raise

    def _mend(self) -> None:
        """Take back the part of a batch that was written; where that fails too it is tried before the next write."""
        os.ftruncate(self._fd, self._size)
        self._torn = False

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def read_journal(path: Path) -> Journaled:
    """All whole batches of a journal; an absent file holds nothing.

    A torn last line and a batch cut short at the end are left out: they were never answered.
    Raises Unavailable where the file cannot be read, is of another format, or is damaged before its end.
    """
    try:
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    except OSError as error:
        raise Unavailable(f"the truth journal {path} cannot be read: {error.strerror}") from error
    whole: list[dict[str, Any]] = []
    batch: list[dict[str, Any]] = []
    read = size = last = 0
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            break
        record = _parse(line)
        if record is None or record.get("n") != last + 1 or not isinstance(record.get("to"), int):
            raise Unavailable(f"the truth journal {path} is damaged at line {number}: move it away to start anew")
        if record.get("kind") == "opened" and (written := record.get("format", FORMAT)) != FORMAT:
            raise Unavailable(
                f"the truth journal {path} has format {written} at line {number}, this version reads format {FORMAT}: "
                "read it with the version that wrote it, or move it away to start anew"
            )
        batch.append(record)
        last, read = last + 1, read + len(line)
        if last == record["to"]:
            whole += batch
            batch, size = [], read
    return Journaled(whole, whole[-1]["n"] if whole else 0, size)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None
