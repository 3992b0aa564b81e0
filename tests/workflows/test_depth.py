"""The last look before entering: what refuses a trade, and where the books come from."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from memory_venue import MemoryVenue, now_ms
from temporal_rig import D, make_plan

from activities.depth import DepthCheck, DepthSettings, most_spent, paused
from arbsaga.config import Config
from arbsaga.domain.baskets import BasketKind, Leg, cross
from arbsaga.domain.books import Book, BookRef
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome, Side
from arbsaga.domain.money import Size, Usd
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderView
from arbsaga.errors import VenueError
from arbsaga.ledger import Ledger
from arbsaga.saga.judge import entry_orders
from arbsaga.saga.messages import Patience, Phase, TradePlan
from arbsaga.saga.trade import Trade
from arbsaga.venues.port import Funds
from arbsaga.venues.several import Several

SLOW = Patience(send_by=30_000)


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


@pytest.fixture
def ledger(tmp_path: Path):
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite")
    yield ledger
    ledger.close()


@pytest.fixture
def plan(venue: MemoryVenue) -> TradePlan:
    plan = make_plan(patience=SLOW)
    for leg in plan.basket.legs:
        venue.quote(leg.instrument, "0.41", "0.39")
    return plan


@pytest.fixture
def check(venue: MemoryVenue, ledger: Ledger) -> DepthCheck:
    return DepthCheck(venue, ledger)


async def test_a_sound_plan_passes(check: DepthCheck, plan: TradePlan) -> None:
    """Depth, funds, time and lease are there."""
    assert await check.refusal(plan) == ""


async def test_depth_on_every_leg_for_the_whole_size(check: DepthCheck, plan: TradePlan, venue: MemoryVenue) -> None:
    """Depth at worse prices does not count."""
    venue.quote(plan.basket.legs[1].instrument, "0.42", "0.39")
    assert await check.refusal(plan) == "only 0 YES Celtics at 0.41 now, 12 wanted"


async def test_a_leg_that_the_venue_would_refuse_refuses_the_trade(check: DepthCheck, plan: TradePlan) -> None:
    """Under $1 a marketable buy is refused: its siblings would fill alone."""
    cheap = replace(plan, legs=(replace(plan.legs[0], limit=D("0.08")), plan.legs[1]))
    assert await check.refusal(cheap) == "12 YES Lakers @ 0.08 breaks the venue's tick, size or $ minimum"


async def test_a_crossed_book_is_refused(check: DepthCheck, plan: TradePlan, venue: MemoryVenue) -> None:
    """Torn or stale, whichever: not to be traded on."""
    venue.quote(plan.basket.legs[0].instrument, "0.40", "0.41")
    assert (await check.refusal(plan)).startswith("crossed book")


async def test_a_halt_is_heeded(check: DepthCheck, plan: TradePlan, ledger: Ledger) -> None:
    """The flag is in the ledger, for every process."""
    ledger.halt("drill")
    assert await check.refusal(plan) == "trading is halted: drill"


async def test_too_late_is_refused(check: DepthCheck, plan: TradePlan) -> None:
    """After `send_by` nothing is entered."""
    late = replace(plan, decided_ms=now_ms() - 40_000)
    assert (await check.refusal(late)).startswith("too late: decided 40")


async def test_a_slow_venue_makes_it_too_late(check: DepthCheck, plan: TradePlan, venue: MemoryVenue) -> None:
    """The time is looked at again after the answers."""
    books = venue.books

    async def slow(tokens):
        await asyncio.sleep(0.15)
        return await books(tokens)

    venue.books = slow
    hasty = replace(plan, decided_ms=now_ms(), patience=Patience(send_by=100))
    assert (await check.refusal(hasty)).startswith("too late")


async def test_orders_may_not_outlive_the_lease(check: DepthCheck, plan: TradePlan) -> None:
    """`send_by` must lie before its expiry."""
    short = replace(plan, lease_expires_ms=plan.decided_ms + 29_999)
    assert await check.refusal(short) == "the capital's lease expires before the orders would be sent"


async def test_cash_and_allowance_are_needed(check: DepthCheck, plan: TradePlan, venue: MemoryVenue) -> None:
    """Not enough free cash, or a missing allowance, and nothing is sent."""
    venue.cash_left = Usd(D("9.83"))
    assert await check.refusal(plan) == "only 9.83 USD free at memory, 9.84 wanted"


async def test_a_missing_allowance_is_named(check: DepthCheck, plan: TradePlan, venue: MemoryVenue) -> None:
    """The venue says which."""

    async def funds(buys):
        return Funds(Usd(D(1_000)), "neg-risk exchange")

    venue.funds = funds
    assert await check.refusal(plan) == "allowance missing: neg-risk exchange"


async def test_no_order_may_cost_more_than_was_reserved(check: DepthCheck, plan: TradePlan) -> None:
    """The limit is worst case: every share at its limit, fee included."""
    refusal = await check.refusal(replace(plan, reserved=Usd(D("9.83"))))
    assert refusal == "the orders may cost 9.84 USD, only 9.83 are reserved"


def test_the_worst_case_includes_fees(plan: TradePlan) -> None:
    """As the venue computes them, at the limit."""
    legs = plan.basket.legs
    rules = replace(legs[0].instrument.rules, fee=FeeSchedule(D("0.05")))
    dear = replace(legs[0], instrument=replace(legs[0].instrument, rules=rules))
    with_fee = replace(plan, basket=replace(plan.basket, legs=(dear, *legs[1:])))
    assert most_spent(with_fee) - most_spent(plan) == D("0.14514")


async def test_what_is_sold_must_be_there(check: DepthCheck, plan: TradePlan, venue: MemoryVenue) -> None:
    """A leg that sells needs settled shares."""
    legs = plan.basket.legs
    selling = replace(plan, basket=replace(plan.basket, legs=(Leg(legs[0].instrument, Side.SELL), legs[1])))
    planned = (replace(plan.legs[0], limit=D("0.39")), plan.legs[1])
    refusal = await check.refusal(replace(selling, legs=planned))
    assert refusal == "only 0 Lakers can be sold, 12 wanted"


async def test_funds_are_asked_for_once_and_promises_counted(
    check: DepthCheck, plan: TradePlan, venue: MemoryVenue
) -> None:
    """A second trade at the same time cannot spend the first one's cash."""
    venue.cash_left = Usd(D("15.00"))
    assert await check.refusal(plan) == ""
    assert await check.refusal(plan) == "only 5.16 USD free at memory, 9.84 wanted"
    assert venue.calls.count("funds") == 1


async def test_old_funds_are_renewed_beside_the_trade(venue: MemoryVenue, ledger: Ledger, plan: TradePlan) -> None:
    """The stale answer serves once more; the next trade has the fresh one. A failed renewal changes nothing."""
    check = DepthCheck(venue, ledger, settings=DepthSettings(funds_fresh_ms=-1))
    assert await check.refusal(plan) == ""
    venue.cash_left = Usd(D("20.00"))
    assert await check.refusal(plan) == ""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert venue.calls.count("funds") == 2
    venue.cash_left = Usd(D(1))

    async def down(buys):
        raise VenueError("503")

    venue.funds = down
    assert (await check.refusal(plan)).startswith("only 0.32 USD")  # 20 less what was promised a moment ago


async def test_very_old_funds_are_not_used(venue: MemoryVenue, ledger: Ledger, plan: TradePlan) -> None:
    """Then the trade asks itself."""
    check = DepthCheck(venue, ledger, settings=DepthSettings(funds_usable_ms=-1))
    assert await check.refusal(plan) == ""
    assert await check.refusal(plan) == ""
    assert venue.calls.count("funds") == 2


def live(plan: TradePlan, venue: MemoryVenue, *, generation: int = 0, age_ms: int = 0) -> list[Book]:
    at = now_ms() - age_ms
    tokens = [leg.instrument.token for leg in plan.basket.legs]
    return [Book(token, venue.bids[token], venue.asks[token], generation, at, at) for token in tokens]


async def test_live_books_are_used_where_they_are_fresh(venue: MemoryVenue, ledger: Ledger, plan: TradePlan) -> None:
    """No request is made for what the stream has just proved."""
    check = DepthCheck(venue, ledger, lambda tokens: live(plan, venue))
    assert await check.refusal(plan) == ""
    assert "books" not in venue.calls


@pytest.mark.parametrize("age_ms", [2_500, 60_000])
async def test_stale_live_books_are_asked_for(venue: MemoryVenue, ledger: Ledger, plan: TradePlan, age_ms: int) -> None:
    """Older than the limit: one request for all legs."""
    check = DepthCheck(venue, ledger, lambda tokens: live(plan, venue, age_ms=age_ms))
    assert await check.refusal(plan) == ""
    assert venue.calls.count("books") == 1


async def test_a_missing_live_book_is_asked_for(venue: MemoryVenue, ledger: Ledger, plan: TradePlan) -> None:
    """All legs are read from one answer then: two sources are never mixed."""
    check = DepthCheck(venue, ledger, lambda tokens: live(plan, venue)[:1])
    assert await check.refusal(plan) == ""
    assert venue.calls.count("books") == 1


async def test_a_stream_interrupted_since_the_decision_is_refused(
    venue: MemoryVenue, ledger: Ledger, plan: TradePlan
) -> None:
    """The decision's generation is another one."""
    check = DepthCheck(venue, ledger, lambda tokens: live(plan, venue, generation=1))
    assert await check.refusal(plan) == "the stream of books was interrupted since the decision"
    other = replace(plan, books=(BookRef("another", 5, 0),))
    assert await check.refusal(other) == ""


async def test_a_plan_that_was_entered_is_known(check: DepthCheck, plan: TradePlan, ledger: Ledger) -> None:
    """By its intents, whoever wrote them."""
    assert not await check.entered(plan)
    orders = [(terms, f"0x{terms.leg}") for terms in entry_orders(plan)]
    ledger.intend(orders, account="a", workflow_id="w", lease_id="l")
    assert await check.entered(plan)


def test_unset_limits_are_those_of_the_configuration() -> None:
    """Two defaults of one setting would judge one trade differently."""
    scan = Config().scan
    settings = DepthSettings()
    assert settings.max_cross_skew_ms == scan.max_cross_skew_ms


def test_money_is_decimal(plan: TradePlan) -> None:
    """No float on the way to the worst case."""
    assert isinstance(most_spent(plan), Decimal)


# Two venues: money by pocket, pauses and netted positions by venue, books each with its own age.

HERE = Instrument("polymarket", "0xabc", "111", "222", Outcome.YES, "Rain", MarketRules(D("0.01")))
THERE = Instrument(
    "kalshi",
    "KXRAIN",
    "kalshi:KXRAIN:NO",
    "kalshi:KXRAIN:YES",
    Outcome.NO,
    "Rain",
    MarketRules(D("0.01"), min_size=D("0.01"), min_notional=D(0), nets=True, pocket="2"),
)


@pytest.fixture
def there() -> MemoryVenue:
    return MemoryVenue()


@pytest.fixture
def both(venue: MemoryVenue, there: MemoryVenue) -> Several:
    return Several({"polymarket": venue, "kalshi": there})


@pytest.fixture
def pair(venue: MemoryVenue, there: MemoryVenue) -> TradePlan:
    """12 YES here at 0.41, 12 NO there at 0.41."""
    venue.quote(HERE, "0.41", "0.39")
    there.quote(THERE, "0.41", "0.39")
    plan = make_plan(patience=SLOW)
    return replace(plan, basket=cross("rain", "Will it rain?", BasketKind.IDENTITY, HERE, THERE), books=())


async def test_a_pair_passes_when_both_venues_agree(both: Several, ledger: Ledger, pair: TradePlan) -> None:
    assert await DepthCheck(both, ledger).refusal(pair) == ""


async def test_each_pocket_must_hold_what_its_own_buys_cost(
    both: Several, ledger: Ledger, pair: TradePlan, there: MemoryVenue
) -> None:
    """9.84 USD in all are no help where the venue's shard has 3."""
    there.cash_left = Usd(D("3.00"))
    refusal = await DepthCheck(both, ledger).refusal(pair)
    assert refusal == "only 3.00 USD free at kalshi, shard 2, 4.92 wanted: move collateral to that shard"


async def test_a_shard_without_collateral_is_no_missing_allowance(
    both: Several, ledger: Ledger, pair: TradePlan, there: MemoryVenue
) -> None:
    """The same words as where there is too little."""

    async def funds(buys):
        return Funds(Usd(D(0)), "exchange_index 2 has no collateral (9 USD is on other shards): transfer some to it")

    there.funds = funds
    refusal = await DepthCheck(both, ledger).refusal(pair)
    assert refusal == "only 0.00 USD free at kalshi, shard 2, 4.92 wanted: move collateral to that shard"


async def test_what_was_promised_counts_in_its_own_pocket(
    both: Several, ledger: Ledger, pair: TradePlan, venue: MemoryVenue, there: MemoryVenue
) -> None:
    venue.cash_left, there.cash_left = Usd(D("100")), Usd(D("9.00"))
    check = DepthCheck(both, ledger)
    assert await check.refusal(pair) == ""
    refusal = await check.refusal(pair)
    assert refusal == "only 4.08 USD free at kalshi, shard 2, 4.92 wanted: move collateral to that shard"
    assert venue.calls.count("funds") == there.calls.count("funds") == 1


async def test_a_venue_that_is_paused_refuses_the_pair(
    both: Several, ledger: Ledger, pair: TradePlan, there: MemoryVenue
) -> None:
    """Refused before any order: the other leg would stand alone."""
    there.barring = "maintenance until 05:00 ET"
    assert await DepthCheck(both, ledger).refusal(pair) == "kalshi is paused: maintenance until 05:00 ET"
    assert paused("polymarket", "Polymarket restarts: 9 s to go") == "Polymarket restarts: 9 s to go"


async def test_a_dead_venue_refuses_the_pair(
    both: Several, ledger: Ledger, pair: TradePlan, there: MemoryVenue
) -> None:
    there.down = "connection refused"
    assert await DepthCheck(both, ledger).refusal(pair) == "the venue cannot be asked: connection refused"


async def test_a_netting_venue_is_not_entered_against_what_is_held(
    both: Several, ledger: Ledger, pair: TradePlan
) -> None:
    """Buying NO there would sell the YES that another trade counts on."""
    ledger.open_account(pair.account, "kalshi", Usd(D(100)))
    ledger.record(bought(pair.account, THERE.other()))
    refusal = await DepthCheck(both, ledger).refusal(pair)
    assert refusal == "holds the other side of KXRAIN: buying this would close it"


async def test_a_netting_venue_is_not_entered_against_another_trade_in_flight(
    both: Several, ledger: Ledger, pair: TradePlan
) -> None:
    """No position of it is recorded yet, but its order is written down, and may be filled."""
    yes = replace(entry_orders(pair)[1], trade_id="T-other", instrument=THERE.other())
    ledger.intend([(yes, "k9")], account=pair.account, workflow_id="w", lease_id="l")
    refusal = await DepthCheck(both, ledger).refusal(pair)
    assert refusal == "trade T-other is on the other side of KXRAIN: buying this would close it"


async def test_a_plan_that_buys_both_outcomes_where_they_net_is_refused(
    both: Several, ledger: Ledger, pair: TradePlan
) -> None:
    basket = replace(pair.basket, legs=(Leg(THERE.other()), Leg(THERE)))
    refusal = await DepthCheck(both, ledger).refusal(replace(pair, basket=basket))
    assert refusal == "YES and NO of KXRAIN cancel each other out at kalshi: buy one of them"


async def test_the_same_side_and_another_venues_other_side_may_be_held(
    both: Several, ledger: Ledger, pair: TradePlan
) -> None:
    for of in (THERE, HERE.other()):
        ledger.record(bought(pair.account, of))
    assert await DepthCheck(both, ledger).refusal(pair) == ""


def bought(account: str, of: Instrument):
    """A trade that has bought 5 of it, and 5 of something else."""
    plan = replace(make_plan(), account=account)
    legs = (Leg(of), plan.basket.legs[1])
    plan = replace(plan, basket=replace(plan.basket, legs=legs))
    entry = entry_orders(plan)[0]
    fill = Fill("f1", Size(D(5)), entry.limit, Usd(D(0)), FillStatus.CONFIRMED, now_ms())
    view = OrderView(entry, f"id-{of.token}", OrderState.DONE, (fill,), Size(D(5)))
    return Trade(plan, (view,)).record(Phase.FLAT, "", now_ms())


async def test_live_books_are_judged_by_their_own_venues_age(
    both: Several, ledger: Ledger, pair: TradePlan, venue: MemoryVenue, there: MemoryVenue
) -> None:
    """A venue that proves its books slowly may be older, and the two may lie further apart than one venue's."""
    settings = DepthSettings(max_age_by_venue={"kalshi": 9_000}, max_cross_skew_ms=10_000)

    def live_books(age_ms: int) -> list[Book]:
        at = now_ms()
        return [
            Book("111", venue.bids["111"], venue.asks["111"], 0, at, at),
            Book(THERE.token, there.bids[THERE.token], there.asks[THERE.token], 0, at - age_ms, at - age_ms),
        ]

    check = DepthCheck(both, ledger, lambda tokens: live_books(5_000), settings)
    assert await check.refusal(pair) == ""
    assert venue.calls.count("books") == there.calls.count("books") == 0
    check = DepthCheck(both, ledger, lambda tokens: live_books(5_000), replace(settings, max_cross_skew_ms=4_000))
    assert await check.refusal(pair) == ""
    assert venue.calls.count("books") == there.calls.count("books") == 1, "torn: both are asked for"


async def test_a_plan_whose_second_leg_went_first_is_known_by_it(
    ledger: Ledger, both: Several, pair: TradePlan
) -> None:
    first = replace(pair, first=(1,))
    ledger.intend([(entry_orders(pair)[1], "k1")], account="a", workflow_id="w", lease_id="l")
    assert await DepthCheck(both, ledger).entered(first)
    assert not await DepthCheck(both, ledger).entered(pair)


async def test_a_leg_that_sells_needs_no_money(both: Several, ledger: Ledger, pair: TradePlan) -> None:
    """And is not against a position on the other side."""
    legs = tuple(replace(leg, side=Side.SELL) for leg in pair.basket.legs)
    selling = replace(pair, basket=replace(pair.basket, legs=legs))
    assert most_spent(selling) == 0
