"""The side effects of one trade, each idempotent or fenced: what `workflows/runtime.py` asks for.

An order is written to the ledger before it is sent; an attempt that was written before is never sent
again, whoever asks, but looked up. So a workflow that is reset, or a plan that is run twice, cannot
send an order twice.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.depth import DepthCheck, DepthSettings, LiveBooksOf, now_ms
from activities.watching import watch
from arbsaga.domain.books import Book
from arbsaga.domain.money import Size
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView, Purpose
from arbsaga.errors import ArbsagaError, Opposed, VenueError
from arbsaga.ledger import Intent, Ledger
from arbsaga.notify import Pager
from arbsaga.risk.funded import DepthAnswer, FundedOrders
from arbsaga.saga.messages import (
    CancelLeg,
    DepthReport,
    Market,
    Page,
    PlaceLegs,
    PollFills,
    ReadBooks,
    Seen,
    TradeRecord,
    ValidateDepth,
)
from arbsaga.venues.port import Venue
from arbsaga.venues.several import venue_of

T = TypeVar("T")
_log = structlog.get_logger(__name__)

NOT_SENT_AGAIN = "ledger: this attempt was sent before and is not sent again"
BOOKS_LIMIT_S = 2.0
"""Undoing waits no longer for a venue's books: those of a venue that does answer grow old meanwhile."""
OLD_S = 1.0
"""Books are read again where the other answers took longer."""


class TradingActivities:
    """One account's hands at its venue. One instance per process; the venue is started and closed by its owner."""

    def __init__(
        self,
        venue: Venue,
        ledger: Ledger,
        pager: Pager,
        books: LiveBooksOf | None = None,
        settings: DepthSettings | None = None,
    ) -> None:
        """`books` are the scanner's live books where it runs in this process."""
        self._venue = venue
        self._ledger = ledger
        self._pager = pager
        self._depth = DepthCheck(venue, ledger, books, settings or DepthSettings())
        self._telling: set[asyncio.Task[bool]] = set()

    def all(self) -> list[Callable[..., Any]]:
        """What a worker registers."""
        return [
            self.validate_depth,
            self.place_legs,
            self.exit_leg,
            self.poll_fills,
            self.cancel_leg,
            self.read_books,
            self.record,
            self.page,
        ]

    @activity.defn
    async def validate_depth(self, ask: ValidateDepth) -> DepthAnswer:
        """Fresh books of every leg, balance, allowance, lease and halt. Harmless, so it may run twice.

        A plan that is run again must not be refused: entering again only asks for its orders' fate.
        """
        refusal = await self._depth.refusal(ask.plan)
        entered = bool(refusal) and await self._depth.entered(ask.plan)
        return DepthAnswer(DepthReport(ask.plan.trade_id, "" if entered else refusal, now_ms()), entered)

    @activity.defn
    async def place_legs(self, funded: FundedOrders) -> Seen:
        """Send the entry orders at once. Nothing is sent while trading is halted."""
        return await _uninterrupted(self._send(funded, entry=True))

    @activity.defn
    async def exit_leg(self, funded: FundedOrders) -> Seen:
        """Send reducing orders. Never blocked by a halt."""
        return await _uninterrupted(self._send(funded, entry=False))

    @activity.defn
    async def poll_fills(self, ask: PollFills) -> Seen:
        """Watch orders until there is something to tell. Its time is the server's, as the story's is."""
        started_ms = round(activity.info().started_time.timestamp() * 1000)
        known = await self._identified(ask.known)
        seen = await watch(self._venue, ask, known, ask.until_ms - started_ms)
        return Seen(ask.trade_id, seen, now_ms())

    @activity.defn
    async def cancel_leg(self, ask: CancelLeg) -> Seen:
        """Cancel by id and say what is known afterwards."""
        (known,) = await self._identified((ask.known,))
        view = await self._venue.cancel(known)
        return Seen(ask.trade_id, (view,), now_ms())

    @activity.defn
    async def read_books(self, ask: ReadBooks) -> Market:
        """Fresh books, settled shares, and the latest of the orders named and of those a reset made forgotten."""
        known = {*ask.others, *(view.terms.key for view in ask.known)}
        forgotten = await asyncio.to_thread(self._forgotten, ask.trade_id, known)
        began = time.monotonic()
        books, sellable, orders = await asyncio.gather(
            self._books(ask.tokens), self._sellable(ask.tokens), self._look((*ask.known, *forgotten))
        )
        if time.monotonic() - began > OLD_S:
            books = await self._books(ask.tokens)
        return Market(ask.trade_id, books, sellable, orders, now_ms())

    @activity.defn
    async def record(self, record: TradeRecord) -> Seen:
        """Write the trade to the ledger, or tell of its orders that the record leaves out: then nothing is written."""
        trade_id = record.plan.trade_id
        named = {view.terms.key for view in record.orders}
        forgotten = await asyncio.to_thread(self._forgotten, trade_id, named)
        if not forgotten:
            await asyncio.to_thread(self._ledger.record, record)
        return Seen(trade_id, await self._look(forgotten), now_ms())

    @activity.defn
    async def page(self, page: Page) -> None:
        """Tell a person. Tried again until every service has taken it; what took it once is not asked again."""
        if not await self._pager.deliver(page):
            raise ApplicationError("the page is on the alert log, but not every service has taken it")

    async def _send(self, funded: FundedOrders, *, entry: bool) -> Seen:
        orders = funded.ask.orders
        written = await asyncio.to_thread(self._write_down, funded, activity.info().workflow_id or "", entry)
        if isinstance(written, str):
            refused = tuple(OrderView(terms, "", OrderState.ABSENT, reason=written) for terms in orders)
            return Seen(funded.ask.trade_id, refused, now_ms())
        fresh = [terms for terms, view in zip(orders, written, strict=True) if view is None]
        before = [view for view in written if view is not None]
        posted, looked = await asyncio.gather(self._post(fresh), self._look(before))
        await self._stop_if_barred(funded.ask.trade_id, posted)
        answers = {_key(view.terms): view for view in (*posted, *looked)}
        return Seen(funded.ask.trade_id, tuple(answers[_key(terms)] for terms in orders), now_ms())

    async def _stop_if_barred(self, trade_id: str, posted: Sequence[OrderView]) -> None:
        """What would refuse every further order too halts the entries, and a person is told (py-clob-client-v2 #32)."""
        refused = [view for view in posted if view.state is OrderState.DONE and view.reason]
        bars = next((view for view in refused if self._venue.bars_account(view.reason)), None)
        if bars is None:
            return
        barred, venue = bars.reason, bars.terms.instrument.venue
        try:
            await asyncio.to_thread(self._halt, f"{venue} takes no order of this account: {barred}")
        except ArbsagaError as error:  # the orders' answer matters more; the next trade's refusal tries again
            activity.logger.warning("entries cannot be halted: %s", error)
        to_do = "Mend what it says, then: arbsaga resume"
        page = Page(trade_id, f"{trade_id}/barred", f"entries are halted: the venue says {barred}", (), to_do)
        telling = asyncio.ensure_future(self._pager.deliver(page))  # beside the answer, which must not wait for it
        self._telling.add(telling)
        telling.add_done_callback(self._told)

    def _halt(self, reason: str) -> None:
        """A person's own reason stays."""
        if not self._ledger.halted():
            self._ledger.halt(reason)

    def _told(self, telling: asyncio.Task[bool]) -> None:
        self._telling.discard(telling)
        if not telling.cancelled() and (error := telling.exception()) is not None:
            _log.error("page not delivered", exc_info=error)

    def _write_down(self, funded: FundedOrders, workflow_id: str, entry: bool) -> Sequence[OrderView | None] | str:
        """For each order None (fresh: may be sent) or what was written before. Text: why none may be sent."""
        orders = funded.ask.orders
        stop = self._stop(funded.ask) if entry else ""
        if stop and all(self._before(terms) is None for terms in orders):
            return stop
        intents = [(terms, self._venue.order_id(terms)) for terms in orders]
        try:
            fresh = self._ledger.intend(
                intents,
                account=funded.account,
                workflow_id=workflow_id,
                lease_id=funded.lease_id,
                cap=funded.cap,
            )
        except Opposed as opposed:
            return str(opposed)
        return [None if new else self._before(terms) for terms, new in zip(orders, fresh, strict=True)]

    def _stop(self, ask: PlaceLegs) -> str:
        """Why nothing more is entered, or empty."""
        if halted := self._ledger.halted():
            return f"trading is halted: {halted}"
        sent = self._ledger.intents_by_trade(ask.trade_id) if ask.follows else ()
        undoing = any(intent.terms.purpose is not Purpose.ENTER for intent in sent)
        return "undoing has begun: nothing more is entered" if undoing else ""

    def _before(self, terms: OrderTerms) -> OrderView | None:
        """The order as it was first written: after a reset its terms may differ from those asked for now."""
        intent = self._ledger.intent(terms.trade_id, terms.leg, terms.attempt)
        return None if intent is None else _sent_before(intent)

    def _forgotten(self, trade_id: str, known: Collection[str]) -> tuple[OrderView, ...]:
        """Orders of the trade that were written down and that its story does not know of."""
        intents = self._ledger.intents_by_trade(trade_id)
        return tuple(_sent_before(intent) for intent in intents if intent.terms.key not in known)

    async def _post(self, fresh: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        return await self._venue.post(fresh) if fresh else ()

    async def _look(self, known: Sequence[OrderView]) -> tuple[OrderView, ...]:
        return await self._venue.look(known) if known else ()

    async def _identified(self, views: Sequence[OrderView]) -> tuple[OrderView, ...]:
        """Views with their order ids: a lost answer to a post leaves none, but the id is a function of the terms."""
        if all(view.order_id for view in views):
            return tuple(views)
        return await asyncio.to_thread(lambda: tuple(view if view.order_id else self._named(view) for view in views))

    def _named(self, view: OrderView) -> OrderView:
        before = self._before(view.terms)
        terms, order_id = (before.terms, before.order_id) if before else (view.terms, self._venue.order_id(view.terms))
        return replace(view, terms=terms, order_id=order_id)

    async def _books(self, tokens: Sequence[str]) -> tuple[Book, ...]:
        """The books that can be had, whatever their venues: one that is dead takes nothing from the others."""
        groups: dict[str, list[str]] = {}
        for token in tokens:
            groups.setdefault(venue_of(token), []).append(token)
        each = await asyncio.gather(*(self._books_of(mine) for mine in groups.values()))
        had = {book.token: book for books in each for book in books}
        return tuple(had[token] for token in tokens if token in had)

    async def _books_of(self, tokens: Sequence[str]) -> tuple[Book, ...]:
        """All of one venue from one request; where that fails, those that can be had."""
        try:
            async with asyncio.timeout(BOOKS_LIMIT_S):
                try:
                    return await self._venue.books(tokens)
                except VenueError:
                    asks = (self._venue.books([token]) for token in tokens)
                    each = await asyncio.gather(*asks, return_exceptions=True)
                    return tuple(book for books in each if (had := _had(books)) for book in had)
        except TimeoutError:
            activity.logger.warning("left out: no books of %s after %s s", venue_of(tokens[0]), BOOKS_LIMIT_S)
            return ()

    async def _sellable(self, tokens: Sequence[str]) -> tuple[tuple[str, Size], ...]:
        """Settled shares by token; one that cannot be read counts as none."""
        sizes = await asyncio.gather(*(self._venue.sellable(token) for token in tokens), return_exceptions=True)
        return tuple((token, had) for token, size in zip(tokens, sizes, strict=True) if (had := _had(size)) is not None)


def _had(answer: T | BaseException) -> T | None:
    """The answer, or None for one the venue failed to give: that is left out, and logged."""
    if isinstance(answer, VenueError):
        activity.logger.warning("left out: %s", answer)
        return None
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _sent_before(intent: Intent) -> OrderView:
    return OrderView(intent.terms, intent.order_id, OrderState.UNKNOWN, evidence=(NOT_SENT_AGAIN,))


def _key(terms: OrderTerms) -> tuple[int, int]:
    return terms.leg, terms.attempt


async def _uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """A worker that stops, or a server that gave up on us, must not cut a post in two."""
    task = asyncio.ensure_future(work)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.done():
                raise
