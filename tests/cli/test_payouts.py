"""Payouts: a position is booked once, when the venue has paid it and none of its fills can change any more."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import cli_make
import pytest
from cli_make import RULES, instrument, plan, record
from structlog.testing import capture_logs
from temporalio.service import RPCError, RPCStatusCode

from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Outcome
from arbsaga.domain.money import Size, Usd
from arbsaga.domain.orders import FillStatus
from arbsaga.errors import UnknownThing, VenueError
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import Phase
from arbsaga.venues.port import MarketListing
from arbsaga.venues.several import Several
from workers import trader_process
from workers.payouts import Payouts


@dataclass
class Paying:
    """The venue's record of resolutions and positions: all that payouts ask of it."""

    name: str = "sim"
    winners: dict[str, Outcome] = field(default_factory=dict)
    values: dict[str, Decimal] = field(default_factory=dict)
    down: bool = False
    unpaid: dict[str, Size] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    async def listing(self, market: str) -> MarketListing:
        if market in self.gone:
            raise UnknownThing(f"{self.name} has no market {market}")
        if self.down:
            raise VenueError(f"{self.name} does not answer")
        yes = instrument(market.removeprefix("m"))
        decided = market in self.winners or market in self.values
        return MarketListing(yes, yes.other(), not decided, self.winners.get(market), self.values.get(market))

    async def positions(self, tokens: Sequence[str]) -> Mapping[str, Size]:
        return {token: self.unpaid[token] for token in tokens if token in self.unpaid}


@dataclass
class Desk:
    venue: Paying
    ledger: Ledger
    payouts: Payouts
    told: list[str]

    @property
    def money(self) -> Decimal:
        return self.ledger.cash("main")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    ledger, venue, told = Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite"), Paying(), []
    ledger.open_account("main", "sim", Usd(Decimal(100)))

    async def paid_out(trade_id: str) -> None:
        told.append(trade_id)

    return Desk(venue, ledger, Payouts(venue, ledger, "main", paid_out), told)  # type: ignore[arg-type]  # all it asks


def held(desk: Desk, phase: Phase = Phase.COMMITTED, status: FillStatus = FillStatus.CONFIRMED) -> None:
    desk.ledger.record(record(plan(), phase, "20", "20", status=status))


async def test_a_resolved_basket_is_paid_out_once_and_its_trade_is_told(desk: Desk) -> None:
    held(desk)
    before = desk.money
    assert await desk.payouts.sweep() == 2
    desk.venue.winners = {"m0": Outcome.YES, "m1": Outcome.NO}
    assert await desk.payouts.sweep() == 0
    assert await desk.payouts.sweep() == 0
    assert desk.money == before + 20
    assert desk.told == ["T1"]
    assert desk.ledger.postings_balance() == 0


async def test_a_market_that_paid_a_part_of_a_dollar_is_booked_as_such(desk: Desk) -> None:
    """Kalshi settles an ambiguous market at a scalar value (Rule 6.3(c): YES $0.26, February 2026)."""
    held(desk)
    before = desk.money
    desk.venue.winners, desk.venue.values = {"m0": Outcome.NO}, {"m1": Decimal("0.26")}
    assert await desk.payouts.sweep() == 0
    assert desk.money == before + 20 * Decimal("0.26")
    assert desk.told == ["T1"]


async def test_a_split_decision_pays_both_sides_a_half_rounded_down(desk: Desk) -> None:
    """20.000001 shares pay 10 USD: a chain pays whole millionths, and the ledger must say the same."""
    desk.ledger.record(record(plan(), Phase.COMMITTED, "20.000001", "20.000001"))
    before = desk.money
    desk.venue.winners, desk.venue.values = {"m0": Outcome.NO}, {"m1": Decimal("0.5")}
    assert await desk.payouts.sweep() == 0
    assert desk.money == before + 10
    assert desk.told == ["T1"]


async def test_what_a_venue_keeps_below_its_precision_is_not_booked(desk: Desk, monkeypatch) -> None:
    """Kalshi's balances are in whole cents: a scalar payout is cut off there (market settlement)."""
    rounding = replace(RULES, fee=FeeSchedule(rounding=Usd(Decimal("0.01"))))
    monkeypatch.setattr(cli_make, "RULES", rounding)
    held(desk)
    before = desk.money
    desk.venue.values = {"m0": Decimal("0.2601"), "m1": Decimal(0)}
    assert await desk.payouts.sweep() == 0
    assert desk.money == before + Decimal("5.20")


async def test_a_venue_that_is_down_is_asked_again_and_stops_no_other(desk: Desk) -> None:
    held(desk)
    before, there = desk.money, Paying("polymarket")
    both = Several({"sim": desk.venue, "polymarket": there})  # type: ignore[dict-item]  # all it asks
    alone, desk.payouts = desk.payouts, replace(desk.payouts, venue=both)
    desk.venue.winners, desk.venue.down = {"m0": Outcome.YES, "m1": Outcome.NO}, True
    assert await desk.payouts.sweep() == 2
    desk.venue.down = False
    assert await desk.payouts.sweep() == 0
    assert desk.money == before + 20
    desk.venue.down, desk.payouts = True, alone
    held_again = record(plan("T2"), Phase.COMMITTED, "20", "20")
    desk.ledger.record(held_again)
    with pytest.raises(VenueError):
        await desk.payouts.sweep()


async def test_a_market_that_is_no_longer_shown_stops_no_payout_of_another(desk: Desk) -> None:
    held(desk)
    before = desk.money
    desk.venue.winners, desk.venue.gone = {"m0": Outcome.YES}, {"m1"}
    with capture_logs() as logs:
        assert await desk.payouts.sweep() == 1
        assert await desk.payouts.sweep() == 1
    assert desk.money == before + 20
    assert [log["market"] for log in logs if "no longer shown" in log["event"]] == ["m1"]


async def test_two_sweeps_at_once_pay_once(desk: Desk) -> None:
    """The periodic sweep and the one at the end of a run once booked the same position twice."""
    held(desk)
    before = desk.money
    desk.venue.winners = {"m0": Outcome.YES, "m1": Outcome.NO}
    await asyncio.gather(*(desk.payouts.sweep() for _ in range(4)))
    assert desk.money == before + 20
    assert desk.ledger.positions("main") == {}


async def test_a_trade_recorded_in_the_middle_of_a_sweep_is_paid_by_the_next(desk: Desk, monkeypatch) -> None:
    """Its shares were read before, its fills after: the payout's name would have been used up for a part of it."""
    held(desk)
    desk.venue.winners = {"m0": Outcome.YES, "m1": Outcome.NO}
    before, positions = desk.money, desk.venue.positions

    async def meanwhile(tokens: Sequence[str]) -> Mapping[str, Size]:
        desk.ledger.record(record(plan("T2"), Phase.COMMITTED, "20", "20"))
        return await positions(tokens)

    with monkeypatch.context() as patch:
        patch.setattr(desk.venue, "positions", meanwhile)
        assert await desk.payouts.sweep() == 2
    spent = before - desk.money
    assert await desk.payouts.sweep() == 0
    assert desk.money == before - spent + 40
    assert desk.ledger.positions("main") == {}


async def test_a_desk_that_cannot_be_told_is_told_later(desk: Desk) -> None:
    """Temporal may be down when a market resolves; the capital must come free all the same."""
    held(desk)
    desk.venue.winners = {"m0": Outcome.YES, "m1": Outcome.NO}
    told = desk.payouts.paid_out

    async def down(trade_id: str) -> None:
        raise RPCError("no server", RPCStatusCode.UNAVAILABLE, b"")

    desk.payouts.paid_out = down
    assert await desk.payouts.sweep() == 0
    assert desk.told == []
    desk.payouts.paid_out = told
    await desk.payouts.sweep()
    await desk.payouts.sweep()
    assert desk.told == ["T1"]


async def test_a_trade_is_told_of_only_when_nothing_of_it_is_held_any_more(desk: Desk) -> None:
    held(desk)
    desk.venue.winners = {"m1": Outcome.NO}
    assert await desk.payouts.sweep() == 1
    assert desk.told == []
    desk.venue.winners["m0"] = Outcome.YES
    await desk.payouts.sweep()
    assert desk.told == ["T1"]


async def test_nothing_is_booked_before_the_venue_has_paid(desk: Desk) -> None:
    held(desk)
    desk.venue.winners = {"m0": Outcome.YES, "m1": Outcome.NO}
    desk.venue.unpaid = {"yes0": Size(Decimal(20)), "yes1": Size(Decimal(20))}
    assert await desk.payouts.sweep() == 2
    assert desk.told == []


async def test_nothing_is_booked_while_a_fill_can_still_fail(desk: Desk) -> None:
    held(desk, Phase.HELD, FillStatus.MATCHED)
    desk.venue.winners = {"m0": Outcome.YES, "m1": Outcome.NO}
    assert await desk.payouts.sweep() == 2
    held(desk, Phase.HELD)
    assert await desk.payouts.sweep() == 0
    assert desk.told == ["T1"]


async def test_two_trades_of_one_basket_are_paid_together_and_both_told(desk: Desk) -> None:
    held(desk)
    desk.ledger.record(record(plan("T2"), Phase.COMMITTED, "20", "20"))
    desk.venue.winners = {"m0": Outcome.YES, "m1": Outcome.NO}
    before = desk.money
    assert await desk.payouts.sweep() == 0
    assert desk.money == before + 40
    assert desk.told == ["T1", "T2"]


async def test_after_a_restart_trades_paid_out_before_are_told_again(desk: Desk) -> None:
    held(desk)
    await desk.payouts.catch_up(["T1", "gone"])
    assert desk.told == []
    desk.venue.winners = {"m0": Outcome.YES, "m1": Outcome.NO}
    await desk.payouts.sweep()
    again = replace(desk.payouts, _trades={}, _instruments={})
    await again.catch_up(["T1"])
    assert desk.told == ["T1", "T1"]


async def test_a_venue_that_does_not_answer_is_asked_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    held(desk)
    desk.venue.winners = {"m0": Outcome.YES, "m1": Outcome.NO}
    answer, asked = desk.venue.listing, []

    async def flaky(market: str) -> MarketListing:
        asked.append(market)
        if len(asked) == 1:
            raise VenueError("no answer")
        return await answer(market)

    monkeypatch.setattr(desk.venue, "listing", flaky)
    task = asyncio.create_task(desk.payouts.run(0.01))
    deadline = time.monotonic() + 10
    while not desk.told:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    task.cancel()


async def test_a_sweep_that_was_asked_for_and_fails_ends_no_process(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor hears nothing, and asks again."""
    said: list[str] = []
    monkeypatch.setattr(trader_process, "emit", lambda event, **_: said.append(event))
    held(desk)

    async def no_answer(market: str) -> MarketListing:
        raise VenueError(f"no answer about {market}")

    with monkeypatch.context() as patch:
        patch.setattr(desk.venue, "listing", no_answer)
        await trader_process._sweep(desk.payouts)
    assert said == []
    await trader_process._sweep(desk.payouts)
    assert said == ["swept"]
