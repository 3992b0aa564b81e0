"""What a book offers, and when books may not be decided on."""

from decimal import Decimal

import pytest

from arbsaga.domain.books import trouble
from arbsaga.domain.instruments import Side
from arbsaga.domain.money import Price

from .make import book

BOOK = book("t", ("0.41", "5"), ("0.43", "7"), ("0.50", "9"), bids=(("0.40", "3"), ("0.38", "4")))


@pytest.mark.parametrize(
    ("side", "limit", "depth"),
    [
        (Side.BUY, "0.40", "0"),
        (Side.BUY, "0.41", "5"),
        (Side.BUY, "0.45", "12"),
        (Side.BUY, "0.99", "21"),
        (Side.SELL, "0.41", "0"),
        (Side.SELL, "0.40", "3"),
        (Side.SELL, "0.01", "7"),
    ],
)
def test_depth_counts_the_levels_at_the_limit_or_better(side, limit, depth):
    """A buy reaches asks up to its limit, a sell bids down to it."""
    assert BOOK.depth(side, Price(Decimal(limit))) == Decimal(depth)


@pytest.mark.parametrize(
    ("bids", "asks", "crossed"),
    [
        ((("0.40", "1"),), (("0.41", "1"),), False),
        ((("0.41", "1"),), (("0.41", "1"),), True),
        ((("0.42", "1"),), (("0.41", "1"),), True),
        ((("0.42", "1"),), (), False),
        ((), (("0.41", "1"),), False),
    ],
)
def test_a_book_is_crossed_when_a_bid_meets_an_ask(bids, asks, crossed):
    """A side that is empty cannot cross."""
    assert book("t", *asks, bids=bids).crossed is crossed


def test_fresh_books_read_together_are_no_trouble():
    """Ages and distances at their limits still pass; so does no book at all."""
    books = (book("a", read_ms=1_000), book("b", read_ms=1_100))
    assert trouble(books, now_ms=1_500, max_age_ms=500, max_skew_ms=100) is None
    assert trouble((), now_ms=1_500, max_age_ms=500, max_skew_ms=100) is None


@pytest.mark.parametrize(
    ("books", "said"),
    [
        ((book("a", read_ms=999), book("b", read_ms=1_500)), "stale book: a was last proved 501 ms ago"),
        ((book("a", ("0.4", "1"), bids=(("0.4", "1"),), read_ms=1_400),), "crossed book: a bids 0.4, asks 0.4"),
        ((book("a", read_ms=1_399), book("b", read_ms=1_500)), "torn read: the books were proved 101 ms apart"),
    ],
)
def test_trouble_names_why_books_are_not_decided_on(books, said):
    """A stale, a crossed and a torn set of books are each refused, with the reason."""
    assert trouble(books, now_ms=1_500, max_age_ms=500, max_skew_ms=100) == said


# --- two venues ------------------------------------------------------------------------------------------------

ACROSS = {
    "now_ms": 10_000,
    "max_age_ms": 2_000,
    "max_skew_ms": 500,
    "max_age_by_venue": {"kalshi": 6_000},
    "max_cross_skew_ms": 5_000,
}


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        ({"poly": [9_900], "kalshi": [5_000]}, None),
        ({"poly": [10_000], "kalshi": [4_999]}, "torn read: the books of the venues were proved 5001 ms apart"),
        ({"poly": [8_000], "kalshi": [3_999]}, "stale book: kalshi0 was last proved 6001 ms ago"),
        ({"poly": [7_999], "kalshi": [9_000]}, "stale book: poly0 was last proved 2001 ms ago"),
        ({"poly": [9_000, 9_500], "kalshi": [5_000, 5_500]}, None),
        ({"poly": [9_000, 9_501], "kalshi": [9_100]}, "torn read: the books were proved 501 ms apart"),
        ({"poly": [9_900], "kalshi": [9_000, 9_501]}, "torn read: the books were proved 501 ms apart"),
    ],
)
def test_each_venue_proves_its_books_at_a_pace_of_its_own(reads, said):
    """Each leg has its venue's age limit; books of one venue belong close together, of two within another limit."""
    named = [(venue, f"{venue}{at}", ms) for venue, times in reads.items() for at, ms in enumerate(times)]
    books = tuple(book(token, read_ms=ms) for _, token, ms in named)
    assert trouble(books, venues=[venue for venue, _, _ in named], **ACROSS) == said
    assert trouble(books[::-1], venues=[venue for venue, _, _ in named][::-1], **ACROSS) == said


def test_without_a_limit_across_venues_the_age_limits_are_enough():
    """Books of two venues far apart, each fresh by its own limit."""
    books = (book("p", read_ms=10_000), book("k", read_ms=8_001))
    limits = {"now_ms": 10_000, "max_age_ms": 2_000, "max_skew_ms": 500}
    assert trouble(books, venues=["poly", "kalshi"], **limits) is None
    assert trouble(books, venues=["poly", "poly"], **limits) == "torn read: the books were proved 1999 ms apart"
    assert trouble(books, **limits) == "torn read: the books were proved 1999 ms apart"


def test_every_book_has_its_venue_named_or_none_has():
    """A venue too few would judge a book by another's limits."""
    with pytest.raises(AssertionError):
        trouble((book("p"), book("k")), 1_000, 1, 1, venues=["poly"])
