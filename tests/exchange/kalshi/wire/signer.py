"""Signs requests as a member does: RSA-PSS or Ed25519. Small RSA keys, for speed; their size is not looked at."""

import base64
import functools
import time

from Crypto.Hash import SHA256
from Crypto.PublicKey import ECC, RSA
from Crypto.Signature import eddsa, pss


@functools.cache
def rsa_key():
    return RSA.generate(2048)


@functools.cache
def ed25519_key(name="first"):
    return ECC.generate(curve="Ed25519")


def public_pem(key):
    text = key.public_key().export_key(format="PEM")
    return text.decode() if isinstance(text, bytes) else text


def signature(key, message):
    if isinstance(key, RSA.RsaKey):
        return pss.new(key, salt_bytes=32).sign(SHA256.new(message))
    return eddsa.new(key, "rfc8032").sign(message)


def now_ms():
    return time.time_ns() // 1_000_000


def headers(key_id, key, method, path, stamp=None):
    """The three headers; `path` has no query."""
    stamp = str(now_ms() if stamp is None else stamp)
    signed = signature(key, f"{stamp}{method}{path}".encode())
    return {
        "KALSHI-ACCESS-KEY": key_id,
        "KALSHI-ACCESS-TIMESTAMP": stamp,
        "KALSHI-ACCESS-SIGNATURE": base64.b64encode(signed).decode(),
    }
