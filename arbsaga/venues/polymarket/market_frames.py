"""Frames of the market channel, applied to a book sink. The fast path: no objects between bytes and sink.

A `book` replaces a token's book, a `price_change` sets a level's new absolute size. What the channel
tells beyond that is not needed. Source: docs.polymarket.com, wss/market.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from arbsaga.domain.instruments import Side
from arbsaga.domain.money import Price, Size
from arbsaga.venues.polymarket.records import condition_id
from arbsaga.venues.port import BookSink

Best = tuple[Price | None, Price | None]

_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_LARGEST = Decimal(10) ** 15
_ONE, _ZERO = Decimal(1), Decimal(0)
_IGNORED = frozenset({"last_trade_price", "new_market"})
_PRICES: dict[str, Price] = {}
"""Every price text seen: there are at most 10,000 on the finest grid, and parsing is most of the work."""
_MAX_PRICES = 20_000


class OddFrameError(ValueError):
    """Something in a frame cannot be read, so that an update of `tokens` may be lost."""

    def __init__(self, why: str, tokens: Sequence[str] = ()) -> None:
        super().__init__(why)
        self.tokens = tuple(tokens)


class Feed:
    """Applies frames for some tokens to a sink, and remembers each token's best prices and last news.

    `seen_ns` and `best` are what the stream has told of a token since the last interruption. `skipped`
    counts events that cannot matter, or that nobody knows.
    """

    def __init__(self, tokens: Sequence[str], sink: BookSink) -> None:
        self.tokens = tuple(tokens)
        self._ours = frozenset(tokens)
        self._sink = sink
        self.seen_ns: dict[str, int] = {}
        self.best: dict[str, Best] = {}
        self.messages = 0
        self.skipped = 0

    def apply(self, data: bytes, received_ns: int) -> None:
        """Apply one frame (an object or an array of them). Raises OddFrameError once the rest of it is applied."""
        try:
            frame = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise OddFrameError("no JSON", self.tokens) from None
        touched: dict[str, None] = {}
        odd: OddFrameError | None = None
        for event in frame if type(frame) is list else (frame,):
            try:
                self._apply(event, touched)
            except OddFrameError as error:
                odd = error
        if touched:
            for token in touched:
                self.seen_ns[token] = received_ns
            self._sink.commit(received_ns, tuple(touched))
        if odd is not None:
            raise odd

    def forget(self) -> None:
        """The stream was interrupted: what it told is no longer known to hold."""
        self.seen_ns.clear()
        self.best.clear()

    def _apply(self, event: Any, touched: dict[str, None]) -> None:  # noqa: ANN401  JSON
        if type(event) is not dict:
            self.skipped += 1
            return
        self.messages += 1
        kind = event.get("event_type")
        try:
            if kind == "price_change":
                self._changes(event, touched)
            elif kind == "book":
                self._book(event, touched)
            elif kind == "best_bid_ask":
                self._best(event, touched)
            elif kind in ("tick_size_change", "market_resolved"):
                self._sink.closed(condition_id(event["market"]))
            elif kind not in _IGNORED:
                self.skipped += 1
        except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
            raise OddFrameError(f"a {kind} that cannot be read: {error!r}", self._tokens_of(event)) from None

    def _tokens_of(self, event: Mapping[str, Any]) -> tuple[str, ...]:
        """The tokens that an unreadable event was about; all of them where it does not say."""
        token = event.get("asset_id")
        return (token,) if isinstance(token, str) and token in self._ours else self.tokens

    def _changes(self, event: Mapping[str, Any], touched: dict[str, None]) -> None:
        time_ms = int(event["timestamp"])
        last: dict[str, Mapping[str, Any]] = {}
        change = self._sink.change
        for entry in event["price_changes"]:
            token = entry["asset_id"]
            if token in self._ours:  # the other token of the market may be another socket's
                change(token, _SIDES[entry["side"]], _price(entry["price"]), _size(entry["size"]), time_ms)
                last[token] = entry
        for token, entry in last.items():
            touched[token] = None
            if "best_bid" in entry:
                self._tell_best(token, entry)

    def _book(self, event: Mapping[str, Any], touched: dict[str, None]) -> None:
        token = event["asset_id"]
        if token not in self._ours:
            return
        bids, asks = _levels(event["bids"]), _levels(event["asks"])
        self._sink.snapshot(token, bids, asks, int(event["timestamp"]))
        # Bids ascend and asks descend on the wire, the documents say the opposite: never by position.
        self.best[token] = max(bids, default=None), min(asks, default=None)
        touched[token] = None

    def _best(self, event: Mapping[str, Any], touched: dict[str, None]) -> None:
        if event["asset_id"] in self._ours:
            self._tell_best(event["asset_id"], event)
            touched[event["asset_id"]] = None

    def _tell_best(self, token: str, entry: Mapping[str, Any]) -> None:
        bid, ask = best = _edge(entry["best_bid"], _ZERO), _edge(entry["best_ask"], _ONE)
        self.best[token] = best
        self._sink.best(token, bid, ask)


def _levels(raw: Sequence[Mapping[str, str]]) -> dict[Price, Size]:
    return {_price(level["price"]): _size(level["size"]) for level in raw}


def _price(text: str) -> Price:
    price = _PRICES.get(text)
    if price is None:
        price = Price(Decimal(text))
        if not _ZERO < price < _ONE:
            raise ValueError(f"no price: {text!r}")
        if len(_PRICES) >= _MAX_PRICES:
            _PRICES.clear()
        _PRICES[text] = price
    return price


def _size(text: str) -> Size:
    size = Decimal(text)
    if not _ZERO <= size < _LARGEST:
        raise ValueError(f"no size: {text!r}")
    return Size(size)


def _edge(text: str, empty: Decimal) -> Price | None:
    """A best price; None for an empty side, which is told as "" or as the bound itself."""
    if not text or Decimal(text) == empty:
        return None
    return _price(text)
