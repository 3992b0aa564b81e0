"""Several venues (or one) behind one port: whoever trades on them stays one-venue code.

Each order, token and instrument belongs to one of them, and only that one is asked. What lists everything (orders,
fills, cash) is of all of them or an error: a list with a hole reads as if what is missing did not exist.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import structlog

from arbsaga.domain.books import Book
from arbsaga.domain.instruments import Instrument
from arbsaga.domain.money import NO_USD, Size, Usd
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView
from arbsaga.errors import Unavailable, UnknownThing, VenueError
from arbsaga.venues.port import (
    AccountFill,
    BookSink,
    EventListing,
    Funds,
    MarketListing,
    OpenOrder,
    Question,
    Venue,
)
from arbsaga.venues.unreached import Unreached, not_sent

T = TypeVar("T")
K = TypeVar("K")
POLYMARKET = "polymarket"
"""Its asset ids are bare numbers; every other venue's tokens begin with its name."""
START_LIMIT_S = 30.0
"""A venue that takes longer to start counts as one that does not answer: the others' trades wait for it."""
RETRY_S = 3.0
"""Between two tries to start a venue that did not answer."""

log = structlog.get_logger()


def venue_of(token: str) -> str:
    """The name of the token's venue: what stands before its first colon; Polymarket's have none."""
    name, colon, _ = token.partition(":")
    return name if colon else POLYMARKET


def market_of(token: str) -> str:
    """The market that a token names: what stands between its first and last colon; Polymarket's name none."""
    return token.partition(":")[2].rpartition(":")[0]


def parts_of(venue: Venue) -> Mapping[str, Venue]:
    """The venues behind one port, by name."""
    return venue.parts if isinstance(venue, Several) else {venue.name: venue}


def concerned(venue: Venue, orders: Iterable[OrderView]) -> Venue:
    """The least of `venue` that these orders are at: a dead venue must not slow down who waits for another."""
    names = {view.terms.instrument.venue for view in orders}
    return venue.only(names) if isinstance(venue, Several) and names <= venue.parts.keys() else venue


class Several(Venue):
    """One account at each of `parts`, by name. Where one fails, what concerns the others only still works.

    Methods raise VenueError where a venue that is needed for the whole answer fails, and for a venue that is not here.
    """

    def __init__(self, parts: Mapping[str, Venue], reopen: Callable[[str], Venue] | None = None) -> None:
        """Their order is the one in `name`: "polymarket+kalshi".

        `reopen` makes one of them anew, not started, where it did not start; by default it is started again as it is.
        """
        assert parts, "there is at least one venue"
        self._parts, self._reopen = dict(parts), reopen or dict(parts).__getitem__
        self.parts: Mapping[str, Venue] = MappingProxyType(self._parts)
        self.name = "+".join(parts)
        self._reaching: list[asyncio.Task[None]] = []

    def only(self, names: Iterable[str]) -> Venue:
        """These venues alone. Raises VenueError for one that is not here."""
        kept = {name: self._part(name) for name in sorted(names)}
        if kept.keys() == self.parts.keys() and len(kept) > 1:
            return self
        return next(iter(kept.values())) if len(kept) == 1 else Several(kept)

    def _part(self, name: str) -> Venue:
        if name not in self.parts:
            raise VenueError(self._not_here(name))
        return self.parts[name]

    def _not_here(self, name: str) -> str:
        return f"there is no venue {name} here, only {', '.join(self.parts)}"

    def order_id(self, terms: OrderTerms) -> str:
        """See Venue."""
        return self._part(terms.instrument.venue).order_id(terms)

    async def post(self, orders: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        """See Venue. All venues at once; where one raises beside others, its orders are UNKNOWN: theirs are sent.

        An order of a venue that is not here is ABSENT, without an id.
        """
        return await self._by_order(orders, _where, lambda venue, mine: venue.post(mine), self._not_posted)

    def bars_account(self, refusal: str) -> bool:
        """See Venue: the words of any of them."""
        return any(venue.bars_account(refusal) for venue in self.parts.values())

    async def look(self, known: Sequence[OrderView]) -> tuple[OrderView, ...]:
        """See Venue. Orders of a venue that fails, or is not here, are left as they were."""
        return await self._by_order(known, _whose, lambda venue, mine: venue.look(mine), lambda view, _: view)

    async def cancel(self, known: OrderView) -> OrderView:
        """See Venue. An order of a venue that is not here is left as it was."""
        part = self.parts.get(_whose(known))
        return known if part is None else await part.cancel(known)

    async def news(self, order_ids: Sequence[str], timeout_ms: int) -> bool:
        """See Venue: of whichever has some first."""
        waits = {asyncio.ensure_future(venue.news(order_ids, timeout_ms)) for venue in self.parts.values()}
        waiting = set(waits)
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if any(wait.result() for wait in done):
                    return True
        finally:
            await _stop(waits)
        return False

    def streaming(self) -> bool:
        """See Venue: all of them are."""
        return all(venue.streaming() for venue in self.parts.values())

    async def funds(self, buys: Sequence[Instrument]) -> Funds:
        """See Venue. The buys are of one venue and paid from one pocket of it."""
        (name,) = {buy.venue for buy in buys}
        assert len({buy.rules.pocket for buy in buys}) == 1, "money of one pocket is asked for at a time"
        return await self._part(name).funds(buys)

    async def barred(self, instruments: Sequence[Instrument]) -> str:
        """See Venue: the first reason, of whichever venue."""
        groups = _grouped(instruments, lambda instrument: instrument.venue)
        reasons = await asyncio.gather(*(self._part(name).barred(mine) for name, mine in groups.items()))
        return next((reason for reason in reasons if reason), "")

    async def sellable(self, token: str) -> Size:
        """See Venue."""
        return await self._part(venue_of(token)).sellable(token)

    async def cash(self) -> Usd:
        """See Venue: all venues' together. Each one's own is asked of `parts`."""
        each = await asyncio.gather(*(venue.cash() for venue in self.parts.values()))
        return Usd(sum(each, NO_USD))

    async def positions(self, tokens: Sequence[str]) -> Mapping[str, Size]:
        """See Venue."""
        groups = _grouped(tokens, venue_of)
        each = await asyncio.gather(*(self._part(name).positions(mine) for name, mine in groups.items()))
        return {token: size for positions in each for token, size in positions.items()}

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        """See Venue."""
        return _joined(await asyncio.gather(*(venue.open_orders() for venue in self.parts.values())))

    async def fills_since(self, after_ms: int) -> tuple[AccountFill, ...]:
        """See Venue."""
        return _joined(await asyncio.gather(*(venue.fills_since(after_ms) for venue in self.parts.values())))

    async def books(self, tokens: Sequence[str]) -> tuple[Book, ...]:
        """See Venue, but one answer for each venue: their `read_ms` differ."""
        groups = _grouped(tokens, venue_of)
        each = await asyncio.gather(*(self._part(name).books(mine) for name, mine in groups.items()))
        books = {book.token: book for book in _joined(each)}
        return tuple(books[token] for token in tokens)

    async def events(self) -> tuple[EventListing, ...]:
        """See Venue. Those of a venue that fails are left out; raises where all of them fail."""
        answers = await asyncio.gather(*(venue.events() for venue in self.parts.values()), return_exceptions=True)
        found: list[tuple[EventListing, ...]] = []
        failed: list[VenueError] = []
        for name, answer in zip(self.parts, answers, strict=True):
            if isinstance(answer, VenueError):
                log.warning("a venue's events are left out", venue=name, error=str(answer))
                failed.append(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found.append(answer)
        if not found:
            raise failed[0]
        return _joined(found)

    async def listing(self, market: str) -> MarketListing:
        """See Venue: of the one that has it."""
        return await self._of_whoever_has(market, lambda venue: venue.listing(market))

    async def question(self, market: str) -> Question:
        """See Venue: of the one that has it."""
        return await self._of_whoever_has(market, lambda venue: venue.question(market))

    async def stream_books(self, tokens: Sequence[str], sink: BookSink) -> None:
        """See Venue. Where one stream breaks for good, so do the others."""
        groups = _grouped(tokens, venue_of)
        streams = {asyncio.ensure_future(self._part(name).stream_books(mine, sink)) for name, mine in groups.items()}
        try:
            await asyncio.gather(*streams)
        finally:
            await _stop(streams)

    async def start(self) -> None:
        """See Venue. One that cannot be reached is tried again until `close`, as long as another has started.

        Raises UserError, with all closed again, for a venue that cannot be traded on, or where none can be reached.
        """
        answers = await asyncio.gather(*map(_begin, self.parts.values()), return_exceptions=True)
        failed = {name: answer for name, answer in zip(self.parts, answers, strict=True) if answer is not None}
        away = {name: error for name, error in failed.items() if isinstance(error, Unavailable | VenueError)}
        fatal = [error for name, error in failed.items() if name not in away]
        if fatal or len(away) == len(self.parts):
            await self._close()  # why it did not start matters more than what closing says
            raise next(iter(fatal or away.values()))
        for name, error in away.items():
            part = self.parts[name]
            self._miss(name, part, error)
            self._reaching.append(asyncio.create_task(self._reach(name, part)))

    def _miss(self, name: str, part: Venue, error: Exception) -> None:
        log.warning("a venue cannot be reached and is tried again", venue=name, error=str(error))
        self._parts[name] = Unreached(name, part, str(error))

    async def _reach(self, name: str, stand_in: Venue) -> None:
        """Start a venue as soon as it can be; `stand_in` is asked its pure questions until then."""
        said = ""
        while True:
            await asyncio.sleep(RETRY_S)
            try:
                part = self._reopen(name)
                await _begin(part)
            except Exception as error:  # noqa: BLE001 - whatever it is now, giving up would leave its trades alone
                if str(error) != said:
                    said = str(error)
                    self._miss(name, stand_in, error)
                continue
            self._parts[name] = part
            log.info("a venue is reached again", venue=name)
            return

    async def close(self) -> None:
        """See Venue. Raises what one of them raised once all are closed."""
        if failed := await self._close():
            raise failed[0]

    async def _close(self) -> list[BaseException]:
        await _stop(self._reaching)
        closed = await asyncio.gather(*(venue.close() for venue in self.parts.values()), return_exceptions=True)
        return [answer for answer in closed if isinstance(answer, BaseException)]

    async def _by_order(
        self,
        asked: Sequence[K],
        where: Callable[[K], str],
        ask: Callable[[Venue, Sequence[K]], Awaitable[tuple[OrderView, ...]]],
        without: Callable[[K, VenueError], OrderView],
    ) -> tuple[OrderView, ...]:
        """Ask every venue about its own, all at once; the answers in the order asked, `without` one where it fails."""
        groups = _grouped(range(len(asked)), lambda index: where(asked[index]))
        if len(groups) == 1 and groups.keys() <= self.parts.keys():
            return await ask(self._part(next(iter(groups))), asked)

        async def ask_part(name: str) -> tuple[OrderView, ...]:
            return await ask(self._part(name), [asked[index] for index in groups[name]])

        asks = [ask_part(name) for name in groups]
        answers = await asyncio.gather(*asks, return_exceptions=True)
        views: dict[int, OrderView] = {}
        for (name, mine), answer in zip(groups.items(), answers, strict=True):
            if isinstance(answer, VenueError):
                log.warning("a venue does not answer about its orders", venue=name, orders=len(mine), error=str(answer))
                views |= {index: without(asked[index], answer) for index in mine}
            elif isinstance(answer, BaseException):
                raise answer
            else:
                views |= dict(zip(mine, answer, strict=True))
        return tuple(views[index] for index in range(len(asked)))

    def _not_posted(self, terms: OrderTerms, error: VenueError) -> OrderView:
        name = terms.instrument.venue
        if name not in self.parts:
            return not_sent(terms, "", self._not_here(name))
        return OrderView(terms, self.order_id(terms), OrderState.UNKNOWN, evidence=(f"post: {error}",))

    async def _of_whoever_has(self, market: str, ask: Callable[[Venue], Awaitable[T]]) -> T:
        """A ticker and a condition id are never the same. Raises UnknownThing only where every venue has said so."""
        answers = await asyncio.gather(*(ask(venue) for venue in self.parts.values()), return_exceptions=True)
        failed = [answer for answer in answers if isinstance(answer, BaseException)]
        for answer in answers:
            if not isinstance(answer, BaseException):
                return answer
        raise next((error for error in failed if not isinstance(error, UnknownThing)), failed[0])


async def _begin(part: Venue) -> None:
    """Start a venue within its time. Raises what its `start` does, Unavailable for no answer."""
    try:
        async with asyncio.timeout(START_LIMIT_S):
            await part.start()
    except TimeoutError as error:
        raise Unavailable(f"{part.name} gave no answer within {START_LIMIT_S:g} s") from error


def _where(terms: OrderTerms) -> str:
    return terms.instrument.venue


def _whose(view: OrderView) -> str:
    return view.terms.instrument.venue


def _grouped(things: Iterable[K], where: Callable[[K], str]) -> dict[str, list[K]]:
    groups: dict[str, list[K]] = {}
    for thing in things:
        groups.setdefault(where(thing), []).append(thing)
    return groups


def _joined(each: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(one for some in each for one in some)


async def _stop(tasks: Iterable["asyncio.Future[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
