"""Frames of a WebSocket with books, applied to a book sink. The fast path: no objects between bytes and sink.

The venue tells one book per market, of YES: `orderbook_snapshot` has the whole of it, `orderbook_delta` the signed
increment of a level. Both outcomes' books are made of it: a YES bid at p is a NO ask at 1 - p. Messages are numbered
per subscription, over all its markets: after a gap none of its books is known. Source: docs.kalshi.com, asyncapi 2.0.0.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final

import orjson

from arbsaga.domain.instruments import Outcome, Side
from arbsaga.domain.money import NO_SIZE, Price, Size
from arbsaga.venues.kalshi.records import Levels, outcome_of
from arbsaga.venues.port import BookSink

BOOKS: Final = "orderbook_delta"
LIFECYCLE: Final = "market_lifecycle_v2"

_ONE: Final = Decimal(1)
_LARGEST: Final = Decimal(10) ** 12
_MAX_PRICES: Final = 20_000
_KEPT: Final = 4_096
_HOLES: Final = 64

_ENDS: Final = frozenset({"deactivated", "determined", "settled"})
"""Events after which a market takes no orders, or nobody knows."""
_CHANGES: Final = frozenset({"activated", "close_date_updated", "price_level_structure_updated"})
"""Events after which a market goes on, by other rules."""


class UnusableFrame(ValueError):
    """A frame that shows that the connection must be begun anew, and why."""


class Place(Enum):
    """Where a numbered message belongs."""

    NEXT = "next"
    AFTER_GAP = "after a gap"
    AGAIN = "again"
    LATE = "late"
    RESTARTED = "restarted"


class Numbers:
    """The numbers of one subscription's messages: from 1, one more for each."""

    def __init__(self) -> None:
        self.expected = 1
        self._kept: dict[int, int] = {}
        self._holes: deque[range] = deque(maxlen=_HOLES)

    def place(self, seq: int, data: bytes) -> Place:
        """Where the message belongs. A number below the expected one is a copy, one that was missing, or a restart."""
        if seq < self.expected:
            if self._kept.get(seq) == hash(data):
                return Place.AGAIN
            return Place.LATE if any(seq in hole for hole in self._holes) else Place.RESTARTED
        place = Place.NEXT
        if seq > self.expected:
            self._holes.append(range(self.expected, seq))
            place = Place.AFTER_GAP
        self._kept[seq] = hash(data)
        self._kept.pop(seq - _KEPT, None)
        self.expected = seq + 1
        return place


class _Market:
    """A market's levels by YES price, and which of its tokens are wanted. `known`: a snapshot began them."""

    __slots__ = ("asks", "bids", "known", "moved_ns", "no", "out", "ticker", "tokens", "yes")

    def __init__(self, ticker: str) -> None:
        self.ticker = ticker
        self.yes = self.no = ""
        self.tokens: tuple[str, ...] = ()
        self.bids: Levels = {}
        self.asks: Levels = {}
        self.known = self.out = False
        self.moved_ns = 0

    def want(self, token: str, outcome: Outcome) -> None:
        if outcome is Outcome.YES:
            self.yes = token
        else:
            self.no = token
        self.tokens = tuple(found for found in (self.yes, self.no) if found)


class Feed:
    """Applies one connection's frames for some tokens to a sink, and says which markets need a snapshot.

    `yes_prices` is what was asked for with `use_yes_price`: whether the venue tells NO bids by their YES price.
    `on_change(ticker)` is told of markets whose rules or state have changed. `now_ms` is the wall clock: a snapshot
    has no time of its own.
    """

    def __init__(
        self,
        tokens: Sequence[str],
        sink: BookSink,
        *,
        yes_prices: bool = True,
        on_change: Callable[[str], None] = lambda _ticker: None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.tokens = tuple(dict.fromkeys(tokens))
        self.yes_prices = yes_prices
        self._sink, self._on_change, self._now_ms = sink, on_change, now_ms
        self._markets: dict[str, _Market] = {}
        for token in self.tokens:
            ticker, outcome = outcome_of(token)
            self._markets.setdefault(ticker, _Market(ticker)).want(token, outcome)
        self._prices: dict[str, tuple[Price, Price]] = {}
        self._sids: dict[int, tuple[str, Numbers]] = {}
        self.wanted: dict[str, None] = {}
        """Tickers that a snapshot must be asked of."""
        self.proved_ns = 0
        """When a message last proved that nothing was missed of the books (monotonic)."""
        self.messages = self.skipped = self.repeated = self.gaps = self.mismatches = 0

    # --- what is known ------------------------------------------------------------------------------

    @property
    def tickers(self) -> tuple[str, ...]:
        """The markets, in the order asked for."""
        return tuple(self._markets)

    @property
    def known(self) -> list[str]:
        """Markets whose book is complete."""
        return [market.ticker for market in self._markets.values() if market.known]

    @property
    def missing(self) -> list[str]:
        """Markets that take orders, as far as we know, and have no snapshot yet."""
        return [market.ticker for market in self._markets.values() if not (market.known or market.out)]

    def sid(self, channel: str) -> int | None:
        """The subscription of a channel."""
        return next((sid for sid, (of, _) in self._sids.items() if of == channel), None)

    def quiet(self, before_ns: int) -> list[str]:
        """Known markets that last moved before this (monotonic)."""
        return [market.ticker for market in self._markets.values() if market.known and market.moved_ns < before_ns]

    def moved_ns(self, ticker: str) -> int:
        """When the market's book last moved (monotonic)."""
        return self._markets[ticker].moved_ns

    def best(self, ticker: str) -> tuple[Price | None, Price | None]:
        """The best YES bid and ask."""
        market = self._markets[ticker]
        return max(market.bids, default=None), min(market.asks, default=None)

    # --- what happens beside frames -----------------------------------------------------------------

    def interrupted(self, reason: str) -> None:
        """The connection has ended: subscriptions, numbers and books of the next one have nothing to do with these."""
        self._sids.clear()
        for market in self._markets.values():
            market.out = False
        self._lose(self._markets.values(), reason)
        self.wanted.clear()

    def distrust(self, reason: str) -> None:
        """Believe no book until its next snapshot."""
        self.gaps += 1
        self._lose(self._markets.values(), reason)

    def remove(self, ticker: str) -> None:
        """The venue does not know the market (any more)."""
        self._end(self._markets[ticker])

    # --- frames -------------------------------------------------------------------------------------

    def apply(self, data: bytes, received_ns: int) -> Mapping[str, Any] | None:
        """Apply a frame that came in at `received_ns` (monotonic). Returns a reply to a command, else None.

        Raises UnusableFrame where the connection must be begun anew.
        """
        try:
            frame = orjson.loads(data)
            kind, sid = frame["type"], frame.get("sid")
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise UnusableFrame(f"a frame that cannot be read: {error!r}") from None
        self.messages += 1
        place = self._place(frame, sid, data)
        if place is Place.NEXT:
            return self._apply(kind, frame, received_ns)
        return None

    def _place(self, frame: Mapping[str, Any], sid: object, data: bytes) -> Place:
        """Whether the frame counts now. What has no number, or is of no subscription, always does."""
        seq = frame.get("seq")
        if seq is None:
            return Place.NEXT
        channel, numbers = self._sids.get(sid, (None, None)) if isinstance(sid, int) else (None, None)
        if numbers is None or not isinstance(seq, int):
            raise UnusableFrame(f"a message {seq!r} of a subscription {sid!r} that nobody made")
        place = numbers.place(seq, data)
        if place is Place.RESTARTED:
            raise UnusableFrame(f"the numbers of {channel} began anew: {seq} after {numbers.expected - 1}")
        if place is Place.AFTER_GAP:
            self._gap(channel or "", seq)
            return Place.NEXT
        if place is not Place.NEXT:
            self.repeated += 1
        return place

    def _gap(self, channel: str, seq: int) -> None:
        """What was missed of the books can be asked for. What was missed of markets' lives is in the next listing."""
        if channel == BOOKS:
            self.distrust(f"messages before {seq} were missed")
        else:
            self.gaps += 1
            for ticker in self._markets:
                self._on_change(ticker)

    def _apply(self, kind: str, frame: Mapping[str, Any], received_ns: int) -> Mapping[str, Any] | None:
        if kind in ("orderbook_delta", "orderbook_snapshot"):
            self._book(kind, frame, received_ns)
        elif kind in ("market_lifecycle_v2", "event_fee_update"):
            self._news(kind, frame)
        elif kind == "subscribed":
            self._subscribed(frame)
            return frame
        elif kind in ("ok", "error", "unsubscribed"):
            return frame
        else:
            self.skipped += 1
        return None

    def _subscribed(self, frame: Mapping[str, Any]) -> None:
        try:
            channel, sid = str(frame["msg"]["channel"]), int(frame["msg"]["sid"])
        except (KeyError, TypeError, ValueError):
            raise UnusableFrame(f"a subscription that cannot be read: {frame}") from None
        self._sids[sid] = channel, Numbers()

    # --- books --------------------------------------------------------------------------------------

    def _book(self, kind: str, frame: Mapping[str, Any], received_ns: int) -> None:
        if "seq" not in frame:
            raise UnusableFrame(f"an {kind} without a number")
        try:
            msg = frame["msg"]
            market = self._markets.get(msg["market_ticker"])
        except (KeyError, TypeError):
            raise UnusableFrame(f"an {kind} of no market") from None
        if market is None:
            self.skipped += 1
            return
        try:
            told = self._delta(market, msg) if kind == "orderbook_delta" else self._snapshot(market, msg)
        except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
            self._lose([market], f"an {kind} that cannot be used: {error!r}")
            return
        if told is not None:
            self.proved_ns = received_ns
            if told:
                market.moved_ns = received_ns
            self._sink.commit(received_ns, market.tokens)

    def _delta(self, market: _Market, msg: Mapping[str, Any]) -> bool | None:
        """A level's signed increment. None until the market's snapshot, which will have it; else whether it moved."""
        if not market.known:
            return None
        is_bid = _is_bid(msg["side"])
        at, mirror = self._price(msg["price_dollars"])
        if not (is_bid or self.yes_prices):
            at, mirror = mirror, at
        levels = market.bids if is_bid else market.asks
        size = Size(levels.get(at, NO_SIZE) + _number(msg["delta_fp"]))
        if not 0 <= size < _LARGEST:
            raise ValueError(f"{msg['delta_fp']} leaves {size} at {msg['price_dollars']}")
        time_ms = int(msg.get("ts_ms") or self._now_ms())
        if size:
            levels[at] = size
        else:
            levels.pop(at, None)
        if market.yes:
            self._sink.change(market.yes, Side.BUY if is_bid else Side.SELL, at, size, time_ms)
        if market.no:
            self._sink.change(market.no, Side.SELL if is_bid else Side.BUY, mirror, size, time_ms)
        return True

    def _snapshot(self, market: _Market, msg: Mapping[str, Any]) -> bool | None:
        """The whole book; the key of an empty side is absent. Of a known book it is the proof, and must be the same.

        None for a market that takes no orders; else whether the book moved.
        """
        if market.out:
            return None
        bids = self._levels(msg.get("yes_dollars_fp"), flip=False)
        asks = self._levels(msg.get("no_dollars_fp"), flip=not self.yes_prices)
        self.wanted.pop(market.ticker, None)
        if market.known:
            if bids == market.bids and asks == market.asks:
                return False
            self.mismatches += 1
            self.distrust(f"the book of {market.ticker} is not what its changes made of it")
            self.wanted.pop(market.ticker)
        market.bids, market.asks, market.known = bids, asks, True
        time_ms = self._now_ms()
        if market.yes:
            self._sink.snapshot(market.yes, dict(bids), dict(asks), time_ms)
        if market.no:
            self._sink.snapshot(market.no, _mirrored(asks), _mirrored(bids), time_ms)
        return True

    def _levels(self, raw: Iterable[tuple[str, str]] | None, *, flip: bool) -> Levels:
        levels: Levels = {}
        for text, count in raw or ():
            size = Size(_number(count))
            if not 0 <= size < _LARGEST:
                raise ValueError(f"no size: {count!r}")
            if size:
                levels[self._price(text)[flip]] = size
        return levels

    def _price(self, text: str) -> tuple[Price, Price]:
        """A price and its mirror. Kept by their text: there are few, and parsing them is most of the work."""
        found = self._prices.get(text)
        if found is None:
            price = Price(_number(text))
            if not 0 < price < 1:
                raise ValueError(f"no price: {text!r}")
            if len(self._prices) >= _MAX_PRICES:
                self._prices.clear()
            found = self._prices[text] = price, Price(_ONE - price)
        return found

    # --- markets' lives -----------------------------------------------------------------------------

    def _news(self, kind: str, frame: Mapping[str, Any]) -> None:
        msg = frame.get("msg")
        if not isinstance(msg, Mapping):
            raise UnusableFrame(f"a {kind} that cannot be read")
        if kind == "event_fee_update":
            for one in self._of_event(str(msg.get("event_ticker"))):
                self._changed(one)
            return
        market = self._markets.get(str(msg.get("market_ticker")))
        if market is None:  # every market's life is told to everybody
            return
        happened = str(msg.get("event_type"))
        self._on_change(market.ticker)
        if happened in _ENDS:
            self._end(market)
        elif happened in _CHANGES:
            self._changed(market)

    def _of_event(self, event: str) -> list[_Market]:
        """A market's ticker begins with its event's."""
        return [market for ticker, market in self._markets.items() if f"{ticker}-".startswith(f"{event}-")]

    def _end(self, market: _Market) -> None:
        market.known, market.out = False, True
        self.wanted.pop(market.ticker, None)
        self._sink.closed(market.ticker)

    def _changed(self, market: _Market) -> None:
        """Its rules are others: whoever decides by the old ones must ask anew, and the book begins anew."""
        self._on_change(market.ticker)
        self._end(market)
        market.out = False
        self.wanted[market.ticker] = None

    def _lose(self, markets: Iterable[_Market], reason: str) -> None:
        lost = [market for market in markets if not market.out]
        for market in lost:
            market.known = False
            self.wanted[market.ticker] = None
        if lost:
            self._sink.gap([token for market in lost for token in market.tokens], reason)


def _number(text: object) -> Decimal:
    """The venue tells prices and counts as texts: a JSON number would have been through a float."""
    if not isinstance(text, str):
        raise ValueError(f"no fixed-point text: {text!r}")  # noqa: TRY004  one kind of error for every bad value
    return Decimal(text)


def _is_bid(side: object) -> bool:
    if side not in ("yes", "no"):
        raise ValueError(f"no side: {side!r}")
    return side == "yes"


def _mirrored(levels: Levels) -> Levels:
    return {Price(_ONE - price): size for price, size in levels.items()}
