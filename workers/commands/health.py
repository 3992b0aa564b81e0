"""`arbsaga watchdog` and `arbsaga doctor`."""

import asyncio

from workers import console
from workers.commands.options import ConfigFile, DataDir, Live, open_folder, read, require_switch
from workers.report import emit
from workers.site import open_ledger, open_pager, temporal_settings
from workers.venue import open_venue
from workers.watchdog import WatchSettings, watch


def watchdog(*, live: Live = False, config_file: ConfigFile = None, data_dir: DataDir = None) -> int:
    """Run the watchdog: it needs neither the trader nor Temporal to see what they left behind."""
    config, _ = read(config_file, data_dir)
    require_switch(config, live=live)
    folder = open_folder(config, "watchdog")
    temporal = temporal_settings(config, folder)
    settings = WatchSettings(
        config.account,
        folder.alerts,
        temporal=temporal.address,
        temporal_tls=temporal.tls,
        settle_ms=config.patience.settle_ms,
    )
    ledger, pager = open_ledger(config, folder), open_pager(config, folder)

    async def serve(stop: asyncio.Event) -> int:
        emit("ready")
        await watch(lambda: open_venue(config, folder), ledger, pager, settings, stop)
        return 0

    return console.run(serve)


def doctor(config_file: ConfigFile = None, data_dir: DataDir = None) -> int:
    """Check."""
    return 1
