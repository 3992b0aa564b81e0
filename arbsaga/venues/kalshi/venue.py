"""Kalshi behind the `Venue` port: one account, assembled from the parts of this package."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Final

import structlog

from arbsaga.domain.books import Book
from arbsaga.domain.instruments import Instrument
from arbsaga.domain.money import Size, Usd
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView
from arbsaga.errors import VenueError
from arbsaga.venues.kalshi.account import Account
from arbsaga.venues.kalshi.attestation import Attestation
from arbsaga.venues.kalshi.books import Books
from arbsaga.venues.kalshi.checking import check_collateral, check_key, warn_of_attestation
from arbsaga.venues.kalshi.discovery import Discovery
from arbsaga.venues.kalshi.halts import Halts, halted
from arbsaga.venues.kalshi.market_stream import Timing, stream_books
from arbsaga.venues.kalshi.names import Names
from arbsaga.venues.kalshi.orders import client_id, create_body
from arbsaga.venues.kalshi.outcome import bars_account
from arbsaga.venues.kalshi.pace import Pace, read_tier
from arbsaga.venues.kalshi.posting import Poster
from arbsaga.venues.kalshi.prover import Prover
from arbsaga.venues.kalshi.records import NAME
from arbsaga.venues.kalshi.rest import Rest
from arbsaga.venues.kalshi.settings import KalshiSettings
from arbsaga.venues.kalshi.signing import Signer, wall_ms
from arbsaga.venues.kalshi.sockets import Keepalive
from arbsaga.venues.kalshi.user_stream import UserStream
from arbsaga.venues.port import (
    AccountFill,
    BookSink,
    EventListing,
    Funds,
    MarketListing,
    OpenOrder,
    Question,
)

STREAM_START_S: Final = 5

log = structlog.get_logger()


class KalshiVenue:
    """One account at Kalshi; see `arbsaga.venues.port.Venue`.

    Everything but posting works before `start`; the user stream is there after it. Raises ConfigError for a key that
    is none. `clock` is the wall clock in ms.
    """

    name = NAME

    def __init__(
        self,
        settings: KalshiSettings,
        *,
        clock: Callable[[], int] = wall_ms,
        keepalive: Keepalive | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.settings, self._clock, self._timing = settings, clock, timing
        self._signer = Signer(settings.key_id, settings.private_key, clock)
        self._rest = Rest(settings, self._signer)
        self._books = Books(self._rest)
        self._discovery = Discovery(self._rest, settings, clock)
        self._attestation = Attestation(self._rest, clock)
        names, self._pace = Names(), Pace()
        self._halts = Halts(self._rest, clock, settings.read_timeout_ms, self._pace)
        self._stream = UserStream(settings.ws_url, self._signer, names, keepalive or Keepalive())
        self._account = Account(self._rest, names, self._stream, clock)
        self._prover = Prover(self._rest, self._account, self._stream, names, self._pace, clock=clock)
        self._poster = Poster(self._rest, names, self._pace, connections=settings.warm_connections, clock=clock)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Check clock, key and collateral, warm the posting connections, connect the user stream.

        Raises UserError for a clock, key or account that cannot trade, Unavailable where the venue does not answer.
        """
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise

    async def _start(self) -> None:
        settings = self.settings
        key = await check_key(self._rest, settings.key_id, settings.read_timeout_ms, self._clock)
        self._attestation.take(key)
        warn_of_attestation(key, self._clock() / 1000)
        await check_collateral(self._account)
        self._pace.use(await read_tier(self._rest))
        self._stream.start()
        await self._poster.warm()
        self._run(self._poster.keep_warm())
        await self._tell_halt()
        if not await self._stream.proved(STREAM_START_S):
            log.warning("the user stream is not there yet: fills are polled meanwhile")

    async def _tell_halt(self) -> None:
        """A paused venue is no reason not to start: its open orders must be watched all the same."""
        try:
            reason = halted(await self._halts.status(), "0")
        except VenueError as error:
            reason = str(error)
        if reason:
            log.warning("Kalshi takes no orders now", reason=reason)

    async def close(self) -> None:
        """Release every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stream.close()
        await self._rest.close()

    def order_id(self, terms: OrderTerms) -> str:
        """The client_order_id of this order. Raises VenueError for terms off the market's grid."""
        create_body(terms)
        return client_id(terms)

    async def post(self, orders: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        """See `Venue.post`. Raises VenueError, before anything is sent, for terms off the market's grid."""
        views = await self._poster.post(orders)
        for view in views:
            accepted = view.state is OrderState.LIVE or view.matched > 0
            if accepted and not self._stream.knows(view.order_id):
                self._stream.expect(view.order_id)
        return tuple(map(self._prover.told, views))

    def bars_account(self, refusal: str) -> bool:
        """See `Venue.bars_account`: signature, key or scope. A lapsed location attestation closes a few categories."""
        return bars_account(refusal)

    async def look(self, known: Sequence[OrderView]) -> tuple[OrderView, ...]:
        """See `Venue.look`.

        There is no cancel by an id that was never learned. `denied_ms` is the moment of which the listings of orders
        and fills told, in which an UNKNOWN order was not: reads lag writes.
        """
        return await self._prover.look(known)

    async def cancel(self, known: OrderView) -> OrderView:
        """See `Venue.cancel`."""
        return await self._prover.cancel(known)

    async def news(self, order_ids: Sequence[str], timeout_ms: int) -> bool:
        """See `Venue.news`; what was told before and not looked at yet is news, and so is an interruption."""
        return await self._stream.news(order_ids, timeout_ms / 1000)

    def streaming(self) -> bool:
        """See `Venue.streaming`."""
        return self._stream.alive

    async def funds(self, buys: Sequence[Instrument]) -> Funds:
        """See `Venue.funds`: the cash of the buys' shard. Raises VenueError for buys of several shards."""
        return await self._account.funds(buys)

    async def barred(self, instruments: Sequence[Instrument]) -> str:
        """See `Venue.barred`: the shards' status, the announced hours, the markets' status, the key's attestation."""
        markets = sorted({one.market for one in instruments})
        reason = await self._halts.barred(instruments)
        return reason or await self._attestation.barred(markets, self._discovery.categories)

    async def sellable(self, token: str) -> Size:
        """See `Venue.sellable`."""
        return await self._account.sellable(token)

    async def cash(self) -> Usd:
        """See `Venue.cash`: the sum of all shards."""
        return await self._account.cash()

    async def positions(self, tokens: Sequence[str]) -> Mapping[str, Size]:
        """See `Venue.positions`: of a market's YES and NO only one is ever held."""
        return await self._account.positions(tokens)

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        """See `Venue.open_orders`. A bid is told as YES bought, an ask as NO bought, whatever they would close."""
        return await self._account.open_orders()

    async def fills_since(self, after_ms: int) -> tuple[AccountFill, ...]:
        """See `Venue.fills_since`. A bid is told as YES bought, an ask as NO bought, whatever they closed."""
        return await self._account.fills_since(after_ms)

    async def books(self, tokens: Sequence[str]) -> tuple[Book, ...]:
        """See `Venue.books`; of at most 100 markets."""
        return await self._books.read(tokens, self._clock())

    async def events(self) -> tuple[EventListing, ...]:
        """See `Venue.events`. `exhaustive` never: all markets of an exclusive event can resolve NO."""
        return await self._discovery.events()

    async def listing(self, market: str) -> MarketListing:
        """See `Venue.listing`; `market` is a ticker."""
        return await self._discovery.listing(market)

    async def question(self, market: str) -> Question:
        """See `Venue.question`; `market` is a ticker."""
        return await self._discovery.question(market)

    async def stream_books(self, tokens: Sequence[str], sink: BookSink) -> None:
        """See `Venue.stream_books`."""
        await stream_books(
            self.settings,
            self._signer,
            tokens,
            sink,
            read=self.books,
            on_change=self._discovery.changed,
            timing=self._timing,
        )

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
