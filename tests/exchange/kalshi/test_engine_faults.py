"""Faults that the Kalshi engine asks for: lost legs, partial fills, late cancels, refusals, and a full disk."""

import os

import pytest

from arbsaga.errors import Rejected, Unavailable
from arbsaga.exchange.units import ONE, parse

from .scene import ANN, BOB, HOUSE, open_scene


def test_lose_leg_takes_the_houses_orders_away(tmp_path) -> None:
    """Only those; an order of a member still fills. An order that would hit nothing does not use the fault up."""
    scene = open_scene(tmp_path / "t", faults=("lose_leg,count=1",))
    scene.submit(ANN, "bid", "0.40", "5", "ioc")
    scene.submit(HOUSE, "ask", "0.50", "5")
    scene.submit(BOB, "ask", "0.50", "2")
    placed = scene.submit(ANN, "bid", "0.50", "5", "ioc")
    assert placed.fill_count == 2 * ONE
    assert scene.levels() == ([], [])
    assert [line["name"] for line in scene.journal("fault")] == ["lose_leg"]
    scene.check()


def test_partial_leaves_a_share_in_hundredths(tmp_path) -> None:
    """A FOK is then killed, an IOC fills the share."""
    scene = open_scene(tmp_path / "t", faults=("partial,share=0.333,only=BUY",))
    scene.submit(HOUSE, "ask", "0.50", "1")
    placed = scene.submit(ANN, "bid", "0.50", "1", "ioc")
    assert placed.fill_count == parse("0.33")
    scene.submit(HOUSE, "ask", "0.50", "1")
    assert scene.refusal(ANN, "bid", "0.50", "1", "fok")[0] == 409
    scene.check()


def test_a_cancel_that_comes_too_late(tmp_path) -> None:
    """The order was filled meanwhile: 404, like any dead order."""
    scene = open_scene(tmp_path / "t", faults=("cancel_loses,count=1",))
    placed = scene.submit(ANN, "bid", "0.40", "5")
    with pytest.raises(Rejected) as caught:
        scene.engine.cancel(ANN, placed.order_id)
    assert caught.value.status == 404
    order = scene.engine.order(placed.order_id)
    assert order is not None
    assert (order.status, order.fill_count, scene.net(ANN)) == ("executed", 5 * ONE, 5)
    scene.check()


def test_reject_refuses_entries_or_exits(tmp_path) -> None:
    """An exit closes what is held. The client id is not used."""
    scene = open_scene(tmp_path / "t", faults=("reject,only=exit,count=1,text=no, sorry",))
    scene.submit(HOUSE, "ask", "0.50", "5")
    scene.submit(ANN, "bid", "0.50", "5")
    with pytest.raises(Rejected, match="no, sorry") as caught:
        scene.submit(ANN, "ask", "0.50", "5", client_order_id="x")
    assert (caught.value.status, caught.value.code) == (400, "invalid_order")
    scene.submit(ANN, "ask", "0.50", "5", client_order_id="x")


def test_a_journal_that_cannot_be_written_changes_nothing(tmp_path, monkeypatch) -> None:
    """Unavailable, and book, cash and ids are as before."""
    scene = open_scene(tmp_path / "t")
    scene.submit(HOUSE, "ask", "0.50", "5")
    size = scene.path.stat().st_size

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(Unavailable):
            scene.submit(ANN, "bid", "0.50", "5", client_order_id="x")
    assert (scene.levels()[1], scene.cash(ANN), scene.path.stat().st_size) == ([("0.50", "5.00")], 1000, size)
    assert scene.submit(ANN, "bid", "0.50", "5", client_order_id="x").fill_count == 5 * ONE
    scene.check()


def test_what_is_due_while_the_journal_cannot_be_written_stays_due(tmp_path, monkeypatch) -> None:
    """A payout is made once it can."""
    scene = open_scene(tmp_path / "t")
    scene.submit(ANN, "bid", "0.40", "10")
    scene.submit(BOB, "ask", "0.40", "10")
    scene.engine.determine("A", ONE)

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(Unavailable):
            scene.wait(60_000)
    assert scene.cash(ANN) == 996
    scene.engine.advance()
    assert scene.cash(ANN) == 1006
