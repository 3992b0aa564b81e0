"""The private user channel: every change of the caller's orders and trades, one event per status.

Events are not ordered against the REST answers: one can arrive before the answer of the order that caused it.
"""

import asyncio
import random

import orjson
from aiohttp import web

from arbsaga.exchange.model import Happening, Order, OrderUpdated, Trade, TradeUpdated
from arbsaga.exchange.polymarket import shapes
from arbsaga.exchange.polymarket.auth import ApiKey
from arbsaga.exchange.polymarket.ids import condition_key, short_condition
from arbsaga.exchange.polymarket.shapes import Json
from arbsaga.exchange.polymarket.socket import Socket
from arbsaga.exchange.polymarket.venue import Venue
from arbsaga.exchange.polymarket.wallets import wallets_of

_LATE_S = 1


class Subscriber:
    """One socket; `markets` is None for all of them."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.key: ApiKey | None = None
        self.wallets: frozenset[str] = frozenset()
        self.markets: set[str] | None = None

    def wants(self, condition_id: str) -> bool:
        """Whether events of this market are to be sent."""
        return self.markets is None or condition_id in self.markets


class UserChannel:
    """Everyone who logged in, by wallet."""

    def __init__(self, venue: Venue, seed: int) -> None:
        self._venue = venue
        self._rng = random.Random(f"user channel {seed}")
        self._subscribers: dict[str, set[Subscriber]] = {}
        self._everyone: set[Subscriber] = set()
        venue.engine.listen(self._on_happening)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """GET /ws/user"""
        subscriber = Subscriber(Socket(request, "user"))
        self._everyone.add(subscriber)
        self._venue.sockets += 1
        try:
            return await subscriber.socket.run(lambda frame: self._on_frame(subscriber, frame))
        finally:
            self._everyone.discard(subscriber)
            self._venue.sockets -= 1
            for wallet in subscriber.wallets:
                self._subscribers[wallet].discard(subscriber)

    async def close(self) -> None:
        """Ends every socket."""
        await asyncio.gather(*(subscriber.socket.close() for subscriber in list(self._everyone)))

    async def _on_frame(self, subscriber: Subscriber, frame: dict[str, object]) -> None:
        raw = frame.get("markets")
        markets = (
            {condition_key(market) for market in raw if isinstance(market, str)} if isinstance(raw, list) else set()
        )
        if "auth" in frame:
            await self._login(subscriber, frame["auth"])
            subscriber.markets = markets or None
        elif frame.get("operation") == "subscribe":
            subscriber.markets = (subscriber.markets or set()) | markets
        elif frame.get("operation") == "unsubscribe" and subscriber.markets is not None:
            # Nothing left means everything, as in a first frame without markets.
            subscriber.markets = (subscriber.markets - markets) or None

    async def _login(self, subscriber: Subscriber, auth: object) -> None:
        parts = [auth.get(name) for name in ("apiKey", "secret", "passphrase")] if isinstance(auth, dict) else []
        key = self._venue.keys.of_credentials(*map(str, parts)) if parts else None
        if key is None:
            await subscriber.socket.close()
            return
        subscriber.key, subscriber.wallets = key, frozenset(wallets_of(key.address))
        for wallet in subscriber.wallets:
            self._subscribers.setdefault(wallet, set()).add(subscriber)

    def _on_happening(self, happening: Happening) -> None:
        match happening:
            case OrderUpdated(order=order):
                for subscriber in self._subscribers.get(order.maker, ()):
                    if subscriber.wants(order.condition_id):
                        self._send(subscriber, self._order_event(happening), "order")
            case TradeUpdated(trade=trade):
                owners = {fill.address for fill in trade.fills}
                listeners = set().union(*(self._subscribers.get(owner, set()) for owner in owners))
                for subscriber in listeners:
                    if subscriber.wants(trade.condition_id):
                        self._send(subscriber, self._trade_event(trade, subscriber), "trade")

    def _send(self, subscriber: Subscriber, event: Json, kind: str) -> None:
        faults = self._venue.faults
        if faults.draw("drop_user_events", path="/ws/user") is not None:
            return
        text = orjson.dumps(event)
        twice = kind == "trade" and faults.draw("duplicate_events", path="/ws/user") is not None
        for _ in range(2 if twice else 1):
            late = faults.draw("reorder_events", path="/ws/user")
            if late is None:
                subscriber.socket.send(text)
                continue
            delay = self._rng.random() * float(late.number("seconds", _LATE_S))
            asyncio.get_running_loop().call_later(delay, subscriber.socket.send, text)

    def _order_event(self, updated: OrderUpdated) -> Json:
        order = updated.order
        return shapes.order(self._venue.engine, order) | {
            "event_type": "order",
            "type": updated.kind,
            "market": self._condition(order),
            "order_owner": order.owner,
            "created_at": str(order.created_ms // 1000),
            "timestamp": str(updated.ms),
        }

    def _trade_event(self, trade: Trade, subscriber: Subscriber) -> Json:
        owner = subscriber.key.key if subscriber.key is not None else ""
        return shapes.trade(self._venue.engine, trade, subscriber.wallets, owner) | {
            "event_type": "trade",
            "type": "TRADE",
            "market": self._condition(trade),
            "trade_owner": trade.taker.owner,
            "timestamp": str(trade.updated_ms),
        }

    def _condition(self, found: Order | Trade) -> str:
        market = self._venue.engine.markets[found.condition_id]
        short = self._venue.settings.v2_condition_bytes == 31
        return short_condition(market) if short else market.condition_id
