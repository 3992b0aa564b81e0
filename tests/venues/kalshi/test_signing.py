"""Signatures of both kinds of keys, as the venue checks them; and keys that are none."""

import base64

import pytest
from Crypto.PublicKey import ECC, RSA
from pydantic import SecretStr

from arbsaga.errors import ConfigError
from arbsaga.exchange.kalshi.auth import is_signed_by
from arbsaga.venues.kalshi import KalshiSettings
from arbsaga.venues.kalshi.settings import PRECISIONS
from arbsaga.venues.kalshi.signing import Signer, read_key

from .rig import key, pem


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_signed_is_time_method_and_path(kind):
    """Without the query, in ms, the method in capitals."""
    made = Signer("id", SecretStr(pem(key(kind))), lambda: 1_790_000_000_123)
    headers = made.headers("get", "/trade-api/v2/portfolio/orders?limit=5")
    assert (headers["KALSHI-ACCESS-KEY"], headers["KALSHI-ACCESS-TIMESTAMP"]) == ("id", "1790000000123")
    message = b"1790000000123GET/trade-api/v2/portfolio/orders"
    signature = base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"])
    assert is_signed_by(key(kind).public_key(), message, signature)


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
async def test_the_venue_takes_both_kinds(rig, kind):
    """REST and the WebSocket's handshake, by one signer."""
    venue = await rig.trading(kind=kind)
    assert venue.streaming()
    assert await venue.cash() == 1000


def test_pem_forms():
    """PKCS#1 and PKCS#8, and lines written out as an environment file has them."""
    for text in (
        key("rsa").export_key(format="PEM", pkcs=1).decode(),
        key("rsa").export_key(format="PEM", pkcs=8).decode(),
        pem(key()).replace("\n", "\\n"),
        f"\n  {pem(key())}\n",
    ):
        assert read_key(SecretStr(text)).has_private()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no key"),
        ("secret-nonsense", "is no key"),
        ("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----", "is no key"),
        (RSA.generate(1024).public_key().export_key().decode(), "is a public one"),
        (ECC.generate(curve="P-256").export_key(format="PEM"), "of the curve"),
        (
            ECC.generate(curve="Ed25519").export_key(
                format="PEM", passphrase="secret", use_pkcs8=True, protection="PBKDF2WithHMAC-SHA1AndAES128-CBC"
            ),
            "passphrase",
        ),
    ],
)
def test_a_pem_that_is_none(text, why):
    """One clear line that never shows the text, already when the settings are made."""
    with pytest.raises(ConfigError, match=why) as caught:
        KalshiSettings("id", SecretStr(text))
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_secrets_are_not_shown():
    """Neither settings nor signer nor venue show the key in a repr."""
    secret = pem(key()).splitlines()[1]
    settings = KalshiSettings("id", pem(key()))
    for shown in (repr(settings), str(settings), repr(Signer("id", settings.private_key))):
        assert secret not in shown
    assert isinstance(settings.private_key, SecretStr)


def test_settings_that_are_none():
    """An empty key id, a precision the venue does not have."""
    with pytest.raises(ConfigError, match="key id is empty"):
        KalshiSettings(" ", pem(key()))
    with pytest.raises(ConfigError, match="precision"):
        KalshiSettings("id", pem(key()), precision=PRECISIONS[0] * 2)


def test_addresses():
    """The live venue by default; the simulated exchange has one URL for both."""
    assert KalshiSettings("id", pem(key())).rest_url == "https://external-api.kalshi.com/trade-api/v2"
    assert KalshiSettings("id", pem(key())).ws_url == "wss://external-api-ws.kalshi.com/trade-api/ws/v2"
    local = KalshiSettings.at("http://127.0.0.1:80/", "id", pem(key()))
    assert (local.rest_url, local.ws_url) == (
        "http://127.0.0.1:80/trade-api/v2",
        "ws://127.0.0.1:80/trade-api/ws/v2",
    )
