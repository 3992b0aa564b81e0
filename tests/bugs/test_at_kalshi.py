"""Traps of Kalshi that no trade of a stage meets: the real venue against the simulated exchange."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from arbsaga.domain.instruments import Side
from arbsaga.domain.money import Price, Size
from arbsaga.domain.orders import OrderState, OrderTerms, Purpose, TimeInForce
from proof.mutations.kalshi_side import KalshiSide, KalshiTerms, beside
from proof.mutations.stage import now_ms


@pytest.fixture
async def side(tmp_path: Path):
    async with beside(tmp_path / "kalshi", KalshiTerms()) as running:
        yield running


async def bid(side: KalshiSide, attempt: int) -> OrderTerms:
    """A bid for YES far below what is offered."""
    listing = await side.venue.listing("KXRACE-27-R0")
    at = now_ms()
    return OrderTerms(
        trade_id="named",
        leg=0,
        attempt=attempt,
        purpose=Purpose.ENTER,
        instrument=listing.yes,
        side=Side.BUY,
        size=Size(Decimal("1.25")),
        limit=Price(Decimal("0.10")),
        time_in_force=TimeInForce.GTC,
        created_ms=at,
        send_by_ms=at + 5_000,
    )


async def test_a_cancel_takes_its_own_order_and_no_later_one(side: KalshiSide) -> None:
    """Models of the official client 3.34.0: cancel-all may take along what is placed within a minute (2.8.3)."""
    first, second = await side.venue.post([await bid(side, 1), await bid(side, 2)])
    assert (await side.venue.cancel(first)).state is OrderState.DONE
    (later,) = await side.venue.post([await bid(side, 3)])
    await asyncio.sleep(0.2)
    orders = {order.client_order_id: order.open for order in side.truth().orders.values()}
    assert orders == {first.order_id: False, second.order_id: True, later.order_id: True}


async def test_an_edge_of_a_sweep_counts_every_fills_rounding(side: KalshiSide) -> None:
    """https://docs.kalshi.com, fee rounding: three fills, each rounded; what was said before covers it (5.5)."""
    listing = await side.venue.listing("KXRACE-27-R0")
    terms = replace(
        await bid(side, 1), instrument=listing.no, size=Size(Decimal("12.25")), limit=Price(Decimal("0.60"))
    )
    await side.venue.post([terms])
    fills = side.truth().fills
    assert [fill.count for fill in fills] == [Decimal("4.63"), Decimal("5.20"), Decimal("2.42")]
    billed = sum((fill.fee for fill in fills), Decimal(0))
    said = sum(
        (terms.instrument.rules.fee.taker_fee(Size(fill.count), Price(1 - fill.price)) for fill in fills), Decimal(0)
    )
    assert 0 < billed <= said <= billed + 3 * terms.instrument.rules.fee.rounding
