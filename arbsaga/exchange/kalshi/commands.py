"""Commands of WebSocket clients: subscribe, update_subscription, unsubscribe, list_subscriptions.

Mistakes are answered with the venue's numbered errors (docs.kalshi.com, WebSocket error codes); the connection goes on.
"""

from typing import Final

import orjson

from arbsaga.exchange.kalshi.channels import CHANNELS, SEQUENCED, Hub
from arbsaga.exchange.kalshi.shapes import Json
from arbsaga.exchange.kalshi.stream import Stream, Subscription
from arbsaga.exchange.kalshi.venue import Venue

ERRORS: Final = {
    1: "Unable to process message",
    2: "Params required",
    3: "Channels required",
    4: "Subscription IDs required",
    5: "Unknown command",
    6: "Already subscribed",
    7: "Unknown subscription ID",
    8: "Unknown channel name",
    11: "Invalid parameter",
    12: "Exactly one subscription ID is required",
    13: "Unsupported action",
    14: "Market Ticker required",
    15: "Action required",
    16: "Market not found",
}


class Mistake(Exception):
    """A command that cannot be followed: the number of its error."""

    def __init__(self, code: int) -> None:
        super().__init__(ERRORS[code])
        self.code = code


class Commands:
    """Follows the commands of every connection."""

    def __init__(self, venue: Venue, hub: Hub) -> None:
        self._venue, self._hub = venue, hub

    def take(self, stream: Stream, text: str) -> None:
        """One message of a client. What happened before it is told first."""
        self._hub.flush()
        command_id = 0
        try:
            frame = _parse(text)
            command_id = _whole(frame.get("id"))
            self._follow(stream, command_id, frame)
        except Mistake as mistake:
            stream.refuse(command_id, mistake.code, ERRORS[mistake.code])

    def _follow(self, stream: Stream, command_id: int, frame: Json) -> None:
        follow = {
            "subscribe": self._subscribe,
            "update_subscription": self._update,
            "unsubscribe": self._unsubscribe,
            "list_subscriptions": self._list,
        }.get(str(frame.get("cmd")))
        if follow is None:
            raise Mistake(5)
        params = frame.get("params")
        if not isinstance(params, dict):
            if frame["cmd"] != "list_subscriptions":
                raise Mistake(2)
            params = {}
        follow(stream, command_id, params)

    def _subscribe(self, stream: Stream, command_id: int, params: Json) -> None:
        channels = params.get("channels")
        if not isinstance(channels, list) or not channels:
            raise Mistake(3)
        markets = self._markets(_with_ids(params) if channels == ["ticker"] else params)
        for channel in channels:
            _check_channel(stream, channel, markets)
        use_yes_price = _flag(params, "use_yes_price")
        snapshot = _flag(params, "send_initial_snapshot")
        for channel in dict.fromkeys(channels):
            filtered = markets if channel != "order_group_updates" else None
            opened = stream.open(
                channel,
                set(filtered) if filtered is not None else None,
                sequenced=channel in SEQUENCED,
                use_yes_price=use_yes_price,
            )
            stream.answer({"id": command_id, "type": "subscribed", "msg": {"channel": channel, "sid": opened.sid}})
            self._begin(stream, opened, markets or [], snapshot=snapshot)

    def _begin(self, stream: Stream, opened: Subscription, markets: list[str], *, snapshot: bool) -> None:
        for ticker in markets:
            if opened.channel == "orderbook_delta":
                self._hub.snapshot(stream, opened, ticker)
            elif opened.channel == "ticker" and snapshot:
                stream.post(opened, "ticker", self._hub.ticker(ticker))

    def _update(self, stream: Stream, command_id: int, params: Json) -> None:
        subscription = _subscription(stream, params)
        action = params.get("action")
        if not action:
            raise Mistake(15)
        if action not in ("add_markets", "delete_markets", "get_snapshot"):
            raise Mistake(13)
        markets = self._markets(params)
        if markets is None or subscription.markets is None:
            raise Mistake(14)
        if action == "get_snapshot":
            self._snapshots(stream, subscription, markets, command_id)
            return
        before = set(subscription.markets)
        if action == "add_markets":
            subscription.markets |= set(markets)
        else:
            subscription.markets -= set(markets)
        told: Json = {"id": command_id, "type": "ok", "msg": {"market_tickers": sorted(subscription.markets)}}
        stream.answer(told, subscription)
        added = [ticker for ticker in markets if ticker in subscription.markets - before]
        self._begin(stream, subscription, added, snapshot=False)

    def _snapshots(self, stream: Stream, subscription: Subscription, markets: list[str], command_id: int) -> None:
        if subscription.channel != "orderbook_delta":
            raise Mistake(13)
        if not all(subscription.wants(ticker) for ticker in markets):
            raise Mistake(16)
        for ticker in markets:
            self._hub.snapshot(stream, subscription, ticker, command_id)

    def _unsubscribe(self, stream: Stream, command_id: int, params: Json) -> None:
        sids = params.get("sids")
        if not isinstance(sids, list) or not sids:
            raise Mistake(4)
        if any(not isinstance(sid, int) or sid not in stream.subscriptions for sid in sids):
            raise Mistake(7)
        for sid in dict.fromkeys(sids):
            stream.answer({"id": command_id, "type": "unsubscribed"}, stream.subscriptions.pop(sid))

    def _list(self, stream: Stream, command_id: int, _: Json) -> None:
        found = [{"channel": each.channel, "sid": each.sid} for each in stream.subscriptions.values()]
        stream.answer({"id": command_id, "type": "ok", "msg": found})

    def _markets(self, params: Json) -> list[str] | None:
        """The markets that a command names, None where it names none."""
        one, many = params.get("market_ticker"), params.get("market_tickers")
        if one is not None and many is not None:
            raise Mistake(11)
        named = [one] if one is not None else many
        if named is None:
            return None
        if not isinstance(named, list) or not all(isinstance(ticker, str) for ticker in named):
            raise Mistake(11)
        if not named:
            return None
        if any(ticker not in self._venue.engine.markets for ticker in named):
            raise Mistake(16)
        return list(dict.fromkeys(named))


def _with_ids(params: Json) -> Json:
    """The ticker channel also takes `market_id` and `market_ids`; here a market's id is its ticker."""
    renamed = {"market_id": "market_ticker", "market_ids": "market_tickers"}
    return params | {renamed[name]: value for name, value in params.items() if name in renamed}


def _parse(text: str) -> Json:
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Mistake(1) from None
    if not isinstance(frame, dict):
        raise Mistake(1)
    return frame


def _check_channel(stream: Stream, channel: object, markets: list[str] | None) -> None:
    if not isinstance(channel, str) or channel not in CHANNELS:
        raise Mistake(8)
    if channel == "orderbook_delta" and markets is None:
        raise Mistake(14)
    if stream.of(channel):
        raise Mistake(6)
    if channel == "market_lifecycle_v2" and markets is not None:
        raise Mistake(11)


def _subscription(stream: Stream, params: Json) -> Subscription:
    sids = [params["sid"]] if "sid" in params else params.get("sids")
    if not isinstance(sids, list) or len(sids) != 1:
        raise Mistake(12)
    if not isinstance(sids[0], int) or sids[0] not in stream.subscriptions:
        raise Mistake(7)
    return stream.subscriptions[sids[0]]


def _flag(params: Json, name: str) -> bool:
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise Mistake(11)
    return value


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
