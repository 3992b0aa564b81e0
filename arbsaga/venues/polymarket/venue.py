"""Polymarket behind the `Venue` port: one account, assembled from the parts of this package."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence

import structlog
from polymarket import AsyncSecureClient
from polymarket.errors import PolymarketError

from arbsaga.domain.books import Book
from arbsaga.domain.instruments import Instrument, Side
from arbsaga.domain.money import Size, Usd
from arbsaga.domain.orders import OrderState, OrderTerms, OrderView
from arbsaga.errors import Unavailable, UserError, VenueError
from arbsaga.venues.polymarket.account import Account, balance_figures
from arbsaga.venues.polymarket.books import Books
from arbsaga.venues.polymarket.client import connect, posting_http
from arbsaga.venues.polymarket.discovery import NAME, Discovery
from arbsaga.venues.polymarket.halts import Halts
from arbsaga.venues.polymarket.market_stream import stream_books
from arbsaga.venues.polymarket.outcome import bars_account
from arbsaga.venues.polymarket.posting import Poster
from arbsaga.venues.polymarket.prover import Prover
from arbsaga.venues.polymarket.records import decimal
from arbsaga.venues.polymarket.rest import Credentials, Rest
from arbsaga.venues.polymarket.settings import PolymarketSettings
from arbsaga.venues.polymarket.signing import Signer
from arbsaga.venues.polymarket.sockets import Keepalive
from arbsaga.venues.polymarket.user_stream import UserStream
from arbsaga.venues.port import AccountFill, BookSink, EventListing, Funds, MarketListing, OpenOrder, Question

MAX_SKEW_S = 5
"""Requests are signed with our clock, in seconds; the venue's tolerance is not documented."""
STREAM_START_S = 5

log = structlog.get_logger()


def wall_ms() -> int:
    """Ms since the epoch."""
    return time.time_ns() // 1_000_000


class PolymarketVenue:
    """One account at Polymarket; see `arbsaga.venues.port.Venue`.

    Public reads (`events`, `listing`, `books`, `stream_books`) and `order_id` work at once, all else after
    `start`. Raises SecretError or UserError for a key or wallet that cannot be used. `clock` is the wall
    clock in ms.
    """

    name = NAME

    def __init__(
        self,
        settings: PolymarketSettings,
        *,
        clock: Callable[[], int] = wall_ms,
        keepalive: Keepalive | None = None,
    ) -> None:
        self.settings, self._clock, self._keepalive = settings, clock, keepalive or Keepalive()
        self._signer = Signer(settings)
        self._rest = Rest(settings.read_timeout_ms)
        self._books = Books(self._rest, settings.clob_url)
        self._discovery = Discovery(self._rest, settings.gamma_url, settings.clob_url)
        self._account = Account(self._rest, settings.clob_url, settings.signature_type, self._discovery.rules)
        self._session: _Session | None = None

    @property
    def address(self) -> str:
        """The signing key's own address, checksummed."""
        return self._signer.address

    @property
    def wallet(self) -> str:
        """The address that holds the money and makes the orders, checksummed."""
        return self._signer.wallet

    async def start(self) -> None:
        """Get API credentials, check clock and account, warm the posting connections, connect the user stream.

        Raises UserError for a key, wallet or clock that cannot trade, Unavailable where the venue does not answer.
        """
        assert self._session is None, "a venue is started once"
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise

    async def _start(self) -> None:
        await self._check_clock()
        client = await connect(self.settings, self.settings.private_key, self.wallet)
        self._session = session = _Session(
            self.settings,
            client,
            signer=self._signer,
            account=self._account,
            keepalive=self._keepalive,
            clock=self._clock,
        )
        self._rest.credentials = session.credentials
        await session.start()
        await self._warn_if_empty()

    async def close(self) -> None:
        """Release every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        await self._rest.close()

    async def _check_clock(self) -> None:
        before = self._clock()
        try:
            raw = await self._rest.get(self.settings.clob_url, "/time")
            theirs = int(decimal(raw["time"] if isinstance(raw, dict) else raw))
        except (VenueError, KeyError, ValueError) as error:
            raise Unavailable(f"the venue at {self.settings.clob_url} does not answer: {error}") from error
        skew = (before + self._clock()) / 2_000 - (theirs + 0.5)  # it tells whole seconds
        if abs(skew) > MAX_SKEW_S:
            raise UserError(f"this computer's clock is {skew:.0f} s off the venue's: set it by NTP")

    async def _warn_if_empty(self) -> None:
        """A wallet with nothing in it is often the wrong one, or of another signature type (py-clob-client #109)."""
        try:
            empty = await self._account.is_empty()
        except VenueError as error:
            raise Unavailable(f"the account cannot be read: {error}") from error
        if empty:
            log.warning("the wallet has no pUSD and no allowance: wrong wallet or signature_type?", wallet=self.wallet)

    def order_id(self, terms: OrderTerms) -> str:
        """The venue's id of this order. Raises VenueError for terms off the venue's grid."""
        return self._signer.order_id(terms)

    async def post(self, orders: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        """See `Venue.post`. Raises VenueError, before anything is sent, for terms off the venue's grid."""
        return await self._started.post(orders)

    def bars_account(self, refusal: str) -> bool:
        """See Venue."""
        return bars_account(refusal)

    async def look(self, known: Sequence[OrderView]) -> tuple[OrderView, ...]:
        """See `Venue.look`. An accepted order that nobody knows now gets `denied_ms` too; after 15 s it is DONE."""
        return await self._started.prover.look(known)

    async def cancel(self, known: OrderView) -> OrderView:
        """See `Venue.cancel`."""
        return await self._started.prover.cancel(known)

    async def news(self, order_ids: Sequence[str], timeout_ms: int) -> bool:
        """See `Venue.news`; what was told before and not looked at yet is news, and so is an interruption."""
        return await self._started.stream.news(order_ids, timeout_ms / 1000)

    def streaming(self) -> bool:
        """See `Venue.streaming`."""
        return self._session is not None and self._session.stream.alive

    async def funds(self, buys: Sequence[Instrument]) -> Funds:
        """See `Venue.funds`; never more than the allowances of the buys' exchanges."""
        return await self._account.funds(buys)

    async def barred(self, instruments: Sequence[Instrument]) -> str:
        """See `Venue.barred`. Nothing announces a restart: it is what the last answers to orders and cancels said."""
        del instruments  # a restart concerns every market
        return "" if self._session is None else self._session.halts.barred()

    async def sellable(self, token: str) -> Size:
        """See `Venue.sellable`."""
        return await self._account.sellable(token)

    async def cash(self) -> Usd:
        """See `Venue.cash`."""
        return await self._account.cash()

    async def positions(self, tokens: Sequence[str]) -> Mapping[str, Size]:
        """See `Venue.positions`."""
        return await self._account.positions(tokens)

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        """See `Venue.open_orders`."""
        return await self._account.open_orders()

    async def fills_since(self, after_ms: int) -> tuple[AccountFill, ...]:
        """See `Venue.fills_since`; oldest first. Fees are by the schedule of markets that were listed before."""
        oldest_first = (await self._account.fills_since(after_ms))[::-1]
        return tuple(sorted(oldest_first, key=lambda one: one.fill.time_ms))

    async def books(self, tokens: Sequence[str]) -> tuple[Book, ...]:
        """See `Venue.books`; at most 500 tokens."""
        asked_ms = self._clock()
        return await self._books.read(tokens, asked_ms)

    async def events(self) -> tuple[EventListing, ...]:
        """See `Venue.events`. `exhaustive` is the venue's word for it: a neg-risk event, not augmented, all open."""
        return await self._discovery.events()

    async def listing(self, market: str) -> MarketListing:
        """See `Venue.listing`; `market` is a condition id."""
        return await self._discovery.listing(market)

    async def question(self, market: str) -> Question:
        """See `Venue.question`; `market` is a condition id."""
        return await self._discovery.question(market)

    async def stream_books(self, tokens: Sequence[str], sink: BookSink) -> None:
        """See `Venue.stream_books`."""
        await stream_books(
            self.settings.market_ws_url,
            tokens,
            sink,
            group=self.settings.tokens_per_socket,
            best_prices=self._books.best_prices,
            quiet_ms=self.settings.quiet_ms,
            keepalive=self._keepalive,
        )

    @property
    def _started(self) -> "_Session":
        assert self._session is not None, "orders come after start"
        return self._session


class _Session:
    """What exists once the credentials are there: posting, proving, and the user stream."""

    def __init__(
        self,
        settings: PolymarketSettings,
        client: AsyncSecureClient,
        *,
        signer: Signer,
        account: Account,
        keepalive: Keepalive,
        clock: Callable[[], int],
    ) -> None:
        self._client, self._account = client, account
        keys = client.credentials
        self.credentials = Credentials(signer.address, keys.key, keys.secret, keys.passphrase)
        self.stream = UserStream(settings.user_ws_url, self.credentials, keepalive)
        self.prover = Prover(client, account, self.stream, timeout_ms=settings.post_timeout_ms, clock=clock)
        self._poster = Poster(
            client, signer, timeout_ms=settings.post_timeout_ms, connections=settings.warm_connections, clock=clock
        )
        self.halts = Halts(clock)
        posting_http(client).event_hooks["response"].append(self.halts.heard)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self.stream.start()
        try:
            if await self._client.get_closed_only_mode():
                raise UserError("the venue has put this account in closed-only mode: it may not open positions")
        except PolymarketError as error:
            raise Unavailable(f"the account cannot be read: {error}") from error
        await self._poster.warm()
        self._run(self._poster.keep_warm())
        if not await self.stream.proved(STREAM_START_S):
            log.warning("the user stream is not there yet: fills are polled meanwhile")

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.stream.close()
        await self._client.close()

    async def post(self, orders: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        views = await self._poster.post(orders)
        for view in views:
            accepted = view.state in (OrderState.LIVE, OrderState.PENDING) or view.matched > 0
            if accepted and not self.stream.knows(view.order_id):
                self.stream.expect(view.order_id)
            if figures := balance_figures(view.reason):
                log.warning("not enough balance or allowance", order_id=view.order_id, **_names(figures))
                self._run(self._refresh(view.terms))
        return tuple(map(self.prover.told, views))

    async def _refresh(self, terms: OrderTerms) -> None:
        """The venue's cached balance or its sum of matched orders may be out of date (py-clob-client #342)."""
        try:
            await self._account.refresh("" if terms.side is Side.BUY else terms.instrument.token)
        except VenueError as error:
            log.warning("the balance cannot be refreshed", error=str(error))

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _names(figures: Mapping[str, Usd]) -> dict[str, str]:
    return {name.replace(" ", "_"): f"{amount:f}" for name, amount in figures.items()}
