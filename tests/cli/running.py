"""An `arbsaga up` under way, as a user runs it, and what every run must come to."""

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_S, RUN_S = 90, 240
KEYS = {
    "trades", "committed", "flat", "held", "refused", "orders_sent", "duplicate_orders", "unhedged_shares",
    "residue_shares", "ledger_equals_exchange", "fees_equal_billed", "messages", "profit_usd", "truth_journal",
    "decision_to_wire_ms", "done_ms",
}  # fmt: skip
"""What the last line of `up --json` has at least."""


@dataclass(slots=True)
class Running:
    """An `arbsaga up` under way, its two outputs in files."""

    folder: Path
    data: Path
    process: subprocess.Popen[bytes]

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text()

    def until(self, happened: Callable[[], object], limit_s: float = START_S) -> None:
        deadline = time.monotonic() + limit_s
        while not happened():
            assert self.process.poll() is None, f"it ended: {self.out}{self.err}"
            assert time.monotonic() < deadline, f"it did not happen: {self.out}{self.err}"
            time.sleep(0.1)

    def saw(self, text: str, times: int = 1) -> Callable[[], bool]:
        return lambda: (self.out + self.err).count(text) >= times

    @property
    def exchange(self) -> str:
        return f"http://127.0.0.1:{json.loads((self.data / 'ports.json').read_text())['exchange']}"

    def child(self, name: str) -> int:
        """The process id of a child, as the supervisor logged it last."""
        started = re.findall(rf'"child": "{name}", "pid": (\d+)', (self.data / "logs" / "up.log").read_text())
        return int(started[-1])

    def result(self) -> dict[str, Any]:
        code = self.process.wait(RUN_S)
        assert code == 0, f"exit code {code}: {self.out}{self.err}"
        answer = json.loads(self.out.strip().splitlines()[-1])
        assert isinstance(answer, dict)
        return answer


def promise_held(answer: dict[str, Any]) -> None:
    """Assert what every run must come to, whatever happened in it."""
    assert answer.keys() >= KEYS
    assert (answer["duplicate_orders"], answer["unhedged_shares"]) == (0, 0)
    assert answer["ledger_equals_exchange"]
    assert answer["fees_equal_billed"]
    assert answer["trades"] == answer["committed"] + answer["flat"] + answer["held"]


def key_is_nowhere(folder: Path) -> None:
    """Assert that no file but its own has the private key's bytes: no log, history, ledger or journal."""
    key = (folder / "paper.key").read_text().strip().removeprefix("0x")
    assert (folder / "paper.key").stat().st_mode & 0o777 == 0o600
    forms = (key.encode(), key.upper().encode(), bytes.fromhex(key))
    for file in folder.rglob("*"):
        if file.is_file() and file.name != "paper.key":
            content = file.read_bytes()
            assert not any(form in content for form in forms), f"the key is in {file}"


def fetched(url: str, body: dict[str, str] | None = None) -> Any:
    """The answer of the exchange to GET, or to POST of a body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)
