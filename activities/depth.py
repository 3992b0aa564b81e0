"""The last look before entering: fresh depth of every leg for the whole size, funds, lease, halt, time.

Every check answers "" or why the trade is refused, in a trader's words. Zero orders if any fails.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from arbsaga.domain.books import Book, trouble
from arbsaga.domain.instruments import Instrument, Side
from arbsaga.domain.money import NO_USD, Usd
from arbsaga.errors import VenueError
from arbsaga.ledger import Ledger
from arbsaga.saga.messages import TradePlan
from arbsaga.venues.port import Funds, Venue

LiveBooksOf = Callable[[Sequence[str]], Sequence[Book]]
"""This process's live books of these tokens; tokens without a live book are left out."""


LAG_MS = 3_000
"""A trade that was let through may not show in the venue's balance for so long: its cash is counted off until then."""


@dataclass(frozen=True, slots=True)
class DepthSettings:
    """Freshness in ms: how old a book may be, how far apart the books of one trade, how long funds are cached."""

    max_book_age_ms: int = 2_000
    max_book_skew_ms: int = 500
    funds_fresh_ms: int = 2_000
    funds_usable_ms: int = 30_000


@dataclass(slots=True)
class DepthCheck:
    """Checks plans against one venue account. `live` are the scanner's books where it runs in this process."""

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
            self._funds.promise(plan.reserved)
        return refusal

    async def entered(self, plan: TradePlan) -> bool:
        """Whether orders of this plan were written down before, by whatever run of it."""
        return await asyncio.to_thread(self.ledger.intent, plan.trade_id, 0, 1) is not None

    async def _checked(self, plan: TradePlan) -> str:
        """All at once: each of them is a request or a thread's work on the way to the wire."""
        halted, by_the_venue = await asyncio.gather(asyncio.to_thread(self.ledger.halted), self._by_the_venue(plan))
        return f"trading is halted: {halted}" if halted else by_the_venue

    async def _by_the_venue(self, plan: TradePlan) -> str:
        try:
            books, funds, short = await asyncio.gather(
                self._books(plan), self._funds.read(plan), self._unsellable(plan)
            )
        except VenueError as error:
            return f"the venue cannot be asked: {error}"
        return books if isinstance(books, str) else thin(plan, books) or too_dear(plan, funds) or short

    async def _books(self, plan: TradePlan) -> tuple[Book, ...] | str:
        """The legs' books: this process's live ones where they are fresh, else asked for in one request."""
        tokens = [leg.instrument.token for leg in plan.basket.legs]
        live = tuple(self.live(tokens)) if self.live is not None else ()
        if interrupted := _interrupted(plan, live):
            return interrupted
        if len(live) == len(tokens) and not self._trouble(live):
            return live
        books = await self.venue.books(tokens)
        assert [book.token for book in books] == tokens, "books come in the order asked"
        return self._trouble(books) or books

    def _trouble(self, books: tuple[Book, ...]) -> str | None:
        return trouble(books, now_ms(), self.settings.max_book_age_ms, self.settings.max_book_skew_ms)

    async def _unsellable(self, plan: TradePlan) -> str:
        for leg, planned in zip(plan.basket.legs, plan.legs, strict=True):
            if leg.side is Side.SELL:
                sellable = await self.venue.sellable(leg.instrument.token)
                if sellable < planned.size:
                    return f"only {sellable:f} {leg.instrument.title} can be sold, {planned.size:f} wanted"
        return ""


class FundsCache:
    """Free cash and allowances, asked for before they are needed. What was promised since then is counted off."""

    def __init__(self, venue: Venue, settings: DepthSettings) -> None:
        self._venue = venue
        self._settings = settings
        self._read: dict[tuple[tuple[str, bool], ...], tuple[int, Funds]] = {}
        self._promised: list[tuple[int, Usd]] = []
        self._refreshing: set[asyncio.Task[Funds]] = set()

    async def read(self, plan: TradePlan) -> Funds:
        """What can be spent on the plan's buys. A stale answer is used once more while a new one is fetched."""
        buys = [leg.instrument for leg in plan.basket.legs if leg.side is Side.BUY]
        key = tuple(sorted({(buy.rules.version, buy.rules.neg_risk) for buy in buys}))
        known = self._read.get(key)
        if known is None or now_ms() - known[0] > self._settings.funds_usable_ms:
            return await self._fetch(key, buys)
        read_ms, funds = known
        if now_ms() - read_ms > self._settings.funds_fresh_ms:
            self._refresh(key, buys)
        promised = sum((usd for at, usd in self._promised if at >= read_ms - LAG_MS), NO_USD)
        return Funds(Usd(funds.cash - promised), funds.short)

    def promise(self, amount: Usd) -> None:
        """A trade was let through that will spend up to `amount` USD."""
        oldest = now_ms() - self._settings.funds_usable_ms - LAG_MS
        self._promised = [(at, usd) for at, usd in self._promised if at >= oldest] + [(now_ms(), amount)]

    async def _fetch(self, key: tuple[tuple[str, bool], ...], buys: Sequence[Instrument]) -> Funds:
        asked_ms = now_ms()
        funds = await self._venue.funds(buys)
        self._read[key] = (asked_ms, funds)
        return funds

    def _refresh(self, key: tuple[tuple[str, bool], ...], buys: Sequence[Instrument]) -> None:
        if self._refreshing:
            return
        task = asyncio.ensure_future(self._fetch(key, buys))
        self._refreshing.add(task)
        task.add_done_callback(self._refreshed)

    def _refreshed(self, task: "asyncio.Task[Funds]") -> None:
        """A failed refresh leaves the old answer, which is soon too old to use: then the trade asks itself."""
        self._refreshing.discard(task)
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
    return ""


def thin(plan: TradePlan, books: Sequence[Book]) -> str:
    """Whether a leg's depth at its limit no longer holds its whole size."""
    for leg, planned, book in zip(plan.basket.legs, plan.legs, books, strict=True):
        depth = book.depth(leg.side, planned.limit)
        if depth < planned.size:
            title = f"{leg.instrument.outcome} {leg.instrument.title}"
            return f"only {depth:f} {title} at {planned.limit:f} now, {planned.size:f} wanted"
    return ""


def too_dear(plan: TradePlan, funds: Funds) -> str:
    """Whether what may be spent is not there, or more may be spent than was reserved."""
    if funds.short:
        return f"allowance missing: {funds.short}"
    if funds.cash < plan.reserved:
        return f"only {funds.cash:.2f} USD free at the venue, {plan.reserved:.2f} reserved for the trade"
    most = most_spent(plan)
    if most > plan.reserved:
        return f"the orders may cost {most:f} USD, only {plan.reserved:f} are reserved"
    return ""


def most_spent(plan: TradePlan) -> Usd:
    """USD that the entries cost at most: a fill under the limit costs less in all, its fee included."""
    total = NO_USD
    for leg, planned in zip(plan.basket.legs, plan.legs, strict=True):
        if leg.side is Side.BUY:
            fee = leg.instrument.rules.fee.taker_fee(planned.size, planned.limit)
            total = Usd(total + planned.size * planned.limit + fee)
    return total


def now_ms() -> int:
    """Wall clock in ms since the epoch."""
    return time.time_ns() // 1_000_000


def _interrupted(plan: TradePlan, live: Sequence[Book]) -> str:
    decided = {ref.token: ref.generation for ref in plan.books}
    for book in live:
        if decided.get(book.token, book.generation) != book.generation:
            return "the stream of books was interrupted since the decision"
    return ""
