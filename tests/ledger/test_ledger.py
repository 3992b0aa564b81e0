"""The ledger in one process: the fence, records, books, halts."""

import sqlite3
from dataclasses import replace
from decimal import Decimal as D
from pathlib import Path

import pytest
from ledger_make import ACCOUNT, START_MS, fill, order_id, plan, record, terms, view

from arbsaga.domain.instruments import Side
from arbsaga.domain.orders import FillStatus, OrderState, OrderTerms
from arbsaga.errors import LedgerError
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.saga.messages import Page, Phase


def intend(ledger: Ledger, *orders: OrderTerms) -> tuple[bool, ...]:
    pairs = [(order, order_id(order)) for order in orders]
    return ledger.intend(pairs, account=ACCOUNT, workflow_id="basket/yes:event", lease_id="lease")


def fund(ledger: Ledger, cash: str = "100") -> None:
    ledger.open_account(ACCOUNT, "polymarket", D(cash))


def bought(*fills: str) -> list:
    """Two legs, each filled once."""
    return [view(terms(leg=leg), fill(f"f{leg}")) for leg in range(2)]


# -- the fence


def test_an_attempt_is_fresh_once(ledger: Ledger):
    """A second intent of the same (trade, leg, attempt) must never be posted; its siblings still may."""
    assert intend(ledger, terms(leg=0), terms(leg=1)) == (True, True)
    assert intend(ledger, terms(leg=0), terms(leg=0, attempt=2)) == (False, True)


def test_the_first_intent_of_an_attempt_stands(ledger: Ledger):
    """Other terms under the same attempt change nothing: what was first written may have been sent."""
    intend(ledger, terms())
    assert ledger.intend([(terms(limit=D("0.5")), "0xother")], account=ACCOUNT, workflow_id="w", lease_id="l") == (
        False,
    )
    first = ledger.intent("t1", 0, 1)
    assert first is not None
    assert (first.terms, first.order_id, first.workflow_id) == (terms(), order_id(terms()), "basket/yes:event")


def test_intents_survive_closing_the_file(url: str):
    """What was fresh before a restart is not fresh after it."""
    first = Ledger.open(url)
    intend(first, terms())
    first.close()
    second = Ledger.open(url)
    assert intend(second, terms()) == (False,)
    second.close()


def test_one_order_id_for_two_attempts_is_refused_whole(ledger: Ledger):
    """Ids are unique at the venue: nothing of such a batch is written."""
    batch = [(terms(leg=0), "0x1"), (terms(leg=1), "0x1")]
    with pytest.raises(LedgerError, match="order_id"):
        ledger.intend(batch, account=ACCOUNT, workflow_id="w", lease_id="l")
    assert ledger.intent("t1", 0, 1) is None


def test_an_attempt_that_only_a_record_named_is_still_fresh(ledger: Ledger):
    """A record between two phases may name an order that was not sent yet: the fence must let it pass, once."""
    ledger.record(record([view(terms(), state=OrderState.UNKNOWN)], Phase.PLACING))
    assert intend(ledger, terms()) == (True,)
    assert intend(ledger, terms()) == (False,)


def test_an_attempt_that_a_record_knows_more_of_is_not_fresh(ledger: Ledger):
    """A ledger that lost its intents but recorded the order's end does not let it be sent again."""
    ledger.record(record([view(terms())]))
    assert intend(ledger, terms()) == (False,)


def test_there_is_no_intent_of_an_unknown_attempt(ledger: Ledger):
    """None, not an error."""
    assert ledger.intent("t1", 0, 1) is None


def test_intents_are_found_by_lease_order_account_and_state(ledger: Ledger):
    """The desk asks by lease, a trade by itself, the watchdog by order and by what may still fill."""
    intend(ledger, terms(leg=0), terms(leg=1))
    assert [one.terms.leg for one in ledger.intents_by_lease("lease")] == [0, 1]
    assert ledger.intents_by_lease("other") == []
    assert [one.terms.leg for one in ledger.intents_by_trade("t1")] == [0, 1]
    assert ledger.intents_by_trade("other") == []
    assert [one.terms.leg for one in ledger.intents_by_order(["0xt1/1/1", "0xnobody"])] == [1]
    assert len(ledger.intents(ACCOUNT)) == 2
    assert [one.phase for one in ledger.open_intents()] == [None, None]
    ledger.record(record([view(terms(leg=0)), view(terms(leg=1), state=OrderState.UNKNOWN)], Phase.HELD))
    assert [(one.terms.leg, one.phase) for one in ledger.open_intents()] == [(1, Phase.HELD)]


def test_the_shares_of_an_order_are_those_that_did_not_fail(ledger: Ledger):
    """Several fills add up; an order without any, or that nobody knows, is missing."""
    intend(ledger, terms(leg=0), terms(leg=1), terms("t2"))
    fills = (fill("a", "4"), fill("b", "2.5"), fill("c", "3", status=FillStatus.FAILED))
    ledger.record(record([view(terms(leg=0), *fills), view(terms(leg=1))]))
    assert ledger.filled(["0xt1/0/1", "0xt1/1/1", "0xt2/0/1", "0xnobody"]) == {"0xt1/0/1": D("6.5")}


def test_orders_in_flight_are_those_of_trades_without_an_end(ledger: Ledger):
    """A trade that recorded nothing, or a phase between, is in flight; HELD is an end."""
    intend(ledger, terms("t1"), terms("t2"), terms("t3"))
    ledger.record(record([view(terms("t2"))], Phase.SETTLING, of=plan("t2")))
    ledger.record(record([view(terms("t3"), state=OrderState.UNKNOWN)], Phase.HELD, of=plan("t3")))
    assert [(one.terms.trade_id, one.phase) for one in ledger.intents_in_flight()] == [
        ("t1", None),
        ("t2", Phase.SETTLING),
    ]


# -- records and books


def test_a_committed_trade_holds_its_positions_until_the_payout(ledger: Ledger):
    """Cash falls by cost and fees, shares are held, then the payout turns them into cash and profit."""
    fund(ledger)
    ledger.record(record(bought()))
    assert ledger.cash(ACCOUNT) == D("91.808")
    assert ledger.positions(ACCOUNT) == {"y0": D(10), "y1": D(10)}
    assert (ledger.fees(ACCOUNT), ledger.profit(ACCOUNT)) == (D("0.192"), D(0))
    ledger.book_payout(ACCOUNT, "polymarket", "y0", D(10), D(10), "resolved y0")
    ledger.book_payout(ACCOUNT, "polymarket", "y1", D(10), D(0), "resolved y1")
    assert ledger.cash(ACCOUNT) == D("101.808")
    assert ledger.positions(ACCOUNT) == {}
    assert ledger.profit(ACCOUNT) == D(2)
    assert ledger.postings_balance() == 0


def test_recording_twice_changes_nothing(ledger: Ledger):
    """A retried activity records the same trade again."""
    fund(ledger)
    ledger.record(record(bought()))
    before = ledger.trade("t1")
    ledger.record(record(bought()))
    assert ledger.trade("t1") == before


def test_a_payout_counts_once_by_its_reference(ledger: Ledger):
    """Two processes that both see the market resolve pay out once."""
    fund(ledger)
    ledger.record(record(bought()))
    for _ in range(2):
        ledger.book_payout(ACCOUNT, "polymarket", "y0", D(10), D(10), "resolved y0")
    assert ledger.cash(ACCOUNT) == D("101.808")


def test_a_payout_counts_once_by_its_shares(ledger: Ledger):
    """Two traders on one ledger know of different trades, and so name one payout differently: it is booked once."""
    fund(ledger)
    ledger.record(record(bought()))
    for ref in ("y0/10", "y0/25"):
        ledger.book_payout(ACCOUNT, "polymarket", "y0", D(10), D(10), ref)
    assert ledger.cash(ACCOUNT) == D("101.808")
    assert ledger.positions(ACCOUNT) == {"y1": D(10)}


def test_the_opening_balance_counts_once(ledger: Ledger):
    """A restart opens the account again, with another balance: only the first counts."""
    fund(ledger, "100")
    fund(ledger, "55")
    assert ledger.cash(ACCOUNT) == D(100)


def test_a_failed_fill_is_reversed_by_new_postings(ledger: Ledger):
    """The first lines stay as they were; the opposite lines follow them."""
    fund(ledger)
    ledger.record(record([view(terms(), fill("f0", status=FillStatus.MATCHED))], Phase.SETTLING))
    matched = ledger.trade("t1")
    ledger.record(record([view(terms(), fill("f0", status=FillStatus.FAILED))], Phase.FLAT))
    failed = ledger.trade("t1")
    assert matched is not None
    assert failed is not None
    first, rest = failed.postings[: len(matched.postings)], failed.postings[len(matched.postings) :]
    assert first == matched.postings
    assert {(line.book, line.unit): -line.amount for line in rest} == {
        (line.book, line.unit): line.amount for line in first
    }
    assert (ledger.cash(ACCOUNT), ledger.positions(ACCOUNT), ledger.fees(ACCOUNT)) == (D(100), {}, D(0))


def test_a_fill_seen_only_as_failed_moves_nothing(ledger: Ledger):
    """It is kept as evidence."""
    ledger.record(record([view(terms(), fill("f0", status=FillStatus.FAILED))], Phase.FLAT))
    story = ledger.trade("t1")
    assert story is not None
    assert story.postings == ()
    assert [one.status for one in story.orders[0].fills] == [FillStatus.FAILED]


def test_a_confirmed_fill_that_failed_later_is_taken_back(ledger: Ledger):
    """The venue's last word, read afresh by a trade that was run again: it stays when the older record comes late."""
    fund(ledger)
    ledger.record(record(bought()))
    taken_back = [view(terms(leg=0), fill("f0")), view(terms(leg=1), fill("f1", status=FillStatus.FAILED))]
    for orders in (taken_back, bought()):
        ledger.record(record(orders, Phase.UNWINDING, time_ms=START_MS + 99))
    assert (ledger.positions(ACCOUNT), ledger.cash(ACCOUNT)) == ({"y0": D(10)}, D("95.904"))
    assert ledger.fees(ACCOUNT) == D("0.096")
    assert ledger.postings_balance() == 0


@pytest.mark.parametrize("final", [FillStatus.CONFIRMED, FillStatus.FAILED])
def test_a_final_fill_stays_final(ledger: Ledger, final: FillStatus):
    """An answer that was slow cannot reopen what is settled."""
    ledger.record(record([view(terms(), fill("f0", status=final))]))
    ledger.record(record([view(terms(), fill("f0", status=FillStatus.MATCHED))]))
    story = ledger.trade("t1")
    assert story is not None
    assert story.orders[0].fills[0].status is final


def test_a_fee_that_changes_before_the_end_is_booked_as_the_difference(ledger: Ledger):
    """The estimate at the match and what the venue bills may differ."""
    ledger.record(record([view(terms(), fill("f0", fee="0", status=FillStatus.MATCHED))]))
    ledger.record(record([view(terms(), fill("f0", fee="0.1", status=FillStatus.CONFIRMED))]))
    assert (ledger.cash(ACCOUNT), ledger.fees(ACCOUNT)) == (D("-4.1"), D("0.1"))


def test_an_older_record_adds_its_fills_and_takes_nothing_back(ledger: Ledger):
    """Two activities that record the same trade can finish in the other order."""
    late = record([view(terms(), fill("a", "4"))], Phase.SETTLING, time_ms=START_MS)
    ledger.record(record([view(terms(leg=1))], Phase.HELD, time_ms=START_MS + 9))
    ledger.record(late)
    story = ledger.trade("t1")
    assert story is not None
    assert story.row is not None
    assert story.row.phase is Phase.HELD
    assert ledger.positions(ACCOUNT) == {"y0": D(4)}


def test_selling_the_last_share_turns_the_rest_into_loss(ledger: Ledger):
    """Bought at 0.40 and sold at 0.37: 30 cents are lost, and the position is gone."""
    sold = view(terms(attempt=2, side=Side.SELL), fill("s", "10", "0.37", fee="0.09"))
    ledger.record(record([view(terms(), fill("b")), sold], Phase.FLAT))
    assert (ledger.positions(ACCOUNT), ledger.profit(ACCOUNT)) == ({}, D("-0.3"))
    assert ledger.postings_balance() == 0


def test_an_order_that_is_not_the_intended_one_is_refused_whole(ledger: Ledger):
    """A record must not change what was sent: neither the trade nor a fill is kept."""
    intend(ledger, terms())
    other = replace(view(terms(), fill("f0")), order_id="0xother")
    with pytest.raises(LedgerError, match=r"t1/0/1.*0xt1/0/1 was intended"):
        ledger.record(record([other]))
    assert ledger.trades() == []
    assert ledger.positions(ACCOUNT) == {}


def test_orders_that_were_given_up_before_they_had_an_id_are_kept(ledger: Ledger):
    """A halt between decision and posting: both legs are told with the reason, neither with an id."""
    given_up = [
        replace(view(terms(leg=leg), state=OrderState.ABSENT), order_id="", reason="halted") for leg in range(2)
    ]
    for _ in range(2):
        ledger.record(record(given_up, Phase.FLAT))
    story = ledger.trade("t1")
    assert story is not None
    assert list(story.orders) == given_up


def test_a_view_without_an_id_is_of_the_order_that_was_intended(ledger: Ledger):
    """The answer to its post was lost; the id on the disk stays, and its fills count."""
    intend(ledger, terms())
    ledger.record(record([replace(view(terms(), fill("f0")), order_id="")]))
    story = ledger.trade("t1")
    assert story is not None
    assert story.orders[0].order_id == order_id(terms())
    assert ledger.positions(ACCOUNT) == {"y0": D(10)}


def test_an_id_that_becomes_known_later_is_kept(ledger: Ledger):
    """First recorded without one."""
    ledger.record(record([replace(view(terms(), state=OrderState.UNKNOWN), order_id="")]))
    ledger.record(record([view(terms())]))
    assert [one.order_id for one in ledger.intents(ACCOUNT)] == [order_id(terms())]


def test_amounts_between_two_millionths_are_refused(ledger: Ledger):
    """The venue has no such shares: rounding them here would unbalance the books."""
    with pytest.raises(LedgerError, match="millionths"):
        ledger.record(record([view(terms(), fill("f0", "1.0000001", fee="0"))]))


def test_postings_cannot_be_edited(ledger: Ledger, tmp_path: Path):
    """Not even by hand: the file itself refuses."""
    fund(ledger)
    with sqlite3.connect(tmp_path / "ledger.sqlite") as raw:
        for change in ("UPDATE postings SET amount = 1", "DELETE FROM postings"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                raw.execute(change)
    raw.close()


# -- what a person asks


def test_a_trade_is_told_with_the_evidence_of_each_order(url: str, tmp_path: Path):
    """Plan, orders, fills, books and pages come back as they were."""
    ledger = Ledger.open(url, alert_log=tmp_path / "alerts.jsonl")
    ledger.record(record(bought()))
    story = ledger.trade("t1")
    assert story is not None
    assert story.row is not None
    assert story.row.plan == plan()
    assert story.row.ended
    assert list(story.orders) == bought()
    assert {line.entry for line in story.postings} == {"fill/t1/0/1/f0", "fill/t1/1/1/f1"}
    assert story.alerts == ()
    ledger.close()


async def test_a_trade_is_told_with_its_pages(url: str, tmp_path: Path):
    """Only its own, and in full."""
    ledger = Ledger.open(url, alert_log=tmp_path / "alerts.jsonl")
    ledger.record(record(bought(), Phase.HELD))
    pager = Pager([], tmp_path / "alerts.jsonl", lambda text: None)
    page = Page("t1", "t1/held", "trade held", (("spent", "8 USD"),), "decide")
    await pager.deliver(page)
    await pager.deliver(replace(page, trade_id="t2", key="t2/held"))
    story = ledger.trade("t1")
    assert story is not None
    assert [alert.page for alert in story.alerts] == [page]
    ledger.close()


def test_a_trade_with_only_intents_is_told_too(ledger: Ledger):
    """Nothing was recorded yet, but an order may be at the venue."""
    intend(ledger, terms())
    story = ledger.trade("t1")
    assert story is not None
    assert story.row is None
    assert story.orders[0].state is OrderState.UNKNOWN
    assert ledger.trade("nobody") is None


def test_trades_are_listed_newest_first(ledger: Ledger):
    """HELD is an end: only trades whose workflow goes on are open."""
    phases = [Phase.COMMITTED, Phase.HELD, Phase.UNWINDING]
    for number, phase in enumerate(phases):
        ledger.record(record([], phase, of=plan(f"t{number}", decided_ms=START_MS + number)))
    assert [row.trade_id for row in ledger.trades()] == ["t2", "t1", "t0"]
    assert [row.trade_id for row in ledger.trades(limit=1)] == ["t2"]
    assert [row.phase for row in ledger.trades(open_only=True)] == [Phase.UNWINDING]


def test_a_history_is_kept(ledger: Ledger):
    """The last one archived is the one that is told."""
    assert ledger.history("t1") is None
    ledger.archive("t1", '{"events": [1]}')
    ledger.archive("t1", '{"events": [1, 2]}')
    assert ledger.history("t1") == '{"events": [1, 2]}'


def test_a_halt_is_seen_until_it_is_lifted(ledger: Ledger):
    """By every process that reads the same file."""
    assert ledger.halted() == ""
    ledger.halt("the venue restarts")
    assert ledger.halted() == "the venue restarts"
    ledger.halt(None)
    assert ledger.halted() == ""


def test_a_ledger_can_prove_that_it_is_writable(ledger: Ledger):
    """Again and again, without a trace in the books or the halt."""
    for _ in range(2):
        ledger.prove_writable()
    assert (ledger.halted(), ledger.postings_balance(), ledger.trades()) == ("", 0, [])
