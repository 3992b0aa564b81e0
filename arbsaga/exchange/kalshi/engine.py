"""The Kalshi exchange behind one facade: orders in, answers and happenings out.

Single-threaded and synchronous. The only I/O is the truth journal, which is written before anything changes: a failed
write leaves the exchange as it was. Refusals are `Rejected` with the venue's HTTP `status` and `code`; `text` is the
error's details.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

from arbsaga.errors import Rejected
from arbsaga.exchange.core import Clock
from arbsaga.exchange.faults import FaultPlan
from arbsaga.exchange.journal import Journal, Record
from arbsaga.exchange.kalshi import records
from arbsaga.exchange.kalshi.changes import Change, Changes
from arbsaga.exchange.kalshi.checks import own_group
from arbsaga.exchange.kalshi.core import Core, Due
from arbsaga.exchange.kalshi.desk import OrderDesk
from arbsaga.exchange.kalshi.fees import check_fees
from arbsaga.exchange.kalshi.funds import Funds
from arbsaga.exchange.kalshi.grid import check_ranges
from arbsaga.exchange.kalshi.groups import Groups
from arbsaga.exchange.kalshi.halts import halts, in_thursday_pause, next_thursday_pause
from arbsaga.exchange.kalshi.lifecycle import Lifecycles
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
    Series,
    Settlement,
    Trade,
)
from arbsaga.exchange.kalshi.orders import Orders
from arbsaga.exchange.kalshi.settings import EngineSettings
from arbsaga.exchange.model import BookView, Side


class Engine:
    """The simulated Kalshi. Amounts are base-unit ints (units.py)."""

    def __init__(
        self, journal: Journal, clock: Clock, settings: EngineSettings, faults: FaultPlan | None = None
    ) -> None:
        self.faults = faults or FaultPlan(settings.seed)
        self.settings = settings
        self._core = Core(journal, clock, settings, self.faults)
        self._state = self._core.state
        self._orders = Orders(self._core)
        self._desk = OrderDesk(self._core, self._orders)
        self._lifecycles = Lifecycles(self._core, self._orders)
        self._funds = Funds(self._core)
        self._changes = Changes(self._core, self._desk, self._orders)
        self._groups = Groups(self._core, self._orders)
        self.series, self.events, self.markets = self._state.series, self._state.events, self._state.markets
        self._do: dict[Due, Callable[[str], None]] = {
            "close": self._lifecycles.close_due,
            "expire": self._orders.expire,
            "settle": self._lifecycles.payout_due,
            "thursday": self._thursday,
        }
        if settings.thursday_pause:
            now = clock()
            self._core.plan(now if in_thursday_pause(now) else next_thursday_pause(now), "thursday", "")

    @classmethod
    def recover(cls, path: Path, clock: Clock, settings: EngineSettings, faults: FaultPlan | None = None) -> "Engine":
        """The exchange as its truth journal tells, going on in the same file. An absent or empty file gives a new one.

        Orders of the house are gone: its traders put them up anew. Raises Unavailable where the journal is damaged.
        """
        journal, lines = Journal.resume(path, clock)
        engine = cls(journal, clock, settings, faults)
        engine._core.replay(lines)
        engine._plan_all()
        return engine

    def _plan_all(self) -> None:
        """Draw up the agenda of what a journal has told."""
        for market in self.markets.values():
            if market.close_ms is not None:
                self._core.plan(market.close_ms, "close", market.ticker)
            if market.status in ("determined", "amended"):
                self._lifecycles.plan_payout(market)
        for orders in self._state.resting.values():
            for order in orders.values():
                if order.expiration_time is not None:
                    self._core.plan(order.expiration_time * 1000, "expire", order.order_id)

    def _thursday(self, _: str) -> None:
        self._orders.halt(list(self.markets))
        self._core.plan(next_thursday_pause(self._core.clock()), "thursday", "")

    @property
    def accepted(self) -> int:
        """Orders accepted from non-house accounts."""
        return sum(map(len, self._state.history.values()))

    @property
    def duplicates(self) -> int:
        """Orders refused because their client_order_id was used."""
        return self._state.duplicates

    def listen(self, listener: Callable[[Happening], None]) -> None:
        """Have every happening told, in order and at once. A listener must not call the engine back."""
        self._core.listeners.append(listener)

    def advance(self) -> None:
        """Do everything due by the clock: closes, expiries, settlements, the Thursday pause."""
        while self._core.run_due(self._do):
            pass

    def close(self) -> None:
        """Let go of the journal."""
        self._core.journal.close()

    # Catalogue and lifecycle

    def open_series(self, series: Series) -> None:
        """Know a series. Raises ValueError where the ticker is taken, or its fees are unknown."""
        check_fees(series.fee_type, series.fee_multiplier)
        if series.ticker in self.series:
            raise ValueError(f"series {series.ticker} is taken")
        self._core.commit([("series", records.series_fields(series))])

    def open_event(self, event: Event, markets: Sequence[Market]) -> None:
        """Open an event with its markets. Raises ValueError on tickers that are taken or unknown."""
        tickers = [market.ticker for market in markets]
        if event.event_ticker in self.events or event.series_ticker not in self.series:
            raise ValueError(f"event {event.event_ticker}: taken, or its series is unknown")
        if len(set(tickers)) < len(tickers) or self.markets.keys() & set(tickers):
            raise ValueError(f"event {event.event_ticker}: the ticker of a market is taken")
        check_fees(event.fee_type_override, event.fee_multiplier_override)
        for market in markets:
            check_ranges(market.price_ranges)
            if market.event_ticker != event.event_ticker:
                raise ValueError(f"market {market.ticker} is not of event {event.event_ticker}")
        batch: list[Record] = [("event", records.event_fields(event))]
        self._core.commit(batch + [("market", records.market_fields(market)) for market in markets])
        for market in markets:
            if market.close_ms is not None:
                self._core.plan(market.close_ms, "close", market.ticker)

    def set_event_fees(self, event_ticker: str, fee_type: FeeType | None, multiplier: Decimal | None) -> None:
        """Override (None: no longer) the series' fees for one event. Raises ValueError on unknown ones."""
        check_fees(fee_type, multiplier)
        if event_ticker not in self.events:
            raise ValueError(f"no event {event_ticker}")
        fields = {
            "event_ticker": event_ticker,
            "fee_type": fee_type,
            "fee_multiplier": records.decimal_text(multiplier),
        }
        self._core.commit([("event_fees", fields)])

    def set_price_ranges(self, ticker: str, ranges: tuple[tuple[int, int, int], ...]) -> None:
        """Change a market's price grid, live; resting orders stay."""
        check_ranges(ranges)
        self._core.market(ticker)
        self._core.commit([("price_ranges", {"ticker": ticker, "price_ranges": records.ranges_text(ranges)})])

    def pause_market(self, ticker: str, paused: bool) -> None:
        """Halt one market (409 trading_is_paused; cancels are taken), or let it go on."""
        self._core.market(ticker)
        self._core.commit([("paused", {"ticker": ticker, "paused": paused})])
        if paused:
            self._orders.halt([ticker])

    def halt(self, *, trading: bool = False, exchange: bool = False, exchange_index: int | None = None) -> None:
        """Halt trading (cancels are taken) or everything, on one shard or all; without arguments let all go on."""
        shards = {event.exchange_index for event in self.events.values()} | self._state.halts.keys() | {0}
        chosen = sorted(shards) if exchange_index is None else [exchange_index]
        told = {"trading": trading, "exchange": exchange}
        self._core.commit([("halted", {"exchange_index": shard, **told}) for shard in chosen])
        if trading or exchange:
            self._orders.halt([ticker for ticker in self.markets if self._state.shard(ticker) in chosen])

    def halts(self, exchange_index: int) -> Halts:
        """What is halted now on a shard, the Thursday pause included."""
        return halts(self._core, exchange_index)

    def activate(self, ticker: str, active: bool) -> None:
        """Make an initialized or inactive market active, or an active one inactive. Raises ValueError."""
        self._lifecycles.activate(self._core.market(ticker), active=active)

    def close_market(self, ticker: str) -> None:
        """End trading in an active or inactive market; its resting orders are canceled. Raises ValueError."""
        self._lifecycles.close(self._core.market(ticker))

    def determine(self, ticker: str, value: int) -> None:
        """Decide a market (closing it first): USD per YES in 0..ONE, scalar where neither 0 nor ONE.

        Payout follows `settlement_timer_seconds` later. Raises ValueError where it is decided already, or where a
        mutually exclusive event would pay more than 1 USD over its YES contracts.
        """
        self._lifecycles.determine(self._core.market(ticker), value)

    def dispute(self, ticker: str) -> None:
        """Hold the payout of a determined (or amended) market until `amend_result`. Raises ValueError."""
        self._lifecycles.dispute(self._core.market(ticker))

    def amend_result(self, ticker: str, value: int) -> None:
        """Give a determined or disputed market a new value; the settlement timer starts anew. Raises ValueError."""
        self._lifecycles.amend(self._core.market(ticker), value)

    @property
    def unpaid(self) -> list[str]:
        """Markets that are decided and have not been paid out."""
        return [market.ticker for market in self.markets.values() if market.status in ("determined", "amended")]

    # Accounts

    def create_account(self, account_id: str, *, house: bool = False) -> Account:
        """The account of this id, opened if new. House accounts have unlimited funds."""
        return self._core.open_account(account_id, house=house)

    def account(self, account_id: str) -> Account | None:
        """The account of this id, None if there is none. Not to be changed by the caller."""
        return self._state.accounts.get(account_id)

    def accounts(self) -> list[Account]:
        """All accounts, the house's included."""
        return list(self._state.accounts.values())

    @property
    def fees_collected(self) -> int:
        """USD of fees billed to everybody."""
        return self._state.fees

    def deposit(self, account_id: str, amount: int, exchange_index: int = 0) -> None:
        """Add USD to a shard of an account, opened if new. Raises ValueError unless amount > 0."""
        self._funds.deposit(account_id, amount, exchange_index)

    def transfer(self, account_id: str, to_account_id: str, amount: int, source: int, destination: int) -> None:
        """Move USD between shards or accounts. Raises Rejected (400 insufficient_balance, invalid_parameters)."""
        self._funds.transfer(account_id, to_account_id, amount, source, destination)

    def set_netting(self, account_id: str, enabled: bool, exchange_index: int = 0) -> None:
        """Switch collateral return of mutually exclusive events. Raises Rejected where that needs more cash."""
        self._funds.set_netting(account_id, exchange_index, enabled=enabled)

    def available(self, account_id: str, exchange_index: int) -> int:
        """USD of a shard that resting orders do not keep aside."""
        account = self._state.accounts.get(account_id)
        return self._core.available(account, exchange_index) if account else 0

    # Orders

    def submit(self, new: NewOrder) -> Placed:
        """Take one order. Raises Rejected, and Unavailable where the journal cannot be written."""
        self.advance()
        return self._desk.submit(new)

    def cancel(self, account_id: str, order_id: str) -> Reduced:
        """Cancel one resting order. Raises Rejected (404 where it does not rest)."""
        self.advance()
        return self._orders.cancel(account_id, order_id)

    def cancel_all(self, account_id: str, exchange_index: int | None = None) -> list[Reduced]:
        """Cancel every resting order of an account, of one shard where given."""
        self.advance()
        return self._orders.cancel_all(account_id, exchange_index)

    def decrease(
        self, account_id: str, order_id: str, *, reduce_by: int | None = None, reduce_to: int | None = None
    ) -> Reduced:
        """Take contracts off a resting order, which keeps its place. Raises Rejected."""
        self.advance()
        return self._changes.decrease(account_id, order_id, reduce_by, reduce_to)

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
        self.advance()
        change = Change(ticker, side, price, count, client_order_id, updated_client_order_id, expiration_time)
        return self._changes.amend(account_id, order_id, change)

    def order(self, order_id: str) -> Order | None:
        """A non-house order in any state, or a resting house order; else None."""
        return self._state.orders.get(order_id)

    def orders(self, account_id: str) -> list[Order]:
        """Every order an account ever had accepted, oldest first."""
        return list(self._state.history[account_id])

    def resting(self, account_id: str) -> list[Order]:
        """Its orders that rest, oldest first."""
        return list(self._state.resting[account_id].values())

    def fills(self, account_id: str) -> list[Fill]:
        """Its fills, oldest first."""
        return list(self._state.fills[account_id])

    def settlements(self, account_id: str) -> list[Settlement]:
        """What decided markets paid it, oldest first."""
        return list(self._state.settlements[account_id])

    def queue_position(self, order_id: str) -> int:
        """Contracts ahead of a resting order at its price. Raises Rejected (404)."""
        order = self._state.orders.get(order_id)
        if order is None or not order.slip.resting:
            raise Rejected(404, f"order {order_id} does not rest", "not_found")
        side: Side = "SELL" if order.slip.side == "BUY" else "BUY"
        ahead = 0
        for slip in self._state.books[order.ticker].crossing(order.ticker, side, order.price):
            if slip.order_id == order_id:
                break
            ahead += slip.remaining if slip.price == order.price else 0
        return ahead

    # Books and tape

    def book(self, ticker: str) -> BookView:
        """The YES book: (price, contracts) levels, best last. Raises Rejected (404 market_not_found)."""
        self._core.market(ticker)
        return self._state.books[ticker].view(ticker, self._core.clock())

    def trades(self, ticker: str) -> list[Trade]:
        """The latest trades of a market (at most 1,000), oldest first."""
        self._core.market(ticker)
        return list(self._state.tape[ticker])

    def open_interest(self, ticker: str) -> int:
        """Contracts outstanding."""
        return self._state.pools[ticker]

    def volume(self, ticker: str) -> int:
        """Contracts ever traded."""
        return self._state.volume[ticker]

    # Order groups

    def create_group(self, account_id: str, limit: int, exchange_index: int = 0) -> Group:
        """A new order group: `limit` contracts filled in 15 s. Raises Rejected outside 1..1,000,000 contracts."""
        return self._groups.create(account_id, limit, exchange_index)

    def group(self, account_id: str, group_id: str) -> Group:
        """An order group. Raises Rejected (404)."""
        return own_group(self._core, account_id, group_id)

    def groups(self, account_id: str) -> list[Group]:
        """The order groups of an account."""
        return [group for group in self._state.groups.values() if group.account_id == account_id]

    def set_group_limit(self, account_id: str, group_id: str, limit: int) -> None:
        """Change a group's limit. Raises Rejected."""
        self._groups.set_limit(account_id, group_id, limit)

    def trigger_group(self, account_id: str, group_id: str) -> None:
        """Cancel a group's orders and refuse new ones until it is reset. Raises Rejected."""
        self._groups.trigger(account_id, group_id)

    def reset_group(self, account_id: str, group_id: str) -> None:
        """Let a triggered group take orders again. Raises Rejected."""
        self._groups.reset(account_id, group_id)

    def delete_group(self, account_id: str, group_id: str) -> None:
        """Cancel a group's orders and forget it. Raises Rejected."""
        self._groups.delete(account_id, group_id)


__all__ = ["Clock", "Engine", "EngineSettings"]
