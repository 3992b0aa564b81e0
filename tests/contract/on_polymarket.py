"""The bench of Polymarket: its simulated exchange, in this process."""

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from arbsaga.domain.instruments import Instrument, Outcome, Side
from arbsaga.exchange.engine import Engine, EngineSettings
from arbsaga.exchange.ids import v1_ids, v2_ids
from arbsaga.exchange.model import Event, Market, NewOrder
from arbsaga.exchange.polymarket.app import Wire
from arbsaga.exchange.polymarket.auth import credentials
from arbsaga.exchange.polymarket.venue import Venue as ExchangeWire
from arbsaga.exchange.polymarket.venue import WireSettings
from arbsaga.exchange.truth import Truth
from arbsaga.exchange.units import collateral, parse, to_decimal
from arbsaga.venues.polymarket import DEPOSIT_WALLET, PolymarketSettings, PolymarketVenue
from arbsaga.venues.polymarket.sockets import Keepalive
from arbsaga.venues.port import Venue

from .benches import Feature, Levels, Record, Trouble, TrueFill, TrueOrder
from .hosting import Host

KEY = "0x" + "00" * 31 + "05"
HOUSE = f"0x{7:040d}"
QUICK = EngineSettings(mined_ms=(40, 60), confirmed_ms=(40, 60), retry_ms=(40, 60))
BRISK = Keepalive(ping=100, dead=2_000, check=50, retry=20, retry_max=200, steady=1_000)
FAULTS: Mapping[Trouble, str] = {
    Trouble.ANSWER_DROPPED: "drop_response,count=1",
    Trouble.REQUEST_LOST: "late_post,seconds=86400,count=1",
    Trouble.DELIVERED_LATE: "late_post,seconds={seconds},count=1",
    Trouble.REFUSED: "reject,count=1,text=the market is not yet ready to process new orders",
    Trouble.SERVER_ERROR: "status,code=500,count=1",
    Trouble.SERVER_ERROR_AFTER: "status,code=500,after=1,count=1",
    Trouble.RATE_LIMITED: "status,code=429,count=1",
    Trouble.ODD_ANSWER: "status,code=200,after=1,count=1",
    Trouble.SLOW_ANSWER: "latency,ms={ms},path=/order,count=1",
    Trouble.HELD_BACK: "delayed,seconds={seconds},count=1",
    Trouble.SETTLEMENT_FAILS: "fail_settlement,count=1",
    Trouble.CANCEL_LOSES: "cancel_loses,count=1",
    Trouble.CANCEL_FAILS: "cancel_error,count=1",
    Trouble.STALE_READS: "stale_balance",  # and finished orders are hidden, see `strike`
    Trouble.TOLD_NOTHING: "freeze_stream,channel=user,seconds=3600",
    Trouble.TOLD_TWICE: "duplicate_events",
    Trouble.TOLD_OUT_OF_ORDER: "reorder_events,seconds={seconds}",
    Trouble.USER_STREAM_BREAKS: "drop_stream,channel=user,count=1",
    Trouble.BOOKS_LOST: "freeze_stream,channel=market,seconds=0.1,count=1",
    Trouble.BOOK_STREAM_BREAKS: "drop_stream,channel=market,count=1",
}


class PolymarketBench:
    """See `benches.Bench`."""

    name = "polymarket"
    part = "0.5"
    lacks: Mapping[Trouble | Feature, str] = {
        Trouble.BOOKS_TWICE: "Books come as absolute sizes, so that a repetition changes nothing, and the simulated "
        "exchange has no fault that repeats them.",
        Trouble.BOOKS_OUT_OF_ORDER: "Books come on one connection without sequence numbers, whose order TCP keeps.",
        Feature.SEVERAL_POCKETS: "The venue pays every buy from one balance of the wallet.",
    }

    def __init__(self, folder: Path) -> None:
        self._truth, self._keys, self._host = folder / "truth.jsonl", folder / "keys.json", Host()
        self._engine: Engine | None = None
        self._wire: ExchangeWire | None = None
        self._venues: list[PolymarketVenue] = []
        self._events = tuple(_events())
        self.markets: Sequence[str] = tuple(market.condition_id for _, markets in self._events for market in markets)
        self.titles = {market.condition_id: event.title for event, markets in self._events for market in markets}

    @property
    def engine(self) -> Engine:
        """The running exchange's."""
        assert self._engine is not None, "the exchange does not run"
        return self._engine

    @property
    def wire(self) -> ExchangeWire:
        """The running exchange's."""
        assert self._wire is not None, "the exchange does not run"
        return self._wire

    async def start(self) -> None:
        self._engine = engine = Engine.recover(self._truth, _now_ms, QUICK, random.Random(1))
        if not engine.events:
            for event, markets in self._events:
                engine.open_event(event, [replace(market, opened_ms=_now_ms()) for market in markets])
        engine.create_account(HOUSE, house=True)
        self._wire = ExchangeWire(engine, self._truth, _now_ms, WireSettings(), self._keys)
        await self._host.start(Wire(self._wire).app(None))

    async def stop(self) -> None:
        await self._host.stop()
        if self._engine is not None:
            self._engine.close()
        self._engine = self._wire = None

    async def close(self) -> None:
        await asyncio.gather(*(venue.close() for venue in self._venues))
        await self.stop()

    def venue(self, *, usd: str = "1000", timeout_ms: int = 2_000) -> Venue:
        settings = PolymarketSettings.at(self._host.url, KEY)
        venue = self._kept(replace(settings, post_timeout_ms=timeout_ms, quiet_ms=300))
        if self._engine is not None and self._engine.account(venue.wallet) is None:
            self._engine.deposit(venue.wallet, parse(usd))
        return venue

    def stranger(self) -> Venue:
        """A deposit wallet that belongs to somebody else."""
        wallet = "0x" + "11" * 20
        return self._kept(
            PolymarketSettings.at(self._host.url, "0x" + "00" * 31 + "06", wallet=wallet, signature_type=DEPOSIT_WALLET)
        )

    def _kept(self, settings: PolymarketSettings) -> PolymarketVenue:
        self._venues.append(PolymarketVenue(settings, keepalive=BRISK))
        return self._venues[-1]

    def recipe(self) -> tuple[Callable[..., Venue], tuple[str, ...]]:
        return make, (self._host.url, KEY)

    def revoke(self) -> None:
        self.wire.keys.delete(credentials(self._venues[0].address, 0))

    def offer(self, instrument: Instrument, side: Side, price: str, size: str) -> str:
        shares, order_id = parse(size), f"0x{secrets.token_hex(32)}"
        usd = collateral(shares, parse(price))
        given, wanted = (usd, shares) if side is Side.BUY else (shares, usd)
        self.engine.submit(NewOrder(order_id, HOUSE, HOUSE, instrument.token, side.value, given, wanted, "GTC"))
        return order_id

    def withdraw(self, offer: str) -> None:
        self.engine.cancel(HOUSE, offer)

    def book(self, instrument: Instrument) -> tuple[Levels, Levels]:
        view = self.engine.book(instrument.token)
        return _levels(view.bids), _levels(view.asks)

    def strike(self, trouble: Trouble, seconds: float = 0) -> None:
        if trouble is Trouble.STALE_READS:
            self.wire.settings = replace(self.wire.settings, hide_finished_orders=True)
        self.wire.faults.add(FAULTS[trouble].format(seconds=seconds, ms=seconds * 1000))

    def calm(self) -> None:
        self.wire.settings = WireSettings()
        self.wire.faults.clear()

    def pause(self, seconds: float) -> None:
        """A restart of no length, whose post-only window then lasts."""
        self.wire.faults.add(f"restart,seconds=0,post_only_seconds={seconds},count=1")

    def resolve(self, market: str, winner: Outcome) -> None:
        self.engine.resolve(market, 0 if winner is Outcome.YES else 1)

    def settle_at(self, market: str, value: str) -> None:
        assert value == self.part, "a split decision is the only one between 0 and 1"
        self.engine.split(market)

    def truth(self) -> Record:
        told = Truth.read(self._truth, self._venues[0].wallet)
        return Record(
            orders={key: TrueOrder(one.size, one.filled, one.open) for key, one in told.orders.items()},
            refused=told.refused,
            duplicates=told.duplicates,
            fills=[TrueFill(fill.order_id, fill.size, fill.usd, fill.fee, not fill.alive) for fill in told.fills],
            cash=told.cash,
            pockets={"": told.cash},
            positions=told.positions,
        )

    async def sockets(self) -> int:
        return self.wire.sockets


def make(url: str, key: str) -> Venue:
    """The account's venue, in any process."""
    return PolymarketVenue(PolymarketSettings.at(url, key))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _levels(levels: Sequence[tuple[int, int]]) -> dict[Decimal, Decimal]:
    return {to_decimal(price): to_decimal(size) for price, size in levels}


def _events() -> list[tuple[Event, list[Market]]]:
    """Whole cents and fees; Protocol V2 and a finer tick; two of a neg-risk event."""
    return [
        _event("rain", "v1", fee="0.05"),
        _event("coin", "v2", fee="0.07", tick=1_000),
        _event("mayor", "v1", count=2, neg_risk=True),
    ]


def _event(
    name: str, version: str, *, count: int = 1, neg_risk: bool = False, fee: str = "0", tick: int = 10_000
) -> tuple[Event, list[Market]]:
    ids = [
        v1_ids(f"{name} {index}") if version == "v1" else v2_ids(name, index=index, arity=count, neg_risk=neg_risk)
        for index in range(count)
    ]
    markets = [
        Market(
            condition_id=condition,
            event_id=name,
            question=f"Outcome {index} of {name}?",
            slug=f"outcome-{index}-of-{name}",
            version="v1" if version == "v1" else "v2",
            token_ids=tokens,
            neg_risk=neg_risk,
            fee_rate=Decimal(fee),
            tick=tick,
            resolves_ms=_now_ms() + 10_000_000,
        )
        for index, (condition, tokens) in enumerate(ids)
    ]
    event = Event(
        event_id=name,
        title=f"Event {name}",
        slug=f"event-{name}",
        neg_risk=neg_risk,
        augmented=False,
        version="v1" if version == "v1" else "v2",
        market_ids=tuple(market.condition_id for market in markets),
        neg_risk_market_id=v1_ids(name)[0] if neg_risk else "",
    )
    return event, markets
