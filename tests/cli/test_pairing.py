"""Pairs in the trader: checked again and again, told to the scanner with what is left of their cap."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest
from cli_make import NOW, plan, record

from arbsaga.detect import WatchedPair
from arbsaga.domain.baskets import BasketKind, cross
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome
from arbsaga.domain.money import Usd
from arbsaga.errors import UnknownThing, VenueError
from arbsaga.exchange.paired import PairedSettings, current
from arbsaga.ledger import Ledger
from arbsaga.pairs import Relation
from arbsaga.pairs.approving import Approval, approve
from arbsaga.pairs.pair import PAPER
from arbsaga.pairs.registry import Registry, load
from arbsaga.pairs.writing import save
from arbsaga.saga.messages import Phase, TradePlan, TradeRecord
from arbsaga.venues.port import MarketListing, Question
from workers import paper_pairs
from workers.holdings import Holdings
from workers.pairing import Pairing
from workers.paper_pairs import PaperPairs

DAY_MS = 86_400_000
FAR_MS = 4_000_000_000_000
RULES = MarketRules(tick=Decimal("0.01"))
D = Decimal


@dataclass
class Listed:
    """A venue, as far as pairs ask it."""

    name: str
    texts: dict[str, str] = field(default_factory=dict)
    down: bool = False

    async def question(self, market: str) -> Question:
        if self.down:
            raise VenueError(f"{self.name} does not answer")
        if market not in self.texts:
            raise UnknownThing(f"{self.name} has no market {market}")
        return Question(self.name, market, "Will it be signed?", self.texts[market], "active", True, FAR_MS, FAR_MS)

    async def listing(self, market: str) -> MarketListing:
        await self.question(market)
        yes = Instrument(self.name, market, f"{market}-yes", f"{market}-no", Outcome.YES, "Signed", RULES)
        return MarketListing(yes, yes.other(), True, closes_ms=FAR_MS, resolves_ms=FAR_MS)


@dataclass
class Rig:
    here: Listed
    there: Listed
    pairing: Pairing
    told: list[list[WatchedPair]]
    alerts: list[str]
    file: Path

    @property
    def watched(self) -> list[WatchedPair]:
        return self.told[-1]


@pytest.fixture
async def rig(tmp_path: Path) -> Rig:
    """One pair of identical questions with a cap of $20, approved by ann."""
    here, there = Listed("polymarket", {"0xc": "rules here"}), Listed("kalshi", {"KXT-1": "rules there"})
    told: list[list[WatchedPair]] = []
    alerts: list[str] = []
    file = tmp_path / "pairs.toml"
    approval = Approval("treaty", Relation.IDENTITY, "ann", Usd(D(20)))
    pair = approve(approval, await here.question("0xc"), await there.question("KXT-1"), NOW)
    save(Registry((pair,)), file)

    def tell(pairs: Sequence[WatchedPair]) -> None:
        told.append(list(pairs))

    venues = {"polymarket": here, "kalshi": there}
    made = Pairing(venues, file, tell, alerts.append)  # type: ignore[arg-type]  # all that it asks of a venue
    return Rig(here, there, made, told, alerts, file)


def crossing(trade_id: str = "T1", reserved: str = "8", **changes: object) -> TradePlan:
    a = Instrument("polymarket", "0xc", "0xc-yes", "0xc-no", Outcome.YES, "Signed", RULES)
    b = Instrument("kalshi", "KXT-1", "KXT-1-yes", "KXT-1-no", Outcome.YES, "Signed", replace(RULES, pocket="0"))
    basket = cross("treaty", "Signed", BasketKind.IDENTITY, a, b.other())
    return plan(trade_id, basket=basket, reserved=Usd(D(reserved)), **changes)


def at(phase: Phase, trade_id: str = "T1", *filled: str, reserved: str = "8") -> TradeRecord:
    return record(crossing(trade_id, reserved), phase, *filled)


async def test_an_approved_pair_is_watched_both_ways_for_its_cap(rig: Rig) -> None:
    await rig.pairing.check()
    (pair,) = rig.watched
    assert (pair.name, pair.kind, pair.cap, len(pair.combos)) == ("treaty", BasketKind.IDENTITY, 20, 2)
    days = rig.pairing.days("pairs/treaty")
    assert days is not None
    assert days > 1_000
    assert rig.pairing.days("event") is None


async def test_a_text_that_changed_stops_the_pair_and_a_person_is_told_once(rig: Rig) -> None:
    await rig.pairing.check()
    rig.there.texts["KXT-1"] = "other rules"
    await rig.pairing.check()
    await rig.pairing.check()
    assert rig.watched == []
    assert len(rig.alerts) == 1
    assert "pair treaty is not traded" in rig.alerts[0]
    rig.there.texts["KXT-1"] = "rules there"
    await rig.pairing.check()
    assert len(rig.watched) == 1


async def test_a_venue_that_is_down_stops_its_pairs_until_it_answers(rig: Rig) -> None:
    rig.there.down = True
    await rig.pairing.check()
    assert rig.watched == []
    rig.there.down = False
    await rig.pairing.check()
    assert len(rig.watched) == 1


async def test_a_file_with_a_mistake_stops_all_pairs_with_one_line(rig: Rig) -> None:
    await rig.pairing.check()
    rig.file.write_text("[[pair]]\nname = 1\n")
    await rig.pairing.check()
    assert rig.watched == []
    assert rig.alerts[0].startswith("no pair is traded:")


async def test_an_approval_needs_no_restart(rig: Rig) -> None:
    text = rig.file.read_text()
    rig.file.unlink()
    await rig.pairing.check()
    assert rig.watched == []
    rig.file.write_text(text)
    await rig.pairing.check()
    assert len(rig.watched) == 1


async def test_what_trades_hold_counts_off_the_cap_until_it_is_paid_out(rig: Rig) -> None:
    """At what it pays, as in the ledger: counted at its cost, the scanner offered what the ledger then refused."""
    await rig.pairing.check()
    rig.pairing.heard(at(Phase.PLACING))
    assert rig.watched[0].cap == rig.pairing.left("pairs/treaty") == 12
    rig.pairing.heard(at(Phase.PLACING, "T2", reserved="12"))
    assert rig.watched == []
    rig.pairing.heard(at(Phase.FLAT, "T2"))
    assert rig.watched[0].cap == 12
    rig.pairing.heard(at(Phase.COMMITTED, "T1", "20", "20"))
    assert rig.pairing.left("pairs/treaty") == 0
    rig.pairing.paid_out("T1")
    assert rig.watched[0].cap == 20


async def test_a_pair_that_was_taken_out_of_the_file_has_nothing_left(rig: Rig) -> None:
    await rig.pairing.check()
    assert rig.pairing.left("pairs/gone") == rig.pairing.cap("pairs/gone") == 0
    assert rig.pairing.left("race") is rig.pairing.cap("race") is None
    assert rig.pairing.cap("pairs/treaty") == 20


def test_holdings_are_known_again_after_a_restart(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite")
    ledger.open_account("main", "polymarket", Usd(D(100)))
    ledger.record(at(Phase.COMMITTED, "T1", "20", "20"))
    ledger.record(at(Phase.FLAT, "T2"))
    ledger.record(at(Phase.WATCHING, "T3"))
    holdings = Holdings()
    holdings.recall(ledger, "main")
    assert holdings.trades.keys() == {"T1", "T3"}
    assert {event for event, _ in holdings.by_event()} == {"pairs/treaty"}
    pockets = holdings.by_pocket()
    assert list(pockets) == [("kalshi", "0"), ("polymarket", "")]
    assert all(usd > 8 for usd in pockets.values())
    assert holdings.paid_out("T1")
    assert not holdings.paid_out("T1")


# -- the simulated pairs of paper trading ------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    now = [NOW]
    monkeypatch.setattr(paper_pairs, "wall_ms", lambda: now[0])
    return now


def world(now_ms: int) -> dict[str, Listed]:
    """Both venues as the simulated exchanges list them now."""
    here, there = Listed("polymarket"), Listed("kalshi")
    for one in current(PairedSettings(NOW), now_ms):
        here.texts[one.ids[0]], there.texts[one.ticker] = "rules here", "rules there"
    return {"polymarket": here, "kalshi": there}


async def test_simulated_pairs_are_approved_by_paper_and_say_so(tmp_path: Path, clock: list[int]) -> None:
    file, paper = tmp_path / "pairs.toml", PaperPairs(PairedSettings(NOW), Usd(D(25)))
    await paper.approve(world(NOW), file)  # type: ignore[arg-type]  # all that it asks of a venue
    pairs = load(file).pairs
    assert [pair.relation for pair in pairs] == [Relation.IDENTITY, Relation.COMPLEMENT, Relation.SUPERSET]
    assert {pair.approved_by for pair in pairs} == {PAPER}
    assert all("no person" in pair.notes for pair in pairs)
    clock[0] += 10 * 60_000
    await paper.approve(world(clock[0]), file)  # type: ignore[arg-type]  # all that it asks of a venue
    assert not {pair.name for pair in pairs} & {pair.name for pair in load(file).pairs}


async def test_a_simulated_pair_that_a_venue_does_not_list_yet_comes_later(tmp_path: Path, clock: list[int]) -> None:
    file, paper = tmp_path / "pairs.toml", PaperPairs(PairedSettings(NOW), Usd(D(25)))
    venues = world(NOW)
    texts, venues["kalshi"].texts = venues["kalshi"].texts, {}
    await paper.approve(venues, file)  # type: ignore[arg-type]  # all that it asks of a venue
    assert load(file).pairs == ()
    venues["kalshi"].texts = texts
    await paper.approve(venues, file)  # type: ignore[arg-type]  # all that it asks of a venue
    assert len(load(file).pairs) == 3


async def test_what_a_person_approves_while_venues_are_asked_stays(rig: Rig, clock: list[int]) -> None:
    """The registry that was read before the venues were asked was written over the person's approval."""
    treaty = rig.file.read_text()
    rig.file.unlink()
    venues, paper = world(NOW), PaperPairs(PairedSettings(NOW), Usd(D(25)))
    ask = venues["kalshi"].question

    async def meanwhile(market: str) -> Question:
        rig.file.write_text(treaty)
        return await ask(market)

    venues["kalshi"].question = meanwhile  # type: ignore[method-assign]  # a person is as fast as that
    await paper.approve(venues, rig.file)  # type: ignore[arg-type]  # all that it asks of a venue
    assert {"treaty"} < {pair.name for pair in load(rig.file).pairs}
    assert len(load(rig.file).pairs) == 4


async def test_real_money_is_never_traded_on_what_paper_approved(rig: Rig) -> None:
    """The same file under a live configuration: no person has compared these texts."""
    rig.file.write_text(rig.file.read_text().replace('"ann"', '"paper"'))
    await rig.pairing.check()
    assert rig.watched == []
    assert "pair treaty is not traded: approved by paper trading, not by a person" in rig.alerts[0]
    rig.pairing.on_paper = True
    await rig.pairing.check()
    assert [pair.name for pair in rig.watched] == ["treaty"]


async def test_pairs_that_a_person_approved_stay(rig: Rig, clock: list[int]) -> None:
    paper = PaperPairs(PairedSettings(NOW), Usd(D(25)))
    await paper.approve(world(NOW), rig.file)  # type: ignore[arg-type]  # all that it asks of a venue
    assert {"treaty"} < {pair.name for pair in load(rig.file).pairs}
