"""The watchdog on the real exchange, through the real venue: what a stranger with our key does is found."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from exchange_make import exchange
from ledger_make import terms

from arbsaga.domain.instruments import Instrument
from arbsaga.domain.money import Price
from arbsaga.domain.orders import OrderState, OrderTerms
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager, read_alerts
from arbsaga.reconcile import findings
from arbsaga.reconcile.findings import Kind
from arbsaga.venues.polymarket import PolymarketSettings, PolymarketVenue, generate_key
from workers.watchdog import WatchSettings, watch

ACCOUNT = "main"


def order(instrument: Instrument, limit: Price) -> OrderTerms:
    """Ten shares of a market of this exchange."""
    now = time.time_ns() // 1_000_000
    return terms(instrument=instrument, limit=limit, created_ms=now, send_by_ms=now + 1_000)


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0.05)


async def test_an_order_and_a_position_that_nobody_intended_are_found(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    """One order of a stranger rests, another fills; both are paged, and the first one's cancel is told."""
    for kind in Kind:
        monkeypatch.setitem(findings.GRACE_MS, kind, 0)
    key, log, stop = generate_key(), tmp_path / "alerts.jsonl", asyncio.Event()
    wallet = PolymarketVenue(PolymarketSettings.at("http://nowhere", key)).wallet

    def told() -> list[str]:
        return [alert.page.key.removeprefix("watchdog/") for alert in read_alerts(log)]

    async with exchange(tmp_path / "exchange", wallet, 500) as url:
        stranger = PolymarketVenue(PolymarketSettings.at(url, key))
        await stranger.start()
        market = next(market for event in await stranger.events() for market in event.markets if market.open)
        settings = WatchSettings(ACCOUNT, log, every_ms=50, shares_every_ms=0)
        pager = Pager([], log, lambda text: None)
        watching = asyncio.create_task(
            watch(lambda: PolymarketVenue(PolymarketSettings.at(url, key)), ledger, pager, settings, stop)
        )
        (rests,) = await stranger.post([order(market.yes, market.yes.rules.tick)])
        assert rests.state is OrderState.LIVE
        orphan = f"orphan-order/{rests.order_id}/1"
        await until(lambda: orphan in told())
        await stranger.cancel(rests)
        await until(lambda: f"{orphan}/over" in told())
        (fills,) = await stranger.post([order(market.no, 1 - market.no.rules.tick)])
        assert fills.known > 0
        await until(lambda: any(key.startswith(f"stray-position/{market.no.token}/") for key in told()))
        stop.set()
        await watching
        await stranger.close()
