"""Everything the Kalshi exchange knows. It changes by journal records alone: live and in recovery the same way."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any

from arbsaga.exchange import model as base
from arbsaga.exchange.book import Book
from arbsaga.exchange.kalshi import records
from arbsaga.exchange.kalshi.model import (
    GROUP_WINDOW_MS,
    Account,
    BalanceChanged,
    BookLevel,
    BookSide,
    Event,
    FeesChanged,
    Fill,
    Filled,
    Group,
    GroupChange,
    GroupChanged,
    Halts,
    Happening,
    Lifecycle,
    Market,
    NewOrder,
    Order,
    OrderUpdated,
    Position,
    PositionChanged,
    Series,
    Settlement,
    Trade,
    TradePrinted,
)
from arbsaga.exchange.kalshi.netting import book_fill
from arbsaga.exchange.units import parse

Fields = Mapping[str, Any]

TAPE = 1_000
"""Trades kept per market."""


class State:
    """The catalogue, books, accounts, orders, fills and groups."""

    def __init__(self) -> None:
        self.series: dict[str, Series] = {}
        self.events: dict[str, Event] = {}
        self.markets: dict[str, Market] = {}
        self.listed: defaultdict[str, list[str]] = defaultdict(list)
        """Tickers of each event's markets."""
        self.books: dict[str, Book] = {}
        self.tape: dict[str, deque[Trade]] = {}
        self.volume: dict[str, int] = {}
        self.pools: dict[str, int] = {}
        """USD behind the contracts of each market: one for each contract outstanding."""
        self.fees = 0
        self.accounts: dict[str, Account] = {}
        self.orders: dict[str, Order] = {}
        """Non-house orders in any state, house orders while they rest."""
        self.history: defaultdict[str, list[Order]] = defaultdict(list)
        """Non-house orders by account."""
        self.resting: defaultdict[str, dict[str, Order]] = defaultdict(dict)
        self.fills: defaultdict[str, list[Fill]] = defaultdict(list)
        self.settlements: defaultdict[str, list[Settlement]] = defaultdict(list)
        self.duplicates = 0
        """Orders refused because their client id was used."""
        self.groups: dict[str, Group] = {}
        self.halts: dict[int, Halts] = {}
        self.told: list[Happening] = []
        """What happened since `take`."""
        self._levels: dict[tuple[str, base.Side, int], int] = {}
        self._touched: dict[str, int] = {}

    def apply(self, kind: str, fields: Fields, ms: int) -> None:
        """Change as a record tells. `ms` is when it was written."""
        change = _APPLY.get(kind)
        if change is not None:
            change(self, fields, ms)

    def take(self, tickers: Iterable[str], cause: str, ms: int) -> list[Happening]:
        """What happened since the last time, the changed levels of these markets' books last."""
        told, self.told = self.told, []
        for order_id, touched_ms in self._touched.items():
            told.append(OrderUpdated(self.orders[order_id].copy(), touched_ms))
        self._touched.clear()
        for ticker in tickers:
            told += self._book_levels(ticker, cause, ms)
        return told

    def _book_levels(self, ticker: str, cause: str, ms: int) -> list[Happening]:
        levels: list[Happening] = []
        for change in self.books[ticker].take_changes():
            if change.token_id != ticker:
                continue
            key = (ticker, change.side, change.price)
            delta = change.size - self._levels.pop(key, 0)
            if change.size:
                self._levels[key] = change.size
            if delta:
                side: BookSide = "bid" if change.side == "BUY" else "ask"
                levels.append(BookLevel(ticker, side, change.price, delta, change.size, cause, ms))
        return levels

    def event_of(self, ticker: str) -> Event:
        """The event of a market."""
        return self.events[self.markets[ticker].event_ticker]

    def shard(self, ticker: str) -> int:
        """The exchange_index of a market."""
        return self.event_of(ticker).exchange_index

    def touch(self, order: Order, ms: int) -> None:
        """Note that a non-house order changed."""
        if not order.house:
            self._touched[order.order_id] = ms
            order.updated_ms = ms

    def finish(self, order: Order) -> None:
        """An order neither rests nor waits any more. House orders are forgotten."""
        if order.slip.resting:
            self.books[order.ticker].remove(order.slip)
        self.resting[order.account_id].pop(order.order_id, None)
        group = self.groups.get(order.new.order_group_id)
        if group is not None and order.order_id in group.order_ids:
            group.order_ids.remove(order.order_id)
        if order.house:
            self.orders.pop(order.order_id, None)


def new_slip(new: NewOrder, order_id: str, created_ms: int, *, house: bool) -> base.Order:
    """An order in the terms of book and matching: of YES, by its contracts, never by USD."""
    return base.Order(
        order_id=order_id,
        maker=new.account_id,
        owner="",
        condition_id=new.ticker,
        token_id=new.ticker,
        side="BUY" if new.side == "bid" else "SELL",
        price=new.price,
        size=new.count,
        usd=0,
        order_type="GTC",
        expiration=0,
        post_only=new.post_only,
        created_ms=created_ms,
        house=house,
    )


def make_order(new: NewOrder, order_id: str, created_ms: int, *, house: bool) -> Order:
    """An order that has neither traded nor rested yet."""
    slip = new_slip(new, order_id, created_ms, house=house)
    return Order(new, slip, new.client_order_id, new.count, new.expiration_time, updated_ms=created_ms)


def _series(state: State, line: Fields, ms: int) -> None:
    series = records.read_series(line)
    state.series[series.ticker] = series


def _event(state: State, line: Fields, ms: int) -> None:
    event = records.read_event(line)
    state.events[event.event_ticker] = event


def _market(state: State, line: Fields, ms: int) -> None:
    market = records.read_market(line)
    ticker = market.ticker
    state.markets[ticker] = market
    state.listed[market.event_ticker].append(ticker)
    pair = (ticker, f"{ticker} NO")
    state.books[ticker] = Book(base.Market(ticker, market.event_ticker, "", ticker, "v1", pair))
    state.tape[ticker] = deque(maxlen=TAPE)
    state.volume[ticker] = state.pools[ticker] = 0
    state.told.append(Lifecycle("created", copy(market), ms))


def _event_fees(state: State, line: Fields, ms: int) -> None:
    old = state.events[line["event_ticker"]]
    fields = records.event_fields(old)
    fields |= {"fee_type_override": line["fee_type"], "fee_multiplier_override": line["fee_multiplier"]}
    event = state.events[old.event_ticker] = records.read_event(fields)
    state.told.append(FeesChanged(event.event_ticker, event.fee_type_override, event.fee_multiplier_override))


def _price_ranges(state: State, line: Fields, ms: int) -> None:
    market = state.markets[line["ticker"]]
    market.price_ranges = records.read_ranges(line["price_ranges"])
    state.told.append(Lifecycle("price_level_structure_updated", copy(market), ms))


def _lifecycle(state: State, line: Fields, ms: int) -> None:
    market = state.markets[line["ticker"]]
    market.status = line["status"]
    if line["value"] is not None:
        market.value, market.result = parse(line["value"]), line["result"]
    if line["change"] in ("determined", "amended"):
        market.determined_ms = ms
    if line["change"] == "settled":
        market.settled_ms = ms
    state.told.append(Lifecycle(line["change"], copy(market), ms))


def _paused(state: State, line: Fields, ms: int) -> None:
    market = state.markets[line["ticker"]]
    market.paused = line["paused"]
    state.told.append(Lifecycle("paused" if market.paused else "resumed", copy(market), ms))


def _halted(state: State, line: Fields, ms: int) -> None:
    state.halts[line["exchange_index"]] = Halts(line["trading"], line["exchange"])


def _account(state: State, line: Fields, ms: int) -> None:
    state.accounts[line["account_id"]] = Account(line["account_id"], line["house"])


def _netting(state: State, line: Fields, ms: int) -> None:
    shards = state.accounts[line["account_id"]].netting
    (shards.add if line["enabled"] else shards.discard)(line["exchange_index"])


def _balance(state: State, line: Fields, ms: int) -> None:
    account, shard = state.accounts[line["account_id"]], line["exchange_index"]
    delta = parse(line["delta"])
    account.cash[shard] = account.cash.get(shard, 0) + delta
    if not account.house:
        told = BalanceChanged(account.account_id, shard, delta, account.cash[shard], line["why"], line["ref"])
        state.told.append(told)


def _advance(state: State, line: Fields, ms: int) -> None:
    advanced, amount = state.accounts[line["account_id"]].advanced, parse(line["amount"])
    advanced[line["event_ticker"]] = amount
    if not amount:
        del advanced[line["event_ticker"]]


def _order(state: State, line: Fields, ms: int) -> None:
    new = records.read_new_order(line)
    order = make_order(new, line["order_id"], line["created_ms"], house=line["house"])
    state.orders[order.order_id] = order
    if new.client_order_id:
        state.accounts[new.account_id].client_ids.add(new.client_order_id)
    if not order.house:
        state.history[order.account_id].append(order)
    state.touch(order, ms)


def _refused(state: State, line: Fields, ms: int) -> None:
    if line["used"]:
        state.accounts[line["account_id"]].client_ids.add(line["client_order_id"])


def _duplicate(state: State, line: Fields, ms: int) -> None:
    state.duplicates += 1


def _rests(state: State, line: Fields, ms: int) -> None:
    order = state.orders[line["order_id"]]
    state.books[order.ticker].add(order.slip)
    state.resting[order.account_id][order.order_id] = order
    group = state.groups.get(order.new.order_group_id)
    if group is not None and order.order_id not in group.order_ids:
        group.order_ids.append(order.order_id)


def _trade(state: State, line: Fields, ms: int) -> None:
    price, count = parse(line["price"]), parse(line["count"])
    trade = Trade(line["trade_id"], line["ticker"], price, count, line["taker_side"], ms)
    state.tape[trade.ticker].append(trade)
    state.volume[trade.ticker] += count
    state.books[trade.ticker].printed(trade.ticker, price)
    state.told.append(TradePrinted(trade))


def _fill(state: State, line: Fields, ms: int) -> None:
    fill = Fill(
        fill_id=line["fill_id"],
        trade_id=line["trade_id"],
        order_id=line["order_id"],
        client_order_id=line["client_order_id"],
        account_id=line["account_id"],
        ticker=line["ticker"],
        exchange_index=line["exchange_index"],
        side=line["side"],
        price=parse(line["price"]),
        count=parse(line["count"]),
        is_taker=line["role"] == "taker",
        revenue=parse(line["revenue"]),
        fee=parse(line["fee"]),
        position=parse(line["position"]),
        ms=ms,
        house=line["house"],
    )
    state.pools[fill.ticker] -= fill.revenue
    state.fees += fill.fee
    position = state.accounts[fill.account_id].positions.setdefault(fill.ticker, Position())
    book_fill(position, fill)
    if not fill.house:
        state.fills[fill.account_id].append(fill)
        state.told.append(Filled(fill))
        state.told.append(PositionChanged(fill.account_id, fill.ticker, copy(position)))
    order = state.orders.get(fill.order_id)
    if order is not None:
        _fill_order(state, order, fill, parse(line["carry"]))


def _fill_order(state: State, order: Order, fill: Fill, carry: int) -> None:
    if order.slip.resting:
        state.books[order.ticker].shrink(order.slip, fill.count)
    order.slip.matched += fill.count
    order.carry, order.reason = carry, "Trade"
    if fill.is_taker:
        order.taker_cost += abs(fill.revenue)
        order.taker_fees += fill.fee
    else:
        order.maker_cost += abs(fill.revenue)
        order.maker_fees += fill.fee
    group = state.groups.get(order.new.order_group_id)
    if group is not None:
        since = fill.ms - GROUP_WINDOW_MS
        group.fills = [*(one for one in group.fills if one[0] > since), (fill.ms, fill.count)]
    state.touch(order, fill.ms)
    if not order.slip.remaining:
        order.status = "executed"
        state.finish(order)


def _reduced(state: State, line: Fields, ms: int) -> None:
    order, count = state.orders[line["order_id"]], parse(line["count"])
    if order.slip.resting:
        state.books[order.ticker].shrink(order.slip, count)
    order.slip.size -= count
    order.reason = line["why"]
    state.touch(order, ms)


def _amended(state: State, line: Fields, ms: int) -> None:
    order = state.orders[line["order_id"]]
    if line["requeued"]:
        state.books[order.ticker].remove(order.slip)
        order.slip.price = parse(line["price"])
    else:
        state.books[order.ticker].shrink(order.slip, order.slip.size - parse(line["count"]))
    order.slip.size = order.initial_count = parse(line["count"])
    order.client_order_id, order.expiration_time = line["client_order_id"], line["expiration_time"]
    if order.client_order_id:
        state.accounts[order.account_id].client_ids.add(order.client_order_id)
    order.reason = "Amend"
    state.touch(order, ms)


def _ended(state: State, line: Fields, ms: int) -> None:
    order = state.orders[line["order_id"]]
    order.status, order.reason = "canceled", line["why"]
    state.touch(order, ms)
    state.finish(order)


def _payout(state: State, line: Fields, ms: int) -> None:
    account, ticker = state.accounts[line["account_id"]], line["ticker"]
    revenue, fee = parse(line["revenue"]), parse(line["fee"])
    position = account.positions[ticker]
    settled = Settlement(
        account_id=account.account_id,
        ticker=ticker,
        exchange_index=line["exchange_index"],
        result=state.markets[ticker].result,
        value=parse(line["value"]),
        position=position.net,
        cost=position.cost,
        revenue=revenue,
        fee=fee,
        ms=ms,
    )
    state.pools[ticker] -= revenue
    state.fees += fee
    position.realized += revenue - position.cost
    position.fees += fee
    position.net = position.cost = 0
    position.updated_ms = ms
    if not account.house:
        state.settlements[account.account_id].append(settled)
        state.told.append(PositionChanged(account.account_id, ticker, copy(position)))


def _group(state: State, line: Fields, ms: int) -> None:
    new = Group(line["group_id"], line["account_id"], line["exchange_index"], 0)
    group = state.groups.setdefault(line["group_id"], new)
    group.limit, group.triggered = parse(line["limit"]), line["triggered"]
    if line["change"] == "reset":
        group.fills = []
    _tell_group(state, group, line["change"], ms)


def _group_deleted(state: State, line: Fields, ms: int) -> None:
    _tell_group(state, state.groups.pop(line["group_id"]), "deleted", ms)


def _tell_group(state: State, group: Group, change: GroupChange, ms: int) -> None:
    shown = copy(group)
    shown.fills, shown.order_ids = list(group.fills), list(group.order_ids)
    state.told.append(GroupChanged(change, shown, ms))


_APPLY: dict[str, Callable[[State, Fields, int], None]] = {
    "series": _series,
    "event": _event,
    "market": _market,
    "event_fees": _event_fees,
    "price_ranges": _price_ranges,
    "lifecycle": _lifecycle,
    "paused": _paused,
    "halted": _halted,
    "account": _account,
    "netting": _netting,
    "balance": _balance,
    "advance": _advance,
    "order": _order,
    "refused": _refused,
    "duplicate": _duplicate,
    "rests": _rests,
    "trade": _trade,
    "fill": _fill,
    "reduced": _reduced,
    "amended": _amended,
    "ended": _ended,
    "payout": _payout,
    "group": _group,
    "group_deleted": _group_deleted,
}
