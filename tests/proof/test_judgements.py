"""The exploration of the judgements: what it counts, and that each invariant can fail."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.money import NO_USD, Price, Size
from arbsaga.domain.orders import FillStatus, OrderState
from arbsaga.saga import judge, undo
from arbsaga.saga.judge import End, Prove
from arbsaga.saga.messages import Page, Phase
from arbsaga.saga.trade import Trade
from proof.judgements import Limits, explore, prove
from proof.judgements.__main__ import main
from proof.judgements.search import Search
from proof.judgements.space import QUICK, TINY, USUAL, Depth, Post, Space
from proof.result import Effort

(CALM,) = TINY


def broken(space: Space = CALM, states: int = 60_000, *, every: bool = False) -> str:
    """The first breach of a space, or every kind of breach."""
    return "\n".join(explore(Limits(spaces=(space,), states=states, first_only=not every)).violations)


def test_a_tiny_space_has_as_many_states_in_every_run() -> None:
    """Two legs that fill or are refused, one round of undoing: small enough to be counted by hand once."""
    first, second = explore(Limits(spaces=TINY)), explore(Limits(spaces=TINY))
    assert first == second
    assert (first.states, first.transitions, first.longest) == (298, 422, 40)
    assert first.violations == ()
    assert set(first.ends) == {Phase.REFUSED, Phase.COMMITTED, Phase.FLAT, Phase.HELD}


def test_every_space_has_a_name_of_its_own() -> None:
    assert len({space.name for space in USUAL}) == len(USUAL) >= len(QUICK)


@pytest.mark.parametrize(
    "space",
    [
        replace(
            CALM, name="a", posts=(Post.UNKNOWN, Post.DELAYED), fills=1, races=True, aborts=True, exits=(Post.FILLS,)
        ),
        replace(CALM, name="b", posts=(Post.COUNTED, Post.RESTS), fills=2, errors=True, lags=True, wipes=True),
        replace(CALM, name="c", ghosts=True, unsettled=True, last_limit="0.55", fee="0.07", part="0.9"),
    ],
    ids=lambda space: space.name,
)
def test_small_spaces_hold_the_promise(space: Space) -> None:
    """Unknown and delayed orders, blind readers, and fills that FAIL."""
    seen = explore(Limits(spaces=(space,), states=2_500))
    (found,) = seen.spaces
    assert found.violations == []


def test_a_search_that_is_cut_short_says_so() -> None:
    """A space of which a part was seen proves nothing."""
    assert "I7: not explored whole after 50 states" in broken(states=50)


def test_times_count_only_by_their_differences() -> None:
    """A trade is judged the same an hour later, and whatever the dates of its finished orders."""
    search = Search(replace(CALM, posts=(Post.FILLS, Post.UNKNOWN, Post.RESTS)), states=2_000)
    search.run()
    hour = 3_600_000
    trades = [node.trade for node in search._stories.nodes if node.trade is not None]
    assert len(trades) > 100
    for trade in trades:
        now = max(view.terms.created_ms for view in trade.orders) + 4_000
        last = now - 4_000
        later = Trade(trade.plan, tuple(_dated(view, hour, last) for view in trade.orders), trade.fruitless)
        earlier = Trade(trade.plan, trade.orders, trade.fruitless)
        step, same = judge.next_step(earlier, now, ""), judge.next_step(later, now + hour, "")
        assert type(step) is type(same)
        assert getattr(same, "until_ms", hour) - getattr(step, "until_ms", 0) == hour
        assert getattr(same, "reason", "") == getattr(step, "reason", "")


def _dated(view: Any, later: int, last: int) -> Any:
    """The order an hour later; one that is over is dated like the last one, as the exploration does."""
    created = (last if view.state.final else view.terms.created_ms) + later
    life = view.terms.send_by_ms - view.terms.created_ms
    denied = view.denied_ms and view.denied_ms + later
    return replace(view, terms=replace(view.terms, created_ms=created, send_by_ms=created + life), denied_ms=denied)


# Each invariant fails when the judge is broken on purpose.


def _orders_changed(change: Callable[[Any], Any]) -> Callable[..., Any]:
    real = undo.undo_orders
    return lambda trade, way, now: tuple(change(order) for order in real(trade, way, now))


def test_i1_an_attempt_that_is_sent_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undo, "undo_orders", _orders_changed(lambda order: replace(order, attempt=1)))
    assert "is sent twice" in broken()


def test_i1_a_leg_above_its_plan_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = judge.entry_orders
    monkeypatch.setattr(
        judge, "entry_orders", lambda plan: tuple(replace(o, size=Size(o.size + 5)) for o in real(plan))
    )
    assert "can come to 25 shares, 20 were planned" in broken()


def test_i2_naked_legs_at_the_end_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "balanced", lambda trade: True)
    assert "FLAT, but 20 shares of leg" in broken()


def test_i2_an_end_before_settlement_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """MATCHED counted as final."""
    monkeypatch.setattr(Trade, "unsettled", ())
    assert "COMMITTED, but an order or a fill can still change" in broken()


def test_i2_residue_above_the_cap_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    space = replace(CALM, posts=(Post.FILLS, Post.RESTS), fills=2, part="0.85", residue_usd="1")
    monkeypatch.setattr(judge, "balanced", lambda trade: all(trade.surplus(leg) < 5 for leg in range(2)))
    assert "residue that cost" in broken(space)


def test_i2_a_trade_held_without_a_page_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = judge.page_for

    def elsewhere(*facts: Any) -> Page:
        return replace(real(*facts), key="nobody")

    monkeypatch.setattr(judge, "page_for", elsewhere)
    assert "I2: held without a page" in broken()


def test_i3_an_order_sent_beside_an_unknown_one_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout taken for "not filled"."""

    def hasty(trade: Trade, _now: int) -> Trade:
        gone = (replace(v, state=OrderState.ABSENT) for v in trade.orders if v.state is OrderState.UNKNOWN)
        return trade.with_orders(gone)

    monkeypatch.setattr(judge, "conclude", hasty)
    assert "I3: new orders are sent while order" in broken(replace(CALM, posts=(Post.FILLS, Post.UNKNOWN)))


def test_i4_fees_that_are_not_booked_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FeeSchedule, "taker_fee", lambda *_: NO_USD)
    assert "USD of fees, the exchange has" in broken(replace(CALM, fee="0.07"))


def test_i5_entries_above_the_reserved_capital_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = judge.entry_orders
    dear = Price(Decimal("0.45"))
    monkeypatch.setattr(judge, "entry_orders", lambda plan: tuple(replace(o, limit=dear) for o in real(plan)))
    assert "I5: entries cost" in broken()


def test_i5_a_loss_above_the_budget_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undoing at any price: every share sold for a cent."""
    space = replace(CALM, posts=(Post.FILLS, Post.REFUSED), size=40, markets=(Depth.DEAR,))
    assert broken(space) == ""
    real = undo._way_to
    monkeypatch.setattr(undo, "_way_to", lambda *asked: replace(real(*asked), result=NO_USD))
    assert "with a loss of" in broken(space)


def test_i6_an_entry_after_an_abort_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "refuse_entry", lambda *_: "")
    assert "I6: entry 0/1 is sent after an abort" in broken(replace(CALM, aborts=True))


def test_i6_a_leg_that_follows_for_more_than_the_first_filled_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    space = replace(CALM, posts=(Post.RESTS, Post.FILLS), fills=2, first=(0,))
    assert broken(space) == ""
    real = judge.following_orders
    whole = Size(Decimal(20))
    monkeypatch.setattr(
        judge, "following_orders", lambda *asked: tuple(replace(order, size=whole) for order in real(*asked))
    )
    assert "I6: entry 1/1 is sent after an abort or after other orders" in broken(space)


def test_i6_a_leg_that_follows_after_an_abort_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    space = replace(CALM, aborts=True, first=(1,))
    assert broken(space) == ""
    real = judge.following_orders
    monkeypatch.setattr(judge, "following_orders", lambda trade, now, _abort: real(trade, now, ""))
    assert "I6: entry 0/1 is sent after an abort" in broken(space)


def test_a_sale_of_more_than_is_held_where_outcomes_net_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue does not refuse it: it opens the other side."""
    space = replace(CALM, pair=True, posts=(Post.FILLS, Post.REFUSED))
    assert broken(space) == ""
    real = undo._move

    def twice(index: int, purpose: Any, *rest: Any) -> Any:
        move = real(index, purpose, *rest)
        return move and replace(move, size=Size(move.size * 2)) if index == 1 else move

    monkeypatch.setattr(undo, "_move", twice)
    assert "I6: order 1/2" in broken(space)


def test_a_venue_that_stays_dead_ends_held_and_paged() -> None:
    """Or what filled on the other is sold within the loss budget."""
    space = replace(CALM, pair=True, posts=(Post.FILLS, Post.REFUSED), markets=(Depth.DEAD,))
    seen = explore(Limits(spaces=(space,)))
    assert seen.violations == ()
    assert seen.ends[Phase.HELD] > 0
    assert seen.ends[Phase.FLAT] > 0


def test_i6_a_way_out_that_raises_the_worst_case_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Completing one of two missing legs where the other cannot be had: the judge once did."""
    space = replace(CALM, legs=3, size=10, limit="0.30", part="0.5", fills=2, posts=(Post.RESTS, Post.FILLS))
    space = replace(space, markets=(Depth.ALL, Depth.THIN), exits=(Post.FILLS,))
    monkeypatch.setattr(undo, "_helps", lambda trade, way: bool(way.moves))
    real = undo._completions
    monkeypatch.setattr(undo, "_completions", lambda index, *rest: real(index, *rest) if index == 1 else [])
    monkeypatch.setattr(undo, "_reductions", lambda *_: [])
    assert "I6: the orders take the worst case from" in broken(space)


def test_i6_an_exit_larger_than_the_fill_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undo, "undo_orders", _orders_changed(lambda o: replace(o, size=Size(o.size + 5))))
    assert "would bring its leg to 25 shares" in broken()
    assert "reduces 25 shares, 20 are held" in broken(replace(CALM, markets=(Depth.HEDGE,)))


def test_i7_a_life_without_an_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that waits for nothing and is taken again for ever."""
    monkeypatch.setattr(judge, "next_step", lambda trade, now, abort: Prove(trade.orders, now))
    assert "I7: a life without an end" in broken()


def test_i7_a_story_that_breaks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undo, "choose", lambda *_: 1 / 0)
    assert "I7: the story itself breaks: ZeroDivisionError" in broken()


def test_i8_a_failed_fill_that_is_counted_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ghost fills (py-clob-client-v2 #34)."""

    def blind(trade: Trade, _now: int) -> Trade:
        orders = (
            replace(view, fills=tuple(replace(fill, status=_believed(fill.status)) for fill in view.fills))
            for view in trade.orders
        )
        return trade.with_orders(orders)

    monkeypatch.setattr(judge, "conclude", blind)
    assert "I8: recorded" in broken(replace(CALM, ghosts=True))


def _believed(status: FillStatus) -> FillStatus:
    return FillStatus.CONFIRMED if status is FillStatus.FAILED else status


def test_i10_an_order_after_its_fence_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undo, "undo_orders", _orders_changed(lambda o: replace(o, send_by_ms=o.created_ms - 1)))
    assert "I10: order" in broken()


def test_a_violation_comes_with_the_command_that_shows_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(judge, "next_step", lambda trade, now, abort: End(Phase.COMMITTED, "why not"))
    assert main(["--space", "tiny"]) == 1
    sentence = capsys.readouterr().out.strip().splitlines()[-2]
    command = sentence.split("python -m proof.judgements ")[1].split()
    assert main(command) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0] == "depth is checked: in time"
    assert lines[-1].split(": ")[1] in sentence


def test_the_command_explores_a_space_and_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--space", "tiny"]) == 0
    assert "298 states, 422 transitions, longest life 40" in capsys.readouterr().out
    assert main(["--list"]) == 0
    assert "name='ghosts'" in capsys.readouterr().out


def test_the_layer_tells_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proof.judgements.SPACES", {Effort.QUICK: TINY})
    result = prove(Effort.QUICK)
    assert (result.layer, result.cases, result.violations) == ("judgements", 298, ())
    assert result.figures["transitions"] == 422
