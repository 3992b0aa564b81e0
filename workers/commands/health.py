"""`arbsaga watchdog` and `arbsaga doctor`."""

import asyncio

from workers import console
from workers.commands.options import ConfigFile, DataDir, Live, open_folder, read
from workers.report import emit


def watchdog(config_file: ConfigFile = None, data_dir: DataDir = None) -> int:
    """Run the watchdog."""
    config, _ = read(config_file, data_dir)
    open_folder(config, "watchdog")

    async def idle(stop: asyncio.Event) -> int:
        emit("ready")
        await stop.wait()
        return 0

    return console.run(idle)


def doctor(config_file: ConfigFile = None, data_dir: DataDir = None) -> int:
    """Check."""
    return 1
