"""The Kalshi exchange behind one facade: orders in, answers and happenings out.

Single-threaded and synchronous. The only I/O is the truth journal, which is written before anything changes: a failed
write leaves the exchange as it was. Refusals are `Rejected` with the venue's HTTP `status` and `code`; `text` is the
error's details.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

from arbsaga.exchange.core import Clock
from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.journal import Journal
from arbsaga.exchange.kalshi.model import (
    Account,
    BookSide,
    Event,
    FeeType,
    Fill,
    Group,
    Halts,
    Happening,
    Market,
    NewOrder,
    Order,
    Placed,
    Reduced,
    Result,
    Series,
    Settlement,
    Trade,
)
from arbsaga.exchange.kalshi.settings import EngineSettings
from arbsaga.exchange.model import BookView


class Engine:
    """The simulated Kalshi. Amounts are base-unit ints (units.py)."""

    faults: FaultPlan
    series: dict[str, Series]
    events: dict[str, Event]
    markets: dict[str, Market]

    def __init__(
        self, journal: Journal, clock: Clock, settings: EngineSettings, faults: FaultPlan | None = None
    ) -> None:
        raise NotImplementedError

    @classmethod
    def recover(cls, path: Path, clock: Clock, settings: EngineSettings, faults: FaultPlan | None = None) -> "Engine":
        """The exchange as its truth journal tells, going on in the same file. An absent or empty file gives a new one.

        Orders of the house are gone: its traders put them up anew. Raises Unavailable where the journal is damaged.
        """
        raise NotImplementedError

    def listen(self, listener: Callable[[Happening], None]) -> None:
        """Have every happening told, in order and at once. A listener must not call the engine back."""
        raise NotImplementedError

    def advance(self) -> None:
        """Do everything due by the clock: closes, expiries, settlements, the Thursday pause."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the journal."""
        raise NotImplementedError

    # Catalogue and lifecycle

    def open_series(self, series: Series) -> None:
        """Know a series. Raises ValueError where the ticker is taken."""
        raise NotImplementedError

    def open_event(self, event: Event, markets: Sequence[Market]) -> None:
        """Open an event with its markets. Raises ValueError on tickers that are taken or unknown."""
        raise NotImplementedError

    def set_event_fees(self, event_ticker: str, fee_type: FeeType | None, multiplier: Decimal | None) -> None:
        """Override (None: no longer) the series' fees for one event."""
        raise NotImplementedError

    def set_price_ranges(self, ticker: str, ranges: tuple[tuple[int, int, int], ...]) -> None:
        """Change a market's price grid, live; resting orders stay."""
        raise NotImplementedError

    def pause_market(self, ticker: str, paused: bool) -> None:
        """Halt one market (409 trading_is_paused; cancels are taken), or let it go on."""
        raise NotImplementedError

    def halt(self, *, trading: bool = False, exchange: bool = False, exchange_index: int | None = None) -> None:
        """Halt trading (cancels are taken) or everything, on one shard or all; without arguments let all go on."""
        raise NotImplementedError

    def halts(self, exchange_index: int) -> Halts:
        """What is halted now on a shard, the Thursday pause included."""
        raise NotImplementedError

    def activate(self, ticker: str, active: bool) -> None:
        """Make an initialized or inactive market active, or an active one inactive. Raises ValueError."""
        raise NotImplementedError

    def close_market(self, ticker: str) -> None:
        """End trading in an active or inactive market; its resting orders are canceled. Raises ValueError."""
        raise NotImplementedError

    def determine(self, ticker: str, value: int) -> None:
        """Decide a market (closing it first): USD per YES in 0..ONE, scalar where neither 0 nor ONE.

        Payout follows `settlement_timer_seconds` later. Raises ValueError where it is decided already, or where a
        mutually exclusive event would pay more than 1 USD over its YES contracts.
        """
        raise NotImplementedError

    def dispute(self, ticker: str) -> None:
        """Hold the payout of a determined (or amended) market until `amend_result`. Raises ValueError."""
        raise NotImplementedError

    def amend_result(self, ticker: str, value: int) -> None:
        """Give a determined or disputed market a new value; the settlement timer starts anew. Raises ValueError."""
        raise NotImplementedError

    # Accounts

    def create_account(self, account_id: str, *, house: bool = False) -> Account:
        """The account of this id, opened if new. House accounts have unlimited funds."""
        raise NotImplementedError

    def account(self, account_id: str) -> Account | None:
        """The account of this id, None if there is none. Not to be changed by the caller."""
        raise NotImplementedError

    def deposit(self, account_id: str, amount: int, exchange_index: int = 0) -> None:
        """Add USD to a shard of an account, opened if new. Raises ValueError unless amount > 0."""
        raise NotImplementedError

    def transfer(self, account_id: str, to_account_id: str, amount: int, source: int, destination: int) -> None:
        """Move USD between shards or accounts. Raises Rejected (400 insufficient_balance, invalid_parameters)."""
        raise NotImplementedError

    def set_netting(self, account_id: str, enabled: bool, exchange_index: int = 0) -> None:
        """Switch collateral return of mutually exclusive events. Raises Rejected where switching off needs more cash."""
        raise NotImplementedError

    def available(self, account_id: str, exchange_index: int) -> int:
        """USD of a shard that resting orders do not keep aside."""
        raise NotImplementedError

    # Orders

    def submit(self, new: NewOrder) -> Placed:
        """Take one order. Raises Rejected, and Unavailable where the journal cannot be written."""
        raise NotImplementedError

    def cancel(self, account_id: str, order_id: str) -> Reduced:
        """Cancel one resting order. Raises Rejected (404 where it does not rest)."""
        raise NotImplementedError

    def cancel_all(self, account_id: str, exchange_index: int | None = None) -> list[Reduced]:
        """Cancel every resting order of an account, of one shard where given."""
        raise NotImplementedError

    def decrease(
        self, account_id: str, order_id: str, *, reduce_by: int | None = None, reduce_to: int | None = None
    ) -> Reduced:
        """Take contracts off a resting order, which keeps its place. Raises Rejected."""
        raise NotImplementedError

    def amend(
        self,
        account_id: str,
        order_id: str,
        *,
        ticker: str,
        side: BookSide,
        price: int,
        count: int,
        client_order_id: str = "",
        updated_client_order_id: str = "",
        expiration_time: int | None = None,
    ) -> Placed:
        """Change a resting order: `count` is what it filled plus what shall rest. Raises Rejected.

        It keeps its place where neither the price changes nor the count grows; else it may also trade at once.
        `fill_count` of the answer is what it filled now.
        """
        raise NotImplementedError

    def order(self, order_id: str) -> Order | None:
        """A non-house order in any state, or a resting house order; else None."""
        raise NotImplementedError

    def orders(self, account_id: str) -> list[Order]:
        """Every order an account ever had accepted, oldest first."""
        raise NotImplementedError

    def resting(self, account_id: str) -> list[Order]:
        """Its orders that rest, oldest first."""
        raise NotImplementedError

    def fills(self, account_id: str) -> list[Fill]:
        """Its fills, oldest first."""
        raise NotImplementedError

    def settlements(self, account_id: str) -> list[Settlement]:
        """What decided markets paid it, oldest first."""
        raise NotImplementedError

    def queue_position(self, order_id: str) -> int:
        """Contracts ahead of a resting order at its price. Raises Rejected (404)."""
        raise NotImplementedError

    # Books and tape

    def book(self, ticker: str) -> BookView:
        """The YES book: (price, contracts) levels, best last. Raises Rejected (404 market_not_found)."""
        raise NotImplementedError

    def trades(self, ticker: str) -> list[Trade]:
        """The latest trades of a market (at most 1,000), oldest first."""
        raise NotImplementedError

    def open_interest(self, ticker: str) -> int:
        """Contracts outstanding."""
        raise NotImplementedError

    def volume(self, ticker: str) -> int:
        """Contracts ever traded."""
        raise NotImplementedError

    # Order groups

    def create_group(self, account_id: str, limit: int, exchange_index: int = 0) -> Group:
        """A new order group: `limit` contracts filled in 15 s. Raises Rejected outside 1..1,000,000 contracts."""
        raise NotImplementedError

    def group(self, account_id: str, group_id: str) -> Group:
        """An order group. Raises Rejected (404)."""
        raise NotImplementedError

    def groups(self, account_id: str) -> list[Group]:
        """The order groups of an account."""
        raise NotImplementedError

    def set_group_limit(self, account_id: str, group_id: str, limit: int) -> None:
        """Change a group's limit. Raises Rejected."""
        raise NotImplementedError

    def trigger_group(self, account_id: str, group_id: str) -> None:
        """Cancel a group's orders and refuse new ones until it is reset. Raises Rejected."""
        raise NotImplementedError

    def reset_group(self, account_id: str, group_id: str) -> None:
        """Let a triggered group take orders again. Raises Rejected."""
        raise NotImplementedError

    def delete_group(self, account_id: str, group_id: str) -> None:
        """Cancel a group's orders and forget it. Raises Rejected."""
        raise NotImplementedError


__all__ = ["Engine", "EngineSettings", "Result"]
