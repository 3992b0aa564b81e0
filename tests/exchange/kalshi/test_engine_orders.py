"""Orders of the Kalshi engine: what is accepted, refused, killed, matched, and what becomes of resting ones."""

from decimal import Decimal

import pytest

from arbsaga.errors import Rejected
from arbsaga.exchange.kalshi.engine import EngineSettings
from arbsaga.exchange.kalshi.grid import check_ranges, on_grid
from arbsaga.exchange.kalshi.model import BookLevel, Filled, OrderUpdated, Placed, TradePrinted
from arbsaga.exchange.units import ONE, parse

from .scene import ANN, BOB, HOUSE, START, Scene, open_scene

TAPERED = ((0, 100_000, 1_000), (100_000, 900_000, 10_000), (900_000, ONE, 1_000))


@pytest.fixture
def scene(tmp_path):
    """No fees."""
    scene = open_scene(tmp_path / "truth.jsonl")
    yield scene
    scene.check()
    scene.engine.close()


def reason(scene: Scene, placed: Placed) -> tuple[str, str]:
    """(status, last_update_reason) of an order."""
    order = scene.engine.order(placed.order_id)
    assert order is not None
    return order.status, order.reason


def refused(call, **what) -> tuple[int, str | None]:
    """(status, code) of a refused call."""
    with pytest.raises(Rejected) as caught:
        call(**what)
    return caught.value.status, caught.value.code


def test_best_price_then_oldest_at_the_makers_price(scene: Scene) -> None:
    """A sweep takes the cheaper level first, in it the older order, and pays what each maker asked."""
    first = scene.submit(BOB, "ask", "0.50", "5")
    second = scene.submit(HOUSE, "ask", "0.50", "5")
    scene.submit(HOUSE, "ask", "0.48", "2")
    assert scene.engine.queue_position(second.order_id) == 5 * ONE
    placed = scene.submit(ANN, "bid", "0.55", "6", "ioc")
    assert placed.fill_count == 6 * ONE
    assert placed.average_fill_price == (Decimal("0.96") + 2) / 6
    assert [fill.price for fill in scene.engine.fills(ANN)] == [480_000, 500_000]
    order = scene.engine.order(first.order_id)
    assert order is not None
    assert order.remaining_count == ONE
    assert scene.levels()[1] == [("0.50", "6.00")]
    assert scene.engine.volume("A") == 6 * ONE
    assert [trade.count for trade in scene.engine.trades("A")] == [2 * ONE, 4 * ONE]


def test_what_is_not_filled_rests(scene: Scene) -> None:
    """A good_till_canceled order."""
    scene.submit(HOUSE, "ask", "0.50", "1")
    placed = scene.submit(ANN, "bid", "0.50", "3")
    assert (placed.fill_count, placed.remaining_count) == (ONE, 2 * ONE)
    assert reason(scene, placed) == ("resting", "Trade")
    assert scene.levels() == ([("0.50", "2.00")], [])


def test_what_an_ioc_leaves_is_canceled_and_remaining_is_zero(scene: Scene) -> None:
    """Filled is fill_count, never count - remaining."""
    scene.submit(HOUSE, "ask", "0.50", "1")
    placed = scene.submit(ANN, "bid", "0.50", "3", "ioc")
    assert (placed.fill_count, placed.remaining_count) == (ONE, 0)
    assert reason(scene, placed)[0] == "canceled"
    nothing = scene.submit(ANN, "bid", "0.50", "3", "ioc")
    assert (nothing.fill_count, nothing.average_fill_price, nothing.average_fee_paid) == (0, None, None)


def test_an_ioc_that_finds_nothing_can_be_refused(tmp_path) -> None:
    """By setting: which of the two the venue does is not known."""
    scene = open_scene(tmp_path / "t", settings=EngineSettings(ioc_zero_fill="refuse"))
    assert scene.refusal(ANN, "bid", "0.5", "1", "ioc") == (409, "immediate_or_cancel_insufficient_resting_volume")


def test_a_fok_is_filled_wholly_or_killed_and_its_id_is_used(scene: Scene) -> None:
    """409; nothing trades, and the id can never be sent again."""
    scene.submit(HOUSE, "ask", "0.50", "2")
    kill = (409, "fill_or_kill_insufficient_resting_volume")
    assert scene.refusal(ANN, "bid", "0.50", "3", "fok", client_order_id="x") == kill
    assert scene.engine.orders(ANN) == []
    assert scene.refusal(ANN, "bid", "0.50", "2", "fok", client_order_id="x") == (409, "order_already_exists")
    assert scene.submit(ANN, "bid", "0.50", "2", "fok", client_order_id="y").fill_count == 2 * ONE


def test_client_ids_are_never_freed_and_are_the_accounts_own(scene: Scene) -> None:
    """Neither a cancel nor a fill frees one; another account may use it; a refused order does not."""
    placed = scene.submit(ANN, "bid", "0.10", "1", client_order_id="x")
    scene.engine.cancel(ANN, placed.order_id)
    assert scene.refusal(ANN, "bid", "0.10", "1", client_order_id="x") == (409, "order_already_exists")
    scene.submit(BOB, "bid", "0.10", "1", client_order_id="x")
    assert scene.refusal(ANN, "bid", "0.105", "1", client_order_id="z") == (400, "invalid_price")
    scene.submit(ANN, "bid", "0.10", "1", client_order_id="z")
    assert scene.engine.duplicates == 1
    assert [line["client_order_id"] for line in scene.journal("duplicate")] == ["x"]


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"price": "0"}, "invalid_price"),
        ({"price": "1"}, "invalid_price"),
        ({"price": "0.555"}, "invalid_price"),
        ({"count": "0"}, "invalid_order_size"),
        ({"count": "0.005"}, "invalid_order_size"),
        ({"kind": "ioc", "expiration_time": START // 1000 + 60}, "invalid_parameters"),
        ({"expiration_time": START // 1000}, "invalid_parameters"),
        ({"reduce_only": True}, "invalid_parameters"),
        ({"kind": "fok", "post_only": True}, "invalid_parameters"),
    ],
)
def test_orders_that_are_refused(scene: Scene, what: dict, code: str) -> None:
    """400, and a line in the journal."""
    assert scene.refusal(ANN, **({"side": "bid", "price": "0.5", "count": "1"} | what)) == (400, code)
    assert scene.journal("refused")[-1]["code"] == code


def test_an_unknown_market_is_404(scene: Scene) -> None:
    """For orders, books and tapes."""
    assert scene.refusal(ANN, "bid", "0.5", "1", ticker="X") == (404, "market_not_found")
    for call in (scene.engine.book, scene.engine.trades):
        assert refused(call, ticker="X") == (404, "market_not_found")


def test_the_price_grid_is_the_markets_ranges_and_can_change_live(scene: Scene) -> None:
    """A tapered grid takes tenths of a cent at its ends only, and whole cents everywhere."""
    assert scene.refusal(ANN, "bid", "0.055", "1")[1] == "invalid_price"
    scene.engine.set_price_ranges("A", TAPERED)
    scene.submit(ANN, "bid", "0.055", "1")
    assert scene.refusal(ANN, "bid", "0.155", "1")[1] == "invalid_price"
    assert on_grid(parse("0.5"), ((0, ONE, 7_000),))
    for bad in (((0, ONE, 50),), ((500_000, 400_000, 100),), ((0, 2 * ONE, 100),)):
        with pytest.raises(ValueError, match="no grid"):
            check_ranges(bad)


def test_post_only_that_crosses_is_refused_or_accepted_and_canceled(scene: Scene, tmp_path) -> None:
    """Both shapes were seen at the venue."""
    scene.submit(HOUSE, "ask", "0.50", "1")
    assert scene.refusal(ANN, "bid", "0.50", "1", post_only=True) == (400, "invalid_order")
    assert scene.submit(ANN, "bid", "0.49", "1", post_only=True).remaining_count == ONE
    other = open_scene(tmp_path / "t", settings=EngineSettings(post_only_cross="cancel"))
    other.submit(HOUSE, "ask", "0.50", "1")
    placed = other.submit(ANN, "bid", "0.50", "1", post_only=True)
    assert (placed.fill_count, placed.remaining_count) == (0, 0)
    assert reason(other, placed) == ("canceled", "PostOnlyCrossCancel")
    other.check()


def test_taker_at_cross_cancels_what_would_meet_ones_own_order(scene: Scene) -> None:
    """What comes before it fills; the resting order stays; a FOK is killed."""
    scene.submit(HOUSE, "ask", "0.48", "1")
    own = scene.submit(ANN, "ask", "0.50", "5")
    assert scene.refusal(ANN, "bid", "0.50", "3", "fok")[0] == 409
    placed = scene.submit(ANN, "bid", "0.50", "3")
    assert (placed.fill_count, placed.remaining_count) == (ONE, 0)
    assert reason(scene, placed) == ("canceled", "SelfTradeCancel")
    assert reason(scene, own) == ("resting", "")


def test_stp_maker_cancels_the_resting_order_and_goes_on(scene: Scene) -> None:
    """The order behind it fills."""
    own = scene.submit(ANN, "ask", "0.49", "5")
    scene.submit(HOUSE, "ask", "0.50", "5")
    placed = scene.submit(ANN, "bid", "0.50", "3", self_trade_prevention="maker")
    assert placed.fill_count == 3 * ONE
    assert reason(scene, own) == ("canceled", "SelfTradeCancel")


def test_stp_maker_leaves_own_orders_that_a_refused_order_would_have_met(scene: Scene) -> None:
    """Killed, beyond the cash, or filled before it gets there."""
    scene.submit(HOUSE, "ask", "0.48", "1")
    own = scene.submit(ANN, "ask", "0.49", "5")
    more = {"self_trade_prevention": "maker"}
    assert scene.refusal(ANN, "bid", "0.50", "3", "fok", **more)[0] == 409
    assert scene.refusal(ANN, "bid", "0.50", "3000", **more) == (400, "insufficient_balance")
    assert scene.submit(ANN, "bid", "0.50", "1", **more).fill_count == ONE
    assert reason(scene, own) == ("resting", "")
    assert scene.submit(ANN, "bid", "0.50", "1", post_only=True, **more).remaining_count == ONE
    assert reason(scene, own) == ("canceled", "SelfTradeCancel")


def test_reduce_only_never_turns_a_position(scene: Scene) -> None:
    """It closes what is held, with IOC; without a position it fills nothing."""
    scene.submit(HOUSE, "ask", "0.50", "2")
    scene.submit(ANN, "bid", "0.50", "2", "ioc")
    scene.submit(HOUSE, "bid", "0.45", "10")
    placed = scene.submit(ANN, "ask", "0.45", "5", "ioc", reduce_only=True)
    assert placed.fill_count == 2 * ONE
    assert scene.net(ANN) == 0
    nothing = scene.submit(ANN, "ask", "0.45", "5", "ioc", reduce_only=True)
    assert (nothing.fill_count, reason(scene, nothing)) == (0, ("canceled", "ReduceOnlyCancel"))


def test_orders_expire(scene: Scene) -> None:
    """At their second, not before."""
    placed = scene.submit(ANN, "bid", "0.50", "2", expiration_time=START // 1000 + 60)
    scene.wait(59_999)
    assert reason(scene, placed) == ("resting", "")
    scene.wait(1)
    assert reason(scene, placed) == ("canceled", "ExpiryCancel")


def test_cancel_and_cancel_again(scene: Scene) -> None:
    """The answer tells what was taken off; a dead, unknown or foreign order is 404."""
    scene.submit(HOUSE, "ask", "0.50", "1")
    placed = scene.submit(ANN, "bid", "0.50", "3", client_order_id="x")
    assert refused(scene.engine.cancel, account_id=BOB, order_id=placed.order_id) == (404, "not_found")
    done = scene.engine.cancel(ANN, placed.order_id)
    assert (done.reduced_by, done.remaining_count, done.client_order_id) == (2 * ONE, 0, "x")
    assert refused(scene.engine.cancel, account_id=ANN, order_id=placed.order_id) == (404, "not_found")
    assert refused(scene.engine.queue_position, order_id=placed.order_id) == (404, "not_found")


def test_cancel_all_can_be_of_one_shard(scene: Scene) -> None:
    """Orders of other shards and accounts stay."""
    scene.deposit(ANN, "10", 3)
    scene.submit(ANN, "bid", "0.10", "1")
    scene.submit(ANN, "bid", "0.10", "1", ticker="S")
    scene.submit(BOB, "bid", "0.10", "1")
    assert len(scene.engine.cancel_all(ANN, 3)) == 1
    assert [order.ticker for order in scene.engine.resting(ANN)] == ["A"]
    assert len(scene.engine.cancel_all(ANN)) == 1
    assert len(scene.engine.resting(BOB)) == 1


def test_a_decrease_keeps_the_place_in_the_queue(scene: Scene) -> None:
    """By or to a count; to 0 it ends; exactly one of the two, on the count's grid."""
    placed = scene.submit(ANN, "bid", "0.50", "10")
    behind = scene.submit(BOB, "bid", "0.50", "1")
    assert scene.engine.decrease(ANN, placed.order_id, reduce_by=parse("2.5")).remaining_count == parse("7.5")
    assert scene.engine.queue_position(behind.order_id) == parse("7.5")
    assert scene.engine.decrease(ANN, placed.order_id, reduce_to=4 * ONE).remaining_count == 4 * ONE
    for wrong in ({}, {"reduce_by": 1, "reduce_to": 1}, {"reduce_by": 5_000}, {"reduce_to": 5 * ONE}):
        assert refused(scene.engine.decrease, account_id=ANN, order_id=placed.order_id, **wrong)[0] == 400
    scene.engine.decrease(ANN, placed.order_id, reduce_to=0)
    assert reason(scene, placed) == ("canceled", "Decrease")


def amend(scene: Scene, placed: Placed, price: str, count: str, **more) -> Placed:
    """Amend Ann's bid in A."""
    given = {"ticker": "A", "side": "bid"} | more
    return scene.engine.amend(ANN, placed.order_id, price=parse(price), count=parse(count), **given)


def test_an_amendment_keeps_the_place_unless_price_or_size_grow(scene: Scene) -> None:
    """A smaller count or a new expiration keeps it, a larger count loses it."""
    placed = scene.submit(ANN, "bid", "0.50", "10")
    scene.submit(BOB, "bid", "0.50", "1")
    amend(scene, placed, "0.50", "8", expiration_time=START // 1000 + 60)
    assert scene.engine.queue_position(placed.order_id) == 0
    amend(scene, placed, "0.50", "9")
    assert scene.engine.queue_position(placed.order_id) == ONE
    scene.wait(60_000)
    assert reason(scene, placed) == ("canceled", "ExpiryCancel")


def test_an_amended_price_can_trade_at_once(scene: Scene) -> None:
    """`count` is what it filled plus what shall rest; the answer tells what filled now."""
    scene.submit(HOUSE, "ask", "0.50", "1")
    placed = scene.submit(ANN, "bid", "0.50", "3")
    scene.submit(HOUSE, "ask", "0.55", "1")
    answer = amend(scene, placed, "0.55", "5", updated_client_order_id="new")
    assert (answer.fill_count, answer.remaining_count, answer.client_order_id) == (ONE, 3 * ONE, "new")
    assert scene.levels() == ([("0.55", "3.00")], [])
    assert scene.refusal(ANN, "bid", "0.1", "1", client_order_id="new") == (409, "order_already_exists")


def test_amendments_that_are_refused_leave_the_order(scene: Scene) -> None:
    """Wrong market, side or id; used id; no more than filled; more than the cash covers; post-only that crosses."""
    scene.submit(ANN, "bid", "0.10", "1", client_order_id="used")
    scene.submit(HOUSE, "ask", "0.60", "1")
    placed = scene.submit(ANN, "bid", "0.50", "3", client_order_id="x", post_only=True)
    wrong = [
        {"ticker": "B"},
        {"side": "ask"},
        {"client_order_id": "y"},
        {"updated_client_order_id": "used"},
        {"count": "0"},
        {"count": "5000"},
        {"price": "0.60"},
        {"expiration_time": 1},
    ]
    scene.submit(HOUSE, "ask", "0.55", "1")
    filled = scene.submit(ANN, "bid", "0.55", "2")
    assert refused(amend, scene=scene, placed=filled, price="0.54", count="1") == (400, "invalid_order_size")
    scene.engine.cancel(ANN, filled.order_id)
    for one in wrong:
        given = {"price": "0.50", "count": "4"} | one
        with pytest.raises(Rejected):
            amend(scene, placed, **given)
    assert scene.levels()[0] == [("0.10", "1.00"), ("0.50", "3.00")]


def test_listeners_hear_increments_of_levels_fills_trades_and_orders(scene: Scene) -> None:
    """Book levels as signed increments with their cause; one update per order and happening; house orders unheard."""
    scene.submit(HOUSE, "ask", "0.50", "2")
    placed = scene.submit(ANN, "bid", "0.50", "3")
    levels = [(one.side, one.price, one.delta, one.size, one.cause) for one in scene.happened(BookLevel)]
    assert [one[:4] for one in levels] == [
        ("ask", 500_000, 2 * ONE, 2 * ONE),
        ("bid", 500_000, ONE, ONE),
        ("ask", 500_000, -2 * ONE, 0),
    ]
    assert levels[1][4] == placed.order_id
    assert [(one.fill.count, one.fill.position) for one in scene.happened(Filled)] == [(2 * ONE, 2 * ONE)]
    assert [one.order.fill_count for one in scene.happened(OrderUpdated)] == [2 * ONE]
    assert len(scene.happened(TradePrinted)) == 1


def test_an_expiration_that_was_moved_does_not_strike(scene: Scene) -> None:
    """At the old time the order goes on resting."""
    placed = scene.submit(ANN, "bid", "0.50", "2", expiration_time=START // 1000 + 30)
    amend(scene, placed, "0.50", "2", expiration_time=START // 1000 + 60)
    scene.wait(30_000)
    assert reason(scene, placed) == ("resting", "Amend")
    scene.wait(30_000)
    assert reason(scene, placed) == ("canceled", "ExpiryCancel")
    assert scene.engine.accepted == 1
