"""The floor: the same trade by bare asyncio, with the same signer, connections, checks and user stream."""

import asyncio
import time
from dataclasses import dataclass

from activities.depth import DepthCheck
from arbsaga.domain.orders import OrderView
from arbsaga.saga.judge import entry_orders
from arbsaga.saga.messages import TradePlan
from arbsaga.venues.port import Venue

POLL_S = 0.1
STREAM_MS = 1_000


@dataclass(frozen=True, slots=True)
class Done:
    """One trade of the bench: its orders, and the monotonic ns at which all legs were known to be matched."""

    plan: TradePlan
    order_ids: tuple[str, ...]
    hedged_ns: int


async def trade(venue: Venue, depth: DepthCheck, plan: TradePlan, *, stream: bool) -> Done:
    """Check, post all legs at once, wait for the fills: by the user stream, or polling every 100 ms."""
    refusal = await depth.refusal(plan)
    assert not refusal, refusal
    views = await venue.post(entry_orders(plan))
    ids = [view.order_id for view in views]
    while not all(map(_matched, views)):
        if stream:
            views = await venue.look(views)
            if not all(map(_matched, views)):
                await venue.news(ids, STREAM_MS)
        else:
            await asyncio.sleep(POLL_S)
            views = await venue.look(views)
    return Done(plan, tuple(ids), time.monotonic_ns())


def _matched(view: OrderView) -> bool:
    return view.explained and view.filled == view.terms.size
