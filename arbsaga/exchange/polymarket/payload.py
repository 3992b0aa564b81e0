"""Reads the body of POST /order: its shape, whose it is, and whether it is signed for the right exchange.

Texts: docs.polymarket.com error codes. Prices, sizes, ticks and balances are the engine's to judge.
"""

import re
from collections.abc import Mapping
from typing import Any

from arbsaga.errors import UnknownToken
from arbsaga.exchange.engine import Engine
from arbsaga.exchange.ids import spender_of
from arbsaga.exchange.model import Market, NewOrder
from arbsaga.exchange.polymarket.auth import ApiKey
from arbsaga.exchange.polymarket.replies import MALFORMED, Received, Refusal
from arbsaga.exchange.polymarket.signatures import (
    DEPOSIT_WALLET,
    SignedFields,
    checksum,
    digest,
    order_signer,
    struct_hash,
)
from arbsaga.exchange.polymarket.wallets import wallets_of

OLD_STRUCT = "order_version_mismatch"
WRONG_OWNER = "the order owner has to be the owner of the API KEY"
WRONG_SIGNER = "the order signer address has to be the address of the API KEY"
WRONG_SIGNATURE = "invalid signature"
BAD_TOKEN = "Invalid token id"  # noqa: S105  a text of the venue, not a secret

DELAYED_FROM_MS = 1000
"""From here on a taker order answers `delayed`; a shorter delay (250 ms on crypto markets) is held inside the call."""

_SIDES = {"BUY": 0, "SELL": 1}
_TYPES = frozenset({"GTC", "GTD", "FOK", "FAK"})
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\Z")
_DIGITS = re.compile(r"[0-9]{1,78}\Z")
_WORD = re.compile(r"0x[0-9a-fA-F]{64}\Z")
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*\Z")
_MAX_SAFE_NUMBER = (1 << 53) - 1


def read_order(payload: object, caller: ApiKey, engine: Engine, received: Received) -> NewOrder:
    """The order in one payload, proved to be the caller's. Raises Refusal(400) with the venue's text."""
    if not isinstance(payload, dict) or not isinstance(payload.get("order"), dict):
        raise Refusal(400, MALFORMED)
    raw: dict[str, Any] = payload["order"]
    if "timestamp" not in raw and ("nonce" in raw or "feeRateBps" in raw):
        raise Refusal(400, OLD_STRUCT)
    fields = _signed_fields(raw)
    order_type, post_only = payload.get("orderType"), payload.get("postOnly", False)
    if order_type not in _TYPES or not isinstance(post_only, bool):
        raise Refusal(400, MALFORMED)
    if payload.get("owner") != caller.key:
        raise Refusal(400, WRONG_OWNER)
    market = _market(engine, str(fields.token_id))
    order_id = _proved_id(fields, caller, spender_of(market), bytes.fromhex(raw["signature"][2:]))
    return NewOrder(
        order_id=order_id,
        maker=checksum(fields.maker),
        owner=caller.key,
        token_id=str(fields.token_id),
        side="SELL" if fields.side else "BUY",
        maker_amount=fields.maker_amount,
        taker_amount=fields.taker_amount,
        order_type=order_type,
        expiration=int(_text(raw, "expiration", _DIGITS, default="0")),
        post_only=post_only,
        received_ns=received.ns,
        received_ms=received.ms,
        salt=fields.salt,
        timestamp_ms=fields.timestamp,
        delay_ms=market.taker_delay_ms if market.taker_delay_ms >= DELAYED_FROM_MS else 0,
        metadata=raw["metadata"],
    )


def _signed_fields(raw: Mapping[str, Any]) -> SignedFields:
    salt, side, signature_type = raw.get("salt"), raw.get("side"), raw.get("signatureType")
    if type(salt) is not int or not 0 <= salt <= _MAX_SAFE_NUMBER or type(signature_type) is not int:
        raise Refusal(400, MALFORMED)
    if side not in _SIDES or signature_type not in range(4):
        raise Refusal(400, MALFORMED)
    _text(raw, "signature", _HEX)
    return SignedFields(
        salt=salt,
        maker=_text(raw, "maker", _ADDRESS),
        signer=_text(raw, "signer", _ADDRESS),
        token_id=int(_text(raw, "tokenId", _DIGITS)),
        maker_amount=int(_text(raw, "makerAmount", _DIGITS)),
        taker_amount=int(_text(raw, "takerAmount", _DIGITS)),
        side=_SIDES[side],
        signature_type=signature_type,
        timestamp=int(_text(raw, "timestamp", _DIGITS)),
        metadata=bytes.fromhex(_text(raw, "metadata", _WORD)[2:]),
        builder=bytes.fromhex(_text(raw, "builder", _WORD)[2:]),
    )


def _text(raw: Mapping[str, Any], key: str, form: re.Pattern[str], default: str | None = None) -> str:
    value = raw.get(key, default)
    if not isinstance(value, str) or form.match(value) is None:
        raise Refusal(400, MALFORMED)
    return value


def _market(engine: Engine, token_id: str) -> Market:
    try:
        return engine.market_of(token_id)
    except UnknownToken:
        raise Refusal(400, BAD_TOKEN) from None


def _proved_id(order: SignedFields, caller: ApiKey, contract: str, signature: bytes) -> str:
    """The order's id, once its signer is the caller and its money the signer's. Raises Refusal(400)."""
    own, *deposit_wallets = wallets_of(caller.address)
    allowed = deposit_wallets if order.signature_type == DEPOSIT_WALLET else [own]
    if checksum(order.signer) not in allowed:
        raise Refusal(400, WRONG_SIGNER)
    try:
        contents = struct_hash(order)
    except ValueError:
        raise Refusal(400, MALFORMED) from None
    signer = order_signer(contract, order, contents, signature)
    if signer != caller.address or order.maker.lower() != order.signer.lower():
        raise Refusal(400, WRONG_SIGNATURE)
    return "0x" + digest(contract, contents).hex()
