"""The bench of Kalshi: its simulated exchange, in this process."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import httpx
from Crypto.PublicKey import ECC

from arbsaga.domain.instruments import Instrument, Outcome, Side
from arbsaga.exchange.kalshi.app import application
from arbsaga.exchange.kalshi.auth import ApiKey
from arbsaga.exchange.kalshi.engine import Engine
from arbsaga.exchange.kalshi.model import Event, Market, NewOrder, Series
from arbsaga.exchange.kalshi.settings import EngineSettings
from arbsaga.exchange.kalshi.truth import Truth
from arbsaga.exchange.kalshi.venue import PREFIX, WireSettings
from arbsaga.exchange.kalshi.venue import Venue as ExchangeWire
from arbsaga.exchange.units import ONE, parse, to_decimal
from arbsaga.venues.kalshi.settings import KalshiSettings
from arbsaga.venues.kalshi.venue import KalshiVenue
from arbsaga.venues.port import Venue

from .benches import ZERO, Feature, Levels, Record, Trouble, TrueFill, TrueOrder
from .hosting import Host

MEMBER, HOUSE, KEY_ID = "trader", "house", "5b1f1a3c-0000-4000-8000-000000000001"
POCKETS = (0, 2)
USER = ("fill", "user_orders", "market_positions")
BOOKS = ("orderbook_delta",)
CREATE = f"{PREFIX}/portfolio/events/orders"
TAPERED = ((0, 100_000, 1_000), (100_000, 900_000, 10_000), (900_000, ONE, 1_000))
DAY_MS = 86_400_000
FAULTS: Mapping[Trouble, str] = {
    Trouble.ANSWER_DROPPED: "drop_response,count=1",
    Trouble.REQUEST_LOST: "lost,count=1",
    Trouble.DELIVERED_LATE: "late_post,seconds={seconds},count=1",
    Trouble.REFUSED: "reject,count=1,text=the market takes no orders yet",
    Trouble.SERVER_ERROR: "status,code=500,count=1",
    Trouble.SERVER_ERROR_AFTER: "status,code=500,after=1,count=1",
    Trouble.RATE_LIMITED: "status,code=429,count=1",
    Trouble.ODD_ANSWER: "status,code=200,after=1,count=1",
    Trouble.SLOW_ANSWER: "latency,ms={ms},count=1,path=" + CREATE,
    Trouble.CANCEL_LOSES: "cancel_loses,count=1",
    Trouble.CANCEL_FAILS: "cancel_error,count=1",
    Trouble.STALE_READS: "stale_read,seconds={seconds}",
    Trouble.TOLD_NOTHING: "freeze_stream,seconds=3600",
    Trouble.TOLD_TWICE: "duplicate_events",
    Trouble.TOLD_OUT_OF_ORDER: "reorder_events,seconds={seconds}",
    Trouble.USER_STREAM_BREAKS: "drop_stream,count=1",
    Trouble.BOOKS_LOST: "gap,count=1",
    Trouble.BOOKS_TWICE: "duplicate_events",
    Trouble.BOOKS_OUT_OF_ORDER: "reorder_events,seconds={seconds}",
    Trouble.BOOK_STREAM_BREAKS: "drop_stream,count=1",
}
CHANNELS: Mapping[Trouble, tuple[str, ...]] = {
    Trouble.TOLD_NOTHING: USER,
    Trouble.TOLD_TWICE: USER,
    Trouble.TOLD_OUT_OF_ORDER: USER,
    Trouble.USER_STREAM_BREAKS: ("user_orders",),
    Trouble.BOOKS_LOST: BOOKS,
    Trouble.BOOKS_TWICE: BOOKS,
    Trouble.BOOKS_OUT_OF_ORDER: BOOKS,
    Trouble.BOOK_STREAM_BREAKS: BOOKS,
}
"""Troubles of streams, and the channels that they concern."""


class KalshiBench:
    """See `benches.Bench`. Private reads are 100 ms behind, as those of the venue are."""

    name = "kalshi"
    part = "0.26"
    lacks: Mapping[Trouble | Feature, str] = {
        Trouble.HELD_BACK: "The venue holds no order back: it trades or rests the moment it is taken.",
        Trouble.SETTLEMENT_FAILS: "Fills are final the moment they are made: nothing is settled on a chain afterwards.",
    }

    def __init__(self, folder: Path) -> None:
        self._truth, self._keys, self._host = folder / "truth.jsonl", folder / "keys.json", Host()
        self._engine: Engine | None = None
        self._wire: ExchangeWire | None = None
        self._venues: list[Venue] = []
        self._pauses: list[asyncio.TimerHandle] = []
        self._key = ECC.generate(curve="Ed25519")
        self.markets: Sequence[str] = tuple(market.ticker for _, markets in EVENTS for market in markets)
        self.titles = {market.ticker: event.texts["title"] for event, markets in EVENTS for market in markets}

    @property
    def engine(self) -> Engine:
        """The running exchange's."""
        assert self._engine is not None, "the exchange does not run"
        return self._engine

    async def start(self) -> None:
        self._engine = engine = Engine.recover(self._truth, _now_ms, EngineSettings())
        if not engine.markets:
            _open(engine)
        engine.create_account(HOUSE, house=True)
        settings = WireSettings(read_lag_ms=100, rate_limits=False)
        self._wire = ExchangeWire(engine, self._truth, _now_ms, settings, self._keys)
        if not self._wire.keys.of(MEMBER):
            public = self._key.public_key().export_key(format="PEM")
            self._wire.keys.add(ApiKey(key_id=KEY_ID, member=MEMBER, public_key=public))
        await self._host.start(application(self._wire, None))

    async def stop(self) -> None:
        for handle in self._pauses:
            handle.cancel()
        await self._host.stop()
        if self._engine is not None:
            self._engine.close()
        self._engine = self._wire = None

    async def close(self) -> None:
        await asyncio.gather(*(venue.close() for venue in self._venues))
        await self.stop()

    def venue(self, *, usd: str = "1000", timeout_ms: int = 2_000) -> Venue:
        if self._wire is not None and self.engine.account(MEMBER) is None:
            for shard in POCKETS:
                self.engine.deposit(MEMBER, parse(usd), shard)
            self._wire.reads.remember(self.engine.create_account(MEMBER))  # reads that lag show it too
        settings = KalshiSettings.at(self._host.url, KEY_ID, self._private())
        return self._kept(replace(settings, post_timeout_ms=timeout_ms, quiet_ms=300))

    def stranger(self) -> Venue:
        """A key that was never registered."""
        return self._kept(KalshiSettings.at(self._host.url, KEY_ID.replace("1", "2"), self._private()))

    def _kept(self, settings: KalshiSettings) -> Venue:
        self._venues.append(KalshiVenue(settings))
        return self._venues[-1]

    def _private(self) -> str:
        return str(self._key.export_key(format="PEM"))

    def recipe(self) -> tuple[Callable[..., Venue], tuple[str, ...]]:
        return make, (self._host.url, KEY_ID, self._private())

    def revoke(self) -> None:
        assert self._wire is not None
        self._wire.keys.remove(KEY_ID)

    def offer(self, instrument: Instrument, side: Side, price: str, size: str) -> str:
        """There is one book, of YES: who sells NO bids for YES."""
        of_yes = instrument.outcome is Outcome.YES
        bids = (side is Side.BUY) is of_yes
        yes_price = parse(price) if of_yes else ONE - parse(price)
        order = NewOrder(HOUSE, instrument.market, "bid" if bids else "ask", yes_price, parse(size))
        return self.engine.submit(order).order_id

    def withdraw(self, offer: str) -> None:
        self.engine.cancel(HOUSE, offer)

    def book(self, instrument: Instrument) -> tuple[Levels, Levels]:
        view = self.engine.book(instrument.market)
        if instrument.outcome is Outcome.YES:
            return _levels(view.bids), _levels(view.asks)
        return _levels(view.asks, mirrored=True), _levels(view.bids, mirrored=True)

    def strike(self, trouble: Trouble, seconds: float = 0) -> None:
        spec = FAULTS[trouble].format(seconds=seconds, ms=seconds * 1000)
        for channel in CHANNELS.get(trouble, ("",)):
            self.engine.faults.add(f"{spec},channel={channel}" if channel else spec)

    def calm(self) -> None:
        self.engine.faults.clear()

    def pause(self, seconds: float) -> None:
        """Trading is halted on every shard, as on Thursdays."""
        engine = self.engine
        engine.halt(trading=True)
        self._pauses.append(asyncio.get_running_loop().call_later(seconds, engine.halt))

    def resolve(self, market: str, winner: Outcome) -> None:
        self.engine.determine(market, ONE if winner is Outcome.YES else 0)

    def settle_at(self, market: str, value: str) -> None:
        self.engine.determine(market, parse(value))

    def truth(self) -> Record:
        told = Truth.read(self._truth, MEMBER)
        return Record(
            orders={one.client_order_id: TrueOrder(one.count, one.filled, one.open) for one in told.orders.values()},
            refused=told.refused,
            duplicates=told.duplicates,
            fills=[TrueFill(fill.client_order_id, fill.count, abs(fill.revenue), fill.fee) for fill in told.fills],
            cash=sum(told.cash.values(), ZERO),
            pockets={str(shard): cash for shard, cash in told.cash.items()},
            positions={
                f"kalshi:{ticker}:{'YES' if net > 0 else 'NO'}": abs(net) for ticker, net in told.positions.items()
            },
        )

    async def sockets(self) -> int:
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"{self._host.url}/admin/state")
        return int(answer.json()["sockets"])


def make(url: str, key_id: str, pem: str) -> Venue:
    """The account's venue, in any process."""
    return KalshiVenue(KalshiSettings.at(url, key_id, pem))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _levels(levels: Sequence[tuple[int, int]], *, mirrored: bool = False) -> dict[Decimal, Decimal]:
    return {to_decimal(ONE - price if mirrored else price): to_decimal(size) for price, size in levels}


def _event(
    name: str, series: str, tickers: Sequence[str], *, shard: int = 0, grid: tuple[tuple[int, int, int], ...]
) -> tuple[Event, list[Market]]:
    texts = {"title": f"Event {name}"}
    event = Event(name, series, mutually_exclusive=len(tickers) > 1, exchange_index=shard, texts=texts)
    told = {"rules_primary": "It resolves to Yes if it does.", "rules_secondary": "The first announcement counts."}
    return event, [
        Market(ticker, name, price_ranges=grid, settlement_timer_seconds=0, texts=told | {"yes_sub_title": ticker})
        for ticker in tickers
    ]


CENTS = ((0, ONE, 10_000),)
EVENTS = (
    _event("KXRAIN-27", "KXRAIN", ["KXRAIN-27-YES"], grid=CENTS),
    _event("KXCOIN-27", "KXCOIN", ["KXCOIN-27-T100"], shard=2, grid=TAPERED),
    _event("KXMAYOR-27", "KXMAYOR", ["KXMAYOR-27-ALDER", "KXMAYOR-27-BIRCH"], grid=CENTS),
)
"""Whole cents and fees of takers; another shard, fees of makers too and a finer grid at its ends; an exclusive one."""


def _open(engine: Engine) -> None:
    now_ms = _now_ms()
    for ticker, fees in (("KXRAIN", "quadratic"), ("KXCOIN", "quadratic_with_maker_fees"), ("KXMAYOR", "quadratic")):
        texts = {"title": ticker, "category": "Economics"}
        engine.open_series(
            Series(ticker, "quadratic" if fees == "quadratic" else "quadratic_with_maker_fees", texts=texts)
        )
    for event, markets in EVENTS:
        opened = [replace(market, open_ms=now_ms, close_ms=now_ms + 30 * DAY_MS) for market in markets]
        engine.open_event(event, opened)
