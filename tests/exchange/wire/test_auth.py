"""API keys and the two kinds of authentication, over the wire."""

import pytest

from arbsaga.exchange.polymarket.venue import WireSettings

from .running import OTHER_KEY

BAD_KEY = (401, {"error": "Unauthorized/Invalid api key"})
BAD_LOGIN = (401, {"error": "Invalid L1 Request headers"})


async def test_a_key_is_created_once_and_derived_ever_after(exchange):
    """The second POST is 400, the derive call gives the same key again: the official client's start-up."""
    trader = exchange.trader()
    status, created, _ = await exchange.call("POST", "/auth/api-key", headers=trader.l1_headers())
    assert (status, set(created)) == (200, {"apiKey", "secret", "passphrase"})
    again = await exchange.call("POST", "/auth/api-key", headers=trader.l1_headers())
    assert again[:2] == (400, {"error": "Could not create api key"})
    derived = await exchange.call("GET", "/auth/derive-api-key", headers=trader.l1_headers())
    assert derived[:2] == (200, created)


async def test_a_key_that_was_never_created_cannot_be_derived(exchange):
    """Also not for another nonce of a known address."""
    trader = exchange.trader()
    await trader.login()
    answer = await exchange.call("GET", "/auth/derive-api-key", headers=trader.l1_headers(nonce=1))
    assert answer[:2] == (400, {"error": "Could not derive api key!"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"POLY_ADDRESS": "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"},
        {"POLY_ADDRESS": "nobody"},
        {"POLY_SIGNATURE": "0x00"},
        {"POLY_SIGNATURE": "zz"},
        {"POLY_TIMESTAMP": "1790000000"},
        {"POLY_TIMESTAMP": "now"},
        {"POLY_NONCE": "7"},
        {"POLY_NONCE": "seven"},
    ],
)
async def test_wrong_login_headers(exchange, wrong):
    """Anything that was not signed so by that address is refused."""
    headers = exchange.trader().l1_headers(**wrong)
    assert (await exchange.call("POST", "/auth/api-key", headers=headers))[:2] == BAD_LOGIN


async def test_missing_login_headers(exchange):
    """Without headers there is no login."""
    assert (await exchange.call("POST", "/auth/api-key"))[:2] == BAD_LOGIN


@pytest.mark.parametrize(
    "wrong",
    [
        {"POLY_ADDRESS": "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"},
        {"POLY_API_KEY": "00000000-0000-4000-8000-000000000000"},
        {"POLY_PASSPHRASE": "open sesame"},
        {"POLY_SIGNATURE": "AAAA"},
        {"POLY_TIMESTAMP": "1790000000"},
        {"POLY_TIMESTAMP": "noon"},
    ],
)
async def test_wrong_request_headers(exchange, wrong):
    """A private call with any header that does not fit is 401, in the venue's words."""
    assert (await exchange.trader().call("GET", "/data/orders", **wrong))[:2] == BAD_KEY


async def test_missing_request_headers(exchange):
    """Private calls need headers."""
    assert (await exchange.call("GET", "/data/orders"))[:2] == BAD_KEY


async def test_the_body_is_signed_and_the_query_is_not(exchange):
    """The signature covers the exact bytes of the body, and the path without its query."""
    trader = exchange.trader()
    await trader.login()
    headers = trader.l2_headers("DELETE", "/order", '{"orderID":"0x00"}')
    changed = await exchange.call("DELETE", "/order", data='{"orderID": "0x00"}', headers=headers)
    assert changed[:2] == BAD_KEY
    assert (await trader.call("GET", "/data/orders", query="?next_cursor=MA=="))[0] == 200


async def test_keys_are_listed_and_deleted(exchange):
    """A deleted key no longer opens anything."""
    trader = exchange.trader()
    await trader.login()
    key = trader.credentials["apiKey"]
    assert (await trader.call("GET", "/auth/api-keys"))[1] == {"apiKeys": [key]}
    assert (await trader.call("DELETE", "/auth/api-key"))[1] == "OK"
    assert (await trader.call("GET", "/auth/api-keys"))[:2] == BAD_KEY


async def test_the_key_of_another_address_does_not_open_mine(exchange):
    """Credentials belong to one address."""
    mine, other = exchange.trader(), exchange.trader(OTHER_KEY)
    await mine.login()
    other.credentials = mine.credentials
    assert (await other.call("GET", "/auth/api-keys"))[:2] == BAD_KEY


async def test_keys_survive_a_restart(start):
    """The same credentials work after the exchange was started anew on its folder."""
    credentials = await (await start()).trader().login()
    trader = (await start()).trader()
    trader.credentials = credentials
    assert (await trader.call("GET", "/auth/ban-status/closed-only"))[1] == {"closed_only": False}


async def test_a_bound_on_clock_skew_can_be_set(start):
    """With a tolerance set, a request signed by a slow clock is refused."""
    running = await start(WireSettings(clock_skew_s=30))
    trader = running.trader()
    await trader.login()
    assert (await trader.call("GET", "/data/orders"))[0] == 200
    running.clock.ahead_ms = 60_000
    assert (await trader.call("GET", "/data/orders"))[:2] == BAD_KEY
    assert (await running.call("GET", "/auth/derive-api-key", headers=trader.l1_headers()))[:2] == BAD_LOGIN


async def test_secrets_are_in_no_repr(exchange):
    """What ends up in a log by repr holds no secret."""
    trader = exchange.trader()
    credentials = await trader.login()
    shown = repr(exchange.venue.keys.of_credentials(*credentials.values()))
    assert credentials["secret"] not in shown
    assert credentials["passphrase"] not in shown
