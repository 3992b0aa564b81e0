"""docs/outcomes.md: each venue has its rows of posts and looks, and what they name is there."""

import re
from pathlib import Path

import pytest

from arbsaga.config import VENUES
from arbsaga.venues.kalshi.outcome import DUPLICATE, REFUSES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "outcomes.md").read_text()


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("venue", VENUES)
def test_every_venue_has_rows_of_posts_and_of_looks(venue: str) -> None:
    """It told of Polymarket alone, as if Kalshi's 429 were a refusal."""
    posts = section(f"One post to {venue.title()}")
    assert len([line for line in posts.splitlines() if line.startswith("| ")]) > 5
    assert f"UNKNOWN at {venue.title()}" in section("One order, later")


def test_refusals_of_kalshi_are_those_of_the_code() -> None:
    posts = section("One post to Kalshi")
    assert ", ".join(str(status) for status in sorted(REFUSES)) in posts
    assert f"409 `{DUPLICATE}` | UNKNOWN" in posts
    assert "| 429 | UNKNOWN" in posts


def test_every_file_that_it_names_is_there() -> None:
    named = re.findall(r"`((?:arbsaga|tests)/[\w./]+\.py)`", PAGE)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_link_leads_to_a_heading() -> None:
    for page, anchor in re.findall(r"\]\(([\w-]+\.md)#([\w-]+)\)", PAGE):
        headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / page).read_text(), re.M)
        assert anchor in {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}
