"""The doctor's look at Kalshi: key and scope, clock, attestation, collateral by shard, limits, and the pairs."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from arbsaga.domain.money import Usd
from arbsaga.errors import ArbsagaError, VenueError
from arbsaga.pairs import Disabled
from arbsaga.pairs.asking import Stated, states
from arbsaga.pairs.registry import load
from arbsaga.venues.kalshi import KalshiSettings, KalshiVenue
from arbsaga.venues.kalshi.attestation import attested_until_s
from arbsaga.venues.kalshi.checking import check_key
from arbsaga.venues.kalshi.halts import halted
from arbsaga.venues.kalshi.rest import Rest
from arbsaga.venues.kalshi.signing import Signer, wall_ms
from arbsaga.venues.kalshi.wire import decimal
from arbsaga.venues.port import Venue
from workers.doctor import GOOD_SKEW_S, VENUE_LIMIT_S, Check, Status

SOON_DAYS = 7
"""An attestation that lapses sooner is told of."""
CREATE_COST = 10
"""Tokens of one order or one read (docs.kalshi.com, rate limits)."""
_CLOSED = "sports, elections and entertainment"


@dataclass(frozen=True, slots=True)
class KalshiSubject:
    """What is examined. `settings` raises UserError for a key that is none; `per_trade` is what one trade may cost, in
    USD. `pairs` is the registry's file, which is looked at where both venues can be asked: `others` opens the others.
    """

    settings: Callable[[], KalshiSettings]
    others: Callable[[], Mapping[str, Venue]]
    pairs: Path
    per_trade: Usd
    on_paper: bool = False


async def examine_kalshi(subject: KalshiSubject) -> list[Check]:
    """Every check of Kalshi, in the order in which a person should mend them. Never raises for what it finds."""
    try:
        settings = subject.settings()
    except ArbsagaError as error:
        return [_fail("kalshi key", error)]
    rest, venue = Rest(settings, Signer(settings.key_id, settings.private_key)), KalshiVenue(settings)
    try:
        async with asyncio.timeout(VENUE_LIMIT_S):
            return await _examine(subject, settings, rest, venue)
    except TimeoutError:
        return [Check("kalshi key", Status.FAIL, f"Kalshi did not answer within {VENUE_LIMIT_S:g} s: try again")]
    finally:
        await venue.close()
        await rest.close()


async def _examine(subject: KalshiSubject, settings: KalshiSettings, rest: Rest, venue: KalshiVenue) -> list[Check]:
    try:
        key = await check_key(rest, settings.key_id, settings.read_timeout_ms, wall_ms)
    except ArbsagaError as error:
        return [_fail("kalshi key", error)]
    good = Check("kalshi key", Status.OK, f"{settings.key_id} may read and trade")
    others = subject.others()
    try:
        stated = await _stated(subject, {**others, venue.name: venue})
        pairs = [stated] if isinstance(stated, Check) else [_pairs(stated)]
        shards = {} if isinstance(stated, Check) else await _shards(stated, venue)
    finally:
        await asyncio.gather(*(other.close() for other in others.values()))
    asked = (_clock(settings, rest), _status(rest), _limits(rest), _collateral(rest, shards, subject.per_trade))
    return [good, _attestation(key, wall_ms() / 1000), *[await _told(one) for one in asked], *pairs]


async def _told(check: Awaitable[Check]) -> Check:
    try:
        return await check
    except VenueError as error:
        return _fail("kalshi", error)


def _attestation(key: Mapping[str, Any], now_s: float) -> Check:
    """Once it has lapsed the key cannot trade some categories (Kalshi's changelog, 2026-08-16)."""
    name = "kalshi attestation"
    until_s = attested_until_s(key)
    if until_s is None:
        return Check(name, Status.OK, "the venue names no end of the key's location attestation")
    day, left = f"{datetime.fromtimestamp(until_s, UTC):%Y-%m-%d %H:%M} UTC", (until_s - now_s) / 86_400
    mend = "attest your location anew at kalshi.com, API keys"
    if left <= 0:
        return Check(name, Status.WARN, f"lapsed on {day}: no orders in {_CLOSED}; {mend}")
    if left < SOON_DAYS:
        return Check(name, Status.WARN, f"lapses on {day}: then no orders in {_CLOSED}; {mend}")
    return Check(name, Status.OK, f"good until {day}")


async def _clock(settings: KalshiSettings, rest: Rest) -> Check:
    before_ms = wall_ms()
    answer = await rest.ask("GET", "/exchange/status", timeout_s=settings.read_timeout_ms / 1000)
    try:
        theirs_s = parsedate_to_datetime(answer.date).timestamp()
    except ValueError:
        return Check("kalshi clock", Status.WARN, "Kalshi's answers tell no time: keep NTP running")
    skew_s = (before_ms + wall_ms()) / 2_000 - (theirs_s + 0.5)  # it tells whole seconds, cut off
    if abs(skew_s) <= GOOD_SKEW_S:
        return Check("kalshi clock", Status.OK, "agrees with the venue's")
    return Check("kalshi clock", Status.WARN, f"this computer's clock is {skew_s:+.0f} s off Kalshi's: set it by NTP")


async def _status(rest: Rest) -> Check:
    reason = halted(await rest.get("/exchange/status"), "0")
    if reason:
        return Check("kalshi exchange", Status.WARN, f"{reason}: no order is sent until it goes on")
    return Check("kalshi exchange", Status.OK, "takes orders")


async def _limits(rest: Rest) -> Check:
    raw = await rest.get("/account/limits")
    try:
        reads, writes = (int(raw[name]["refill_rate"]) // CREATE_COST for name in ("read", "write"))
        tier = str(raw["usage_tier"])
    except (KeyError, TypeError, ValueError):
        return Check("kalshi limits", Status.WARN, "cannot be read: orders beyond the venue's rate are refused")
    return Check("kalshi limits", Status.OK, f"{tier}: {writes} orders and {reads} reads a second")


async def _collateral(rest: Rest, shards: Mapping[str, Sequence[str]], per_trade: Usd) -> Check:
    """Cash must be on the shard of an order before it is placed (docs.kalshi.com, exchange sharding)."""
    try:
        free = await _free(rest, shards)
    except (KeyError, TypeError, ValueError):
        return Check("kalshi collateral", Status.FAIL, "the balance cannot be read: look at kalshi.com")
    told = ", ".join(f"{usd:.2f} USD on shard {shard}" for shard, usd in sorted(free.items()))
    if not any(usd > 0 for usd in free.values()):
        return Check("kalshi collateral", Status.FAIL, "there is no cash on any shard: deposit some")
    mend = "move some there at kalshi.com (POST /portfolio/intra_exchange_instance_transfer)"
    for shard, names in sorted(shards.items()):
        if free[shard] < per_trade:
            status = Status.WARN if free[shard] else Status.FAIL
            line = f"{free[shard]:.2f} USD on shard {shard}, where {', '.join(names)} trades"
            return Check("kalshi collateral", status, f"{line}, {per_trade:.2f} may be needed: {mend}")
    return Check("kalshi collateral", Status.OK, told)


async def _free(rest: Rest, shards: Iterable[str]) -> dict[str, Usd]:
    """USD by shard, each by a read of its own: the unit of the amounts in `balance_breakdown` is not documented."""
    whole = await rest.get("/portfolio/balance")
    named = {str(int(decimal(one["exchange_index"]))) for one in whole["balance_breakdown"]} | {*shards}
    return {
        shard: Usd(decimal((await rest.get("/portfolio/balance", {"exchange_index": shard}))["balance_dollars"]))
        for shard in sorted(named)
    }


async def _stated(subject: KalshiSubject, venues: Mapping[str, Venue]) -> Check | tuple[Stated, ...]:
    try:
        return await states(load(subject.pairs).pairs, venues, wall_ms(), paper=subject.on_paper)
    except ArbsagaError as error:
        return _fail("pairs", error)


async def _shards(stated: Sequence[Stated], venue: KalshiVenue) -> dict[str, list[str]]:
    """The pairs that may be traded, by the shard that pays for them."""
    found: dict[str, list[str]] = {}
    for one in stated:
        if isinstance(one.state, Disabled):
            continue
        for ref in (one.pair.a, one.pair.b):
            if ref.venue == venue.name:
                try:
                    listing = await venue.listing(ref.market)
                except ArbsagaError:
                    continue  # asked about a moment ago: what is wrong with it, the pairs' own line says next time
                found.setdefault(listing.yes.rules.pocket, []).append(one.pair.name)
    return found


def _pairs(stated: Sequence[Stated]) -> Check:
    disabled = [(one.pair.name, one.state.reason) for one in stated if isinstance(one.state, Disabled)]
    if not stated:
        return Check("pairs", Status.WARN, "none is approved: `arbsaga pairs suggest`, then `arbsaga pairs approve`")
    if disabled:
        name, reason = disabled[0]
        line = f"{len(disabled)} of {len(stated)} are not traded, as {name}: {' '.join(reason.split())}"
        return Check("pairs", Status.WARN, f"{line}; `arbsaga pairs check`")
    return Check("pairs", Status.OK, f"{len(stated)} approved, all as they were")


def _fail(name: str, error: ArbsagaError) -> Check:
    return Check(name, Status.FAIL, " ".join(str(error).split()))
