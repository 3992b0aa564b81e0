"""What a trade can cost at most, and which pocket pays it."""

from dataclasses import replace
from decimal import Decimal

from arbsaga.domain import capital
from arbsaga.domain.baskets import BasketKind, Leg, cross
from arbsaga.domain.capital import affordable, by_pocket, most_by_pocket, most_of, most_spent
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Instrument, Outcome, Side
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.pricing import Gates, Quote, price_basket

from .make import book, instrument, rules

ROUNDED = FeeSchedule(Decimal("0.07"), step=Decimal("0.000001"), rounding=Usd(Decimal("0.01")))


def at(venue: str, name: str, pocket: str = "", outcome=Outcome.YES, fee: FeeSchedule | None = None) -> Instrument:
    of = replace(rules(pocket=pocket), fee=fee) if fee is not None else rules(pocket=pocket)
    return replace(instrument(name, outcome, of), venue=venue)


def quoted(a: Instrument, b: Instrument, *asks: tuple[str, str]) -> tuple[Quote, dict]:
    books = {one.token: book(one.token, *asks) for one in (a, b)}
    quote = price_basket(cross("p", "t", BasketKind.IDENTITY, a, b), books, Gates())
    assert isinstance(quote, Quote)
    return quote, books


def test_each_pocket_pays_for_its_own_legs():
    """Two venues, and two shards of one: nothing pays for a leg of another."""
    poly, shard = at("poly", "a"), at("kalshi", "b", "2", Outcome.NO, ROUNDED)
    quote, _ = quoted(poly, shard, ("0.30", "10"), ("0.35", "10"))
    assert [leg.fills for leg in quote.legs] == [2, 2]
    assert most_by_pocket(quote) == {
        ("poly", ""): Decimal("7"),
        ("kalshi", "2"): Decimal("7.3385"),  # 20 * 0.35, the fee of 20 at 0.35, and a cent for each fill
    }
    assert most_spent(quote) == sum(most_by_pocket(quote).values())
    assert most_spent(quote) >= quote.cost + quote.fees


def test_legs_of_one_pocket_are_paid_together():
    """Whatever is paid for them: here the cost at the book."""
    one, two, three = at("kalshi", "a", "0"), at("kalshi", "b", "0"), at("kalshi", "c", "1")
    amounts = [(one, Usd(Decimal(2))), (three, Usd(Decimal(5))), (two, Usd(Decimal(3)))]
    assert by_pocket(amounts) == {("kalshi", "0"): 5, ("kalshi", "1"): 5}


def test_a_sale_takes_no_capital():
    """It brings money in, its fee comes off that."""
    assert most_of(Leg(at("poly", "a"), Side.SELL), Size(Decimal(10)), Price(Decimal("0.4"))) == 0


def test_the_fee_is_the_dearest_up_to_the_limit():
    """Above 0.50 the fee falls again, but a fill may come at 0.50."""
    leg, size = Leg(at("kalshi", "a", fee=ROUNDED)), Size(Decimal(100))
    assert most_of(leg, size, Price(Decimal("0.7"))) == Decimal("71.76")
    assert most_of(leg, size, Price(Decimal("0.7")), fills=3) == Decimal("71.78")


def test_what_is_afforded_costs_no_more_even_at_its_limits():
    """Two levels at each venue, priced anew for less until the worst case fits; nothing where nothing fits."""
    quote, books = quoted(at("poly", "a"), at("kalshi", "b", "0", Outcome.NO, ROUNDED), ("0.30", "10"), ("0.35", "50"))
    limit = Usd(Decimal(20))
    smaller = affordable(quote, limit, books, Gates())
    assert smaller is not None
    assert Decimal("19.95") < most_spent(smaller) <= limit < most_spent(quote)
    assert affordable(smaller, limit, books, Gates()) is smaller
    assert affordable(quote, Usd(Decimal("0.5")), books, Gates()) is None


def test_it_is_priced_anew_only_so_often(monkeypatch):
    """Each time comes closer; what does not fit by then is left."""
    quote, books = quoted(at("poly", "a"), at("kalshi", "b", "0", Outcome.NO, ROUNDED), ("0.30", "10"), ("0.35", "50"))
    monkeypatch.setattr(capital, "PRICINGS", 1)
    assert affordable(quote, Usd(Decimal(20)), books, Gates()) is not None
    monkeypatch.setattr(capital, "PRICINGS", 0)
    assert affordable(quote, Usd(Decimal(20)), books, Gates()) is None
