"""The exchange comes back from its truth journal at any point, also from one that was cut short."""

import random
from pathlib import Path

import pytest

from arbsaga.errors import Rejected
from arbsaga.exchange.engine import Engine, EngineSettings
from arbsaga.exchange.units import ONE

from .flow import Flow
from .place import ANN, BOB, HOUSE, START, Clock, Place, check_conservation, neg_risk_event, open_place
from .snapshot import snapshot

DEPOSITS = 2_000 * ONE
FAULTS = (
    "fail_settlement:0.1",
    "retry_settlement:0.2",
    "slow_settlement:0.1,seconds=8",
    "delayed:0.1,seconds=1",
    "partial:0.1",
    "lose_leg:0.05",
    "unmatched:0.05",
    "cancel_loses:0.2",
    "tick_change:0.02",
    "wipe:0.02",
    "reject:0.02",
)


def recovered(place: Place, path: Path, content: bytes) -> Engine:
    """The exchange that a file with this content gives."""
    path.write_bytes(content)
    return place.recovered(path)


@pytest.mark.parametrize("seed", range(6))
def test_a_random_flow_can_be_recovered_at_any_point(tmp_path, seed: int) -> None:
    """With faults, resolutions and events on the way: users, orders, trades, queues are the same; nothing is lost."""
    place = open_place(tmp_path / "truth", faults=FAULTS)
    neg_risk_event(place, 3, resolves_ms=START + 60_000)
    flows = [Flow(place, seed * 10 + market, market) for market in range(5)]
    rng = random.Random(seed)
    for step in range(400):
        _step(place, rng, flows, step)
        check_conservation(place.engine, DEPOSITS)
        if step % 23 == 0:
            engine = recovered(place, tmp_path / f"copy {step}", place.path.read_bytes())
            assert snapshot(engine) == snapshot(place.engine)
            check_conservation(engine, DEPOSITS)
            engine.close()
    kinds = {line["kind"] for line in place.journal()}
    assert kinds >= {"order", "trade", "fill", "settlement", "canceled", "refused", "released", "resolved", "payout"}
    assert kinds >= {"balance", "fault", "tick", "market", "event", "account", "deposit", "opened"}


def _step(place: Place, rng: random.Random, flows: list[Flow], step: int) -> None:
    flow = rng.choice(flows)
    flow.step()
    if step == 200:
        place.engine.change_tick(place.markets[1].condition_id, 1_000)
    if step == 300:
        place.engine.resolve(place.markets[0].condition_id, 1)


@pytest.mark.parametrize("seed", range(3))
def test_a_recovered_exchange_goes_on(tmp_path, seed: int) -> None:
    """Stopped and recovered again and again in one file: every trade settles, every sum is right."""
    place = open_place(tmp_path / "truth", faults=("retry_settlement:0.2", "fail_settlement:0.1"))
    flow = Flow(place, seed)
    for step in range(150):
        flow.step()
        if step % 15 == 0:
            place.engine.close()
            place.engine = place.recovered(place.path)
            check_conservation(place.engine, DEPOSITS)
    place.wait(60_000)
    assert place.engine.pending_trades() == []
    check_conservation(place.engine, DEPOSITS)
    lines = place.journal()
    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
    assert sum(line["kind"] == "opened" for line in lines) == 11


def test_a_torn_last_batch_never_happened(tmp_path) -> None:
    """Cut at every byte of the last batch, the exchange is as before it, and writes on at the right place."""
    place = open_place(tmp_path / "truth")
    place.submit(HOUSE, "SELL", "0.5", "10")
    place.submit(BOB, "BUY", "0.3", "10")
    before, content = snapshot(place.engine), place.path.read_bytes()
    place.submit(ANN, "BUY", "0.5", "10", order_id="0xtorn")
    after, whole = snapshot(place.engine), place.path.read_bytes()
    for cut in range(len(content), len(whole), 7):
        engine = recovered(place, tmp_path / "cut", whole[:cut])
        assert snapshot(engine) == before
        engine.close()
        lines = (tmp_path / "cut").read_bytes().splitlines()
        assert len(lines) == content.count(b"\n") + 1
    engine = recovered(place, tmp_path / "cut", whole)
    assert snapshot(engine) == after
    engine.close()


def test_used_ids_stay_used(tmp_path) -> None:
    """Live, canceled, filled and killed ids are duplicates after a restart; refused ones are free."""
    place = open_place(tmp_path / "truth")
    place.submit(HOUSE, "SELL", "0.5", "10")
    place.submit(ANN, "BUY", "0.5", "10", order_id="0xfilled")
    place.submit(ANN, "BUY", "0.3", "10", order_id="0xlive")
    place.submit(ANN, "BUY", "0.3", "10", order_id="0xcanceled")
    place.engine.cancel(ANN, "0xcanceled")
    for order_id, kind, size in (("0xkilled", "FAK", "10"), ("0xrefused", "GTC", "1")):
        with pytest.raises(Rejected):
            place.submit(ANN, "BUY", "0.3", size, kind, order_id=order_id)
    place.engine.close()
    place.engine = place.recovered(place.path)
    for order_id in ("0xfilled", "0xlive", "0xcanceled", "0xkilled"):
        with pytest.raises(Rejected, match="Duplicated"):
            place.submit(ANN, "BUY", "0.3", "10", order_id=order_id)
    assert place.submit(ANN, "BUY", "0.3", "10", order_id="0xrefused").status == "live"
    assert (place.engine.accepted, place.engine.duplicates) == (4, 4)


def test_what_was_pending_goes_on(tmp_path) -> None:
    """Settlement steps, delays, expiries and resolutions happen at the times they had."""
    place = open_place(tmp_path / "truth")
    place.submit(HOUSE, "SELL", "0.5", "10")
    place.submit(ANN, "BUY", "0.5", "10", delay_ms=3_000, order_id="0xdelayed")
    place.submit(ANN, "BUY", "0.3", "10", "GTD", expiration=START // 1000 + 200, order_id="0xgtd")
    event = neg_risk_event(place, 2, resolves_ms=START + 50_000)
    place.engine.close()
    place.engine = place.recovered(place.path)
    place.submit(HOUSE, "SELL", "0.5", "10")
    place.wait(2_900)
    assert place.engine.trades(ANN) == []
    place.wait(100)
    assert len(place.engine.trades(ANN)) == 1
    place.wait(40_000)
    assert place.engine.trades(ANN)[0].status == "CONFIRMED"
    place.wait(10_000)
    assert sorted(str(place.engine.markets[one].winner) for one in event.market_ids) == ["0", "1"]
    place.wait(86_000)
    assert [order.order_id for order in place.engine.open_orders(ANN)] == ["0xgtd"]
    place.wait(2_000)
    assert place.engine.open_orders(ANN) == []


def test_an_order_whose_delay_ended_keeps_its_place_in_the_queue(tmp_path) -> None:
    """It came first but rested last, so it is behind whoever rested meanwhile."""
    place = open_place(tmp_path / "truth")
    offer = place.submit(HOUSE, "SELL", "0.5", "10").order_id
    place.submit(ANN, "BUY", "0.5", "10", delay_ms=1_000, order_id="0xlate")
    place.engine.cancel(HOUSE, offer)
    place.submit(BOB, "BUY", "0.5", "10", order_id="0xmeanwhile")
    place.wait(1_000)
    engine = recovered(place, tmp_path / "copy", place.path.read_bytes())
    assert snapshot(engine) == snapshot(place.engine)
    queue = snapshot(engine)["queues"][place.markets[0].condition_id]
    assert queue == {("BUY", 500_000): ["0xmeanwhile", "0xlate"]}
    engine.close()


def test_allowances_and_deposits_come_back(tmp_path) -> None:
    """Also a limited allowance that was used up in part."""
    place = open_place(tmp_path / "truth")
    spender = "0xE111180000d2663C0091e4f400237545B87B996B"
    place.engine.set_allowance(ANN, spender, 20 * ONE)
    place.buy_shares(ANN, "10")
    engine = recovered(place, tmp_path / "copy", place.path.read_bytes())
    ann = engine.account(ANN)
    assert ann is not None
    assert ann.allowances == {spender: 15 * ONE - 100_000}
    engine.close()


def test_an_absent_or_empty_journal_gives_a_new_exchange(tmp_path) -> None:
    """Nothing to recover is not an error."""
    for name in ("absent", "empty"):
        path = tmp_path / name
        if name == "empty":
            path.touch()
        engine = Engine.recover(path, Clock(), EngineSettings(), random.Random(0))
        assert (engine.accounts(), engine.events) == ([], {})
        engine.close()
