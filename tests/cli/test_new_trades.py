"""Where new trades may go: the venues that somebody has named. Another one that the account is at is looked after."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from running import Running

from arbsaga.config import load
from arbsaga.errors import VenueError
from arbsaga.venues.chosen import Chosen
from arbsaga.venues.port import EventListing
from arbsaga.venues.several import Several, parts_of
from workers import trader_process
from workers.board import Board
from workers.folder import DataFolder
from workers.site import venues_for_new_trades, venues_of
from workers.view import _plain_line

BOTH = ("polymarket", "kalshi")


@dataclass
class Listing:
    """A venue, as far as events are asked of it."""

    name: str
    asked: list[str] = field(default_factory=list)

    async def events(self) -> Sequence[EventListing]:
        self.asked.append("events")
        return ()


def at(*names: str) -> tuple[dict[str, Listing], Any]:
    """The parts of an account at these venues, as the trader is made of them."""
    venues = {name: Listing(name) for name in names}
    tokens = {"kalshi:KX-1:YES": 3, "kalshi:KX-2:NO": 5, "77": 1}
    ledger = SimpleNamespace(positions=lambda _: tokens)
    whole = Several(venues)  # type: ignore[arg-type]  # all that is asked of a venue
    return venues, SimpleNamespace(venue=whole, ledger=ledger, config=SimpleNamespace(account="main"))


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """One whose account is at both venues already."""
    made = DataFolder(tmp_path / "data")
    made.create()
    made.choose_ports(BOTH)
    return made


def test_what_somebody_has_named_is_where_new_trades_go(folder: DataFolder) -> None:
    """`up --venues polymarket` once went on to send cross trades' orders to Kalshi."""
    assert venues_of(load(venues=("polymarket",)), folder) == BOTH
    assert venues_for_new_trades(load(venues=("polymarket",)), folder) == ("polymarket",)
    assert venues_for_new_trades(load(venues=("kalshi",)), folder) == ("kalshi",)
    assert venues_for_new_trades(load(venues=BOTH), folder) == BOTH
    assert venues_for_new_trades(load(), folder) == BOTH


async def test_only_chosen_venues_are_scanned_and_one_line_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    venues, parts = at(*BOTH)
    scanned = trader_process.scanned_venue(parts, ["polymarket"])
    await scanned.events()
    assert (venues["polymarket"].asked, venues["kalshi"].asked) == (["events"], [])
    with pytest.raises(VenueError, match="no venue kalshi here"):
        await scanned.sellable("kalshi:KX-1:YES")
    assert list(parts_of(scanned)) == ["polymarket"]
    (line,) = capsys.readouterr().out.splitlines()
    note = json.loads(line)
    assert note["text"] == "kalshi is open for its 2 positions only: no new trade goes there"
    assert _plain_line("trader", note) == note["text"]
    board = Board()
    board.feed("trader", note)
    assert list(board.alerts) == [note["text"]]


async def test_all_that_were_chosen_are_scanned_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    venues, parts = at(*BOTH)
    await trader_process.scanned_venue(parts, BOTH).events()
    assert venues["polymarket"].asked == venues["kalshi"].asked == ["events"]
    assert capsys.readouterr().out == ""


async def test_a_chosen_venue_that_is_started_anew_is_the_new_one() -> None:
    _, parts = at(*BOTH)
    chosen, again = Chosen(parts.venue, ["kalshi"]), Listing("kalshi")
    parts.venue._parts["kalshi"] = again
    await chosen.events()
    assert again.asked == ["events"]


def test_a_folder_that_has_both_venues_starts_no_trade_at_one_that_is_not_named(
    up: Callable[..., Running], tmp_path: Path
) -> None:
    """Ended, the first run leaves an account at both; the second names one."""
    data = tmp_path / "data"
    up("--venues", "polymarket,kalshi", "--trades", "1", "--json").result()
    before = len(kalshi_orders(data))
    second = up("--venues", "polymarket", "--trades", "3", "--json").result()
    assert second["trades"] >= 3
    assert second["cross_committed"] == 0
    assert len(kalshi_orders(data)) == before


def kalshi_orders(data: Path) -> list[dict[str, Any]]:
    lines = map(json.loads, (data / "truth-kalshi.jsonl").read_text().splitlines())
    return [line for line in lines if line["kind"] == "order" and line["account_id"] == "paper"]
