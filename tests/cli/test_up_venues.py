"""`arbsaga up` over two venues, end to end: trades between the simulated exchanges, judged by both truth journals."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from arbsaga_command import in_folder
from running import Running, key_is_nowhere, promise_held

from arbsaga.config import load
from workers.folder import DataFolder
from workers.paper import wallet_address

CHECK_TRUTH = Path(__file__).parents[2] / "tools" / "check_truth.py"


def judged_apart(data: Path) -> subprocess.CompletedProcess[str]:
    """What the judge says that shares no code with arbsaga."""
    files = {"truth": "truth.jsonl", "ledger": "ledger.sqlite", "alerts": "alerts.jsonl"}
    argv = [part for name, file in files.items() for part in (f"--{name}", str(data / file))]
    argv += ["--account", "main", "--wallet", wallet_address(load(), DataFolder(data)), "--limit", "100"]
    argv += ["--kalshi-truth", str(data / "truth-kalshi.jsonl")]
    return subprocess.run([sys.executable, str(CHECK_TRUTH), *argv], capture_output=True, text=True, check=False)


def test_it_trades_on_kalshi_alone(up: Callable[..., Running]) -> None:
    """Nothing there was ever mispriced: the run waited for its first trade for ever."""
    answer = up("--venues", "kalshi", "--trades", "3", "--seed", "7", "--json").result()
    promise_held(answer)
    assert answer["trades"] >= 3


def test_it_trades_between_two_venues_and_both_records_agree(up: Callable[..., Running], tmp_path: Path) -> None:
    running = up("--venues", "polymarket,kalshi", "--trades", "4", "--seed", "7", "--json")
    running.until(running.saw("trader is ready"))
    arbsaga = in_folder(tmp_path)
    checks = {one["name"]: one for one in json.loads(arbsaga("doctor", "--data-dir", "data", "--json").out)["checks"]}
    assert checks["kalshi key"]["status"] == checks["kalshi collateral"]["status"] == "ok", checks

    answer = running.result()
    promise_held(answer)
    assert answer["trades"] >= 4
    assert answer["cross_committed"] >= 1
    assert {venue: one["cash_equal"] for venue, one in answer["venues"].items()} == {"polymarket": True, "kalshi": True}
    assert all(one["orders"] for one in answer["venues"].values())
    assert len(answer["truth_journals"]) == 2
    assert answer["resolved_differently"] == 0

    judged = judged_apart(running.data)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    pairs = tomllib.loads((running.data / "pairs.toml").read_text())["pair"]
    assert {pair["approved_by"] for pair in pairs} == {"paper"}
    key_is_nowhere(running.data)
    secret = (running.data / "paper-kalshi.pem").read_text().splitlines()[1]
    files = [file for file in running.data.rglob("*") if file.is_file() and file.name != "paper-kalshi.pem"]
    assert not [file for file in files if secret.encode() in file.read_bytes()]
