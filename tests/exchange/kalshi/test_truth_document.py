"""docs/truth-journal-kalshi.md says what the journal holds: a kind or a field that it does not name fails here."""

import re
from pathlib import Path

from arbsaga.exchange.units import ONE

from .flow import Flow
from .scene import ANN, open_scene
from .test_recovery import FAULTS, FEES

DOCUMENT = Path(__file__).parents[3] / "docs" / "truth-journal-kalshi.md"


def documented() -> dict[str, set[str]]:
    """The fields of each kind: what is in backticks in its row."""
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {kind: set(re.findall(r"`(\w+)`", text)) for kind, text in rows}


def test_every_line_of_a_journal_is_documented(tmp_path) -> None:
    """Of a random flow with everything that it does not draw added: every documented kind is seen."""
    scene = open_scene(tmp_path / "truth", faults=FAULTS, **FEES)
    flow = Flow(scene, 2)
    for _ in range(400):
        flow.step()
    scene.engine.set_event_fees("EV", None, None)
    scene.engine.set_price_ranges("A", ((0, ONE, 1_000),))
    scene.engine.halt(trading=True)
    scene.engine.delete_group(ANN, flow.group)
    for ticker in "AB":
        scene.engine.determine(ticker, 0)
    scene.wait(60_000)
    kinds, seen = documented(), set()
    for line in scene.journal():
        assert line["kind"] in kinds
        assert line.keys() - {"n", "to", "ms", "ns", "kind"} <= kinds[line["kind"]], line["kind"]
        seen.add(line["kind"])
    assert seen == kinds.keys()
