"""Cases of placing: what is accepted, what is refused, and what is never sent."""

import asyncio
from decimal import Decimal

import pytest

from arbsaga.domain.instruments import Side
from arbsaga.domain.orders import OrderState, TimeInForce
from arbsaga.errors import VenueError

from .benches import Trouble
from .desk import needs, settled, until


async def test_c01_accepted_and_resting(desk):
    """C01 An order that finds nothing to trade rests: LIVE, under the id known before, once."""
    (view,) = await desk.post(desk.terms(desk.yes))
    assert (view.state, view.known, view.reason) == (OrderState.LIVE, 0, "")
    order = desk.one_order(view).orders[view.order_id]
    assert (order.open, order.size, order.filled) == (True, 10, 0)


async def test_c02_accepted_and_filled_at_once(desk):
    """C02 An order that finds its price fills: DONE, with the fills, the fee and the cash of the truth."""
    before = desk.bench.truth().cash
    desk.bench.offer(desk.yes, Side.SELL, "0.40", "10")
    (posted,) = await desk.post(desk.terms(desk.yes))
    assert (posted.state, posted.known) == (OrderState.DONE, 10)
    view = await desk.follow(posted, settled)
    truth = desk.one_order(view)
    assert view.confirmed == truth.orders[view.order_id].filled == 10
    assert sum(fill.fee for fill in view.fills) == sum(fill.fee for fill in truth.fills) > 0
    assert truth.cash == before - view.spent
    assert truth.positions == {desk.yes.token: 10}


async def test_c03_part_fills_and_the_rest_is_cancelled(desk):
    """C03 A part fills at once, the rest is cancelled: DONE, with that part alone."""
    desk.bench.offer(desk.yes, Side.SELL, "0.40", "6")
    (view,) = await desk.post(desk.terms(desk.yes))
    assert (view.state, view.known) == (OrderState.LIVE, 6)
    view = await desk.follow(await desk.cancel(view), settled)
    assert (view.state, view.confirmed, view.matched) == (OrderState.DONE, 6, 6)
    assert desk.bench.truth().positions == {desk.yes.token: 6}


async def test_c04_better_price_than_the_limit(desk):
    """C04 A marketable GTC buy gets exactly its size, for less than its limit allows."""
    desk.bench.offer(desk.yes, Side.SELL, "0.35", "20")
    (view,) = await desk.post(desk.terms(desk.yes, price="0.45"))
    view = await desk.follow(view, settled)
    (fill,) = view.fills
    assert (view.confirmed, fill.price) == (10, Decimal("0.35"))


async def test_c05_fok_that_is_killed_is_refused(desk):
    """C05 A FOK that finds too little is over with nothing, and the venue's words are its reason."""
    desk.bench.offer(desk.yes, Side.SELL, "0.40", "6")
    (view,) = await desk.post(desk.terms(desk.yes, kind=TimeInForce.FOK))
    assert (view.state, view.known) == (OrderState.DONE, 0)
    assert view.reason
    assert not desk.venue.bars_account(view.reason)
    assert desk.bench.truth().fills == []
    assert await desk.venue.open_orders() == ()


async def test_c06_fok_that_finds_enough(desk):
    """C06 A FOK that finds its size at one price fills wholly, and is over."""
    desk.bench.offer(desk.yes, Side.SELL, "0.40", "30")
    (posted,) = await desk.post(desk.terms(desk.yes, kind=TimeInForce.FOK))
    assert (posted.state, posted.known) == (OrderState.DONE, 10)
    assert (await desk.follow(posted, settled)).confirmed == 10


async def test_c07_fak_takes_what_is_there(desk):
    """C07 A FAK fills in part and never rests."""
    desk.bench.offer(desk.yes, Side.SELL, "0.40", "6")
    (posted,) = await desk.post(desk.terms(desk.yes, kind=TimeInForce.FAK))
    assert (posted.state, posted.known) == (OrderState.DONE, 6)
    assert (await desk.follow(posted, settled)).confirmed == 6


async def test_c08_fak_that_finds_nothing(desk):
    """C08 A FAK that finds nothing is over with nothing, however the venue says it."""
    (view,) = await desk.post(desk.terms(desk.yes, kind=TimeInForce.FAK))
    view = await desk.follow(view, lambda view: view.state is OrderState.DONE)
    assert view.in_vain
    assert desk.bench.truth().fills == []


@pytest.mark.parametrize("wrong", ["price", "size"])
async def test_c09_off_the_grid(desk, wrong):
    """C09 A price or a size off the grid: VenueError before anything is sent, or a refusal; never an unknown."""
    rules = desk.yes.rules
    odd = {"price": str(Decimal("0.40") + rules.tick / 2)} if wrong == "price" else {"size": str(rules.min_size / 2)}
    try:
        (view,) = await desk.post(desk.terms(desk.yes, **odd))
    except VenueError:
        assert desk.bench.truth().refused == {}
    else:
        assert (view.state, view.known, bool(view.reason)) == (OrderState.DONE, 0, True)
    assert desk.bench.truth().orders == {}


async def test_c10_more_than_the_balance(bench, desk):
    """C10 An order that the cash does not cover is refused, in words that bar nothing; the next one is taken."""
    desk.bench.offer(desk.yes, Side.SELL, "0.40", "9000")
    big, small = desk.terms(desk.yes, size="6000"), desk.terms(desk.yes)
    (refused,) = await desk.post(big)
    assert (refused.state, refused.known, bool(refused.reason)) == (OrderState.DONE, 0, True)
    assert not desk.venue.bars_account(refused.reason)
    (taken,) = await desk.post(small)
    assert taken.known == 10
    assert set(bench.truth().orders) == {taken.order_id}


async def test_c11_refused_in_the_exchanges_words(desk):
    """C11 A refusal is DONE with the exchange's own words: proof that nothing rests or filled."""
    desk.bench.strike(Trouble.REFUSED)
    (view,) = await desk.post(desk.terms(desk.yes))
    (words,) = desk.bench.truth().refused.values()
    assert (view.state, view.known) == (OrderState.DONE, 0)
    assert view.reason
    assert words
    assert not desk.venue.bars_account(view.reason)
    assert desk.bench.truth().orders == {}
    assert (await desk.look(view)).in_vain


async def test_c12_too_late_is_not_sent(desk):
    """C12 After its last moment no byte of an order is sent: ABSENT, and the exchange never hears of it."""
    (view,) = await desk.venue.post([desk.terms(desk.yes, late_ms=1_000)])
    assert (view.state, view.in_vain) == (OrderState.ABSENT, True)
    await asyncio.sleep(0.1)
    assert desk.bench.truth().came(view.order_id) == 0


async def test_c13_several_at_once(desk):
    """C13 Orders posted together each come once, in the order asked; one that is refused touches no other."""
    pairs = [await desk.pair(market) for market in range(3)]
    for yes, _ in pairs:
        desk.bench.offer(yes, Side.SELL, "0.40", "20")
    desk.bench.strike(Trouble.REFUSED)
    views = await desk.post(*(desk.terms(yes) for yes, _ in pairs))
    refused = [view for view in views if view.reason]
    assert len(refused) == 1
    assert [view.known for view in views if view not in refused] == [10, 10]
    truth = desk.bench.truth()
    assert [truth.came(view.order_id) for view in views] == [1, 1, 1]


async def test_c14_many_at_once(desk):
    """C14 More orders than go into one request are all sent, each once."""
    orders = [desk.terms(desk.yes, price=f"0.{20 + number // 2}", size="5") for number in range(17)]
    views = await desk.post(*orders)
    assert {view.state for view in views} == {OrderState.LIVE}
    truth = desk.bench.truth()
    assert {truth.came(view.order_id) for view in views} == {1}


async def test_c15_the_same_order_twice(desk):
    """C15 The same terms posted again are one order at the exchange; the second answer is not taken for a refusal."""
    desk.bench.offer(desk.yes, Side.SELL, "0.40", "10")
    terms = desk.terms(desk.yes)
    (first,) = await desk.post(terms)
    (again,) = await desk.post(terms)
    assert not (again.state is OrderState.DONE and again.known == 0)
    assert not again.reason
    view = await desk.follow(again, settled)
    truth = desk.bench.truth()
    assert (first.order_id, view.confirmed) == (again.order_id, 10)
    assert (len(truth.orders), truth.duplicates) == (1, [view.order_id])


async def test_c16_sold_again(desk):
    """C16 What was bought is sold, once it can be: the proceeds come, the position goes."""
    await desk.buy(desk.yes)

    async def can_sell():
        return await desk.venue.sellable(desk.yes.token) >= 10

    await until(can_sell)
    desk.bench.offer(desk.yes, Side.BUY, "0.35", "10")
    (view,) = await desk.post(desk.terms(desk.yes, Side.SELL, price="0.35"))
    view = await desk.follow(view, settled)
    assert (view.confirmed, view.spent < 0) == (10, True)
    truth = await desk.wait_for_truth(lambda truth: truth.positions == {})
    assert [fill.usd for fill in truth.fills_of(view.order_id)] == [Decimal("3.5")]


async def test_c17_the_other_outcome(desk):
    """C17 NO is bought in its own price, whatever book it stands in: fill, cash and position are of NO."""
    before = desk.bench.truth().cash
    view = await desk.buy(desk.no, price="0.30")
    truth = desk.bench.truth()
    assert (view.fills[0].price, view.confirmed) == (Decimal("0.30"), 10)
    assert truth.positions == {desk.no.token: 10}
    assert truth.cash == before - view.spent


async def test_c18_every_kind_of_market(desk):
    """C18 Both outcomes of every kind of market trade: ids, grids, fees and pockets are the market's own."""
    for market in range(len(desk.bench.markets)):
        for bought in (await desk.pair(market))[:: 1 if market % 2 else -1]:
            before = desk.bench.truth().cash
            view = await desk.buy(bought, price="0.40", size="10")
            truth = desk.bench.truth()
            assert truth.cash == before - view.spent
            assert truth.positions[bought.token] == 10
            if bought.rules.nets:
                break


async def test_c19_resting_order_filled_as_the_maker(desk):
    """C19 A resting order that somebody takes fills at its own price; fee and cash are the truth's."""
    before = desk.bench.truth().cash
    view = await desk.rest(desk.yes, price="0.40")
    desk.bench.offer(desk.yes, Side.SELL, "0.38", "10")
    view = await desk.follow(view, settled)
    truth = desk.bench.truth()
    assert {fill.price for fill in view.fills} == {Decimal("0.40")}
    assert sum(fill.fee for fill in view.fills) == sum(fill.fee for fill in truth.fills)
    assert truth.cash == before - view.spent


async def test_c20_smallest_order(desk):
    """C20 The smallest size of the rules, and one step more, fill; the cash is exact to the last digit."""
    before = desk.bench.truth().cash
    rules = desk.yes.rules
    desk.bench.offer(desk.yes, Side.SELL, "0.40", "20")
    views = []
    for size in (rules.min_size, rules.min_size + rules.size_step):
        (view,) = await desk.post(desk.terms(desk.yes, size=str(size)))
        views.append(await desk.follow(view, settled))
        assert view.known == size
    assert desk.bench.truth().cash == before - sum(view.spent for view in views)


async def test_c21_fees_are_within_the_rules(desk):
    """C21 No fill is billed more than the rules' fee for its size and price, as taker or as maker, at any price."""
    for market in range(len(desk.bench.markets)):
        yes, _ = await desk.pair(market)
        for price, size in (("0.20", "7.13"), ("0.50", "9.99"), ("0.92", "33.33")):
            desk.bench.offer(yes, Side.SELL, price, size)
            (taken,) = await desk.post(desk.terms(yes, price=price, size=size))
            (made,) = await desk.post(desk.terms(yes, price="0.15", size="11.11"))
            desk.bench.offer(yes, Side.SELL, "0.15", "11.11")
            for view in [await desk.follow(taken, settled), await desk.follow(made, settled)]:
                most = sum(yes.rules.fee.taker_fee(fill.size, fill.price) for fill in view.fills)
                assert sum(fill.fee for fill in desk.bench.truth().fills_of(view.order_id)) <= most


@needs(Trouble.HELD_BACK)
async def test_c22_held_back(desk):
    """C22 An order that is held back: PENDING or LIVE with nothing, not ended by a cancel that fails, then it fills."""
    desk.bench.offer(desk.yes, Side.SELL, "0.40", "10")
    desk.bench.strike(Trouble.HELD_BACK, 0.4)
    (view,) = await desk.post(desk.terms(desk.yes))
    assert (view.state in (OrderState.PENDING, OrderState.LIVE), view.known) == (True, 0)
    view = await desk.cancel(view)
    assert not view.state.final
    assert (await desk.follow(view, settled)).confirmed == 10


@needs(Trouble.SETTLEMENT_FAILS)
async def test_c23_settlement_fails(desk):
    """C23 A fill that fails after it was told counts for nothing: cash and position are as before."""
    before = desk.bench.truth().cash
    desk.bench.strike(Trouble.SETTLEMENT_FAILS)
    desk.bench.offer(desk.yes, Side.SELL, "0.40", "10")
    (posted,) = await desk.post(desk.terms(desk.yes))
    assert posted.known == 10
    view = await desk.follow(posted, settled)
    assert (view.state, view.known, view.confirmed, view.failed) == (OrderState.DONE, 0, 0, 10)
    truth = desk.bench.truth()
    assert (truth.cash, truth.positions, view.spent) == (before, {}, 0)


async def test_c24_key_that_was_revoked(desk):
    """C24 A key that is not valid any more: nothing is accepted, in words that bar the account."""
    desk.bench.revoke()
    (view,) = await desk.post(desk.terms(desk.yes))
    assert (view.state, view.known) == (OrderState.DONE, 0)
    assert desk.venue.bars_account(view.reason)
    assert desk.bench.truth().orders == {}
