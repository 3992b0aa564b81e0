"""Cases of the unknown: the answer is lost, the order may not be. It is never sent again, and always found."""

import pytest

from arbsaga.domain.instruments import Side
from arbsaga.domain.orders import OrderState

from .benches import Trouble
from .desk import Desk, denied, settled, until


@pytest.fixture
async def offered(desk):
    """The desk, with liquidity for one order, and no word of the user stream: requests alone must find it."""
    desk.bench.offer(desk.yes, Side.SELL, "0.40", "10")
    desk.bench.strike(Trouble.TOLD_NOTHING)
    return desk


async def found_after(desk, trouble, seconds=0.0):
    """Post while the trouble strikes: unknown at first, found by looking, one order in the truth."""
    desk.bench.strike(trouble, seconds)
    (view,) = await desk.post(desk.terms(desk.yes))
    assert (view.state, view.known, view.reason, view.denied_ms) == (OrderState.UNKNOWN, 0, "", 0)
    view = await desk.follow(view, settled)
    assert (view.state, view.confirmed, view.denied_ms) == (OrderState.DONE, 10, 0)
    desk.one_order(view)


async def test_c23_answer_dropped_after_acceptance(offered):
    """C23 The connection ends instead of an answer: UNKNOWN, then found by looking, one order in the truth."""
    await found_after(offered, Trouble.ANSWER_DROPPED)


async def test_c24_server_error_after_acceptance(offered):
    """C24 500 proves nothing: UNKNOWN, then found."""
    await found_after(offered, Trouble.SERVER_ERROR_AFTER)


async def test_c25_odd_answer_after_acceptance(offered):
    """C25 A success in a shape that nobody knows: UNKNOWN, then found."""
    await found_after(offered, Trouble.ODD_ANSWER)


async def test_c26_answer_slower_than_the_timeout(bench):
    """C26 The answer takes longer than we wait: UNKNOWN, then found."""
    desk = await Desk(bench, bench.venue(timeout_ms=500)).open()
    bench.offer(desk.yes, Side.SELL, "0.40", "10")
    bench.strike(Trouble.TOLD_NOTHING)
    await found_after(desk, Trouble.SLOW_ANSWER, 0.9)


async def test_c27_resting_order_whose_answer_was_dropped(desk):
    """C27 An order that rests unknown is found LIVE, not cancelled behind our back, and can be cancelled."""
    desk.bench.strike(Trouble.TOLD_NOTHING)
    desk.bench.strike(Trouble.ANSWER_DROPPED)
    (view,) = await desk.post(desk.terms(desk.yes))
    assert view.state is OrderState.UNKNOWN
    view = await desk.follow(view, lambda view: view.state is OrderState.LIVE)
    assert desk.one_order(view).orders[view.order_id].open
    view = await desk.follow(await desk.cancel(view), lambda view: view.state.final)
    assert (view.state, view.known) == (OrderState.DONE, 0)


@pytest.mark.parametrize("trouble", [Trouble.REQUEST_LOST, Trouble.SERVER_ERROR], ids=lambda trouble: trouble.name)
async def test_c28_request_that_never_arrived(desk, trouble):
    """C28 An order that never was: UNKNOWN, denied by every source, and never sent again to find out."""
    desk.bench.strike(trouble)
    (view,) = await desk.post(desk.terms(desk.yes))
    assert (view.state, view.denied_ms) == (OrderState.UNKNOWN, 0)
    view = await desk.denied(view)
    again = await desk.look(view)
    assert (again.state, denied(again)) == (OrderState.UNKNOWN, True)
    assert desk.bench.truth().came(view.order_id) == 0


async def test_c29_delivered_after_it_was_denied(desk):
    """C29 An order that arrives after everybody denied it is found, and the denial is forgotten."""
    desk.bench.strike(Trouble.DELIVERED_LATE, 1.5)
    (view,) = await desk.post(desk.terms(desk.yes))
    view = await desk.denied(view)
    await desk.wait_for_truth(lambda truth: view.order_id in truth.orders)
    view = await desk.follow(view, lambda view: view.state is not OrderState.UNKNOWN)
    assert (view.state, view.denied_ms) == (OrderState.LIVE, 0)
    view = await desk.follow(await desk.cancel(view), lambda view: view.state.final)
    desk.one_order(view)


async def test_c30_rate_limited(desk):
    """C30 429: refused, or unknown and then denied; in the truth there is nothing."""
    desk.bench.strike(Trouble.RATE_LIMITED)
    (view,) = await desk.post(desk.terms(desk.yes))
    assert view.state in (OrderState.DONE, OrderState.UNKNOWN)
    if view.state is OrderState.UNKNOWN:
        view = await desk.denied(view)
    else:
        assert view.reason
        assert not desk.venue.bars_account(view.reason)
    assert desk.bench.truth().came(view.order_id) == 0


async def test_c31_several_with_one_answer_lost(desk):
    """C31 Of orders posted together, those whose answer is lost are found; no other becomes unknown for good."""
    pairs = [await desk.pair(market) for market in range(3)]
    for yes, _ in pairs:
        desk.bench.offer(yes, Side.SELL, "0.40", "20")
    desk.bench.strike(Trouble.ANSWER_DROPPED)
    views = await desk.post(*(desk.terms(yes) for yes, _ in pairs))
    views = [await desk.follow(view, settled) for view in views]
    assert [view.confirmed for view in views] == [10, 10, 10]
    truth = desk.bench.truth()
    assert [truth.came(view.order_id) for view in views] == [1, 1, 1]


async def test_c32_exchange_that_is_down(desk):
    """C32 Nobody listens: no exception, nothing is claimed; once it is back, the order is denied."""
    await desk.bench.stop()
    (view,) = await desk.venue.post([desk.terms(desk.yes)])
    assert view.state in (OrderState.UNKNOWN, OrderState.ABSENT)
    unknown = desk.unknown(view.terms)
    assert await desk.venue.look([unknown]) == (unknown,)
    assert (await desk.venue.cancel(unknown)).state is OrderState.UNKNOWN
    await desk.bench.start()
    await desk.denied(unknown)
    assert desk.bench.truth().came(view.order_id) == 0


async def test_c33_looking_while_reads_fail(desk):
    """C33 A look that gets no answer leaves every order as it was."""
    resting = await desk.rest(desk.yes)
    await desk.bench.stop()
    (same,) = await desk.venue.look([resting])
    assert (same.state, same.fills, same.denied_ms) == (OrderState.LIVE, (), 0)
    await desk.bench.start()
    await desk.follow(resting, lambda view: view.state is OrderState.LIVE)


async def test_c34_found_by_a_process_that_knows_the_terms_alone(offered):
    """C34 After a crash between sending and answering, a new process finds the order, its fills and its fee."""
    offered.bench.strike(Trouble.ANSWER_DROPPED)
    terms = offered.terms(offered.yes)
    await offered.post(terms)
    later = await offered.again()
    view = await later.follow(later.unknown(terms), settled)
    truth = later.one_order(view)
    assert (view.state, view.confirmed) == (OrderState.DONE, 10)
    assert sum(fill.fee for fill in view.fills) == sum(fill.fee for fill in truth.fills) > 0


async def test_c35_stale_reads_take_nothing_back(desk):
    """C35 Reads that are behind: a fill that was seen stays, a resting order stays LIVE and resting."""
    filled = await desk.buy(desk.yes)
    resting = await desk.rest(desk.yes)
    desk.bench.strike(Trouble.STALE_READS, 30)
    for _ in range(3):
        filled, resting = [desk.agrees(view) for view in await desk.venue.look([filled, resting])]
        assert (filled.state, filled.confirmed) == (OrderState.DONE, 10)
        assert (resting.state, resting.denied_ms) == (OrderState.LIVE, 0)
    assert desk.bench.truth().orders[resting.order_id].open


async def test_c36_stale_reads_deny_nothing(desk):
    """C36 An accepted order that the reads do not show yet is not denied, nor ABSENT; it is found when they do."""
    desk.bench.strike(Trouble.TOLD_NOTHING)
    desk.bench.strike(Trouble.STALE_READS, 30)
    desk.bench.strike(Trouble.ANSWER_DROPPED)
    desk.bench.offer(desk.yes, Side.SELL, "0.40", "10")
    (view,) = await desk.post(desk.terms(desk.yes))
    for _ in range(3):
        view = await desk.look(view)
        assert view.state is not OrderState.ABSENT
        assert not denied(view)
    desk.bench.calm()
    await desk.follow(view, settled)
    desk.one_order(view)


async def test_c37_the_exchange_restarts(desk):
    """C37 After a restart of the exchange the resting order is as it was, and the user stream is back by itself."""
    view = await desk.rest(desk.yes)
    await desk.bench.stop()
    await until(lambda: not desk.venue.streaming())
    await desk.bench.start()
    view = await desk.look(view)
    assert (view.state, view.denied_ms) == (OrderState.LIVE, 0)
    await until(desk.venue.streaming)
    desk.bench.offer(desk.yes, Side.SELL, "0.30", "10")
    view = await desk.follow(view, settled)
    assert view.confirmed == 10
    desk.one_order(view)
