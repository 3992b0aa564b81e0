"""What a trade came to once its markets paid: shown instead of the promise, and a page where a pair's two disagree."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from io import StringIO
from pathlib import Path

import pytest
from arbsaga_command import Arbsaga
from cli_make import RULES, plan, record
from rich.console import Console

from arbsaga.domain.baskets import BasketKind, cross
from arbsaga.domain.instruments import Instrument, Outcome
from arbsaga.domain.money import Size, Usd
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager, read_alerts
from arbsaga.saga.messages import Phase, TradePlan
from arbsaga.venues.port import MarketListing
from arbsaga.venues.several import Several
from workers import trader_process
from workers.board import Board
from workers.payouts import Payouts
from workers.realised import of_ledger
from workers.story import tell
from workers.trade_event import of_record

D = Decimal


def yes_at(venue: str) -> Instrument:
    return Instrument(venue, f"m-{venue}", f"{venue}:m:YES", f"{venue}:m:NO", Outcome.YES, "Signed", RULES)


def crossing(kind: BasketKind = BasketKind.IDENTITY) -> TradePlan:
    """YES here and NO there, 20 of each at 40 cents."""
    return plan(basket=cross("treaty", "Signed", kind, yes_at("here"), yes_at("there").other()))


@dataclass
class Paying:
    """A venue's record of resolutions: all that payouts ask of it."""

    name: str
    values: dict[str, Decimal] = field(default_factory=dict)

    async def listing(self, market: str) -> MarketListing:
        yes = yes_at(self.name)
        return MarketListing(yes, yes.other(), not self.values, None, self.values.get(market))

    async def positions(self, tokens: Sequence[str]) -> Mapping[str, Size]:
        return {}


@dataclass
class Rig:
    here: Paying
    there: Paying
    ledger: Ledger
    payouts: Payouts
    folder: Path

    async def pay(self, here: str, there: str, kind: BasketKind = BasketKind.IDENTITY) -> None:
        """YES of each venue is worth this; a trade over both has been committed before."""
        self.ledger.record(record(crossing(kind), Phase.COMMITTED, "20", "20"))
        self.here.values, self.there.values = {"m-here": D(here)}, {"m-there": D(there)}
        await self.payouts.sweep()

    @property
    def pages(self) -> list[str]:
        return [f"{alert.page.headline} {alert.page.facts}" for alert in read_alerts(self.folder / "alerts.jsonl")]

    def told(self) -> str:
        story = self.ledger.trade("T1")
        assert story is not None
        console = Console(file=StringIO(), width=200)
        console.print(tell(story, of_ledger(self.ledger, story)))
        assert isinstance(console.file, StringIO)
        return console.file.getvalue().splitlines()[-1]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    (tmp_path / "data").mkdir()
    ledger = Ledger.open(f"sqlite:///{tmp_path}/data/ledger.sqlite")
    here, there = Paying("here"), Paying("there")
    for venue in (here, there):
        ledger.open_account("main", venue.name, Usd(D(100)))

    async def paid_out(_trade_id: str) -> None:
        """The desk is not of interest here."""

    pager = Pager([], tmp_path / "data" / "alerts.jsonl", lambda _: None)
    whole = Several({"here": here, "there": there})  # type: ignore[dict-item]  # all that payouts ask of a venue
    payouts = Payouts(whole, ledger, "main", paid_out, partial(trader_process.tell_result, pager))
    return Rig(here, there, ledger, payouts, tmp_path / "data")


@pytest.mark.parametrize(
    ("here", "there", "kind", "paid", "profit", "paged"),
    [
        ("1", "1", BasketKind.IDENTITY, "20", "3.8", False),
        ("0", "1", BasketKind.IDENTITY, "0", "-16.2", True),
        ("1", "0", BasketKind.IDENTITY, "40", "23.8", True),
        ("0", "0.26", BasketKind.IDENTITY, "14.8", "-1.4", True),
        ("1", "0", BasketKind.NESTED, "40", "23.8", False),
        ("0", "1", BasketKind.NESTED, "0", "-16.2", True),
    ],
)
async def test_a_pair_that_resolved_differently_is_one_page(
    rig: Rig, here: str, there: str, kind: BasketKind, paid: str, profit: str, *, paged: bool
) -> None:
    """Outside of a judged run nothing said that the promise was not kept."""
    await rig.pay(here, there, kind)
    await rig.payouts.catch_up(["T1"])
    assert len(rig.pages) == paged
    if paged:
        assert f"pair treaty resolved differently: profit ${profit} instead of $3.8" in rig.pages[0]
        assert f"('realised', '${paid}, profit ${profit}')" in rig.pages[0]
    shown = rig.told()
    assert f"paid ${paid}: profit ${profit} (promised were $20, profit $3.8)" in shown
    assert ("resolved differently" in shown) is paged


async def test_before_its_markets_have_paid_the_promise_is_shown(rig: Rig) -> None:
    rig.ledger.record(record(crossing(), Phase.COMMITTED, "20", "20"))
    rig.here.values = {"m-here": D(0)}
    assert await rig.payouts.sweep() == 1
    assert "pays $20: profit $3.80" in rig.told()
    assert rig.pages == []


async def test_a_trade_that_holds_nothing_has_no_other_result(rig: Rig) -> None:
    rig.ledger.record(record(crossing(), Phase.FLAT))
    story = rig.ledger.trade("T1")
    assert story is not None
    assert of_ledger(rig.ledger, story) is None


async def test_the_command_and_the_view_show_what_it_came_to(
    rig: Rig, said: Arbsaga, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[dict[str, object]] = []
    monkeypatch.setattr(trader_process, "emit", lambda event, **told: events.append({"event": event, **told}))
    board = Board()
    board.feed("trader", {"event": "trade", "trade": of_record(record(crossing(), Phase.COMMITTED, "20", "20"))})
    assert board.profit == D("3.8")
    await rig.pay("0", "1")
    (paid,) = events
    board.feed("trader", paid)
    board.feed("trader", paid | {"trade_id": "gone"})
    assert board.profit == D("-16.2")
    rig.ledger.close()
    answer = json.loads(said("show", "T1", "--data-dir", str(rig.folder), "--json").out.splitlines()[-1])
    assert answer["realised"] == {"paid": "0.000000", "profit": "-16.200000", "differently": True}
