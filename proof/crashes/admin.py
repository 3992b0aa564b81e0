"""Calls of the exchanges' own controls."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

LIMIT_S = 20
AWAY_S = 0.1
"""How often an exchange that is being restarted is asked again."""


def call(url: str, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401  JSON
    """The answer of /admin/`path`, asked for again while nobody is there.

    Raises OSError where nobody comes within LIMIT_S, and for a no.
    """
    data = json.dumps(body or {}).encode() if method == "POST" else None
    request = urllib.request.Request(f"{url}/admin/{path}", data, method=method)
    request.add_header("Content-Type", "application/json")
    end = time.monotonic() + LIMIT_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError:
            raise
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(AWAY_S)


async def ask(url: str, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401  JSON
    """The same, while other things go on."""
    return await asyncio.to_thread(call, url, method, path, body)
