"""What the watchdog calls wrong, from one snapshot: pure, so that every rule has its own case."""

from dataclasses import replace
from decimal import Decimal as D

import pytest
from ledger_make import ACCOUNT, START_MS, fill, order_id, terms

from arbsaga.domain.instruments import Side
from arbsaga.domain.orders import FillStatus, OrderState, OrderTerms
from arbsaga.ledger import Intent
from arbsaga.reconcile.findings import AtVenue, Finding, InLedger, Kind, Snapshot, findings, overbooked
from arbsaga.saga.messages import Phase
from arbsaga.venues.port import AccountFill, OpenOrder

NOW = START_MS + 40_000


def intent(order: OrderTerms | None = None, phase: Phase | None = None, **other: object) -> Intent:
    order = order or terms()
    made = Intent(order, order_id(order), ACCOUNT, "w", "l", OrderState.UNKNOWN, phase)
    return replace(made, **other)


def resting(order: OrderTerms | None = None) -> OpenOrder:
    order = order or terms()
    return OpenOrder(
        order_id(order), order.instrument.token, order.side, order.limit, order.size, D(0), order.created_ms
    )


def filled(order: OrderTerms | None = None, status: FillStatus = FillStatus.CONFIRMED) -> AccountFill:
    order = order or terms()
    return AccountFill(order_id(order), order.instrument.token, order.side, fill("f", status=status))


def found(venue: AtVenue, ledger: InLedger, *, now_ms: int = NOW) -> list[Finding]:
    return findings(Snapshot(now_ms, venue, ledger))


def kinds(venue: AtVenue, ledger: InLedger, *, now_ms: int = NOW) -> list[Kind]:
    return [finding.kind for finding in found(venue, ledger, now_ms=now_ms)]


def test_nothing_is_wrong_with_nothing():
    """An idle account."""
    assert kinds(AtVenue(), InLedger()) == []


def test_an_order_that_no_intent_knows_is_an_orphan():
    """With what a person needs to find and cancel it."""
    (one,) = found(AtVenue(orders=(resting(),)), InLedger())
    assert (one.kind, one.subject, one.trade_id) == (Kind.ORPHAN_ORDER, order_id(terms()), "")
    assert dict(one.facts)["rests"] == "BUY 10 of y0 at 0.40"


@pytest.mark.parametrize("phase", [Phase.COMMITTED, Phase.FLAT, Phase.REFUSED, Phase.HELD])
def test_an_order_that_outlives_its_trade_is_found(phase: Phase):
    """HELD too: its order can still make the exposure worse."""
    owner = intent(phase=phase)
    (one,) = found(AtVenue(orders=(resting(),)), InLedger(owners={owner.order_id: owner}))
    assert (one.kind, one.trade_id) == (Kind.LEFT_ORDER, "t1")


def test_an_order_of_a_trade_in_flight_is_as_it_should_be():
    """It is that trade's business, for 30 s."""
    owner = intent()
    ledger = InLedger(in_flight=(owner,), owners={owner.order_id: owner})
    assert kinds(AtVenue(orders=(resting(),)), ledger, now_ms=START_MS + 29_999) == []


def test_an_order_that_rests_without_progress_is_found():
    """A terminated workflow leaves its order resting; nothing else would look at it."""
    owner = intent()
    ledger = InLedger(in_flight=(owner,), owners={owner.order_id: owner})
    (one,) = found(AtVenue(orders=(resting(),)), ledger, now_ms=START_MS + 30_000)
    assert (one.kind, one.subject, one.trade_id, one.grace_ms) == (Kind.STALLED, "t1", "t1", 0)
    assert dict(one.facts) == {"order 0/1 0xt1/0/1": "enter BUY 10 Will 0 win? at 0.40: 0 filled, rests"}


def test_a_trade_that_waits_for_settlement_is_not_stalled():
    """Settling takes 2 to 50 s at the venue and may take ten minutes."""
    ledger = InLedger(in_flight=(intent(),))
    venue = AtVenue(fills=(filled(status=FillStatus.MATCHED),))
    assert kinds(venue, ledger) == []
    assert kinds(venue, ledger, now_ms=START_MS + 629_999) == []
    assert kinds(venue, ledger, now_ms=START_MS + 630_000) == [Kind.STALLED]


def test_a_trade_that_settles_while_a_sibling_rests_is_stalled():
    """Waiting for settlement is no reason to leave an order resting."""
    sibling = terms(leg=1)
    ledger = InLedger(in_flight=(intent(), intent(sibling)), owners={order_id(sibling): intent(sibling)})
    venue = AtVenue(orders=(resting(sibling),), fills=(filled(status=FillStatus.MATCHED),))
    assert kinds(venue, ledger) == [Kind.STALLED]


def test_a_trade_that_recorded_no_end_after_its_fills_settled_is_stalled():
    """A terminated workflow leaves the shares; the trade gets a moment to see the settlement itself."""
    (one,) = found(AtVenue(fills=(filled(),)), InLedger(in_flight=(intent(),)))
    assert (one.kind, one.grace_ms) == (Kind.STALLED, 15_000)
    assert "10 filled" in one.facts[0][1]


def test_a_trade_whose_orders_all_died_without_an_end_is_stalled():
    """Nothing rests and nothing filled, but nobody wrote that down."""
    assert kinds(AtVenue(), InLedger(in_flight=(intent(),))) == [Kind.STALLED]


def test_a_new_order_and_a_record_are_progress():
    """Undoing goes on round after round; each is a sign of life."""
    second = terms(attempt=2, created_ms=NOW - 5_000)
    assert kinds(AtVenue(), InLedger(in_flight=(intent(), intent(second)))) == []
    assert kinds(AtVenue(), InLedger(in_flight=(intent(),), updated_ms={"t1": NOW - 5_000})) == []


def test_each_stalled_trade_is_told_by_itself():
    """Two trades, two pages."""
    ledger = InLedger(in_flight=(intent(), intent(terms("t2"))))
    assert [one.subject for one in found(AtVenue(), ledger)] == ["t1", "t2"]


@pytest.mark.parametrize(
    ("theirs", "ours", "kind"),
    [
        ("10", "0", Kind.STRAY_POSITION),
        ("10", "10", None),
        ("4", "10", Kind.MISSING_POSITION),
        ("0", "0", None),
    ],
)
def test_shares_that_only_one_side_has_are_found(theirs: str, ours: str, kind: Kind | None):
    """Whichever side it is."""
    venue = AtVenue(shares={"y0": D(theirs)})
    assert kinds(venue, InLedger(shares={"y0": D(ours)})) == ([kind] if kind else [])


def test_what_has_not_settled_may_be_on_either_side():
    """The ledger books at the match, the venue's shares move when it is mined."""
    buys = (filled(status=FillStatus.MATCHED),)
    for theirs in ("0", "10"):
        assert kinds(AtVenue(fills=buys, shares={"y0": D(theirs)}), InLedger(shares={"y0": D(10)})) == []
    assert kinds(AtVenue(fills=buys, shares={"y0": D(11)}), InLedger(shares={"y0": D(10)})) == [Kind.STRAY_POSITION]
    sells = (filled(terms(side=Side.SELL), FillStatus.MINED),)
    for theirs in ("10", "0"):
        assert kinds(AtVenue(fills=sells, shares={"y0": D(theirs)}), InLedger()) == []


@pytest.mark.parametrize("token", ["y0", "n0"])
def test_shares_of_a_trade_in_flight_are_its_own(token: str):
    """It books its fills when it ends; its hedges are in the complement."""
    venue = AtVenue(shares={token: D(10)})
    assert kinds(venue, InLedger(in_flight=(intent(),)), now_ms=START_MS) == []


def test_shares_of_a_decided_market_are_not_compared():
    """They are paid out at once; the trader books that a moment later."""
    venue = AtVenue(shares={"y0": D(0)}, resolved=frozenset({"y0"}))
    assert kinds(venue, InLedger(shares={"y0": D(10)})) == []


def test_what_cannot_be_read_is_told_and_nothing_else_is_judged():
    """A look without the venue says nothing about orders, and ends no incident about them."""
    blind = Snapshot(NOW, None, None, {Kind.VENUE: "no answer", Kind.TEMPORAL: "refused"})
    assert [(one.kind, one.headline) for one in findings(blind)] == [
        (Kind.VENUE, "venue: no answer"),
        (Kind.TEMPORAL, "temporal: refused"),
    ]
    assert blind.judged == {Kind.VENUE, Kind.TEMPORAL, Kind.LEDGER}
    lasting = {Kind.LATE_FILL, Kind.FAILED_FILL}
    assert Snapshot(NOW, AtVenue(shares={}, cash=D(0)), InLedger(cash=D(0))).judged == frozenset(Kind) - lasting
    no_balances = frozenset(Kind) - lasting - {Kind.STRAY_POSITION, Kind.MISSING_POSITION, Kind.CASH}
    assert Snapshot(NOW, AtVenue(), InLedger()).judged == no_balances


@pytest.mark.parametrize("phase", [Phase.COMMITTED, Phase.FLAT, Phase.REFUSED, Phase.HELD])
def test_a_fill_after_its_trade_ended_is_found(phase: Phase):
    """A post that was delivered after the quiet time fills a trade that is over; shares may be paid out at once."""
    owner = intent(phase=phase, state=OrderState.ABSENT)
    venue = AtVenue(fills=(filled(),), resolved=frozenset({"y0"}))
    (one,) = found(venue, InLedger(owners={owner.order_id: owner}))
    assert (one.kind, one.subject, one.trade_id) == (Kind.LATE_FILL, owner.order_id, "t1")
    assert dict(one.facts)["filled at the venue"] == "10"


def test_fills_that_are_booked_or_looked_after_are_as_they_should_be():
    """What failed never happened; a trade in flight, and the watch over a HELD one, book their own."""
    ended = intent(phase=Phase.COMMITTED, state=OrderState.DONE)
    owners = {ended.order_id: ended}
    assert kinds(AtVenue(fills=(filled(),)), InLedger(owners=owners, booked={ended.order_id: D(10)})) == []
    assert kinds(AtVenue(fills=(filled(status=FillStatus.FAILED),)), InLedger(owners=owners)) == []
    for phase, state in ((None, OrderState.UNKNOWN), (Phase.HELD, OrderState.LIVE), (Phase.HELD, OrderState.DONE)):
        owner = intent(phase=phase, state=state)
        assert kinds(AtVenue(fills=(filled(),)), InLedger(owners={owner.order_id: owner})) == []


def test_an_order_of_a_trade_that_is_run_again_is_its_business_for_a_while():
    """A reset, or the reconciler, runs an ended trade again: what that run's orders fill is booked at its end."""
    owner = intent(phase=Phase.FLAT, state=OrderState.UNKNOWN)
    owners = InLedger(owners={owner.order_id: owner})
    settled, pending = AtVenue(fills=(filled(),)), AtVenue(fills=(filled(status=FillStatus.MINED),))
    assert kinds(settled, owners, now_ms=START_MS + 29_999) == []
    assert kinds(settled, owners, now_ms=START_MS + 30_000) == [Kind.LATE_FILL]
    assert kinds(pending, owners, now_ms=START_MS + 600_000) == []
    assert kinds(pending, owners, now_ms=START_MS + 630_000) == [Kind.LATE_FILL]


@pytest.mark.parametrize("phase", [Phase.COMMITTED, Phase.FLAT])
def test_a_fill_that_was_taken_back_after_its_trade_ended_is_found(phase: Phase):
    """The books count on it, the venue does not any more."""
    owner = intent(phase=phase, state=OrderState.DONE)
    venue = AtVenue(fills=(filled(status=FillStatus.FAILED),))
    kept = {owner.order_id: (fill("f"),)}
    ledger = InLedger(owners={owner.order_id: owner}, booked={owner.order_id: D(10)}, kept=kept)
    (one,) = found(venue, ledger)
    assert (one.kind, one.subject, one.trade_id) == (Kind.FAILED_FILL, owner.order_id, "t1")
    assert overbooked(venue, ledger.booked) == [owner.order_id]
    failed = {owner.order_id: (fill("f", status=FillStatus.FAILED),)}
    assert kinds(venue, replace(ledger, kept=failed, booked={})) == []
    assert kinds(venue, replace(ledger, owners={owner.order_id: replace(owner, phase=Phase.WATCHING)})) == []


def test_the_watch_over_a_held_trade_books_what_is_taken_back():
    """But for a fill that was final already: it looks at that no more."""
    owner = intent(phase=Phase.HELD, state=OrderState.DONE)
    venue = AtVenue(fills=(filled(status=FillStatus.FAILED),))
    for status, expected in ((FillStatus.MATCHED, []), (FillStatus.CONFIRMED, [Kind.FAILED_FILL])):
        kept = {owner.order_id: (fill("f", status=status),)}
        ledger = InLedger(owners={owner.order_id: owner}, booked={owner.order_id: D(10)}, kept=kept)
        assert kinds(venue, ledger) == expected


def test_a_finding_about_a_fill_is_over_once_it_is_booked():
    """Not by being too old to be listed."""
    name = order_id(terms())
    venue = AtVenue(fills=(filled(),))
    assert Snapshot(NOW, venue, InLedger(booked={name: D(10)})).over == {f"late-fill/{name}", f"failed-fill/{name}"}
    assert Snapshot(NOW, venue, InLedger()).over == set()
    assert Snapshot(NOW, AtVenue(), InLedger(booked={name: D(10)})).over == set()
    assert Snapshot(NOW, None, None).over == set()


def cash(at_venue: str, in_ledger: str | None, *fills: AccountFill, **ledger: object) -> list[Kind]:
    money = None if in_ledger is None else D(in_ledger)
    return kinds(AtVenue(fills=fills, cash=D(at_venue)), InLedger(cash=money, **ledger))


def test_cash_that_differs_is_found():
    """More or less, beyond what rounding can add up to; an account that was not opened yet has nothing to compare."""
    assert cash("100", "100.05") == cash("100", "99.95") == cash("100", None) == []
    assert cash("100", "100.06") == cash("100", "99.94") == [Kind.CASH]


def test_cash_under_way_is_no_difference():
    """A fill that is not booked or not settled, one that was taken back, a payout: each up to its worth."""
    name = order_id(terms())
    unbooked_fill, pending = filled(), filled(status=FillStatus.MATCHED)
    assert cash("96", "100", unbooked_fill) == cash("100", "96", pending, booked={name: D(10)}) == []
    assert cash("96", "100", unbooked_fill, booked={name: D(10)}) == [Kind.CASH]
    assert cash("100", "96", filled(status=FillStatus.FAILED), booked={name: D(10)}) == []
    assert cash("100", "96", filled(status=FillStatus.FAILED)) == [Kind.CASH]
    won = AtVenue(cash=D(110), shares={"y0": D(0)}, resolved=frozenset({"y0"}))
    assert kinds(won, InLedger(cash=D(100), shares={"y0": D(10)})) == []
    assert kinds(replace(won, cash=D(111)), InLedger(cash=D(100), shares={"y0": D(10)})) == [Kind.CASH]
