"""What each answer to a create proves. Three outcomes, and unknown wherever the venue has not said a definite no."""

import json

import pytest

from arbsaga.domain.orders import OrderState, TimeInForce
from arbsaga.venues.kalshi.orders import client_id
from arbsaga.venues.kalshi.outcome import TooLateError, bars_account, of_answer, of_error
from arbsaga.venues.kalshi.rest import Answer

from .rig import terms

LIVE, DONE, UNKNOWN, ABSENT = OrderState.LIVE, OrderState.DONE, OrderState.UNKNOWN, OrderState.ABSENT


def answered(status, body, order=None):
    order = order or terms()
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return of_answer(order, client_id(order), Answer(status, raw))


def created(filled="0.00", left="10.00", **more):
    return {"order_id": "v-1", "fill_count": filled, "remaining_count": left, "ts_ms": 1} | more


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_success_with_an_order_id_is_accepted(status):
    """201 by the documents, 200 was seen."""
    found = answered(status, created())
    assert (found.state, found.matched, found.venue_id) == (LIVE, 0, "v-1")


@pytest.mark.parametrize(
    "body",
    [{}, {"order_id": ""}, {"order_id": None}, {"order_id": 7}, [], None, b"", b"<html>", b'{"order_id": "v-1"'],
)
def test_a_success_without_an_order_id_is_unknown(body):
    """It may have been taken all the same."""
    assert answered(201, body).state is UNKNOWN


def test_a_success_for_another_order_is_unknown():
    """Somebody else's answer."""
    assert answered(201, created(client_order_id="other")).state is UNKNOWN


def test_filled_is_fill_count():
    """Never count minus remaining: what is left of an IOC is canceled, and remaining is 0."""
    found = answered(201, created("4.25", "0.00"), terms(kind=TimeInForce.FAK))
    assert (found.state, found.matched, found.reason) == (DONE, pytest.approx(4.25), "canceled")


def test_an_average_price_is_not_a_fill():
    """The averages say nothing of single fills."""
    found = answered(201, created("10.00", "0.00", average_fill_price="0.3950", average_fee_paid="0.0100"))
    assert (found.state, found.matched, found.reason) == (DONE, 10, "")


def test_nothing_left_and_nothing_filled_is_over():
    """Self-trade prevention: 201 with 0.00 and 0.00 (demo capture 12)."""
    found = answered(201, created("0.00", "0.00"))
    assert (found.state, found.matched) == (DONE, 0)
    assert found.reason


@pytest.mark.parametrize("more", [{"fill_count": None}, {"fill_count": "x"}, {"fill_count": True}])
def test_counts_that_cannot_be_read(more):
    """Accepted, and not over for all we know: the order's record tells."""
    found = answered(201, created("0.00", "0.00") | more)
    assert (found.state, found.matched, found.venue_id) == (LIVE, 0, "v-1")


def test_a_number_of_json_is_read_exactly():
    """Should counts come as numbers after all: never through a float."""
    found = answered(201, b'{"order_id": "v-1", "fill_count": 0.07, "remaining_count": 9.93}')
    assert str(found.matched) == "0.07"


def test_a_duplicate_is_unknown():
    """It reached the engine: neither refused nor filled."""
    found = answered(409, {"error": {"code": "order_already_exists", "message": "order already exists"}})
    assert (found.state, found.matched, found.reason) == (UNKNOWN, 0, "")
    assert "has reached the venue" in found.note


@pytest.mark.parametrize(
    "code",
    [
        "fill_or_kill_insufficient_resting_volume",
        "immediate_or_cancel_insufficient_resting_volume",
        "trading_is_paused",
        "exchange_is_paused",
    ],
)
def test_a_409_that_is_a_no(code):
    """Switched on the code."""
    found = answered(409, {"error": {"code": code, "message": "no", "details": "why"}})
    assert (found.state, found.matched) == (DONE, 0)
    assert found.reason == f"409 {code}: no, why"


@pytest.mark.parametrize("code", ["", "conflict", "order_in_progress"])
def test_any_other_409_is_unknown(code):
    """409 is not one thing."""
    assert answered(409, {"error": {"code": code, "message": "?"}}).state is UNKNOWN


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, {"error": {"code": "invalid_price", "message": "off grid"}}, "400 invalid_price: off grid"),
        (
            400,
            {"code": "bad_request", "message": "bad request", "details": "json"},
            "400 bad_request: bad request, json",
        ),
        (400, {"msg": "count must be a string"}, "400 count must be a string"),
        (400, {"error": {"code": "invalid_order", "details": "post only cross"}}, "400 invalid_order: post only cross"),
        (401, {"error": {"code": "authentication_error", "message": "m"}}, "401 authentication_error: m"),
        (403, {"error": {"code": "insufficient_scope"}}, '403 insufficient_scope: {"code": "insufficient_scope"}'),
        (404, {"error": {"code": "market_not_found", "message": "m"}}, "404 market_not_found: m"),
        (410, {"error": {"code": "deprecated_v1_order_endpoint"}}, "410 deprecated_v1_order_endpoint"),
    ],
)
def test_a_definite_no_in_every_shape(status, body, words):
    """Nested, flat and `msg`: refused in the venue's words."""
    found = answered(status, body)
    assert found.state is DONE
    assert found.reason.startswith(words)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
@pytest.mark.parametrize("body", [b"<html><h1>400</h1></html>", b"", b'"text"', {"error": "text"}, {}])
def test_a_gateway_proves_nothing(status, body):
    """Not one of the venue's own shapes."""
    assert answered(status, body).state is UNKNOWN


@pytest.mark.parametrize("status", [301, 307, 408, 418, 425, 429, 500, 502, 503, 504, 520])
def test_statuses_that_prove_nothing(status):
    """429 is documented as before the engine, but not relied on; 5xx may have been taken."""
    for body in ({"error": {"code": "invalid_order", "message": "m"}}, {"error": "too many requests"}, b"<html>"):
        assert answered(status, body).state is UNKNOWN


def test_what_was_not_sent_is_nowhere():
    """No byte has gone: proof."""
    found = of_error(TooLateError("3 ms after its last moment"), sent=False)
    assert (found.state, found.reason) == (ABSENT, "not sent: 3 ms after its last moment")
    assert of_error(ConnectionError("reset"), sent=True).state is UNKNOWN


@pytest.mark.parametrize(
    ("words", "bars"),
    [
        ("401 authentication_error: NOT_FOUND", True),
        ("403 insufficient_scope: forbidden", True),
        ("403 insufficient_scope: the key needs the scope write or write::trade", True),
        ("403 forbidden: the key is locked to subaccount 3", True),
        ("403 region_attestation_expired: forbidden", False),
        ("403 forbidden: attest your location anew", False),
        ("401 authentication_error: region", True),
        ("410 deprecated_v1_order_endpoint: gone", True),
        ("400 insufficient_balance: short", False),
        ("409 trading_is_paused: paused", False),
        ("not sent: no connection", False),
        ("", False),
    ],
)
def test_what_bars_the_account(words, bars):
    """Key, signature, scope: a person must mend it. A lapsed location attestation closes three categories only."""
    assert bars_account(words) is bars
