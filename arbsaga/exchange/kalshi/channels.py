"""What the WebSocket tells: turns happenings of the engine into messages of its channels.

Happenings are noted the moment the engine tells them and sent in the next turn of the loop, or before a command is
answered: then a snapshot never holds what a later delta adds again.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import web

from arbsaga.exchange.kalshi import shapes
from arbsaga.exchange.kalshi.model import (
    BookLevel,
    FeesChanged,
    Filled,
    GroupChanged,
    Happening,
    Lifecycle,
    OrderUpdated,
    PositionChanged,
    TradePrinted,
)
from arbsaga.exchange.kalshi.shapes import Json
from arbsaga.exchange.kalshi.stream import Stream, Subscription
from arbsaga.exchange.kalshi.venue import Venue, member_of, signed_by
from arbsaga.exchange.units import ONE

SEQUENCED: Final = frozenset({"orderbook_delta", "trade", "market_lifecycle_v2", "order_group_updates"})
PRIVATE: Final = frozenset({"fill", "user_orders", "market_positions"})
CHANNELS: Final = SEQUENCED | PRIVATE | {"ticker"}
_LIFECYCLE: Final = {
    "closed": "close_date_updated",
    "disputed": "metadata_updated",
    "amended": "metadata_updated",
    "paused": "deactivated",
    "resumed": "activated",
}
"""Kinds of the engine that the venue tells under another name."""


class Hub:
    """Every open connection, and what is to be told to them."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._streams: set[Stream] = set()
        self._outbox: list[Happening] = []
        self._is_scheduled = False
        venue.engine.listen(self._on_happening)

    @property
    def connections(self) -> int:
        """WebSockets that are open."""
        return len(self._streams)

    @property
    def messages(self) -> int:
        """Messages sent so far."""
        return self._venue.messages + sum(stream.sent for stream in self._streams)

    async def serve(self, request: web.Request, take: Callable[[Stream, str], None]) -> web.StreamResponse:
        """The signed handshake, then the connection until it closes. Raises Refusal(401) without a signature."""
        key = signed_by(request, "read", "websocket")
        stream = Stream(request, key.member, self._venue)
        self._streams.add(stream)
        try:
            return await stream.run(lambda text: take(stream, text))
        finally:
            self._streams.discard(stream)
            self._venue.messages += stream.sent

    def drop_all(self) -> None:
        """Breaks every connection: the exchange restarts."""
        for stream in list(self._streams):
            stream.drop()

    async def close(self) -> None:
        """Ends every connection properly."""
        await asyncio.gather(*(stream.close() for stream in list(self._streams)))

    def flush(self) -> None:
        """Sends everything that has happened."""
        self._is_scheduled = False
        outbox, self._outbox = self._outbox, []
        moved: dict[str, None] = {}
        for happening in outbox:
            self._tell(happening)
            if isinstance(happening, BookLevel):
                moved[happening.ticker] = None
            elif isinstance(happening, TradePrinted):
                moved[happening.trade.ticker] = None
        for ticker in moved:
            self._tell_ticker(ticker)

    def snapshot(self, stream: Stream, subscription: Subscription, ticker: str, command_id: int = 0) -> None:
        """Sends the whole book of a market; the key of an empty side is absent."""
        view = self._venue.engine.book(ticker)
        sides = {
            "yes_dollars_fp": shapes.levels(view.bids),
            "no_dollars_fp": shapes.levels(view.asks, mirrored=not subscription.use_yes_price),
        }
        msg = {"market_ticker": ticker, "market_id": ticker} | {side: found for side, found in sides.items() if found}
        stream.post(subscription, "orderbook_snapshot", msg, command_id)

    def ticker(self, ticker: str) -> Json:
        """The message of the ticker channel."""
        engine = self._venue.engine
        view, trades = engine.book(ticker), engine.trades(ticker)
        bid, bid_size = view.bids[-1] if view.bids else (0, 0)
        ask, ask_size = view.asks[-1] if view.asks else (ONE, 0)
        volume, interest = engine.volume(ticker), engine.open_interest(ticker)
        return {
            "market_ticker": ticker,
            "market_id": ticker,
            "price_dollars": shapes.dollars(view.last_trade_price or 0),
            "yes_bid_dollars": shapes.dollars(bid),
            "yes_ask_dollars": shapes.dollars(ask),
            "yes_bid_size_fp": shapes.contracts(bid_size),
            "yes_ask_size_fp": shapes.contracts(ask_size),
            "last_trade_size_fp": shapes.contracts(trades[-1].count if trades else 0),
            "volume_fp": shapes.contracts(volume),
            "open_interest_fp": shapes.contracts(interest),
            "dollar_volume": volume // ONE,
            "dollar_open_interest": interest // ONE,
            "ts_ms": self._venue.clock(),
        }

    def _on_happening(self, happening: Happening) -> None:
        if not self._streams:
            return
        self._outbox.append(happening)
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self.flush)

    def _tell(self, happening: Happening) -> None:
        match happening:
            case BookLevel():
                self._tell_level(happening)
            case TradePrinted(trade=trade):
                msg = shapes.trade(trade) | {"market_ticker": trade.ticker, "ts_ms": trade.ms}
                self._post("trade", "trade", msg, ticker=trade.ticker)
            case Filled(fill=fill):
                member, subaccount = member_of(fill.account_id)
                msg = shapes.fill_message(fill, subaccount)
                self._post("fill", "fill", msg, member=member, ticker=fill.ticker)
            case OrderUpdated(order=order):
                member, _ = member_of(order.account_id)
                msg = shapes.user_order(order, self._venue.shard_of(order.ticker), member)
                self._post("user_orders", "user_order", msg, member=member, ticker=order.ticker)
            case PositionChanged(account_id=account_id, ticker=ticker, position=position):
                member, _ = member_of(account_id)
                msg = shapes.position_message(ticker, position, member)
                self._post("market_positions", "market_position", msg, member=member, ticker=ticker)
            case Lifecycle():
                self._post("market_lifecycle_v2", "market_lifecycle_v2", self._lifecycle(happening))
            case FeesChanged():
                self._post("market_lifecycle_v2", "event_fee_update", _fees(happening))
            case GroupChanged(kind=kind, group=group):
                msg = {
                    "event_type": kind,
                    "order_group_id": group.group_id,
                    "contracts_limit_fp": shapes.contracts(group.limit),
                }
                self._post("order_group_updates", "order_group_updates", msg, member=member_of(group.account_id)[0])

    def _tell_level(self, level: BookLevel) -> None:
        cause = self._venue.engine.order(level.cause)
        side = "yes" if level.side == "bid" else "no"
        for stream in list(self._streams):
            for subscription in stream.of("orderbook_delta"):
                if not subscription.wants(level.ticker):
                    continue
                mirrored = side == "no" and not subscription.use_yes_price
                msg: Json = {
                    "market_ticker": level.ticker,
                    "market_id": level.ticker,
                    "price_dollars": shapes.dollars(ONE - level.price if mirrored else level.price),
                    "delta_fp": shapes.contracts(level.delta),
                    "side": side,
                    "ts_ms": level.ms,
                }
                if cause is not None and not cause.house and member_of(cause.account_id)[0] == stream.member:
                    subaccount = member_of(cause.account_id)[1]
                    msg |= {"client_order_id": cause.client_order_id} if cause.client_order_id else {}
                    msg |= {"subaccount": subaccount} if subaccount else {}
                stream.post(subscription, "orderbook_delta", msg)

    def _tell_ticker(self, ticker: str) -> None:
        self._post("ticker", "ticker", self.ticker(ticker), ticker=ticker)

    def _post(self, channel: str, kind: str, msg: Json, *, member: str = "", ticker: str = "") -> None:
        """To everyone who subscribed to the channel: of one member, about one market, where given."""
        for stream in list(self._streams):
            if member in ("", stream.member):
                for subscription in stream.of(channel):
                    if not ticker or subscription.wants(ticker):
                        stream.post(subscription, kind, msg)

    def _lifecycle(self, happened: Lifecycle) -> Json:
        market = happened.market
        msg: Json = {
            "market_ticker": market.ticker,
            "event_type": _LIFECYCLE.get(happened.kind, happened.kind),
            "exchange_index": self._venue.shard_of(market.ticker),
        }
        match happened.kind:
            case "created":
                msg["open_ts"] = market.open_ms // 1000
                if market.close_ms is not None:
                    msg["close_ts"] = market.close_ms // 1000
            case "closed":
                msg["close_ts"] = happened.ms // 1000
            case "deactivated" | "paused":
                msg["is_deactivated"] = True
            case "activated" | "resumed":
                msg["is_deactivated"] = False
            case "determined" | "amended":
                msg |= {"result": market.result, "settlement_value": shapes.dollars(market.value or 0)}
                msg["determination_ts"] = happened.ms // 1000
            case "settled":
                msg["settled_ts"] = happened.ms // 1000
            case "price_level_structure_updated":
                msg["price_level_structure"] = shapes.price_structure(market)
                msg["price_ranges"] = shapes.price_ranges(market)
        return msg


def _fees(changed: FeesChanged) -> Json:
    multiplier = changed.fee_multiplier
    return {
        "event_ticker": changed.event_ticker,
        "fee_type_override": changed.fee_type,
        "fee_multiplier_override": None if multiplier is None else float(multiplier),
    }
