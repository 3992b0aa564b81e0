"""Baskets under many faults at once: in the end every order is known exactly as the exchange has it."""

import asyncio
from decimal import Decimal

import pytest

from arbsaga.domain.orders import OrderState
from arbsaga.exchange.units import to_decimal

from .rig import terms, until

FAULTS = (
    "drop_response:0.15",
    "status:0.1,code=500",
    "status:0.1,code=503,after=1",
    "partial_batch:0.1",
    "partial_batch:0.1,variant=malformed",
    "partial:0.1,share=0.5",
    "lose_leg:0.1",
    "delayed:0.1,seconds=0.2",
    "unmatched:0.05",
    "fail_settlement:0.1",
    "retry_settlement:0.1",
    "cancel_loses:0.1",
    "cancel_error:0.2",
    "duplicate_events:0.2",
    "reorder_events:0.2,seconds=0.2",
    "drop_user_events:0.2",
    "malformed_frame:0.05",
    "drop_stream:0.02",
    "stale_balance:0.3",
)


def at_exchange(rig, view):
    """Shares of the order's trades that did not fail, by the exchange; None where it never was."""
    order = rig.engine.order(view.order_id)
    if order is None:
        return None
    trades = [rig.engine.trade(trade_id) for trade_id in order.trade_ids]
    fills = [fill for trade in trades if trade.status != "FAILED" for fill in trade.fills]
    return sum((to_decimal(fill.shares) for fill in fills if fill.order_id == view.order_id), Decimal(0))


def over(view):
    """Whether all of it is proved: over, explained and settled, or denied by every source."""
    if view.state is OrderState.UNKNOWN:
        return view.denied_ms > 0
    return view.explained and all(fill.status.final for fill in view.fills)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_order_ends_as_the_exchange_has_it(rig, seed):
    """Nothing sent twice, no fill lost or counted twice, cash and fees to the last digit."""
    venue = await rig.started()
    instruments = [yes for yes, _ in await rig.instruments(venue, "3")]
    rig.wire.faults._rng.seed(seed)
    for fault in FAULTS:
        rig.fault(fault)
    views = []
    for _ in range(8):
        for market in rig.markets("3"):
            rig.offer(market, "SELL", "0.30", "12")
        views += await venue.post([terms(one, price="0.31", leg=leg) for leg, one in enumerate(instruments)])
    await asyncio.sleep(0.5)

    async def proved():
        nonlocal views
        views = list(await venue.look(views))
        resting = [at for at, view in enumerate(views) if not view.state.final]
        for at, view in zip(resting, await asyncio.gather(*(venue.cancel(views[at]) for at in resting)), strict=True):
            views[at] = view
        return all(map(over, views))

    await until(proved, 20)
    for view in views:
        expected = at_exchange(rig, view)
        assert (view.state is OrderState.UNKNOWN) == (expected is None), view
        assert view.known == (expected or 0), view
    assert rig.engine.duplicates == 0
    rig.calm()
    assert await venue.open_orders() == ()
    assert await venue.cash() == 1000 - sum(view.spent for view in views)
