"""The activities alone: what is fenced, what is looked up, what is left out."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from memory_venue import Behaviour, MemoryVenue, now_ms
from structlog.testing import capture_logs
from temporal_rig import D, make_plan, until
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import trading
from activities.trading import NOT_SENT_AGAIN, TradingActivities
from activities.watching import watch
from arbsaga.domain.orders import FillStatus, OrderState, OrderView, Purpose
from arbsaga.errors import Unavailable, VenueError
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager
from arbsaga.risk.funded import FundedOrders
from arbsaga.saga.judge import entry_orders
from arbsaga.saga.messages import CancelLeg, Page, Patience, Phase, PlaceLegs, PollFills, ReadBooks, TradePlan
from arbsaga.saga.trade import Trade
from arbsaga.venues.several import Several


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


@pytest.fixture
def ledger(tmp_path: Path):
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite")
    yield ledger
    ledger.close()


@pytest.fixture
def hands(venue: MemoryVenue, ledger: Ledger, tmp_path: Path) -> TradingActivities:
    return TradingActivities(venue, ledger, Pager([], tmp_path / "alerts.jsonl", lambda text: None))


@pytest.fixture
def plan(venue: MemoryVenue) -> TradePlan:
    plan = make_plan(patience=Patience(send_by=30_000))
    for leg in plan.basket.legs:
        venue.quote(leg.instrument, "0.41", "0.39")
    return plan


def funded(plan: TradePlan) -> FundedOrders:
    return FundedOrders(plan.account, plan.lease_id, PlaceLegs(plan.trade_id, entry_orders(plan)))


async def run(activity, ask):
    return await ActivityEnvironment().run(activity, ask)


async def test_intents_are_written_before_anything_is_sent(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue, ledger: Ledger
) -> None:
    """At the moment an order arrives, its intent is on the disk."""
    known = []

    async def look() -> None:
        known.append(ledger.intent(plan.trade_id, 0, 1).order_id)

    venue.next(plan.basket.legs[0].instrument, Behaviour(before=look))
    seen = await run(hands.place_legs, funded(plan))
    assert known == [seen.orders[0].order_id]
    assert [view.state for view in seen.orders] == [OrderState.DONE, OrderState.DONE]


async def test_the_same_orders_are_never_sent_again(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue
) -> None:
    """A second call answers with what became of the first, under the first's terms."""
    first = await run(hands.place_legs, funded(plan))
    changed = replace(plan, legs=tuple(replace(leg, size=D(7)) for leg in plan.legs))
    again = await run(hands.exit_leg, funded(changed))
    assert len(venue.posts) == 2
    assert [view.terms for view in again.orders] == [view.terms for view in first.orders]
    assert all(view.state is OrderState.DONE and view.filled == 12 for view in again.orders)
    assert again.orders[0].evidence[0] == NOT_SENT_AGAIN


async def test_an_order_that_was_intended_but_never_arrived_stays_unknown(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue, ledger: Ledger
) -> None:
    """Killed between the intent and the post: it is not sent by the next attempt."""
    orders = [(terms, venue.order_id(terms)) for terms in entry_orders(plan)]
    ledger.intend(orders, account="a", workflow_id="w", lease_id="l")
    seen = await run(hands.place_legs, funded(plan))
    assert [view.state for view in seen.orders] == [OrderState.UNKNOWN, OrderState.UNKNOWN]
    assert venue.posts == []


async def test_a_halt_between_depth_and_post_sends_nothing(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue, ledger: Ledger
) -> None:
    """Entries are proved absent; what is left of the trade has nothing to look for."""
    ledger.halt("drill")
    seen = await run(hands.place_legs, funded(plan))
    assert [(view.state, view.reason) for view in seen.orders] == [(OrderState.ABSENT, "trading is halted: drill")] * 2
    assert venue.posts == []
    assert ledger.intent(plan.trade_id, 0, 1) is None


async def test_an_entry_against_another_trade_in_flight_is_not_sent(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue, ledger: Ledger
) -> None:
    """Both had passed the last look; the second to write its orders down finds the first. Its own look-up goes on."""
    first, second = plan.basket.legs
    yes = replace(first.instrument, rules=replace(first.instrument.rules, nets=True))
    netting = replace(plan, basket=replace(plan.basket, legs=(replace(first, instrument=yes), second)))
    other = replace(entry_orders(netting)[0], trade_id="T-other", instrument=yes.other())
    ledger.intend([(other, "0xother")], account=funded(netting).account, workflow_id="w", lease_id="l")
    seen = await run(hands.place_legs, funded(netting))
    why = f"trade T-other is on the other side of {yes.market}: buying this would close it"
    assert [(view.state, view.reason) for view in seen.orders] == [(OrderState.ABSENT, why)] * 2
    assert venue.posts == []
    assert ledger.intent(netting.trade_id, 1, 1) is None


async def test_a_halt_never_blocks_an_exit(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue, ledger: Ledger
) -> None:
    """Reducing orders go out, and orders that were sent before the halt are looked up."""
    ledger.halt("drill")
    await run(hands.exit_leg, funded(plan))
    assert len(venue.posts) == 2
    seen = await run(hands.place_legs, funded(plan))
    assert all(view.state is OrderState.DONE for view in seen.orders)


async def test_a_post_is_never_cut_in_two(hands: TradingActivities, plan: TradePlan, venue: MemoryVenue) -> None:
    """A worker that stops waits for the answer of what it has sent."""
    release = asyncio.Event()
    venue.next(plan.basket.legs[0].instrument, Behaviour(after=release.wait))
    posting = asyncio.ensure_future(run(hands.place_legs, funded(plan)))
    while not venue.posts:
        await asyncio.sleep(0.01)
    posting.cancel()
    await asyncio.sleep(0.05)
    assert not posting.done()
    release.set()
    seen = await posting
    assert all(view.state is OrderState.DONE for view in seen.orders)


def unnamed(plan: TradePlan) -> OrderView:
    return OrderView(entry_orders(plan)[0], "", OrderState.UNKNOWN)


async def test_a_lost_answer_leaves_the_id_to_be_found(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue
) -> None:
    """In the ledger, or from the terms when the attempt died before it wrote anything."""
    cancelled = await run(hands.cancel_leg, CancelLeg(plan.trade_id, unnamed(plan)))
    assert cancelled.orders[0].order_id == venue.order_id(entry_orders(plan)[0])
    await run(hands.place_legs, funded(plan))
    seen = await run(hands.cancel_leg, CancelLeg(plan.trade_id, unnamed(plan)))
    assert seen.orders[0].state is OrderState.DONE


async def test_books_that_cannot_be_read_are_left_out(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue
) -> None:
    """One bad token must not keep the others from being undone."""
    good, bad = (leg.instrument.token for leg in plan.basket.legs)
    books, sellable = venue.books, venue.sellable

    async def some_books(tokens):
        if bad in tokens:
            raise VenueError("no orderbook")
        return await books(tokens)

    async def some_sellable(token):
        if token == bad:
            raise VenueError("no balance")
        return await sellable(token)

    venue.books, venue.sellable = some_books, some_sellable
    placed = await run(hands.place_legs, funded(plan))
    market = await run(
        hands.read_books, ReadBooks(plan.trade_id, (good, bad), placed.orders[:1], (placed.orders[1].terms.key,))
    )
    assert [book.token for book in market.books] == [good]
    assert market.sellable == ((good, 0),)
    assert [view.order_id for view in market.orders] == [placed.orders[0].order_id]


async def test_a_record_that_leaves_an_order_out_is_not_written(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue
) -> None:
    """A run that a reset took back sent it: the trade has not ended before it knows what became of that order."""
    placed = await run(hands.place_legs, funded(plan))
    short = Trade(plan, placed.orders[:1]).record(Phase.COMMITTED, "", now_ms())
    left_out = await run(hands.record, short)
    assert [view.order_id for view in left_out.orders] == [placed.orders[1].order_id]
    assert left_out.orders[0].known == plan.legs[1].size
    assert hands._ledger.trade(plan.trade_id).row is None
    whole = await run(hands.record, Trade(plan, placed.orders).record(Phase.COMMITTED, "", now_ms()))
    assert whole.orders == ()
    assert hands._ledger.trade(plan.trade_id).row.phase is Phase.COMMITTED


async def test_a_refusal_of_the_whole_account_halts_the_entries_and_pages(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue
) -> None:
    """Every further order would be refused too: order_version_mismatch (py-clob-client-v2 #32), a banned address."""
    pages = []

    async def deliver(page: Page) -> bool:
        pages.append(page)
        return True

    hands._pager.deliver = deliver
    venue.next(plan.basket.legs[0].instrument, Behaviour(refuse="no"))
    venue.next(plan.basket.legs[1].instrument, Behaviour(refuse="banned"))
    await run(hands.place_legs, funded(plan))
    assert hands._ledger.halted() == "memory takes no order of this account: banned"
    await until(lambda: [page.headline for page in pages] == ["entries are halted: the venue says banned"])


async def test_a_ledger_and_a_pager_that_fail_cost_no_answer(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What became of the orders is told whatever becomes of the halt and the page."""

    def locked(reason: str | None) -> None:
        raise Unavailable("the ledger is locked")

    async def deliver(page: Page) -> bool:
        raise OSError("no disk")

    monkeypatch.setattr(hands._ledger, "halt", locked)
    hands._pager.deliver = deliver
    venue.next(plan.basket.legs[1].instrument, Behaviour(refuse="banned"))
    with capture_logs() as lines:
        seen = await run(hands.place_legs, funded(plan))
        await until(lambda: not hands._telling)
    assert [view.state for view in seen.orders] == [OrderState.DONE, OrderState.DONE]
    assert [line["event"] for line in lines] == ["page not delivered"]


async def test_a_halt_that_a_person_made_keeps_its_reason(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue
) -> None:
    """Exits are refused in a halt too; the words stay the person's."""
    hands._ledger.halt("lunch")
    exits = tuple(replace(terms, purpose=Purpose.EXIT) for terms in entry_orders(plan)[:1])
    venue.next(plan.basket.legs[0].instrument, Behaviour(refuse="banned"))
    await run(hands.exit_leg, replace(funded(plan), ask=PlaceLegs(plan.trade_id, exits)))
    await until(lambda: not hands._telling)
    assert hands._ledger.halted() == "lunch"


async def test_a_bug_in_the_venue_is_not_left_out(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue
) -> None:
    """Only the venue's own errors are."""

    async def broken(token):
        raise KeyError(token)

    venue.sellable = broken
    with pytest.raises(KeyError):
        await run(hands.read_books, ReadBooks(plan.trade_id, ("a",), (), ()))


async def test_a_page_that_some_service_refused_is_tried_again(hands: TradingActivities) -> None:
    """By Temporal: the activity fails."""

    async def deliver(page: Page) -> bool:
        return False

    hands._pager.deliver = deliver
    with pytest.raises(ApplicationError, match="not every service"):
        await run(hands.page, Page("t", "k", "h", (), "d"))


async def watched(venue: MemoryVenue, views, *, settled: bool = False, left_ms: int = 5_000, poll: int = 100):
    ask = PollFills("t", tuple(views), now_ms() + left_ms, poll, settled)
    return await ActivityEnvironment().run(watch, venue, ask, tuple(views), left_ms)


async def placed(hands: TradingActivities, plan: TradePlan):
    return (await run(hands.place_legs, funded(plan))).orders


async def test_a_watch_ends_at_news(hands: TradingActivities, plan: TradePlan, venue: MemoryVenue) -> None:
    """The stream wakes it: long before its time."""
    venue.settle_ms = 100
    views = await placed(hands, plan)
    began = now_ms()
    seen = await watched(venue, views)
    assert now_ms() - began < 1_000
    assert any(fill.status is not FillStatus.MATCHED for view in seen for fill in view.fills)


async def test_a_watch_over_settlement_tells_the_end_only(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue
) -> None:
    """MINED decides nothing."""
    venue.settle_ms = 60
    seen = await watched(venue, await placed(hands, plan), settled=True)
    assert all(fill.status is FillStatus.CONFIRMED for view in seen for fill in view.fills)


async def test_a_watch_without_a_stream_asks_often(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue
) -> None:
    """As often as the trade's patience says, so that a lost stream costs little."""
    venue.stream_up = False
    for leg in plan.basket.legs:
        venue.next(leg.instrument, Behaviour(fills=D(0)))
    views = await placed(hands, plan)
    venue.calls.clear()
    await watched(venue, views, left_ms=550, poll=100)
    assert 4 <= venue.calls.count("look") <= 8
    venue.calls.clear()
    await watched(venue, views, left_ms=300, poll=200)
    assert venue.calls.count("look") == 3


async def test_a_watch_with_a_stream_asks_seldom(hands: TradingActivities, plan: TradePlan, venue: MemoryVenue) -> None:
    """Once at the start and once at the end, when nothing happens."""
    for leg in plan.basket.legs:
        venue.next(leg.instrument, Behaviour(fills=D(0)))
    views = await placed(hands, plan)
    venue.calls.clear()
    assert await watched(venue, views, left_ms=300) == views
    assert venue.calls.count("look") == 2


async def test_a_watch_is_handed_on_when_its_worker_stops(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue
) -> None:
    """A retryable error: the next worker goes on."""
    for leg in plan.basket.legs:
        venue.next(leg.instrument, Behaviour(fills=D(0)))
    views = await placed(hands, plan)
    environment = ActivityEnvironment()
    environment.worker_shutdown()
    ask = PollFills("t", views, now_ms() + 5_000, 100)
    with pytest.raises(ApplicationError, match="this worker stops") as stopped:
        await environment.run(watch, venue, ask, views, 5_000)
    assert not stopped.value.non_retryable


async def test_a_dead_venue_takes_nothing_from_the_others_books(
    plan: TradePlan, venue: MemoryVenue, ledger: Ledger, tmp_path: Path
) -> None:
    """Undoing decides on what the living venue shows; the dead one's books are left out."""
    there = MemoryVenue()
    there.down = "connection refused"
    both = Several({"polymarket": venue, "kalshi": there})
    hands = TradingActivities(both, ledger, Pager([], tmp_path / "alerts.jsonl", lambda text: None))
    tokens = ("kalshi:KX:YES", plan.basket.legs[0].instrument.token)
    market = await run(hands.read_books, ReadBooks(plan.trade_id, tokens, (), ()))
    assert [book.token for book in market.books] == [tokens[1]]
    assert dict(market.sellable) == {tokens[0]: 0, tokens[1]: 0}


async def test_a_venue_that_hangs_is_not_waited_for_and_the_others_books_are_fresh(
    plan: TradePlan, venue: MemoryVenue, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before the wait for the other is read again after it."""
    monkeypatch.setattr(trading, "BOOKS_LIMIT_S", 0.05)
    monkeypatch.setattr(trading, "OLD_S", 0.0)
    there = MemoryVenue()

    async def never(tokens: object) -> None:
        await asyncio.Event().wait()

    there.books = never
    both = Several({"polymarket": venue, "kalshi": there})
    hands = TradingActivities(both, ledger, Pager([], tmp_path / "alerts.jsonl", lambda text: None))
    tokens = ("kalshi:KX:YES", plan.basket.legs[0].instrument.token)
    began = now_ms()
    market = await run(hands.read_books, ReadBooks(plan.trade_id, tokens, (), ()))
    assert [book.token for book in market.books] == [tokens[1]]
    assert market.books[0].read_ms >= began + 50
    assert venue.calls.count("books") == 2


async def test_nothing_follows_where_another_run_has_begun_to_undo(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue, ledger: Ledger
) -> None:
    """A run that a reset took back sold what the first leg had filled: its followers would stand alone."""
    first, second = entry_orders(plan)
    await run(hands.place_legs, replace(funded(plan), ask=PlaceLegs(plan.trade_id, (first,))))
    leave = replace(first, attempt=2, purpose=Purpose.EXIT)
    await run(hands.exit_leg, replace(funded(plan), ask=PlaceLegs(plan.trade_id, (leave,))))
    follow = replace(funded(plan), ask=PlaceLegs(plan.trade_id, (second,), follows=True))
    (seen,) = (await run(hands.place_legs, follow)).orders
    assert (seen.state, seen.reason) == (OrderState.ABSENT, "undoing has begun: nothing more is entered")
    assert ledger.intent(plan.trade_id, 1, 1) is None
    assert len(venue.posts) == 2


async def test_followers_that_were_sent_before_are_looked_up_whatever_came_after(
    hands: TradingActivities, plan: TradePlan, venue: MemoryVenue
) -> None:
    """Called absent, they would be left alone."""
    first, second = entry_orders(plan)
    follow = replace(funded(plan), ask=PlaceLegs(plan.trade_id, (second,), follows=True))
    await run(hands.place_legs, replace(funded(plan), ask=PlaceLegs(plan.trade_id, (first,))))
    await run(hands.place_legs, follow)
    leave = replace(first, attempt=2, purpose=Purpose.EXIT)
    await run(hands.exit_leg, replace(funded(plan), ask=PlaceLegs(plan.trade_id, (leave,))))
    (seen,) = (await run(hands.place_legs, follow)).orders
    assert seen.known == second.size
    assert len(venue.posts) == 3
