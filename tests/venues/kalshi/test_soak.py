"""Many orders while everything goes wrong at once: in the end every view is what the exchange's own books say."""

import asyncio
import random
from dataclasses import replace
from decimal import Decimal

import pytest

from arbsaga.domain.instruments import Outcome, Side
from arbsaga.domain.orders import OrderState, TimeInForce
from arbsaga.errors import VenueError

from .rig import QUICK, instrument, now_ms, terms, until

TROUBLE = (
    "drop_response:0.15",
    "lost:0.1",
    "status:0.05,code=502,after=1",
    "status:0.05,code=500",
    "status:0.03,code=429",
    "stale_read:0.05,seconds=1",
    "cancel_loses:0.15",
    "cancel_error:0.1",
    "partial:0.1,share=0.5",
    "lose_leg:0.05",
    "gap:0.1",
    "duplicate_events:0.1",
    "reorder_events:0.2,seconds=0.2",
    "malformed_frame:0.02",
    "drop_stream:0.01",
)
QUIET_MS = 2_500
"""After this long without a trace an order that was sent never was: longer than reads lag here."""


async def follow(venue, order, cancel_at_ms):
    """The fate of one order, as the story would find it out."""
    (view,) = await venue.post([order])
    while not (view.state.final and view.explained):
        if view.state is OrderState.UNKNOWN and view.denied_ms >= order.send_by_ms + QUIET_MS:
            return replace(view, state=OrderState.ABSENT)
        if now_ms() > cancel_at_ms and view.state is OrderState.LIVE:
            view = await venue.cancel(view)
        (view,) = await venue.look([view])
        await venue.news([view.order_id], 100)
    return view


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_order_ends_as_the_exchange_says(start, seed):
    """Accepted or not, filled how much, at what fee; positions and cash; nothing sent twice."""
    rig = await start(replace(QUICK, read_lag_ms=200))
    rng = random.Random(seed)
    venue = rig.venue(await rig.member(usd="10000"))
    venue._pace._tier = replace(venue._pace._tier, refill=10_000)
    await venue.start()
    for ticker in ("RAIN-A", "RAIN-B"):
        for step in range(5):
            await rig.offer(ticker, "ask", f"0.{50 + step}", "40")
            await rig.offer(ticker, "bid", f"0.{45 - step}", "40")
    for spec in TROUBLE:
        rig.fault(spec)
    orders = [_order(rng, number) for number in range(40)]
    views = await asyncio.gather(*(follow(venue, order, order.created_ms + 1_200) for order in orders))
    rig.calm()
    at_venue = {one.client_order_id: one for one in rig.orders()}
    for view in views:
        true = at_venue.get(view.order_id)
        assert (true is not None) == any(
            line.startswith(("post: accepted", "stream", "by id")) for line in view.evidence
        )
        assert view.filled == (Decimal(true.fill_count) / 1_000_000 if true else 0), view
        fees = Decimal(true.taker_fees + true.maker_fees) / 1_000_000 if true else 0
        assert sum((fill.fee for fill in view.fills), Decimal(0)) == fees
        assert true is None or true.status != "resting"
    assert rig.engine.duplicates == 0
    await _books_agree(rig, venue)


def _order(rng, number):
    return terms(
        instrument(rng.choice(("RAIN-A", "RAIN-B")), rng.choice((Outcome.YES, Outcome.NO))),
        side=rng.choice((Side.BUY, Side.SELL)),
        size=str(rng.choice((1, 2.5, 7, 12.34))),
        limit=f"0.{rng.choice((30, 44, 46, 49, 52, 55, 60, 70))}",
        kind=rng.choice((TimeInForce.GTC, TimeInForce.GTC, TimeInForce.FAK, TimeInForce.FOK)),
        leg=number,
        left_ms=1_000,
    )


async def _books_agree(rig, venue):
    """Positions, cash and fills of the account."""
    markets = ("RAIN-A", "RAIN-B")
    yes, no = ([f"kalshi:{ticker}:{side}" for ticker in markets] for side in ("YES", "NO"))
    true_size = sum(Decimal(fill.count) for fill in rig.engine.fills("m")) / 1_000_000
    true_cash = Decimal(sum(rig.engine.account("m").cash.values())) / 1_000_000

    async def agree():
        try:
            fills, cash = await venue.fills_since(0), await venue.cash()
            held = await venue.positions([*yes, *no])
        except VenueError:
            return False
        nets = [held[one] - held[other] for one, other in zip(yes, no, strict=True)]
        size = sum(fill.fill.size for fill in fills)
        return (nets, size, cash) == ([rig.net(ticker) for ticker in markets], true_size, true_cash)

    await until(agree)
    assert await venue.open_orders() == ()
