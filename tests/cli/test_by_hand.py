"""A basket by hand: which legs guarantee a payout, at what prices, and what is refused with words that help."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest
from cli_make import NOW, instrument

from arbsaga.config import Config
from arbsaga.domain.baskets import BasketKind
from arbsaga.domain.books import Book, Level
from arbsaga.domain.money import Price, Size
from arbsaga.errors import UnknownThing, UserError
from arbsaga.venues.port import EventListing, MarketListing
from workers.by_hand import BasketOrder, HandLeg, find_basket, quote, read_order


def event(*names: str, neg_risk: bool = True, exhaustive: bool = True) -> EventListing:
    yes = [instrument(name) for name in names]
    markets = tuple(MarketListing(one, one.other(), True) for one in yes)
    return EventListing("race", "Who wins the race?", neg_risk, exhaustive, markets)


@dataclass
class Listing:
    """All that a quote asks of a venue: its events, and books of one or two levels."""

    listed: list[EventListing] = field(default_factory=lambda: [event("0", "1")])
    asks: tuple[tuple[str, str], ...] = (("0.40", "15"), ("0.42", "50"))

    async def events(self) -> Sequence[EventListing]:
        return self.listed

    async def books(self, tokens: Sequence[str]) -> tuple[Book, ...]:
        asks = tuple(Level(Price(Decimal(price)), Size(Decimal(size))) for price, size in self.asks)
        return tuple(Book(token, (), asks, 1, NOW, NOW) for token in tokens)


def order(size: str, *legs: str, limit: str | None = None, min_edge: str | None = None) -> BasketOrder:
    price = None if limit is None else Price(Decimal(limit))
    edge = None if min_edge is None else Decimal(min_edge)
    return BasketOrder(Decimal(size), tuple(HandLeg(leg, price) for leg in legs), edge)


@pytest.mark.parametrize(
    ("tokens", "kind", "payout"),
    [
        (["yes0", "yes1", "yes2"], BasketKind.YES_OF_ALL, 1),
        (["no2", "no0"], BasketKind.NO_OF_SOME, 1),
        (["no0", "no1", "no2"], BasketKind.NO_OF_SOME, 2),
        (["no1", "yes1"], BasketKind.COMPLEMENT, 1),
    ],
)
def test_legs_that_guarantee_a_payout_are_a_basket(tokens: list[str], kind: BasketKind, payout: int) -> None:
    basket = find_basket(tokens, [event("0", "1", "2")])
    assert (basket.kind, basket.payout) == (kind, payout)
    assert {leg.instrument.token for leg in basket.legs} == set(tokens)


@pytest.mark.parametrize(
    ("tokens", "listed"),
    [
        (["yes0", "yes1"], event("0", "1", "2")),
        (["yes0", "yes1"], event("0", "1", exhaustive=False)),
        (["no0", "no1"], event("0", "1", neg_risk=False)),
        (["yes0", "no1"], event("0", "1")),
        (["yes0"], event("0", "1")),
        (["yes0", "yes0"], event("0", "1")),
    ],
)
def test_legs_that_guarantee_nothing_are_refused(tokens: list[str], listed: EventListing) -> None:
    with pytest.raises(UserError, match="these legs guarantee no payout"):
        find_basket(tokens, [listed])


def test_a_token_nobody_lists_and_legs_of_two_events() -> None:
    with pytest.raises(UnknownThing, match="no open market has the token 'gone'"):
        find_basket(["gone", "yes1"], [event("0", "1")])
    with pytest.raises(UserError, match="yes1 is not a token of the event"):
        find_basket(["yes0", "yes1"], [event("0"), event("1")])


def test_both_outcomes_of_a_market_that_nets_them_are_refused() -> None:
    """The venue would sell the one to buy the other: nothing is held in the end, and the payout never comes."""
    listed = event("0", "1")
    yes = replace(listed.markets[0].yes, rules=replace(listed.markets[0].yes.rules, nets=True))
    netting = replace(listed, markets=(MarketListing(yes, yes.other(), True),))
    with pytest.raises(UserError, match="YES and NO of m0 cancel each other out at sim") as caught:
        find_basket(["yes0", "no0"], [netting])
    assert len(str(caught.value).splitlines()) == 1


async def test_the_quote_takes_what_the_books_ask_and_its_limits_reach_there() -> None:
    opportunity = await quote(Listing(), order("16", "yes0", "yes1"), Config())
    quoted = opportunity.quote
    assert [(leg.size, leg.limit, leg.cost) for leg in quoted.legs] == [(16, Decimal("0.42"), Decimal("6.42"))] * 2
    assert quoted.payout == 16
    assert quoted.edge == 16 - quoted.cost - quoted.fees
    assert [ref.token for ref in opportunity.books] == ["yes0", "yes1"]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (order("16", "yes0", "yes1", limit="0.41"), "only 15 shares of Runner 0 are offered at 0.41 or better"),
        (order("100", "yes0", "yes1"), "only 65 shares"),
        (order("2", "yes0", "yes1"), "the venue takes no order for 2"),
        (order("10", "yes0", "yes1", min_edge="0.5"), "edge 0.1760 per \\$1 is under 0.5"),
        (order("18", "yes0", "yes1"), "more than desk.per_trade \\$15"),
    ],
)
async def test_what_should_not_be_traded_is_refused(wanted: BasketOrder, words: str) -> None:
    with pytest.raises(UserError, match=words):
        await quote(Listing(), wanted, Config())


def test_an_order_file_says_size_legs_and_limits(tmp_path: Path) -> None:
    file = tmp_path / "order.toml"
    file.write_text('size = 12\nmin_edge = 0.01\n[[leg]]\ntoken = "yes0"\nlimit = 0.4\n[[leg]]\ntoken = "yes1"\n')
    legs = (HandLeg("yes0", Price(Decimal("0.4"))), HandLeg("yes1"))
    assert read_order(file) == BasketOrder(Decimal(12), legs, Decimal("0.01"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("size = 12\n[[leg]]\ntoken = 'a'", "leg: .*at least 2"),
        ("size = -1\n[[leg]]\ntoken = 'a'\n[[leg]]\ntoken = 'b'", "size: .*greater than 0"),
        ("size = 1\nsise = 2\n[[leg]]\ntoken = 'a'\n[[leg]]\ntoken = 'b'", "sise: "),
        ("size = 1\n[[leg]]\ntoken = 'a'\nlimit = 2\n[[leg]]\ntoken = 'b'", "leg.0.limit: .*less than 1"),
    ],
)
def test_a_mistake_in_an_order_file_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "order.toml"
    file.write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        read_order(file)
    assert len(str(caught.value).splitlines()) == 1
