"""A look at several venues: one that is down takes nothing from the look at the others, and ends no incident."""

from dataclasses import dataclass, field, replace
from decimal import Decimal as D
from pathlib import Path

import pytest
from ledger_make import ACCOUNT, order_id, terms

from arbsaga.domain.instruments import Side
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.errors import Unavailable, VenueError
from arbsaga.ledger import Ledger
from arbsaga.reconcile.findings import Kind, findings
from arbsaga.reconcile.looking import Question
from arbsaga.venues.port import OpenOrder
from arbsaga.venues.several import Several
from workers.watchdog import WatchedVenue, WatchSettings, look

QUESTION = Question(0, frozenset({"111", "kalshi:KXT-1:NO"}))


@dataclass
class Part:
    """One venue, as far as the watchdog asks it."""

    name: str
    cash_usd: D = D(100)
    orders: list[OpenOrder] = field(default_factory=list)
    down: bool = False
    starts: bool = True
    asked: list[str] = field(default_factory=list)
    closed: int = 0

    async def start(self) -> None:
        if not self.starts:
            raise Unavailable(f"{self.name} cannot be started")

    async def close(self) -> None:
        self.closed += 1

    async def cash(self) -> Usd:
        if self.down:
            raise VenueError("502 bad gateway")
        return Usd(self.cash_usd)

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        if self.down:
            raise VenueError("502 bad gateway")
        return tuple(self.orders)

    async def fills_since(self, after_ms: int) -> tuple[()]:
        return ()

    async def positions(self, tokens: list[str]) -> dict[str, Size]:
        self.asked += tokens
        return {token: Size(D(1)) for token in tokens}


@dataclass
class Two:
    here: Part = field(default_factory=lambda: Part("polymarket"))
    there: Part = field(default_factory=lambda: Part("kalshi"))

    def watched(self) -> WatchedVenue:
        parts = {"polymarket": self.here, "kalshi": self.there}
        return WatchedVenue(lambda: Several(parts), 0)  # type: ignore[arg-type]  # all that it asks of a venue


@pytest.fixture
def two() -> Two:
    return Two()


def orphan(name: str) -> OpenOrder:
    return OpenOrder(name, "111", Side.BUY, Price(D("0.4")), Size(D(5)), Size(D(0)), 0)


async def test_both_venues_are_one_look(two: Two) -> None:
    two.here.orders, two.there.orders = [orphan("a")], [orphan("b")]
    found, down = await two.watched().look(QUESTION)
    assert {order.order_id for order in found.orders} == {"a", "b"}
    assert (found.cash, found.shares, dict(down)) == (200, {"111": 1, "kalshi:KXT-1:NO": 1}, {})
    assert (two.here.asked, two.there.asked) == (["111"], ["kalshi:KXT-1:NO"])


async def test_what_the_other_venue_shows_is_seen_although_one_is_down(two: Two) -> None:
    two.here.orders, two.there.down = [orphan("a")], True
    found, down = await two.watched().look(QUESTION)
    assert [order.order_id for order in found.orders] == ["a"]
    assert found.shares == {"111": 1}
    assert dict(down) == {"kalshi": "502 bad gateway"}


async def test_a_venue_that_cannot_be_started_is_tried_again(two: Two) -> None:
    two.there.starts, watched = False, two.watched()
    assert dict((await watched.look(QUESTION))[1]) == {"kalshi": "kalshi cannot be started"}
    two.there.starts = True
    found, down = await watched.look(QUESTION)
    assert (found.cash, dict(down)) == (200, {})
    await watched.close()


async def test_where_no_venue_answers_the_look_fails(two: Two) -> None:
    two.here.down = two.there.down = True
    with pytest.raises(VenueError, match="502"):
        await two.watched().look(QUESTION)


async def test_a_partial_look_pages_what_it_sees_and_ends_nothing(two: Two, ledger: Ledger, tmp_path: Path) -> None:
    """A trade with a leg at the dead venue may well move there: it is not called stalled."""
    mine, theirs = terms("T1"), terms("T2")
    away = replace(theirs, instrument=replace(theirs.instrument, venue="kalshi"))
    for order in (mine, away):
        ledger.intend([(order, order_id(order))], account=ACCOUNT, workflow_id="w", lease_id="l")
    two.here.orders = [orphan("stray")]
    settings = WatchSettings(ACCOUNT, tmp_path / "alerts.jsonl", stalled_ms=-(10**14))
    watched = two.watched()
    whole = await look(watched, ledger, settings)
    assert {one.trade_id for one in findings(whole) if one.kind is Kind.STALLED} == {"T1", "T2"}
    assert Kind.ORPHAN_ORDER in whole.judged
    two.there.down = True
    part = await look(watched, ledger, settings)
    found = findings(part)
    assert {one.trade_id for one in found if one.kind is Kind.STALLED} == {"T1"}
    assert {Kind.ORPHAN_ORDER, Kind.VENUE} <= {one.kind for one in found}
    assert part.judged == {Kind.TEMPORAL, Kind.VENUE, Kind.LEDGER}
    assert part.troubles[Kind.VENUE] == "kalshi: 502 bad gateway"
