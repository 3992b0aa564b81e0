"""Who is calling: L1 (a wallet signature, for API keys) and L2 (an HMAC over each private request).

API keys are a pure function of (address, nonce), so a client sees the same ones after a restart of the exchange.
Texts: docs.polymarket.com error codes.
"""

import base64
import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from arbsaga.exchange.polymarket.replies import Refusal
from arbsaga.exchange.polymarket.signatures import checksum, login_signer

_SEED = b"simulated polymarket api keys"

BAD_LOGIN = "Invalid L1 Request headers"
BAD_KEY = "Unauthorized/Invalid api key"
CANNOT_CREATE = "Could not create api key"
CANNOT_DERIVE = "Could not derive api key!"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Credentials of one (address, nonce). `address` is the checksummed signing key, never a proxy wallet."""

    address: str
    nonce: int
    key: str
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)


def credentials(address: str, nonce: int) -> ApiKey:
    """The credentials of a checksummed address and a nonce."""
    seed = hmac.digest(_SEED, f"{address.lower()}/{nonce}".encode(), "sha512")
    name = uuid.UUID(bytes=seed[:16], version=4)
    secret = base64.urlsafe_b64encode(seed[16:48]).decode()
    return ApiKey(address, nonce, str(name), secret, hmac.digest(_SEED, seed, "sha256").hex())


def request_signature(secret: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    """HMAC-SHA256, URL-safe base64 with padding, over timestamp + method + path (no query, no prefix) + body."""
    message = (timestamp + method + path).encode() + body
    return base64.urlsafe_b64encode(hmac.digest(base64.urlsafe_b64decode(secret), message, "sha256")).decode()


class Keys:
    """The API keys that were created, and the check of both kinds of headers.

    `store` is the file they are kept in (None: memory only). `skew_s` bounds the distance between the headers'
    timestamp and our clock; 0 does not look, since the venue's tolerance is not documented.
    """

    def __init__(self, store: Path | None = None, skew_s: float = 0) -> None:
        self._store = store
        self._skew_s = skew_s
        stored = json.loads(store.read_text()) if store is not None and store.exists() else []
        self._keys = {found.key: found for found in (credentials(address, nonce) for address, nonce in stored)}

    def login(self, headers: Mapping[str, str], now_ms: int) -> tuple[str, int]:
        """(checksummed address, nonce) proved by L1 headers. Raises Refusal(401)."""
        try:
            address = checksum(headers["POLY_ADDRESS"])
            nonce = int(headers.get("POLY_NONCE", "0"))
            timestamp = headers["POLY_TIMESTAMP"]
            signature = bytes.fromhex(headers["POLY_SIGNATURE"].removeprefix("0x"))
            fresh = self._is_fresh(timestamp, now_ms)
            signer = login_signer(address, timestamp, nonce, signature)
        except (KeyError, ValueError):
            raise Refusal(401, BAD_LOGIN) from None
        if signer != address or not fresh:
            raise Refusal(401, BAD_LOGIN)
        return address, nonce

    def create(self, address: str, nonce: int) -> ApiKey:
        """A new key. Raises Refusal(400) when this (address, nonce) has one already, as the venue does."""
        created = credentials(address, nonce)
        if created.key in self._keys:
            raise Refusal(400, CANNOT_CREATE)
        self._keys[created.key] = created
        self._save()
        return created

    def derive(self, address: str, nonce: int) -> ApiKey:
        """The key of (address, nonce). Raises Refusal(400) when none was created, or it was deleted."""
        derived = self._keys.get(credentials(address, nonce).key)
        if derived is None:
            raise Refusal(400, CANNOT_DERIVE)
        return derived

    def delete(self, caller: ApiKey) -> None:
        """Forgets a key: it opens nothing from now on."""
        del self._keys[caller.key]
        self._save()

    def of_address(self, address: str) -> list[str]:
        """Ids of the keys of a checksummed address."""
        return [key for key, found in self._keys.items() if found.address == address]

    def of_credentials(self, key: str, secret: str, passphrase: str) -> ApiKey | None:
        """The key of a user-channel login, which has all credentials in it and no signature."""
        found = self._keys.get(key)
        if found is None or not _same(found.secret, secret) or not _same(found.passphrase, passphrase):
            return None
        return found

    def caller(self, headers: Mapping[str, str], method: str, path: str, body: bytes, now_ms: int) -> ApiKey:
        """The API key that made a private request, proved by its L2 headers. Raises Refusal(401)."""
        try:
            found = self._keys.get(headers["POLY_API_KEY"])
            timestamp = headers["POLY_TIMESTAMP"]
            address, passphrase = headers["POLY_ADDRESS"], headers["POLY_PASSPHRASE"]
            signature = headers["POLY_SIGNATURE"]
            fresh = self._is_fresh(timestamp, now_ms)
        except (KeyError, ValueError):
            raise Refusal(401, BAD_KEY) from None
        if found is None or not fresh or address.lower() != found.address.lower():
            raise Refusal(401, BAD_KEY)
        expected = request_signature(found.secret, timestamp, method, path, body)
        if not _same(passphrase, found.passphrase) or not _same(signature, expected):
            raise Refusal(401, BAD_KEY)
        return found

    def _is_fresh(self, timestamp: str, now_ms: int) -> bool:
        if not timestamp.isdecimal():
            raise ValueError("timestamp")
        return not self._skew_s or abs(int(timestamp) - now_ms / 1000) <= self._skew_s

    def _save(self) -> None:
        if self._store is not None:
            self._store.write_text(json.dumps([[found.address, found.nonce] for found in self._keys.values()]))


def _same(given: str, expected: str) -> bool:
    """Compared in constant time, as a real exchange must."""
    return hmac.compare_digest(given.encode(), expected.encode())
