"""Sets an account's exchange for a case: fresh books, a plan on them, the faults of its scenario."""

import asyncio
import itertools
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from activities.depth import most_spent, now_ms
from arbsaga.domain.baskets import Basket, BasketKind, cross, no_of_some, yes_of_all
from arbsaga.domain.books import Book, BookRef
from arbsaga.domain.instruments import Side
from arbsaga.domain.money import NO_USD, Price, Size, Usd
from arbsaga.exchange.kalshi.world import tickers_of
from arbsaga.saga.messages import PlannedLeg, TradePlan
from arbsaga.venues.port import EventListing, Venue
from arbsaga.venues.several import POLYMARKET, Several
from proof.crashes import admin
from proof.crashes.kalshi import MARKETS, kind
from proof.crashes.scenario import Scenario
from proof.crashes.setting import Setting

EDGE = "0.04"
KALSHI_EDGE = "0.05"
FAIR = Price(Decimal("0.97"))
"""What the two legs over two venues cost together at most, where the prices allow that."""


class Books:
    """The events of an account's exchanges, taken in turn, so that no two trades after each other share a book."""

    def __init__(self, setting: Setting, venue: Venue) -> None:
        self._setting, self._venues = setting, venue.parts if isinstance(venue, Several) else {POLYMARKET: venue}
        self._urls = {"polymarket": setting.exchange} | ({"kalshi": setting.kalshi} if setting.kalshi else {})
        self._venue = self._venues[POLYMARKET]
        self._turns: dict[int, Iterator[EventListing]] = {}
        self._numbers = itertools.cycle(range(MARKETS))

    async def open(self) -> None:
        """Stop the exchanges' own traders: nothing moves but what a case moves."""
        for venue in self._urls:
            await self.admin("POST", "pause", venue=venue)

    async def plan(self, scenario: Scenario) -> TradePlan:
        """A basket of as many legs, at prices that hold its size; decided when it is started."""
        event = await self._event(scenario.legs)
        await self.admin("POST", "plant", {"event_id": event.event, "edge": EDGE})
        basket, books = await (self._across(event) if scenario.across else self._basket(event, scenario.legs))
        # Each exchange numbers its events alike, and they share the Temporal server.
        basket = replace(basket, key=f"{basket.key}:{self._setting.account}")
        size = Size(Decimal(scenario.size))
        limits = [_limit(book, size, whole=index in scenario.emptied) for index, book in enumerate(books)]
        return _planned(self._setting.account, scenario, basket, books, limits)

    async def strike(self, scenario: Scenario, plan: TradePlan) -> None:
        """Put the scenario's faults in force, and no others."""
        for venue in self._urls:
            await self.admin("DELETE", "faults", venue=venue)
        legs = [leg.instrument for leg in plan.basket.legs]
        names = [leg.token if leg.venue == POLYMARKET else leg.market for leg in legs]
        for venue, faults in (("polymarket", scenario.faults), ("kalshi", scenario.kalshi)):
            for fault in faults:
                await self.admin("POST", "faults", {"spec": fault.format(*names)}, venue)

    async def settled(self, limit_s: float) -> bool:
        """Wait until no trade of the exchanges is under way, and both are there; False at the limit."""
        end = time.monotonic() + limit_s
        while (await self.admin("GET", "state"))["pending_trades"]:
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.05)
        if "kalshi" in self._urls:
            await self.admin("GET", "state", venue="kalshi")
        return True

    async def admin(self, method: str, path: str, body: dict[str, str] | None = None, venue: str = POLYMARKET) -> Any:  # noqa: ANN401  JSON
        """A call of an exchange's own controls."""
        return await admin.ask(self._urls[venue], method, path, body)

    async def _event(self, legs: int) -> EventListing:
        """The next event whose YES of all are so many; for two legs NO of any event's two likeliest markets."""
        if legs not in self._turns:
            events = [event for event in await self._venue.events() if event.exhaustive]
            fit = [event for event in events if legs in (2, len(event.markets))]
            assert fit, f"the exchange has an event of {legs} markets"
            self._turns[legs] = itertools.cycle(fit)
        return next(self._turns[legs])

    async def _basket(self, event: EventListing, legs: int) -> tuple[Basket, Sequence[Book]]:
        if legs == len(event.markets):
            yes = [market.yes for market in event.markets]
            return yes_of_all(event.event, event.title, yes), await self._venue.books([one.token for one in yes])
        books = await self._venue.books([market.no.token for market in event.markets])
        cheapest = sorted(range(len(books)), key=lambda at: books[at].asks[0].price)[:legs]
        basket = no_of_some(event.event, event.title, [event.markets[at].no for at in cheapest])
        return basket, [books[at] for at in cheapest]

    async def _across(self, event: EventListing) -> tuple[Basket, Sequence[Book]]:
        """The YES of one of the event's markets, and an outcome of a market of Kalshi, cheaper than usual.

        Of a market of Kalshi always the same outcome is bought: the other would close what an earlier trade holds.
        """
        number = next(self._numbers)
        (ticker,) = tickers_of(kind(number))
        is_yes = number % 2 == 0
        edge = f"-{KALSHI_EDGE}" if is_yes else KALSHI_EDGE
        await self.admin("POST", "halt", {}, "kalshi")
        await self.admin("POST", "pause", venue="kalshi")  # one that died in the last case has forgotten it
        await self.admin("POST", "plant", {"ticker": ticker, "edge": edge}, "kalshi")
        market = await self._venues["kalshi"].listing(ticker)
        there = market.yes if is_yes else market.no
        (book,) = await self._venues["kalshi"].books([there.token])
        books = await self._venue.books([one.yes.token for one in event.markets])
        here = _fair(books, book)
        basket = cross(ticker, event.title, BasketKind.IDENTITY, event.markets[here].yes, there)
        return basket, (books[here], book)


def _limit(book: Book, size: Size, *, whole: bool) -> Price:
    """The price that holds the size, or the one that holds the whole book."""
    if whole:
        return book.asks[-1].price
    return next(level.price for level in book.asks if book.depth(Side.BUY, level.price) >= size)


def _fair(books: Sequence[Book], other: Book) -> int:
    """Which book goes best with the other venue's: the dearest with which both cost no more than FAIR."""
    prices = [book.asks[0].price for book in books]
    within = [at for at, price in enumerate(prices) if price + other.asks[0].price <= FAIR]
    return max(within, key=lambda at: prices[at]) if within else min(range(len(prices)), key=lambda at: prices[at])


def _planned(
    account: str, scenario: Scenario, basket: Basket, books: Sequence[Book], limits: Sequence[Price]
) -> TradePlan:
    at, size = now_ms(), Size(Decimal(scenario.size))
    plan = TradePlan(
        trade_id=f"{scenario.name}-{secrets.token_hex(4)}",
        account=account,
        basket=basket,
        units=size,
        legs=tuple(PlannedLeg(size, limit) for limit in limits),
        cost=NO_USD,
        fees=NO_USD,
        edge=NO_USD,
        reserved=NO_USD,
        lease_id=f"lease-{secrets.token_hex(4)}",
        lease_expires_ms=at + 60_000,
        decided_ms=at,
        decided_ns=time.monotonic_ns(),
        books=tuple(BookRef(book.token, book.generation, book.time_ms) for book in books),
        patience=scenario.patience,
        undo=scenario.undo,
        first=scenario.first,
    )
    cost = most_spent(plan)
    return replace(plan, cost=cost, reserved=cost, edge=Usd(size * basket.payout - cost))
