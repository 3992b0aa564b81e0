"""The scanner: what it offers, when, and what it leaves alone."""

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from arbsaga.detect import AdmissionSettings, BasketSettings, Scanner, ScanSettings, StreamSettings
from arbsaga.domain.instruments import Side
from arbsaga.domain.pricing import Gates
from arbsaga.errors import VenueError
from arbsaga.saga.messages import Phase

from .make import FakeVenue, event, market, move, prices, scanner, show, until

CHEAP, FAIR = (("0.30", "100"),), (("0.34", "100"),)
QUICK = ScanSettings(discovery_ms=20, streams=StreamSettings(tend_ms=5, max_tokens=6))


def cheap(scan, clock, name="e", price="0.30", markets="abc"):
    """Every YES of the event at this price, the last leg in the deciding frame."""
    for one in markets:
        show(scan.books, f"{name}{one}-yes", asks=[(price, "100")], received_ns=clock.now_ns())


# --- what is offered -------------------------------------------------------------------------------------


def test_an_underpriced_event_is_offered_in_the_frame_that_completes_it():
    """With the time its bytes came in, and the books that it rests on."""
    scan, found, clock = scanner([event("e", "abc")])
    cheap(scan, clock, markets="ab")
    assert found == []
    show(scan.books, "ec-yes", asks=[("0.30", "100")], time_ms=77, received_ns=clock.now_ns() - 5)
    (one,) = found
    assert (one.quote.basket.key, one.quote.edge, one.decided_ns) == ("yes:e", Decimal("10"), clock.now_ns() - 5)
    assert one.decided_ms == clock.ms
    assert [(ref.token, ref.time_ms) for ref in one.books] == [("ea-yes", 1), ("eb-yes", 1), ("ec-yes", 77)]
    assert {ref.generation for ref in one.books} == {scan.books.book("ea-yes").generation}


def test_an_overbought_event_is_offered_as_its_nos():
    """The YES bids sum to more than 1: the NOs cost less than they pay."""
    scan, found, clock = scanner([event("e", "abc", exhaustive=False)])
    for one in "abc":
        show(scan.books, f"e{one}-no", asks=[("0.60", "100")], received_ns=clock.now_ns())
    assert [one.quote.basket.key for one in found] == ["no:e"]
    assert found[0].quote.payout == 2 * found[0].quote.size


def test_a_fair_event_is_not_even_priced():
    """The best prices say enough."""
    scan, found, clock = scanner([event("e", "abc")])
    cheap(scan, clock, price="0.34")
    assert (found, scan.counters.decisions) == ([], 0)


def test_only_baskets_that_a_frame_touched_are_priced():
    """Another event's opportunity, tried before, is left to its own frames and to the next pass."""
    scan, found, clock = scanner([event("e", "abc"), event("f", "abc")], start=False)
    cheap(scan, clock)
    before = scan.counters.decisions
    show(scan.books, "fa-yes", asks=[("0.20", "5")], received_ns=clock.now_ns())
    assert (len(found), scan.counters.decisions) == (1, before)


def test_an_opportunity_can_come_of_depth_alone():
    """The best prices stay as they are and the third leg gets deep enough."""
    scan, found, clock = scanner([event("e", "abc")])
    cheap(scan, clock, markets="ab")
    show(scan.books, "ec-yes", asks=[("0.30", "9")], received_ns=clock.now_ns())
    assert found == []
    move(scan.books, "ec-yes", Side.SELL, "0.30", "10")
    scan.books.commit(clock.now_ns(), ["ec-yes"])
    assert [one.quote.size for one in found] == [10]


# --- budget, in flight, cooldown, passes -------------------------------------------------------------------


def test_without_budget_it_waits_quietly_and_tries_again_at_a_change_and_at_a_pass():
    """The callback's False is no refused trade: no cooldown, no count of refusals."""
    scan, found, clock = scanner([event("e", "abc")], start=False)
    cheap(scan, clock)
    move(scan.books, "ea-yes", Side.SELL, "0.31", "50")
    scan.books.commit(clock.now_ns(), ["ea-yes"])
    scan.sweep()
    assert len(found) == 3 == scan.counters.waiting
    assert scan.counters.started == 0 == scan.counters.refused["in flight"]
    assert found[-1].decided_ns == clock.now_ns()


def test_a_started_basket_is_in_flight_until_it_ends():
    """Not offered again by any frame or pass; afterwards at the next one."""
    scan, found, clock = scanner([event("e", "abc")])
    cheap(scan, clock)
    scan.sweep()
    scan.books.commit(clock.now_ns(), ["ea-yes"])
    assert len(found) == 1
    assert scan.stats()["in_flight"] == 1
    scan.ended("yes:e", Phase.COMMITTED)
    scan.books.commit(clock.now_ns(), ["ea-yes"])
    assert len(found) == 2


def test_a_basket_resumed_after_a_restart_is_in_flight():
    """The trader tells which trades are still open."""
    scan, found, clock = scanner([event("e", "abc")])
    scan.resumed("yes:e", ["ea-yes", "eb-yes", "ec-yes"])
    cheap(scan, clock)
    assert found == []


def test_a_failed_basket_rests_and_is_tried_at_the_first_pass_afterwards():
    """Though no frame touches it meanwhile; its stream must have proved its books, though."""
    scan, found, clock = scanner([event("e", "abc")])
    cheap(scan, clock)
    scan.ended("yes:e", Phase.REFUSED)
    for _ in range(2):
        clock.ms += 9_999
        scan.books.commit(clock.now_ns(), ["ea-no"])
        scan.sweep()
    assert len(found) == 2
    assert scan.counters.refused == {"cooling down": 1}


def test_failures_of_long_ago_are_forgotten_by_a_pass():
    """Events come and go for months: what is kept of their baskets must not pile up."""
    scan, _, clock = scanner([event("e", "abc")])
    scan.ended("yes:e", Phase.REFUSED)
    clock.ms += 3_600_000
    scan.sweep()
    assert scan._admission._records == {}


def test_the_best_edge_goes_first_and_a_pass_starts_no_more_than_its_limit():
    """Five at once, three per pass: the three best; the next best when the pass is over."""
    scan, found, clock = scanner([event(name, "ab") for name in "defgh"], ScanSettings(), start=False)
    for name, price in zip("defgh", ("0.47", "0.40", "0.45", "0.42", "0.46"), strict=True):
        cheap(scan, clock, name, price, "ab")
    found.clear()
    scan._offer_to = lambda one: found.append(one) or True
    scan.sweep()
    assert [one.quote.basket.key for one in found] == ["yes:e", "yes:g", "yes:f"]
    clock.ms += 3_000
    scan.books.commit(clock.now_ns(), [f"{name}{one}-no" for name in "defgh" for one in "ab"])
    scan.sweep()
    assert [one.quote.basket.key for one in found[3:]] == ["yes:h", "yes:d"]
    assert scan.counters.refused["pass limit"] == 2


def test_two_baskets_do_not_take_from_the_same_book_at_once():
    """A pair shares its YES with the event's basket: only the better one is started."""
    settings = ScanSettings(baskets=BasketSettings(complement=True))
    scan, found, clock = scanner([event("e", "abc")], settings)
    show(scan.books, "ea-no", asks=[("0.60", "100")], received_ns=clock.now_ns())
    for one in "bc":
        show(scan.books, f"e{one}-yes", asks=[("0.30", "100")], received_ns=clock.now_ns())
    show(scan.books, "ea-yes", asks=[("0.30", "100")], received_ns=clock.now_ns())
    assert len(found) == 1
    assert found[0].quote.basket.key in {"yes:e", "pair:ea"}
    assert scan.counters.refused["token in use"] == 1


# --- belief ------------------------------------------------------------------------------------------------


def refused(scan):
    return dict(scan.counters.refused)


def test_a_stale_set_of_books_is_refused():
    """No frame of the stream for longer than the limit: an opportunity that stands is not believed."""
    scan, found, clock = scanner([event("e", "abc")], start=False)
    cheap(scan, clock)
    found.clear()
    clock.ms += 2_001
    scan.sweep()
    assert (found, refused(scan)) == ([], {"stale book": 1})
    scan.books.commit(clock.now_ns(), ["eb-no"])
    scan.sweep()
    assert len(found) == 1


def test_a_torn_read_is_refused():
    """Legs on two streams that were proved further apart than the limit do not belong together."""
    scan, found, clock = scanner([event("e", "abc")])
    scan.books.follow({"ec-yes": "ec"})
    cheap(scan, clock, markets="ab")
    clock.ms += 501
    show(scan.books, "ec-yes", asks=CHEAP, received_ns=clock.now_ns())
    assert (found, refused(scan)) == ([], {"torn read": 1})
    scan.books.commit(clock.now_ns(), ["ea-no"])
    scan.sweep()
    assert len(found) == 1


def test_a_crossed_book_is_refused():
    """It is torn or stale, however cheap it looks."""
    scan, found, clock = scanner([event("e", "abc")])
    cheap(scan, clock, markets="ab")
    show(scan.books, "ec-yes", asks=CHEAP, bids=[("0.31", "5")], received_ns=clock.now_ns())
    assert (found, refused(scan)) == ([], {"crossed book": 1})


def test_a_leg_without_a_believed_book_is_refused_and_counted_once():
    """Not once per frame: the view would drown."""
    scan, found, clock = scanner([event("e", "abc")], start=False)
    cheap(scan, clock)
    scan.books.gap(["eb-yes"], "reconnected")
    found.clear()
    for _ in range(5):
        scan.books.commit(clock.now_ns(), ["ea-yes"])
    assert (found, refused(scan)) == ([], {"no book": 1})
    show(scan.books, "eb-yes", asks=CHEAP, received_ns=clock.now_ns())
    scan.books.gap(["eb-yes"], "reconnected")
    scan.books.commit(clock.now_ns(), ["ea-yes"])
    assert (len(found), refused(scan)) == (1, {"no book": 2})


def test_a_best_price_that_is_not_the_venues_stops_the_basket_in_its_own_frame():
    """The frame that shows a missed message decides nothing."""
    scan, found, clock = scanner([event("e", "abc")])
    cheap(scan, clock, markets="ab")
    scan.books.snapshot("ec-yes", {}, prices(*CHEAP), 1)
    scan.books.best("ec-yes", None, Decimal("0.35"))
    scan.books.commit(clock.now_ns(), ["ec-yes"])
    assert found == []
    assert scan.counters.caught == 1


def test_a_closed_market_voids_its_events_baskets_at_once():
    """Until the events are listed anew, which is asked for."""
    scan, found, clock = scanner([event("e", "abc")])
    cheap(scan, clock, markets="ab")
    scan.books.closed("ea")
    show(scan.books, "ec-yes", asks=CHEAP, received_ns=clock.now_ns())
    scan.sweep()
    assert found == []
    assert scan.stats()["baskets"] == 0
    assert scan._list_now.is_set()


def test_new_baskets_know_the_prices_of_books_that_are_live_already():
    """An event that changed is built anew without waiting for its books to move."""
    scan, found, clock = scanner([event("e", "abc")], start=False)
    cheap(scan, clock)
    scan.take([event("e", [market("ea"), market("eb"), market("ec", rate="0.01")])])
    found.clear()
    scan.sweep()
    assert len(found) == 1


# --- running -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def running(venue, settings=QUICK, start=True):
    found = []
    scan = Scanner(venue, settings, lambda one: found.append(one) or start)
    venue.clock_ns = scan._now_ns
    task = asyncio.create_task(scan.run())
    try:
        yield scan, found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert venue.running == []


def shown(*names, asks=CHEAP):
    return {f"{name}-{side}": (asks if side == "yes" else (), ()) for name in names for side in ("yes", "no")}


async def test_it_discovers_subscribes_and_finds():
    """From nothing to an opportunity, with the venue's events and streams alone."""
    venue = FakeVenue([event("e", "abc")], shown("ea", "eb", "ec"))
    async with running(venue) as (scan, found):
        await until(lambda: found)
        stats = scan.stats()
    assert found[0].quote.basket.key == "yes:e"
    assert (stats["events"], stats["baskets"], stats["books"], stats["streams"], stats["started"]) == (1, 2, 6, 1, 1)
    assert all(isinstance(value, int) for value in stats.values())


async def test_subscriptions_follow_new_and_resolved_events():
    """Events open and resolve every few seconds; a venue that does not answer in between changes nothing."""
    venue = FakeVenue([event("e", "abc")], shown("ea", "eb", "ec", "fa", "fb", "fc", asks=FAIR))
    async with running(venue) as (scan, _):
        await until(lambda: scan.stats()["books"] == 6)
        venue.fails += [VenueError("bad gateway")] * 2
        await until(lambda: scan.counters.failed_discoveries == 2)
        assert scan.stats()["books"] == 6
        venue.listings.append(event("f", "abc"))
        await until(lambda: scan.stats()["books"] == 12)
        venue.listings.pop(0)
        await until(lambda: scan.stats()["books"] == 6)
        assert [tokens[0] for tokens in venue.running] == ["fa-yes"]
        venue.listings.clear()
        await until(lambda: not venue.running)


async def test_a_closed_market_is_looked_up_soon():
    """Long before the next discovery is due."""
    venue = FakeVenue([event("e", "abc")], shown("ea", "eb", "ec", asks=FAIR))
    async with running(venue, ScanSettings(discovery_ms=60_000)) as (scan, _):
        await until(lambda: scan.stats()["books"] == 6)
        venue.listings = [event("e", [market("ea", open_=False), market("eb"), market("ec")])]
        scan.books.closed("ea")
        await until(lambda: [watch.key for watch in scan._index.watches] == ["no:e"])
        assert venue.listed == 2


async def test_a_pass_comes_by_itself():
    """What waited for budget is tried again though nothing moves."""
    venue = FakeVenue([event("e", "abc")], shown("ea", "eb", "ec"))
    settings = ScanSettings(admission=AdmissionSettings(pass_ms=20))
    async with running(venue, settings, start=False) as (_, found):
        await until(lambda: len(found) >= 3)


async def test_a_mistake_of_the_listener_is_not_swallowed():
    """It ends the scanner, loudly: nobody would notice otherwise that nothing is traded any more."""
    venue = FakeVenue([event("e", "abc")], shown("ea", "eb", "ec"))

    def mistake(_one):
        raise ZeroDivisionError

    scan = Scanner(venue, QUICK, mistake)
    venue.clock_ns = scan._now_ns
    with pytest.raises(ExceptionGroup) as raised:
        await asyncio.wait_for(scan.run(), 5)
    assert raised.group_contains(ZeroDivisionError)


def test_the_scanner_needs_an_edge_that_can_exist():
    """A minimum edge of the whole payout is a slip of the decimal point."""
    with pytest.raises(AssertionError):
        ScanSettings(gates=Gates(min_edge=Decimal(1)))
