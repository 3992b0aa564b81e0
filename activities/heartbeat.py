"""Every activity says that it is alive, so that a killed worker's trades move on soon."""

import asyncio
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

BEAT_PART = 0.4
"""The pause between beats, as a part of the time after which a silent worker is dead."""


class Heartbeats(Interceptor):
    """Beats beside each activity that has a heartbeat timeout; the activities know nothing of it."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - SDK's name
        """See base class."""
        return _Beating(next)


class _Beating(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ANN401 - the SDK's signature
        limit = activity.info().heartbeat_timeout
        if limit is None:
            return await self.next.execute_activity(input)
        beating = asyncio.create_task(_beat(limit.total_seconds() * BEAT_PART))
        try:
            return await self.next.execute_activity(input)
        finally:
            beating.cancel()


async def _beat(pause_s: float) -> None:
    """Not at once: the server writes each beat to its disk, and most activities are over before they need one."""
    while True:
        await asyncio.sleep(pause_s)
        activity.heartbeat()
