"""Cases of cancelling: it ends what can be ended, and never hides what has filled."""

from arbsaga.domain.instruments import Side
from arbsaga.domain.orders import OrderState

from .benches import Trouble
from .desk import settled


async def over(desk, view):
    """Cancelled, and looked at until it is over."""
    return await desk.follow(await desk.cancel(view), lambda view: view.state.final)


async def test_c42_cancel_of_what_rests(desk):
    """C42 A resting order is cancelled: DONE with nothing, off the book, its cash free again."""
    view = await over(desk, await desk.rest(desk.yes))
    assert (view.state, view.in_vain) == (OrderState.DONE, True)
    assert not desk.bench.truth().orders[view.order_id].open
    assert desk.bench.book(desk.yes) == ({}, {})


async def test_c43_cancel_that_loses_the_race(desk):
    """C43 Filled in the moment before: the cancel shows the fill, never an end with nothing."""
    view = await desk.rest(desk.yes)
    desk.bench.strike(Trouble.CANCEL_LOSES)
    view = await desk.follow(await desk.cancel(view), settled)
    assert (view.state, view.confirmed) == (OrderState.DONE, 10)


async def test_c44_cancel_after_a_part_has_filled(desk):
    """C44 Filled in part, unnoticed, and then cancelled: DONE shows the part."""
    view = await desk.rest(desk.yes)
    desk.bench.strike(Trouble.TOLD_NOTHING)
    desk.bench.offer(desk.yes, Side.SELL, "0.30", "6")
    view = await desk.follow(await desk.cancel(view), settled)
    assert (view.state, view.confirmed) == (OrderState.DONE, 6)


async def test_c45_cancel_while_reads_are_behind(desk):
    """C45 Cancelled while the reads hide what has filled: never over with less than that, and in the end all of it."""
    view = await desk.rest(desk.yes)
    desk.bench.strike(Trouble.TOLD_NOTHING)
    desk.bench.strike(Trouble.STALE_READS, 30)
    desk.bench.offer(desk.yes, Side.SELL, "0.30", "6")
    for _ in range(2):
        view = await desk.look(await desk.cancel(view))
    assert not desk.bench.truth().orders[view.order_id].open
    desk.bench.calm()
    view = await desk.follow(view, settled)
    assert (view.state, view.confirmed) == (OrderState.DONE, 6)


async def test_c46_cancel_in_every_market_by_a_new_process(desk):
    """C46 What rests in any kind of market is cancelled by a process that knows the terms alone."""
    pairs = [await desk.pair(market) for market in range(len(desk.bench.markets))]
    resting = [await desk.rest(one) for yes, no in pairs for one in (yes, no)]
    later = await desk.again()
    for view in resting:
        found = later.unknown(view.terms)
        while not found.state.final:
            found = await later.cancel(found)
        assert (found.state, found.in_vain) == (OrderState.DONE, True)
    assert not any(order.open for order in desk.bench.truth().orders.values())


async def test_c47_cancel_of_what_is_over(desk):
    """C47 An order that has filled stays DONE with its fills, however often it is cancelled."""
    view = await desk.buy(desk.yes)
    for _ in range(2):
        view = await desk.cancel(view)
        assert (view.state, view.confirmed) == (OrderState.DONE, 10)


async def test_c48_cancel_of_what_was_cancelled(desk):
    """C48 A second cancel, of a view that does not know of the first, ends the same."""
    resting = await desk.rest(desk.yes)
    await over(desk, resting)
    view = await over(desk, resting)
    assert (view.state, view.in_vain) == (OrderState.DONE, True)


async def test_c49_cancel_of_what_never_was(desk):
    """C49 Cancelling an order that nobody knows proves nothing by itself: it stays UNKNOWN."""
    view = await desk.cancel(desk.unknown(desk.terms(desk.yes)))
    assert view.state is OrderState.UNKNOWN
    await desk.denied(view)


async def test_c50_cancel_of_an_unknown_that_rests(desk):
    """C50 An unknown order is cancelled by its id: it does not go on resting, and ends DONE with nothing."""
    desk.bench.strike(Trouble.TOLD_NOTHING)
    desk.bench.strike(Trouble.ANSWER_DROPPED)
    (view,) = await desk.post(desk.terms(desk.yes))
    assert view.state is OrderState.UNKNOWN

    async def gone(view):
        while not view.state.final:
            view = await desk.cancel(view)
        return view

    view = await gone(view)
    assert (view.state, view.in_vain) == (OrderState.DONE, True)
    assert not desk.bench.truth().orders[view.order_id].open


async def test_c51_cancel_that_fails(desk):
    """C51 A cancel that is answered with 500 leaves the order LIVE; the next one ends it."""
    view = await desk.rest(desk.yes)
    desk.bench.strike(Trouble.CANCEL_FAILS)
    view = await desk.cancel(view)
    assert view.state is OrderState.LIVE
    assert desk.bench.truth().orders[view.order_id].open
    assert (await over(desk, view)).in_vain
