"""`arbsaga watchdog` and `arbsaga doctor`."""

import asyncio
from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from arbsaga.config import Config
from arbsaga.venues.polymarket.settings import CLOB
from workers import console
from workers.commands.options import ConfigFile, DataDir, Json, Live, open_folder, read, require_switch
from workers.connect import connect
from workers.connections import (
    kalshi_settings,
    open_dead_man,
    open_pager,
    open_polymarket,
    open_venue,
    temporal_settings,
)
from workers.console import show
from workers.doctor import Check, Status, Subject, examine
from workers.doctor_kalshi import KalshiSubject, examine_kalshi
from workers.folder import DataFolder
from workers.heartbeat import Heart
from workers.reconciler import last_reconciled
from workers.report import emit
from workers.site import exchange_url, open_ledger, pairs_file, venues_of
from workers.unconfirmed import UNCONFIRMED, Unconfirmed
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
    heart = Heart(
        lambda: open_dead_man(config, folder), ledger, pager, account=config.account, lock_file=folder.heartbeat
    )

    async def serve(stop: asyncio.Event) -> int:
        emit("ready")
        async with asyncio.TaskGroup() as group:
            group.create_task(watch(lambda: open_venue(config, folder), ledger, pager, settings, stop))
            if config.venue.dead_man and "polymarket" in venues_of(config, folder):
                group.create_task(heart.run(stop))
        return 0

    return console.run(serve)


def doctor(*, config_file: ConfigFile = None, data_dir: DataDir = None, as_json: Json = False) -> int:
    """Check keys, clock, exchange, allowances, Temporal and ledger; list what was never confirmed live."""
    config, folder = read(config_file, data_dir)
    folder.create()
    checks = asyncio.run(examine(_subject(config, folder)))
    venues = venues_of(config, folder)
    unconfirmed = [one for one in UNCONFIRMED if one.venue in venues]
    answer = {"checks": [asdict(check) for check in checks], "unconfirmed": [asdict(one) for one in unconfirmed]}
    show(answer, _report(checks, unconfirmed), as_json=as_json)
    return console.FAILED if any(check.status is Status.FAIL for check in checks) else console.OK


def _subject(config: Config, folder: DataFolder) -> Subject:
    venues, clob_url = venues_of(config, folder), config.venue.clob_url or CLOB
    if "polymarket" in venues and config.mode == "paper":
        clob_url = exchange_url(config, folder)
    kalshi = KalshiSubject(
        settings=lambda: kalshi_settings(config, folder),
        others=lambda: {"polymarket": open_polymarket(config, folder)} if "polymarket" in venues else {},
        pairs=pairs_file(config, folder),
        per_trade=config.per_trade,
        on_paper=config.mode == "paper",
    )
    return Subject(
        open_venue=(lambda: open_polymarket(config, folder)) if "polymarket" in venues else None,
        more=(lambda: examine_kalshi(kalshi),) if "kalshi" in venues else (),
        connect=lambda: connect(temporal_settings(config, folder)),
        last_reconciled=lambda client: last_reconciled(client, config.account),
        open_ledger=lambda: open_ledger(config, folder),
        clob_url=clob_url,
        wanted=config.total,
        page_services=len(config.notify.urls),
    )


def _report(checks: list[Check], unconfirmed: list[Unconfirmed]) -> RenderableType:
    grid = Table(box=None, show_header=False, pad_edge=False)
    for check in checks:
        grid.add_row(Text(check.status.value, _STYLES[check.status]), Text(check.name, "bold"), Text(check.line))
    lines: list[RenderableType] = []
    for venue in dict.fromkeys(one.venue for one in unconfirmed):
        lines.append(Text(f"\nNever confirmed against the live {venue.title()}:", "bold"))
        mine = (one for one in unconfirmed if one.venue == venue)
        lines += [Text(f"  {one.question}\n    until then: {one.we_do}", "dim") for one in mine]
    return Group(grid, *lines)


_STYLES = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}
