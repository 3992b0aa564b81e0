"""What is done about what was found: pure, one case for each row of the policy."""

import sys
from dataclasses import replace
from decimal import Decimal as D
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "ledger"))  # for ledger_make

from ledger_make import ACCOUNT, START_MS, fill, order_id, plan, terms

from arbsaga.domain.instruments import Side
from arbsaga.domain.money import Usd
from arbsaga.domain.orders import FillStatus, OrderState, OrderTerms, Purpose
from arbsaga.ledger import Intent
from arbsaga.reconcile.actions import Action, Cancel, LookAgain, Reopen, action, of_capital
from arbsaga.reconcile.findings import AtVenue, InLedger, Snapshot, findings
from arbsaga.reconcile.replan import plan_from
from arbsaga.risk.desk import Claim, Use
from arbsaga.saga.judge import entry_orders
from arbsaga.saga.messages import Patience, Phase
from arbsaga.venues.port import AccountFill, OpenOrder


def intent(order: OrderTerms | None = None, phase: Phase | None = None, state: OrderState = OrderState.DONE) -> Intent:
    order = order or terms()
    return Intent(order, order_id(order), ACCOUNT, "basket/yes:event", "lease", state, phase)


def todo(venue: AtVenue, ledger: InLedger) -> list[Action | None]:
    snapshot = Snapshot(START_MS + 40_000, venue, ledger)
    return [action(one, snapshot) for one in findings(snapshot)]


RESTS = OpenOrder(order_id(terms()), "y0", Side.BUY, D("0.4"), D(10), D(0), START_MS)


def filled(status: FillStatus = FillStatus.CONFIRMED) -> AtVenue:
    return AtVenue(fills=(AccountFill(order_id(terms()), "y0", Side.BUY, fill("f", status=status)),))


def owned(phase: Phase, state: OrderState = OrderState.ABSENT, **more: object) -> InLedger:
    owner = intent(phase=phase, state=state)
    return InLedger(owners={owner.order_id: owner}, **more)


def test_an_order_nobody_looks_after_is_cancelled():
    """A stranger's, and one of a trade that ended; HELD too, since it can only make things worse."""
    assert todo(AtVenue(orders=(RESTS,)), InLedger(opened_ms=START_MS)) == [Cancel(RESTS.order_id)]
    for phase in (Phase.COMMITTED, Phase.FLAT, Phase.HELD):
        assert todo(AtVenue(orders=(RESTS,)), owned(phase)) == [Cancel(RESTS.order_id)]


def test_an_order_from_before_the_account_was_opened_is_only_paged():
    """Its owner placed it by hand, with the same key. The venue tells whole seconds, cut off."""
    assert todo(AtVenue(orders=(RESTS,)), InLedger()) == [None]
    assert todo(AtVenue(orders=(RESTS,)), InLedger(opened_ms=START_MS + 60_000)) == [None]
    assert todo(AtVenue(orders=(RESTS,)), InLedger(opened_ms=START_MS + 999)) == [Cancel(RESTS.order_id)]


@pytest.mark.parametrize("phase", [Phase.COMMITTED, Phase.FLAT])
def test_a_late_fill_or_failure_runs_its_trade_again(phase: Phase):
    """Whether the fill is final matters to a trade that is too old to wait for it."""
    (settled,) = todo(filled(), owned(phase))
    assert (settled.trade_id, settled.broken, settled.unsettled) == ("t1", False, False)
    (pending,) = todo(filled(FillStatus.MATCHED), owned(phase))
    assert pending.unsettled
    name = order_id(terms())
    (failed,) = todo(filled(FillStatus.FAILED), owned(phase, booked={name: D(10)}, kept={name: (fill("f"),)}))
    assert (failed.trade_id, failed.unsettled) == ("t1", False)


def test_a_held_trade_is_left_to_its_person():
    """Its watch books and pages."""
    assert todo(filled(), owned(Phase.HELD)) == [LookAgain("t1")]


def test_a_trade_in_flight_without_progress_is_run_again():
    """Unless its workflow runs, which the server tells."""
    assert todo(AtVenue(), InLedger(in_flight=(intent(),))) == [Reopen("t1", "its workflow is gone", broken=True)]


def test_shares_and_cash_are_only_paged():
    """Whose they are, only a person knows."""
    assert todo(AtVenue(shares={"y0": D(1)}, cash=D(5)), InLedger(cash=D(50))) == [None, None]


def test_capital_whose_trade_does_not_run_is_looked_after():
    """RESERVED or run again, and nobody there; HELD, and nobody watching. INVESTED waits for its payout."""
    claims = [
        Claim(use, f"basket/{use}", f"{use}", "lease", Usd(D(5)), use)
        for use in (Use.RESERVED, Use.REOPENED, Use.HELD, Use.INVESTED)
    ]
    assert of_capital(claims, ["reserved", "reopened"], {"held": True}) == []
    assert of_capital(claims, [], {"held": False}) == [
        Reopen("reserved", "its end was never told", untold=True),
        Reopen("reopened", "its end was never told"),
        LookAgain("held"),
    ]


def test_a_plan_is_told_by_its_orders():
    """Whatever makes the orders and the basket is as it was; patience beyond the entries is the usual."""
    made = replace(plan(), patience=replace(Patience(), send_by=700), lease_expires_ms=START_MS + 700)
    intents = [intent(one) for one in entry_orders(made)]
    intents.append(intent(terms(leg=1, attempt=2, purpose=Purpose.COMPLETE)))
    found = plan_from(list(reversed(intents)))
    assert entry_orders(found) == entry_orders(made)
    assert (found.basket.key, found.basket.legs, found.basket.payout) == ("yes:event", made.basket.legs, 1)
    assert (found.account, found.lease_id, found.units) == (ACCOUNT, "lease", 10)
    assert found.reserved == found.cost + found.fees == D("8.192")


@pytest.mark.parametrize("kind", ["no", "pair"])
def test_every_kind_of_basket_is_told_by_its_key(kind: str):
    """NO of two markets pays 1; YES and NO of one market pay 1."""
    first = terms().instrument
    legs = (first.other(), terms(leg=1).instrument.other()) if kind == "no" else (first, first.other())
    orders = [replace(terms(leg=number), instrument=instrument) for number, instrument in enumerate(legs)]
    name = first.market if kind == "pair" else "event"
    found = plan_from([replace(intent(order), workflow_id=f"basket/{kind}:{name}") for order in orders])
    assert (found.basket.key, found.basket.payout) == (f"{kind}:{name}", 1)
    assert [leg.instrument for leg in found.basket.legs] == list(legs)


def test_a_pair_is_told_by_its_key():
    """With its name and direction, so that it is the same basket again."""
    first, second = terms().instrument, terms(leg=1).instrument.other()
    orders = [replace(terms(leg=number), instrument=one) for number, one in enumerate((first, second))]
    found = plan_from([replace(intent(order), workflow_id="basket/cross:rain:a") for order in orders])
    assert (found.basket.key, found.basket.event, found.basket.payout) == ("cross:rain:a", "pairs/rain", 1)
    assert [leg.instrument for leg in found.basket.legs] == [first, second]


def test_what_does_not_tell_a_plan_gives_none():
    """One leg alone, a leg missing, a sale, a basket of another kind."""
    first, second = intent(), intent(terms(leg=1))
    assert plan_from([first]) is None
    assert plan_from([first, intent(terms(leg=2))]) is None
    sale = intent(replace(terms(leg=1, side=Side.SELL), purpose=Purpose.ENTER))
    assert plan_from([first, sale]) is None
    assert plan_from([replace(one, workflow_id="basket/odd:event") for one in (first, second)]) is None
