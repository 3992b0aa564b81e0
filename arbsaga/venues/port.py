"""What arbsaga needs of a venue. One package per venue implements it; nothing else knows its wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from arbsaga.domain.books import Book
from arbsaga.domain.instruments import Instrument, Outcome, Side
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.orders import Fill, OrderTerms, OrderView


@dataclass(frozen=True, slots=True)
class MarketListing:
    """One binary market as the venue lists it. `open`: it takes orders now. `winner`: set once resolved.

    `value` is what one YES paid where it was neither 0 nor 1 (then there is no winner). `closes_ms` and
    `resolves_ms` are when the venue expects trading to end and the payout to come; 0 where it does not say.
    """

    yes: Instrument
    no: Instrument
    open: bool
    winner: Outcome | None = None
    value: Decimal | None = None
    closes_ms: int = 0
    resolves_ms: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """What a market asks, in the venue's own words, for whoever compares it with another venue's.

    `rules` is every text that decides how it resolves, in a fixed order; `status` is the venue's word.
    """

    venue: str
    market: str
    title: str
    rules: str
    status: str
    open: bool
    closes_ms: int
    resolves_ms: int = 0


@dataclass(frozen=True, slots=True)
class EventListing:
    """An event and its markets. `exhaustive`: exactly one market must resolve YES, and all are listed here."""

    event: str
    title: str
    neg_risk: bool
    exhaustive: bool
    markets: tuple[MarketListing, ...]


@dataclass(frozen=True, slots=True)
class Funds:
    """What can be spent: `cash` USD not reserved by open orders; `short` names a missing allowance, or is empty."""

    cash: Usd
    short: str = ""


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order of our account that rests at the venue."""

    order_id: str
    token: str
    side: Side
    price: Price
    size: Size
    matched: Size
    created_ms: int


@dataclass(frozen=True, slots=True)
class AccountFill:
    """A fill of our account as the venue lists it, for reconciliation."""

    order_id: str
    token: str
    side: Side
    fill: Fill


class BookSink(Protocol):
    """Where a market stream delivers. Called from one task, in the order of the wire."""

    def snapshot(self, token: str, bids: Mapping[Price, Size], asks: Mapping[Price, Size], time_ms: int) -> None:
        """The whole book of a token as of `time_ms` (venue's time)."""

    def change(self, token: str, side: Side, price: Price, size: Size, time_ms: int) -> None:
        """A level's new absolute size; 0 removes it. BUY is the bid side."""

    def best(self, token: str, bid: Price | None, ask: Price | None) -> None:
        """The venue's own best prices after a change: a mismatch with ours means a missed update."""

    def commit(self, received_ns: int, tokens: Sequence[str]) -> None:
        """All of one frame was applied; its bytes arrived at `received_ns` (monotonic)."""

    def gap(self, tokens: Sequence[str], reason: str) -> None:
        """The stream was interrupted: these books are stale until their next snapshot."""

    def closed(self, market: str) -> None:
        """The market takes no more orders (resolved, closed, tick changed): drop its books."""


class Venue(Protocol):
    """One account at one venue. All methods raise `VenueError` for an answer that cannot be used."""

    name: str

    def order_id(self, terms: OrderTerms) -> str:
        """The venue's id of this order, known before it is posted. Pure; no key is needed."""

    async def post(self, orders: Sequence[OrderTerms]) -> tuple[OrderView, ...]:
        """Send each order once, all at the same time, none after its `send_by_ms`. Never raises for an outcome.

        Accepted: LIVE, PENDING or DONE with what filled. Refused: DONE with `reason` (proof that nothing
        rests or filled). Not sent (too late): ABSENT. Everything else: UNKNOWN. No retries.
        """

    def bars_account(self, refusal: str) -> bool:
        """Whether these words of a refusal mean that the account can place no order until a person mends something."""

    async def look(self, known: Sequence[OrderView]) -> tuple[OrderView, ...]:
        """Ask every source (by id, trades, what the user stream brought) about orders, and merge the answers.

        An order that is UNKNOWN and nobody knows is also cancelled by id; if that too says "not found",
        `denied_ms` is set to now. A failed request leaves that order as it was.
        """

    async def cancel(self, known: OrderView) -> OrderView:
        """Cancel by id, then look. A cancel that lost the race shows the fill. Never raises for an outcome."""

    async def news(self, order_ids: Sequence[str], timeout_ms: int) -> bool:
        """Wait until the user stream brings something about these orders; False at the timeout."""

    def streaming(self) -> bool:
        """Whether the user stream is connected and proved alive."""

    async def funds(self, buys: Sequence[Instrument]) -> Funds:
        """Free cash in the one pocket these buys are paid from, and whether the exchanges they go to may spend it."""

    async def barred(self, instruments: Sequence[Instrument]) -> str:
        """Why the venue takes no marketable order for these now (maintenance, pause, post-only window), or empty."""

    async def sellable(self, token: str) -> Size:
        """Settled shares of the token that can be sold now, less what open orders reserve."""

    async def cash(self) -> Usd:
        """The account's whole cash at the venue, reserved or not."""

    async def positions(self, tokens: Sequence[str]) -> Mapping[str, Size]:
        """Settled shares of each of these tokens."""

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        """Every order of the account that rests."""

    async def fills_since(self, after_ms: int) -> tuple[AccountFill, ...]:
        """Every fill of the account at or after this time, oldest first."""

    async def books(self, tokens: Sequence[str]) -> tuple[Book, ...]:
        """Fresh books by request, all from one answer, in the order asked. `read_ms` is the time of the answer."""

    async def events(self) -> tuple[EventListing, ...]:
        """Every open event with an order book, and those of our markets that have resolved since."""

    async def listing(self, market: str) -> MarketListing:
        """One market by its id, resolved or not. Raises `UnknownThing` when the venue does not have it."""

    async def question(self, market: str) -> Question:
        """A market's question and rules. Raises `UnknownThing` when the venue does not have it."""

    async def stream_books(self, tokens: Sequence[str], sink: BookSink) -> None:
        """Feed the sink with these tokens' books until cancelled; reconnects by itself and reports each gap."""

    async def start(self) -> None:
        """Connect the user stream and check the account. Raises `UserError` for a key or address that cannot trade."""

    async def close(self) -> None:
        """Release every connection."""


class DeadMan(Protocol):
    """A venue's dead-man switch over every open order of one API key. A venue without one has no class for it.

    The first accepted beat arms it for good: from then on some seconds without an accepted beat cancel all those
    orders, so it must have one owner, who beats for as long as anything may rest.
    """

    key: str
    """Whose orders: tells one API key from another, and is no secret."""

    async def beat(self, last: str) -> str:
        """Say that the owner is alive; `last` is what the last beat gave, empty before the first.

        Raises VenueError when it was not accepted, or may not have been; UserError for a key that cannot be used.
        """

    async def close(self) -> None:
        """Release its connections; an armed switch stays armed."""
