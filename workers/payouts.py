"""Booking what resolved markets paid: the ledger follows the venue's own record."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

import structlog
from temporalio.service import RPCError

from arbsaga.domain.instruments import Instrument, Outcome, Side
from arbsaga.domain.money import MICRO, NO_SIZE, NO_USD, Size, Usd, floor_to
from arbsaga.domain.orders import FillStatus
from arbsaga.errors import ArbsagaError, VenueError
from arbsaga.ledger import Ledger, TradeStory
from arbsaga.saga.messages import Phase, TradePlan
from arbsaga.venues.listed import Listings
from arbsaga.venues.port import MarketListing, Venue
from arbsaga.venues.several import parts_of
from workers.realised import Realised, of_ledger

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Payouts:
    """Looks for resolved markets that we hold positions in, and books each position once.

    `paid_out` is told of every trade that holds nothing any more; while Temporal is down (RPCError), with a later
    sweep. `realised` is told before it what the trade came to. Reads the ledger in threads.
    """

    venue: Venue
    ledger: Ledger
    account: str
    paid_out: Callable[[str], Awaitable[None]]
    realised: Callable[[Realised], Awaitable[object]] | None = None
    _listings: Listings = field(init=False)
    _instruments: dict[str, Instrument] = field(default_factory=dict)
    _trades: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _untold: set[str] = field(default_factory=set)
    _sweeping: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._listings = Listings(self.venue)

    def know(self, plan: TradePlan) -> None:
        """Remember which trade may hold which tokens, the complements it may hedge with included."""
        for leg in plan.basket.legs:
            for instrument in (leg.instrument, leg.instrument.other()):
                self._instruments[instrument.token] = instrument
                self._trades[instrument.token].add(plan.trade_id)

    async def run(self, every_s: float) -> None:
        """Sweep until cancelled; a sweep that fails is logged and tried again."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.sweep()
            except ArbsagaError as error:
                log.warning("payout sweep failed", error=str(error))

    async def sweep(self) -> int:
        """Book what was paid out since the last sweep. Returns how many positions are still held.

        One sweep at a time: two that had read the same position would each book it.
        """
        async with self._sweeping:
            return await self._sweep()

    async def _sweep(self) -> int:
        positions = await asyncio.to_thread(self.ledger.positions, self.account)
        if positions.keys() - self._instruments.keys():
            await self._learn()
        tokens = [token for token in positions if token in self._instruments]
        resolved = await self._resolved(tokens)
        at_venue = await self.venue.positions(list(resolved)) if resolved else {}
        gone = [token for token in resolved if not at_venue.get(token, NO_SIZE)]
        booked = {token for token in gone if await self._book(token, positions[token], resolved[token])}
        await self._tell(booked, positions.keys() - booked)
        return len(positions) - len(booked)

    async def catch_up(self, trade_ids: Iterable[str]) -> None:
        """Tell of trades (those that hold capital) that were paid out before this process could tell."""
        positions = await asyncio.to_thread(self.ledger.positions, self.account)
        for trade_id in trade_ids:
            story = await asyncio.to_thread(self.ledger.trade, trade_id)
            if story is None or story.row is None or story.row.phase is Phase.HELD:
                continue
            legs = [leg.instrument for leg in story.row.plan.basket.legs]
            if not any(instrument.token in positions or instrument.complement in positions for instrument in legs):
                await self._all_paid(trade_id)

    async def _all_paid(self, trade_id: str) -> None:
        """Nothing of the trade is held any more: tell what it came to, then free its capital."""
        story = await asyncio.to_thread(self.ledger.trade, trade_id) if self.realised is not None else None
        result = await asyncio.to_thread(of_ledger, self.ledger, story) if story is not None else None
        if self.realised is not None and result is not None:
            await self.realised(result)
        await self.paid_out(trade_id)

    async def _learn(self) -> None:
        """Another process, or this one before a restart, traded these: the ledger has the plans."""
        for row in await asyncio.to_thread(self.ledger.trades):
            self.know(row.plan)

    async def _resolved(self, tokens: Iterable[str]) -> dict[str, Usd]:
        """What one share of each token of a resolved market pays."""
        markets = {self._instruments[token].market: self._instruments[token].venue for token in tokens}
        asked = await asyncio.gather(*(self._listing(market, venue) for market, venue in markets.items()))
        listings = [listing for listing in asked if listing is not None]
        winners = {listing.yes.market: listing for listing in listings if _decided(listing)}
        return {
            token: _pays(self._instruments[token], winners[self._instruments[token].market])
            for token in tokens
            if self._instruments[token].market in winners
        }

    async def _listing(self, market: str, venue: str) -> MarketListing | None:
        """One market, None where its venue does not show it, or does not answer: what others paid is booked still."""
        try:
            return await self._listings.of(venue, market)
        except VenueError as error:
            if len(parts_of(self.venue)) == 1:
                raise
            log.warning("payouts of a venue are not known", venue=venue, error=str(error))
            return None

    async def _book(self, token: str, shares: Size, pays: Usd) -> bool:
        """Book one position, unless a fill of it may still be taken back by the venue."""
        stories = [await asyncio.to_thread(self.ledger.trade, trade_id) for trade_id in sorted(self._trades[token])]
        told = [story for story in stories if story is not None]
        if not all(_final(story) for story in told):
            return False
        if (await asyncio.to_thread(self.ledger.positions, self.account)).get(token) != shares:
            return False  # a trade was recorded meanwhile: the next sweep books all of it
        ref = f"{token}/{_bought(token, told)}"
        instrument = self._instruments[token]
        # Kalshi keeps what is left below the precision of its balances (market settlement), a chain below a millionth
        usd = Usd(floor_to(Usd(shares * pays), instrument.rules.fee.rounding or MICRO))
        await asyncio.to_thread(self.ledger.book_payout, self.account, instrument.venue, token, shares, usd, ref)
        log.info("paid out", token=token, shares=str(shares), usd=str(usd))
        return True

    async def _tell(self, booked: set[str], held: set[str]) -> None:
        trades = {trade_id for token in booked for trade_id in self._trades.pop(token, ())}
        waiting = {trade_id for token in held for trade_id in self._trades.get(token, ())}
        self._untold |= trades - waiting
        for trade_id in sorted(self._untold):
            try:
                await self._all_paid(trade_id)
            except RPCError as error:
                log.warning("the desk is not told yet", trade_id=trade_id, error=error.message)
                return
            self._untold.remove(trade_id)


def _decided(listing: MarketListing) -> bool:
    return listing.winner is not None or listing.value is not None


def _pays(instrument: Instrument, listing: MarketListing) -> Usd:
    if listing.value is not None:
        return Usd(listing.value if instrument.outcome is Outcome.YES else 1 - listing.value)
    return Usd(Decimal(1)) if listing.winner is instrument.outcome else NO_USD


def _final(story: TradeStory) -> bool:
    """Whether nothing of the trade can change any more: no order can fill, no fill can fail."""
    fills = (fill for view in story.orders for fill in view.fills)
    return all(view.state.final for view in story.orders) and all(fill.status.final for fill in fills)


def _bought(token: str, stories: Iterable[TradeStory]) -> Decimal:
    """Shares of the token ever bought: grows with every later fill, so it names a payout for ever."""
    views = (view for story in stories for view in story.orders if view.terms.side is Side.BUY)
    fills = (fill for view in views if view.terms.instrument.token == token for fill in view.fills)
    return sum((fill.size for fill in fills if fill.status is not FillStatus.FAILED), Decimal(0))
