"""The watchdog: its own process, which needs neither the trader nor Temporal to see what they left behind.

Every few seconds it compares the venue's open orders and positions with the ledger, looks whether every trade
moves and whether Temporal answers, and pages a person once for each incident, and once when it is over.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from arbsaga.errors import ArbsagaError
from arbsaga.ledger import Ledger
from arbsaga.notify import Alert, Pager, read_alerts
from arbsaga.reconcile import looking
from arbsaga.reconcile.findings import AtVenue, Kind, Snapshot, findings, mismatches
from arbsaga.reconcile.incidents import Incidents
from arbsaga.reconcile.looking import Question
from arbsaga.saga.messages import Page
from arbsaga.venues.listed import Listings
from arbsaga.venues.port import Venue
from arbsaga.venues.several import parts_of, venue_of
from workers.temporal_probe import probe

log = structlog.get_logger(__name__)

VENUE_LIMIT_S = 15.0
"""The venue has not answered when a whole look at it takes longer."""
FIRST_RETRY_MS, LONGEST_RETRY_MS = 5_000, 300_000
"""Pauses between tries to deliver a page that a service did not take."""


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """`account` is the ledger's; `alert_log` the pager's, where incidents are remembered.

    Looks every `every_ms`, and at shares every `shares_every_ms`. `temporal` is host:port, empty to leave it out. A
    trade that is idle for `stalled_ms` is paged, unless it waits for a settlement, for at most `settle_ms`.
    """

    account: str
    alert_log: Path
    temporal: str = ""
    temporal_tls: bool = False
    every_ms: int = 3_000
    shares_every_ms: int = 15_000
    stalled_ms: int = 30_000
    settle_ms: int = 600_000


async def watch(
    open_venue: Callable[[], Venue], ledger: Ledger, pager: Pager, settings: WatchSettings, stop: asyncio.Event
) -> None:
    """Watch until `stop` is set. Nothing that it watches can end it.

    `open_venue` makes a venue that is not started: it is started here, and anew for as long as that fails.
    """
    incidents = Incidents(_remembered(settings.alert_log), _now_ms())
    outbox = Outbox(pager, incidents.open)
    venue = WatchedVenue(open_venue, settings.shares_every_ms)
    try:
        while not stop.is_set():
            snapshot = await look(venue, ledger, settings)
            pages = incidents.update(findings(snapshot), snapshot.judged, snapshot.now_ms, snapshot.over)
            await outbox.deliver(pages, snapshot.now_ms)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), settings.every_ms / 1000)
    finally:
        await venue.close()


def _remembered(alert_log: Path) -> tuple[Alert, ...]:
    try:
        return read_alerts(alert_log)
    except OSError as error:
        log.warning("alert log cannot be read: open incidents are paged again", error=str(error))
        return ()


async def look(venue: "WatchedVenue", ledger: Ledger, settings: WatchSettings) -> Snapshot:
    """One look. The ledger after the venue: whatever the venue shows by then was written down before it was sent."""
    troubles: dict[Kind, str] = {}
    at_venue, in_ledger, question = None, None, None
    down: Mapping[str, str] = {}
    temporal = asyncio.ensure_future(_temporal(settings))
    with _noted(troubles, Kind.LEDGER):
        question = await asyncio.to_thread(looking.question, ledger, settings.account)
    if question:
        with _noted(troubles, Kind.VENUE):
            at_venue, down = await venue.look(question)
    if at_venue:
        with _noted(troubles, Kind.LEDGER):
            in_ledger = await asyncio.to_thread(looking.read, ledger, settings.account, at_venue)
    if down:
        troubles[Kind.VENUE] = "; ".join(f"{name}: {why}" for name, why in down.items())
        if at_venue and in_ledger:
            at_venue, in_ledger = looking.without(at_venue, in_ledger, down)
    if at_venue and in_ledger and (odd := mismatches(at_venue, in_ledger)):
        markets: Mapping[str, str] = {}
        with _noted(troubles, Kind.LEDGER):
            markets = await asyncio.to_thread(looking.markets, ledger, settings.account, odd)
        with _noted(troubles, Kind.VENUE):
            at_venue = replace(at_venue, resolved=await venue.resolved(markets))
    if why := await temporal:
        troubles[Kind.TEMPORAL] = why
    limits = settings.stalled_ms, settings.settle_ms
    return Snapshot(_now_ms(), at_venue, in_ledger, troubles, *limits, partial=bool(down))


@contextlib.contextmanager
def _noted(troubles: dict[Kind, str], kind: Kind) -> Iterator[None]:
    try:
        yield
    except (ArbsagaError, TimeoutError) as error:
        troubles[kind] = _words(error)
        log.warning("cannot look", at=kind, why=troubles[kind])


async def _temporal(settings: WatchSettings) -> str:
    return await probe(settings.temporal, tls=settings.temporal_tls) if settings.temporal else ""


class WatchedVenue:
    """The account's venues, each started when it can be. One that is down stops no look at the others."""

    def __init__(self, open_venue: Callable[[], Venue], shares_every_ms: int) -> None:
        self._open, self._shares_every_s = open_venue, shares_every_ms / 1000
        self._next_shares = time.monotonic()
        self._parts: dict[str, Venue] = {}
        self._listings: dict[str, Listings] = {}
        self._whole = False
        self._resolved: frozenset[str] = frozenset()

    async def look(self, question: Question) -> tuple[AtVenue, Mapping[str, str]]:
        """Open orders, recent fills, and balances when they are due; and why which venue is not in it.

        Raises UserError, VenueError, TimeoutError where no venue can be looked at.
        """
        due = time.monotonic() >= self._next_shares
        down = await self._start()
        sole = self._whole and len(self._parts) == 1
        looks, failed = await looking.each(self._parts, question, balances=due, limit_s=VENUE_LIMIT_S, sole=sole)
        down |= failed
        if not looks:
            raise next(iter(down.values()))
        if due:
            self._next_shares = time.monotonic() + self._shares_every_s
        return looking.together(looks), {name: _words(error) for name, error in down.items()}

    async def resolved(self, markets: Mapping[str, str]) -> frozenset[str]:
        """Those of these tokens whose market is decided; a decision is remembered, since it is final."""
        async with asyncio.timeout(VENUE_LIMIT_S):
            for name, listings in self._listings.items():
                mine = {token: market for token, market in markets.items() if self._is_of(token, name)}
                self._resolved = await looking.decided(listings, mine, self._resolved)
        return self._resolved

    async def close(self) -> None:
        """Release its connections."""
        for part in self._parts.values():
            await part.close()

    def _is_of(self, token: str, name: str) -> bool:
        """Whether a token is of this venue; of the only one any is."""
        return (self._whole and len(self._parts) == 1) or venue_of(token) == name

    async def _start(self) -> dict[str, ArbsagaError | TimeoutError]:
        """Start what is not started. Returns what failed, by venue. Raises UserError where none can be opened."""
        down: dict[str, ArbsagaError | TimeoutError] = {}
        if self._whole:
            return down
        for name, part in parts_of(self._open()).items():
            if name in self._parts:
                await part.close()
                continue
            try:
                async with asyncio.timeout(VENUE_LIMIT_S):
                    await part.start()
            except (ArbsagaError, TimeoutError) as error:
                await part.close()
                down[name] = error
            except BaseException:
                await part.close()
                raise
            else:
                self._parts[name], self._listings[name] = part, Listings(part)
        self._whole = not down
        return down


def _words(error: ArbsagaError | TimeoutError) -> str:
    return str(error) or f"no answer within {VENUE_LIMIT_S:g} s"


@dataclass(slots=True)
class _Waiting:
    page: Page
    next_ms: int = 0
    pause_ms: int = FIRST_RETRY_MS


class Outbox:
    """Pages until each is delivered everywhere: tried again with growing pauses, five minutes at the longest."""

    def __init__(self, pager: Pager, pages: Iterable[Page]) -> None:
        """`pages` may have been delivered before: the pager knows."""
        self._pager = pager
        self._waiting = [_Waiting(page) for page in pages]

    async def deliver(self, pages: Iterable[Page], now_ms: int) -> None:
        """Add pages, and try all that are due."""
        self._waiting += [_Waiting(page) for page in pages]
        due = [one for one in self._waiting if one.next_ms <= now_ms]
        delivered = await asyncio.gather(*(self._pager.deliver(one.page) for one in due))
        for one, done in zip(due, delivered, strict=True):
            if done:
                self._waiting.remove(one)
            one.next_ms = now_ms + one.pause_ms
            one.pause_ms = min(2 * one.pause_ms, LONGEST_RETRY_MS)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
