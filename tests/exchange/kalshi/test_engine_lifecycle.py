"""A market's life, payouts, pauses, and order groups."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from arbsaga.errors import Rejected
from arbsaga.exchange.kalshi.engine import Engine, EngineSettings
from arbsaga.exchange.kalshi.halts import in_thursday_pause, next_thursday_pause
from arbsaga.exchange.kalshi.model import Event, GroupChanged, Halts, Lifecycle, Market, Series
from arbsaga.exchange.units import ONE, parse

from .scene import ANN, BOB, HOUSE, START, Scene, open_scene


@pytest.fixture
def scene(tmp_path):
    """No fees; Ann has 10 YES and Bob 10 NO of A, at 0.40."""
    scene = open_scene(tmp_path / "truth.jsonl")
    scene.submit(ANN, "bid", "0.40", "10")
    scene.submit(BOB, "ask", "0.40", "10")
    yield scene
    scene.check()
    scene.engine.close()


def status(scene: Scene, ticker: str = "A") -> str:
    """A market's status."""
    return scene.engine.markets[ticker].status


def test_a_decided_market_pays_after_its_timer(scene: Scene) -> None:
    """Determining closes it first; a dollar for each winning contract, once the settlement timer is over."""
    resting = scene.submit(ANN, "bid", "0.10", "1")
    scene.engine.determine("A", ONE)
    order = scene.engine.order(resting.order_id)
    assert order is not None
    assert (order.status, order.reason, status(scene)) == ("canceled", "CloseCancel", "determined")
    assert scene.refusal(ANN, "bid", "0.10", "1") == (400, "market_already_closed")
    scene.wait(59_999)
    assert scene.cash(ANN) == 996
    scene.wait(1)
    assert status(scene) == "finalized"
    assert (scene.cash(ANN), scene.cash(BOB), scene.net(ANN)) == (1006, 994, 0)
    settled = scene.engine.settlements(BOB)[0]
    assert (settled.result, settled.position, settled.revenue, settled.cost) == ("yes", -10 * ONE, 0, 6 * ONE)
    account = scene.engine.account(ANN)
    assert account is not None
    assert account.positions["A"].realized == 6 * ONE
    kinds = [one.kind for one in scene.happened(Lifecycle)]
    assert kinds == ["closed", "determined", "settled"]


def test_a_scalar_value_pays_both_sides_their_part(scene: Scene) -> None:
    """0.26 USD per YES, 0.74 per NO (the documented case of February 2026)."""
    scene.engine.determine("A", parse("0.26"))
    scene.wait(60_000)
    assert (scene.cash(ANN), scene.cash(BOB)) == (Decimal("998.6"), Decimal("1001.4"))
    assert scene.engine.settlements(ANN)[0].result == "scalar"


def test_a_scalar_value_may_cost_a_part_of_a_cent(scene: Scene) -> None:
    """What is below the precision of balances is a fee."""
    scene.engine.determine("A", parse("0.2665"))
    scene.wait(60_000)
    assert (scene.cash(ANN), scene.cash(BOB)) == (Decimal("998.66"), Decimal("1001.33"))
    assert scene.engine.fees_collected == 10_000
    assert [scene.engine.settlements(who)[0].fee for who in (ANN, BOB)] == [5_000, 5_000]


def test_a_dispute_holds_the_payout_until_it_is_amended(scene: Scene) -> None:
    """And the timer starts anew with the new value."""
    scene.engine.determine("A", ONE)
    scene.engine.dispute("A")
    scene.wait(600_000)
    assert (status(scene), scene.cash(ANN)) == ("disputed", 996)
    scene.engine.amend_result("A", 0)
    scene.wait(59_999)
    assert status(scene) == "amended"
    scene.wait(1)
    assert (scene.cash(ANN), scene.cash(BOB)) == (996, 1004)


def test_an_amendment_without_a_dispute_moves_the_payout(scene: Scene) -> None:
    """The first timer's end pays nothing."""
    scene.engine.determine("A", ONE)
    scene.wait(30_000)
    scene.engine.amend_result("A", 0)
    scene.wait(30_000)
    assert status(scene) == "amended"
    scene.wait(30_000)
    assert status(scene) == "finalized"


def test_what_cannot_be_decided(scene: Scene) -> None:
    """Twice, beyond a dollar, off the grid, two winners of an exclusive event; or disputed before it is decided."""
    engine = scene.engine
    with pytest.raises(ValueError, match="only a decided one"):
        engine.dispute("A")
    with pytest.raises(ValueError, match="only a decided one"):
        engine.amend_result("A", 0)
    for value in (-1, ONE + 100, 50):
        with pytest.raises(ValueError, match="a YES contract pays"):
            engine.determine("A", value)
    engine.determine("A", parse("0.6"))
    with pytest.raises(ValueError, match="already"):
        engine.determine("A", 0)
    with pytest.raises(ValueError, match="mutually exclusive"):
        engine.determine("B", parse("0.5"))
    engine.determine("B", parse("0.4"))
    for call in (engine.close_market, lambda ticker: engine.activate(ticker, True)):
        with pytest.raises(ValueError, match="is determined"):
            call("A")


def test_a_market_closes_at_its_time(scene: Scene) -> None:
    """By the clock; one that was closed before stays as it is."""
    markets = [Market(name, "TIMED", close_ms=START + 1_000) for name in ("T1", "T2")]
    scene.engine.open_event(Event("TIMED", "SER"), markets)
    scene.engine.determine("T2", 0)
    scene.wait(1_000)
    assert (status(scene, "T1"), status(scene, "T2")) == ("closed", "determined")


def test_inactive_and_initialized_markets_take_no_orders(scene: Scene) -> None:
    """Until they are activated."""
    scene.engine.open_event(Event("NEW", "SER"), [Market("N", "NEW", status="initialized")])
    assert scene.refusal(ANN, "bid", "0.10", "1", ticker="N") == (400, "market_inactive")
    scene.engine.activate("N", True)
    scene.submit(ANN, "bid", "0.10", "1", ticker="N")
    scene.engine.activate("N", False)
    assert scene.refusal(ANN, "bid", "0.10", "1", ticker="N") == (400, "market_inactive")


def test_catalogues_that_are_refused(scene: Scene) -> None:
    """Tickers that are taken, series that are unknown, markets of another event."""
    engine = scene.engine
    with pytest.raises(ValueError, match="is taken"):
        engine.open_series(Series("SER"))
    wrong = [
        (Event("EV", "SER"), []),
        (Event("E2", "NONE"), []),
        (Event("E2", "SER"), [Market("A", "E2")]),
        (Event("E2", "SER"), [Market("Z", "E3")]),
        (Event("E2", "SER"), [Market("Z", "E2"), Market("Z", "E2")]),
    ]
    for event, markets in wrong:
        with pytest.raises(ValueError, match=r"taken|is not of event"):
            engine.open_event(event, markets)


def test_a_paused_market_takes_cancels_only(scene: Scene) -> None:
    """409 trading_is_paused for placing and amending; orders that asked for it are canceled."""
    stays = scene.submit(ANN, "bid", "0.10", "2")
    goes = scene.submit(ANN, "bid", "0.11", "1", cancel_order_on_pause=True)
    scene.engine.pause_market("A", True)
    assert [order.order_id for order in scene.engine.resting(ANN)] == [stays.order_id]
    ended = scene.engine.order(goes.order_id)
    assert ended is not None
    assert ended.reason == "HaltCancel"
    assert scene.refusal(ANN, "bid", "0.10", "1") == (409, "trading_is_paused")
    with pytest.raises(Rejected) as caught:
        scene.engine.decrease(ANN, stays.order_id, reduce_by=ONE)
    assert (caught.value.status, caught.value.code) == (409, "trading_is_paused")
    scene.submit(ANN, "bid", "0.10", "1", ticker="B")
    scene.engine.cancel(ANN, stays.order_id)
    scene.engine.pause_market("A", False)
    scene.submit(ANN, "bid", "0.10", "1")


def test_a_halted_exchange_takes_nothing_and_shards_halt_apart(scene: Scene) -> None:
    """A trading halt takes cancels, an exchange halt not even those."""
    scene.deposit(ANN, "10", 3)
    placed = [scene.submit(ANN, "bid", "0.10", "1") for _ in range(2)]
    scene.engine.halt(trading=True, exchange_index=0)
    assert scene.engine.halts(0) == Halts(trading=True)
    assert scene.refusal(ANN, "bid", "0.10", "1") == (409, "trading_is_paused")
    scene.engine.cancel(ANN, placed[0].order_id)
    scene.submit(ANN, "bid", "0.10", "1", ticker="S")
    scene.engine.halt(exchange=True)
    assert scene.refusal(ANN, "bid", "0.10", "1", ticker="S") == (409, "exchange_is_paused")
    for call in (lambda: scene.engine.cancel(ANN, placed[1].order_id), lambda: scene.engine.cancel_all(ANN)):
        with pytest.raises(Rejected) as caught:
            call()
        assert caught.value.code == "exchange_is_paused"
    scene.engine.halt()
    scene.engine.cancel(ANN, placed[1].order_id)


def at(text: str) -> int:
    """Wall ms of a moment in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_the_thursday_pause_is_new_york_time() -> None:
    """03:00-05:00, in summer and in winter."""
    assert in_thursday_pause(at("2026-07-16T07:00:00"))
    assert not in_thursday_pause(at("2026-07-16T09:00:00"))
    assert in_thursday_pause(at("2026-12-03T08:00:00"))
    assert not in_thursday_pause(at("2026-12-04T08:00:00"))
    assert next_thursday_pause(at("2026-07-16T06:59:59")) == at("2026-07-16T07:00:00")
    assert next_thursday_pause(at("2026-07-16T07:00:00")) == at("2026-07-23T07:00:00")


def test_trading_pauses_on_thursday_where_set(tmp_path) -> None:
    """Orders that asked for it are canceled at its beginning; when it is over trading goes on."""
    scene = open_scene(tmp_path / "t", settings=EngineSettings(thursday_pause=True))
    scene.submit(ANN, "bid", "0.10", "1", cancel_order_on_pause=True)
    scene.wait(next_thursday_pause(START) - START)
    assert scene.engine.resting(ANN) == []
    assert scene.refusal(ANN, "bid", "0.10", "1") == (409, "trading_is_paused")
    scene.wait(7_200_000)
    scene.submit(ANN, "bid", "0.10", "1", cancel_order_on_pause=True)
    scene.wait(7 * 86_400_000 - 7_200_000)
    assert scene.engine.resting(ANN) == []


def test_a_pause_that_began_while_the_exchange_was_down_counts(tmp_path) -> None:
    """Orders that asked for it are canceled when it is back."""
    scene = open_scene(tmp_path / "t", settings=EngineSettings(thursday_pause=True))
    scene.submit(ANN, "bid", "0.10", "1", cancel_order_on_pause=True)
    scene.engine.close()
    scene.clock.ms = next_thursday_pause(START) + 60_000
    scene.engine = Engine.recover(scene.path, scene.clock, scene.engine.settings)
    scene.engine.advance()
    assert scene.engine.resting(ANN) == []


def test_a_group_trips_when_too_much_fills_within_15_seconds(scene: Scene) -> None:
    """Its other orders end and new ones are refused until it is reset; older fills do not count."""
    group = scene.engine.create_group(ANN, 5 * ONE)
    more = {"order_group_id": group.group_id}
    scene.submit(ANN, "bid", "0.30", "3", **more)
    scene.submit(HOUSE, "ask", "0.30", "3", "ioc")
    scene.wait(15_000)
    scene.submit(ANN, "bid", "0.30", "3", **more)
    rests = scene.submit(ANN, "bid", "0.29", "3", **more)
    scene.submit(HOUSE, "ask", "0.30", "3", "ioc")
    assert not scene.engine.group(ANN, group.group_id).triggered
    assert scene.engine.group(ANN, group.group_id).order_ids == [rests.order_id]
    scene.submit(HOUSE, "ask", "0.29", "2.01", "ioc")
    assert scene.engine.group(ANN, group.group_id).triggered
    ended = scene.engine.order(rests.order_id)
    assert ended is not None
    assert (ended.status, ended.reason) == ("canceled", "GroupCancel")
    assert scene.refusal(ANN, "bid", "0.30", "1", **more) == (400, "invalid_order")
    scene.engine.reset_group(ANN, group.group_id)
    scene.submit(ANN, "bid", "0.30", "1", **more)
    assert [one.kind for one in scene.happened(GroupChanged)] == ["created", "triggered", "reset"]


def test_groups_can_be_triggered_changed_and_deleted(scene: Scene) -> None:
    """Each cancels or keeps its orders as documented; another account's or shard's is refused."""
    engine = scene.engine
    group_id = engine.create_group(ANN, ONE).group_id
    assert scene.refusal(BOB, "bid", "0.30", "1", order_group_id=group_id) == (404, "not_found")
    assert scene.refusal(ANN, "bid", "0.30", "1", ticker="S", order_group_id=group_id) == (400, "invalid_parameters")
    scene.submit(ANN, "bid", "0.30", "1", order_group_id=group_id)
    engine.set_group_limit(ANN, group_id, 2 * ONE)
    assert [one.limit for one in engine.groups(ANN)] == [2 * ONE]
    engine.trigger_group(ANN, group_id)
    assert engine.resting(ANN) == []
    engine.reset_group(ANN, group_id)
    scene.submit(ANN, "bid", "0.30", "1", order_group_id=group_id)
    engine.delete_group(ANN, group_id)
    assert (engine.resting(ANN), engine.groups(ANN)) == ([], [])
    for limit in (0, 1_000_001 * ONE):
        with pytest.raises(Rejected):
            engine.create_group(ANN, limit)
