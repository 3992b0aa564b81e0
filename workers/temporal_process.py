"""The process of the embedded Temporal server: starts it, reports it ready, ends with it."""

import asyncio
from pathlib import Path
from typing import Literal

from workers.connect import TemporalSettings, prepare
from workers.report import emit
from workers.temporal_server import EmbeddedTemporal


async def serve(
    data_dir: Path, port: int, ui_port: int, synchronous: Literal["full", "normal"], stop: asyncio.Event
) -> int:
    """Run the server until `stop` is set (0) or it ends by itself (1). Raises Unavailable."""
    server = EmbeddedTemporal(data_dir, port=port, ui_port=ui_port, synchronous=synchronous)
    await server.start()
    ended, stopped = asyncio.create_task(server.wait()), asyncio.create_task(stop.wait())
    try:
        await prepare(TemporalSettings(server.address))
        emit("ready", address=server.address, ui=server.ui_url, pid=server.pid)
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return 0 if stop.is_set() else 1
    finally:
        ended.cancel()
        stopped.cancel()
        await server.stop()
