"""Cancels that must work whatever else does not, on the simulated exchange."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from arbsaga.domain.money import Price
from arbsaga.domain.orders import OrderState
from arbsaga.saga.judge import entry_orders
from proof.mutations.stage import Stage, raised


@pytest.fixture
async def stage(tmp_path: Path):
    async with raised(tmp_path / "stage") as running:
        yield running


async def resting(stage: Stage):
    """Three orders of ours far from the market."""
    plan = stage.plan()
    legs = tuple(replace(leg, limit=Price(Decimal("0.10"))) for leg in plan.legs)
    orders = entry_orders(replace(plan, legs=legs))
    views = await stage.venue.post(orders)
    assert {view.state for view in views} == {OrderState.LIVE}
    return views


@pytest.mark.parametrize(
    "fault",
    [
        "status,code=503,variant=cancel_only",
        "status,code=503,variant=post_only",
        "status,code=503,variant=insert",
    ],
)
async def test_whatever_the_text_of_a_503_the_cancel_is_tried(stage: Stage, fault: str) -> None:
    """Verification report of 2026-09-30, E-05: `trading is disabled` no longer tells cancel-only from all-stop."""
    views = await resting(stage)
    stage.fault(fault)
    assert {(await stage.venue.cancel(view)).state for view in views} == {OrderState.DONE}
    assert await stage.venue.open_orders() == ()


@pytest.mark.parametrize("variant", ["disabled", "trading_is_disabled"])
async def test_a_cancel_that_is_stopped_ends_nothing_and_is_tried_again(stage: Stage, variant: str) -> None:
    """Verification report of 2026-09-30, E-05: while all stands still the order rests, and we know it."""
    view, *others = await resting(stage)
    stage.fault(f"status,code=503,variant={variant}")
    assert (await stage.venue.cancel(view)).state is OrderState.LIVE
    stage.calm()
    assert {(await stage.venue.cancel(one)).state for one in (view, *others)} == {OrderState.DONE}


async def test_cancels_go_on_in_the_post_only_minutes_after_a_restart(stage: Stage) -> None:
    """https://github.com/Polymarket/py-clob-client/issues/286: after 425 only post-only orders pass, and cancels."""
    views = await resting(stage)
    stage.fault("restart,seconds=0,post_only_seconds=60,count=1")
    (refused,) = await stage.venue.post(entry_orders(stage.plan())[:1])
    assert "post-only mode" in refused.reason
    assert {(await stage.venue.cancel(view)).state for view in views} == {OrderState.DONE}
