"""Every fault that strikes inside the engine, and the grammar of faults."""

import pytest

from arbsaga.errors import ConfigError, NotCanceled, Rejected
from arbsaga.exchange.faults import FAULTS, FaultPlan, parse_fault
from arbsaga.exchange.model import OrderUpdated, TickChanged, TradeUpdated
from arbsaga.exchange.units import ONE

from .place import ANN, BOB, HOUSE, Place, check_conservation, open_place

DEPOSITS = 2_000 * ONE


def with_fault(tmp_path, *specs: str) -> Place:
    """A place where the house offers 10 YES at 0.40 and 10 at 0.50."""
    place = open_place(tmp_path / "j", faults=specs)
    place.submit(HOUSE, "SELL", "0.4", "10")
    place.submit(HOUSE, "SELL", "0.5", "10")
    return place


def test_lose_leg_takes_the_liquidity_away(tmp_path) -> None:
    """A GTC rests unfilled on an uncrossed book; FOK and FAK are killed."""
    place = with_fault(tmp_path, "lose_leg")
    assert place.submit(ANN, "BUY", "0.45", "10").status == "live"
    assert place.levels() == ([(450_000, 10 * ONE)], [(500_000, 10 * ONE)])
    with pytest.raises(Rejected, match="FAK"):
        place.submit(BOB, "BUY", "0.5", "10", "FAK")
    assert place.levels() == ([(450_000, 10 * ONE)], [])
    place.submit(HOUSE, "SELL", "0.5", "100", market=1)
    with pytest.raises(Rejected, match="FOK"):
        place.submit(BOB, "BUY", "0.5", "10", "FOK", market=1)


def test_lose_leg_leaves_other_users_orders(tmp_path) -> None:
    """Only house orders vanish."""
    place = with_fault(tmp_path, "lose_leg")
    place.submit(BOB, "BUY", "0.55", "10", token=1)
    ack = place.submit(ANN, "BUY", "0.5", "20")
    assert (ack.status, ack.taking_amount) == ("matched", 10 * ONE)


def test_partial_leaves_a_share_of_the_liquidity(tmp_path) -> None:
    """Half of what would match, best price first; the rest of a GTC rests, a FOK is killed."""
    place = with_fault(tmp_path, "partial,share=0.75")
    ack = place.submit(ANN, "BUY", "0.5", "20")
    assert (ack.status, ack.taking_amount, ack.making_amount) == ("matched", 15 * ONE, 6_500_000)
    assert place.levels() == ([(500_000, 5 * ONE)], [])
    place.submit(HOUSE, "SELL", "0.5", "10", market=1)
    with pytest.raises(Rejected, match="FOK"):
        place.submit(BOB, "BUY", "0.5", "10", "FOK", market=1)


def test_partial_of_a_sell_stays_on_the_grid(tmp_path) -> None:
    """What matches is whole hundredths of a share."""
    place = open_place(tmp_path / "j", faults=("partial,share=0.333,only=SELL",))
    place.buy_shares(ANN, "10")
    place.submit(HOUSE, "BUY", "0.5", "10")
    assert place.submit(ANN, "SELL", "0.5", "10", "FAK").making_amount == 3_330_000


def test_delayed_orders_match_later(tmp_path) -> None:
    """`delayed`: money is kept aside, nothing can cancel it, then it matches."""
    place = with_fault(tmp_path, "delayed,seconds=2")
    ack = place.submit(ANN, "BUY", "0.5", "10")
    assert (ack.status, ack.making_amount) == ("delayed", 0)
    ann = place.engine.account(ANN)
    assert ann is not None
    assert ann.open == {"": 5 * ONE}
    with pytest.raises(NotCanceled, match="already canceled or matched"):
        place.engine.cancel(ANN, ack.order_id)
    assert place.engine.cancel_all(ANN) == []
    place.wait(1_900)
    assert place.engine.trades(ANN) == []
    place.wait(100)
    order = place.engine.order(ack.order_id)
    assert order is not None
    assert (order.status, order.matched, order.spent) == ("MATCHED", 10 * ONE, 4 * ONE)
    assert [(update.kind, update.order.status) for update in place.happened(OrderUpdated)] == [
        ("PLACEMENT", "DELAYED"),
        ("UPDATE", "MATCHED"),
    ]
    check_conservation(place.engine, DEPOSITS)


def test_an_order_that_does_not_cross_is_not_delayed(tmp_path) -> None:
    """Delays hold takers only."""
    place = with_fault(tmp_path, "delayed")
    assert place.submit(ANN, "BUY", "0.3", "10", delay_ms=500).status == "live"


def test_a_delayed_order_whose_liquidity_left_rests_or_dies(place: Place) -> None:
    """A GTC rests after its delay, FAK and FOK end."""
    for kind, status in (("GTC", "LIVE"), ("FAK", "CANCELED"), ("FOK", "CANCELED")):
        offer = place.submit(HOUSE, "SELL", "0.5", "10").order_id
        order_id = place.submit(ANN, "BUY", "0.5", "10", kind, delay_ms=1_000).order_id
        place.engine.cancel(HOUSE, offer)
        place.wait(1_000)
        order = place.engine.order(order_id)
        assert order is not None
        assert (order.status, order.resting) == (status, status == "LIVE")
        place.engine.cancel_all(ANN)
    assert "FOK orders" in place.journal("canceled")[-1]["why"]


def test_a_delayed_order_is_checked_again(place: Place) -> None:
    """Its money may be gone (a fee that grew), its market closed."""
    place.submit(HOUSE, "SELL", "0.1", "100")
    poor = place.submit(ANN, "BUY", "0.1", "9900", delay_ms=1_000).order_id
    place.submit(HOUSE, "SELL", "0.1", "9800")
    place.wait(1_000)
    order = place.engine.order(poor)
    assert order is not None
    assert order.status == "CANCELED_NOT_ENOUGH_BALANCE"
    shut = place.submit(BOB, "BUY", "0.1", "100", delay_ms=1_000).order_id
    place.markets[0].accepting_orders = False
    place.wait(1_000)
    order = place.engine.order(shut)
    assert order is not None
    assert order.status == "CANCELED"
    check_conservation(place.engine, DEPOSITS)


def test_unmatched_rests_though_it_was_marketable(tmp_path) -> None:
    """The answer that the official client takes for a rejection, while the order is live."""
    place = with_fault(tmp_path, "unmatched")
    ack = place.submit(ANN, "BUY", "0.5", "10")
    assert (ack.status, ack.trade_ids) == ("unmatched", ())
    assert [order.order_id for order in place.engine.open_orders(ANN)] == [ack.order_id]
    assert place.levels() == ([(500_000, 10 * ONE)], [])


def test_unmatched_does_not_concern_market_orders(tmp_path) -> None:
    """FOK and FAK never rest."""
    place = with_fault(tmp_path, "unmatched")
    assert place.submit(ANN, "BUY", "0.5", "10", "FAK").status == "matched"


def test_reject_answers_its_text(tmp_path) -> None:
    """With commas, once per count; the id stays free."""
    place = with_fault(tmp_path, "reject,count=1,text=no, not today")
    with pytest.raises(Rejected) as refusal:
        place.submit(ANN, "BUY", "0.3", "10", order_id="0xr")
    assert refusal.value.text == "no, not today"
    assert place.submit(ANN, "BUY", "0.3", "10", order_id="0xr").status == "live"
    assert (
        place.journal("refused")[0] | {"order_id": "0xr", "text": "no, not today", "used": False}
        == place.journal("refused")[0]
    )


def test_cancel_loses_to_a_fill(tmp_path) -> None:
    """The whole order fills just before its cancel; its own side's better orders do not matter."""
    place = open_place(tmp_path / "j", faults=("cancel_loses,count=1",))
    order_id = place.submit(ANN, "BUY", "0.4", "10").order_id
    place.submit(HOUSE, "BUY", "0.45", "10")
    with pytest.raises(NotCanceled, match="Order already matched"):
        place.engine.cancel(ANN, order_id)
    order = place.engine.order(order_id)
    assert order is not None
    assert (order.status, order.matched, order.spent) == ("MATCHED", 10 * ONE, 4 * ONE)
    fill = place.journal("fill")[0]
    assert (fill["role"], fill["order_id"], fill["fee"]) == ("maker", order_id, "0")
    place.settled()
    check_conservation(place.engine, DEPOSITS)


def test_tick_change_strikes_before_the_order_is_checked(tmp_path) -> None:
    """A price on the old grid is refused by the new one."""
    place = with_fault(tmp_path, "tick_change,tick=0.1,count=1")
    with pytest.raises(Rejected, match=r"Price \(0.45\) breaks minimum tick size rule: 0.1"):
        place.submit(ANN, "BUY", "0.45", "10")
    change = place.happened(TickChanged)[0]
    assert (change.old_tick, change.new_tick) == (10_000, 100_000)


def test_tick_change_goes_to_a_thousandth_and_back(tmp_path) -> None:
    """Without a tick it toggles between 0.01 and 0.001."""
    place = with_fault(tmp_path, "tick_change")
    place.submit(ANN, "BUY", "0.3", "10")
    place.submit(ANN, "BUY", "0.3", "10")
    assert [change.new_tick for change in place.happened(TickChanged)] == [1_000, 10_000]


def test_wipe_cancels_every_resting_order_of_the_market(tmp_path) -> None:
    """As at game start; other markets stay."""
    place = with_fault(tmp_path, "wipe,count=1")
    elsewhere = place.markets[1].condition_id
    order_id = place.submit(ANN, "BUY", "0.3", "10").order_id
    place.submit(ANN, "BUY", "0.3", "10", market=1)
    assert place.levels() == ([], [])
    assert [order.condition_id for order in place.engine.open_orders(ANN)] == [elsewhere]
    assert place.engine.wipe(elsewhere) != []
    lines = place.journal("canceled")
    assert (lines[0]["order_id"], lines[0]["why"]) == (order_id, "game start")


def test_phantom_matched_stays_until_refreshed(tmp_path) -> None:
    """The "sum of matched orders" counts a settled trade on (py-clob-client #342)."""
    place = with_fault(tmp_path, "phantom_matched")
    place.submit(ANN, "BUY", "0.5", "20")
    place.settled()
    with pytest.raises(Rejected, match=r"sum of matched orders: 9196000, order amount"):
        place.submit(ANN, "BUY", "0.5", "1980")
    place.engine.refresh_balance("0xNobody")
    place.engine.refresh_balance(ANN)
    assert place.submit(ANN, "BUY", "0.5", "1980").status == "live"


@pytest.mark.parametrize(
    ("only", "entry_fails", "exit_fails", "hedge_fails"),
    [
        ("entry", True, False, False),
        ("exit", False, True, True),
        ("BUY", True, False, True),
        ("SELL", False, True, False),
    ],
)
def test_only_limits_a_fault(tmp_path, only, entry_fails, exit_fails, hedge_fails) -> None:
    """An exit sells, or buys the complement of what is held or on its way; everything else is an entry."""
    place = open_place(tmp_path / "j")
    place.buy_shares(ANN, "20")
    place.submit(HOUSE, "SELL", "0.5", "20", market=1)
    place.submit(BOB, "BUY", "0.5", "20", market=1)
    place.faults.add(f"reject,only={only},text=struck")

    def fails(*order, **more) -> bool:
        try:
            place.submit(*order, **more)
        except Rejected as refusal:
            return refusal.text == "struck"
        return False

    assert fails(BOB, "BUY", "0.3", "10") is entry_fails
    assert fails(ANN, "SELL", "0.7", "10") is exit_fails
    assert fails(BOB, "BUY", "0.3", "10", token=1, market=1) is hedge_fails


def test_faults_leave_the_house_alone(tmp_path) -> None:
    """Seeded traders are part of the world, not under test."""
    place = with_fault(tmp_path, "reject", "lose_leg", "delayed", "cancel_loses")
    order_id = place.submit(HOUSE, "BUY", "0.4", "20").order_id
    place.engine.cancel(HOUSE, order_id)
    assert place.journal("fault") == []


def test_two_faults_can_strike_one_order(tmp_path) -> None:
    """A delayed order whose trade then fails."""
    place = with_fault(tmp_path, "delayed,seconds=1", "fail_settlement")
    place.submit(ANN, "BUY", "0.5", "10")
    place.settled()
    assert [update.trade.status for update in place.happened(TradeUpdated)] == ["MATCHED", "FAILED"]


def test_a_spec_is_read_wholly() -> None:
    """Name, rate, keys; `text` runs to the end."""
    fault = parse_fault(" reject:0.25, only=SELL,count=2,token=7,text=a, b=c ")
    assert (fault.name, str(fault.rate)) == ("reject", "0.25")
    assert dict(fault.options) == {"only": "SELL", "count": "2", "token": "7", "text": "a, b=c"}
    assert parse_fault(str(fault)) == fault
    assert (parse_fault("delayed,seconds=2.5").milliseconds, parse_fault("delayed").milliseconds) == (2_500, 0)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nonsense", "unknown fault 'nonsense': choose one of "),
        ("delayed:2", "not a number in 0..1"),
        ("delayed:x", "not a number in 0..1"),
        ("delayed,seconds", "not key=value"),
        ("delayed,seconds=", "not key=value"),
        ("delayed,share=0.5", "with a key of"),
        ("delayed,seconds=soon", "seconds must be a number"),
        ("delayed,seconds=-1", "seconds must be a number"),
        ("partial,share=2", "share must be in 0..1"),
        ("tick_change,tick=0.02", "tick must be one of 0.1"),
        ("delayed,only=me", "only must be entry, exit, BUY or SELL"),
    ],
)
def test_a_wrong_spec_says_what_is_wrong(spec: str, says: str) -> None:
    """One clear line."""
    with pytest.raises(ConfigError, match=says.replace("(", r"\(")):
        parse_fault(spec)


def test_a_plan_draws_by_rate_count_and_context() -> None:
    """Seeded: the same plan strikes at the same draws."""
    draws = [[plan.draw("latency") is not None for _ in range(200)] for plan in _plans("latency:0.3,ms=5")]
    assert draws[0] == draws[1]
    assert 40 <= sum(draws[0]) <= 80
    plan = FaultPlan(1, ("latency,count=2", "status,address=0xAB,path=/order"))
    assert [plan.draw("latency") is not None for _ in range(4)] == [True, True, False, False]
    assert plan.draw("status", address="0xab", path="/orders") is None
    assert plan.draw("status", address="0xab", path="/order") is not None
    assert [struck for _, struck in plan.active()] == [2, 1]
    assert (plan.clear("latency"), len(plan.active()), plan.clear(), plan.active()) == (1, 1, 1, [])


def _plans(spec: str) -> list[FaultPlan]:
    return [FaultPlan(4, (spec,)) for _ in range(2)]


def test_every_fault_of_the_contract_can_be_written() -> None:
    """The names that the command line and the admin API know."""
    assert len(FAULTS) == 34
    assert all(parse_fault(name).name == name for name in FAULTS)
