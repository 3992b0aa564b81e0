"""Condition and token ids in the venue's two layouts, and the exchange contract that settles a market.

The official SDK signs for Protocol V2 when bits 40..103 of a token id are all zero, whatever Gamma says, so v1 ids
must have a bit set there. (SDK `_internal/protocol.py`; Polymarket/polymarket-v2-external docs/position-ids.md.)
"""

import hashlib
from typing import Final

from arbsaga.exchange.model import Market

RESERVED_BITS: Final = ((1 << 64) - 1) << 40
CHAIN: Final = 137
BINARY_MODULE, NEG_RISK_MODULE = 1, 2

CTF_EXCHANGE: Final = "0xE111180000d2663C0091e4f400237545B87B996B"
NEG_RISK_EXCHANGE: Final = "0xe2222d279d744050d28e00520010520000310F59"
EXCHANGE_V3: Final = "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"


def spender_of(market: Market) -> str:
    """The exchange contract whose allowance an order in this market needs."""
    if market.version == "v2":
        return EXCHANGE_V3
    return NEG_RISK_EXCHANGE if market.neg_risk else CTF_EXCHANGE


def v1_ids(seed: str) -> tuple[str, tuple[str, str]]:
    """(condition id of 32 bytes, (YES, NO) token ids): hashes, as ConditionalTokens makes them."""
    yes, no = (int.from_bytes(_hash(f"{seed} {side}", 32)) | 1 << 40 for side in ("yes", "no"))
    return "0x" + _hash(f"{seed} condition", 32).hex(), (str(yes), str(no))


def v2_ids(event_seed: str, *, index: int, arity: int, neg_risk: bool) -> tuple[str, tuple[str, str]]:
    """(condition id right-padded to 32 bytes as the CLOB wants it, (YES, NO) position ids) of Protocol V2.

    Layout from the top: module 8 bits, base hash 128, arity 16, reserved 64, chain 16, condition index 16, outcome 8.
    """
    module = NEG_RISK_MODULE if neg_risk else BINARY_MODULE
    base = int.from_bytes(_hash(event_seed, 16))
    condition = module << 248 | base << 120 | arity << 104 | CHAIN << 24 | index << 8
    return f"0x{condition:064x}", (str(condition), str(condition | 1))


def v2_event_id(condition_id: str) -> str:
    """The on-chain event id of a V2 condition: the condition index cleared too."""
    return condition_id[:-6] + "000000"


def check_ids(market: Market) -> None:
    """Raises ValueError where the token ids would make the official SDK sign for the wrong exchange."""
    yes, no = (int(token_id) for token_id in market.token_ids)
    looks_v2 = not (yes & RESERVED_BITS and no & RESERVED_BITS)
    if looks_v2 != (market.version == "v2"):
        raise ValueError(f"market {market.slug}: its token ids are not laid out as {market.version}")
    if market.version == "v2" and (no != yes | 1 or int(market.condition_id, 16) != yes or yes & 0xFF):
        raise ValueError(f"market {market.slug}: v2 ids must differ in the outcome byte only")


def _hash(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=size).digest()
