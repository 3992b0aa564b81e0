"""The Kalshi exchange comes back from its truth journal at any point, also from one that was cut short."""

from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from arbsaga.errors import Unavailable
from arbsaga.exchange.kalshi.engine import Engine
from arbsaga.exchange.kalshi.model import Event, Market, Order
from arbsaga.exchange.units import ONE

from .flow import Flow
from .scene import ANN, BOB, HOUSE, START, Scene, check_conservation, open_scene

FEES = {"fee_multiplier": Decimal(1), "fee_type": "quadratic_with_maker_fees"}
FAULTS = ("partial:0.05", "lose_leg:0.03", "cancel_loses:0.1", "reject:0.02")


def recovered(scene: Scene, path: Path) -> Engine:
    """Another exchange from this file."""
    return Engine.recover(path, scene.clock, scene.engine.settings)


def snapshot(engine: Engine) -> dict[str, Any]:
    """Everything that must be the same after a recovery: all but the house's resting orders."""
    members = (ANN, BOB)
    queues: dict[str, list[str]] = {}
    for ticker in engine.markets:
        slips = sorted(engine._state.books[ticker].orders(), key=lambda slip: (slip.side, slip.price))
        queues[ticker] = [slip.order_id for slip in slips if not slip.house]
    return deepcopy(
        {
            "accounts": {one.account_id: one for one in engine.accounts()},
            "orders": {who: [_shown(order) for order in engine.orders(who)] for who in members},
            "resting": {who: {order.order_id for order in engine.resting(who)} for who in members},
            "fills": {who: engine.fills(who) for who in members},
            "settlements": {who: engine.settlements(who) for who in members},
            "markets": engine.markets,
            "events": engine.events,
            "series": engine.series,
            "queues": queues,
            "groups": engine.groups(ANN),
            "tape": {ticker: engine.trades(ticker) for ticker in engine.markets},
            "money": (engine.fees_collected, [engine.open_interest(ticker) for ticker in engine.markets]),
            "volume": [engine.volume(ticker) for ticker in engine.markets],
            "halts": engine.halts(0),
            "counts": (engine.accepted, engine.duplicates),
        }
    )


def _shown(order: Order) -> Order:
    return order.copy()


@pytest.mark.parametrize("seed", range(4))
def test_a_random_flow_can_be_recovered_at_any_point(tmp_path, seed: int) -> None:
    """Nothing is made or lost at any step; members, orders, queues, markets, groups come back the same."""
    scene = open_scene(tmp_path / "truth", faults=FAULTS, **FEES)
    flow = Flow(scene, seed)
    for step in range(400):
        flow.step()
        scene.check()
        if step in (250, 320):
            scene.engine.determine("A" if step == 250 else "B", ONE if step == 320 else 0)
        if step in (290, 370):
            scene.wait(60_000)
            scene.check()
        if step % 45 == 0:
            copy = tmp_path / f"copy {step}"
            copy.write_bytes(scene.path.read_bytes())
            engine = recovered(scene, copy)
            assert snapshot(engine) == snapshot(scene.engine)
            engine.close()
    kinds = {line["kind"] for line in scene.journal()}
    assert kinds >= {"order", "rests", "trade", "fill", "balance", "ended", "refused", "duplicate", "reduced"}
    assert kinds >= {"amended", "payout", "advance", "netting", "transfer", "group", "fault", "lifecycle", "paused"}


@pytest.mark.parametrize("seed", range(2))
def test_a_recovered_exchange_goes_on(tmp_path, seed: int) -> None:
    """Stopped and recovered again and again in one file, every sum stays right and no id is given twice."""
    scene = open_scene(tmp_path / "truth", **FEES)
    flow = Flow(scene, seed)
    for step in range(160):
        flow.step()
        if step % 20 == 0:
            scene.engine.close()
            scene.engine = recovered(scene, scene.path)
            scene.check()
    ids = [line["order_id"] for line in scene.journal("order")]
    ids += [line["fill_id"] for line in scene.journal("fill")]
    assert len(set(ids)) == len(ids)


def test_a_journal_cut_short_anywhere_loses_at_most_its_last_batch(tmp_path) -> None:
    """As after kill -9 in the middle of a write: the state is that of the whole batches, and sums are right."""
    scene = open_scene(tmp_path / "truth", **FEES)
    scene.submit(BOB, "ask", "0.50", "3")
    scene.submit(HOUSE, "ask", "0.51", "3")
    whole, before = scene.path.read_bytes(), snapshot(scene.engine)
    scene.submit(ANN, "bid", "0.51", "7", client_order_id="x")
    full, after = scene.path.read_bytes(), snapshot(scene.engine)
    for end in range(len(whole), len(full) + 1, 37):
        copy = tmp_path / f"copy {end}"
        copy.write_bytes(full[:end])
        engine = recovered(scene, copy)
        assert snapshot(engine) == (after if end == len(full) else before)
        check_conservation(engine, scene.deposited)
        engine.close()


def test_what_was_due_is_done_after_a_recovery(tmp_path) -> None:
    """Expiries, closes and payouts."""
    scene = open_scene(tmp_path / "truth")
    placed = scene.submit(ANN, "bid", "0.50", "3", expiration_time=START // 1000 + 30, ticker="B")
    scene.submit(ANN, "bid", "0.40", "10")
    scene.submit(BOB, "ask", "0.40", "10")
    scene.engine.determine("A", ONE)
    scene.engine.open_event(Event("TIMED", "SER"), [Market("T", "TIMED", close_ms=START + 40_000)])
    scene.engine.close()
    scene.engine = recovered(scene, scene.path)
    scene.wait(60_000)
    order = scene.engine.order(placed.order_id)
    assert order is not None
    assert order.reason == "ExpiryCancel"
    assert scene.engine.markets["A"].status == "finalized"
    assert scene.engine.markets["T"].status == "closed"
    assert scene.cash(ANN) == 1006


def test_house_orders_are_not_journaled_and_their_trades_are(tmp_path) -> None:
    """They rest in memory only."""
    scene = open_scene(tmp_path / "truth")
    size = scene.path.stat().st_size
    placed = scene.submit(HOUSE, "ask", "0.50", "3")
    scene.engine.decrease(HOUSE, placed.order_id, reduce_to=2 * ONE)
    assert scene.path.stat().st_size == size
    scene.submit(ANN, "bid", "0.50", "1", "ioc")
    scene.engine.close()
    engine = recovered(scene, scene.path)
    assert engine.resting(HOUSE) == []
    check_conservation(engine, scene.deposited)


def test_a_file_that_is_absent_gives_a_new_exchange_and_a_damaged_one_is_refused(tmp_path) -> None:
    """Damage before its end cannot be a crash's doing."""
    scene = open_scene(tmp_path / "truth")
    engine = recovered(scene, tmp_path / "absent")
    assert engine.markets == {}
    (tmp_path / "bad").write_bytes(b"{}\n" + scene.path.read_bytes())
    with pytest.raises(Unavailable, match="damaged"):
        recovered(scene, tmp_path / "bad")
