"""The verdict over two venues: each exchange's record in one shape, and what differs named with its venue."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from arbsaga.domain.baskets import BasketKind, cross
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome
from arbsaga.domain.money import NO_USD, Price, Size, Usd
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderView
from arbsaga.exchange.kalshi import truth as kalshi
from arbsaga.exchange.truth import TrueFill, TrueOrder, Truth
from arbsaga.ledger import Ledger
from arbsaga.saga import judge
from arbsaga.saga.messages import Phase, PlannedLeg, TradePlan
from arbsaga.saga.trade import Trade
from workers.board import Board
from workers.summary import summarize
from workers.truths import of_kalshi, together
from workers.verdict import Verdict, compare

NOW = 1_790_000_000_000
D = Decimal
RULES = MarketRules(tick=D("0.01"))
HERE = Instrument("polymarket", "0xc", "111", "222", Outcome.YES, "Signed", RULES)
THERE = Instrument(
    "kalshi",
    "KXT-1",
    "kalshi:KXT-1:YES",
    "kalshi:KXT-1:NO",
    Outcome.YES,
    "Signed",
    replace(RULES, nets=True, pocket="0"),
)
SIZE, HERE_AT, THERE_AT = D(10), D("0.40"), D("0.50")
"""YES here at 0.40 and NO there at 0.50, ten of each."""


def fill(side: str, count: str, price: str, position: str = "0", client_id: str = "a") -> kalshi.TrueFill:
    return kalshi.TrueFill("t", "o", client_id, "KXT-1", side, "taker", D(count), D(price), D(0), D("0.02"), NOW)


def told(*fills: kalshi.TrueFill) -> Truth:
    return of_kalshi(kalshi.Truth("paper", fills=list(fills)))


def moved(truth: Truth) -> list[tuple[str, str, Decimal, Decimal]]:
    return [(one.side, one.token.rpartition(":")[2], one.size, one.usd) for one in truth.fills]


@pytest.mark.parametrize(
    ("fills", "expected"),
    [
        ([fill("bid", "10", "0.40")], [("BUY", "YES", D(10), D(4))]),
        ([fill("ask", "10", "0.40")], [("BUY", "NO", D(10), D(6))]),
        (
            [fill("bid", "10", "0.40"), fill("ask", "4", "0.50")],
            [("BUY", "YES", D(10), D(4)), ("SELL", "YES", D(4), D(2))],
        ),
        (
            [fill("ask", "10", "0.40"), fill("bid", "15", "0.50")],
            [("BUY", "NO", D(10), D(6)), ("SELL", "NO", D(10), D(5)), ("BUY", "YES", D(5), D("2.5"))],
        ),
    ],
)
def test_a_fill_of_kalshi_closes_what_is_held_before_it_opens(
    fills: Sequence[kalshi.TrueFill], expected: list[tuple[str, str, Decimal, Decimal]]
) -> None:
    truth = told(*fills)
    assert moved(truth) == expected
    assert truth.fees == sum(one.fee for one in fills)


def test_positions_worth_and_payouts_of_kalshi_are_by_outcome() -> None:
    payout = kalshi.TruePayout("KXT-1", D(-10), D("0.26"), D("7.4"), D(0), NOW)
    made = kalshi.Truth("paper", payouts=[payout], cash={0: D(5), 2: D(7)}, positions={"KXT-2": D(-3)})
    made.worth = {"KXT-1": D("0.26")}
    truth = of_kalshi(made)
    assert truth.cash == 12
    assert truth.positions == {"kalshi:KXT-2:NO": D(3)}
    assert truth.worth == {"kalshi:KXT-1:YES": D("0.26"), "kalshi:KXT-1:NO": D("0.74")}
    assert [(one.token, one.shares, one.usd) for one in truth.payouts] == [("kalshi:KXT-1:NO", D(10), D("7.4"))]


def plan(kind: BasketKind = BasketKind.IDENTITY) -> TradePlan:
    basket = cross("treaty-1", "Signed", kind, HERE, THERE.other())
    return TradePlan(
        trade_id="T1",
        account="main",
        basket=basket,
        units=Size(SIZE),
        legs=(PlannedLeg(Size(SIZE), Price(HERE_AT)), PlannedLeg(Size(SIZE), Price(THERE_AT))),
        cost=Usd(D(9)),
        fees=NO_USD,
        edge=Usd(D(1)),
        reserved=Usd(D(9)),
        lease_id="lease",
        lease_expires_ms=NOW + 60_000,
        decided_ms=NOW,
        decided_ns=0,
        books=(),
    )


def truths(there: str = "10", cash: tuple[str, str] = ("96", "95")) -> dict[str, Truth]:
    """What really happened: both legs filled, of Kalshi's this much."""
    here = Truth("0xme", cash=D(cash[0]), positions={"111": SIZE})
    here.orders["T1/0/1"] = TrueOrder("T1/0/1", "111", "BUY", HERE_AT, SIZE, 1, NOW, 1, False)
    here.fills.append(TrueFill("m", "T1/0/1", "111", "BUY", "taker", SIZE, HERE_AT, D(4), D(0), "CONFIRMED", NOW))
    here.add_up()
    order = kalshi.TrueOrder("o", "T1/1/1", "KXT-1", "ask", D("0.50"), SIZE, NOW, 2)
    filled = replace(fill("ask", there, "0.50", client_id="T1/1/1"), fee=D(0))
    made = kalshi.Truth("paper", orders={"o": order}, fills=[filled], cash={0: D(cash[1])})
    made.positions = {"KXT-1": -D(there)}
    return {"polymarket": here, "kalshi": of_kalshi(made)}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """The trade as our books have it, COMMITTED; $100 were deposited at each venue."""
    made = Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite")
    for venue in ("polymarket", "kalshi"):
        made.open_account("main", venue, Usd(D(100)))
    views = []
    for terms in judge.entry_orders(plan()):
        at = Fill(f"{terms.key}:1", Size(SIZE), terms.limit, NO_USD, FillStatus.CONFIRMED, NOW)
        made.intend([(terms, terms.key)], account="main", workflow_id="w", lease_id="lease")
        views.append(OrderView(terms, terms.key, OrderState.DONE, (at,), Size(SIZE)))
    made.record(Trade(plan()).with_orders(views).record(Phase.COMMITTED, "", NOW))
    return made


def verdict(ledger: Ledger, found: dict[str, Truth]) -> Verdict:
    return compare(together(found), ledger, "main", found)


def test_a_basket_over_two_venues_is_judged_over_both_records(ledger: Ledger) -> None:
    judged = verdict(ledger, truths())
    assert judged.differences == ()
    assert (judged.orders_sent, judged.unhedged_shares, judged.profit_usd) == (2, 0, D(1))
    assert {name: one.orders for name, one in judged.venues.items()} == {"polymarket": 1, "kalshi": 1}


def test_a_leg_that_the_other_venue_did_not_fill_is_unhedged(ledger: Ledger) -> None:
    judged = verdict(ledger, truths(there="4", cash=("96", "98")))
    assert judged.unhedged_shares == 6
    assert any("filled 4 shares, the ledger has 10" in text for text in judged.differences)


def test_money_that_is_at_the_wrong_venue_is_a_difference_although_the_sum_is_right(ledger: Ledger) -> None:
    judged = verdict(ledger, truths(cash=("97", "94")))
    assert [text for text in judged.differences if text.startswith("cash:")] == []
    assert {text.partition(":")[0] for text in judged.differences} == {"cash at polymarket", "cash at kalshi"}


def test_an_order_at_the_second_venue_that_nobody_intended_is_found(ledger: Ledger) -> None:
    found = truths()
    found["kalshi"].orders["stray"] = replace(found["kalshi"].orders["T1/1/1"], order_id="stray")
    assert any("stray" in text and "never intended" in text for text in verdict(ledger, found).differences)


@pytest.mark.parametrize(
    ("here", "there", "profit", "differently"),
    [("1", "1", "1", 0), ("0", "0", "1", 0), ("0", "1", "-9", 1), ("1", "0", "11", 1), ("1", "0.26", "8.4", 1)],
)
def test_the_numbers_say_when_two_venues_resolved_one_pair_differently(
    ledger: Ledger, here: str, there: str, profit: str, differently: int
) -> None:
    found = truths()
    found["polymarket"].worth = {"111": D(here), "222": 1 - D(here)}
    found["kalshi"].worth = {THERE.token: D(there), THERE.complement: 1 - D(there)}
    judged = verdict(ledger, found)
    assert (judged.profit_usd, len(judged.resolved_differently)) == (D(profit), differently)
    journals = {"polymarket": Path("truth.jsonl"), "kalshi": Path("truth-kalshi.jsonl")}
    told = summarize(
        judged, together(found), ledger, Board(), since_ms=NOW, journal=Path("t"), unended=0, journals=journals
    )
    assert told.fields["resolved_differently"] == differently
    assert (told.fields["cross_trades"], told.fields["cross_committed"]) == (1, 1)
    assert told.fields["truth_journals"] == {venue: str(path) for venue, path in journals.items()}
    assert told.fields["venues"]["kalshi"]["cash_equal"]
    assert told.holds, "a pair's own risk is no broken promise"


def test_a_nested_pair_may_pay_more_than_it_promises(ledger: Ledger, tmp_path: Path) -> None:
    other = Ledger.open(f"sqlite:///{tmp_path}/nested.sqlite")
    views = []
    for terms in judge.entry_orders(plan(BasketKind.NESTED)):
        at = Fill(f"{terms.key}:1", Size(SIZE), terms.limit, NO_USD, FillStatus.CONFIRMED, NOW)
        other.intend([(terms, terms.key)], account="main", workflow_id="w", lease_id="lease")
        views.append(OrderView(terms, terms.key, OrderState.DONE, (at,), Size(SIZE)))
    other.record(Trade(plan(BasketKind.NESTED)).with_orders(views).record(Phase.COMMITTED, "", NOW))
    found = truths()
    found["polymarket"].worth = {"111": D(1), "222": D(0)}
    found["kalshi"].worth = {THERE.token: D(0), THERE.complement: D(1)}
    assert compare(together(found), other, "main").resolved_differently == ()
    found["polymarket"].worth = {"111": D(0), "222": D(1)}
    found["kalshi"].worth = {THERE.token: D(1), THERE.complement: D(0)}
    assert compare(together(found), other, "main").resolved_differently == ("treaty-1",)
