"""Signatures of both kinds, the skew window, scopes and the region attestation, without a server."""

import base64

import pytest

from arbsaga.exchange.kalshi.auth import ApiKey, Keys, is_signed_by, public_key
from arbsaga.exchange.kalshi.replies import Refusal

from .signer import ed25519_key, headers, public_pem, rsa_key

PATH = "/trade-api/v2/portfolio/balance"
NOW = 1_790_000_000_000

# Made with the openssl command line, so that our test signer is not its own witness.
MESSAGE = b"1703123456789GET/trade-api/v2/portfolio/balance"
OPENSSL = [
    (
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAq0zCr6J9SG/yuSFaWk0tDd6Vi+JqAsFdGSZPKTB7X6LvZOPQLiuq2p51jcnysXxL"
        "G5pjDioc/kavqWj7sy6+iWoOF7HR6wBJXizM+vMquc6iIRmGtxpqi2GzBvc6l2z2a+rPElXAUDdjnBWthhj7scULvVznYU/3FAiaWMlsjlEJ"
        "LXy3QaOOpbMgrlHCCdwGzqKwuJgPKAZhs3oHXRBzEZm0wqQ/aSWXxhwG7wziC2r1Yc3EP/ceeaGw+bsU5CQ8yYoXhM9UHL2MTMwoiI78qLBO"
        "k+JzSRGUCplO+bEy0tJ1czb0rN3X30V27Ghi/lYceZcY6ZIiCMbRpKavSaTRbQIDAQAB",
        "hB79O+Z0+aTaLmBh7OkdtA/c5mJLUmrEJFP9Y4L0RyNS0KwGd7ClmNe0E3meryKdhlJGr9wDKdG9wwQI2/Xyp3nxZpa/UwReghVYqJl3XX7K"
        "dm+MQmwdk1k7RroqHuAyPU0HYSRH6NB8FFFHwephyofp1XH22oyY28x7wDUNWx9LkzW1YzPCdtPgSpwhfcYRa9DsPGKZMYvNpaJzGUItzVU8"
        "Vtt8X0iziExa135W+1O/nYtjmVYsaBZJ/3qED7CKqBdZJuRlY2EK506BuqLmCfElSDjxesDoyS+HW8+CI26Tww/jYSUh+rhyRY8StQdfwL8z"
        "R4yW60AWzNY2nFo33w==",
    ),
    (
        "MCowBQYDK2VwAyEAiCs6Cpv6r1sI/EYc8BiEQsGOKFT15D1Y3oPMMckKpT4=",
        "qDiJO9OdAP6RrGT+La4INeJ0xUn+2f9cAGXvVB+RXMHULajzyzm9K+9d09AzGsPpOnlhS2PUR5Gd7SkE59beAg==",
    ),
]


@pytest.fixture(params=["rsa", "ed25519"])
def pair(request):
    return rsa_key() if request.param == "rsa" else ed25519_key()


def keys_with(pair, skew_ms=10_000, **more):
    keys = Keys(None, skew_ms)
    keys.add(ApiKey("k", "m", public_pem(pair), **more))
    return keys


def refused(keys, headers, method="GET", path=PATH):
    with pytest.raises(Refusal) as caught:
        keys.caller(headers, method, path, NOW)
    assert caught.value.status == 401
    return caught.value.body["error"]["details"]


@pytest.mark.parametrize(("key", "signature"), OPENSSL, ids=["rsa", "ed25519"])
def test_signatures_of_openssl(key, signature):
    """Both kinds as another implementation makes them; one changed byte of the message breaks them."""
    pem = f"-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----"
    signed = base64.b64decode(signature)
    assert is_signed_by(public_key(pem), MESSAGE, signed)
    assert not is_signed_by(public_key(pem), MESSAGE + b"s", signed)


def test_the_caller_is_found(pair):
    """Key id, timestamp and signature together name the member."""
    caller = keys_with(pair).caller(headers("k", pair, "GET", PATH, NOW), "get", PATH, NOW)
    assert caller.member == "m"
    assert caller.kind == ("ed25519" if pair is ed25519_key() else "rsa")


def test_what_is_signed(pair):
    """Method and path are part of the message, and so is the timestamp."""
    keys, good = keys_with(pair), headers("k", pair, "GET", PATH, NOW)
    assert refused(keys, good, method="POST") == "INCORRECT_API_KEY_SIGNATURE"
    assert refused(keys, good, path=PATH + "/x") == "INCORRECT_API_KEY_SIGNATURE"
    assert refused(keys, good | {"KALSHI-ACCESS-TIMESTAMP": str(NOW + 1)}) == "INCORRECT_API_KEY_SIGNATURE"


def test_another_key_of_the_same_kind():
    """A signature of a key that was not registered."""
    stranger = headers("k", ed25519_key("second"), "GET", PATH, NOW)
    assert refused(keys_with(ed25519_key()), stranger) == "INCORRECT_API_KEY_SIGNATURE"


@pytest.mark.parametrize("text", ["", "%%%", "AAAA", "é"])
def test_signatures_that_are_none(pair, text):
    """No, odd or short base64 is a wrong signature, not a crash."""
    given = headers("k", pair, "GET", PATH, NOW) | {"KALSHI-ACCESS-SIGNATURE": text}
    assert refused(keys_with(pair), given) == "INCORRECT_API_KEY_SIGNATURE"


def test_the_skew_window():
    """10 s both ways by default; a setting makes it 5 s."""
    key = ed25519_key()
    for ahead in (-10_000, 10_000):
        keys_with(key).caller(headers("k", key, "GET", PATH, NOW + ahead), "GET", PATH, NOW)
        late = headers("k", key, "GET", PATH, NOW + ahead + (1 if ahead > 0 else -1))
        assert refused(keys_with(key), late) == "TIMESTAMP_OUT_OF_WINDOW"
        assert refused(keys_with(key, 5_000), headers("k", key, "GET", PATH, NOW + ahead)) == "TIMESTAMP_OUT_OF_WINDOW"


@pytest.mark.parametrize("stamp", ["", "now", "-1", "1.5", "9" * 5000, "٣"])
def test_timestamps_that_are_none(stamp):
    """Decimal ms or a refusal."""
    key = ed25519_key()
    given = headers("k", key, "GET", PATH, NOW) | {"KALSHI-ACCESS-TIMESTAMP": stamp}
    assert refused(keys_with(key), given) == "INVALID_TIMESTAMP"


def test_unknown_and_removed_keys():
    """A key that was removed opens nothing."""
    key = ed25519_key()
    keys = keys_with(key)
    assert refused(keys, headers("other", key, "GET", PATH, NOW)) == "NOT_FOUND"
    assert keys.remove("k")
    assert not keys.remove("k")
    assert refused(keys, headers("k", key, "GET", PATH, NOW)) == "NOT_FOUND"


def test_scopes():
    """A scope admits all its children, a child only itself."""
    key = ApiKey("k", "m", "", scopes=("read", "write::trade"))
    key.allow("read", "portfolio_balance")
    key.allow("write", "trade")
    with pytest.raises(Refusal) as caught:
        key.allow("write", "transfer")
    assert caught.value.status == 403


def test_region():
    """A lapsed attestation closes some categories, from its second on."""
    key = ApiKey("k", "m", "", region_expires_s=100)
    key.check_region("Sports", {"Sports"}, 99.9)
    key.check_region("Crypto", {"Sports"}, 100)
    with pytest.raises(Refusal) as caught:
        key.check_region("Sports", {"Sports"}, 100)
    assert caught.value.status == 403


def test_keys_are_kept(tmp_path):
    """The next start knows them, with all they are allowed."""
    store, key = tmp_path / "keys.json", ed25519_key()
    added = Keys(store, 10_000).add(ApiKey("", "m", public_pem(key), scopes=("read",), subaccount=3))
    assert Keys(store, 10_000).of("m") == [added]
    assert Keys(store, 10_000).of("other") == []


def test_what_is_no_public_key():
    """A private key, and text, are refused in one line."""
    for text in ("", "nonsense", rsa_key().export_key().decode(), ed25519_key().export_key(format="PEM")):
        with pytest.raises(ValueError, match="public_key must be the PEM"):
            public_key(text)
