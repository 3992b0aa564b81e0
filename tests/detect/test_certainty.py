"""How surely entries fill, and which leg that puts first."""

from dataclasses import replace
from decimal import Decimal

import pytest

from arbsaga.detect import FillRates, Opportunity, certainty, less_certain_first
from arbsaga.domain.baskets import BasketKind, cross
from arbsaga.domain.books import Book, Level
from arbsaga.domain.instruments import Instrument, Side
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, Purpose, TimeInForce
from arbsaga.domain.pricing import Gates, Quote, price_basket
from arbsaga.saga.messages import Patience, UndoLimits
from workers.desk_client import Taken
from workers.planning import plan_trade

from .make import market


def at(venue: str, name: str = "m") -> Instrument:
    return replace(market(name).yes, venue=venue, token=f"{venue}:{name}", complement=f"{venue}:{name}:no")


def entry(of: Instrument, filled: str, purpose=Purpose.ENTER, state=OrderState.DONE) -> OrderView:
    size, limit = Size(Decimal(10)), Price(Decimal("0.4"))
    terms = OrderTerms("t", 0, 1, purpose, of, Side.BUY, size, limit, TimeInForce.GTC, 1, 2)
    return OrderView(terms, "id", state, matched=Size(Decimal(filled)))


def rates(**told: list[str]) -> FillRates:
    """Entries at these venues, each with how many of its 10 shares filled."""
    made = FillRates()
    for venue, fills in told.items():
        made.learn(entry(at(venue), filled) for filled in fills)
    return made


def quote(a: Instrument, b: Instrument) -> Quote:
    levels = (Level(Price(Decimal("0.4")), Size(Decimal(20))),)
    books = {one.token: Book(one.token, (), levels, 1, 1, 1) for one in (a, b)}
    found = price_basket(cross("p", "t", BasketKind.IDENTITY, a, b), books, Gates())
    assert isinstance(found, Quote)
    return found


def test_a_rate_leans_on_what_was_measured_and_never_on_chance_alone():
    """Eight of ten filled, half of one: the venue is at 9.5 of 13, and so is each of its markets that is not known."""
    made = rates(poly=["10"] * 8 + ["0", "0", "5"])
    of_venue = Decimal("9.5") / 13
    assert made.rate(at("poly", "new")) == of_venue
    assert made.rate(at("poly", "m")) == (Decimal("8.5") + 2 * of_venue) / 13
    assert made.rate(at("kalshi")) is None


def test_a_venue_with_few_attempts_is_not_known():
    """Four entries say nothing yet."""
    assert rates(poly=["10"] * 4).rate(at("poly")) is None
    assert rates(poly=["10"] * 5).rate(at("poly")) is not None


@pytest.mark.parametrize(
    "order",
    [
        entry(at("poly"), "0", Purpose.COMPLETE),
        entry(at("poly"), "0", Purpose.EXIT),
        entry(at("poly"), "0", state=OrderState.ABSENT),  # it was never sent: too late
    ],
)
def test_only_entries_that_were_sent_are_attempts(order):
    """A way out is placed at any price, and what never left says nothing of the venue."""
    made = rates(poly=["10"] * 5)
    before = made.rate(at("poly"))
    made.learn([order])
    assert made.rate(at("poly")) == before


def test_a_market_has_a_rate_of_its_own():
    """A thin market of a venue that fills well goes down by itself."""
    made = rates(poly=["10"] * 20)
    made.learn([entry(at("poly", "thin"), "0")] * 3)
    assert made.rate(at("poly", "thin")) < Decimal("0.4") < Decimal("0.8") < made.rate(at("poly", "m"))


def test_an_overfill_counts_as_filled():
    """A venue that says more than was asked for does not lift the rate over one."""
    assert rates(poly=["12"] * 5).rate(at("poly")) < 1


def test_markets_long_past_are_forgotten(monkeypatch):
    """The one that was tried longest ago goes first; its venue still counts it."""
    monkeypatch.setattr(certainty, "MAX_MARKETS", 2)
    made = FillRates()
    for name in ("a", "b", "a", "c", "c", "c"):
        made.learn([entry(at("poly", name), "0" if name == "b" else "10")])
    assert made.rate(at("poly", "b")) == made.rate(at("poly", "never tried"))
    assert made.rate(at("poly", "a")) > made.rate(at("poly", "b"))


@pytest.mark.parametrize(
    ("told", "first"),
    [
        ({"poly": ["10"] * 5, "kalshi": ["10"] * 4 + ["0"]}, (1,)),
        ({"poly": ["0"] * 5, "kalshi": ["10"] * 5}, (0,)),
        ({"poly": ["10"] * 5, "kalshi": ["10"] * 5}, ()),
        ({"poly": ["10"] * 5}, ()),
        ({"poly": ["10"] * 5, "kalshi": ["0"] * 4}, ()),
        ({}, ()),
    ],
)
def test_the_leg_that_fills_less_often_goes_first(told, first):
    """All at once where both are alike, or one is not known."""
    assert less_certain_first(quote(at("poly"), at("kalshi")), rates(**told)) == first


def test_legs_of_one_venue_go_at_once():
    """They are one request; a thin market's leg does not wait."""
    made = rates(poly=["10"] * 5)
    made.learn([entry(at("poly", "thin"), "0")] * 3)
    assert less_certain_first(quote(at("poly"), at("poly", "thin")), made) == ()
    assert less_certain_first(quote(at("poly"), at("poly", "thin")), FillRates()) == ()


def test_the_plan_says_which_leg_goes_first_where_it_is_asked_to():
    """Without rates every leg is placed at once."""
    one = quote(at("poly"), at("kalshi"))
    opportunity = Opportunity(one, (), 1_800_000_000_000, 0)
    taken = Taken("lease", 1_800_000_009_000, Usd(Decimal(20)))
    more = {"account": "main", "patience": Patience(), "undo": UndoLimits()}
    known = rates(poly=["10"] * 5, kalshi=["0"] * 5)
    assert plan_trade(opportunity, one, taken, **more, rates=known).first == (1,)
    assert plan_trade(opportunity, one, taken, **more).first == ()
