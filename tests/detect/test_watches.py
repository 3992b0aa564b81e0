"""The screen on best prices never hides an opportunity, and the NO basket is the best subset there is."""

from decimal import Decimal
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arbsaga.detect.watches import FixedWatch, PoolWatch
from arbsaga.domain.baskets import no_of_some, yes_of_all
from arbsaga.domain.books import Book, Level
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.pricing import Gates, NoTrade, Quote, price_basket

from .make import market

PROPERTY = settings(derandomize=True, deadline=None, max_examples=200, database=None)
RICH = Usd(Decimal(10_000))

GATES = st.builds(
    Gates,
    max_price_ratio=st.sampled_from([Decimal("0.98"), Decimal("1.05")]),
    min_edge=st.sampled_from([Decimal("0.005"), Decimal("-0.03"), Decimal("0")]),
    min_depth=st.just(Size(Decimal(10))),
    budget=st.just(RICH),
)
RATES = st.sampled_from(["0", "0.05"])


def one_level(token: str, price: Decimal) -> Book:
    return Book(token, (), (Level(Price(price), Size(Decimal(40))),), 1, 1, 1)


def cents(low: int, high: int):
    return st.integers(low, high).map(lambda cent: Price(Decimal(cent) / 100))


@PROPERTY
@given(st.data(), GATES, RATES)
def test_a_basket_that_passes_is_always_near(data, gates, rate):
    """After any history of best asks coming, moving and going, the sums are those of the asks now."""
    count = data.draw(st.integers(2, 4))
    yes = [market(f"m{index}", rate=rate).yes for index in range(count)]
    watch = FixedWatch(yes_of_all("e", "t", yes), gates)
    moves = st.tuples(st.integers(0, count - 1), st.none() | cents(100 // count - 8, 100 // count + 4))
    for at, ask in data.draw(st.lists(moves, max_size=12)):
        watch.move(at, ask)
        books = {token: one_level(token, ask) for token, ask in zip(watch.tokens, watch.asks, strict=True) if ask}
        found = watch.price(books.get)
        reasons = ("price:", "edge:", "no book:", "empty book:")
        assert watch.near is (isinstance(found, Quote) or not found.reason.startswith(reasons))


@PROPERTY
@given(st.lists(cents(60, 97), min_size=2, max_size=6), GATES, RATES)
def test_the_no_basket_earns_as_much_as_the_best_of_all_subsets(asks, gates, rate):
    """Against trying every subset, where every book is equally deep and the budget is not scarce."""
    no = [market(f"m{index}", rate=rate).no for index in range(len(asks))]
    watch = PoolWatch("e", "t", no, gates, 15)
    for at, ask in enumerate(asks):
        watch.move(at, ask)
    books = {one.token: one_level(one.token, ask) for one, ask in zip(no, asks, strict=True)}
    tried = (
        price_basket(no_of_some("e", "t", subset), books, gates)
        for size in range(2, len(no) + 1)
        for subset in combinations(no, size)
    )
    best = max((found.edge for found in tried if isinstance(found, Quote)), default=None)
    found = watch.price(books.get)
    assert (found.edge if isinstance(found, Quote) else None) == best
    assert watch.near or best is None


@PROPERTY
@given(st.data(), GATES)
def test_a_pool_knows_the_asks_of_now_whatever_they_were(data, gates):
    """The same as a pool that has only ever seen the asks of now."""
    no = [market(f"m{index}", rate="0.05").no for index in range(3)]
    moved, fresh = (PoolWatch("e", "t", no, gates, 15) for _ in range(2))
    for at, ask in data.draw(st.lists(st.tuples(st.integers(0, 2), st.none() | cents(55, 75)), max_size=12)):
        moved.move(at, ask)
    for at, ask in enumerate(moved.asks):
        fresh.move(at, ask)
    assert (moved.near, moved._by_price, moved._by_cost) == (fresh.near, fresh._by_price, fresh._by_cost)


def pool(*asks: str, gates=None, max_legs=15, **more):
    no = [market(f"m{index}", **more).no for index in range(len(asks))]
    watch = PoolWatch("e", "t", no, gates or Gates(), max_legs)
    books = {one.token: one_level(one.token, Decimal(ask)) for one, ask in zip(no, asks, strict=True) if ask}
    for at, ask in enumerate(asks):
        watch.move(at, Price(Decimal(ask)) if ask else None)
    return watch, books


def test_a_no_that_adds_more_cost_than_payout_is_left_out():
    """Four NOs of which one asks 99.5 cents with a fee: the three others are the basket, in the event's order."""
    watch, books = pool("0.60", "0.98", "0.55", "0.65", rate="0.05", tick="0.001")
    quote = watch.price(books.get)
    assert isinstance(quote, Quote)
    assert [leg.instrument.market for leg in quote.basket.legs] == ["m0", "m2", "m3"]
    assert quote.basket.payout == 2
    assert quote.basket.key == watch.key == "no:e"


def test_a_no_without_a_book_to_believe_does_not_stop_the_others():
    """Any subset pays: the rest is still a basket."""
    watch, books = pool("0.40", "", "0.45", "0.50")
    quote = watch.price(books.get)
    assert isinstance(quote, Quote)
    assert len(quote.legs) == 3


def test_no_more_legs_than_the_limit():
    """A cap on legs takes the cheapest ones."""
    watch, books = pool("0.40", "0.45", "0.50", "0.55", max_legs=2)
    quote = watch.price(books.get)
    assert isinstance(quote, Quote)
    assert [leg.instrument.market for leg in quote.basket.legs] == ["m0", "m1"]


def test_the_budget_prefers_the_subset_with_the_best_return():
    """A NO at 97 cents adds profit per unit, but a budget earns more without it."""
    watch, books = pool("0.40", "0.45", "0.90", gates=Gates(budget=Usd(Decimal(15))))
    quote = watch.price(books.get)
    assert isinstance(quote, Quote)
    assert len(quote.legs) == 2
    rich, books = pool("0.40", "0.45", "0.90", gates=Gates(budget=RICH))
    assert len(rich.price(books.get).legs) == 3


def test_with_a_budget_to_spare_the_largest_profit_of_a_unit_wins():
    """Where every book is as deep as the next, more legs earn more, though the return on cost is lower."""
    watch, books = pool("0.30", "0.30", "0.90", "0.90", "0.90", gates=Gates(budget=RICH))
    assert len(watch.price(books.get).legs) == 5


@pytest.mark.parametrize(("asks", "reason"), [(("0.80", "0.80"), "price: no subset"), (("0.40", "0.40"), "depth: ")])
def test_a_pool_says_why_it_is_not_traded(asks, reason):
    """No subset under its payout, or the last reason of those that were."""
    watch, books = pool(*asks, gates=Gates(min_depth=Size(Decimal(50))))
    found = watch.price(books.get)
    assert isinstance(found, NoTrade)
    assert found.reason.startswith(reason)
