"""docs/venue-*.md name settings, files and open questions: each of them is there, and none is left out."""

import re
import tomllib
from pathlib import Path

import pytest

from arbsaga.config import VENUES, Config, Section, load
from arbsaga.exchange import settings as polymarket_engine
from arbsaga.exchange.faults import parse_fault
from arbsaga.exchange.kalshi import settings as kalshi_engine
from arbsaga.exchange.kalshi import venue as kalshi_wire
from arbsaga.exchange.polymarket import venue as polymarket_wire
from workers.unconfirmed import UNCONFIRMED

ROOT = Path(__file__).parents[2]
SWITCHES = {
    "polymarket": (polymarket_engine.EngineSettings, polymarket_wire.WireSettings),
    "kalshi": (kalshi_engine.EngineSettings, kalshi_wire.WireSettings),
}
KEYS = {
    f"{name}.{key}"
    for name, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    for key in field.annotation.model_fields
}
FILES = {"pairs.toml", "paper.key"}
"""What looks like a key, and is a file of the data folder."""
SECTIONS = {key.partition(".")[0] for key in KEYS}


def page(venue: str) -> str:
    return (ROOT / "docs" / f"venue-{venue}.md").read_text()


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """The cells of each row of the table under a heading, by the first one."""
    table = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = [line.strip("| \n").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {first: rest for first, *rest in cells[1:]}


@pytest.mark.parametrize("venue", VENUES)
def test_every_key_that_a_page_names_is_a_setting(venue) -> None:
    """Written as `section.key`, wherever it stands."""
    named = {key for key in re.findall(r"`([a-z]+\.[a-z_]+)`", page(venue)) if key.partition(".")[0] in SECTIONS}
    assert len(named) > 8
    assert named - FILES <= KEYS


@pytest.mark.parametrize("venue", VENUES)
def test_every_key_of_the_venue_is_on_its_page(venue) -> None:
    """Its own section wholly, the secret ones by their variables too."""
    section = {"polymarket": "venue", "kalshi": "kalshi"}[venue]
    assert [key for key in KEYS if key.startswith(f"{section}.") and f"`{key}`" not in page(venue)] == []
    assert f"ARBSAGA_{section.upper()}__PRIVATE_KEY" in page(venue)


@pytest.mark.parametrize("venue", VENUES)
def test_every_configuration_on_a_page_is_taken(venue, tmp_path) -> None:
    """The examples in toml, as they stand."""
    examples = re.findall(r"```toml\n(.+?)```", page(venue), re.S)
    assert examples
    for number, text in enumerate(examples):
        assert tomllib.loads(text)
        file = tmp_path / f"{number}.toml"
        file.write_text(text)
        load(file)


@pytest.mark.parametrize("venue", VENUES)
def test_what_was_never_confirmed_is_on_the_page_and_nothing_else(venue) -> None:
    """The questions that `arbsaga doctor` prints, to the letter; each with how to confirm it."""
    found = rows(page(venue), "Never confirmed against the live venue")
    assert set(found) == {one.question for one in UNCONFIRMED if one.venue == venue}
    assert all(len(cells) == 3 and all(cell.strip() for cell in cells) for cells in found.values())


def test_what_is_told_of_kalshi_is_what_is_done() -> None:
    """A voided market: the value, not what somebody paid; a gap: snapshots, no new subscription; words of refusals."""
    told = {one.question: one.we_do for one in UNCONFIRMED if one.venue == "kalshi"}
    assert "the market's settlement value" in next(do for question, do in told.items() if "voided" in question)
    assert "snapshots" in next(do for question, do in told.items() if "sequence" in question)
    assert any("market_already_closed" in question for question in told)
    assert any("attestation" in question for question in told)


@pytest.mark.parametrize("venue", VENUES)
def test_every_switch_is_one_of_the_simulated_exchange(venue) -> None:
    """Fields of its settings, or faults that can be given to it."""
    known = {name for settings in SWITCHES[venue] for name in settings.__dataclass_fields__}
    for _, switch, _ in rows(page(venue), "Never confirmed against the live venue").values():
        for fault in re.findall(r"fault `(\w+)`", switch):
            parse_fault(fault)
        rest = re.sub(r"fault `\w+`(, `[^`]*=[^`]*`)?", "", switch)
        assert set(re.findall(r"`(\w+)`", rest)) <= known, switch


@pytest.mark.parametrize("venue", VENUES)
def test_every_file_that_a_page_names_is_there(venue) -> None:
    """Paths of the repository in backticks, and links."""
    named = re.findall(r"`((?:arbsaga|workers)/[\w./]+)`", page(venue))
    linked = [f"docs/{name}" for name in re.findall(r"\]\(([\w-]+\.md)[)#]", page(venue))]
    assert [name for name in (*named, *linked) if not (ROOT / name).exists()] == []
