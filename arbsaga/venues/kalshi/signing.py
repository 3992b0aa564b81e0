"""The account's API key: signs every request and the WebSocket's handshake.

Signed is timestamp (ms) + METHOD + path; the path has its /trade-api prefix and no query, the body is not signed.
RSA keys: RSA-PSS with SHA-256, MGF1 over SHA-256, a salt as long as the digest; Ed25519 keys: plain Ed25519.
Source: docs.kalshi.com, API keys; auth.py of the official client.
"""

import base64
import time
from collections.abc import Callable
from typing import Final

from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC, RSA
from Crypto.Signature import eddsa, pss
from pydantic import SecretStr

from arbsaga.errors import ConfigError

KEY_HEADER: Final = "KALSHI-ACCESS-KEY"
TIMESTAMP_HEADER: Final = "KALSHI-ACCESS-TIMESTAMP"
SIGNATURE_HEADER: Final = "KALSHI-ACCESS-SIGNATURE"

PrivateKey = RSA.RsaKey | ECC.EccKey

_CURVE: Final = "Ed25519"
_WANTED: Final = "give the whole PEM text of the RSA or Ed25519 private key that was made with the key id"


def wall_ms() -> int:
    """Ms since the epoch."""
    return time.time_ns() // 1_000_000


class Signer:
    """Signs as one API key. `clock` is the wall clock in ms. Never shows the key. Raises ConfigError for a bad PEM."""

    def __init__(self, key_id: str, private_key: SecretStr, clock: Callable[[], int] = wall_ms) -> None:
        self.key_id, self._clock = key_id, clock
        self._sign = _signature(read_key(private_key))

    def __repr__(self) -> str:
        return f"Signer(key_id={self.key_id!r})"

    def headers(self, method: str, path: str) -> dict[str, str]:
        """The headers of a request. `path` is the whole one of the URL; a query is left out of what is signed."""
        stamp = str(self._clock())
        signed = self._sign(f"{stamp}{method.upper()}{path.partition('?')[0]}".encode())
        return {
            KEY_HEADER: self.key_id,
            TIMESTAMP_HEADER: stamp,
            SIGNATURE_HEADER: base64.b64encode(signed).decode(),
        }


def read_key(secret: SecretStr) -> PrivateKey:
    """The key of a PEM text; `\\n` written out, as environment files have it, is read as the end of a line.

    Raises ConfigError, which never shows the text.
    """
    pem = secret.get_secret_value().strip().replace("\\n", "\n")
    if "ENCRYPTED" in pem:
        raise ConfigError(f"the Kalshi private key is locked by a passphrase: take that off, then {_WANTED}")
    key = _imported(pem)
    if key is None:
        raise ConfigError(f"the Kalshi private key is no key: {_WANTED}")
    if not key.has_private():
        raise ConfigError(f"the Kalshi private key is a public one: {_WANTED}")
    if isinstance(key, ECC.EccKey) and key.curve != _CURVE:
        raise ConfigError(f"the Kalshi private key is of the curve {key.curve}: {_WANTED}")
    return key


def _imported(pem: str) -> PrivateKey | None:
    """No error is chained: its text and context could show the key."""
    try:
        return RSA.import_key(pem)
    except (ValueError, IndexError, TypeError):
        pass
    try:
        return ECC.import_key(pem)
    except (ValueError, IndexError, TypeError):
        return None


def _signature(key: PrivateKey) -> Callable[[bytes], bytes]:
    if isinstance(key, RSA.RsaKey):
        padded = pss.new(key, salt_bytes=SHA256.digest_size)
        return lambda message: padded.sign(SHA256.new(message))
    plain = eddsa.new(key, "rfc8032")
    return plain.sign
