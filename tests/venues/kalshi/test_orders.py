"""The body of a create, and the ids of orders."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from arbsaga.domain.instruments import Band, Outcome, Side
from arbsaga.domain.money import Price
from arbsaga.domain.orders import TimeInForce
from arbsaga.errors import UnknownThing, VenueError
from arbsaga.venues.kalshi.names import MAX_NAMES, Names
from arbsaga.venues.kalshi.orders import client_id, create_body

from .rig import RULES, instrument, terms

TAPERED = replace(
    RULES,
    tick=Decimal("0.001"),
    pocket="2",
    bands=tuple(
        Band(Price(Decimal(start)), Price(Decimal(end)), Decimal(tick))
        for start, end, tick in (("0", "0.1", "0.001"), ("0.1", "0.9", "0.01"), ("0.9", "1", "0.001"))
    ),
)


def test_everything_the_venue_wants_is_sent():
    """Strings for money and counts, never JSON numbers; the shard explicitly."""
    order = terms(size="10.5", limit="0.40")
    assert json.loads(create_body(order)) == {
        "ticker": "RAIN-A",
        "client_order_id": client_id(order),
        "side": "bid",
        "count": "10.50",
        "price": "0.4000",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
        "exchange_index": 0,
        "cancel_order_on_pause": True,
    }


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (TimeInForce.GTC, "good_till_canceled"),
        (TimeInForce.FOK, "fill_or_kill"),
        (TimeInForce.FAK, "immediate_or_cancel"),
    ],
)
def test_times_in_force(kind, word):
    """As the venue spells them."""
    assert json.loads(create_body(terms(kind=kind)))["time_in_force"] == word


def test_the_same_attempt_is_the_same_bytes():
    """A retry sends the same order, which the venue then takes only once."""
    order = terms(trade="t")
    assert create_body(order) == create_body(terms(trade="t"))
    assert client_id(order) == client_id(replace(order, size=terms(size="3").size))
    assert client_id(order) != client_id(terms(trade="t", attempt=2))
    assert client_id(order) != client_id(terms(trade="t", leg=1))


def test_ids_never_change():
    """Orders of before an update must be found after it. (The venue takes no dots, and at most 64 characters.)"""
    assert client_id(terms(trade="trade", leg=1, attempt=2)) == "2a7d7ebc-356f-5317-9650-8524cde79dd4"


def test_a_finer_grid():
    """Each price by the band it is in, for both outcomes."""
    body = json.loads(create_body(terms(instrument("COIN-1", Outcome.NO, TAPERED), limit="0.905")))
    assert (body["side"], body["price"], body["exchange_index"]) == ("ask", "0.0950", 2)
    with pytest.raises(VenueError, match="grid"):
        create_body(terms(instrument("COIN-1", rules=TAPERED), limit="0.405"))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"limit": "0.405"}, "price 0.405 is off"),
        ({"limit": "0"}, "price 0 is off"),
        ({"limit": "1"}, "price 1 is off"),
        ({"size": "0.001"}, "size 0.001"),
        ({"size": "0"}, "size 0"),
        ({"size": "-1"}, "size -1"),
        ({"on": instrument(rules=replace(RULES, pocket=""))}, "no exchange_index"),
        ({"on": instrument(rules=replace(RULES, pocket="two"))}, "no exchange_index"),
        ({"on": instrument(rules=replace(RULES, tick=Decimal("0.00001"))), "limit": "0.40001"}, "off the market"),
    ],
)
def test_terms_the_venue_would_not_take(changes, why):
    """VenueError with what is wrong."""
    with pytest.raises(VenueError, match=why):
        create_body(terms(**changes))


def test_a_token_of_another_venue():
    """It names no market here."""
    with pytest.raises(UnknownThing):
        create_body(terms(replace(instrument(), token="123", venue="polymarket"), side=Side.SELL))


def test_names_are_bounded_both_ways():
    """The oldest are forgotten; an order without an id of ours goes by the venue's."""
    names = Names()
    for number in range(MAX_NAMES + 1):
        names.learn(f"ours-{number}", f"theirs-{number}")
    assert (names.venue_id("ours-0"), names.order_id("theirs-0")) == ("", "")
    assert (names.venue_id("ours-1"), names.order_id("theirs-1")) == ("theirs-1", "ours-1")
    names.learn("", "stranger")
    assert (names.venue_id("stranger"), names.order_id("stranger")) == ("stranger", "stranger")
