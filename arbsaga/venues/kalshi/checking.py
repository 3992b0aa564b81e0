"""What is checked before anything is traded: the clock, the key and what it may do, and that there is collateral."""

import asyncio
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

import structlog

from arbsaga.errors import SecretError, Unavailable, UserError, VenueError
from arbsaga.venues.kalshi.account import Account
from arbsaga.venues.kalshi.attestation import attested_until_s
from arbsaga.venues.kalshi.rest import Answer, Rest
from arbsaga.venues.kalshi.wire import Fault

MAX_SKEW_S: Final = 4
"""Requests are signed with our clock: 5 s off were accepted on the venue's demo, 30 s were not."""
EMPTY_S: Final = 3
"""An account is empty once it was so for this long: reads lag by up to 2 s."""
_WRITES: Final = ("write", "write::trade")
_MENDS: Final = {
    "NOT_FOUND": "the venue does not know it: mend key_id",
    "INCORRECT_API_KEY_SIGNATURE": "the private key is not the one that belongs to it: mend private_key",
    "TIMESTAMP_OUT_OF_WINDOW": "this computer's clock is off: set it by NTP",
}

log = structlog.get_logger()


async def check_key(rest: Rest, key_id: str, timeout_ms: int, clock: Callable[[], int]) -> Mapping[str, Any]:
    """The answer of GET /api_keys, once the clock and the key are found good.

    Raises UserError for a clock that is off or a key that cannot trade, SecretError for one that the venue refuses,
    Unavailable where it does not answer.
    """
    before_ms = clock()
    try:
        answer = await rest.ask("GET", "/api_keys", timeout_s=timeout_ms / 1000)
        _check_clock(answer, (before_ms + clock()) / 2_000)
        if answer.status in (401, 403):
            raise _refusal(key_id, answer.fault)
        body = answer.body() if answer.status < 300 else None
    except VenueError as error:
        raise Unavailable(f"Kalshi does not answer: {error}") from error
    if not isinstance(body, Mapping):
        raise Unavailable(f"Kalshi does not answer: /api_keys: {answer.fault}")
    _check_scopes(key_id, body)
    return body


def _check_clock(answer: Answer, now_s: float) -> None:
    try:
        theirs_s = parsedate_to_datetime(answer.date).timestamp()
    except ValueError:
        return  # no clock in the answer: its signature will show whether ours is good
    skew_s = now_s - (theirs_s + 0.5)  # it tells whole seconds
    if abs(skew_s) > MAX_SKEW_S:
        raise UserError(f"this computer's clock is {skew_s:+.0f} s off Kalshi's: set it by NTP")


def _refusal(key_id: str, fault: Fault) -> UserError:
    if fault.status == 403:
        return UserError(f"the Kalshi key {key_id} may not read its account ({fault}): give it the scope read")
    mend = next((mend for sign, mend in _MENDS.items() if sign in fault.text), str(fault))
    return SecretError(f"Kalshi refuses the key {key_id}: {mend}")


def _check_scopes(key_id: str, body: Mapping[str, Any]) -> None:
    keys = [one for one in body.get("api_keys") or () if isinstance(one, Mapping)]
    own = next((one for one in keys if one.get("api_key_id") == key_id), None)
    if own is None:
        log.warning("the key is not listed: its scopes are not known", key_id=key_id)
        return
    if own.get("subaccount"):
        raise UserError(
            f"the Kalshi key {key_id} is locked to subaccount {own['subaccount']}: make one for the primary account"
        )
    scopes = own.get("scopes")
    if isinstance(scopes, list) and not any(scope in _WRITES for scope in scopes):
        raise UserError(f"the Kalshi key {key_id} may not trade (scopes: {', '.join(scopes)}): make one with write")


def warn_of_attestation(body: Mapping[str, Any], now_s: float) -> None:
    """Once it has lapsed the key cannot trade sports, elections and entertainment (changelog 2026-08-16)."""
    until_s = attested_until_s(body)
    if until_s is None:
        return
    left_s = until_s - now_s
    if left_s <= 0:
        log.warning("the key's location attestation has lapsed: no sports, elections or entertainment markets")
    else:
        log.info("the key's location attestation", days_left=round(left_s / 86_400, 1))


async def check_collateral(account: Account) -> None:
    """Raises UserError for an account with nothing in it, Unavailable where it cannot be read.

    One whose cash is all in positions or resting orders must start: its trades go on. Reads lag, so that a deposit of
    just now is waited for.
    """
    end = time.monotonic() + EMPTY_S
    try:
        while not await _has_anything(account):
            if time.monotonic() >= end:
                raise UserError(
                    "the Kalshi account has no collateral on any shard: deposit, or give the key of another account"
                )
            await asyncio.sleep(EMPTY_S / 10)
    except VenueError as error:
        raise Unavailable(f"the Kalshi account cannot be read: {error}") from error


async def _has_anything(account: Account) -> bool:
    return await account.free() > 0 or bool(await account.resting()) or await account.holds()
