"""Cases of the account: cash, shares, orders and fills are the truth's."""

from decimal import Decimal

from arbsaga.domain.instruments import Side

from .benches import Feature
from .desk import Desk, needs, settled, until


async def test_c69_cash_positions_and_fees_after_trades(desk):
    """C69 After buys at several prices, a sale and a maker's fill: cash, positions and fees are the truth's."""
    other, _ = await desk.pair(2)
    for price, size in (("0.31", "7.77"), ("0.31", "5.55"), ("0.33", "6.01")):
        desk.bench.offer(desk.yes, Side.SELL, price, size)
    (bought,) = await desk.post(desk.terms(desk.yes, price="0.35", size="19.33"))
    views = [await desk.follow(bought, settled), await desk.buy(other)]

    async def can_sell():
        return await desk.venue.sellable(desk.yes.token) >= 8

    await until(can_sell)
    desk.bench.offer(desk.yes, Side.BUY, "0.30", "8")
    (sold,) = await desk.post(desk.terms(desk.yes, Side.SELL, price="0.30", size="8"))
    views.append(await desk.follow(sold, settled))
    truth = desk.bench.truth()
    tokens = [desk.yes.token, desk.no.token, other.token]

    async def same():
        cash, held = await desk.venue.cash(), await desk.venue.positions(tokens)
        return (cash, {token: size for token, size in held.items() if size}) == (truth.cash, dict(truth.positions))

    await until(same)
    assert sum(fill.fee for view in views for fill in view.fills) == sum(fill.fee for fill in truth.fills)
    assert truth.positions == {desk.yes.token: Decimal("11.33"), other.token: 10}


async def test_c70_funds(bench):
    """C70 Funds are the free cash of the pocket that pays: less what rests, never more than there is."""
    desk = await Desk(bench, bench.venue(usd="50")).open()
    assert (await desk.venue.funds([desk.yes])).short == ""
    assert (await desk.venue.funds([desk.yes])).cash == 50
    resting = await desk.rest(desk.yes, price="0.40", size="50")

    async def free(low, high):
        return low <= (await desk.venue.funds([desk.yes])).cash <= high

    await until(lambda: free(29, 30))  # a venue may keep aside the fee too
    await desk.follow(await desk.cancel(resting), lambda view: view.state.final)
    await until(lambda: free(50, 50))


async def test_c71_cash_counts_what_rests(desk):
    """C71 The cash that open orders keep aside is cash: at most the fee that the venue reserves may be missing."""
    resting = [await desk.rest(desk.yes, price="0.30", size="50"), await desk.rest(desk.no, price="0.20", size="40")]
    most = sum(view.terms.instrument.rules.fee.taker_fee(view.terms.size, view.terms.limit) for view in resting)

    async def counted():
        return 0 <= desk.bench.truth().cash - await desk.venue.cash() <= most

    await until(counted)


@needs(Feature.SEVERAL_POCKETS)
async def test_c72_pockets(desk):
    """C72 Each market's funds are those of its own pocket, and what another one spends does not move them."""
    instruments = {(await desk.pair(market))[0] for market in range(len(desk.bench.markets))}
    pockets = {one.rules.pocket for one in instruments}
    assert pockets <= set(desk.bench.truth().pockets)
    assert len(pockets) > 1
    await desk.buy(desk.yes)
    for one in instruments:
        expected = desk.bench.truth().pockets[one.rules.pocket]

        async def same(one=one, expected=expected):
            return (await desk.venue.funds([one])).cash == expected

        await until(same)


@needs(Feature.SEVERAL_POCKETS)
async def test_c73_cash_in_another_pocket(desk):
    """C73 An order that its own pocket does not cover is refused, whatever lies in the others."""
    desk.bench.offer(desk.yes, Side.SELL, "0.40", "9000")
    (view,) = await desk.post(desk.terms(desk.yes, size="3000"))
    assert (view.in_vain, bool(view.reason)) == (True, True)
    assert not desk.venue.bars_account(view.reason)
    assert desk.bench.truth().orders == {}


async def test_c74_wrong_balance(bench):
    """C74 An account with too little is told so by funds, and by a refusal that is no unknown."""
    desk = await Desk(bench, bench.venue(usd="3")).open()
    assert (await desk.venue.funds([desk.yes])).cash == 3
    desk.bench.offer(desk.yes, Side.SELL, "0.40", "10")
    (view,) = await desk.post(desk.terms(desk.yes))
    assert (view.in_vain, bool(view.reason)) == (True, True)
    truth = desk.bench.truth()
    assert (set(truth.pockets.values()), truth.orders) == ({3}, {})


async def test_c75_sellable(desk):
    """C75 Bought shares can be sold once settled; less what a resting sale offers already."""
    assert await desk.venue.sellable(desk.yes.token) == 0
    await desk.buy(desk.yes)

    async def can_sell(size):
        return await desk.venue.sellable(desk.yes.token) == size

    await until(lambda: can_sell(10))
    (offered,) = await desk.post(desk.terms(desk.yes, Side.SELL, price="0.90", size="6"))
    await until(lambda: can_sell(4))
    await desk.follow(await desk.cancel(offered), lambda view: view.state.final)
    await until(lambda: can_sell(10))
    assert await desk.venue.sellable(desk.no.token) == 0


async def test_c76_open_orders(desk):
    """C76 What rests is listed with our id, token, side, price, size and what has matched; what is over is not."""
    buy, no = await desk.rest(desk.yes, price="0.30"), await desk.rest(desk.no, price="0.20", size="12")
    done = await desk.rest(desk.yes, price="0.10")
    await desk.follow(await desk.cancel(done), lambda view: view.state.final)
    desk.bench.offer(desk.yes, Side.SELL, "0.30", "6")
    expected = {
        buy.order_id: (desk.yes.token, Side.BUY, Decimal("0.30"), 10, 6),
        no.order_id: (desk.no.token, Side.BUY, Decimal("0.20"), 12, 0),
    }

    async def listed():
        orders = await desk.venue.open_orders()
        found = {one.order_id: (one.token, one.side, one.price, one.size, one.matched) for one in orders}
        return found == expected and all(abs(one.created_ms - buy.terms.created_ms) < 30_000 for one in orders)

    await until(listed)
    desk.venue = (await desk.again()).venue  # a process that starts later knows them by the same ids
    await until(listed)


async def test_c77_fills_since(desk):
    """C77 Every fill of the account since a time, as taker and as maker, once, oldest first; none from before."""
    first = await desk.buy(desk.yes)
    views = [first, await desk.rest(desk.yes, price="0.30"), await desk.buy(desk.no, price="0.60", size="5")]
    desk.bench.offer(desk.yes, Side.SELL, "0.30", "5")
    desk.bench.offer(desk.yes, Side.SELL, "0.30", "5")
    views[1] = await desk.follow(views[1], settled)
    truth = [(fill.order_id, fill.size, fill.fee) for fill in desk.bench.truth().fills]
    started_ms = first.terms.created_ms

    async def listed():
        found = await desk.venue.fills_since(started_ms)
        return sorted((one.order_id, one.fill.size, one.fill.fee) for one in found) == sorted(truth)

    await until(listed)
    found = await desk.venue.fills_since(started_ms)
    assert len({(one.order_id, one.fill.fill_id) for one in found}) == len(found) == 4
    assert [one.fill.time_ms for one in found] == sorted(one.fill.time_ms for one in found)
    assert {(one.order_id, one.token, one.side) for one in found} == {
        (view.order_id, view.terms.instrument.token, view.terms.side) for view in views
    }
    known = {(view.order_id, fill.fill_id): (fill.size, fill.price) for view in views for fill in view.fills}
    assert {(one.order_id, one.fill.fill_id): (one.fill.size, one.fill.price) for one in found} == known
    assert await desk.venue.fills_since(started_ms + 60_000) == ()
    desk.venue = (await desk.again()).venue  # a process that starts later sees the same
    await until(listed)


async def test_c78_fills_add_up_to_the_position(desk):
    """C78 Fills of buys and of a sale add up to what is held: a NO bought counts as a YES sold."""
    await desk.buy(desk.yes)

    async def can_sell():
        return await desk.venue.sellable(desk.yes.token) >= 6

    await until(can_sell)
    desk.bench.offer(desk.yes, Side.BUY, "0.35", "6")
    (sold,) = await desk.post(desk.terms(desk.yes, Side.SELL, price="0.35", size="6"))
    await desk.follow(sold, settled)

    async def adds_up():
        found = await desk.venue.fills_since(sold.terms.created_ms - 10_000)
        signs = [(one.side is Side.BUY) == (one.token == desk.yes.token) for one in found]
        net = sum(one.fill.size if up else -one.fill.size for one, up in zip(found, signs, strict=True))
        return net == 4 and {one.token for one in found} <= {desk.yes.token, desk.no.token}

    await until(adds_up)
