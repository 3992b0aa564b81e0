"""The processes of trader and worker: their parts put together, the supervisor listened to, reports sent."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog
from sqlalchemy import select
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.depth import DepthSettings, LiveBooksOf
from activities.desk import DeskActivities
from activities.trading import TradingActivities
from arbsaga.config import Config
from arbsaga.detect import LiveBooks, Scanner
from arbsaga.domain.books import Book
from arbsaga.domain.money import Usd
from arbsaga.errors import ArbsagaError, ConfigError, Unavailable, VenueError
from arbsaga.exchange.paired import PairedSettings
from arbsaga.ledger import Ledger, database, files, models
from arbsaga.notify import Pager
from arbsaga.risk.desk import Limits, Use
from arbsaga.venues.chosen import Chosen
from arbsaga.venues.port import Venue
from arbsaga.venues.several import Several, parts_of, venue_of
from workers.accounts import open_account
from workers.connect import connect
from workers.connections import open_pager, open_venue, temporal_settings
from workers.desk_client import DeskClient
from workers.folder import DataFolder
from workers.histories import running
from workers.lifeline import started_again, supervised
from workers.pairing import Pairing
from workers.paper import paired_since
from workers.payouts import Payouts
from workers.realised import Realised, page_about
from workers.reconciler import keep_reconciling, reconciling
from workers.report import commands, emit
from workers.site import open_ledger, pairs_file, venues_for_new_trades, venues_of
from workers.start import tell_desk
from workers.trader import REPORT_EVERY_S, Budget, PhaseReports, Trader
from workers.worker import build_worker
from workflows.desk import DeskWorkflow
from workflows.messages import desk_id

log = structlog.get_logger(__name__)

PAYOUTS_EVERY_S = 1.0
AGAIN_LIMIT_S, AGAIN_EVERY_S = 60.0, 0.1
"""How long a restarted process waits for the servers it needs, and how often it looks."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TraderOptions:
    """`trades`: how many that send an order may be started (None: any). `drain`: none, only go on with open ones."""

    trades: int | None = None
    drain: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """What a trading process is made of, connected."""

    config: Config
    ledger: Ledger
    venue: Venue
    client: Client
    pager: Pager

    def worker(self, books: LiveBooksOf | None) -> Worker:
        """The trading worker; `books` are the scanner's where it runs in this process."""
        scan = self.config.scan
        depth = DepthSettings(
            max_book_age_ms=scan.max_book_age_ms,
            max_book_skew_ms=scan.max_book_skew_ms,
            max_age_by_venue=self.config.book_ages(),
            max_cross_skew_ms=scan.max_cross_skew_ms,
        )
        trading = TradingActivities(self.venue, self.ledger, self.pager, books, depth)
        task_queue = self.config.temporal.task_queue
        desk = DeskActivities(self.client, self.ledger, partial(tell_desk, self.client, task_queue))
        reconcile = reconciling(self.client, self.venue, self.ledger, self.pager, task_queue)
        return build_worker(self.client, [*trading.all(), *desk.all(), *reconcile], task_queue)


@contextlib.asynccontextmanager
async def connected(
    config: Config, folder: DataFolder, console: Callable[[str], None] | None = None
) -> AsyncIterator[Parts]:
    """Everything a trading process needs, released at the end; `console` shows pages. Raises UserError."""
    async with contextlib.AsyncExitStack() as stack:
        ledger = open_ledger(config, folder)
        stack.callback(ledger.close)
        refuse_unlisted(ledger, config.account, venues_of(config, folder))
        pager = open_pager(config, folder, console)
        await open_venue(config, folder).close()  # a key that cannot be used is told before anything is waited for
        client = await patiently(lambda: connect(temporal_settings(config, folder)))
        venue = await patiently(lambda: _started(config, folder))
        stack.push_async_callback(venue.close)
        yield Parts(config, ledger, venue, client, pager)


def refuse_unlisted(ledger: Ledger, account: str, venues: Collection[str]) -> None:
    """Raises ConfigError where the account has open orders or shares at a venue that is not among `venues`.

    Nobody would look after them: their trades would wait for a venue that is never asked.
    """
    orders = {one.terms.instrument.venue for one in ledger.intents_in_flight() if one.account == account}
    shares = {venue_of(token) for token in ledger.positions(account)}
    if left := sorted((orders | shares) - set(venues)):
        what = "open trades" if orders & set(left) else "positions"
        raise ConfigError(
            f"{account} has {what} at {', '.join(left)}, which is not in `venues`: add it, or let another process that "
            "has it end them first"
        )


async def _started(config: Config, folder: DataFolder) -> Venue:
    venue = open_venue(config, folder)
    await venue.start()  # it closes itself where it cannot
    return venue


async def patiently(start: Callable[[], Awaitable[T]]) -> T:
    """What `start` gives. A process that was ready in an earlier life waits for servers that are being restarted too.

    Ending instead would cost its trades another whole start. One that is new raises Unavailable at once: there a
    person has to help.
    """
    deadline, said = time.monotonic() + (AGAIN_LIMIT_S if started_again() else 0), ""
    while True:
        try:
            return await start()
        except (Unavailable, RPCError, WorkflowQueryFailedError) as error:
            if time.monotonic() >= deadline:
                raise
            if str(error) != said:
                said = str(error)
                log.warning("not there yet", error=said)
            await asyncio.sleep(AGAIN_EVERY_S)


async def serve_worker(config: Config, folder: DataFolder, stop: asyncio.Event) -> int:
    """Go on with open trades until `stop` is set."""
    async with connected(config, folder) as parts, parts.worker(None):
        emit("ready", task_queue=config.temporal.task_queue)
        await stop.wait()
    return 0


async def serve(config: Config, folder: DataFolder, options: TraderOptions, stop: asyncio.Event) -> int:
    """Trade until `stop` is set. Open trades are durable: whoever polls their task queue next goes on with them."""
    async with connected(config, folder) as parts:
        await prepare_account(parts, files.path_of(config.ledger.url or folder.ledger_url))
        want = Usd(min(config.total, config.scan.max_starts * config.per_trade))
        desk = DeskClient(parts.client, config.account, config.temporal.task_queue, want=want)
        scanned = scanned_venue(parts, venues_for_new_trades(config, folder))
        pairing = _pairing(parts, scanned, folder)

        async def paid_out(trade_id: str) -> None:
            await desk.paid_out(trade_id)
            pairing.paid_out(trade_id)

        payouts = Payouts(parts.venue, parts.ledger, config.account, paid_out, partial(tell_result, parts.pager))
        budget = Budget(options.trades)
        trader = Trader(config, parts.client, desk, payouts, parts.ledger, budget, pairing, draining=options.drain)
        scanner = Scanner(scanned, config.scan_settings(), trader.on_opportunity)
        trader.scanner, pairing.tell = scanner, scanner.watch_pairs
        await asyncio.to_thread(pairing.recall, parts.ledger, config.account)
        logging.getLogger("temporalio.workflow").addFilter(PhaseReports(trader.heard))
        async with parts.worker(partial(_live, scanner.books)):
            log.info("working")  # from here on open trades move; the rest is for new ones
            await patiently(lambda: desk.start(Limits(config.total, config.per_trade)))
            await patiently(trader.resume)
            await patiently(lambda: keep_reconciling(parts.client, config.account, config.temporal.task_queue))
            await patiently(lambda: _catch_up(payouts, parts.client, config.account))
            emit("ready", draining=options.drain)
            await _work(trader, scanner, config, stop)
            await desk.close()
    return 0


async def tell_result(pager: Pager, result: Realised) -> None:
    """A trade's markets have paid. That a pair's two resolved differently is a page, once."""
    emit("paid", trade_id=result.row.trade_id, profit=result.profit)
    if result.differently:
        await pager.deliver(page_about(result))


async def prepare_account(parts: Parts, path: Path) -> None:
    """Have an opening balance in the ledger, whose file is `path`; payouts that were missed are booked before it.

    Raises Unavailable where there is none but trades go on, as in a ledger that was lost: their fills that it has not
    booked would count as opening, and once more when they are booked.
    """
    account, ledger = parts.config.account, parts.ledger
    venues = parts_of(parts.venue)
    missing = {name for name in venues if not await asyncio.to_thread(_opened, path, f"opening/{account}/{name}")}
    if not missing:
        return
    intents = await asyncio.to_thread(ledger.intents_in_flight)
    mine = [intent.terms for intent in intents if intent.account == account]
    unended = {terms.trade_id for terms in mine if terms.instrument.venue in missing}
    if len(missing) == len(venues):  # else the ledger is no new one: a venue has joined it
        on_server = await patiently(lambda: running(parts.client, account))
        unended |= {one.trade_id for one in on_server if not (one.watch and ledger.trade(one.trade_id))}
    if unended:
        raise Unavailable(
            f"{len(unended)} trades go on (as {min(unended)}), but the ledger {path} has no opening balance: if it was "
            "lost, make it again with `arbsaga ledger rebuild --replace`; then `arbsaga worker` ends them"
        )

    async def told(_trade_id: str) -> None:
        """The desk hears of it below, when what it counts as invested is caught up with."""

    try:
        await Payouts(parts.venue, ledger, account, told).sweep()
        await open_account(ledger, Several({name: venues[name] for name in missing}), account)
    except VenueError as error:
        why = f"the opening balance at {', '.join(sorted(missing))} cannot be booked: {error}"
        raise Unavailable(f"{why}; start again when it can be, or take it out of `venues`") from error


def _opened(path: Path, entry: str) -> bool:
    engine = database.create_read_only(path)
    try:
        with database.explained(engine), engine.connect() as connection:
            found = select(models.postings.c.id).where(models.postings.c.entry == entry).limit(1)
            return connection.scalar(found) is not None
    finally:
        engine.dispose()


def scanned_venue(parts: Parts, names: Sequence[str]) -> Venue:
    """The venues that new trades may go to. Says of each other one that it is open for what is there only."""
    opened = parts_of(parts.venue)
    if rest := [name for name in opened if name not in names]:
        held = [venue_of(token) for token in parts.ledger.positions(parts.config.account)]
        for name in rest:
            emit("note", text=f"{name} is open for its {held.count(name)} positions only: no new trade goes there")
    return Chosen(parts.venue, names) if rest else parts.venue


def _pairing(parts: Parts, scanned: Venue, folder: DataFolder) -> Pairing:
    """The pairs of the account; it is told later whom to tell. Those of the simulated exchanges only on paper."""
    config, paper = parts.config, None
    if config.mode == "paper" and folder.paired.exists():
        from workers.paper_pairs import PaperPairs  # noqa: PLC0415 (what reads and writes texts is loaded where needed)

        paper = PaperPairs(PairedSettings(*paired_since(folder, None)), Usd(config.pairs.cap))
    file = pairs_file(config, folder)
    on_paper = config.mode == "paper"
    return Pairing(parts_of(scanned), file, lambda _: None, lambda text: emit("alert", text=text), paper, on_paper)


async def _work(trader: Trader, scanner: Scanner, config: Config, stop: asyncio.Event) -> None:
    """Scan, book payouts, report and obey until `stop` is set; a task that fails ends the process."""
    jobs = [scanner.run(), trader.payouts.run(PAYOUTS_EVERY_S), _report(trader, scanner), stop.wait()]
    if len(trader.pairing.venues) > 1:
        jobs.append(trader.pairing.run(config.pairs.check_ms / 1000))
    if supervised():
        jobs.append(_obey(trader))
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        trader.draining = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        log.info("scanned", **scanner.stats())


async def _obey(trader: Trader) -> None:
    """Do what the supervisor says: `drain` ends in `drained`, `sweep` in `swept`. Its silence ends the process."""
    async with asyncio.TaskGroup() as group:
        if trader.draining:
            group.create_task(_drain(trader))
        async for command in commands():
            if command == "drain":
                group.create_task(_drain(trader))
            elif command == "sweep":
                await _sweep(trader.payouts)


async def _drain(trader: Trader) -> None:
    await trader.wait_drained()
    emit("drained")


async def _sweep(payouts: Payouts) -> None:
    """Says nothing where it fails: the supervisor asks again."""
    try:
        emit("swept", held=await payouts.sweep())
    except ArbsagaError as error:
        log.warning("payout sweep failed", error=str(error))


async def _report(trader: Trader, scanner: Scanner) -> None:
    while True:
        await asyncio.sleep(REPORT_EVERY_S)
        status = trader.desk.status
        if status is not None:
            free = status.total - status.reserved - status.invested
            trader.release(status.blocked)
            held = [{"venue": venue, "pocket": pocket, "usd": usd} for (venue, pocket), usd in trader.locked.items()]
            told = {"reserved": status.reserved, "invested": status.invested, "halted": status.halted}
            emit("capital", free=free, **told, locked=held)
        emit("stats", **scanner.stats())


def _live(books: LiveBooks, tokens: Sequence[str]) -> list[Book]:
    return [book for token in tokens if (book := books.book(token)) is not None]


async def _catch_up(payouts: Payouts, client: Client, account: str) -> None:
    """Tell the desk of the trades whose capital it counts as invested although they were paid out."""
    handle = client.get_workflow_handle_for(DeskWorkflow.run, desk_id(account))
    claims = await handle.query(DeskWorkflow.claims)
    await payouts.catch_up([claim.trade_id for claim in claims if claim.use is Use.INVESTED])
