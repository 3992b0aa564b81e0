"""What a stage left behind, for a person: the logs of its processes and the exchange's own record."""

from collections.abc import Iterator
from pathlib import Path

import orjson

from proof.crashes.setting import TRUTH

QUIET = ("opened", "series", "event", "market", "account", "allowance", "balance")


def shown(folder: Path) -> str:
    """Logs, then the truth journal line by line, then the pages."""
    parts = [f"== {folder.name}"]
    for log in sorted(folder.glob("*.log")):
        parts += [f"-- {log.name}", log.read_text(errors="replace")]
    parts += ["-- the exchange's record", *_told(folder / "truth.jsonl")]
    if (folder / TRUTH).exists():
        parts += ["-- Kalshi's record", *_told(folder / TRUTH)]
    alerts = folder / "alerts.jsonl"
    if alerts.exists():
        parts += ["-- pages", alerts.read_text()]
    return "\n".join(parts)


def _told(journal: Path) -> Iterator[str]:
    for line in journal.read_bytes().splitlines():
        record = orjson.loads(line)
        if record["kind"] not in QUIET:
            rest = {key: value for key, value in record.items() if key not in ("n", "to", "ns", "ms", "kind", "steps")}
            yield f"{record['ms']} {record['kind']}: {orjson.dumps(rest).decode()[:400]}"
