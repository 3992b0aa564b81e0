"""The doctor: a real exchange and ledger that are well, and each thing that can be wrong with them in one line."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from exchange_make import exchange
from temporalio.service import RPCError, RPCStatusCode

from arbsaga.errors import Unavailable
from arbsaga.ledger import Ledger
from arbsaga.venues.polymarket import PolymarketSettings, PolymarketVenue, generate_key
from workers import doctor
from workers.doctor import Check, Status, Subject, examine
from workers.unconfirmed import UNCONFIRMED


@dataclass
class Clinic:
    """A subject that is well, on a real exchange."""

    subject: Subject
    url: str
    ledger: Path


async def healthy_temporal() -> SimpleNamespace:
    """A client as `connect` gives it once version, namespace and attributes were right."""

    async def get_system_info(_request: object) -> SimpleNamespace:
        return SimpleNamespace(server_version="1.32.0")

    return SimpleNamespace(workflow_service=SimpleNamespace(get_system_info=get_system_info), namespace="default")


def reconciled(**ago: int) -> Callable[[object], Awaitable[datetime | None]]:
    """The account was reconciled so long ago; never without a time."""

    async def last(_client: object) -> datetime | None:
        return datetime.now(UTC) - timedelta(**ago) if ago else None

    return last


@pytest.fixture
async def clinic(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Clinic]:
    """Everything is well; the account has 500 USD unless the test says otherwise."""
    key = generate_key()
    wallet = PolymarketVenue(PolymarketSettings.at("http://nowhere", key)).wallet
    async with exchange(tmp_path / "exchange", wallet, getattr(request, "param", 500)) as url:
        path = tmp_path / "ledger.sqlite"
        subject = Subject(
            open_venue=lambda: PolymarketVenue(PolymarketSettings.at(url, key)),
            connect=healthy_temporal,
            last_reconciled=reconciled(seconds=20),
            open_ledger=lambda: Ledger.open(f"sqlite:///{path}", busy_ms=50),
            clob_url=url,
            wanted=D(100),
            page_services=1,
        )
        yield Clinic(subject, url, path)


def by_name(checks: list[Check]) -> dict[str, Check]:
    assert all("\n" not in check.line for check in checks)
    return {check.name: check for check in checks}


async def test_what_is_well_is_ok(clinic: Clinic):
    """Every check, in the order of mending."""
    checks = await examine(clinic.subject)
    assert [(check.name, check.status) for check in checks] == [
        (name, Status.OK)
        for name in (
            "key",
            "exchange",
            "clock",
            "account",
            "allowances",
            "funds",
            "temporal",
            "reconciled",
            "ledger",
            "pages",
        )
    ], checks
    lines = by_name(checks)
    assert lines["funds"].line == "500.00 USD are free"
    assert "1.32.0" in lines["temporal"].line


async def test_a_bad_key_is_told_without_it(clinic: Clinic):
    """The account cannot be looked at then; everything else is."""
    secret = "0x" + "zz" * 32
    subject = replace(clinic.subject, open_venue=lambda: PolymarketVenue(PolymarketSettings.at(clinic.url, secret)))
    checks = await examine(subject)
    lines = by_name(checks)
    assert lines["key"].status is Status.FAIL
    assert not any("zz" in check.line for check in checks)
    assert "account" not in lines
    assert lines["ledger"].status is Status.OK


async def test_an_exchange_that_does_not_answer_is_told(clinic: Clinic):
    """Clock and account depend on it."""
    nowhere = "http://127.0.0.1:9"
    subject = replace(
        clinic.subject,
        clob_url=nowhere,
        open_venue=lambda: PolymarketVenue(PolymarketSettings.at(nowhere, generate_key())),
    )
    lines = by_name(await examine(subject))
    assert lines["exchange"].status is Status.FAIL
    assert nowhere in lines["exchange"].line
    assert lines["account"].status is Status.FAIL


@pytest.mark.parametrize(
    ("ahead_s", "status"), [(0, Status.OK), (3, Status.WARN), (-4, Status.WARN), (60, Status.FAIL), (-60, Status.FAIL)]
)
async def test_a_clock_that_is_off_is_told(clinic: Clinic, ahead_s: int, status: Status):
    """By how much and in which direction."""

    async def tell(_: web.Request) -> web.Response:
        return web.json_response(int(time.time()) + ahead_s)

    app = web.Application()
    app.router.add_get("/time", tell)
    async with TestServer(app) as server:
        url = f"http://127.0.0.1:{server.port}"
        check = by_name(await examine(replace(clinic.subject, clob_url=url)))["clock"]
    assert check.status is status
    if abs(ahead_s) == 60:
        assert f"{-ahead_s:+d} s" in check.line
        assert "NTP" in check.line


@pytest.mark.parametrize("answer", ["soon", {"day": 1}, [1]])
async def test_a_time_that_cannot_be_read_is_told(clinic: Clinic, answer: object):
    """Somebody else's server, or an error page."""

    async def tell(_: web.Request) -> web.Response:
        return web.json_response(answer)

    app = web.Application()
    app.router.add_get("/time", tell)
    async with TestServer(app) as server:
        lines = by_name(await examine(replace(clinic.subject, clob_url=f"http://127.0.0.1:{server.port}")))
    assert lines["exchange"].status is Status.FAIL
    assert "clock" not in lines


@pytest.mark.parametrize("clinic", [0], indirect=True)
async def test_an_empty_wallet_is_told(clinic: Clinic):
    """Most often it is the wrong wallet or signature type (py-clob-client #109)."""
    check = by_name(await examine(clinic.subject))["funds"]
    assert check.status is Status.FAIL
    assert "signature_type" in check.line


async def test_too_little_money_is_a_warning(clinic: Clinic):
    """It trades, with less."""
    check = by_name(await examine(replace(clinic.subject, wanted=D(1_000))))["funds"]
    assert (check.status, check.line) == (
        Status.WARN,
        "500.00 USD are free, the desk may use 1000.00: lower desk.total",
    )


async def test_a_missing_allowance_is_told(clinic: Clinic):
    """By the exchange's name and address: each kind of market has its own."""

    class Stingy(PolymarketVenue):
        async def funds(self, buys):
            return replace(await super().funds(buys), short="the exchange 0xE111 has no allowance")

    subject = replace(
        clinic.subject,
        open_venue=lambda: Stingy(PolymarketSettings.at(clinic.url, generate_key())),
    )
    check = by_name(await examine(subject))["allowances"]
    assert check.status is Status.FAIL
    assert check.line.startswith("the exchange 0xE111 has no allowance: approve")


async def test_a_venue_without_markets_leaves_the_allowances_unchecked(clinic: Clinic):
    """Between two events, or at night."""

    class Closed(PolymarketVenue):
        async def events(self):
            return ()

    subject = replace(clinic.subject, open_venue=lambda: Closed(PolymarketSettings.at(clinic.url, generate_key())))
    assert by_name(await examine(subject))["allowances"].status is Status.WARN


async def test_temporal_that_cannot_be_used_is_told(clinic: Clinic):
    """With the line that `connect` has for it: unreachable, too old, no namespace, no search attributes."""

    async def fail() -> None:
        raise Unavailable("search attributes missing in namespace default: run x")

    check = by_name(await examine(replace(clinic.subject, connect=fail)))["temporal"]
    assert (check.status, check.line) == (Status.FAIL, "search attributes missing in namespace default: run x")


async def test_an_account_that_is_not_reconciled_is_told(clinic: Clinic):
    """No worker is there to do it; before the first trader that is as it should be."""
    assert by_name(await examine(clinic.subject))["reconciled"].line.startswith("venue and ledger were compared 20")
    stale = replace(clinic.subject, last_reconciled=reconciled(minutes=12))
    check = by_name(await examine(stale))["reconciled"]
    assert (check.status, "12 min ago" in check.line) == (Status.WARN, True)
    new = by_name(await examine(replace(clinic.subject, last_reconciled=reconciled())))["reconciled"]
    assert (new.status, "never yet" in new.line) == (Status.OK, True)


async def test_temporal_that_stops_answering_is_told(clinic: Clinic):
    """Right after it was connected to."""

    async def refuse(_request: object) -> None:
        raise RPCError("transport closed", RPCStatusCode.UNAVAILABLE, b"")

    async def connect() -> SimpleNamespace:
        return SimpleNamespace(workflow_service=SimpleNamespace(get_system_info=refuse), namespace="default")

    check = by_name(await examine(replace(clinic.subject, connect=connect)))["temporal"]
    assert (check.status, "transport closed" in check.line) == (Status.FAIL, True)


async def test_a_venue_that_hangs_is_told(clinic: Clinic, monkeypatch: pytest.MonkeyPatch):
    """The doctor ends in any case."""
    monkeypatch.setattr(doctor, "VENUE_LIMIT_S", 0.01)

    class Hanging(PolymarketVenue):
        async def start(self):
            await asyncio.Event().wait()

    subject = replace(clinic.subject, open_venue=lambda: Hanging(PolymarketSettings.at(clinic.url, generate_key())))
    check = by_name(await examine(subject))["account"]
    assert (check.status, "did not answer" in check.line) == (Status.FAIL, True)


async def test_a_ledger_that_cannot_be_written_is_told(clinic: Clinic):
    """Here: another process holds it."""
    Ledger.open(f"sqlite:///{clinic.ledger}").close()
    other = sqlite3.connect(clinic.ledger, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    check = by_name(await examine(clinic.subject))["ledger"]
    other.close()
    assert check.status is Status.FAIL
    assert "locked" in check.line


async def test_a_ledger_that_cannot_be_opened_is_told(clinic: Clinic, tmp_path: Path):
    """A folder that is not there."""
    subject = replace(clinic.subject, open_ledger=lambda: Ledger.open(f"sqlite:///{tmp_path}/no/ledger"))
    assert by_name(await examine(subject))["ledger"].status is Status.FAIL


async def test_books_that_do_not_balance_stop_trading(clinic: Clinic):
    """Somebody wrote into the file by hand."""
    Ledger.open(f"sqlite:///{clinic.ledger}").close()
    with sqlite3.connect(clinic.ledger) as raw:
        raw.execute("INSERT INTO postings VALUES (1, 'x', 'main', '', 'fees', 'USD', 5000000, 0)")
    raw.close()
    check = by_name(await examine(clinic.subject))["ledger"]
    assert (check.status, check.line) == (
        Status.FAIL,
        "postings are 5.000000 off balance: stop trading and report this",
    )


async def test_a_halt_and_missing_services_are_warnings(clinic: Clinic):
    """A person may want both."""
    ledger = Ledger.open(f"sqlite:///{clinic.ledger}")
    ledger.halt("holiday")
    ledger.close()
    lines = by_name(await examine(replace(clinic.subject, page_services=0)))
    assert lines["halt"].line == "trading is halted (holiday): `arbsaga resume` lets it go on"
    assert lines["pages"].status is Status.WARN


def test_what_was_never_confirmed_is_listed():
    """Each with what we do meanwhile, and no question twice."""
    questions = [row.question for row in UNCONFIRMED]
    assert len(set(questions)) == len(questions) >= 15
    assert all(row.we_do for row in UNCONFIRMED)
