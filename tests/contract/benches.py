"""What the author of a venue writes to have it tested: a simulated exchange under control, and its truth.

A bench starts the exchange, makes accounts and the `Venue` that trades for them, moves the books, makes things go
wrong by name, and reads the truth journal. Names of troubles are the same for every venue; each bench says what its
exchange does for one of them. What it cannot do stands in `lacks` with the reason, which the skipped case prints.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from arbsaga.domain.instruments import Instrument, Outcome, Side
from arbsaga.venues.port import Venue

ZERO = Decimal(0)
Levels = Mapping[Decimal, Decimal]
"""Shares by price."""


class Trouble(StrEnum):
    """What can go wrong, in words that fit every venue. Of requests: strikes one of them. Of streams: until calmed."""

    ANSWER_DROPPED = "an order is taken, and the connection ends instead of an answer"
    REQUEST_LOST = "an order never arrives, and the connection ends instead of an answer"
    DELIVERED_LATE = "an order arrives `seconds` later; nobody hears of it"
    REFUSED = "the exchange refuses an order in words of its own"
    SERVER_ERROR = "an order is answered with 500 and was not taken"
    SERVER_ERROR_AFTER = "an order is taken, and answered with 500"
    RATE_LIMITED = "an order is answered with 429"
    ODD_ANSWER = "an order is taken, and answered with success in a shape that nobody knows"
    SLOW_ANSWER = "an order is taken, and answered after `seconds`"
    HELD_BACK = "an order that could trade at once is held back for `seconds`, and cannot be cancelled meanwhile"
    SETTLEMENT_FAILS = "a fill is taken back after it was told: it never happened"
    CANCEL_LOSES = "an order is filled in the moment before its cancel arrives"
    CANCEL_FAILS = "a cancel is answered with 500 and does nothing"
    STALE_READS = "private reads hide what has happened in the last `seconds`"
    TOLD_NOTHING = "the user stream answers pings and tells nothing"
    TOLD_TWICE = "the user stream tells everything twice"
    TOLD_OUT_OF_ORDER = "the user stream tells everything late, in any order, for `seconds` at most"
    USER_STREAM_BREAKS = "the user stream's connection ends at its next message"
    BOOKS_LOST = "the next message about books is lost, and nothing says so"
    BOOKS_TWICE = "every message about books comes twice"
    BOOKS_OUT_OF_ORDER = "messages about books come late, in any order, for `seconds` at most"
    BOOK_STREAM_BREAKS = "the book stream's connection ends at its next message"


class Feature(StrEnum):
    """What not every venue has."""

    SCALAR = "a market can pay something between 0 and 1"
    SEVERAL_POCKETS = "cash is held in more than one pocket, and a market is paid from one of them"


@dataclass(frozen=True, slots=True)
class TrueOrder:
    """An order that the exchange accepted. `open`: it can still fill."""

    size: Decimal
    filled: Decimal
    open: bool


@dataclass(frozen=True, slots=True)
class TrueFill:
    """One match of one of the account's orders: shares, USD moved before the fee, the fee billed, whether it failed."""

    order_id: str
    size: Decimal
    usd: Decimal
    fee: Decimal
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """What really happened to one account, by the exchange's journal. Orders are named by `Venue.order_id`.

    `refused` has the exchange's words, `duplicates` each id once for every time that it came again, `cash` all USD
    and `pockets` the same by pocket, `positions` shares by token, without those that are 0.
    """

    orders: Mapping[str, TrueOrder]
    refused: Mapping[str, str]
    duplicates: Sequence[str]
    fills: Sequence[TrueFill]
    cash: Decimal
    pockets: Mapping[str, Decimal]
    positions: Mapping[str, Decimal]

    def came(self, order_id: str) -> int:
        """How often the order reached the engine, whatever became of it."""
        return (order_id in self.orders) + (order_id in self.refused) + self.duplicates.count(order_id)

    def fills_of(self, order_id: str) -> list[TrueFill]:
        """The fills of one order."""
        return [fill for fill in self.fills if fill.order_id == order_id]


class Bench(Protocol):
    """One simulated exchange on a free loopback port, with its journal in a folder."""

    name: str
    """The name of the venue, as `Venue.name` and `Instrument.venue` have it."""
    part: str
    """A value between 0 and 1 USD that a market can be decided at (Feature.SCALAR)."""
    lacks: Mapping[Trouble | Feature, str]
    """What this exchange cannot do or the venue does not have, and why: at least one whole sentence each."""
    markets: Sequence[str]
    """At least three open markets, as `Venue.listing` names them, without any order. The first takes a limit of every
    whole cent and bills fees; the others differ in whatever markets of this venue differ in (grid, fee, pocket ...)."""
    titles: Mapping[str, str]
    """The event's title by market."""

    async def start(self) -> None:
        """Start the exchange, or start it again: on the same port, with what its journal tells."""

    async def stop(self) -> None:
        """End the exchange as a process that is killed: connections break, what is in memory is gone."""

    async def close(self) -> None:
        """End everything, every venue made here included."""

    def venue(self, *, usd: str = "1000", timeout_ms: int = 2_000) -> Venue:
        """A new Venue object of the one account: a fresh memory, not started. Closed with the bench.

        The first call gives the account `usd` in each of its pockets. `timeout_ms` bounds a post and a cancel.
        """

    def stranger(self) -> Venue:
        """A Venue with a key or wallet that this exchange does not let trade; not started."""

    def recipe(self) -> tuple[Callable[..., Venue], tuple[str, ...]]:
        """A function at module level and its arguments, which make the account's Venue in any process."""

    def revoke(self) -> None:
        """The account's key is not valid any more."""

    def offer(self, instrument: Instrument, side: Side, price: str, size: str) -> str:
        """An order of somebody else, in the instrument's own price; it may fill what rests. Returns its name."""

    def withdraw(self, offer: str) -> None:
        """Take back what is left of an offer."""

    def book(self, instrument: Instrument) -> tuple[Levels, Levels]:
        """(bids, asks) of the instrument as the exchange has them."""

    def strike(self, trouble: Trouble, seconds: float = 0) -> None:
        """Make something go wrong from now on; see Trouble for how often."""

    def calm(self) -> None:
        """Nothing goes wrong any more."""

    def pause(self, seconds: float) -> None:
        """No marketable order is taken for `seconds`, in the way this venue has of doing so; cancels are."""

    def resolve(self, market: str, winner: Outcome) -> None:
        """Decide a market and pay it out."""

    def settle_at(self, market: str, value: str) -> None:
        """Decide a market at a value between 0 and 1 USD for a YES, and pay it out (Feature.SCALAR)."""

    def truth(self) -> Record:
        """What the journal tells of the account, read from its file."""

    async def sockets(self) -> int:
        """Connections of streams that the exchange has open."""
