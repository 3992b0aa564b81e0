"""The public market channel: books, price changes, trades, ticks, and (custom feature) best prices and lifecycle.

Happenings are noted the moment the engine tells them, with the best prices of that moment, and sent in the next turn of
the loop: deltas first, then the snapshots that are due, so that a snapshot never is older than a delta before it.
"""

import asyncio
from collections.abc import Iterable

import orjson
from aiohttp import web

from arbsaga.errors import UnknownToken
from arbsaga.exchange.model import (
    BookChanged,
    BookReset,
    Happening,
    LevelChange,
    MarketOpened,
    MarketResolved,
    TickChanged,
    TradePrinted,
)
from arbsaga.exchange.polymarket import shapes
from arbsaga.exchange.polymarket.gamma import fee_schedule
from arbsaga.exchange.polymarket.ids import gamma_id, outcome_of
from arbsaga.exchange.polymarket.shapes import Json
from arbsaga.exchange.polymarket.socket import Socket
from arbsaga.exchange.polymarket.venue import Venue
from arbsaga.exchange.units import ONE, format_units, parse

_TORN_S = 0.5
_Best = tuple[str, str]


_Posted = tuple[tuple[str, ...], bytes, bool]
"""Tokens whose listeners get it (none: everyone), the event, whether only custom ones do."""


class Subscriber:
    """One socket and the tokens it asked for."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.tokens: set[str] = set()
        self.custom = False


class MarketChannel:
    """Everyone who listens, by token."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._subscribers: dict[str, set[Subscriber]] = {}
        self._everyone: set[Subscriber] = set()
        self._outbox: list[_Posted] = []
        self._snapshots: dict[str, None] = {}
        self._best: dict[str, _Best] = {}
        self._is_scheduled = False
        venue.engine.listen(self._on_happening)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """GET /ws/market"""
        subscriber = Subscriber(Socket(request, "market"))
        self._everyone.add(subscriber)
        self._venue.sockets += 1
        try:
            return await subscriber.socket.run(lambda frame: self._on_frame(subscriber, frame))
        finally:
            self._everyone.discard(subscriber)
            self._venue.sockets -= 1
            self._unsubscribe(subscriber, list(subscriber.tokens))

    def backlog(self) -> int | None:
        """Bytes that the slowest listener is behind, None while nobody listens to any book."""
        return max((one.socket.backlog for one in self._everyone if one.tokens), default=None)

    async def close(self) -> None:
        """Ends every socket."""
        await asyncio.gather(*(subscriber.socket.close() for subscriber in list(self._everyone)))

    async def _on_frame(self, subscriber: Subscriber, frame: dict[str, object]) -> None:
        raw = frame.get("assets_ids")
        tokens = [token for token in raw if isinstance(token, str)] if isinstance(raw, list) else []
        if frame.get("operation") == "unsubscribe":
            self._unsubscribe(subscriber, tokens)
            return
        # The flag applies before duplicates are looked at: naming an active token again is how it is switched.
        subscriber.custom = bool(frame.get("custom_feature_enabled", subscriber.custom))
        added = [token for token in dict.fromkeys(tokens) if token not in subscriber.tokens]
        subscriber.tokens.update(added)
        for token in added:
            self._subscribers.setdefault(token, set()).add(subscriber)
        if frame.get("initial_dump", True):
            for token in added:
                self._send_book(token, (subscriber,))

    def _unsubscribe(self, subscriber: Subscriber, tokens: Iterable[str]) -> None:
        for token in tokens:
            subscriber.tokens.discard(token)
            listeners = self._subscribers.get(token, set())
            listeners.discard(subscriber)
            if not listeners:
                self._subscribers.pop(token, None)

    def _send_book(self, token: str, subscribers: Iterable[Subscriber]) -> None:
        try:
            market = self._venue.engine.market_of(token)
        except UnknownToken:
            return
        book = shapes.book(market, self._venue.engine.book(token))
        event = orjson.dumps({"event_type": "book", **book})
        for subscriber in subscribers:
            subscriber.socket.send(event)

    def _on_happening(self, happening: Happening) -> None:
        match happening:
            case BookChanged():
                self._on_book(happening)
            case BookReset(token_id=token):
                self._snapshots[token] = None
                self._schedule()
            case TradePrinted():
                self._venue.tape[happening.token_id] = happening.side
                self._post((happening.token_id,), self._trade(happening))
            case TickChanged():
                self._on_tick(happening)
            case MarketOpened(market=market):
                self._post((), _new_market(self._venue, market.condition_id), custom=True)
            case MarketResolved():
                self._post(self._tokens(happening.condition_id), self._resolved(happening), custom=True)
                for token in self._tokens(happening.condition_id):
                    self._best.pop(token, None)

    def _tokens(self, condition_id: str) -> tuple[str, ...]:
        return self._venue.engine.markets[condition_id].token_ids

    def _on_book(self, changed: BookChanged) -> None:
        tokens = self._tokens(changed.condition_id)
        if not any(token in self._subscribers for token in tokens):
            return
        best = self._best_of(changed, tokens)
        parts = [changed.levels]
        if self._venue.faults.draw("torn_book", path="/ws/market", token=tokens[0]) is not None:
            parts = [tuple(level for level in changed.levels if level.token_id == token) for token in tokens]
        for late, levels in enumerate(parts):
            event = _price_change(changed, levels, best)
            if late:
                asyncio.get_running_loop().call_later(_TORN_S, self._post, tokens, event)
            else:
                self._post(tokens, event)
        self._post_best(changed, best)

    def _best_of(self, changed: BookChanged, tokens: tuple[str, ...]) -> dict[str, _Best]:
        """(best bid, best ask) of both tokens, "" with an empty side; NO's are those of YES mirrored."""
        book = self._venue.engine.core.state.books[changed.condition_id]
        bid, ask = book.best("BUY"), book.best("SELL")
        yes, no = tokens
        return {yes: (_price(bid), _price(ask)), no: (_price(ask, mirrored=True), _price(bid, mirrored=True))}

    def _post_best(self, changed: BookChanged, best: dict[str, _Best]) -> None:
        for token, prices in best.items():
            if self._best.get(token) == prices:
                continue
            self._best[token] = prices
            event: Json = {
                "event_type": "best_bid_ask",
                "market": changed.condition_id,
                "asset_id": token,
                "best_bid": prices[0],
                "best_ask": prices[1],
                "spread": format_units(parse(prices[1]) - parse(prices[0])) if all(prices) else "",
                "timestamp": str(changed.ms),
            }
            self._post((token,), event, custom=True)

    def _on_tick(self, changed: TickChanged) -> None:
        for token in self._tokens(changed.condition_id):
            event: Json = {
                "event_type": "tick_size_change",
                "market": changed.condition_id,
                "asset_id": token,
                "old_tick_size": format_units(changed.old_tick),
                "new_tick_size": format_units(changed.new_tick),
                "timestamp": str(changed.ms),
            }
            self._post((token,), event)

    def _trade(self, printed: TradePrinted) -> Json:
        return {
            "event_type": "last_trade_price",
            "market": printed.condition_id,
            "asset_id": printed.token_id,
            "price": format_units(printed.price),
            "size": format_units(printed.size),
            "side": printed.side,
            "fee_rate_bps": shapes.legacy_fee(self._venue.engine.markets[printed.condition_id]),
            "timestamp": str(printed.ms),
            "transaction_hash": printed.transaction_hash,
        }

    def _resolved(self, resolved: MarketResolved) -> Json:
        market = self._venue.engine.markets[resolved.condition_id]
        return {
            "event_type": "market_resolved",
            "id": gamma_id(market.condition_id),
            "market": market.condition_id,
            "assets_ids": list(market.token_ids),
            "winning_asset_id": resolved.winning_token_id,
            "winning_outcome": outcome_of(market, winner) if (winner := resolved.winning_token_id) else "",
            "timestamp": str(resolved.ms),
            "tags": [],
        }

    def _post(self, tokens: tuple[str, ...], event: Json, custom: bool = False) -> None:
        """Queues an event for the listeners of these tokens (none: for everyone), or only for custom ones."""
        if tokens and not any(token in self._subscribers for token in tokens):
            return
        self._outbox.append((tokens, orjson.dumps(event), custom))
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_scheduled = False
        outbox, self._outbox = self._outbox, []
        for tokens, event, custom in outbox:
            for subscriber in self._listeners(tokens):
                if subscriber.custom or not custom:
                    subscriber.socket.send(event)
        snapshots, self._snapshots = self._snapshots, {}
        for token in snapshots:
            if token in self._subscribers:
                self._send_book(token, list(self._subscribers[token]))

    def _listeners(self, tokens: tuple[str, ...]) -> set[Subscriber]:
        if not tokens:
            return self._everyone
        return set().union(*(self._subscribers.get(token, set()) for token in tokens))


def _price_change(changed: BookChanged, levels: tuple[LevelChange, ...], best: dict[str, _Best]) -> Json:
    """New absolute sizes; `hash` is the causing order's, no checksum of the book."""
    cause = changed.cause_order_id.removeprefix("0x")[:40]
    return {
        "event_type": "price_change",
        "market": changed.condition_id,
        "timestamp": str(changed.ms),
        "price_changes": [
            {
                "asset_id": level.token_id,
                "price": format_units(level.price),
                "size": format_units(level.size),
                "side": level.side,
                "hash": cause,
                "best_bid": best[level.token_id][0],
                "best_ask": best[level.token_id][1],
            }
            for level in levels
        ],
    }


def _price(price: int | None, *, mirrored: bool = False) -> str:
    if price is None:
        return ""
    return format_units(ONE - price if mirrored else price)


def _new_market(venue: Venue, condition_id: str) -> Json:
    market = venue.engine.markets[condition_id]
    event = venue.engine.events[market.event_id]
    return {
        "event_type": "new_market",
        "id": gamma_id(condition_id),
        "question": market.question,
        "market": condition_id,
        "slug": market.slug,
        "description": "",
        "assets_ids": list(market.token_ids),
        "clob_token_ids": list(market.token_ids),
        "outcomes": ["Yes", "No"],
        "event_message": {"id": event.event_id, "ticker": event.slug, "slug": event.slug, "title": event.title},
        "timestamp": str(market.opened_ms),
        "tags": [],
        "condition_id": condition_id,
        "active": market.active,
        "order_price_min_tick_size": format_units(market.tick),
        "group_item_title": market.question,
        "taker_base_fee": shapes.legacy_fee(market),
        "fees_enabled": market.fee_rate > 0,
        "fee_schedule": fee_schedule(market) if market.fee_rate else None,
    }
