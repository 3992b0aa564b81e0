"""The verdict on a soak: the exchanges' records against the ledger, the pages, and the workflows that are left."""

import importlib.util
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from temporalio.client import Client

from arbsaga.config import Config
from arbsaga.ledger import Ledger, TradeRow
from arbsaga.notify import Alert, read_alerts
from arbsaga.saga.messages import Phase
from workers import truths
from workers.folder import DataFolder
from workers.paper import KALSHI_MEMBER, wallet_address
from workers.site import pairs_file
from workers.verdict import compare

LATE_MS = 2_000
"""The limit around a post: one that left in time is waited for so long, and a starved exchange reads it as late."""
OPEN = "ExecutionStatus = 'Running'"


async def still_open(client: Client) -> list[str]:
    """The trades whose workflows have not ended."""
    return [found.id async for found in client.list_workflows(OPEN) if found.workflow_type == "ArbitrageWorkflow"]


def violations(config: Config, folder: DataFolder, ledger: Ledger) -> list[str]:
    """Every broken promise that the records show, a sentence each."""
    account, each = config.account, truths.read(config, folder)
    truth = truths.together(each)
    verdict = compare(truth, ledger, account, each if len(each) > 1 else None)
    rows = [row for row in ledger.trades() if row.account == account]
    found = [f"order {order_id} was sent twice" for order_id in truth.duplicates]
    if verdict.duplicate_orders > len(truth.duplicates):
        found.append(f"{verdict.duplicate_orders - len(truth.duplicates)} attempts have a second order")
    if verdict.unhedged_shares:
        found.append(f"{verdict.unhedged_shares} shares are naked: {'; '.join(verdict.exposures)}")
    found += verdict.differences
    found += [f"trade {row.trade_id} ended in the ledger as {row.phase}" for row in rows if not row.ended]
    found += damaged([folder.path / "ledger.sqlite", folder.temporal_dir / "temporal.sqlite"])
    found += silent(rows, read_alerts(folder.alerts) if folder.alerts.exists() else ())
    return found + second_judge(config, folder)


def damaged(files: Iterable[Path]) -> list[str]:
    """Databases that did not survive."""
    found = []
    for file in files:
        try:
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
                ((answer,), *_) = database.execute("PRAGMA quick_check").fetchall()
        except sqlite3.Error as error:
            answer = str(error)
        if answer != "ok":
            found.append(f"the database {file.name} is damaged: {answer}")
    return found


def silent(rows: Iterable[TradeRow], alerts: Sequence[Alert]) -> list[str]:
    """HELD trades of which no person was told. No service is configured here: the alert log is the delivery."""
    paged = {alert.page.trade_id for alert in alerts}
    held = (row for row in rows if row.phase is Phase.HELD)
    return [f"trade {row.trade_id} is HELD and nobody was paged" for row in held if row.trade_id not in paged]


def second_judge(config: Config, folder: DataFolder) -> list[str]:
    """What the checker finds that shares nothing with the trading code."""
    if importlib.util.find_spec("tools.check_truth") is None:
        return []
    from tools.check_truth import check  # noqa: PLC0415

    findings = check(
        folder.truth,
        folder.path / "ledger.sqlite",
        folder.alerts,
        config.account,
        wallet_address(config, folder),
        late_ms=LATE_MS,
        kalshi_truth=folder.truth_kalshi if "kalshi" in config.venues else None,
        kalshi_member=KALSHI_MEMBER,
        pairs=pairs if (pairs := pairs_file(config, folder)).exists() else None,
    )
    return [f"second judge: {line}" for line in findings.violations]
