"""Ids as the venue's services write them, which is not everywhere the same."""

import hashlib

from arbsaga.exchange.model import Market


def gamma_id(condition_id: str) -> str:
    """Gamma's numeric id of a market: a pure function of its condition id, so that it survives a restart."""
    return str(int.from_bytes(hashlib.sha256(condition_id.encode()).digest()[:6], "big") + 1)


def short_condition(market: Market) -> str:
    """Gamma writes the condition id of a Protocol V2 market in 31 bytes, the CLOB in 32 (right-padded with 00)."""
    return market.condition_id[:64] if market.version == "v2" else market.condition_id


def condition_key(text: str) -> str:
    """The 32-byte condition id of either form."""
    return (text + "00").lower() if len(text) == 64 else text.lower()


def outcome_of(market: Market, token_id: str) -> str:
    """The label of a market's token."""
    return "Yes" if token_id == market.token_ids[0] else "No"
