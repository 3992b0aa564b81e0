"""The story in seeded weather, judged by the simulated exchange's own record."""

import random
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from decimal import Decimal

import pytest

from arbsaga.domain.baskets import BasketKind
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, Purpose, TimeInForce
from arbsaga.saga import judge, story, undo
from arbsaga.saga.effects import Effects
from arbsaga.saga.messages import CancelLeg, Phase, TradePlan
from arbsaga.saga.simulator import hands, run, runtime, verdict
from arbsaga.saga.simulator.run import Run, run_seed, run_seeds
from arbsaga.saga.simulator.weather import LATEST_MS, MOST, Weather
from arbsaga.saga.trade import Trade

FAIR = Weather()


def test_no_seed_breaks_the_promise() -> None:
    """Whatever fails and whenever the worker dies: sent once, and ended equal, or held and paged.

    The quick proof runs 2,000 seeds more (`proof/simulation`).
    """
    runs = run_seeds(range(300))
    assert [(run.seed, run.violations) for run in runs if run.violations] == []
    assert {run.record.phase for run in runs} >= {Phase.REFUSED, Phase.COMMITTED, Phase.FLAT, Phase.HELD}


def test_the_same_seed_is_the_same_run() -> None:
    assert run_seeds(range(30)) == run_seeds(range(30))


def test_a_trace_tells_the_run_and_changes_nothing() -> None:
    trace: list[str] = []
    assert run_seed(4, trace=trace) == run_seed(4)
    assert "validate_depth" in trace[0]
    assert "record" in trace[-2]


def test_legs_can_be_chosen() -> None:
    assert [len(run_seed(1, FAIR, legs=count).record.legs) for count in (2, 3, 4)] == [2, 3, 4]


def test_fair_weather_commits_the_whole_size() -> None:
    run = run_seed(1, FAIR)
    assert run.record.phase is Phase.COMMITTED
    assert run.record.hedged == run.record.plan.units
    assert run.record.profit == run.record.payout - run.record.spent
    assert (run.struck, run.crashes) == ((), 0)


@pytest.mark.parametrize("kind", MOST)
def test_each_kind_of_weather_alone_keeps_the_promise(kind: str) -> None:
    """And really strikes. Thin liquidity goes with it: undoing meets it too."""
    runs = run_seeds(range(12), replace(FAIR, **{"thin": 0.3, "settle_ms": 20_000} | {kind: 0.6}))
    assert [violation for run in runs for violation in run.violations] == []
    assert any(kind in dict(run.struck) for run in runs)


@pytest.mark.parametrize("kind", ["crash", "drop", "late", "lost", "zombie", "frozen", "hidden", "reset", "restart"])
def test_weather_that_always_strikes_keeps_the_promise(kind: str) -> None:
    runs = run_seeds(range(8), replace(FAIR, **{"thin": 0.3, kind: 1.0}))
    assert [violation for run in runs for violation in run.violations] == []


def test_a_storm_of_everything_keeps_the_promise() -> None:
    chances = {kind: most / 4 for kind, most in MOST.items() if kind != "reset"}
    runs = run_seeds(range(15), Weather(**chances))
    assert [violation for run in runs for violation in run.violations] == []


def over_two_venues(weather: Weather, seeds: int) -> list[Run]:
    runs = [run_seed(seed, weather, legs=2) for seed in range(seeds)]
    return [run for run in runs if run.record.plan.basket.kind is BasketKind.IDENTITY]


def test_a_venue_dead_for_minutes_keeps_the_promise() -> None:
    """With a leg filled on the other: completed or sold when it is back, sold meanwhile, or held and paged."""
    runs = over_two_venues(replace(FAIR, dead=1.0, thin=0.3, part=0.3, move=0.1), 120)
    assert [violation for run in runs for violation in run.violations] == []
    assert {run.record.phase for run in runs} == {Phase.COMMITTED, Phase.FLAT, Phase.HELD}
    survived = [run for run in runs if run.lasted_ms > 60_000 and run.record.phase is Phase.COMMITTED]
    assert survived, "an outage of minutes is no end"
    assert max(run.effects for run in runs) < 500, "nor does it fill a history"


def test_a_venue_that_refuses_everything_for_minutes_holds_no_trade_that_has_another_way_out() -> None:
    """Its books are as good as ever. What filled at the other venue is sold there, not held after 24 refusals here."""
    runs = over_two_venues(replace(FAIR, paused=1.0, thin=0.3, part=0.3, settle_ms=200), 200)
    assert [violation for run in runs for violation in run.violations] == []
    stuck = [run for run in runs if any(_one_sided_at_the_open_venue(run))]
    assert len(stuck) >= 10, "one leg filled where orders are taken, the other refused"
    assert {run.record.phase for run in stuck} == {Phase.FLAT}


def _one_sided_at_the_open_venue(run: Run) -> Iterator[bool]:
    """For each venue whether its entry was refused as paused while the other's filled."""
    entries = [view for view in run.record.orders if view.terms.purpose is Purpose.ENTER]
    for view in entries:
        others = [other for other in entries if other.terms.leg != view.terms.leg]
        yield "paused" in view.reason and any(other.known > 0 for other in others)


def test_trades_over_two_venues_enter_both_ways_and_never_hedge_where_outcomes_net() -> None:
    runs = over_two_venues(replace(FAIR, thin=0.2, part=0.4, improve=0.5), 150)
    assert not caught(runs)
    assert {len(run.record.plan.first) for run in runs} == {0, 1}
    orders = [view.terms for run in runs for view in run.record.orders]
    assert {terms.purpose for terms in orders if terms.instrument.rules.nets} == {
        Purpose.ENTER,
        Purpose.COMPLETE,
        Purpose.EXIT,
    }
    netted = [run for run in runs if run.record.phase is Phase.COMMITTED and not run.record.plan.first]
    assert any(run.record.fees % Decimal("0.0001") for run in netted), "rounded as the venue rounds"


def test_legs_that_wait_are_never_entered_for_nothing() -> None:
    runs = [run for run in run_seeds(range(200), replace(FAIR, thin=0.5)) if run.record.plan.first]
    alone = [run for run in runs if run.record.phase is Phase.FLAT and run.record.spent == 0]
    assert alone
    assert not caught(runs)
    for one in alone:
        first = one.record.plan.first
        if all(view.in_vain for view in one.record.orders if view.terms.leg in first):
            assert {view.terms.leg for view in one.record.orders} == set(first)


def test_a_post_may_arrive_until_nothing_is_concluded_without_it() -> None:
    """The honest bound: HTTP limit plus quiet time after `send_by`. What arrives later is the reconciler's."""
    patience = run_seed(1, FAIR).record.plan.patience
    assert patience.http + patience.prove == LATEST_MS - 1
    assert not caught(run_seeds(range(30), replace(FAIR, late=0.7, late_ms=LATEST_MS - 1)))
    assert caught(run_seeds(range(30), replace(FAIR, late=0.7, late_ms=2 * LATEST_MS)))


def test_undo_orders_that_a_reset_forgot_are_found_although_the_legs_look_even() -> None:
    """Run, undo, reset, and then the entry that was undone FAILS: its hedge is left alone, and the trade ends FLAT."""
    gusts = replace(FAIR, refuse=0.3, thin=0.3, ghost=0.5, reset=1.0, settle_ms=200)
    assert not caught(run_seeds(range(80), gusts))


@pytest.mark.parametrize(
    ("words", "weather"),
    [
        ("minimum tick size rule", replace(FAIR, tick=1.0)),
        ("absent (trading is halted)", replace(FAIR, halt=1.0, tardy=1.0)),
        ("absent (not sent: too late)", replace(FAIR, zombie=1.0)),
        ("no longer at the venue", replace(FAIR, hidden=1.0, thin=0.5)),
        ("503 post-only mode", replace(FAIR, restart=1.0, thin=0.6)),
        ("not enough balance", replace(FAIR, balance=1.0, thin=0.6, settle_ms=50_000)),
        ("/1/1 unknown, filled 0", replace(FAIR, restart=1.0)),
        ("done, filled", replace(FAIR, late=1.0, late_ms=LATEST_MS - 1, stale=1.0)),
    ],
)
def test_the_weather_reaches(words: str, weather: Weather) -> None:
    """The corners that only some seeds meet, told by their traces; the promise is kept there too."""
    traces: list[list[str]] = [[] for _ in range(60)]
    runs = [run_seed(seed, weather, trace=trace) for seed, trace in enumerate(traces)]
    assert any(words in line for trace in traces for line in trace)
    assert not caught(runs)


def test_crashes_happen_and_are_replayed() -> None:
    assert sum(run.crashes for run in run_seeds(range(40), replace(FAIR, crash=0.5))) > 40


def test_an_end_right_before_a_crash_is_found_again_by_replay() -> None:
    """The last answer may be recorded and its worker die before it is seen."""
    assert all(run.record.phase for run in run_seeds(range(20), replace(FAIR, crash=0.9)))


def caught(runs: list[Run], words: str = "") -> bool:
    return any(words in violation for run in runs for violation in run.violations)


def no_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "too_late", lambda _terms, _now_ms: False)


def unknown_read_as_not_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "quiet_after", lambda _trade, view: view.terms.created_ms)


def unknown_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def known_only(trade: Trade) -> tuple[OrderView, ...]:
        waits = (OrderState.LIVE, OrderState.PENDING)
        return tuple(view for view in trade.orders if view.state in waits)

    monkeypatch.setattr(Trade, "open", property(known_only))


def match_taken_as_final(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trade, "unsettled", property(lambda _trade: ()))


def refused_after_orders_were_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "_ended", lambda _trade, _abort: judge.End(Phase.REFUSED, "no"))


def flat_while_holding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "_ended", lambda _trade, _abort: judge.End(Phase.FLAT, "so be it"))


def undo_never_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "balanced", lambda _trade: True)


def halt_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.Driver, "_halt", lambda self: self.witness.stops())


def doubled(*purposes: Purpose) -> Callable[[pytest.MonkeyPatch], None]:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        right = undo.undo_orders

        def twice(trade: Trade, way: undo.WayOut, now_ms: int) -> tuple[OrderTerms, ...]:
            orders = right(trade, way, now_ms)
            return tuple(replace(one, size=Size(one.size * 2)) if one.purpose in purposes else one for one in orders)

        monkeypatch.setattr(undo, "undo_orders", twice)

    return patch


def entries_with(**changes: object) -> Callable[[pytest.MonkeyPatch], None]:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        right = judge.entry_orders

        def other(plan: TradePlan) -> tuple[OrderTerms, ...]:
            return tuple(replace(order, **changes) for order in right(plan))

        monkeypatch.setattr(judge, "entry_orders", other)

    return patch


def intents_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    right = hands.Hands.place

    def place(self: hands.Hands, *about: object, entry: bool) -> None:
        self.intents.clear()
        right(self, *about, entry=entry)

    monkeypatch.setattr(hands.Hands, "place", place)


def cancels_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def withdraw(fx: Effects, trade: Trade, orders: tuple[OrderView, ...]) -> Trade:
        await fx.all_in_order([fx.cancel_leg(CancelLeg(trade.plan.trade_id, view)) for view in orders])
        return trade.with_orders(replace(view, state=OrderState.DONE) for view in orders)

    monkeypatch.setattr(story, "_withdraw", withdraw)


def followers_of_full_size(monkeypatch: pytest.MonkeyPatch) -> None:
    right = judge.following_orders

    def planned(trade: Trade, now_ms: int, abort: str) -> tuple[OrderTerms, ...]:
        return tuple(replace(order, size=trade.plan.units) for order in right(trade, now_ms, abort))

    monkeypatch.setattr(judge, "following_orders", planned)


def lease_outlived(monkeypatch: pytest.MonkeyPatch) -> None:
    right = judge.following_orders

    def late(trade: Trade, now_ms: int, abort: str) -> tuple[OrderTerms, ...]:
        plan = replace(trade.plan, lease_expires_ms=trade.plan.lease_expires_ms + 3_600_000)
        return right(replace(trade, plan=plan), now_ms, abort)

    monkeypatch.setattr(judge, "following_orders", late)


def first_leg_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trade, "open", ())


def one_sided_untold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "one_sided", lambda _trade, _now_ms: False)


def pages_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.Driver, "_page", lambda _self, _page, answer: answer(None))


def fees_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trade, "fees", property(lambda _trade: Usd(Decimal(0))))


def payout_flattered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trade, "payout", property(lambda trade: Usd(trade.plan.units + 1)))


def no_time_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "LONGEST_MS", 0)


def another_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.Driver, "replay", lambda _self: None)


BREACHES: list[tuple[str, Callable[[pytest.MonkeyPatch], None], Weather]] = [
    ("too late", no_fence, replace(FAIR, zombie=0.8)),
    ("are naked", unknown_read_as_not_filled, replace(FAIR, late=0.6, late_ms=9_000)),
    ("was not known", unknown_ignored, replace(FAIR, lost=0.4)),
    ("is MATCHED", match_taken_as_final, replace(FAIR, ghost=0.5)),
    ("the trade says", match_taken_as_final, replace(FAIR, ghost=0.5)),
    ("refused, but orders", refused_after_orders_were_sent, FAIR),
    ("flat, but", flat_while_holding, FAIR),
    ("are naked", undo_never_made, replace(FAIR, thin=0.5)),
    ("aborted or trading halted before", halt_ignored, replace(FAIR, halt=1.0, tardy=1.0)),
    ("shares of leg", doubled(Purpose.EXIT, Purpose.HEDGE), replace(FAIR, thin=0.5)),
    ("more than any other", doubled(Purpose.COMPLETE), replace(FAIR, thin=0.5)),
    ("another time", entries_with(created_ms=run.START_MS + 1), FAIR),
    ("which went first, was not known", first_leg_not_waited_for, replace(FAIR, part=0.7)),
    ("units had filled", followers_of_full_size, replace(FAIR, part=0.6)),
    ("outlive the capital's lease", lease_outlived, replace(FAIR, dead=1.0)),
    ("planned", entries_with(time_in_force=TimeInForce.FAK), replace(FAIR, improve=1.0)),
    ("reserved", entries_with(limit=Price(Decimal("0.96"))), FAIR),
    ("sent before", intents_forgotten, replace(FAIR, reset=1.0, thin=0.6)),
    ("was accepted 2 times", intents_forgotten, replace(FAIR, reset=1.0, thin=0.6)),
    ("still rests", cancels_believed, replace(FAIR, thin=0.6, error=0.8)),
    ("nobody was paged in time", one_sided_untold, replace(FAIR, lost=0.5)),
    ("held without a page", pages_lost, replace(FAIR, thin=0.6, dry=0.97)),
    ("of fees, billed", fees_forgotten, FAIR),
    ("booked a payout", payout_flattered, FAIR),
    ("it took", no_time_at_all, FAIR),
    ("another record", another_record, FAIR),
]


@pytest.mark.parametrize(("words", "bug", "weather"), BREACHES, ids=[f"{w}-{bug.__name__}" for w, bug, _ in BREACHES])
def test_the_check_catches(
    words: str, bug: Callable[[pytest.MonkeyPatch], None], weather: Weather, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that cannot fail proves nothing: each breach has a bug that brings it about."""
    bug(monkeypatch)
    assert any(caught([run_seed(seed, weather)], words) for seed in range(200))


def test_a_replay_that_asks_for_something_else_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporal's own replayer compares no arguments; this one does."""
    moments = iter(range(10_000))

    def drifting(plan: TradePlan) -> tuple[OrderTerms, ...]:
        return tuple(replace(order, created_ms=order.created_ms + next(moments)) for order in entries(plan))

    entries = judge.entry_orders
    monkeypatch.setattr(judge, "entry_orders", drifting)
    with pytest.raises(AssertionError, match="replay asked"):
        run_seeds(range(120), replace(FAIR, crash=0.9))


def test_a_story_that_never_ends_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "MAX_STEPS", 3)
    monkeypatch.setattr(judge, "next_step", lambda trade, _now, _abort: judge.Prove(trade.orders, 0))
    run = run_seed(1, FAIR)
    assert (run.record.phase, run.record.reason) == (Phase.HELD, "no end after 3 steps")


def test_a_driver_that_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "MAX_EFFECTS", 1)
    with pytest.raises(AssertionError, match="bounded steps"):
        run_seed(1, FAIR)


def test_weather_is_drawn_from_the_seed() -> None:
    assert Weather.draw(random.Random(5)) == Weather.draw(random.Random(5))
    assert Weather.draw(random.Random(5)) != Weather.draw(random.Random(6))


def test_every_chance_of_the_weather_is_drawn() -> None:
    """A kind that is left out of the table would never strike."""
    chances = {field.name for field in fields(Weather) if field.default == 0.0}
    assert chances == set(MOST)


def test_weather_is_read_as_it_is_written() -> None:
    for seed in range(20):
        weather = Weather.draw(random.Random(seed))
        assert Weather.read(weather.in_words()) == weather
    assert Weather.read("") == FAIR
    with pytest.raises(ValueError, match="no such weather: hail"):
        Weather.read("hail=0.5")
