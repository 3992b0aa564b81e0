"""The truth reader tells of one Kalshi account what the engine knows of it, from the journal alone."""

from decimal import Decimal

import pytest

from arbsaga.exchange.kalshi.truth import Truth
from arbsaga.exchange.units import ONE, parse, to_decimal

from .flow import Flow
from .scene import ANN, BOB, HOUSE, open_scene
from .test_recovery import FAULTS, FEES


@pytest.mark.parametrize("seed", range(3))
def test_the_journal_tells_what_the_engine_knows(tmp_path, seed: int) -> None:
    """After a random flow: cash by shard, positions, fees, fills, and what of each order is filled and open."""
    scene = open_scene(tmp_path / "truth", faults=FAULTS, **FEES)
    flow = Flow(scene, seed)
    for _ in range(300):
        flow.step()
    scene.engine.determine("B", parse("0.2665"))
    scene.wait(60_000)
    for who in (ANN, BOB):
        truth, account = Truth.read(scene.path, who), scene.engine.account(who)
        assert account is not None
        assert truth.cash == {shard: to_decimal(amount) for shard, amount in account.cash.items()}
        nets = {ticker: to_decimal(one.net) for ticker, one in account.positions.items() if one.net}
        assert truth.positions == nets
        assert truth.advanced == {event: to_decimal(amount) for event, amount in account.advanced.items()}
        assert truth.fees == sum(to_decimal(one.fees) for one in account.positions.values())
        assert len(truth.fills) == len(scene.engine.fills(who))
        for order in scene.engine.orders(who):
            told = truth.orders[order.order_id]
            assert (told.filled, told.open) == (to_decimal(order.fill_count), order.status == "resting")
            assert (told.count, told.price) == (to_decimal(order.slip.size), to_decimal(order.price))
    assert truth.worth == {"B": Decimal("0.2665")}


def test_orders_refusals_duplicates_and_payouts(tmp_path) -> None:
    """By client id, with the venue's code; the arrival's clock is kept."""
    scene = open_scene(tmp_path / "truth")
    scene.submit(HOUSE, "ask", "0.40", "10")
    placed = scene.submit(ANN, "bid", "0.40", "10", client_order_id="x", received_ns=7, received_ms=5)
    scene.refusal(ANN, "bid", "0.40", "10", client_order_id="x")
    scene.refusal(ANN, "bid", "0.40", "10", "fok", client_order_id="y")
    scene.engine.determine("A", ONE)
    scene.wait(60_000)
    truth = Truth.read(scene.path, ANN)
    order = truth.orders[placed.order_id]
    assert (order.client_order_id, order.received_ns, order.received_ms, order.filled) == ("x", 7, 5, 10)
    assert truth.duplicates == ["x"]
    assert truth.refused == {"y": "fill_or_kill_insufficient_resting_volume"}
    assert [(one.position, one.usd, one.value) for one in truth.payouts] == [(10, 10, 1)]
    assert [fill.revenue for fill in truth.fills_of(placed.order_id)] == [-4]
    assert (truth.deposits, truth.cash, truth.positions) == (1000, {0: 1006}, {})


def test_an_account_that_never_appears_is_empty(tmp_path) -> None:
    """As is an absent file."""
    assert Truth.read(tmp_path / "absent", ANN) == Truth(ANN)
