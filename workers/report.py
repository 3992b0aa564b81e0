"""What a process tells its supervisor: one JSON object per line on standard output.

Events: ready · error {text} · trade {…} · paid {trade_id, profit} · capital {…} · stats {…} · alert {text} ·
note {text} · drained · swept.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any


def emit(event: str, **fields: Any) -> None:  # noqa: ANN401 (whatever JSON can hold)
    """Write one event line, at once. A supervisor that is gone is no reason to fail: the lifeline ends us."""
    try:
        sys.stdout.write(json.dumps({"event": event, **fields}, default=str, separators=(",", ":")) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open("/dev/null", "w")  # noqa: SIM115 (stays open as long as the process)


def parse(line: bytes) -> dict[str, Any] | None:
    """The event in a line, or None for a line that is none (a library's stray print)."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


async def commands() -> AsyncIterator[str]:
    """The supervisor's commands on standard input (one word a line), until it closes."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line := await reader.readline():
            yield line.decode().strip()
    finally:
        transport.close()
