"""Watching orders: the user stream wakes us, requests are the proof and the fallback."""

import time

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from arbsaga.domain.evidence import decided
from arbsaga.domain.orders import OrderView
from arbsaga.saga.messages import PollFills
from arbsaga.venues.port import Venue
from arbsaga.venues.several import concerned

STREAM_UP_MS = 1_000
"""How often requests are made although the user stream is alive: a frame may have been lost."""
LEAST_MS = 10
"""How often at most without it, whatever is configured: the venue limits the rate of requests."""


async def watch(venue: Venue, ask: PollFills, known: tuple[OrderView, ...], left_ms: int) -> tuple[OrderView, ...]:
    """The orders as seen when there was something to tell, or after `left_ms`.

    Every source is asked at least once. Raises a retryable error when this worker stops, so that
    another goes on watching.
    """
    venue = concerned(venue, known)
    end = time.monotonic() + left_ms / 1000
    ids = [view.order_id for view in known]
    seen = known
    while True:
        seen = await venue.look(seen)
        left = round((end - time.monotonic()) * 1000)
        if left <= 0 or decided(zip(known, seen, strict=True), settled=ask.settled):
            return seen
        if activity.is_worker_shutdown():
            raise ApplicationError("this worker stops", category=ApplicationErrorCategory.BENIGN)
        await venue.news(ids, min(left, STREAM_UP_MS if venue.streaming() else max(ask.poll, LEAST_MS)))
