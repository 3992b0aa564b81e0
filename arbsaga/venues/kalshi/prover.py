"""Finds out what became of our orders: by the venue's id, by listings of their market, by what the stream told.

An order whose venue id was never learned can only be found in a listing of its market's orders. That it is not in
there proves nothing by itself: reads lag writes, and a create can arrive late. So "nobody knows it" is noted with the
moment of which the listings told; what it proves after how long is for whoever asks to say.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import structlog

from arbsaga.domain.evidence import MAX_EVIDENCE, merge
from arbsaga.domain.orders import OrderState, OrderView
from arbsaga.errors import VenueError
from arbsaga.venues.kalshi.account import Account
from arbsaga.venues.kalshi.names import Names
from arbsaga.venues.kalshi.orders import PATH
from arbsaga.venues.kalshi.pace import Pace
from arbsaga.venues.kalshi.records import outcome_of
from arbsaga.venues.kalshi.rest import Params, Rest
from arbsaga.venues.kalshi.seen import FillSeen, OrderSeen, add
from arbsaga.venues.kalshi.user_stream import UserStream
from arbsaga.venues.kalshi.wire import decimal

LISTED_BEFORE_S: Final = 60
"""Orders are listed from this long before they were made: the venue's clock is not ours."""
LIST_EVERY_MS: Final = 300
"""A listing serves everyone who asks within this: it costs five times what a look by id does, and lags more."""
SAY_EVERY_MS: Final = 5_000
"""Every open order asks ten times a second: of an outage the log has one line of a kind this often."""
STREAM_S: Final = 0.25
"""After a cancel the stream tells the end within this; reads lag up to 2 s."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Listing:
    """The orders of one market made since `after_s`, by each of their ids, as of `as_of_ms`.

    `complete`: no record was left out, its fills were listed too, and the order of each fill is known.
    """

    after_s: int
    listed_ms: int
    as_of_ms: int
    orders: dict[str, OrderSeen]
    complete: bool


@dataclass(frozen=True, slots=True)
class _Withdrawal:
    """What a cancel said: `left` contracts were taken off, None where it did not cancel."""

    left: Decimal | None
    text: str


class Prover:
    """Looks and cancels for one account. `clock` is the wall clock in ms."""

    def __init__(
        self, rest: Rest, account: Account, stream: UserStream, names: Names, pace: Pace, *, clock: Callable[[], int]
    ) -> None:
        self._pace = pace
        self._rest, self._account, self._stream, self._names, self._clock = rest, account, stream, names, clock
        self._listings: dict[str, _Listing] = {}
        self._said_ms: dict[str, int] = {}
        self._unsaid: Counter[str] = Counter()

    async def look(self, known: Sequence[OrderView]) -> tuple[OrderView, ...]:
        """See `Venue.look`. What the user stream has just told in full needs no request.

        But for an order of which nothing was known: what the stream remembers of it may be old (a trade run again).
        """
        told = tuple(map(self.told, known))
        if told != tuple(known) and all(map(_exists, known)) and all(map(_in_full, told)):
            return told
        listings = await self._find(told)
        return tuple(await asyncio.gather(*(self._look(view, listings.get(_ticker(view))) for view in told)))

    async def cancel(self, known: OrderView) -> OrderView:
        """See `Venue.cancel`. Waits a moment for the stream to tell the end, since reads lag."""
        view = self.told(known)
        if view.state is OrderState.DONE:
            (seen,) = await self.look([view])
            return seen
        await self._find([view])
        venue_id = self._names.venue_id(view.order_id)
        if not venue_id:
            (seen,) = await self.look([view])
            return _note(seen, "not listed at the venue, so that nothing can be canceled")
        withdrawal = await self._withdraw(view, venue_id)
        if withdrawal.left is not None and self._stream.alive and not self.told(view).state.final:
            await self._stream.news([view.order_id], STREAM_S)
        (seen,) = await self.look([view])
        return _after(_note(seen, withdrawal.text), withdrawal)

    def told(self, view: OrderView) -> OrderView:
        """The view with what the user stream has told."""
        for record in self._stream.read(view.order_id):
            view = add(view, record, "stream")
        return replace(view, denied_ms=0) if view.denied_ms and _exists(view) else view

    async def _find(self, views: Iterable[OrderView]) -> dict[str, _Listing]:
        """Listings of the markets of those orders whose venue id is not known."""
        wanted: dict[str, int] = {}
        for view in views:
            if not self._names.venue_id(view.order_id) and not _settled(view):
                after_s = view.terms.created_ms // 1000 - LISTED_BEFORE_S
                wanted[_ticker(view)] = min(wanted.get(_ticker(view), after_s), after_s)
        found = await asyncio.gather(*(self._listing(ticker, after_s) for ticker, after_s in wanted.items()))
        return {ticker: listing for ticker, listing in zip(wanted, found, strict=True) if listing is not None}

    async def _listing(self, ticker: str, after_s: int) -> _Listing | None:
        listed_ms = self._clock()
        before = self._listings.get(ticker)
        if before is not None and listed_ms - before.listed_ms < LIST_EVERY_MS and before.after_s <= after_s:
            return before
        params: Params = {"ticker": ticker, "min_ts": max(after_s, 0)}
        try:
            # First how old reads are: what is listed after that is not older.
            as_of_ms = await self._account.as_of_ms()
            orders, fills = await asyncio.gather(self._account.orders(params), self._account.fills(params))
            complete = orders.whole and fills.whole and await self._explained(orders.seen, fills.seen)
        except VenueError as error:
            self._warn("orders cannot be listed", error, ticker=ticker)
            return None
        named = {name: one for one in orders.seen for name in (one.client_id, one.venue_id) if name}
        self._listings = {
            name: one for name, one in self._listings.items() if listed_ms - one.listed_ms < LIST_EVERY_MS
        }
        self._listings[ticker] = listing = _Listing(after_s, listed_ms, as_of_ms, named, complete)
        return listing

    async def _explained(self, orders: Sequence[OrderSeen], fills: Sequence[FillSeen]) -> bool:
        """Whether the order of every fill is known: one that is listed ahead of its order could be anyone's."""
        listed = {one.venue_id for one in orders}
        strange = {one.venue_id for one in fills if one.venue_id not in listed}
        unknown = [venue_id for venue_id in strange if not self._names.order_id(venue_id)]
        found = await asyncio.gather(*map(self._account.identify, unknown))
        return None not in found

    async def _look(self, view: OrderView, listing: _Listing | None) -> OrderView:
        venue_id = self._names.venue_id(view.order_id)
        if not venue_id:
            return _denied(view, listing)
        seen = view
        if _asks_by_id(view):
            order = (listing and listing.orders.get(venue_id)) or await self._by_id(venue_id)
            seen = add(view, order, "by id") if order is not None else view
        if seen.matched > seen.filled or (seen.state is OrderState.DONE and not seen.explained):
            for fill in await self._fills(venue_id):
                seen = add(seen, fill, "fills")
        if seen.fills != view.fills:
            self._stream.expect(view.order_id)
        return replace(seen, denied_ms=0) if seen.denied_ms and _exists(seen) else seen

    async def _by_id(self, venue_id: str) -> OrderSeen | None:
        try:
            return await self._account.order(venue_id)
        except VenueError as error:
            self._warn("order cannot be read", error, venue_id=venue_id)
            return None

    async def _fills(self, venue_id: str) -> tuple[FillSeen, ...]:
        try:
            return (await self._account.fills({"order_id": venue_id})).seen
        except VenueError as error:
            self._warn("fills cannot be read", error, venue_id=venue_id)
            return ()

    def _warn(self, event: str, error: VenueError, **facts: str) -> None:
        """Log it, with how many of its kind were left out since the last line."""
        now_ms = self._clock()
        if now_ms - self._said_ms.get(event, 0) < SAY_EVERY_MS:
            self._unsaid[event] += 1
            return
        self._said_ms[event] = now_ms
        log.warning(event, error=str(error), left_out=self._unsaid.pop(event, 0), **facts)

    async def _withdraw(self, view: OrderView, venue_id: str) -> _Withdrawal:
        """Cancel at the order's shard: without one the venue looks on shard 0 alone."""
        pocket = view.terms.instrument.rules.pocket
        self._pace.cancel()
        where: Params = {"exchange_index": pocket} if pocket else {"market_ticker": _ticker(view)}
        try:
            answer = await self._rest.delete(f"{PATH}/{venue_id}", where)
            if answer.status >= 300:
                return _Withdrawal(None, f"not canceled: {answer.fault}")
            return _Withdrawal(decimal(answer.body()["reduced_by"]), "canceled")
        except (VenueError, LookupError, TypeError, ValueError) as error:
            return _Withdrawal(None, f"cancel failed: {error}")


def _ticker(view: OrderView) -> str:
    ticker, _ = outcome_of(view.terms.instrument.token)
    return ticker


def _denied(view: OrderView, listing: _Listing | None) -> OrderView:
    """Not in a listing: that holds for the moment the listing told of, by the earlier of the two clocks."""
    if view.state is not OrderState.UNKNOWN or listing is None or not listing.complete:
        return view
    if listing.after_s > view.terms.created_ms // 1000 - LISTED_BEFORE_S:
        return view
    return replace(view, denied_ms=max(view.denied_ms, min(listing.as_of_ms, listing.listed_ms)))


def _after(view: OrderView, withdrawal: _Withdrawal) -> OrderView:
    """An acknowledged cancel ends the order once every contract is accounted for: taken off, or filled and seen.

    A cancel alone never does: what filled before it must be seen first, and reads lag.
    """
    if withdrawal.left is None or view.state.final or view.known + withdrawal.left != view.terms.size:
        return view
    return merge(view, "cancel", state=OrderState.DONE, reason="canceled")


def _exists(view: OrderView) -> bool:
    return view.state not in (OrderState.UNKNOWN, OrderState.ABSENT)


def _in_full(view: OrderView) -> bool:
    """Whether the order can fill no more and each of its fills is seen."""
    return view.state is OrderState.DONE and view.explained


def _settled(view: OrderView) -> bool:
    """Whether nothing about it can still be asked: over, and with all its fills."""
    return view.explained and view.state is not OrderState.ABSENT


def _asks_by_id(view: OrderView) -> bool:
    """An order that is over is not asked for again: only its fills can still be missing."""
    return view.state is not OrderState.DONE


def _note(view: OrderView, text: str) -> OrderView:
    line = f"cancel: {text}"
    if line in view.evidence:
        return view
    return replace(view, evidence=(*view.evidence, line)[-MAX_EVIDENCE:])
