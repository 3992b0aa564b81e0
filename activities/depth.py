"""The last look before entering: fresh depth of every leg for the whole size, funds, lease, halt, time.

Every check answers "" or why the trade is refused, in a trader's words. Zero orders if any fails.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from arbsaga.domain.baskets import Leg
from arbsaga.domain.books import Book, trouble
from arbsaga.domain.instruments import Instrument, Side
from arbsaga.domain.money import NO_USD, Usd
from arbsaga.errors import VenueError
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import PlannedLeg, TradePlan
from arbsaga.venues.port import Funds, Venue

LiveBooksOf = Callable[[Sequence[str]], Sequence[Book]]
"""This process's live books of these tokens; tokens without a live book are left out."""


LAG_MS = 3_000
"""A trade that was let through may not show in the venue's balance for so long: its cash is counted off until then."""


@dataclass(frozen=True, slots=True)
class DepthSettings:
    """Freshness in ms: how old a book may be, how far apart the books of one trade, how long funds are cached.

    `max_age_by_venue` in place of `max_book_age_ms` where a venue has its own; `max_cross_skew_ms` bounds how far apart
    the books of two venues were proved.
    """

    max_book_age_ms: int = 2_000
    max_book_skew_ms: int = 500
    max_age_by_venue: Mapping[str, int] = field(default_factory=dict)
    max_cross_skew_ms: int = 2_000
    funds_fresh_ms: int = 2_000
    funds_usable_ms: int = 30_000


@dataclass(slots=True)
class DepthCheck:
    """Checks plans against the account. `live` are the scanner's books where it runs in this process."""

    venue: Venue
    ledger: Ledger
    live: LiveBooksOf | None = None
    settings: DepthSettings = DepthSettings()
    _funds: "FundsCache" = field(init=False)

    def __post_init__(self) -> None:
        self._funds = FundsCache(self.venue, self.settings)

    async def refusal(self, plan: TradePlan) -> str:
        """Why this plan may not be entered now, or empty. Raises what the ledger raises: without it nobody knows."""
        refusal = unfit(plan) or too_late(plan, now_ms()) or await self._checked(plan) or too_late(plan, now_ms())
        if not refusal:
            self._funds.promise(plan)
        return refusal

    async def entered(self, plan: TradePlan) -> bool:
        """Whether orders of this plan were written down before, by whatever run of it."""
        leg = plan.first[0] if plan.first else 0
        return await asyncio.to_thread(self.ledger.intent, plan.trade_id, leg, 1) is not None

    async def _checked(self, plan: TradePlan) -> str:
        """All at once: each of them is a request or a thread's work on the way to the wire."""
        by_the_books, by_the_venue = await asyncio.gather(
            asyncio.to_thread(self._by_the_ledger, plan), self._by_the_venue(plan)
        )
        return by_the_books or by_the_venue

    def _by_the_ledger(self, plan: TradePlan) -> str:
        if halted := self.ledger.halted():
            return f"trading is halted: {halted}"
        return closing(plan, self.ledger) or self.ledger.capped(plan)

    async def _by_the_venue(self, plan: TradePlan) -> str:
        try:
            books, barred, poor, short = await asyncio.gather(
                self._books(plan), self._barred(plan), self._poor(plan), self._unsellable(plan)
            )
        except VenueError as error:
            return f"the venue cannot be asked: {error}"
        return barred or (books if isinstance(books, str) else thin(plan, books) or poor or short)

    async def _barred(self, plan: TradePlan) -> str:
        """Whether a venue of the trade takes no marketable order now: its legs would stand alone."""
        venues: dict[str, list[Instrument]] = {}
        for leg in plan.basket.legs:
            venues.setdefault(leg.instrument.venue, []).append(leg.instrument)
        reasons = await asyncio.gather(*(self.venue.barred(instruments) for instruments in venues.values()))
        return next((paused(name, why) for name, why in zip(venues, reasons, strict=True) if why), "")

    async def _poor(self, plan: TradePlan) -> str:
        """Whether money is missing in a pocket that buys are paid from; or more may be spent than is reserved."""
        buys = by_pocket(plan)
        funds = await asyncio.gather(*(self._funds.read(pocket, buy.instruments) for pocket, buy in buys.items()))
        reasons = [too_dear(pocket, buy.most, had) for (pocket, buy), had in zip(buys.items(), funds, strict=True)]
        return next((reason for reason in reasons if reason), "") or beyond_the_reserve(plan)

    async def _books(self, plan: TradePlan) -> tuple[Book, ...] | str:
        """The legs' books: this process's live ones where they are fresh, else asked for in one request."""
        tokens = [leg.instrument.token for leg in plan.basket.legs]
        live = tuple(self.live(tokens)) if self.live is not None else ()
        if interrupted := _interrupted(plan, live):
            return interrupted
        venues = [leg.instrument.venue for leg in plan.basket.legs]
        if len(live) == len(tokens) and not self._trouble(live, venues):
            return live
        books = await self.venue.books(tokens)
        assert [book.token for book in books] == tokens, "books come in the order asked"
        return self._trouble(books, venues) or books

    def _trouble(self, books: tuple[Book, ...], venues: Sequence[str]) -> str | None:
        settings = self.settings
        return trouble(
            books,
            now_ms(),
            settings.max_book_age_ms,
            settings.max_book_skew_ms,
            venues=venues,
            max_age_by_venue=settings.max_age_by_venue,
            max_cross_skew_ms=settings.max_cross_skew_ms,
        )

    async def _unsellable(self, plan: TradePlan) -> str:
        for leg, planned in zip(plan.basket.legs, plan.legs, strict=True):
            if leg.side is Side.SELL:
                sellable = await self.venue.sellable(leg.instrument.token)
                if sellable < planned.size:
                    return f"only {sellable:f} {leg.instrument.title} can be sold, {planned.size:f} wanted"
        return ""


class Pocket(NamedTuple):
    """Where buys are paid from: a venue, and the part of the account there (Kalshi's shard; "" where there is one)."""

    venue: str
    name: str

    def __str__(self) -> str:
        return f"{self.venue}, shard {self.name}" if self.name else self.venue


class Buys(NamedTuple):
    """What a plan buys out of one pocket, and what that costs at most in USD, fees included."""

    instruments: list[Instrument]
    most: Usd


_Key = tuple[Pocket, tuple[tuple[str, bool], ...]]


class FundsCache:
    """Free cash and allowances, asked for before they are needed. What was promised since then is counted off."""

    def __init__(self, venue: Venue, settings: DepthSettings) -> None:
        self._venue = venue
        self._settings = settings
        self._read: dict[_Key, tuple[int, Funds]] = {}
        self._promised: list[tuple[int, Pocket, Usd]] = []
        self._refreshing: dict[_Key, asyncio.Task[Funds]] = {}

    async def read(self, pocket: Pocket, buys: Sequence[Instrument]) -> Funds:
        """What these buys can spend of their pocket. A stale answer is used once more while a new one is fetched."""
        key = (pocket, tuple(sorted({(buy.rules.version, buy.rules.neg_risk) for buy in buys})))
        known = self._read.get(key)
        if known is None or now_ms() - known[0] > self._settings.funds_usable_ms:
            return await self._fetch(key, buys)
        read_ms, funds = known
        if now_ms() - read_ms > self._settings.funds_fresh_ms:
            self._refresh(key, buys)
        promised = sum((usd for at, of, usd in self._promised if of == pocket and at >= read_ms - LAG_MS), NO_USD)
        return Funds(Usd(funds.cash - promised), funds.short)

    def promise(self, plan: TradePlan) -> None:
        """A trade was let through that will spend up to this."""
        oldest = now_ms() - self._settings.funds_usable_ms - LAG_MS
        recent = [one for one in self._promised if one[0] >= oldest]
        self._promised = recent + [(now_ms(), pocket, buys.most) for pocket, buys in by_pocket(plan).items()]

    async def _fetch(self, key: _Key, buys: Sequence[Instrument]) -> Funds:
        asked_ms = now_ms()
        funds = await self._venue.funds(buys)
        self._read[key] = (asked_ms, funds)
        return funds

    def _refresh(self, key: _Key, buys: Sequence[Instrument]) -> None:
        if key in self._refreshing:
            return
        task = self._refreshing[key] = asyncio.ensure_future(self._fetch(key, buys))
        task.add_done_callback(lambda _: self._refreshed(key))

    def _refreshed(self, key: _Key) -> None:
        """A failed refresh leaves the old answer, which is soon too old to use: then the trade asks itself."""
        task = self._refreshing.pop(key)
        if not task.cancelled():
            task.exception()


def too_late(plan: TradePlan, at_ms: int) -> str:
    """Whether the orders could not be sent in time, or would outlive the capital's lease."""
    send_by = plan.decided_ms + plan.patience.send_by
    if at_ms >= send_by:
        return f"too late: decided {at_ms - plan.decided_ms} ms ago, the limit is {plan.patience.send_by} ms"
    if send_by > plan.lease_expires_ms:
        return "the capital's lease expires before the orders would be sent"
    return ""


def unfit(plan: TradePlan) -> str:
    """Whether the venue's rules forbid a leg: refused at the venue, it would leave its siblings alone."""
    for leg, planned in zip(plan.basket.legs, plan.legs, strict=True):
        if not leg.instrument.allows(planned.size, planned.limit, leg.side):
            title = f"{leg.instrument.outcome} {leg.instrument.title}"
            return f"{planned.size:f} {title} @ {planned.limit:f} breaks the venue's tick, size or $ minimum"
    return cancelled_out(plan.basket.legs)


def cancelled_out(legs: Sequence[Leg]) -> str:
    """Whether one of the legs would close another, since their venue nets a market's two outcomes."""
    bought = {leg.instrument.token for leg in legs if leg.side is Side.BUY}
    both = [leg.instrument for leg in legs if leg.instrument.rules.nets and leg.instrument.complement in bought]
    return f"YES and NO of {both[0].market} cancel each other out at {both[0].venue}: buy one of them" if both else ""


def thin(plan: TradePlan, books: Sequence[Book]) -> str:
    """Whether a leg's depth at its limit no longer holds its whole size."""
    for leg, planned, book in zip(plan.basket.legs, plan.legs, books, strict=True):
        depth = book.depth(leg.side, planned.limit)
        if depth < planned.size:
            title = f"{leg.instrument.outcome} {leg.instrument.title}"
            return f"only {depth:f} {title} at {planned.limit:f} now, {planned.size:f} wanted"
    return ""


def too_dear(pocket: Pocket, most: Usd, funds: Funds) -> str:
    """Whether what may be spent out of a pocket is not there."""
    if funds.short and not pocket.name:
        return f"allowance missing: {funds.short}"
    if funds.cash >= most:
        return ""
    mend = ": move collateral to that shard" if pocket.name else ""
    return f"only {funds.cash:.2f} USD free at {pocket}, {most:.2f} wanted{mend}"


def beyond_the_reserve(plan: TradePlan) -> str:
    """Whether more may be spent than was reserved."""
    most = most_spent(plan)
    return f"the orders may cost {most:f} USD, only {plan.reserved:f} are reserved" if most > plan.reserved else ""


def paused(venue: str, why: str) -> str:
    """Why a venue takes no order now, with its name."""
    return why if why.lower().startswith(venue) else f"{venue} is paused: {why}"


def closing(plan: TradePlan, ledger: Ledger) -> str:
    """Whether a leg would close what the account holds, or another trade is about to, where the venue nets outcomes."""
    buys = [leg.instrument for leg in plan.basket.legs if leg.instrument.rules.nets and leg.side is Side.BUY]
    return ledger.opposed(plan.account, plan.trade_id, buys) if buys else ""


def by_pocket(plan: TradePlan) -> dict[Pocket, Buys]:
    """The plan's buys, by where they are paid from."""
    groups: dict[Pocket, Buys] = {}
    for leg, planned in zip(plan.basket.legs, plan.legs, strict=True):
        if leg.side is Side.BUY:
            pocket = Pocket(leg.instrument.venue, leg.instrument.rules.pocket)
            before = groups.get(pocket, Buys([], NO_USD))
            groups[pocket] = Buys([*before.instruments, leg.instrument], Usd(before.most + _most(leg, planned)))
    return groups


def most_spent(plan: TradePlan) -> Usd:
    """USD that the entries cost at most: a fill under the limit costs less in all, its fee included."""
    return Usd(sum((buys.most for buys in by_pocket(plan).values()), NO_USD))


def _most(leg: Leg, planned: PlannedLeg) -> Usd:
    return Usd(planned.size * planned.limit + leg.instrument.rules.fee.taker_fee(planned.size, planned.limit))


def now_ms() -> int:
    """Wall clock in ms since the epoch."""
    return time.time_ns() // 1_000_000


def _interrupted(plan: TradePlan, live: Sequence[Book]) -> str:
    decided = {ref.token: ref.generation for ref in plan.books}
    for book in live:
        if decided.get(book.token, book.generation) != book.generation:
            return "the stream of books was interrupted since the decision"
    return ""
