"""The watchdog at work: real ledger, pager and sockets; a venue of which the test decides what it answers."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal as D
from pathlib import Path

import pytest
from ledger_make import ACCOUNT, fill, instrument, order_id, plan, record, terms, view

from arbsaga.domain.instruments import Outcome, Side
from arbsaga.domain.money import Size, Usd
from arbsaga.domain.orders import FillStatus, OrderState
from arbsaga.errors import Unavailable, VenueError
from arbsaga.ledger import Ledger
from arbsaga.notify import Pager, read_alerts
from arbsaga.reconcile import findings
from arbsaga.reconcile.findings import Kind
from arbsaga.saga.messages import Page, Phase
from arbsaga.venues.port import AccountFill, MarketListing, OpenOrder
from workers import watchdog
from workers.watchdog import Outbox, WatchSettings, watch


@dataclass
class Answers:
    """A venue that answers what the test wants. `start_errors` are raised by so many starts."""

    orders: list[OpenOrder] = field(default_factory=list)
    fills: list[AccountFill] = field(default_factory=list)
    shares: dict[str, Size] = field(default_factory=dict)
    usd: Usd | None = None  # as the ledger has it
    money: Callable[[], Usd] | None = None
    winner: Outcome | None = None
    down: bool = False
    hangs: bool = False
    start_errors: int = 0
    started: int = 0
    closed: int = 0
    name: str = "polymarket"

    async def start(self) -> None:
        self.started += 1
        if self.start_errors:
            self.start_errors -= 1
            raise Unavailable("the venue does not answer")

    async def close(self) -> None:
        self.closed += 1

    async def cash(self) -> Usd:
        return self.money() if self.usd is None else self.usd

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        if self.down:
            raise VenueError("502 bad gateway")
        if self.hangs:
            await asyncio.Event().wait()
        return tuple(self.orders)

    async def fills_since(self, after_ms: int) -> tuple[AccountFill, ...]:
        return tuple(one for one in self.fills if one.fill.time_ms >= after_ms)

    async def positions(self, tokens: Sequence[str]) -> Mapping[str, Size]:
        return {token: self.shares.get(token, D(0)) for token in tokens}

    async def listing(self, market: str) -> MarketListing:
        yes = instrument(int(market[-1]))
        return MarketListing(yes, yes.other(), self.winner is None, self.winner)


@dataclass
class Watching:
    """A watchdog that runs, and what it has told."""

    venue: Answers
    ledger: Ledger
    log: Path

    def keys(self) -> list[str]:
        """The pages told so far."""
        return [alert.page.key.removeprefix("watchdog/") for alert in read_alerts(self.log)]

    def page(self, start: str) -> Page:
        return next(alert.page for alert in read_alerts(self.log) if alert.page.key.startswith(f"watchdog/{start}"))

    async def told(self, *keys: str) -> None:
        """Wait until exactly these were told."""
        await until(lambda: len(self.keys()) >= len(keys))
        assert sorted(self.keys()) == sorted(keys)

    async def told_too(self, key: str) -> None:
        """Wait until this was told, whatever else was."""
        await until(lambda: any(told == key for told in self.keys()))

    async def quiet(self, looks: int = 4) -> None:
        """Wait for some looks more."""
        for _ in range(looks):
            await asyncio.sleep(0.03)


async def until(happened: Callable[[], bool], limit_s: float = 10) -> None:
    deadline = time.monotonic() + limit_s
    while not happened():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in Kind:
        monkeypatch.setitem(findings.GRACE_MS, kind, 0)
    monkeypatch.setattr(findings, "SETTLED_GRACE_MS", 0)


@pytest.fixture
def watching(ledger: Ledger, tmp_path: Path):
    """Runs a watchdog over a venue, as a context."""

    @asynccontextmanager
    async def run(venue: Answers | None = None, **settings: object):
        venue, stop, log = venue or Answers(), asyncio.Event(), tmp_path / "alerts.jsonl"
        if venue.usd is None:
            venue.money = lambda: ledger.cash(ACCOUNT)
        options = {"every_ms": 10, "shares_every_ms": 0} | settings
        task = asyncio.create_task(
            watch(
                lambda: venue,
                ledger,
                Pager([], log, lambda text: None),
                WatchSettings(ACCOUNT, log, **options),
                stop,
            )
        )
        try:
            yield Watching(venue, ledger, log)
        finally:
            stop.set()
            await asyncio.wait_for(task, 5)

    return run


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def intend(ledger: Ledger, **other: object) -> OpenOrder:
    """Write an order down; its resting form."""
    order = terms(**other)
    ledger.intend([(order, order_id(order))], account=ACCOUNT, workflow_id="w", lease_id="l")
    return OpenOrder(
        order_id(order), order.instrument.token, order.side, order.limit, order.size, D(0), order.created_ms
    )


async def test_an_orphan_is_paged_once_and_its_end_is_told(watching):
    """Somebody else trades with our key, or our fence has a hole."""
    venue = Answers(orders=[OpenOrder("0xstranger", "y0", Side.BUY, D("0.4"), D(10), D(0), now_ms())])
    async with watching(venue) as dog:
        await dog.told("orphan-order/0xstranger/1")
        await dog.quiet()
        venue.orders.clear()
        await dog.told("orphan-order/0xstranger/1", "orphan-order/0xstranger/1/over")
    assert venue.closed == venue.started == 1


async def test_a_terminated_trade_that_left_an_order_is_paged(watching, ledger: Ledger):
    """Its intent is the last thing anybody wrote."""
    venue = Answers(orders=[intend(ledger, created_ms=now_ms() - 31_000)])
    async with watching(venue) as dog:
        await dog.told("stalled/t1/1")
        assert dog.page("stalled").trade_id == "t1"


async def test_a_trade_is_paged_within_a_minute_of_its_last_step(monkeypatch: pytest.MonkeyPatch):
    """30 s without progress, then the grace of its kind and two looks: the design allows 60 s."""
    monkeypatch.undo()
    settings = WatchSettings(ACCOUNT, Path("alerts.jsonl"))
    grace = max(findings.GRACE_MS[Kind.LEFT_ORDER], findings.SETTLED_GRACE_MS, findings.GRACE_MS[Kind.STALLED])
    assert settings.stalled_ms + grace + 2 * settings.every_ms < 60_000
    assert findings.GRACE_MS[Kind.STRAY_POSITION] + 2 * settings.shares_every_ms < 60_000


async def test_a_trade_that_just_sent_its_orders_is_left_alone(watching, ledger: Ledger):
    """And its end, with what it filled, is no incident either."""
    venue = Answers(orders=[intend(ledger, created_ms=now_ms())])
    async with watching(venue) as dog:
        await dog.quiet()
        venue.orders.clear()
        venue.shares["y0"] = D(10)
        ledger.record(record([view(terms(), fill("f"))], of=plan()))
        await dog.quiet()
        assert dog.keys() == []


async def test_a_stray_position_is_paged(watching, ledger: Ledger):
    """A fill that no trade ever booked."""
    intend(ledger, created_ms=now_ms())
    ledger.record(record([view(terms())], Phase.FLAT))
    stray = AccountFill("0xlate", "y0", Side.BUY, fill("f", status=FillStatus.CONFIRMED))
    venue = Answers(fills=[stray], shares={"y0": D(10)})
    async with watching(venue) as dog:
        await dog.told("stray-position/y0/1")
        assert dog.page("stray").facts == (("at the venue", "10"), ("in the ledger", "0"))


async def test_a_fill_after_the_end_of_its_trade_is_paged_though_it_was_paid_out(watching, ledger: Ledger):
    """The post arrived after its quiet time, and the market was decided a moment later: no share is left to be seen."""
    order = intend(ledger, created_ms=now_ms())
    ledger.record(record([view(terms(), state=OrderState.ABSENT)], Phase.FLAT))
    late = replace(fill("f"), time_ms=now_ms())
    venue = Answers(fills=[AccountFill(order.order_id, "y0", Side.BUY, late)], winner=Outcome.NO)
    async with watching(venue) as dog:
        await dog.told(f"late-fill/{order.order_id}/1")
        assert dog.page("late-fill").trade_id == "t1"
        venue.fills.clear()
        await dog.quiet()
        assert dog.keys() == [f"late-fill/{order.order_id}/1"]


async def test_a_late_fill_is_over_once_it_is_booked(watching, ledger: Ledger):
    """Its trade was run again and ended anew: the page is closed."""
    order = intend(ledger, created_ms=now_ms())
    ledger.record(record([view(terms(), state=OrderState.ABSENT)], Phase.FLAT))
    late = replace(fill("f"), time_ms=now_ms())
    venue = Answers(fills=[AccountFill(order.order_id, "y0", Side.BUY, late)], shares={"y0": D(10)})
    async with watching(venue) as dog:
        await dog.told_too(f"late-fill/{order.order_id}/1")
        ledger.record(record([view(terms(), late)], Phase.COMMITTED))
        await dog.told_too(f"late-fill/{order.order_id}/1/over")


async def test_cash_that_differs_is_paged_until_it_does_not(watching, ledger: Ledger):
    """A withdrawal that nobody booked; its end is told when it came back."""
    ledger.open_account(ACCOUNT, "polymarket", Usd(D(100)))
    venue = Answers(usd=Usd(D(60)))
    async with watching(venue) as dog:
        await dog.told("cash/account/1")
        assert dog.page("cash").headline == "the venue has -40.000000 USD against the ledger"
        venue.usd = Usd(D(100))
        await dog.told("cash/account/1", "cash/account/1/over")


async def test_a_position_that_was_paid_out_is_no_incident(watching, ledger: Ledger):
    """The market is decided; booking it is the trader's."""
    ledger.record(record([view(terms(), fill("f"))]))
    async with watching(Answers(winner=Outcome.YES)) as dog:
        await dog.quiet()
        assert dog.keys() == []


async def test_a_position_that_the_venue_does_not_have_is_paged(watching, ledger: Ledger):
    """Sold by hand, or never there."""
    ledger.record(record([view(terms(), fill("f"))]))
    async with watching() as dog:
        await dog.told("missing-position/y0/1")


async def test_shares_are_asked_for_less_often(watching, ledger: Ledger):
    """Each costs the venue two requests of its limits; in between an incident about them stays open."""
    ledger.record(record([view(terms(), fill("f"))]))
    venue = Answers()
    asked, positions = [], venue.positions

    async def count(tokens: Sequence[str]) -> Mapping[str, Size]:
        asked.append(tokens)
        return await positions(tokens)

    venue.positions = count
    async with watching(venue, shares_every_ms=60_000) as dog:
        await dog.told("missing-position/y0/1")
        await dog.quiet()
        assert dog.keys() == ["missing-position/y0/1"]
    assert asked == [["y0"]]


async def test_temporal_down_is_paged_and_its_return_told(watching):
    """A port that nobody listens on, then a server that answers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(bytes(3) + b"\x04" + bytes(5))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with watching(temporal=f"127.0.0.1:{port}") as dog:
        await dog.told("temporal/down/1")
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        await dog.told("temporal/down/1", "temporal/down/1/over")
        server.close()


async def test_a_venue_that_is_down_is_paged_and_ends_no_other_incident(watching):
    """What cannot be seen is not over."""
    venue = Answers(orders=[OpenOrder("0xstranger", "y0", Side.BUY, D("0.4"), D(10), D(0), now_ms())])
    async with watching(venue) as dog:
        await dog.told("orphan-order/0xstranger/1")
        venue.down = True
        await dog.told("orphan-order/0xstranger/1", "venue/down/1")
        assert dog.page("venue").headline == "venue: 502 bad gateway"
        venue.down = False
        await dog.told("orphan-order/0xstranger/1", "venue/down/1", "venue/down/1/over")


async def test_a_venue_that_cannot_be_started_is_started_again(watching):
    """The watchdog comes up before the venue does, as after a power cut."""
    venue = Answers(start_errors=3)
    async with watching(venue) as dog:
        await dog.told("venue/down/1", "venue/down/1/over")
    assert (venue.started, venue.closed) == (4, 4)


async def test_a_venue_that_hangs_is_down(watching, monkeypatch: pytest.MonkeyPatch):
    """It holds up no look for longer than its limit."""
    monkeypatch.setattr(watchdog, "VENUE_LIMIT_S", 0.05)
    async with watching(Answers(hangs=True)) as dog:
        await dog.told("venue/down/1")
        assert "no answer within" in dog.page("venue").headline


async def test_a_ledger_that_cannot_be_read_is_paged(watching, ledger: Ledger, monkeypatch: pytest.MonkeyPatch):
    """It goes on looking, and notices when it can read again."""

    def broken() -> list:
        raise Unavailable("the ledger is locked")

    async with watching() as dog:
        with monkeypatch.context() as patch:
            patch.setattr(ledger, "intents_in_flight", broken)
            await dog.told("ledger/down/1")
        await dog.told("ledger/down/1", "ledger/down/1/over")


async def test_a_restart_pages_nothing_again(watching):
    """The alert log remembers."""
    venue = Answers(orders=[OpenOrder("0xstranger", "y0", Side.BUY, D("0.4"), D(10), D(0), now_ms())])
    async with watching(venue) as dog:
        await dog.told("orphan-order/0xstranger/1")
    async with watching(venue) as dog:
        await dog.quiet()
        await dog.told("orphan-order/0xstranger/1")


async def test_an_alert_log_that_cannot_be_read_stops_nothing(watching, tmp_path: Path):
    """What was open before is forgotten, which pages once too often; the looks go on."""
    (tmp_path / "alerts.jsonl").mkdir()
    venue = Answers()
    async with watching(venue):
        await until(lambda: venue.started == 1)
    (tmp_path / "alerts.jsonl").rmdir()


async def test_a_page_is_tried_again_with_growing_pauses():
    """A service that is down for an hour is not asked every three seconds."""
    tries = []

    class Phone:
        async def deliver(self, page: Page) -> bool:
            tries.append(page.key)
            return len(tries) == 4

    outbox = Outbox(Phone(), [Page("", "k", "h", (), "-")])
    for now in (0, 1_000, 5_000, 10_000, 15_000, 20_000, 35_000, 100_000, 1_000_000):
        before = len(tries)
        await outbox.deliver([], now)
        if len(tries) > before:
            tries[-1] = now
    assert tries == [0, 5_000, 15_000, 35_000]
