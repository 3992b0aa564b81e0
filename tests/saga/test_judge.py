"""The judge's policy, row by row: what is known of a trade, and what is done next."""

from dataclasses import replace
from decimal import Decimal

import pytest
from saga_make import NOW, plan, trade, view

from arbsaga.domain.money import Size, Usd
from arbsaga.domain.orders import FillStatus, OrderState, Purpose, TimeInForce
from arbsaga.saga import judge
from arbsaga.saga.judge import End, Enter, Prove, Settle, Unwind, Watch, Withdraw
from arbsaga.saga.messages import DepthReport, Phase, UndoLimits
from arbsaga.saga.trade import Trade

DONE, LIVE, UNKNOWN, PENDING, ABSENT = (
    OrderState.DONE,
    OrderState.LIVE,
    OrderState.UNKNOWN,
    OrderState.PENDING,
    OrderState.ABSENT,
)


def ok(refusal: str = "") -> DepthReport:
    return DepthReport("T1", refusal, NOW)


def test_a_trade_is_entered_when_depth_is_there_in_time_and_nobody_objects() -> None:
    assert judge.refuse_entry(plan(), ok(), NOW + 999, "") == ""


@pytest.mark.parametrize(
    ("report", "now", "abort", "lease", "words"),
    [
        (ok("only 3 shares at the limit"), NOW, "", 60_000, "only 3 shares"),
        (ok(), NOW, "no more", 60_000, "aborted before any order: no more"),
        (ok(), NOW + 1_000, "", 60_000, "too late"),
        (ok(), NOW, "", 999, "lease expires"),
    ],
)
def test_no_order_is_sent_when_anything_speaks_against_it(
    report: DepthReport, now: int, abort: str, lease: int, words: str
) -> None:
    assert words in judge.refuse_entry(plan(lease_expires_ms=NOW + lease), report, now, abort)


def test_entries_are_share_targeted_and_stamped_with_the_decision() -> None:
    """A FOK buy fixes dollars and would leave the legs unequal; a later stamp would be another order."""
    first, second = judge.entry_orders(plan())
    assert first.time_in_force is second.time_in_force is TimeInForce.GTC
    assert (first.created_ms, first.send_by_ms) == (NOW, NOW + 1_000)
    assert (first.leg, second.leg, first.attempt) == (0, 1, 1)
    assert first.salt != second.salt


def test_resting_entries_are_watched_until_their_deadline() -> None:
    """An order can still fill for 5 s, as the user's documents say."""
    resting = trade((LIVE, "0"), (DONE, "20"))
    assert judge.next_step(resting, NOW + 4_999, "") == Watch(resting.open, NOW + 5_000)
    assert judge.next_step(resting, NOW + 5_000, "") == Withdraw(resting.open)


def test_an_abort_withdraws_what_rests() -> None:
    resting = trade((LIVE, "0"), (LIVE, "0"))
    assert judge.next_step(resting, NOW, "stop") == Withdraw(resting.open)


def test_siblings_are_withdrawn_when_a_leg_cannot_fill_any_more() -> None:
    """Abort on partial fill: more of the others would only be more to undo."""
    assert isinstance(judge.next_step(trade((DONE, "7"), (LIVE, "0")), NOW, ""), Withdraw)


def test_siblings_are_withdrawn_while_a_leg_is_unknown() -> None:
    """No new risk on an unknown outcome."""
    assert isinstance(judge.next_step(trade((UNKNOWN, "0"), (LIVE, "0")), NOW, ""), Withdraw)


def test_an_unknown_order_is_proved_and_not_sent_again() -> None:
    """A timeout is not "not filled" (py-clob-client #273)."""
    unknown = trade((UNKNOWN, "0"), (DONE, "20"))
    step = judge.next_step(unknown, NOW, "")
    assert step == Prove(unknown.open, NOW + 3_000), "first until a person must be paged"
    step = judge.next_step(replace(unknown, paged=True), NOW + 3_000, "")
    assert step == Prove(unknown.open, NOW + 23_100), "then until silence proves something"
    step = judge.next_step(replace(unknown, paged=True), NOW + 24_000, "")
    assert step == Prove(unknown.open, NOW + 26_000), "then again, while some source fails"


def test_an_order_is_absent_only_after_the_quiet_time() -> None:
    """send_by 1 s + HTTP 2 s + quiet 20 s, with every source and a cancel by id answering "not found"."""
    unknown = trade((UNKNOWN, "0"), (DONE, "20"))
    early = unknown.with_orders([replace(unknown.orders[0], denied_ms=NOW + 22_999)])
    assert judge.conclude(early, NOW + 60_000).orders[0].state is UNKNOWN
    late = unknown.with_orders([replace(unknown.orders[0], denied_ms=NOW + 23_000)])
    assert judge.conclude(late, NOW + 60_000).orders[0].state is ABSENT


def test_a_held_back_order_is_waited_for() -> None:
    """`delayed` is in flight, not a zero fill (valory trader #942), and cannot be cancelled."""
    pending = trade((PENDING, "0"), (DONE, "20"))
    assert isinstance(judge.next_step(pending, NOW, ""), Watch)


def test_a_match_whose_fills_are_not_seen_is_looked_up() -> None:
    """The order's own count can run ahead of its trades (py-clob-client #217)."""
    entries = judge.entry_orders(plan())
    counted = replace(view(entries[0]), matched=Size(Decimal(20)))
    seen = trade(counted, view(entries[1], filled="20"))
    assert judge.next_step(seen, NOW, "") == Prove((counted,), NOW + 2_000)


def test_equal_legs_wait_for_the_chain_and_then_commit() -> None:
    """MATCHED is provisional; only CONFIRMED is inventory."""
    entries = judge.entry_orders(plan())
    matched = trade(view(entries[0], filled="20", status=FillStatus.MATCHED), view(entries[1], filled="20"))
    assert judge.next_step(matched, NOW, "") == Settle((matched.orders[0],), NOW + 600_000)
    confirmed = trade((DONE, "20"), (DONE, "20"))
    assert judge.next_step(confirmed, NOW, "") == End(Phase.COMMITTED, "20 units, every fill confirmed")


def test_a_fill_that_failed_reopens_the_trade() -> None:
    """A ghost fill is no fill (py-clob-client-v2 #34), even after its sibling was confirmed."""
    entries = judge.entry_orders(plan())
    ghost = trade(view(entries[0], filled="20", status=FillStatus.FAILED), view(entries[1], filled="20"))
    assert judge.next_step(ghost, NOW, "") == Unwind()


def test_nothing_filled_ends_flat_and_says_why() -> None:
    entries = judge.entry_orders(plan())
    refused = replace(view(entries[0]), reason="not enough balance / allowance")
    assert judge.next_step(trade(refused, view(entries[1])), NOW, "") == End(Phase.FLAT, refused.reason)
    assert judge.next_step(trade((DONE, "0"), (DONE, "0")), NOW, "") == End(Phase.FLAT, "no leg filled in time")
    assert judge.next_step(trade((DONE, "0"), (DONE, "0")), NOW, "stop") == End(Phase.FLAT, "stop")


def test_unequal_legs_are_undone_until_the_rounds_are_used_up() -> None:
    """The undo is a loop, not a shot; but a bounded one."""
    unequal = trade((DONE, "20"), (DONE, "0"))
    assert judge.next_step(unequal, NOW, "") == Unwind()
    tired = replace(unequal, fruitless=24)
    assert judge.next_step(tired, NOW, "") == End(Phase.HELD, "the legs could not be made equal in 24 tries")


def test_cancels_that_end_nothing_use_up_no_undo_round() -> None:
    """A venue that refuses cancels for a while must not cost the trade its ways out."""
    assert judge.next_step(replace(trade((DONE, "20"), (DONE, "0")), cancels=100), NOW, "") == Unwind()


def test_a_hedge_whose_leg_failed_pays_nothing_for_sure() -> None:
    """A pair pays $1; a naked complement may pay nothing."""
    entries = judge.entry_orders(plan())
    hedge = replace(entries[0], attempt=2, purpose=Purpose.HEDGE, instrument=entries[0].instrument.other())
    hedged = trade((DONE, "20"), (DONE, "0")).with_orders([view(hedge, filled="20")])
    assert hedged.payout == 20
    ghost = view(entries[0], filled="20", status=FillStatus.FAILED)
    assert hedged.with_orders([ghost]).payout == 0


def test_a_surplus_too_small_for_any_order_is_residue() -> None:
    """Under the venue's 5 shares nothing can be sent; it is reported apart and valued at zero."""
    assert judge.balanced(trade((DONE, "20"), (DONE, "15.01")))
    assert not judge.balanced(trade((DONE, "20"), (DONE, "15")))


def test_residue_is_capped() -> None:
    tight = UndoLimits(residue_usd=Usd(Decimal(1)))
    assert not judge.balanced(trade((DONE, "20"), (DONE, "16"), undo=tight)), "4 shares at 0.40 are 1.60 USD"


def test_residue_is_capped_over_all_legs_together() -> None:
    """Four odd shares on each of two legs are each cheap enough, but not both."""
    tight = UndoLimits(residue_usd=Usd(Decimal(2)))
    assert judge.balanced(trade((DONE, "20"), (DONE, "16"), undo=tight)), "4 shares at 0.40 are 1.60 USD"
    assert not judge.balanced(trade((DONE, "20"), (DONE, "20"), (DONE, "16"), undo=tight)), "and twice that is 3.20"


def test_too_much_of_the_complement_is_exposure_too() -> None:
    """A hedge stays when the fill it hedged FAILS: that is a naked NO."""
    entries = judge.entry_orders(plan())
    hedge = replace(entries[0], attempt=2, purpose=Purpose.HEDGE, instrument=entries[0].instrument.other())
    ghost = view(entries[0], filled="20", status=FillStatus.FAILED)
    naked = trade(ghost, view(entries[1])).with_orders([view(hedge, filled="20")])
    assert naked.surplus(0) == -20
    assert judge.next_step(naked, NOW, "") == Unwind()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ((UNKNOWN, "0"), "fate is unknown"),
        ((LIVE, "0"), "fate is unknown"),
    ],
)
def test_what_stays_open_for_ten_minutes_is_held(entry: tuple[OrderState, str], words: str) -> None:
    step = judge.next_step(trade(entry, (DONE, "20")), NOW + 600_000, "")
    assert isinstance(step, End)
    assert step.phase is Phase.HELD
    assert words in step.reason


def test_what_stays_unsettled_or_unexplained_for_ten_minutes_is_held() -> None:
    entries = judge.entry_orders(plan())
    other = view(entries[1], filled="20")
    unsettled = trade(view(entries[0], filled="20", status=FillStatus.RETRYING), other)
    assert judge.next_step(unsettled, NOW + 600_000, "") == End(Phase.HELD, "fills are not settled for 600 s")
    unexplained = trade(replace(view(entries[0]), matched=Size(Decimal(20))), other)
    assert "fills of an order are unknown" in str(judge.next_step(unexplained, NOW + 600_000, ""))
    settled = trade((DONE, "20"), (DONE, "20"))
    assert judge.next_step(settled, NOW + 600_000, "") == End(Phase.COMMITTED, "20 units, every fill confirmed")


def test_a_person_is_paged_once_when_one_side_filled_and_another_is_unknown() -> None:
    one_sided = trade((UNKNOWN, "0"), (DONE, "20"))
    assert not judge.one_sided(one_sided, NOW + 2_999)
    assert judge.one_sided(one_sided, NOW + 3_000)
    assert not judge.one_sided(replace(one_sided, paged=True), NOW + 3_000)
    assert not judge.one_sided(trade((UNKNOWN, "0"), (DONE, "0")), NOW + 3_000), "nothing filled: nothing naked"


def test_a_page_says_what_filled_what_did_not_and_what_is_exposed() -> None:
    entries = judge.entry_orders(plan())
    refused = replace(view(entries[1]), reason="not enough balance")
    page = judge.page_for(
        trade(view(entries[0], UNKNOWN), refused).with_orders([view(entries[0], UNKNOWN, "7")]),
        "held",
        "held",
        "Decide.",
    )
    facts = dict(page.facts)
    assert page.key == "T1/held"
    assert facts["leg 0 Runner 0"] == "holds 7 to 20, exposed 8.00 USD"
    assert facts["order 1/1 T1/1/1"] == "enter BUY 20 @ 0.40: done, filled 0 (not enough balance)"
    assert facts["spent"] == "2.80 USD"


# Some legs first, the others for what those filled.

LATER = NOW + 4_000


def first_leg(state: OrderState, filled: str, legs: int = 2, **changes: object) -> Trade:
    """A trade that enters its first leg first; that one's order is as given."""
    made = plan(legs=legs, first=(0,), **changes)
    (entry,) = judge.entry_orders(made)
    return Trade(made).with_orders([view(entry, state, filled)])


def test_only_the_legs_that_go_first_are_entered_at_first() -> None:
    orders = judge.entry_orders(plan(legs=3, first=(2, 0)))
    assert [(order.leg, order.size, order.created_ms) for order in orders] == [(2, 20, NOW), (0, 20, NOW)]


def test_a_plan_cannot_name_a_leg_twice_or_one_it_has_not_or_all() -> None:
    for wrong in ((0, 0), (2,), (0, 1)):
        with pytest.raises(AssertionError):
            plan(first=wrong)


def test_the_others_follow_for_what_the_first_leg_filled() -> None:
    """As their first attempt, at the plan's limit, with a fence of their own."""
    step = judge.next_step(first_leg(DONE, "12.5"), LATER, "")
    assert isinstance(step, Enter)
    (order,) = step.orders
    assert (order.leg, order.attempt, order.purpose) == (1, 1, Purpose.ENTER)
    assert (order.size, order.limit, order.time_in_force) == (Decimal("12.5"), Decimal("0.40"), TimeInForce.GTC)
    assert (order.created_ms, order.send_by_ms) == (LATER, LATER + 1_000)


def test_nothing_follows_while_the_first_leg_can_still_fill() -> None:
    assert isinstance(judge.next_step(first_leg(LIVE, "7"), LATER, ""), Watch)
    assert isinstance(judge.next_step(first_leg(UNKNOWN, "0"), LATER, ""), Prove)
    counted = first_leg(DONE, "0")
    counted = counted.with_orders([replace(counted.orders[0], matched=Size(Decimal(20)))])
    assert isinstance(judge.next_step(counted, LATER, ""), Prove), "how much it filled is not sure yet"


def test_a_first_leg_that_filled_nothing_ends_the_trade() -> None:
    """And nothing else is sent."""
    assert judge.next_step(first_leg(DONE, "0"), LATER, "") == End(Phase.FLAT, "no leg filled in time")
    assert judge.next_step(first_leg(ABSENT, "0"), LATER, "") == End(Phase.FLAT, "no leg filled in time")


def test_the_least_of_the_legs_that_went_first_counts() -> None:
    made = plan(legs=3, first=(0, 1))
    one, two = judge.entry_orders(made)
    step = judge.next_step(Trade(made).with_orders([view(one, filled="20"), view(two, filled="8")]), LATER, "")
    assert isinstance(step, Enter)
    assert [(order.leg, order.size) for order in step.orders] == [(2, 8)]


def test_what_follows_is_in_steps_of_its_own_venue() -> None:
    made = plan(first=(0,))
    legs = made.basket.legs
    whole = replace(legs[1].instrument, rules=replace(legs[1].instrument.rules, size_step=Decimal(1)))
    made = replace(made, basket=replace(made.basket, legs=(legs[0], replace(legs[1], instrument=whole))))
    (entry,) = judge.entry_orders(made)
    step = judge.next_step(Trade(made).with_orders([view(entry, filled="12.75")]), LATER, "")
    assert isinstance(step, Enter)
    assert step.orders[0].size == 12


def test_too_little_for_the_other_venue_is_undone_or_left() -> None:
    assert judge.next_step(first_leg(DONE, "4"), LATER, "") == End(Phase.FLAT, "no leg filled in time"), "residue"
    tight = UndoLimits(residue_usd=Usd(Decimal(1)))
    assert judge.next_step(first_leg(DONE, "4", undo=tight), LATER, "") == Unwind()


def test_an_abort_between_the_legs_undoes_what_filled() -> None:
    assert judge.next_step(first_leg(DONE, "20"), LATER, "stop") == Unwind()


def test_nothing_follows_that_would_outlive_the_capitals_lease() -> None:
    """The desk takes back what no order was written down for, once none can be sent any more."""
    short = first_leg(DONE, "20", lease_expires_ms=LATER + 999)
    assert judge.next_step(short, LATER, "") == Unwind()
    assert isinstance(judge.next_step(first_leg(DONE, "20", lease_expires_ms=LATER + 1_000), LATER, ""), Enter)


def test_nothing_follows_once_undoing_has_begun() -> None:
    begun = first_leg(DONE, "20")
    leave = replace(begun.orders[0].terms, attempt=2, purpose=Purpose.EXIT)
    assert judge.next_step(begun.with_orders([view(leave, filled="5")]), LATER, "") == Unwind()


def followed(first: str, *second: tuple[OrderState, str], status: FillStatus = FillStatus.CONFIRMED) -> Trade:
    """The first leg filled 12 of 20 (less what of it FAILED); the others follow with 12 and are as given."""
    begun = first_leg(DONE, "12", legs=1 + len(second))
    orders = judge.following_orders(begun, LATER, "")
    views = [view(order, state, filled) for order, (state, filled) in zip(orders, second, strict=True)]
    return begun.with_orders([view(begun.orders[0].terms, filled=first, status=status), *views])


def test_followers_are_watched_like_entries_of_their_own() -> None:
    """The first leg's shortfall is no reason to withdraw what was sized to it."""
    resting = followed("12", (LIVE, "0"))
    assert judge.next_step(resting, LATER + 4_999, "") == Watch(resting.open, LATER + 5_000)
    assert judge.next_step(resting, LATER + 5_000, "") == Withdraw(resting.open)
    assert judge.next_step(followed("12", (DONE, "12")), LATER, "") == End(
        Phase.COMMITTED, "12 units, every fill confirmed"
    )


def test_followers_are_withdrawn_when_a_sibling_fell_short_or_the_first_leg_was_taken_back() -> None:
    assert isinstance(judge.next_step(followed("12", (LIVE, "0"), (DONE, "5")), LATER, ""), Withdraw)
    assert isinstance(judge.next_step(followed("12", (LIVE, "0"), (DONE, "12")), LATER, ""), Watch)
    ghost = followed("12", (LIVE, "0"), status=FillStatus.FAILED)
    assert isinstance(judge.next_step(ghost, LATER, ""), Withdraw)


# A venue whose books cannot be read.


def test_a_person_is_paged_when_undoing_is_blind_for_too_long() -> None:
    blind = replace(trade((DONE, "20"), (DONE, "0")), blind_ms=NOW)
    assert not judge.one_sided(blind, NOW + 2_999)
    assert judge.one_sided(blind, NOW + 3_000)
    assert not judge.one_sided(replace(blind, paged=True), NOW + 3_000)
    assert not judge.one_sided(replace(trade((DONE, "20"), (DONE, "20")), blind_ms=NOW), NOW + 3_000), "all is equal"


def test_blind_rounds_use_up_time_and_not_tries() -> None:
    """Minutes of an outage must not end a trade that goes on by itself when the venue is back."""
    blind = replace(trade((DONE, "20"), (DONE, "0")), blind_ms=NOW)
    assert judge.next_step(blind, NOW + 599_999, "") == Unwind()
    step = judge.next_step(blind, NOW + 600_000, "")
    assert step == End(Phase.HELD, "books that undoing needs cannot be read for 600 s")
