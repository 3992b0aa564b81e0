"""Cases of markets: what is listed, what it asks, when it takes no orders, and how it ends."""

import asyncio
from decimal import Decimal

import pytest

from arbsaga.domain.instruments import Outcome
from arbsaga.domain.orders import OrderState
from arbsaga.errors import UnknownThing, UserError, VenueError

from .benches import Feature
from .desk import needs, until


async def test_c79_events(desk):
    """C79 Every open market is listed under its event's title, with two instruments that name each other."""
    events = await desk.venue.events()
    listed = {market.yes.market: (event, market) for event in events for market in event.markets}
    assert set(listed) == set(desk.bench.markets)
    tokens = set()
    for name, (event, market) in listed.items():
        assert event.title == desk.bench.titles[name]
        assert (market.open, market.winner, market.value) == (True, None, None)
        assert (market.yes.outcome, market.no.outcome) == (Outcome.YES, Outcome.NO)
        assert market.yes.other() == market.no
        assert {market.yes.venue, market.no.venue} == {desk.bench.name, desk.venue.name}
        assert market.yes.rules.on_grid(Decimal("0.40"))
        tokens |= {market.yes.token, market.no.token}
    assert len(tokens) == 2 * len(listed)


async def test_c80_listing_is_the_events(desk):
    """C80 A market asked for by its id is the one that events lists; one that is not there is UnknownThing."""
    listed = {market.yes.market: market for event in await desk.venue.events() for market in event.markets}
    for name in desk.bench.markets:
        assert await desk.venue.listing(name) == listed[name]
    with pytest.raises(UnknownThing):
        await desk.venue.listing("NO-SUCH-MARKET")


async def test_c81_question(desk):
    """C81 A market's question has the venue's own words and is the same each time; no market, UnknownThing."""
    name = desk.bench.markets[0]
    question = await desk.venue.question(name)
    assert (question.venue, question.market, question.open) == (desk.bench.name, name, True)
    assert question.title
    assert question.rules
    assert question.status
    assert question == await desk.venue.question(name)
    with pytest.raises(UnknownThing):
        await desk.venue.question("NO-SUCH-MARKET")


async def test_c82_pause(desk):
    """C82 While no order is taken, none is accepted, the venue says why, and cancels go on; then it ends."""
    resting = await desk.rest(desk.yes)
    assert await desk.venue.barred([desk.yes, desk.no]) == ""
    desk.bench.pause(1.5)
    (view,) = await desk.post(desk.terms(desk.yes))
    assert view.state in (OrderState.DONE, OrderState.UNKNOWN)
    assert view.known == 0
    assert not desk.venue.bars_account(view.reason)
    assert view.order_id not in desk.bench.truth().orders
    why = await desk.venue.barred([desk.yes])
    assert why
    assert "\n" not in why
    assert (await desk.follow(await desk.cancel(resting), lambda view: view.state.final)).in_vain

    async def over():
        return await desk.venue.barred([desk.yes, desk.no]) == ""

    await until(over)
    await asyncio.sleep(0.1)
    await desk.rest(desk.yes)


@pytest.mark.parametrize("winner", list(Outcome))
async def test_c83_market_that_is_decided(desk, winner):
    """C83 A decided market: no order is taken, the winner is listed, it is still among the events, and it pays."""
    view = await desk.buy(desk.yes)
    resting = await desk.rest(desk.yes)
    await desk.venue.events()
    before = desk.bench.truth().cash
    desk.bench.resolve(desk.yes.market, winner)
    worth = 10 if winner is Outcome.YES else 0
    truth = await desk.wait_for_truth(lambda truth: truth.cash == before + worth and not truth.positions)

    async def listed():
        listing = await desk.venue.listing(desk.yes.market)
        return (listing.open, listing.winner) == (False, winner)

    async def among_events():
        markets = [market for event in await desk.venue.events() for market in event.markets]
        return any(market.yes.market == desk.yes.market and market.winner is winner for market in markets)

    later = await desk.again()

    async def paid():
        held = await later.venue.positions([desk.yes.token])
        return (await later.venue.cash(), held[desk.yes.token]) == (truth.cash, 0)

    await until(listed)
    await until(among_events)
    await until(paid)
    assert view.confirmed == 10
    ended = await desk.follow(resting, lambda view: view.state.final)
    assert ended.in_vain
    (refused,) = await desk.post(desk.terms(desk.yes))
    assert (refused.in_vain, bool(refused.reason)) == (True, True)
    assert not desk.venue.bars_account(refused.reason)


@needs(Feature.SCALAR)
async def test_c84_market_that_pays_a_part(desk):
    """C84 A market decided between 0 and 1 has no winner and a value, which is what it pays."""
    await desk.buy(desk.yes)
    await desk.venue.events()
    before = desk.bench.truth().cash
    desk.bench.settle_at(desk.yes.market, desk.bench.part)
    truth = await desk.wait_for_truth(lambda truth: not truth.positions)
    assert truth.cash - before <= 10 * Decimal(desk.bench.part)

    async def listed():
        listing = await desk.venue.listing(desk.yes.market)
        return (listing.open, listing.winner, listing.value) == (False, None, Decimal(desk.bench.part))

    async def among_events():
        markets = [market for event in await desk.venue.events() for market in event.markets]
        return any(market.yes.market == desk.yes.market and market.value is not None for market in markets)

    await until(listed)
    await until(among_events)


async def test_c85_books_of_what_is_not_there(desk):
    """C85 Books of what does not exist are an error, for all that were asked for with it, and not an empty book."""
    with pytest.raises((UserError, VenueError)):
        await desk.venue.books(["no-such-token"])
    with pytest.raises((UserError, VenueError)):
        await desk.venue.books([desk.yes.token, "no-such-token"])
