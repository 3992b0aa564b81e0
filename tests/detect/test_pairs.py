"""Pairs of markets: what is watched of them, what it may cost, and what the scanner makes of it."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest

from arbsaga.detect import BasketSettings, Scanner, ScanSettings, StreamSettings, WatchedPair
from arbsaga.detect.index import BasketIndex, watches_of
from arbsaga.detect.pairs import pair_watches
from arbsaga.domain.baskets import BasketKind
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome
from arbsaga.domain.money import Size, Usd
from arbsaga.domain.pricing import Gates, NoTrade, Quote
from arbsaga.errors import VenueError
from arbsaga.saga.messages import Phase
from arbsaga.venues.port import MarketListing

from .make import FakeVenue, event, follow, market, scanner, show, until

BOTH = ((Outcome.YES, Outcome.NO), (Outcome.NO, Outcome.YES))
KALSHI = MarketRules(
    Decimal("0.01"),
    Size(Decimal("0.01")),
    min_notional=Usd(Decimal(0)),
    fee=FeeSchedule(Decimal("0.07"), step=Decimal("0.000001"), rounding=Usd(Decimal("0.01"))),
    nets=True,
    pocket="0",
)


def poly(name: str = "p", *, open_: bool = True) -> MarketListing:
    return market(name, open_=open_)


def kalshi(name: str = "K", *, open_: bool = True) -> MarketListing:
    tokens = f"kalshi:{name}:YES", f"kalshi:{name}:NO"
    yes = Instrument("kalshi", name, *tokens, Outcome.YES, f"{name} happens", KALSHI)
    return MarketListing(yes, yes.other(), open_)


def pair(a=None, b=None, *, name="rates", cap="1000", combos=BOTH, kind=BasketKind.IDENTITY) -> WatchedPair:
    return WatchedPair(name, "Rates", a or poly(), b or kalshi(), combos, kind, Usd(Decimal(cap)))


def paired(*pairs: WatchedPair, listings=(), **more):
    """A scanner that watches these pairs: (scanner, its opportunities, its clock)."""
    scan, found, clock = scanner(listings, **more)
    scan.watch_pairs(pairs or [pair()])
    follow(scan)
    return scan, found, clock


def cheap(scan, clock, *tokens: str, price="0.40", size="100"):
    for token in tokens:
        show(scan.books, token, asks=[(price, size)], received_ns=clock.now_ns())


# --- which baskets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "baskets"),
    [
        (pair(), {"cross:rates:a": ["p-yes", "kalshi:K:NO"], "cross:rates:b": ["p-no", "kalshi:K:YES"]}),
        (pair(combos=BOTH[1:], kind=BasketKind.NESTED), {"cross:rates:b": ["p-no", "kalshi:K:YES"]}),
        (pair(combos=((Outcome.YES,) * 2,)), {"cross:rates:a": ["p-yes", "kalshi:K:YES"]}),
        (pair(poly(open_=False)), {}),
        (pair(b=kalshi(open_=False)), {}),
    ],
)
def test_a_pair_has_the_baskets_that_its_relation_allows_while_both_markets_are_open(given, baskets):
    """Two directions for the same question, one for nested questions; a closed market is no leg."""
    watches = pair_watches(given, Gates())
    assert {watch.key: list(watch.tokens) for watch in watches} == baskets
    assert {watch.basket.kind for watch in watches} <= {given.kind}
    assert {watch.event for watch in watches} <= {"pairs/rates"}


def test_a_direction_given_twice_is_a_mistake():
    """YES here with both outcomes there is no guarantee."""
    with pytest.raises(AssertionError):
        pair_watches(pair(combos=((Outcome.YES, Outcome.NO), (Outcome.YES, Outcome.YES))), Gates())


def test_both_outcomes_of_a_netting_market_are_no_basket():
    """The second order would sell what the first one bought."""
    listing = event("e", [kalshi("K"), kalshi("L"), poly()], neg_risk=False)
    watches = watches_of(listing, Gates(), BasketSettings(complement=True))
    assert [watch.key for watch in watches] == ["pair:p"]


def priced(cap: str, budget="1000", *asks: tuple[str, str]) -> Quote | NoTrade:
    scan, _, clock = scanner()
    (watch,) = pair_watches(pair(cap=cap, combos=BOTH[:1]), Gates(budget=Usd(Decimal(budget))))
    scan.books.follow(dict.fromkeys(watch.tokens, "m"))
    for token in watch.tokens:
        show(scan.books, token, asks=asks or [("0.40", "100")], received_ns=clock.now_ns())
    return watch.price(scan.books.book)


@pytest.mark.parametrize(("cap", "budget", "most"), [("30", "1000", 30), ("1000", "30", 30), ("20", "30", 20)])
def test_a_pair_is_bought_within_its_cap_and_the_budget(cap, budget, most):
    """Whichever is less, fees included."""
    quote = priced(cap, budget)
    assert isinstance(quote, Quote)
    assert most - 1 < quote.cost + quote.fees <= most


def test_the_cap_holds_even_if_every_share_costs_its_limit():
    """A book that moves between decision and fill must not lift a pair over its cap."""
    quote = priced("60", "1000", ("0.30", "50"), ("0.45", "100"))
    assert isinstance(quote, Quote)
    assert {leg.limit for leg in quote.legs} == {Decimal("0.45")}
    assert Decimal(58) < sum(leg.size * leg.limit for leg in quote.legs) < 60


@pytest.mark.parametrize(
    ("cap", "said"),
    [
        ("0", "pair cap: nothing is left of it"),
        ("-5", "pair cap: nothing is left of it"),
        ("3", "minimum: "),
    ],
)
def test_a_used_up_cap_is_named(cap, said):
    """In a trader's words; a cap under the smallest order is the venue's minimum."""
    refused = priced(cap)
    assert isinstance(refused, NoTrade)
    assert refused.reason.startswith(said)


def test_a_cap_that_the_worst_case_would_break_is_named():
    """The minimum of 5 shares fits at the best prices, not at the limits."""
    refused = priced("4", "1000", ("0.20", "4"), ("0.45", "100"))
    assert isinstance(refused, NoTrade)
    assert refused.reason == "pair cap: 4 USD left are too few"


# --- the index ---------------------------------------------------------------------------------------------


def test_a_pairs_tokens_are_streamed_by_venue_and_with_their_own_event_where_it_has_them():
    """One token is in one group only, or two streams would feed one book."""
    index = BasketIndex(Gates(), BasketSettings())
    index.refresh_pairs([pair(poly("ea")), pair(poly("q"), kalshi("L"), name="other")])
    index.refresh([event("e", "ab", exhaustive=False)])
    assert index.tokens() == {
        "venue": [{"ea-no": "ea", "eb-no": "eb"}, {"ea-yes": "ea"}, {"q-yes": "q", "q-no": "q"}],
        "kalshi": [
            {"kalshi:K:NO": "K", "kalshi:K:YES": "K"},
            {"kalshi:L:NO": "L", "kalshi:L:YES": "L"},
        ],
    }


def test_pairs_come_and_go_beside_the_events():
    """What stays the same keeps its watches; neither list touches the other's."""
    index = BasketIndex(Gates(), BasketSettings())
    index.refresh([event("e", "ab")])
    first = index.refresh_pairs([pair(), pair(name="other", b=kalshi("L"))])
    assert [watch.key for watch in first] == [f"cross:{name}:{way}" for name in ("rates", "other") for way in "ab"]
    changed = pair(name="other", b=kalshi("L"), cap="5")
    assert [watch.key for watch in index.refresh_pairs([pair(), changed])] == ["cross:other:a", "cross:other:b"]
    assert index.watches[2:4] == first[:2]
    index.refresh([])
    assert [watch.event for watch in index.watches] == ["pairs/rates"] * 2 + ["pairs/other"] * 2
    index.refresh_pairs([])
    assert (index.watches, index.touched("p-yes"), index.pair_tokens()) == ([], (), set())


@pytest.mark.parametrize("closed", ["p", "K"])
def test_a_closed_market_voids_its_pair_until_it_is_told_again(closed):
    """On either side."""
    index = BasketIndex(Gates(), BasketSettings())
    index.refresh_pairs([pair()])
    index.retire("another")
    assert len(index.watches) == 2
    index.retire(closed)
    assert index.watches == []
    assert len(index.refresh_pairs([pair()])) == 2


def test_two_pairs_of_one_name_are_a_mistake():
    """One would hide the other."""
    with pytest.raises(AssertionError):
        BasketIndex(Gates(), BasketSettings()).refresh_pairs([pair(), pair(cap="5")])


# --- the scanner -------------------------------------------------------------------------------------------


def test_an_opportunity_between_venues_is_offered_in_the_frame_that_completes_it():
    """YES at one venue and NO at the other, with both venues' fees."""
    scan, found, clock = paired()
    cheap(scan, clock, "p-yes")
    assert found == []
    cheap(scan, clock, "kalshi:K:NO")
    (one,) = found
    assert one.quote.basket.key == "cross:rates:a"
    assert [leg.leg.instrument.venue for leg in one.quote.legs] == ["venue", "kalshi"]
    assert one.quote.fees == one.quote.legs[1].fee > 0 == one.quote.legs[0].fee
    assert [ref.token for ref in one.books] == ["p-yes", "kalshi:K:NO"]


def test_a_pair_and_its_event_are_watched_side_by_side():
    """The pair's leg is in the event's own stream; both baskets hear its frames."""
    scan, found, clock = paired(pair(poly("ea")), listings=[event("e", "abc")])
    cheap(scan, clock, "kalshi:K:NO", "eb-yes", price="0.50")
    cheap(scan, clock, "ea-yes")
    assert [one.quote.basket.key for one in found] == ["cross:rates:a"]
    assert scan.stats()["baskets"] == 4


def test_a_pair_told_while_its_books_are_live_knows_their_prices():
    """Approved while the market is watched for its event already."""
    scan, found, clock = paired(pair(name="other"), start=False)
    cheap(scan, clock, "p-yes", "kalshi:K:NO")
    scan.watch_pairs([pair()])
    found.clear()
    scan.sweep()
    assert [one.quote.basket.key for one in found] == ["cross:rates:a"]


def test_a_pair_whose_cap_is_used_up_is_watched_but_not_offered():
    """Its streams go on, so that it is there when the cap is free again."""
    scan, found, clock = paired(pair(cap="0"))
    before = scan._index.tokens()
    cheap(scan, clock, "p-yes", "kalshi:K:NO")
    assert (found, dict(scan.counters.refused)) == ([], {"pair cap": 1})
    scan._list_now.clear()
    scan.watch_pairs([pair(cap="50")])
    scan.sweep()
    assert len(found) == 1
    assert (scan._index.tokens(), scan._list_now.is_set()) == (before, False)


def test_the_other_outcome_of_a_netting_market_waits_for_the_trade_to_end():
    """Another pair's leg on the same market would close the first one's."""
    other = pair(poly("q"), name="other")
    scan, found, clock = paired(pair(), other)
    cheap(scan, clock, "p-yes", "kalshi:K:NO")
    cheap(scan, clock, "q-no", "kalshi:K:YES")
    assert [one.quote.basket.key for one in found] == ["cross:rates:a"]
    assert scan.counters.refused["other side in use"] >= 1
    scan.ended("cross:rates:a", Phase.COMMITTED)
    scan.watch_pairs([other])
    scan.sweep()
    assert [one.quote.basket.key for one in found] == ["cross:rates:a", "cross:other:b"]


def test_two_found_in_one_pass_do_not_take_both_sides_of_a_netting_market():
    """What was admitted a moment ago counts before the next is offered."""
    scan, found, clock = paired(pair(), pair(poly("q"), name="other"), start=False)
    cheap(scan, clock, "p-yes", "kalshi:K:NO", "q-no", "kalshi:K:YES")
    found.clear()
    scan._offer_to = lambda one: found.append(one) or True
    scan.sweep()
    assert len(found) == 1
    assert scan.counters.refused["other side in use"] == 1


def test_a_pair_told_anew_by_a_trade_that_starts_is_not_offered_by_what_it_was():
    """Both directions are found in one pass; the first trade uses the cap up before the second is offered."""
    scan, found, clock = paired(pair(b=poly("q")), start=False)
    cheap(scan, clock, "p-yes", "q-no", "p-no", "q-yes")
    found.clear()

    def start(one) -> bool:
        found.append(one)
        scan.watch_pairs([pair(b=poly("q"), cap="0")])
        return True

    scan._offer_to = start
    scan.sweep()
    assert len(found) == 1
    scan.sweep()
    assert len(found) == 1
    assert scan.counters.refused == {"in flight": 1, "pair cap": 1}


# --- belief ------------------------------------------------------------------------------------------------

LIMITS = ScanSettings(max_age_ms_by_venue={"kalshi": 8_000}, max_cross_skew_ms=5_000)


@pytest.mark.parametrize(
    ("kalshi_age", "poly_age", "refused"),
    [(4_900, 0, {}), (5_100, 0, {"torn read": 1}), (6_500, 1_900, {}), (8_100, 1_900, {"stale book": 1})],
)
def test_each_leg_is_believed_by_its_own_venues_limits(kalshi_age, poly_age, refused):
    """A venue that proves its books less often may be older, but not far from its sibling."""
    scan, found, clock = paired(settings=LIMITS, start=False)
    cheap(scan, clock, "kalshi:K:NO")
    clock.ms += kalshi_age - poly_age
    scan.books.snapshot("p-yes", {}, {Decimal("0.40"): Decimal(100)}, 1)
    scan.books.commit(clock.now_ns(), [])
    scan.books._books["p-yes"].stream.proved_ns = clock.now_ns()
    for watch in scan._index.watches:
        watch.move(0, scan.books.ask(watch.tokens[0]))
    clock.ms += poly_age
    scan.sweep()
    assert (len(found), dict(scan.counters.refused)) == (0 if refused else 1, refused)


# --- running -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def running(venue: FakeVenue, **more):
    found = []
    settings = ScanSettings(discovery_ms=60_000, streams=StreamSettings(tend_ms=5), **more)
    scan = Scanner(venue, settings, lambda one: found.append(one) or True)
    venue.clock_ns = scan._now_ns
    task = asyncio.create_task(scan.run())
    try:
        yield scan, found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


SHOWN = dict.fromkeys(("p-yes", "kalshi:K:NO"), ((("0.40", "100"),), ()))


async def test_a_pair_is_subscribed_at_once_each_venue_on_a_stream_of_its_own():
    """Long before the next discovery, and unsubscribed when it goes."""
    venue = FakeVenue(shown=SHOWN)
    async with running(venue) as (scan, found):
        await until(lambda: venue.listed == 1)
        scan.watch_pairs([pair()])
        await until(lambda: found)
        assert sorted(venue.running) == [("kalshi:K:NO", "kalshi:K:YES"), ("p-yes", "p-no")]
        scan.watch_pairs([])
        await until(lambda: not venue.running)


async def test_a_pair_is_subscribed_although_the_events_cannot_be_listed():
    """A venue that lists nothing for the moment does not keep the pairs waiting."""
    venue = FakeVenue(shown=SHOWN)
    async with running(venue) as (scan, found):
        await until(lambda: venue.listed == 1)
        venue.fails.append(VenueError("bad gateway"))
        scan.watch_pairs([pair()])
        await until(lambda: found)
        assert scan.counters.failed_discoveries == 1


def test_a_changed_rule_builds_the_pair_anew():
    """Another tick or fee is another listing."""
    scan, _, _ = paired()
    before = scan._index.watches
    listing = kalshi()
    yes = replace(listing.yes, rules=replace(listing.yes.rules, tick=Decimal("0.001")))
    scan.watch_pairs([pair(b=MarketListing(yes, yes.other(), True))])
    assert not {id(watch) for watch in before} & {id(watch) for watch in scan._index.watches}
