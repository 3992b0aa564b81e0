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
from arbsaga.ledger import Intent, Ledger
from arbsaga.notify import Alert, Pager, read_alerts
from arbsaga.saga.messages import Page
from arbsaga.venues.port import Venue
from workers.findings import AtVenue, InLedger, Kind, Snapshot, findings, mismatches, unbooked
from workers.incidents import Incidents
from workers.temporal_probe import probe

log = structlog.get_logger(__name__)

LOOK_BACK_MS = 600_000
"""How far back fills are read in any case; further for a trade that is in flight, to FARTHEST_BACK_MS."""
FARTHEST_BACK_MS = 3_600_000
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
            pages = incidents.update(findings(snapshot), snapshot.judged, snapshot.now_ms)
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
    temporal = asyncio.ensure_future(_temporal(settings))
    with _noted(troubles, Kind.LEDGER):
        question = await asyncio.to_thread(_question, ledger, settings)
    if question:
        with _noted(troubles, Kind.VENUE):
            at_venue = await venue.look(question)
    if at_venue:
        with _noted(troubles, Kind.LEDGER):
            in_ledger = await asyncio.to_thread(_read, ledger, settings, at_venue)
    if at_venue and in_ledger and (odd := mismatches(at_venue, in_ledger)):
        markets: Mapping[str, str] = {}
        with _noted(troubles, Kind.LEDGER):
            markets = await asyncio.to_thread(_markets, ledger, settings, odd)
        with _noted(troubles, Kind.VENUE):
            at_venue = replace(at_venue, resolved=await venue.resolved(markets))
    if why := await temporal:
        troubles[Kind.TEMPORAL] = why
    return Snapshot(_now_ms(), at_venue, in_ledger, troubles, settings.stalled_ms, settings.settle_ms)


@contextlib.contextmanager
def _noted(troubles: dict[Kind, str], kind: Kind) -> Iterator[None]:
    try:
        yield
    except (ArbsagaError, TimeoutError) as error:
        troubles[kind] = str(error) or f"no answer within {VENUE_LIMIT_S:g} s"
        log.warning("cannot look", at=kind, why=troubles[kind])


async def _temporal(settings: WatchSettings) -> str:
    return await probe(settings.temporal, tls=settings.temporal_tls) if settings.temporal else ""


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask the venue for: fills since (ms), and shares of these tokens."""

    since_ms: int
    tokens: frozenset[str]


def _question(ledger: Ledger, settings: WatchSettings) -> Question:
    now = _now_ms()
    intents = _in_flight(ledger, settings)
    oldest = min((one.terms.created_ms for one in intents), default=now)
    since = max(min(oldest, now - LOOK_BACK_MS), now - FARTHEST_BACK_MS)
    return Question(since, frozenset(ledger.positions(settings.account)))


def _read(ledger: Ledger, settings: WatchSettings, at_venue: AtVenue) -> InLedger:
    booked = ledger.filled(list(at_venue.filled))
    owners = ledger.intents_by_order([*(order.order_id for order in at_venue.orders), *unbooked(at_venue, booked)])
    return InLedger(
        in_flight=_in_flight(ledger, settings),
        owners={one.order_id: one for one in owners},
        booked=booked,
        shares=ledger.positions(settings.account),
        updated_ms={row.trade_id: row.updated_ms for row in ledger.trades(open_only=True)},
    )


def _in_flight(ledger: Ledger, settings: WatchSettings) -> tuple[Intent, ...]:
    return tuple(one for one in ledger.intents_in_flight() if one.account == settings.account)


def _markets(ledger: Ledger, settings: WatchSettings, tokens: set[str]) -> dict[str, str]:
    """The markets of tokens that we ever ordered, or whose complement we did."""
    known = (one.terms.instrument for one in ledger.intents(settings.account))
    pairs = {token: one.market for one in known for token in (one.token, one.complement)}
    return {token: pairs[token] for token in tokens if token in pairs}


class WatchedVenue:
    """A venue that is started when it can be; until then every look at it fails, saying why."""

    def __init__(self, open_venue: Callable[[], Venue], shares_every_ms: int) -> None:
        self._open, self._shares_every_s = open_venue, shares_every_ms / 1000
        self._next_shares = time.monotonic()
        self._venue: Venue | None = None
        self._resolved: set[str] = set()

    async def look(self, question: Question) -> AtVenue:
        """Open orders, recent fills, and shares when they are due. Raises UserError, VenueError, TimeoutError."""
        async with asyncio.timeout(VENUE_LIMIT_S):
            venue = await self._started()
            orders = await venue.open_orders()
            fills = await venue.fills_since(question.since_ms)
            if time.monotonic() < self._next_shares:
                return AtVenue(orders, fills)
            tokens = question.tokens | {one.token for one in fills}
            shares = await venue.positions(sorted(tokens))
        self._next_shares = time.monotonic() + self._shares_every_s
        return AtVenue(orders, fills, shares)

    async def resolved(self, markets: Mapping[str, str]) -> frozenset[str]:
        """Those of these tokens whose market is decided; a decision is remembered, since it is final."""
        async with asyncio.timeout(VENUE_LIMIT_S):
            venue = await self._started()
            for token, market in markets.items():
                if token not in self._resolved and (await venue.listing(market)).winner is not None:
                    self._resolved.add(token)
        return frozenset(self._resolved)

    async def close(self) -> None:
        """Release its connections."""
        if self._venue is not None:
            await self._venue.close()

    async def _started(self) -> Venue:
        if self._venue is None:
            venue = self._open()
            try:
                await venue.start()
            except BaseException:
                await venue.close()
                raise
            self._venue = venue
        return self._venue


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
