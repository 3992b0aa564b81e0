"""Cases of the unknown: the answer is lost, the order may not be. It is never sent again, and always found."""

import asyncio
import random

import pytest

from arbsaga.domain.instruments import Side
from arbsaga.domain.orders import OrderState

from .benches import Trouble
from .desk import Desk, denied, needs, now_ms, settled, until


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


async def test_c25_answer_dropped_after_acceptance(offered):
    """C25 The connection ends instead of an answer: UNKNOWN, then found by looking, one order in the truth."""
    await found_after(offered, Trouble.ANSWER_DROPPED)


async def test_c26_server_error_after_acceptance(offered):
    """C26 500 proves nothing: UNKNOWN, then found."""
    await found_after(offered, Trouble.SERVER_ERROR_AFTER)


async def test_c27_odd_answer_after_acceptance(offered):
    """C27 A success in a shape that nobody knows: UNKNOWN, then found."""
    await found_after(offered, Trouble.ODD_ANSWER)


async def test_c28_answer_slower_than_the_timeout(bench):
    """C28 The answer takes longer than we wait: UNKNOWN, then found."""
    desk = await Desk(bench, bench.venue(timeout_ms=500)).open()
    bench.offer(desk.yes, Side.SELL, "0.40", "10")
    bench.strike(Trouble.TOLD_NOTHING)
    await found_after(desk, Trouble.SLOW_ANSWER, 0.9)


async def test_c29_resting_order_whose_answer_was_dropped(desk):
    """C29 An order that rests unknown is found LIVE, not cancelled behind our back, and can be cancelled."""
    desk.bench.strike(Trouble.TOLD_NOTHING)
    desk.bench.strike(Trouble.ANSWER_DROPPED)
    (view,) = await desk.post(desk.terms(desk.yes))
    assert view.state is OrderState.UNKNOWN
    view = await desk.follow(view, lambda view: view.state is OrderState.LIVE)
    assert desk.one_order(view).orders[view.order_id].open
    view = await desk.follow(await desk.cancel(view), lambda view: view.state.final)
    assert (view.state, view.known) == (OrderState.DONE, 0)


@pytest.mark.parametrize("trouble", [Trouble.REQUEST_LOST, Trouble.SERVER_ERROR], ids=lambda trouble: trouble.name)
async def test_c30_request_that_never_arrived(desk, trouble):
    """C30 An order that never was: UNKNOWN, denied by every source, and never sent again to find out."""
    desk.bench.strike(trouble)
    (view,) = await desk.post(desk.terms(desk.yes))
    assert (view.state, view.denied_ms) == (OrderState.UNKNOWN, 0)
    view = await desk.denied(view)
    again = await desk.look(view)
    assert (again.state, denied(again)) == (OrderState.UNKNOWN, True)
    assert desk.bench.truth().came(view.order_id) == 0


async def test_c31_delivered_after_it_was_denied(desk):
    """C31 An order that arrives after everybody denied it is found, and the denial is forgotten."""
    desk.bench.strike(Trouble.DELIVERED_LATE, 1.5)
    (view,) = await desk.post(desk.terms(desk.yes))
    view = await desk.denied(view)
    await desk.wait_for_truth(lambda truth: view.order_id in truth.orders)
    view = await desk.follow(view, lambda view: view.state is not OrderState.UNKNOWN)
    assert (view.state, view.denied_ms) == (OrderState.LIVE, 0)
    view = await desk.follow(await desk.cancel(view), lambda view: view.state.final)
    desk.one_order(view)


async def test_c32_rate_limited(desk):
    """C32 429: refused, or unknown and then denied; in the truth there is nothing."""
    desk.bench.strike(Trouble.RATE_LIMITED)
    (view,) = await desk.post(desk.terms(desk.yes))
    assert view.state in (OrderState.DONE, OrderState.UNKNOWN)
    if view.state is OrderState.UNKNOWN:
        view = await desk.denied(view)
    else:
        assert view.reason
        assert not desk.venue.bars_account(view.reason)
    assert desk.bench.truth().came(view.order_id) == 0


async def test_c33_several_with_one_answer_lost(desk):
    """C33 Of orders posted together, those whose answer is lost are found; no other becomes unknown for good."""
    pairs = [await desk.pair(market) for market in range(3)]
    for yes, _ in pairs:
        desk.bench.offer(yes, Side.SELL, "0.40", "20")
    desk.bench.strike(Trouble.ANSWER_DROPPED)
    views = await desk.post(*(desk.terms(yes) for yes, _ in pairs))
    views = [await desk.follow(view, settled) for view in views]
    assert [view.confirmed for view in views] == [10, 10, 10]
    truth = desk.bench.truth()
    assert [truth.came(view.order_id) for view in views] == [1, 1, 1]


async def test_c34_exchange_that_is_down(desk):
    """C34 Nobody listens: no exception, nothing is claimed; once it is back, the order is denied."""
    await desk.bench.stop()
    (view,) = await desk.venue.post([desk.terms(desk.yes)])
    assert view.state in (OrderState.UNKNOWN, OrderState.ABSENT)
    unknown = desk.unknown(view.terms)
    assert await desk.venue.look([unknown]) == (unknown,)
    assert (await desk.venue.cancel(unknown)).state is OrderState.UNKNOWN
    await desk.bench.start()
    await desk.denied(unknown)
    assert desk.bench.truth().came(view.order_id) == 0


async def test_c35_looking_while_reads_fail(desk):
    """C35 A look that gets no answer leaves every order as it was."""
    resting = await desk.rest(desk.yes)
    await desk.bench.stop()
    (same,) = await desk.venue.look([resting])
    assert (same.state, same.fills, same.denied_ms) == (OrderState.LIVE, (), 0)
    await desk.bench.start()
    await desk.follow(resting, lambda view: view.state is OrderState.LIVE)


async def test_c36_found_by_a_process_that_knows_the_terms_alone(offered):
    """C36 After a crash between sending and answering, a new process finds the order, its fills and its fee."""
    offered.bench.strike(Trouble.ANSWER_DROPPED)
    terms = offered.terms(offered.yes)
    await offered.post(terms)
    later = await offered.again()
    view = await later.follow(later.unknown(terms), settled)
    truth = later.one_order(view)
    assert (view.state, view.confirmed) == (OrderState.DONE, 10)
    assert sum(fill.fee for fill in view.fills) == sum(fill.fee for fill in truth.fills) > 0


async def test_c37_stale_reads_take_nothing_back(desk):
    """C37 Reads that are behind: a fill that was seen stays, a resting order stays LIVE and resting."""
    filled = await desk.buy(desk.yes)
    resting = await desk.rest(desk.yes)
    desk.bench.strike(Trouble.STALE_READS, 30)
    for _ in range(3):
        filled, resting = [desk.agrees(view) for view in await desk.venue.look([filled, resting])]
        assert (filled.state, filled.confirmed) == (OrderState.DONE, 10)
        assert (resting.state, resting.denied_ms) == (OrderState.LIVE, 0)
    assert desk.bench.truth().orders[resting.order_id].open


async def test_c38_stale_reads_deny_nothing(desk):
    """C38 An accepted order that the reads do not show yet is not denied, nor ABSENT; it is found when they do."""
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


async def test_c39_the_exchange_restarts(desk):
    """C39 After a restart of the exchange the resting order is as it was, and the user stream is back by itself."""
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


async def test_c40_the_exchange_restarts_before_it_answers(offered):
    """C40 Accepted, and the exchange goes down before the answer: after its restart the order is found, once."""
    offered.bench.strike(Trouble.ANSWER_DROPPED)
    (view,) = await offered.post(offered.terms(offered.yes))
    await offered.bench.stop()
    view = await offered.look(view)
    assert (view.state, view.denied_ms) == (OrderState.UNKNOWN, 0)
    await offered.bench.start()
    view = await offered.follow(view, settled)
    assert view.confirmed == 10
    offered.one_order(view)


STORM = (
    (Trouble.ANSWER_DROPPED, 0),
    (Trouble.REQUEST_LOST, 0),
    (Trouble.DELIVERED_LATE, 0.3),
    (Trouble.REFUSED, 0),
    (Trouble.SERVER_ERROR, 0),
    (Trouble.SERVER_ERROR_AFTER, 0),
    (Trouble.RATE_LIMITED, 0),
    (Trouble.ODD_ANSWER, 0),
    (Trouble.CANCEL_LOSES, 0),
    (Trouble.CANCEL_FAILS, 0),
    (Trouble.STALE_READS, 1),
    (Trouble.TOLD_TWICE, 0),
    (Trouble.TOLD_OUT_OF_ORDER, 0.1),
    (Trouble.USER_STREAM_BREAKS, 0),
)


@needs(*(trouble for trouble, _ in STORM))
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_c41_everything_at_once(desk, seed):
    """C41 Orders, looks and cancels while troubles pile up: no word against the truth, and in the end all of it."""
    rng = random.Random(seed)
    instruments = [(await desk.pair(market))[0] for market in range(len(desk.bench.markets))]
    views = []
    for _ in range(12):
        desk.bench.strike(*rng.choice(STORM))
        one, price = rng.choice(instruments), f"0.{rng.randint(30, 60)}"
        if rng.random() < 0.6:
            desk.bench.offer(one, Side.SELL, price, f"{rng.randint(5, 15)}")
        views += await desk.post(desk.terms(one, price=price))
        at = rng.randrange(len(views))
        views[at] = await (desk.cancel if rng.random() < 0.4 else desk.look)(views[at])
        if rng.random() < 0.25:
            desk.bench.calm()
    desk.bench.calm()
    await asyncio.sleep(0.35)  # what was under way has arrived
    quiet_ms = now_ms()
    ended = [await over(desk, view, quiet_ms) for view in views]
    truth = desk.bench.truth()
    for view in ended:
        assert truth.came(view.order_id) <= 1
        assert view.state is OrderState.DONE or view.order_id not in truth.orders
    assert sum(view.confirmed for view in ended) == sum(order.filled for order in truth.orders.values())
    assert not any(order.open for order in truth.orders.values())

    async def same():
        held = await desk.venue.positions([one.token for one in instruments])
        found = await desk.venue.cash(), {token: size for token, size in held.items() if size}
        return found == (truth.cash, dict(truth.positions))

    await until(same)


async def over(desk, view, quiet_ms):
    """Cancel until it is over with all its fills, or nobody knows it at a moment after everything has arrived."""

    async def ended():
        nonlocal view
        if settled(view) or (view.state is OrderState.UNKNOWN and view.denied_ms >= quiet_ms):
            return True
        view = await (desk.look if view.state.final else desk.cancel)(view)
        return False

    await until(ended)
    return view
