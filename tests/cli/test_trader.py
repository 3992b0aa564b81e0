"""The trader starts a trade where it may, gives capital back only where nothing was started, and follows every end."""

import asyncio
import time
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from cli_make import NOW, plan, record
from structlog.testing import capture_logs
from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError
from trader_stage import BASKET, BOOKS, LOST, UNKNOWN, Again, Desk, Handle, Knowing, Run, Scanning, Server

from arbsaga.config import load
from arbsaga.detect import Opportunity
from arbsaga.domain.money import Usd
from arbsaga.domain.pricing import Gates, Quote, price_basket
from arbsaga.errors import LedgerError, Unavailable
from arbsaga.ledger import Ledger
from arbsaga.saga.judge import entry_orders
from arbsaga.saga.messages import Phase, TradePlan, TradeRecord
from workers import following
from workers import trader as trading
from workers.trader import Budget, Trader


@pytest.fixture
def trader(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trader]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trading, "REPORT_EVERY_S", 0.01)
    monkeypatch.setattr(following, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(following, "LAST_ORDER_S", 0.05)
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite")
    made = Trader(load(), Server(), Desk(), Knowing(), ledger, Budget(None))  # type: ignore[arg-type]  # all that it asks
    made.scanner = Scanning()  # type: ignore[assignment]  # likewise
    yield made
    ledger.close()


def opportunity() -> Opportunity:
    quote = price_basket(BASKET, BOOKS, Gates(budget=Usd(Decimal(15))))
    assert isinstance(quote, Quote)
    return Opportunity(quote, (), NOW, 0)


def starts(monkeypatch: pytest.MonkeyPatch, outcome: Handle | RPCError | None) -> list[TradePlan]:
    plans: list[TradePlan] = []

    async def start(client: object, made: TradePlan, task_queue: str) -> Handle | None:
        plans.append(made)
        if isinstance(outcome, RPCError):
            raise outcome
        return outcome

    monkeypatch.setattr(trading, "start_trade", start)
    return plans


async def until_over(trader: Trader) -> None:
    deadline = time.monotonic() + 10
    while trader.in_flight:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_an_opportunity_becomes_a_trade_that_is_followed_to_its_end(
    trader: Trader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def result() -> TradeRecord:
        return record(plan(plans[0].trade_id, basket=BASKET), Phase.COMMITTED, "20", "20")

    plans = starts(monkeypatch, Handle(result))
    assert trader.on_opportunity(opportunity())
    assert not trader.on_opportunity(opportunity()), "the basket is in flight"
    await until_over(trader)
    assert trader.scanner.ends == [("yes:race", Phase.COMMITTED)]  # type: ignore[attr-defined]
    assert [one.trade_id for one in trader.payouts.known] == [plans[0].trade_id]  # type: ignore[attr-defined]
    assert '"phase":"COMMITTED"' in capsys.readouterr().out
    assert trader.on_opportunity(opportunity()), "it may be entered again"
    await until_over(trader)


@pytest.mark.parametrize("reason", ["draining", "budget", "blocked", "no capital", "not affordable"])
def test_no_trade_is_started_where_none_may_be(trader: Trader, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    match reason:
        case "draining":
            trader.draining = True
        case "budget":
            trader.budget = Budget(0)
        case "blocked":
            trader.desk.blocks.add("yes:race")  # type: ignore[attr-defined]
        case "no capital":
            trader.desk.amount = None  # type: ignore[attr-defined]
        case _:
            monkeypatch.setattr(trading, "affordable", lambda *_: None)
    assert not trader.on_opportunity(opportunity())
    assert trader.in_flight == {}


async def test_a_basket_that_is_in_flight_elsewhere_gives_its_capital_back(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts(monkeypatch, None)
    trader.on_opportunity(opportunity())
    await until_over(trader)
    assert trader.desk.said == ["given back"]  # type: ignore[attr-defined]
    assert trader.scanner.ends == [("yes:race", Phase.REFUSED)]  # type: ignore[attr-defined]


async def test_a_start_whose_answer_was_lost_keeps_its_capital(trader: Trader, monkeypatch: pytest.MonkeyPatch) -> None:
    starts(monkeypatch, LOST)
    trader.on_opportunity(opportunity())
    await until_over(trader)
    assert trader.desk.said == ["lost"]  # type: ignore[attr-defined]


async def test_a_trade_is_followed_through_a_restart_of_temporal(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    async def result() -> TradeRecord:
        asked.append(1)
        if len(asked) < 3:
            raise LOST
        return record(plan(basket=BASKET), Phase.FLAT, "20", "0")

    starts(monkeypatch, Handle(result))
    trader.on_opportunity(opportunity())
    await until_over(trader)
    assert len(asked) == 3
    assert trader.scanner.ends == [("yes:race", Phase.FLAT)]  # type: ignore[attr-defined]


BROKE_OFF = WorkflowFailureError(cause=RuntimeError("terminated"))


def breaks_off(error: Exception = BROKE_OFF) -> Handle:
    async def result() -> TradeRecord:
        raise error

    return Handle(result)


def intend(trader: Trader, made: TradePlan, account: str = "main") -> None:
    orders = [(terms, f"0x{terms.key}") for terms in entry_orders(made)]
    trader.ledger.intend(orders, account=account, workflow_id="basket/yes:race", lease_id="lease")


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("error", [UNKNOWN, BROKE_OFF])
async def test_a_trade_that_broke_off_before_its_first_order_is_over(
    trader: Trader,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    told: bool,
) -> None:
    """Nobody goes on with it, so its basket may be entered again after a pause, and its place is given back."""
    trader.budget = Budget(1)
    plans = starts(monkeypatch, breaks_off(error))
    trader.on_opportunity(opportunity())
    assert not trader.budget.allows()
    await asyncio.sleep(0)  # it is started
    if told:
        trader.heard(record(plan(plans[0].trade_id, basket=BASKET), Phase.VALIDATING))
    await until_over(trader)
    assert trader.budget.allows()
    assert trader.scanner.ends == [("yes:race", Phase.REFUSED)]  # type: ignore[attr-defined]
    said = capsys.readouterr().out
    assert ("broke off (terminated)" in said) is (error is BROKE_OFF)
    assert ('"reason":"broke off before it sent an order"' in said) is told


async def test_a_trade_that_broke_off_is_followed_to_the_end_of_its_next_run(
    trader: Trader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reconciler runs it again. Until it has ended its basket is not entered, and nothing is drained."""
    plans = starts(monkeypatch, breaks_off())
    trader.on_opportunity(opportunity())

    async def result() -> TradeRecord:
        return record(plan(plans[0].trade_id, basket=BASKET), Phase.COMMITTED, "20", "20")

    await asyncio.sleep(0)
    intend(trader, plan(plans[0].trade_id, basket=BASKET))
    server = trader.client
    server.run = Run("another's", result)  # type: ignore[attr-defined,union-attr]
    await asyncio.sleep(0.1)
    assert not trader.on_opportunity(opportunity())
    server.run = Run(plans[0].trade_id, result)  # type: ignore[attr-defined,union-attr]
    await until_over(trader)
    assert trader.scanner.ends == [("yes:race", Phase.COMMITTED)]  # type: ignore[attr-defined]
    assert '"phase":"COMMITTED"' in capsys.readouterr().out


async def test_a_trade_that_broke_off_and_was_held_without_another_run_is_told_as_held(
    trader: Trader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reconciler gave it to a person: the ledger has its end."""
    monkeypatch.setattr(following, "LAST_ORDER_S", 60)
    plans = starts(monkeypatch, breaks_off())
    trader.on_opportunity(opportunity())
    await asyncio.sleep(0)  # it is started
    trader.ledger.record(record(plan(plans[0].trade_id, basket=BASKET), Phase.HELD, "20", "5"))
    await until_over(trader)
    assert trader.held == {"yes:race": False}
    assert '"phase":"HELD"' in capsys.readouterr().out


def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A steady clock that goes on only when it is told to: its time is the first of these."""
    now = [0.0]
    monkeypatch.setattr(following, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


async def test_while_nobody_can_see_a_trade_is_not_given_up(trader: Trader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporal was away for longer than the reconciler's time: that begins when it is back."""
    now, read, seen = clock(monkeypatch), trader.ledger.trade, []

    def away(trade_id: str) -> Any:
        if now[0] < 1_000:
            now[0] += 250
            raise Unavailable("away")
        now[0] += 100
        seen.append(now[0])
        return read(trade_id)

    monkeypatch.setattr(trader.ledger, "trade", away)
    plans = starts(monkeypatch, breaks_off())
    trader.on_opportunity(opportunity())
    await asyncio.sleep(0)
    intend(trader, plan(plans[0].trade_id, basket=BASKET))
    await until_over(trader)
    assert seen == [1_100, 1_200]


async def test_what_becomes_of_a_trade_is_asked_again_while_nobody_can_tell(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporal is being restarted, the ledger is locked: neither is an end."""
    asked: list[int] = []
    ended = trader.ledger.trade

    def locked(trade_id: str) -> Any:
        asked.append(1)
        if len(asked) < 3:
            raise Unavailable("the ledger is locked")
        return ended(trade_id)

    monkeypatch.setattr(trader.ledger, "trade", locked)
    starts(monkeypatch, breaks_off())
    trader.on_opportunity(opportunity())
    await until_over(trader)
    assert len(asked) >= 3


@pytest.mark.parametrize("told", [True, False])
async def test_a_trade_that_nobody_goes_on_with_is_blocked_and_reported(
    trader: Trader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], told: bool
) -> None:
    """Nothing tells its plan, so the reconciler cannot run it again: neither its follower nor a drain waits on."""
    plans = starts(monkeypatch, breaks_off())
    trader.on_opportunity(opportunity())
    await asyncio.sleep(0)
    made = plan(plans[0].trade_id, basket=BASKET)
    intend(trader, made)
    if told:
        trader.heard(record(made, Phase.PLACING))
    await asyncio.sleep(0.1)
    assert trader.in_flight, "not before the reconciler had its time"
    monkeypatch.setattr(following, "LOST_AFTER_S", 0)
    await until_over(trader)
    assert trader.scanner.ends == [("yes:race", Phase.HELD)]  # type: ignore[attr-defined]
    assert ('"reason":"broke off and nobody goes on with it"' in (said := capsys.readouterr().out)) is told
    assert f"nobody goes on with {made.trade_id}" in said
    await asyncio.wait_for(trader.wait_drained(), 10)


async def test_whatever_fails_while_a_trade_is_followed_nothing_waits_for_it(
    trader: Trader, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its result cannot be decoded, say. How it ends is not known, so its basket is not entered again."""
    starts(monkeypatch, breaks_off(ValueError("written by another version")))
    trader.on_opportunity(opportunity())
    await until_over(trader)
    assert trader.scanner.ends == [("yes:race", Phase.HELD)]  # type: ignore[attr-defined]
    assert "is not followed any more (written by another version)" in capsys.readouterr().out


async def test_what_keeps_a_result_away_is_logged_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once and every minute; not twice a second."""
    monkeypatch.setattr(following, "LOOK_EVERY_S", 0)
    now = clock(monkeypatch)

    async def outcome() -> TradeRecord:
        now[0] += 10
        if now[0] <= 100:
            raise LOST
        return record(plan(basket=BASKET), Phase.FLAT, "20", "0")

    with capture_logs() as logs:
        await following.result(Again(outcome))
    assert [line["error"] for line in logs] == ["gone", "gone"]


async def test_a_trade_that_still_runs_takes_a_place_of_a_restarted_trader(trader: Trader) -> None:
    """It gives it back where it was placed a moment before the kill, and was too late when it was lived again."""

    async def result() -> TradeRecord:
        return record(plan(basket=BASKET), Phase.REFUSED)

    trader.budget = Budget(1)
    trader.client.run = Run("T1", result)  # type: ignore[attr-defined]
    await trader.resume()
    assert trader.in_flight == {"yes:race": "T1"}
    assert not trader.budget.allows()
    await until_over(trader)
    assert trader.budget.allows()


async def test_a_trade_that_cannot_tell_its_status_keeps_its_tokens_from_others(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another basket took them meanwhile: the two trades then stood in each other's way."""

    async def result() -> TradeRecord:
        return record(plan(basket=BASKET), Phase.COMMITTED, "20", "20")

    intend(trader, plan("T1", basket=BASKET))
    trader.client.run = Run("T1", result)  # type: ignore[attr-defined]
    await trader.resume()
    await until_over(trader)
    assert trader.scanner.open_before == {"yes:race": ["yes0", "yes1"]}  # type: ignore[attr-defined]

    def unreadable(trade_id: str) -> None:
        raise LedgerError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(trader.ledger, "intents_by_trade", unreadable)
        assert trader._ordered("T1") == []


async def test_it_is_drained_when_no_trade_of_the_account_is_left_in_the_ledger(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trade that broke off in an earlier life of this process runs nowhere, and is about to be run again."""
    intend(trader, plan("other"), account="somebody else")
    made = plan()
    intend(trader, made)
    drained = asyncio.ensure_future(trader.wait_drained())
    await asyncio.sleep(0.1)
    assert not drained.done()
    trader.ledger.record(record(made, Phase.COMMITTED))
    await asyncio.wait_for(drained, 10)
    locks: list[int] = []

    def locked() -> Any:
        locks.append(1)
        if len(locks) < 3:
            raise Unavailable("the ledger is locked")
        return []

    monkeypatch.setattr(trader.ledger, "intents_in_flight", locked)
    await asyncio.wait_for(trader.wait_drained(), 10)
    assert len(locks) == 3


async def test_a_held_basket_is_released_once_its_person_has_decided(
    trader: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def result() -> TradeRecord:
        return record(plan(basket=BASKET), Phase.HELD, "20", "0")

    starts(monkeypatch, Handle(result))
    trader.on_opportunity(opportunity())
    await until_over(trader)
    trader.release(())
    assert trader.scanner.ends == [("yes:race", Phase.HELD)], "the desk has not even heard of it"  # type: ignore[attr-defined]
    trader.release(("yes:race",))
    assert trader.scanner.ends[1:] == []  # type: ignore[attr-defined]
    trader.release(())
    trader.release(())
    assert trader.scanner.ends[1:] == [("yes:race", Phase.FLAT)]  # type: ignore[attr-defined]


def test_the_same_phase_is_told_once(trader: Trader, capsys: pytest.CaptureFixture[str]) -> None:
    for phase in (Phase.PLACING, Phase.PLACING, Phase.HEDGED):
        trader.heard(record(plan(), phase))
    assert capsys.readouterr().out.count('"event":"trade"') == 2
