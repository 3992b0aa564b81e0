"""Cases of the user stream: it only ever makes things faster. What it tells twice, late or never changes nothing."""

import asyncio

from arbsaga.domain.instruments import Side
from arbsaga.domain.orders import OrderState

from .benches import Trouble
from .desk import settled, until


async def test_c52_news_wakes(desk):
    """C52 A fill of a resting order wakes who waits for it, and nobody else."""
    mine, other = await desk.rest(desk.yes), await desk.rest(desk.yes, price="0.20")
    while await desk.venue.news([mine.order_id, other.order_id], 150):
        mine, other = await desk.venue.look([mine, other])
    woken = asyncio.create_task(desk.venue.news([mine.order_id], 5_000))
    slept = asyncio.create_task(desk.venue.news([other.order_id], 300))
    await asyncio.sleep(0.02)
    desk.bench.offer(desk.yes, Side.SELL, "0.30", "10")
    assert (await woken, await slept) == (True, False)
    assert (await desk.follow(mine, settled)).confirmed == 10


async def test_c53_stream_that_tells_nothing(desk):
    """C53 Fills are found by request while the stream answers pings and tells nothing."""
    view = await desk.rest(desk.yes)
    desk.bench.strike(Trouble.TOLD_NOTHING)
    desk.bench.offer(desk.yes, Side.SELL, "0.30", "10")
    assert (await desk.follow(view, settled)).confirmed == 10


async def test_c54_stream_that_breaks(desk):
    """C54 What happens while the stream is down is found, and the stream comes back by itself."""
    view = await desk.rest(desk.yes)
    desk.bench.strike(Trouble.USER_STREAM_BREAKS)
    desk.bench.offer(desk.yes, Side.SELL, "0.30", "10")
    assert (await desk.follow(view, settled)).confirmed == 10
    await until(desk.venue.streaming)


async def test_c55_stream_that_tells_twice(desk):
    """C55 Each fill counts once, however often it is told."""
    desk.bench.strike(Trouble.TOLD_TWICE)
    view = await desk.rest(desk.yes)
    for _ in range(2):
        desk.bench.offer(desk.yes, Side.SELL, "0.30", "5")
    view = await desk.follow(view, settled)
    await asyncio.sleep(0.1)
    view = await desk.look(view)
    assert (view.confirmed, len(view.fills)) == (10, 2)


async def test_c56_stream_that_tells_out_of_order(desk):
    """C56 Late and in any order, an end before its beginning included: the same end."""
    desk.bench.strike(Trouble.TOLD_OUT_OF_ORDER, 0.3)
    view = await desk.rest(desk.yes, size="20")
    desk.bench.offer(desk.yes, Side.SELL, "0.30", "7")
    desk.bench.offer(desk.yes, Side.SELL, "0.30", "5")
    view = await desk.follow(await desk.cancel(view), settled)
    await asyncio.sleep(0.35)
    view = await desk.look(view)
    assert (view.state, view.confirmed, len(view.fills)) == (OrderState.DONE, 12, 2)


async def test_c57_fills_of_one_moment_out_of_order(desk):
    """C57 Fills of one moment, told in any order, leave the position of the last one, not of the one told last."""
    desk.bench.strike(Trouble.TOLD_OUT_OF_ORDER, 0.2)
    for _ in range(4):
        for price in ("0.37", "0.38", "0.39"):
            desk.bench.offer(desk.yes, Side.SELL, price, "5")
        await desk.post(desk.terms(desk.yes, size="15"))
    await asyncio.sleep(0.25)

    async def right():
        held = await desk.venue.positions([desk.yes.token])
        return (held[desk.yes.token], await desk.venue.sellable(desk.yes.token)) == (60, 60)

    await until(right)


async def test_c58_stream_that_is_alive(bench, desk):
    """C58 `streaming` says whether the stream lives: not before the start, not while the exchange is down."""
    assert desk.venue.streaming()
    assert not bench.venue().streaming()
    await bench.stop()
    await until(lambda: not desk.venue.streaming())
    await bench.start()
    await until(desk.venue.streaming)
