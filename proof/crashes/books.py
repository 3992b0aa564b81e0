"""Sets an account's exchange for a case: fresh books, a plan on them, the faults of its scenario."""

import asyncio
import itertools
import json
import secrets
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from activities.depth import most_spent, now_ms
from arbsaga.domain.baskets import Basket, no_of_some, yes_of_all
from arbsaga.domain.books import Book, BookRef
from arbsaga.domain.instruments import Side
from arbsaga.domain.money import NO_USD, Price, Size, Usd
from arbsaga.saga.messages import PlannedLeg, TradePlan
from arbsaga.venues.polymarket import PolymarketVenue
from arbsaga.venues.port import EventListing
from proof.crashes.scenarios import Scenario
from proof.crashes.setting import Setting

SIZE = Size(Decimal(10))
EDGE = "0.04"
ADMIN_LIMIT_S = 20


class Books:
    """The events of one exchange, taken in turn, so that no two trades after each other share a book."""

    def __init__(self, setting: Setting, venue: PolymarketVenue) -> None:
        self._setting, self._venue = setting, venue
        self._turns: dict[int, Iterator[EventListing]] = {}

    async def open(self) -> None:
        """Stop the exchange's own traders: nothing moves but what a case moves."""
        await self.admin("POST", "pause")

    async def plan(self, scenario: Scenario) -> TradePlan:
        """A basket of as many legs, at prices that hold its size; decided when it is started."""
        event = await self._event(scenario.legs)
        await self.admin("POST", "plant", {"event_id": event.event, "edge": EDGE})
        basket, books = await self._basket(event, scenario.legs)
        # Each exchange numbers its events alike, and they share the Temporal server.
        basket = replace(basket, key=f"{basket.key}:{self._setting.account}")
        limits = [_limit(book, whole=index in scenario.emptied) for index, book in enumerate(books)]
        return _planned(self._setting.account, scenario, basket, books, limits)

    async def strike(self, scenario: Scenario, plan: TradePlan) -> None:
        """Put the scenario's faults in force, and no others."""
        await self.admin("DELETE", "faults")
        tokens = [leg.instrument.token for leg in plan.basket.legs]
        for fault in scenario.faults:
            await self.admin("POST", "faults", {"spec": fault.format(*tokens)})

    async def settled(self, limit_s: float) -> bool:
        """Wait until no trade of the exchange is under way; False at the limit."""
        end = time.monotonic() + limit_s
        while (await self.admin("GET", "state"))["pending_trades"]:
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.05)
        return True

    async def admin(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:  # noqa: ANN401  JSON
        """A call of the exchange's own controls."""
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(f"{self._setting.exchange}/admin/{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        return await asyncio.to_thread(_answer, request)

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


def _answer(request: urllib.request.Request) -> Any:  # noqa: ANN401  JSON
    with urllib.request.urlopen(request, timeout=ADMIN_LIMIT_S) as answer:
        return json.load(answer)


def _limit(book: Book, *, whole: bool) -> Price:
    """The price that holds the size, or the one that holds the whole book."""
    if whole:
        return book.asks[-1].price
    return next(level.price for level in book.asks if book.depth(Side.BUY, level.price) >= SIZE)


def _planned(
    account: str, scenario: Scenario, basket: Basket, books: Sequence[Book], limits: Sequence[Price]
) -> TradePlan:
    at = now_ms()
    plan = TradePlan(
        trade_id=f"{scenario.name}-{secrets.token_hex(4)}",
        account=account,
        basket=basket,
        units=SIZE,
        legs=tuple(PlannedLeg(SIZE, limit) for limit in limits),
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
    )
    cost = most_spent(plan)
    return replace(plan, cost=cost, reserved=cost, edge=Usd(SIZE * basket.payout - cost))
