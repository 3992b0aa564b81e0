"""The key is checked with one clear line, and shown nowhere."""

import logging
import traceback

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from arbsaga.errors import ConfigError, SecretError, UserError
from arbsaga.venues.polymarket import PolymarketSettings, PolymarketVenue, generate_key
from arbsaga.venues.polymarket.client import deposit_wallets
from arbsaga.venues.polymarket.rest import Credentials
from arbsaga.venues.polymarket.signing import Signer

from .make import KEY, OWNER
from .rig import terms, until

HIDDEN = "5f" * 32


def test_address_of_a_key():
    """With or without 0x, and with a line end, as a file has it."""
    for text in (KEY, KEY.removeprefix("0x"), KEY + "\n"):
        assert Signer(PolymarketSettings(text)).address == OWNER


def test_fresh_keys_differ_and_work():
    first, second = generate_key(), generate_key()
    assert Signer(PolymarketSettings(first)).wallet != Signer(PolymarketSettings(second)).wallet


def test_repr_never_shows_the_key():
    settings = PolymarketSettings(HIDDEN)
    credentials = Credentials(OWNER, "key", "the secret", "the passphrase")
    shown = "".join(map(repr, (settings, Signer(settings), PolymarketVenue(settings), generate_key(), credentials)))
    assert HIDDEN not in shown
    assert "the secret" not in shown
    assert "the passphrase" not in shown


@pytest.mark.parametrize("text", ["", "0x12", HIDDEN + "00", "zz" * 32, "00" * 32, "ff" * 32, HIDDEN[:-1] + "x"])
def test_bad_key_is_one_line_without_the_key(text):
    """Neither the message nor the chained errors of the traceback hold what was given."""
    with pytest.raises(SecretError) as caught:
        PolymarketVenue(PolymarketSettings(text))
    told = "".join(traceback.format_exception(caught.value))
    assert "\n" not in str(caught.value)
    assert "64 hex digits" in str(caught.value)
    assert not text or text not in told
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_wallet_must_be_the_keys():
    """Traps 7.5 and 7.8: a wrong funder or signature type shows as balance 0 or refused orders at the venue."""
    beacon, uups = deposit_wallets(OWNER)
    assert Signer(PolymarketSettings(KEY)).wallet == OWNER
    assert Signer(PolymarketSettings(KEY, signature_type=3)).wallet == beacon
    assert Signer(PolymarketSettings(KEY, wallet=uups.lower(), signature_type=3)).wallet == uups
    with pytest.raises(UserError, match="is not the own address of this key"):
        Signer(PolymarketSettings(KEY, wallet=beacon))
    with pytest.raises(UserError, match="is not the deposit wallet of this key"):
        Signer(PolymarketSettings(KEY, wallet=OWNER, signature_type=3))


@pytest.mark.parametrize("kind", [1, 2, 4])
def test_unsupported_signature_type_is_one_line(kind):
    with pytest.raises(ConfigError, match="signature_type"):
        PolymarketSettings(KEY, signature_type=kind)


async def test_no_log_shows_a_secret(rig, caplog):
    """Not even with every library at DEBUG: HTTP headers and the login frame hold the API secret."""
    key = SecretStr("0x" + HIDDEN)
    with capture_logs() as ours, caplog.at_level(logging.DEBUG):
        venue = await rig.started(private_key=key)
        ((yes, _),) = await rig.instruments(venue, "1")
        (view,) = await venue.post([terms(yes, price="0.01")])
        await venue.cancel(view)
        await until(lambda: not venue._session.stream._told._expected)
        secrets = venue._session.credentials
    logged = caplog.text + repr(ours) + repr(view)
    for hidden in (HIDDEN, secrets.secret, secrets.passphrase):
        assert hidden not in logged
