"""Records of the venue's REST API, the odd ones too, and what a market charges."""

from decimal import Decimal

import pytest

from arbsaga.domain.instruments import Band, Outcome
from arbsaga.errors import BadMessage, UnknownThing
from arbsaga.venues.kalshi.fees import UnknownFees, fee_schedule, forbidding
from arbsaga.venues.kalshi.records import (
    outcome_of,
    read_book,
    read_event,
    read_market,
    read_series,
    token,
)

CENT = Decimal("0.01")
MARKET = {
    "ticker": "KXA-27-X",
    "event_ticker": "KXA-27",
    "market_type": "binary",
    "status": "active",
    "yes_sub_title": "Alder",
    "rules_primary": "If Alder wins, Yes.",
    "rules_secondary": "",
    "close_time": "2027-01-01T00:00:00Z",
    "latest_expiration_time": "2027-01-08T00:00:00Z",
    "settlement_timer_seconds": 3600,
    "notional_value_dollars": "1.0000",
    "result": "",
    "price_level_structure": "linear_cent",
    "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
}
EVENT = {"event_ticker": "KXA-27", "series_ticker": "KXA", "title": "Who wins?", "mutually_exclusive": True}
SERIES = {"ticker": "KXA", "fee_type": "quadratic", "fee_multiplier": 1}


def market(**changes):
    return read_market(MARKET | changes)


def schedule(market_changes=None, event=None, series=None, now_ms=0):
    return fee_schedule(
        market(**(market_changes or {})),
        read_event(EVENT | (event or {})),
        read_series(SERIES | (series or {})),
        CENT,
        now_ms,
    )


def test_tokens():
    """A token says venue, market and outcome."""
    assert token("KXA-27-X", Outcome.NO) == "kalshi:KXA-27-X:NO"
    assert outcome_of("kalshi:KXA-27-X:NO") == ("KXA-27-X", Outcome.NO)


@pytest.mark.parametrize("text", ["123", "kalshi:A", "kalshi::YES", "kalshi:A:yes", "polymarket:A:YES", ""])
def test_tokens_of_others(text):
    """One line that says how it is written."""
    with pytest.raises(UnknownThing, match="kalshi:TICKER:YES"):
        outcome_of(text)


def test_market():
    """Its grid, its times (the payout comes after the settlement timer), its texts."""
    found = market()
    assert found.bands == (Band(Decimal(0), Decimal(1), CENT),)
    assert found.resolves_ms - found.closes_ms == 7 * 86_400_000 + 3_600_000
    assert (found.odd, found.shard, found.value, found.rules) == ("", "", None, ("If Alder wins, Yes.", ""))


def test_the_expected_expiration_counts():
    """The latest one is the worst case, often years away."""
    assert market(expected_expiration_time="2027-01-02T00:00:00Z").resolves_ms == market().closes_ms + 90_000_000


@pytest.mark.parametrize("absent", [None, "", "0001-01-01T00:00:00Z"])
def test_times_that_are_not_said(absent):
    """Null, empty, and the zero of the venue's clock."""
    found = market(close_time=absent, latest_expiration_time=absent, fee_waiver_expiration_time=absent)
    assert (found.closes_ms, found.resolves_ms, found.waiver_ms) == (0, 0, 0)


def test_the_grid_is_price_ranges_and_not_its_label():
    """Sorted by us; a finer grid at the edges."""
    ranges = [("0.9", "1", "0.001"), ("0", "0.1", "0.001"), ("0.1", "0.9", "0.01")]
    found = market(
        price_level_structure="linear_cent",
        price_ranges=[{"start": start, "end": end, "step": step} for start, end, step in ranges],
    )
    assert [str(band.tick) for band in found.bands] == ["0.001", "0.01", "0.001"]


@pytest.mark.parametrize(
    "ranges",
    [
        None,
        [],
        [{"start": "0", "end": "0.5", "step": "0.01"}],
        [{"start": "0", "end": "0.4", "step": "0.01"}, {"start": "0.5", "end": "1", "step": "0.01"}],
        [{"start": "0", "end": "1", "step": "0"}],
        [{"start": "0", "end": "1"}],
        [{"start": "0", "end": "1", "step": "a cent"}],
        "linear_cent",
    ],
)
def test_a_market_without_a_whole_grid_cannot_be_read(ranges):
    """No tick is guessed."""
    with pytest.raises(BadMessage, match="market"):
        market(price_ranges=ranges)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"market_type": "scalar"}, "type 'scalar'"),
        ({"settlement_bounds_type": "floor"}, "bounds 'floor'"),
        ({"notional_value_dollars": "10.0000"}, "pays 10.0000 USD"),
    ],
)
def test_markets_that_pay_otherwise_are_odd(changes, why):
    """A YES and a NO of them are not a dollar, or a YES is not 0 or 1."""
    assert why in market(**changes).odd


def test_an_event_keeps_its_good_markets():
    """One bad market does not lose the others, and is named."""
    event = read_event(EVENT | {"markets": [MARKET, MARKET | {"ticker": "KXA-27-Y", "price_ranges": None}, None]})
    assert [found.ticker for found in event.markets] == ["KXA-27-X"]
    assert [name for name, _ in event.unread] == ["KXA-27-Y"]


@pytest.mark.parametrize("bad", [{"event_ticker": None}, {"series_ticker": ""}, {"fee_multiplier_override": "much"}])
def test_an_event_that_cannot_be_read(bad):
    """What it charges and what it is called are not guessed."""
    with pytest.raises(BadMessage, match="event"):
        read_event(EVENT | bad)


@pytest.mark.parametrize(("value", "exclusive"), [(True, True), (False, False), (None, False), ("true", False)])
def test_exclusive_only_where_the_venue_says_so(value, exclusive):
    """Anything but a plain yes would be a bet."""
    assert read_event(EVENT | {"mutually_exclusive": value}).exclusive is exclusive


def test_sources_are_in_a_fixed_order():
    """Else the same rules would look changed."""
    one, other = {"name": "Agency", "url": "https://a"}, {"name": "Bureau", "url": None}
    assert read_series(SERIES | {"settlement_sources": [one, other]}) == read_series(
        SERIES | {"settlement_sources": [other, one, None]}
    )
    assert read_series(SERIES | {"settlement_sources": None}).sources == ()


def test_book():
    """Bids of both sides, whichever end is best; a NO bid is a YES ask."""
    sides = {"yes_dollars": [["0.11", "97.22"], ["0.05", "1"]], "no_dollars": [["0.7000", "11.00"]]}
    assert read_book({"ticker": "A", "orderbook_fp": sides}) == (
        "A",
        {Decimal("0.11"): Decimal("97.22"), Decimal("0.05"): Decimal(1)},
        {Decimal("0.3"): Decimal(11)},
    )


@pytest.mark.parametrize("empty", [{}, {"yes_dollars": None, "no_dollars": None}, {"yes_dollars": []}])
def test_empty_sides_of_a_book(empty):
    """Absent, null (kalshi-python #2), an empty list."""
    assert read_book({"ticker": "A", "orderbook_fp": empty}) == ("A", {}, {})


@pytest.mark.parametrize(
    "raw",
    [
        {"ticker": "A"},
        {"orderbook_fp": {}},
        {"ticker": "A", "orderbook_fp": {"yes_dollars": [["1.2", "1"]]}},
        {"ticker": "A", "orderbook_fp": {"yes_dollars": [["0.5", "-1"]]}},
        {"ticker": "A", "orderbook_fp": {"yes_dollars": [["0.5"]]}},
        {"ticker": "A", "orderbook_fp": None},
        None,
    ],
)
def test_a_book_that_cannot_be_read(raw):
    """No half book is believed."""
    with pytest.raises(BadMessage, match="book"):
        read_book(raw)


@pytest.mark.parametrize(
    ("size", "price", "fee"),
    [("1", "0.055", "0.003639"), ("100", "0.56", "1.7248"), ("0.01", "0.5", "0.000175")],
)
def test_the_documents_examples(size, price, fee):
    """The model fee, rounded up to $0.000001, and one precision unit of rounding beyond it at most."""
    assert schedule().taker_fee(Decimal(size), Decimal(price)) == Decimal(fee) + CENT


def test_fees_come_from_the_series_unless_the_event_overrides_them():
    """Some series charge half; an event can override the type, the multiplier, or both."""
    assert schedule(series={"fee_multiplier": Decimal("0.5")}).rate == Decimal("0.035")
    assert schedule(series={"fee_type": "flat"}, event={"fee_type_override": "quadratic"}).rate == Decimal("0.07")
    assert schedule(event={"fee_multiplier_override": 0}).rate == 0
    maker_fees = {"fee_type": "quadratic_with_maker_fees", "fee_multiplier": "2"}
    assert schedule(series=maker_fees).rate == Decimal("0.14")


def test_waived_fees():
    """Free until the waiver ends; one that is about to end counts as ended, for the trade may outlast it."""
    waived = {"fee_waiver_expiration_time": "2027-01-01T00:00:00Z"}
    end_ms = market(**waived).waiver_ms
    assert schedule(waived, now_ms=end_ms - 3_600_000).rate == 0
    assert schedule(waived, now_ms=end_ms - 60_000).rate == Decimal("0.07")


@pytest.mark.parametrize(
    ("series", "event", "why"),
    [
        ({"fee_type": "flat"}, {}, "type 'flat'"),
        ({"fee_type": "cubic"}, {}, "type 'cubic'"),
        ({"fee_type": None}, {}, "type ''"),
        ({}, {"fee_type_override": "flat"}, "type 'flat'"),
        ({"fee_multiplier": None}, {}, "multiplier is None"),
        ({"fee_multiplier": -1}, {}, "multiplier is -1"),
    ],
)
def test_unknown_fees_are_one_line(series, event, why):
    """The market is named, and nothing is computed."""
    with pytest.raises(UnknownFees, match=f"KXA-27-X is not traded.*{why}"):
        schedule(series=series, event=event)


def test_a_series_that_is_not_there():
    """Its fees are not known either."""
    with pytest.raises(UnknownFees, match="series KXA is not listed"):
        fee_schedule(market(), read_event(EVENT), None, CENT, 0)


def test_the_stand_in_for_unknown_fees_is_dearer_than_any():
    """So that nothing looks worth trading by it."""
    assert forbidding(CENT).taker_fee(Decimal(100), Decimal("0.5")) == Decimal("25.01")
