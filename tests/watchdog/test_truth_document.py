"""docs/truth-journal.md says what the journal holds: a kind or a field that it does not name fails here."""

import json
import re
from pathlib import Path

import pytest
from desk_make import open_desk
from ledger_make import ACCOUNT

from arbsaga.errors import Rejected
from arbsaga.ledger import Ledger

DOCUMENT = Path(__file__).parents[2] / "docs" / "truth-journal.md"


def documented() -> dict[str, set[str]]:
    """The fields of each kind: what is in backticks in its row."""
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {kind: set(re.findall(r"`(\w+)`", text)) for kind, text in rows}


def test_every_line_of_a_journal_is_documented(tmp_path: Path, ledger: Ledger):
    """A run with a fill, a duplicate, a cancel, a fault, a refusal and a resolution."""
    desk = open_desk(tmp_path, ledger, "partial,count=1")
    of = desk.plan()
    for leg in range(2):
        desk.offer(of.basket.legs[leg].instrument)
        desk.send(desk.order(of, leg))
    for attempt, refused in ((1, {}), (2, {"limit": of.legs[0].limit + 1})):
        with pytest.raises(Rejected):
            desk.send(desk.order(of, 0, attempt, **refused), intend=False)
    desk.settle()
    desk.engine.cancel_all(ACCOUNT)
    desk.engine.change_tick(desk.yes[0].market, 1_000)
    desk.engine.set_allowance(ACCOUNT, "0xSpender", 5)
    desk.engine.resolve(desk.yes[0].market, 0)
    desk.engine.close()
    kinds, common = documented(), {"n", "to", "ms", "ns", "kind"}
    seen = set()
    for line in map(json.loads, desk.path.read_text().splitlines()):
        assert line["kind"] in kinds
        assert line.keys() - common <= kinds[line["kind"]], line["kind"]
        seen.add(line["kind"])
    assert {"order", "fill", "duplicate", "refused", "canceled", "payout", "settlement", "fault", "tick"} <= seen
