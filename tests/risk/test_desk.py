"""The desk's arithmetic: limits hold whatever comes in which order, and nothing is counted twice."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from arbsaga.domain.money import NO_USD, Usd
from arbsaga.risk.desk import (
    GRACE_MS,
    KEPT_LEASES,
    LEASE_MS,
    Claim,
    Closed,
    Desk,
    Ended,
    Lease,
    LeaseAsk,
    Limits,
    Use,
)
from arbsaga.saga.messages import Phase

D = Decimal
LIMITS = Limits(Usd(D(100)), Usd(D(25)))
DESK = Desk(LIMITS)


def ask(lease_id: str = "L", want: int = 50, taken: int = 0, **more: object) -> LeaseAsk:
    return LeaseAsk(lease_id, "trader-1", Usd(D(want)), Usd(D(taken)), **more)


def claim(trade_id: str = "t", amount: int = 20, lease_id: str = "L", basket: str = "yes:e") -> Claim:
    return Claim(trade_id, f"basket/{basket}", basket, lease_id, Usd(D(amount)))


def ended(of: Claim, phase: Phase, spent: int = 0) -> Ended:
    return Ended(of, "run", phase, Usd(D(spent)))


def test_a_lease_takes_from_what_is_free():
    """Two processes want more together than there is: the second gets the rest."""
    desk, first = DESK.lease(ask("a", 70), 1_000)
    desk, second = desk.lease(ask("b", 70), 1_000)
    assert (first.amount, second.amount, desk.free) == (70, 30, 0)
    assert first.expires_ms == 1_000 + LEASE_MS


def test_asking_twice_grants_once():
    """An update that is sent again (its answer was lost) changes nothing but the expiry."""
    desk, _ = DESK.lease(ask(want=50), 0)
    again, lease = desk.lease(ask(want=50), 2_000)
    assert (lease.amount, again.free, lease.expires_ms) == (50, 50, 2_000 + LEASE_MS)


def test_a_renewal_tops_up_what_was_taken():
    """The holder gave 20 of 50 to a trade: it gets 20 more, whether or not the claim has arrived."""
    desk, _ = DESK.lease(ask(want=50), 0)
    before_claim, lease = desk.lease(ask(want=50, taken=20), 1)
    assert (lease.amount, before_claim.free) == (70, 30)
    after_claim, lease = desk.claim(claim(amount=20)).lease(ask(want=50, taken=20), 1)
    assert (lease.amount, after_claim.free, after_claim.leased) == (70, 30, 50)


def test_a_claim_moves_capital_from_leased_to_reserved_once():
    """The same claim twice counts once."""
    desk = DESK.lease(ask(), 0)[0].claim(claim()).claim(claim())
    status = desk.status()
    assert (status.free, status.leased, status.reserved) == (50, 30, 20)


def test_ends_free_invest_or_keep():
    """REFUSED and FLAT free the capital, COMMITTED invests what was spent, HELD keeps it and blocks the basket.

    A FLAT trade that holds pairs from hedging has its capital in them until their market resolves.
    """
    start = DESK.lease(ask(), 0)[0].claim(claim())
    assert start.end(ended(claim(), Phase.FLAT)).status().reserved == 0
    assert start.end(ended(claim(), Phase.FLAT, 3)).status().invested == 3
    committed = start.end(ended(claim(), Phase.COMMITTED, 18)).status()
    assert (committed.reserved, committed.invested, committed.free) == (0, 18, 52)
    held = start.end(ended(claim(), Phase.HELD, 22)).status()
    assert (held.reserved, held.blocked) == (22, ("yes:e",))


def test_ends_are_idempotent_and_survive_any_order():
    """A claim after the end, or a payout before it, brings nothing back to life."""
    start = DESK.lease(ask(), 0)[0]
    flat = start.end(ended(claim(), Phase.FLAT))
    assert flat.claim(claim()).status() == flat.status()
    paid_first = start.claim(claim()).paid_out("t").end(ended(claim(), Phase.COMMITTED, 18))
    assert paid_first.status().invested == 0
    twice = start.end(ended(claim(), Phase.COMMITTED, 18)).end(ended(claim(), Phase.COMMITTED, 18))
    assert twice.status().invested == 18


def test_a_silent_process_loses_its_lease_after_the_grace_only():
    """Not at the expiry: an order may be on its way, and clocks differ."""
    desk = DESK.lease(ask(), 0)[0].claim(claim())
    assert desk.due(LEASE_MS + GRACE_MS - 1) == ()
    (lease,) = desk.due(LEASE_MS + GRACE_MS)
    assert desk.next_due_ms() == LEASE_MS + GRACE_MS
    back = desk.take_back(lease.lease_id, [])
    assert (back.free, back.status().reserved) == (80, 20)


def test_a_take_back_spares_trades_that_sent_an_order():
    """A claim that never arrived, of a trade whose intents are in the ledger, is booked first."""
    desk = DESK.lease(ask(), 0)[0].take_back("L", [claim("silent", 15)])
    assert (desk.free, desk.status().reserved) == (85, 15)


def test_a_claim_on_a_closed_lease_is_void():
    """No order can be sent under it any more, so the trade will be refused: its capital is not taken twice."""
    desk = DESK.lease(ask(), 0)[0].take_back("L", [])
    assert desk.claim(claim()).status() == desk.status()


def test_a_closed_or_lost_lease_comes_back_empty():
    """Its holder, thought dead or unknown to a desk made again, must begin a new one."""
    closed = DESK.lease(ask(), 0)[0].take_back("L", [])
    assert closed.lease(ask(taken=20), 5)[1] == Lease("L", "trader-1", NO_USD, 5)
    assert DESK.lease(ask(taken=20), 5)[1] == Lease("L", "trader-1", NO_USD, 5)


def test_a_rotated_lease_keeps_what_is_under_way():
    """What was taken but not claimed yet stays with the old lease; the rest moves to the new one."""
    desk = DESK.lease(ask("old", 50), 0)[0]
    desk, new = desk.lease(ask("new", 50, previous="old", previous_taken=Usd(D(20))), 1)
    assert (new.amount, desk.leases["old"].left, desk.free) == (50, 20, 30)
    desk = desk.claim(claim(lease_id="old"))
    assert (desk.leases["old"].left, desk.free) == (0, 30)


def test_a_halted_desk_grants_nothing_new():
    """What is leased stays; no more is given."""
    desk = replace(DESK.lease(ask(want=30), 0)[0], halted="drill")
    _, lease = desk.lease(ask(want=50), 1)
    assert lease.amount == 30
    assert desk.status().halted == "drill"


def test_an_overrun_is_counted_and_stops_leasing():
    """Completing a leg may cost more than was reserved: nothing is leased until it is paid back."""
    desk = DESK.lease(ask(want=20), 0)[0].claim(claim(amount=20))
    over = desk.end(ended(claim(amount=20), Phase.COMMITTED, 120))
    assert over.free == -20
    assert over.lease(ask("b", 10), 1)[1].amount == 0


def test_capital_of_an_unknown_lease_is_counted():
    """The desk was lost and made again: a trade that claims is real, whoever leased to it."""
    assert DESK.claim(claim(lease_id="before")).status().reserved == 20


def test_memory_is_bounded():
    """Old ids are forgotten, the newest kept."""
    desk = DESK
    for number in range(KEPT_LEASES + 10):
        desk = desk.lease(ask(f"l{number}"), 0)[0].take_back(f"l{number}", [])
    assert len(desk.closed) == KEPT_LEASES
    assert desk.closed[-1] == f"l{KEPT_LEASES + 9}"


def test_archived_ends_are_forgotten():
    """What is in the ledger need not be carried on."""
    desk = DESK.claim(claim()).end(ended(claim(), Phase.FLAT))
    assert [closed.name for closed in desk.to_archive] == ["t"]
    assert desk.archived(["t"]).to_archive == ()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["lease", "claim", "flat", "committed", "held", "paid", "take_back", "reopen"]),
        st.integers(0, 2),  # which lease
        st.integers(0, 2),  # which trade
        st.integers(1, 40),  # USD wanted
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
@example([("lease", 0, 0, 40), ("claim", 0, 0, 20), ("flat", 0, 0, 1), ("reopen", 0, 0, 1)])
def test_the_limit_holds_in_any_order_of_messages(steps: list[tuple[str, int, int, int]]):
    """Processes that only give what they were granted never pass the total; and the desk survives JSON.

    Only trades that are run again may: what is in use counts, whatever is free.
    """
    desk, at_hand, taken, overrun = DESK, {}, {}, False
    claims: dict[str, Claim] = {}
    for step, which, trade, usd in steps:
        lease_id, trade_id = f"l{which}", f"t{trade}"
        if step == "lease" and lease_id not in desk.closed:
            desk, lease = desk.lease(ask(lease_id, usd, taken=int(taken.get(lease_id, 0))), 0)
            at_hand[lease_id] = lease.amount - taken.get(lease_id, 0)
        elif step == "claim" and trade_id not in claims and at_hand.get(lease_id, 0) >= usd:
            at_hand[lease_id] -= usd
            taken[lease_id] = taken.get(lease_id, 0) + usd
            claims[trade_id] = claim(trade_id, usd, lease_id)
            desk = desk.claim(claims[trade_id])
        elif step in ("flat", "committed", "held") and trade_id in claims:
            spent = 0 if step == "flat" else int(claims[trade_id].amount)
            desk = desk.end(ended(claims[trade_id], Phase(step.upper()), spent))
        elif step == "paid" and trade_id in claims:
            desk = desk.paid_out(trade_id)
        elif step == "take_back":
            desk = desk.take_back(lease_id, [])
            at_hand[lease_id] = 0
        elif step == "reopen" and trade_id in claims:
            overrun = overrun or trade_id not in desk.claims
            desk = desk.reopen(claims[trade_id])
        status = desk.status()
        assert status.free >= 0 or overrun
        assert status.leased == sum(at_hand.values()), "what processes may still give to trades"
        assert status.free + status.leased + status.reserved + status.invested == LIMITS.total
    adapter = TypeAdapter(Desk)
    assert adapter.validate_json(adapter.dump_json(desk)) == desk
    assert desk.used(*Use) == sum((held.amount for held in desk.claims.values()), NO_USD)


def test_a_trade_that_ended_holds_capital_again_when_it_is_run_again():
    """A late fill of a FLAT trade: its reserve counts anew, its basket is blocked, and it can end once more."""
    over = DESK.claim(claim()).end(ended(claim(), Phase.FLAT))
    again = over.reopen(claim())
    assert (again.free, again.status().reserved, again.status().blocked) == (80, 20, ("yes:e",))
    assert again.reopen(claim()) == again
    assert again.claim(claim()) == again  # the run claims as every run does
    done = again.end(ended(claim(), Phase.COMMITTED, 7))
    assert (done.status().invested, done.status().reserved, done.status().blocked) == (7, 0, ())


def test_a_trade_that_is_run_again_takes_nothing_from_its_lease_once_more():
    """Its holder still has 100 at hand: with the 40 in use, 60 are left of 200 for others, not 100."""
    first = claim("t", 40)
    desk = Desk(Limits(Usd(D(200)), Usd(D(40)))).lease(ask(want=100), 0)[0].claim(first).end(ended(first, Phase.FLAT))
    desk, lease = desk.lease(ask(want=100, taken=40), 1)
    assert (lease.amount, desk.leased) == (140, 100)
    again = desk.reopen(first)
    assert (again.leased, again.status().reserved, again.free) == (100, 40, 60)


def test_a_committed_trade_keeps_at_least_what_it_has_invested():
    """Until it has ended anew nobody knows how much that is."""
    invested = DESK.end(ended(claim(amount=20), Phase.COMMITTED, 30))
    assert invested.reopen(claim(amount=20)).status().reserved == 30
    assert invested.reopen(claim(amount=20)).end(ended(claim(), Phase.FLAT)).free == 100


def test_a_trade_that_is_run_again_counts_even_where_nothing_is_free():
    """What is in use is always counted; nothing is leased until it is back."""
    desk = DESK.lease(ask(want=100), 0)[0].reopen(claim(lease_id="before"))
    assert desk.free == -20


def test_a_run_is_archived_once():
    """A message that comes twice changes nothing."""
    run = Closed("held/t", "held/t", "r1")
    assert DESK.close(run).close(run).to_archive == (run,)
