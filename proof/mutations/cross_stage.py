"""A stage with two venues: the Polymarket one, Kalshi's exchange beside it, and a pair of markets that ask the same.

Polymarket's YES costs 0.28 to 0.30, Kalshi's NO 0.58 to 0.60. What of the pair is bought is worked out by the shipped
code from the pair as a person approved it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from arbsaga.detect.books import LiveBooks
from arbsaga.detect.pairs import WatchedPair, pair_watches
from arbsaga.domain.baskets import Basket, BasketKind
from arbsaga.domain.books import Book, BookRef
from arbsaga.domain.instruments import Outcome
from arbsaga.domain.money import ZERO, Price, Size, Usd
from arbsaga.domain.pricing import Gates
from arbsaga.exchange.journal import read_journal
from arbsaga.exchange.truth import Truth
from arbsaga.pairs import checking
from arbsaga.pairs.pair import MarketRef, Orientation, Pair, Relation
from arbsaga.saga.messages import Patience, PlannedLeg, TradePlan, UndoLimits
from arbsaga.venues.port import MarketListing
from arbsaga.venues.several import Several
from proof.mutations.kalshi_side import DEAR, SHARD, TICKER, KalshiSide, KalshiTerms, beside
from proof.mutations.stage import ACCOUNT, PATIENCE, UNDO, Stage, now_ms, raised
from workers.truths import of_kalshi

KALSHI = "kalshi:"
"""Faults of Kalshi's exchange begin with this."""
UNITS = Size(Decimal("12.25"))
LIMITS = {
    ("polymarket", Outcome.YES): Price(Decimal("0.30")),
    ("polymarket", Outcome.NO): Price(Decimal("0.75")),
    ("kalshi", Outcome.YES): Price(Decimal("0.45")),
    ("kalshi", Outcome.NO): Price(Decimal("0.60")),
}
GATES = Gates(min_edge=Decimal("0.001"), max_price_ratio=Decimal(1), budget=Usd(Decimal(100)))
LIVE_S = 5
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Across:
    """How a trade over both venues is set up.

    `relation`: of Polymarket's market to Kalshi's. `direction` "a" buys YES at Polymarket, "b" its NO. `first`: legs
    that go first (0 Polymarket, 1 Kalshi).
    """

    kalshi: KalshiTerms = field(default_factory=KalshiTerms)
    relation: Relation = Relation.IDENTITY
    direction: str = "a"
    first: tuple[int, ...] = ()

    @property
    def worlds(self) -> tuple[tuple[Outcome, Outcome], ...]:
        """How both markets can resolve: what the relation means, said once more, apart from the code under test."""
        yes, no = Outcome.YES, Outcome.NO
        return ((yes, no), (no, yes)) if self.relation is Relation.COMPLEMENT else ((yes, yes), (no, no))


@dataclass
class CrossStage(Stage):
    """Both exchanges; Polymarket's is the inherited part."""

    kalshi: KalshiSide = field(kw_only=True)
    several: Several = field(kw_only=True)
    across: Across = field(kw_only=True)
    pair: tuple[MarketListing, MarketListing] = field(kw_only=True)
    frames: int = 0
    """Whole frames of the live books so far."""
    _streams: list["asyncio.Task[None]"] = field(default_factory=list)

    @property
    def venue(self) -> Several:
        """Where the account trades."""
        return self.several

    def truths(self) -> dict[str, Truth]:
        """See Stage."""
        return {**super().truths(), "kalshi": of_kalshi(self.kalshi.truth())}

    def refusals(self) -> list[str]:
        """See Stage."""
        lines = read_journal(self.kalshi.truth_file).records
        return super().refusals() + [line["client_order_id"] for line in lines if line["kind"] == "refused"]

    def fault(self, spec: str) -> None:
        """See Stage; `kalshi:NAME…` is one of Kalshi's exchange."""
        if spec.startswith(KALSHI):
            self.kalshi.engine.faults.add(spec.removeprefix(KALSHI))
        else:
            super().fault(spec)

    def calm(self) -> None:
        """See Stage."""
        super().calm()
        self.kalshi.engine.faults.clear()

    def send_twice(self) -> None:
        """See Stage; at Kalshi."""
        self.kalshi.twice = True

    def dear(self, *, there: bool = True) -> None:
        """The asks of both legs move away; `there`: Kalshi's too."""
        self.withdraw_offers()
        self.quote(asks=[[("0.70", "200")]] * len(self.markets))
        if there:
            self.kalshi.withdraw_offers()
            self.kalshi.quote(DEAR)

    def basket(self, direction: str) -> Basket:
        """What of the pair is bought together, as the shipped code has it."""
        here, there = self.pair
        relation = self.across.relation
        pair = Pair(
            name="race",
            a=MarketRef("polymarket", here.yes.market),
            b=MarketRef("kalshi", TICKER),
            relation=relation,
            orientation=Orientation.of(relation),
            cutoffs=(0, 0),
            statuses=("", ""),
            hashes=("", ""),
            cap_usd=Usd(Decimal(100)),
        )
        watched = WatchedPair(
            "race", "Who wins?", here, there, checking.guaranteed(pair), BasketKind.IDENTITY, pair.cap_usd
        )
        watches = pair_watches(watched, GATES)
        return next(one.basket for one in watches if one.basket.key.endswith(f":{direction}"))

    def plan(self, patience: Patience = PATIENCE, undo: UndoLimits = UNDO) -> TradePlan:
        """Twelve and a quarter units of the pair, decided now on the books there are."""
        return self.planned(self.across.direction, patience, undo)

    def planned(self, direction: str, patience: Patience, undo: UndoLimits, *, name: str = "t") -> TradePlan:
        """A plan for a direction of the pair."""
        basket = self.basket(direction)
        instruments = [leg.instrument for leg in basket.legs]
        legs = tuple(PlannedLeg(UNITS, LIMITS[one.venue, one.outcome]) for one in instruments)
        plan = self.decided(basket, legs, patience, undo, name=name)
        live = {book.token: book for book in self.live([one.token for one in instruments])} if self.live else {}
        books = tuple(
            BookRef(ref.token, live[ref.token].generation, ref.time_ms) if ref.token in live else ref
            for ref in plan.books
        )
        return replace(plan, first=self.across.first, books=books)

    async def stream(self) -> None:
        """Have Kalshi's books from its stream from now on; Polymarket's is always the one of now."""
        (held,) = await self.polymarket.books([self.basket("a").legs[0].instrument.token])
        tokens = {self.pair[1].yes.token: TICKER, self.pair[1].no.token: TICKER}
        live = LiveBooks(on_frame=lambda _ns, _tokens: self._framed())
        live.follow(tokens)
        self._streams.append(asyncio.create_task(self.kalshi.venue.stream_books(list(tokens), live)))

        def books(asked: Sequence[str]) -> Sequence[Book]:
            told = [held if token == held.token else live.book(token) for token in asked]
            return [replace(book, read_ms=now_ms()) if book is held else book for book in told if book is not None]

        self.live = books
        async with asyncio.timeout(LIVE_S):
            while len(books(list(tokens))) < len(tokens):  # noqa: ASYNC110 - the sink tells nobody
                await asyncio.sleep(0.01)

    def _framed(self) -> None:
        self.frames += 1

    async def framed(self, before: int) -> None:
        """Wait for a frame after the first `before` ones."""
        async with asyncio.timeout(LIVE_S):
            while self.frames <= before:  # noqa: ASYNC110 - the sink tells nobody
                await asyncio.sleep(0.01)

    async def hush(self) -> None:
        """End the streams."""
        for stream in self._streams:
            stream.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)


@asynccontextmanager
async def raised_across(folder: Path, across: Across) -> AsyncIterator[CrossStage]:
    """A stage with both venues in this folder, quoted and with money at both, until the block ends."""
    async with raised(folder) as here, beside(folder / "kalshi", across.kalshi) as there:
        here.ledger.open_account(ACCOUNT, there.venue.name, Usd(sum(map(Decimal, across.kalshi.cash.values()), ZERO)))
        several = Several({here.polymarket.name: here.polymarket, there.venue.name: there.venue})
        market = await here.polymarket.listing(here.instruments[0].market)
        pair = (market, await there.venue.listing(TICKER))
        assert pair[1].yes.rules.pocket == str(SHARD)
        inherited = {each.name: getattr(here, each.name) for each in fields(Stage)}
        stage = CrossStage(**inherited, kalshi=there, several=several, across=across, pair=pair)
        try:
            yield stage
        finally:
            await stage.hush()
