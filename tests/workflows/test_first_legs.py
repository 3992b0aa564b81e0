"""Trades that enter some legs first, and trades over two venues, on the real server."""

from dataclasses import replace
from decimal import Decimal

from memory_venue import Behaviour, MemoryVenue
from temporal_rig import FAST, D, Rig, make_plan, until
from test_recovery import reset_to_the_beginning

from arbsaga.domain.baskets import BasketKind, cross
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome
from arbsaga.domain.orders import Purpose
from arbsaga.errors import VenueError
from arbsaga.saga.messages import Phase, TradePlan
from arbsaga.venues.several import Several


async def test_the_other_legs_follow_for_what_the_first_filled(rig: Rig) -> None:
    """Intents before each of the two waves, each order sent once, and the trade commits what both have."""
    plan = replace(make_plan(), first=(1,))
    second = plan.basket.legs[1].instrument
    rig.venue.next(second, Behaviour(fills=Decimal("0.5")))
    async with rig.worker():
        record = await rig.trade(plan)
    assert (record.phase, record.hedged) == (Phase.COMMITTED, D(6))
    entries = [one.terms for one in rig.ledger.intents_by_trade(plan.trade_id)]
    assert [(terms.leg, terms.size, terms.purpose) for terms in entries] == [
        (1, D(12), Purpose.ENTER),
        (0, D(6), Purpose.ENTER),
    ]
    assert entries[0].created_ms == plan.decided_ms < entries[1].created_ms
    assert len(rig.venue.posts) == len(set(rig.venue.posts)) == 2


async def test_a_first_leg_that_fills_nothing_ends_the_trade(rig: Rig) -> None:
    plan = replace(make_plan(), first=(0,))
    rig.venue.next(plan.basket.legs[0].instrument, Behaviour(refuse="no liquidity"))
    async with rig.worker():
        record = await rig.trade(plan)
    assert (record.phase, record.reason) == (Phase.FLAT, "no liquidity")
    assert len(rig.venue.posts) == 1


async def test_an_abort_between_the_legs_undoes_what_filled(rig: Rig) -> None:
    plan = replace(make_plan(), first=(0,))
    first = plan.basket.legs[0].instrument
    rig.venue.next(first, Behaviour(fills=Decimal("0.75")))
    async with rig.worker():
        rig.quote(plan)
        handle = await rig.start(plan)
        await until(lambda: rig.venue.posts)
        await handle.signal("abort", "not today")
        record = await handle.result()
    assert record.phase in (Phase.FLAT, Phase.COMMITTED), record.reason
    entered = {one.terms.leg for one in rig.ledger.intents_by_trade(plan.trade_id) if one.terms.purpose == "enter"}
    assert entered == {0}, "the other leg is never entered, at most completed"
    assert rig.venue.held(first.token) - rig.venue.held(first.complement) == record.hedged


NET = MarketRules(D("0.01"), min_size=D("0.01"), min_notional=D(0), nets=True)


def pair_plan() -> TradePlan:
    """YES here, NO at a venue that nets outcomes; the one here goes first."""
    plan = make_plan(patience=FAST)
    name = plan.basket.event
    here = replace(plan.basket.legs[0].instrument, venue="polymarket")
    there = Instrument("kalshi", name, f"kalshi:{name}:NO", f"kalshi:{name}:YES", Outcome.NO, "Rain", NET)
    return replace(plan, basket=cross(name, "Rain?", BasketKind.IDENTITY, here, there), books=(), first=(0,))


async def test_a_venue_that_is_dead_for_a_while_is_waited_for(rig: Rig) -> None:
    """Its leg was refused, and then nothing of it can be read; when it is back, the trade completes there."""
    plan = pair_plan()
    here, there = (leg.instrument for leg in plan.basket.legs)
    venue, other = rig.venue, MemoryVenue()
    both = Several({"polymarket": venue, "kalshi": other})
    venue.quote(here, "0.41", "0.20")  # selling again would lose 2.52 USD
    other.quote(there, "0.41", "0.39")
    books = other.books
    failures = []

    async def dead(tokens: object) -> None:
        failures.append(tokens)
        if len(failures) > 2:
            other.books = books
        raise VenueError("connection refused")

    async def dies() -> None:
        other.books = dead

    other.next(there, Behaviour(refuse="connection lost", before=dies))
    async with rig.worker(rig.activities(both)):
        handle = await rig.start(plan)
        record = await handle.result()
    assert (record.phase, record.hedged) == (Phase.COMMITTED, D(12)), record.reason
    purposes = [view.terms.purpose for view in record.orders]
    assert purposes == [Purpose.ENTER, Purpose.ENTER, Purpose.COMPLETE]
    assert len(failures) == 3


async def test_a_reset_between_the_legs_sends_nothing_again(rig: Rig) -> None:
    """The legs that followed were written down: the second life looks them up, whatever the time is by then."""
    plan = replace(make_plan(), first=(1,))
    async with rig.worker():
        await rig.trade(plan)
        again = await reset_to_the_beginning(rig, plan)
    assert again["phase"] == "COMMITTED"
    assert len(rig.venue.posts) == 2
    assert rig.venue.refused_duplicates == 0
