"""Both real venues behind one port, against their simulated exchanges: a pair is bought, and one of them dies."""

import asyncio
import time
from decimal import Decimal

import pytest
from contract.on_kalshi import KalshiBench
from contract.on_polymarket import PolymarketBench

from arbsaga.domain.instruments import Instrument, Side
from arbsaga.domain.money import Price, Size
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, Purpose, TimeInForce
from arbsaga.errors import VenueError
from arbsaga.venues.several import Several


@pytest.fixture
async def benches(tmp_path):
    """Both exchanges, running."""
    made = (PolymarketBench(tmp_path / "polymarket"), KalshiBench(tmp_path / "kalshi"))
    for name in ("polymarket", "kalshi"):
        (tmp_path / name).mkdir()
    for bench in made:
        await bench.start()
    yield made
    for bench in made:
        await bench.close()


@pytest.fixture
async def both(benches):
    """A started account on both."""
    several = Several({bench.name: bench.venue() for bench in benches})
    await several.start()
    return several


def bid(of: Instrument, leg: int) -> OrderTerms:
    now_ms = time.time_ns() // 1_000_000
    return OrderTerms(
        f"live-{now_ms}",
        leg,
        1,
        Purpose.ENTER,
        of,
        Side.BUY,
        Size(Decimal(10)),
        Price(Decimal("0.40")),
        TimeInForce.GTC,
        now_ms,
        now_ms + 5_000,
    )


async def filled(both: Several, views: tuple[OrderView, ...]) -> tuple[OrderView, ...]:
    """The views once each shows its shares and its fills are final."""
    async with asyncio.timeout(20):
        while not all(view.state is OrderState.DONE and view.filled and view.settled for view in views):
            views = await both.look(views)
            await both.news([view.order_id for view in views], 100)
    return views


async def test_a_pair_is_bought_and_what_concerns_one_venue_outlives_the_other(both: Several, benches) -> None:
    here, there = [(await both.listing(bench.markets[0])).yes for bench in benches]
    for bench, instrument in zip(benches, (here, there), strict=True):
        bench.offer(instrument, Side.SELL, "0.40", "50")
    books = await both.books([there.token, here.token])
    assert [(book.token, book.asks[0].price) for book in books] == [
        (there.token, Decimal("0.4")),
        (here.token, Decimal("0.4")),
    ]
    assert {event.event for event in await both.events()} > set()
    assert await both.barred([here, there]) == ""
    assert (await both.funds([there])).cash > 0
    before = await both.cash()
    views = await filled(both, await both.post([bid(there, 0), bid(here, 1)]))
    assert [view.filled for view in views] == [10, 10]
    assert await both.positions([here.token, there.token]) == {here.token: 10, there.token: 10}
    assert await both.cash() < before - Decimal("7.9")
    assert {fill.order_id for fill in await both.fills_since(0)} == {view.order_id for view in views}

    await benches[1].stop()
    mine, other = views[1], views[0]
    assert (await both.look([mine, other]))[1] == other, "as it was known"
    assert (await both.positions([here.token]))[here.token] == 10
    assert [book.token for book in await both.books([here.token])] == [here.token]
    assert (await both.sellable(here.token)) == 10
    with pytest.raises(VenueError):
        await both.books([here.token, there.token])
    with pytest.raises(VenueError):
        await both.open_orders()
    listed = {market.yes.venue for event in await both.events() for market in event.markets}
    assert listed == {"polymarket"}
