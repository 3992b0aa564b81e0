"""Everything the exchange knows, and the few ways it changes: the same for a live order and for its journal record.

Nothing here decides, journals or tells. Callers journal first, then change.
"""

from collections import defaultdict
from dataclasses import replace

from arbsaga.exchange.accounts import Accounts
from arbsaga.exchange.book import Book
from arbsaga.exchange.ids import check_ids
from arbsaga.exchange.model import Event, Fill, Market, Order, OrderStatus, Trade, TradeStatus
from arbsaga.exchange.settlement import Draft, Steps, redeem, settle


class State:
    """Events, markets and their books, accounts, orders and trades."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.markets: dict[str, Market] = {}
        self.by_token: dict[str, Market] = {}
        self.books: dict[str, Book] = {}
        self.accounts = Accounts()
        self.orders: dict[str, Order] = {}
        """Non-house orders in any state, house orders while open."""
        self.open_orders: defaultdict[str, dict[str, Order]] = defaultdict(dict)
        """Resting and delayed orders by wallet."""
        self.used: set[str] = set()
        """Ids of non-house orders that the engine has seen: taken forever."""
        self.trades: dict[str, Trade] = {}
        """Trades that touch a non-house account."""
        self.traded: defaultdict[str, list[str]] = defaultdict(list)
        """Their ids by non-house wallet."""
        self.steps: dict[str, Steps] = {}
        """What is still to come of them."""
        self.unsettled: set[str] = set()
        """Those whose money and shares have neither moved nor been given up."""

    def check_event(self, event: Event, markets: list[Market]) -> None:
        """Raises ValueError where an id is taken, laid out wrongly, or the event does not list its markets."""
        if event.event_id in self.events or event.market_ids != tuple(market.condition_id for market in markets):
            raise ValueError(f"event {event.event_id}: taken, or its market_ids are not its markets in order")
        for market in markets:
            check_ids(market)
            if market.condition_id in self.markets or self.by_token.keys() & set(market.token_ids):
                raise ValueError(f"market {market.slug}: its condition id or a token id is taken")

    def add_event(self, event: Event) -> None:
        """Know a new event."""
        self.events[event.event_id] = event

    def add_market(self, market: Market) -> None:
        """Know a new market, with an empty book."""
        self.markets[market.condition_id] = market
        self.books[market.condition_id] = Book(market)
        self.by_token |= dict.fromkeys(market.token_ids, market)
        self.accounts.open_pool(market.condition_id)

    def place(self, order: Order) -> None:
        """Know an accepted order; it neither rests nor has traded yet, but may wait for its delay."""
        self.orders[order.order_id] = order
        self.open_orders[order.maker][order.order_id] = order
        if not order.house:
            self.used.add(order.order_id)
        self.accounts.hold(order)

    def kill(self, order: Order) -> None:
        """Know a FOK/FAK order that found nothing: its id is used (docs: error-codes, Duplicated)."""
        self.place(order)
        self.close(order, "CANCELED")

    def match(self, trade: Trade, steps: Steps) -> None:
        """Let a trade happen: its orders shrink and what they give is kept aside until it settles."""
        for fill in trade.fills:
            self._fill(fill, trade.trade_id)
        book = self.books[trade.condition_id]
        book.printed(trade.taker.token_id, trade.taker.price)
        if all(fill.house for fill in trade.fills):
            return
        self.trades[trade.trade_id] = trade
        self.steps[trade.trade_id] = steps
        self.unsettled.add(trade.trade_id)
        for address in dict.fromkeys(fill.address for fill in trade.fills if not fill.house):
            self.traded[address].append(trade.trade_id)

    def _fill(self, fill: Fill, trade_id: str) -> None:
        self.accounts.expect(fill)
        order = self.orders.get(fill.order_id)
        if order is None:
            return
        if order.resting:
            self.books[order.condition_id].shrink(order, fill.shares)
        order.matched += fill.shares
        order.spent += fill.usd
        order.trade_ids.append(trade_id)
        if order.resting and not order.remaining:
            self.close(order, "MATCHED")
        else:
            self.accounts.hold(order)

    def rest_or_close(self, order: Order) -> None:
        """After its matches: what remains of a GTC/GTD rests; a filled or FOK/FAK order is done."""
        if order.immediate or not order.remaining:
            self.close(order, "MATCHED" if order.matched else "CANCELED")
            return
        order.status = "LIVE"
        self.books[order.condition_id].add(order)
        self.accounts.hold(order)

    def close(self, order: Order, status: OrderStatus) -> None:
        """End an open order. House orders are forgotten."""
        if order.resting:
            self.books[order.condition_id].remove(order)
        order.status = status
        self.accounts.hold(order)
        del self.open_orders[order.maker][order.order_id]
        if order.house:
            del self.orders[order.order_id]

    def settlement(self, trade: Trade) -> Draft:
        """The moves of a trade that settles; shares of a decided market are paid out at once."""
        market = self.markets[trade.condition_id]
        draft = Draft(self.accounts, market, trade.trade_id)
        settle(draft, trade)
        return self._redeemed(draft, market, trade)

    def reversal(self, trade: Trade) -> Draft:
        """The moves of a trade that fails: none, unless its shares can be paid out now."""
        market = self.markets[trade.condition_id]
        return self._redeemed(Draft(self.accounts, market, trade.trade_id), market, trade)

    def _redeemed(self, draft: Draft, market: Market, trade: Trade) -> Draft:
        if market.decided:
            redeem(draft, [fill.address for fill in trade.fills], market.winner, trade)
        return draft

    def advance_trade(self, trade: Trade, status: TradeStatus, now_ms: int, draft: Draft | None) -> Trade:
        """Give a trade its next status. With a draft it is over: the moves are made and nothing is kept aside."""
        trade = self.trades[trade.trade_id] = replace(trade, status=status, updated_ms=now_ms)
        self.steps[trade.trade_id] = self.steps[trade.trade_id][1:]
        if trade.terminal:
            del self.steps[trade.trade_id]
        if draft is not None:
            self.unsettled.remove(trade.trade_id)
            for fill in trade.fills:
                self.accounts.expect(fill, -1)
                if status != "FAILED":
                    self.accounts.spend_allowance(fill, draft.market)
            self.accounts.apply(draft.moves)
        return trade

    def resolution(self, market: Market, winner: int | None) -> Draft:
        """The payouts of a market that is decided now; `winner` None: for neither side."""
        draft = Draft(self.accounts, market, market.condition_id)
        redeem(draft, self.accounts.wallets, winner)
        return draft

    def resolve(self, market: Market, winner: int | None, draft: Draft) -> None:
        """Decide a market and make the payouts. Its orders must be closed."""
        market.winner, market.split = winner, winner is None
        market.closed, market.accepting_orders = True, False
        self.accounts.apply(draft.moves)
