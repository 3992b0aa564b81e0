"""The doctor: is everything there that trading needs? Each check is one line that says what, and how to mend it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import httpx
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError

from arbsaga.domain.instruments import Instrument
from arbsaga.domain.money import NO_USD, Usd
from arbsaga.errors import ArbsagaError
from arbsaga.ledger import Ledger
from arbsaga.venues.polymarket import PolymarketVenue
from arbsaga.venues.port import EventListing

GOOD_SKEW_S, MAX_SKEW_S = 1.5, 5.0
"""The venue tells whole seconds. Beyond the second figure the venue adapter refuses to start."""
RECONCILED_S = 180.0
"""Every minute is the rule; a restart may cost two."""
VENUE_LIMIT_S = 60.0
"""Listing every open event of the live venue takes many pages."""


class Status(StrEnum):
    """`warn` lets trading start, `fail` does not."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One line about one thing."""

    name: str
    status: Status
    line: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined. Each callable raises ArbsagaError with one line where its part cannot be used.

    `last_reconciled` tells when the account last was, None for never; it raises RPCError, and ArbsagaError with one
    line where its runs cannot compare. `clob_url` is where the venue's clock is read; `wanted` the USD that the desk
    may use; `page_services` how many services a page goes to. `open_venue` is None where Polymarket is not traded on;
    `more` are the checks of other venues.
    """

    open_venue: Callable[[], PolymarketVenue] | None
    connect: Callable[[], Awaitable[Client]]
    last_reconciled: Callable[[Client], Awaitable[datetime | None]]
    open_ledger: Callable[[], Ledger]
    clob_url: str
    wanted: Usd
    page_services: int
    more: Sequence[Callable[[], Awaitable[list[Check]]]] = ()


async def examine(subject: Subject) -> list[Check]:
    """Every check, in the order in which a person should mend them. Never raises for what it finds."""
    polymarket, temporal, ledger, *more = await asyncio.gather(
        _polymarket(subject), _temporal(subject), asyncio.to_thread(_ledger, subject), *(one() for one in subject.more)
    )
    venues = [check for checks in (polymarket, *more) for check in checks]
    return [*venues, *temporal, *ledger, _pages(subject.page_services)]


async def _polymarket(subject: Subject) -> list[Check]:
    if subject.open_venue is None:
        return []
    (key, venue), clock = await asyncio.gather(_key(subject.open_venue), _clock(subject.clob_url))
    return [key, *clock, *(await _account(venue, subject.wanted) if venue else [])]


async def _key(open_venue: Callable[[], PolymarketVenue]) -> tuple[Check, PolymarketVenue | None]:
    try:
        venue = open_venue()
    except ArbsagaError as error:
        return _fail("key", error), None
    return Check("key", Status.OK, f"{venue.address} trades for the wallet {venue.wallet}"), venue


async def _clock(clob_url: str) -> list[Check]:
    before = time.time()
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            answer = await client.get(f"{clob_url}/time")
        raw = answer.raise_for_status().json()
        theirs = float(raw["time"] if isinstance(raw, dict) else raw)
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        why = str(error) or type(error).__name__
        mend = "look at the network, at venue.clob_url and at the venue's status page"
        return [Check("exchange", Status.FAIL, f"{clob_url} does not answer ({why.splitlines()[0]}): {mend}")]
    # A whole second is told, cut off: on average the venue is half a second further than it says.
    skew = (before + time.time()) / 2 - (theirs + 0.5)
    reached = Check("exchange", Status.OK, f"{clob_url} answers")
    return [reached, _skew(skew)]


def _skew(skew: float) -> Check:
    if abs(skew) <= GOOD_SKEW_S:
        return Check("clock", Status.OK, "agrees with the venue's")
    status = Status.WARN if abs(skew) <= MAX_SKEW_S else Status.FAIL
    return Check("clock", status, f"this computer's clock is {skew:+.0f} s off the venue's: set it by NTP")


async def _account(venue: PolymarketVenue, wanted: Usd) -> list[Check]:
    try:
        async with asyncio.timeout(VENUE_LIMIT_S):
            await venue.start()
            buys = one_of_each_exchange(await venue.events())
            funds = await venue.funds(buys)
            cash = await venue.cash()
    except ArbsagaError as error:
        return [_fail("account", error)]
    except TimeoutError:
        return [Check("account", Status.FAIL, f"the venue did not answer within {VENUE_LIMIT_S:g} s: try again")]
    finally:
        await venue.close()
    return [
        Check("account", Status.OK, "the venue lets this key trade"),
        _allowances(funds.short, len(buys)),
        _funds(funds.cash if not funds.short else cash, wanted),
    ]


def one_of_each_exchange(events: Sequence[EventListing]) -> list[Instrument]:
    """An open market of each kind of exchange contract: orders on each need an allowance of their own."""
    kinds: dict[tuple[str, bool], Instrument] = {}
    for event in events:
        for market in event.markets:
            if market.open:
                kinds.setdefault((market.yes.rules.version, market.yes.rules.neg_risk), market.yes)
    return list(kinds.values())


def _allowances(short: str, exchanges: int) -> Check:
    if short:
        return Check("allowances", Status.FAIL, f"{short}: approve pUSD for it, e.g. with one trade on polymarket.com")
    if not exchanges:
        return Check("allowances", Status.WARN, "not checked: the venue lists no open market now")
    return Check("allowances", Status.OK, f"given to the exchanges of all {exchanges} kinds of open markets")


def _funds(cash: Usd, wanted: Usd) -> Check:
    if cash <= NO_USD:
        return Check("funds", Status.FAIL, "no free pUSD: deposit some, or check venue.wallet and signature_type")
    if cash < wanted:
        return Check("funds", Status.WARN, f"{cash:.2f} USD are free, the desk may use {wanted:.2f}: lower desk.total")
    return Check("funds", Status.OK, f"{cash:.2f} USD are free")


async def _temporal(subject: Subject) -> list[Check]:
    try:
        client = await subject.connect()
        info = await client.workflow_service.get_system_info(GetSystemInfoRequest())
        reconciled = await _reconciled(subject, client)
    except ArbsagaError as error:
        return [_fail("temporal", error)]
    except RPCError as error:
        return [Check("temporal", Status.FAIL, f"the server stopped answering ({error.message}): look at its log")]
    where = f"server {info.server_version}, namespace {client.namespace}"
    return [Check("temporal", Status.OK, f"{where}, search attributes registered"), reconciled]


async def _reconciled(subject: Subject, client: Client) -> Check:
    try:
        last = await subject.last_reconciled(client)
    except ArbsagaError as error:
        return Check("reconciled", Status.WARN, " ".join(str(error).split()))
    if last is None:
        return Check("reconciled", Status.OK, "never yet: it begins with the first trader of this account")
    ago = (datetime.now(UTC) - last).total_seconds()
    if ago <= RECONCILED_S:
        return Check("reconciled", Status.OK, f"venue and ledger were compared {ago:.0f} s ago")
    line = f"venue and ledger were last compared {ago / 60:.0f} min ago: start a trader or a worker"
    return Check("reconciled", Status.WARN, line)


def _ledger(subject: Subject) -> list[Check]:
    try:
        ledger = subject.open_ledger()
    except ArbsagaError as error:
        return [_fail("ledger", error)]
    try:
        ledger.prove_writable()
        balance, halted = ledger.postings_balance(), ledger.halted()
    except ArbsagaError as error:
        return [_fail("ledger", error)]
    finally:
        ledger.close()
    checks = [Check("ledger", Status.OK, "can be written, schema up to date, books balanced")]
    if balance:
        checks = [Check("ledger", Status.FAIL, f"postings are {balance} off balance: stop trading and report this")]
    if halted:
        checks.append(Check("halt", Status.WARN, f"trading is halted ({halted}): `arbsaga resume` lets it go on"))
    return checks


def _pages(services: int) -> Check:
    if services:
        return Check("pages", Status.OK, f"go to {services} services, the console and the alert log")
    return Check("pages", Status.WARN, "go to the console and the alert log only: set notify.urls to reach a person")


def _fail(name: str, error: ArbsagaError) -> Check:
    return Check(name, Status.FAIL, " ".join(str(error).split()))
