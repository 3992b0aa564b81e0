"""The same trade as a Temporal workflow: embedded server, desk lease, ledger and worker."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path

from temporalio.client import Client

from activities.depth import DepthSettings
from activities.desk import DeskActivities
from activities.trading import TradingActivities
from arbsaga.domain.money import Usd
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.risk.desk import Limits
from arbsaga.saga.messages import ENDS, Phase, TradePlan, TradeRecord
from arbsaga.venues.port import Venue
from bench.floor import Done
from bench.site import Legs
from workers.connect import TemporalSettings, connect, prepare
from workers.desk_client import DeskClient
from workers.start import start_trade, tell_desk
from workers.temporal_server import EmbeddedTemporal
from workers.worker import build_worker
from workflows.messages import basket_id

QUEUE = "bench"
PLENTY = Usd(Decimal(5_000_000))
DECIDED = (Phase.HEDGED, *ENDS)
"""A trade whose fills are confirmed before it is looked at again is COMMITTED without having been HEDGED."""
RESERVE = Usd(Decimal(25))


@dataclass(slots=True)
class Durable:
    """A trader without a scanner."""

    client: Client
    desk: DeskClient
    account: str
    _hedged: dict[str, asyncio.Future[TradeRecord]] = field(default_factory=dict)
    _at_ns: dict[str, int] = field(default_factory=dict)

    def heard(self, record: TradeRecord) -> None:
        """A phase of a trade, in the moment its workflow entered it; called by the workflow's own thread."""
        waiting = self._hedged.get(record.plan.trade_id)
        if record.phase in DECIDED and waiting and record.plan.trade_id not in self._at_ns:
            self._at_ns[record.plan.trade_id] = time.monotonic_ns()
            waiting.get_loop().call_soon_threadsafe(waiting.set_result, record)

    async def trade(self, legs: Legs) -> Done | None:
        """One trade to its end, so that the next does not run beside its settlement. None: too late to send."""
        plan = self.plan(legs)
        self._hedged[plan.trade_id] = asyncio.get_running_loop().create_future()
        handle = await start_trade(self.client, plan, QUEUE)
        assert handle is not None, "every trade of the bench has a basket of its own"
        record = await self._hedged[plan.trade_id]
        await handle.result()
        del self._hedged[plan.trade_id]
        at_ns = self._at_ns.pop(plan.trade_id)
        if record.phase not in (Phase.HEDGED, Phase.COMMITTED):
            return None
        return Done(record.plan, tuple(view.order_id for view in record.orders), at_ns)

    def plan(self, legs: Legs) -> TradePlan:
        """A decision with capital taken for it."""
        taken = self.desk.take(RESERVE, time.time_ns() // 1_000_000)
        assert taken is not None, "the lease is larger than what the bench spends in its life"
        return legs.plan(self.account, taken.lease_id, taken.expires_ms)

    async def events(self, plan: TradePlan) -> int:
        """The length of a trade's history."""
        handle = self.client.get_workflow_handle(basket_id(plan.basket.key))
        return len((await handle.fetch_history()).events)


class _Phases(logging.Handler):
    def __init__(self, durable: Durable) -> None:
        super().__init__(logging.INFO)
        self._durable = durable

    def emit(self, record: logging.LogRecord) -> None:
        trade = getattr(record, "trade", None)
        if isinstance(trade, TradeRecord):
            self._durable.heard(trade)


@asynccontextmanager
async def durable(directory: Path, venue: Venue, ledger: Ledger, depth: DepthSettings) -> AsyncIterator[Durable]:
    """Everything a durable trade needs, started and stopped."""
    server = EmbeddedTemporal(directory, ui_port=None)
    await server.start()
    try:
        settings = TemporalSettings(server.address)
        await prepare(settings)
        client = await connect(settings)
        pager = Pager([], directory / "alerts.jsonl", print)
        trading = TradingActivities(venue, ledger, pager, None, depth)
        desk_side = DeskActivities(client, ledger, partial(tell_desk, client, QUEUE))
        async with build_worker(client, [*trading.all(), *desk_side.all()], QUEUE):
            desk = DeskClient(client, "bench", QUEUE, want=Usd(Decimal(100_000)))
            await desk.start(Limits(PLENTY, RESERVE))
            running = Durable(client, desk, "bench")
            logger, phases = logging.getLogger("temporalio.workflow"), _Phases(running)
            level = logger.level
            logger.addHandler(phases)
            logger.setLevel(logging.INFO)
            yield running
            logger.removeHandler(phases)
            logger.setLevel(level)
            await desk.close()
    finally:
        await server.stop()
