"""Who may call: RSA-PSS or Ed25519 over timestamp + METHOD + path, and what a key is allowed.

The path has the /trade-api/v2 prefix and no query; the body is not signed. RSA-PSS: SHA-256, MGF1 with SHA-256, salt
as long as the digest (docs.kalshi.com, API keys; the official SDK's auth.py).
"""

import base64
import binascii
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC, RSA
from Crypto.Signature import eddsa, pss

from arbsaga.exchange.kalshi.replies import forbidden, unauthorized

KEY_HEADER: Final = "KALSHI-ACCESS-KEY"
TIMESTAMP_HEADER: Final = "KALSHI-ACCESS-TIMESTAMP"
SIGNATURE_HEADER: Final = "KALSHI-ACCESS-SIGNATURE"

_ED25519: Final = "Ed25519"
_LONGEST_STAMP: Final = 16
_NO_KEY: Final = "public_key must be the PEM of an RSA or Ed25519 public key, not of a private one"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A registered public key. `region_expires_s` (Unix time): from then on it cannot trade in closed categories."""

    key_id: str
    member: str
    public_key: str
    name: str = "key"
    scopes: tuple[str, ...] = ("read", "write")
    subaccount: int | None = None
    region_expires_s: int | None = None

    @property
    def kind(self) -> str:
        """The venue's name of the key's type: rsa or ed25519."""
        return "rsa" if isinstance(public_key(self.public_key), RSA.RsaKey) else "ed25519"

    def allow(self, scope: str, child: str) -> None:
        """Raises Refusal(403) unless the key has the scope, or this child of it (`write::trade`)."""
        if scope not in self.scopes and f"{scope}::{child}" not in self.scopes:
            raise forbidden("insufficient_scope", f"the key needs the scope {scope} or {scope}::{child}")

    def check_region(self, category: str, closed: Iterable[str], now_s: float) -> None:
        """Raises Refusal(403) where the location attestation has lapsed and the category needs one."""
        if self.region_expires_s is not None and now_s >= self.region_expires_s and category in closed:
            raise forbidden("region_attestation_expired", f"the key can no longer trade {category} markets")


def public_key(pem: str) -> RSA.RsaKey | ECC.EccKey:
    """The key of a PEM text. Raises ValueError for anything but an RSA or Ed25519 public key."""
    try:
        key = _imported(pem)
    except (ValueError, IndexError, TypeError):
        raise ValueError(_NO_KEY) from None
    if key.has_private() or (isinstance(key, ECC.EccKey) and key.curve != _ED25519):
        raise ValueError(_NO_KEY)
    return key


def _imported(pem: str) -> RSA.RsaKey | ECC.EccKey:
    try:
        return RSA.import_key(pem)
    except ValueError:
        return ECC.import_key(pem)


def is_signed_by(key: RSA.RsaKey | ECC.EccKey, message: bytes, signature: bytes) -> bool:
    """Whether the owner of this public key signed the message."""
    try:
        if isinstance(key, RSA.RsaKey):
            pss.new(key, salt_bytes=SHA256.digest_size).verify(SHA256.new(message), signature)
        else:
            eddsa.new(key, "rfc8032").verify(message, signature)
    except ValueError:
        return False
    return True


class Keys:
    """The registered keys, kept in the file `store` (None: memory only). `skew_ms` bounds a timestamp's distance."""

    def __init__(self, store: Path | None, skew_ms: int) -> None:
        self._store, self._skew_ms = store, skew_ms
        self._keys: dict[str, ApiKey] = {}
        self._parsed: dict[str, RSA.RsaKey | ECC.EccKey] = {}
        for found in json.loads(store.read_text()) if store is not None and store.exists() else []:
            self._take(ApiKey(**found | {"scopes": tuple(found["scopes"])}))

    def add(self, key: ApiKey) -> ApiKey:
        """Register a key; one without an id gets a new one. Raises ValueError for a text that is no public key."""
        registered = key if key.key_id else ApiKey(**asdict(key) | {"key_id": str(uuid.uuid4())})
        self._take(registered)
        self._save()
        return registered

    def remove(self, key_id: str) -> bool:
        """Forget a key. False where there is none."""
        found = self._keys.pop(key_id, None)
        self._parsed.pop(key_id, None)
        self._save()
        return found is not None

    def of(self, member: str) -> list[ApiKey]:
        """The keys of a member."""
        return [key for key in self._keys.values() if key.member == member]

    def caller(self, headers: Mapping[str, str], method: str, path: str, now_ms: int) -> ApiKey:
        """The key that signed this request. Raises Refusal(401)."""
        key_id, stamp = headers.get(KEY_HEADER, ""), headers.get(TIMESTAMP_HEADER, "")
        key = self._keys.get(key_id)
        if not stamp.isascii() or not stamp.isdecimal() or len(stamp) > _LONGEST_STAMP:
            raise unauthorized("INVALID_TIMESTAMP")
        if key is None:
            raise unauthorized("NOT_FOUND")
        if abs(int(stamp) - now_ms) > self._skew_ms:
            raise unauthorized("TIMESTAMP_OUT_OF_WINDOW")
        try:
            signature = base64.b64decode(headers.get(SIGNATURE_HEADER, ""), validate=True)
        except (binascii.Error, ValueError):
            signature = b""
        if not is_signed_by(self._parsed[key_id], f"{stamp}{method.upper()}{path}".encode(), signature):
            raise unauthorized("INCORRECT_API_KEY_SIGNATURE")
        return key

    def _take(self, key: ApiKey) -> None:
        self._parsed[key.key_id] = public_key(key.public_key)
        self._keys[key.key_id] = key

    def _save(self) -> None:
        if self._store is not None:
            self._store.write_text(json.dumps([asdict(key) for key in self._keys.values()]))
