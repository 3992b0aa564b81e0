"""Which events and markets there are, what their rules are, and what became of those we have seen.

Thousands of events are open, and a small account may make 20 reads a second: all are listed once a minute, in between
only what the venue says was updated and what a stream said has changed (docs.kalshi.com, rate limits).
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final
from urllib.parse import quote

import structlog

from arbsaga.domain.instruments import Instrument, MarketRules, Outcome
from arbsaga.domain.money import NO_USD, Size
from arbsaga.errors import BadMessage, UnknownThing
from arbsaga.venues.kalshi.fees import UnknownFees, fee_schedule, forbidding
from arbsaga.venues.kalshi.records import (
    ACTIVE,
    FINAL,
    NAME,
    EventSeen,
    MarketSeen,
    Raw,
    SeriesSeen,
    read_event,
    read_market,
    read_series,
    read_settlement,
    token,
)
from arbsaga.venues.kalshi.rest import PAGE, Params, RefusedRead, Rest
from arbsaga.venues.kalshi.settings import KalshiSettings
from arbsaga.venues.kalshi.signing import wall_ms
from arbsaga.venues.port import EventListing, MarketListing, Question

FULL_MS: Final = 60_000
"""Between two listings of everything: what a series charges can change unannounced."""
OVERLAP_S: Final = 30
"""How far before the last asking "updated since" begins: clocks differ, and reads lag."""
EVENTS_PAGE: Final = 200
"""Events of a page: the most the venue gives."""
TICKERS: Final = 100
"""Tickers in one request: the address stays short."""
FEW: Final = 10
"""More events than this that changed at once are not asked for one by one."""
STEP: Final = Decimal("0.01")
"""Contracts come in hundredths, everywhere (docs.kalshi.com, fixed_point_migration)."""
KEPT: Final = 10_000
"""Events that are remembered for `FULL_MS`, for those who ask for one of their markets."""

_NESTED: Final = {"with_nested_markets": "true"}

log = structlog.get_logger()


@dataclass(slots=True)
class _Known:
    """An event as last read. `listing` is None where it must be made anew."""

    event: EventSeen
    markets: dict[str, MarketSeen]
    listing: EventListing | None = None

    @property
    def is_over(self) -> bool:
        """Whether every market has paid out."""
        return all(market.status == FINAL for market in self.markets.values())


class Discovery:
    """The venue's listings. Remembers the markets it has listed as open, to tell when they are resolved.

    `clock` is the wall clock in ms. `precision` of the settings goes into every fee.
    """

    def __init__(self, rest: Rest, settings: KalshiSettings, clock: Callable[[], int] = wall_ms) -> None:
        self._rest, self._precision, self._clock = rest, settings.precision, clock
        self._known: dict[str, _Known] = {}
        self._event_of: dict[str, str] = {}
        self._series: dict[str, tuple[int, SeriesSeen]] = {}
        self._events: dict[str, tuple[int, EventSeen]] = {}
        self._changed: set[str] = set()
        self._told: set[str] = set()
        self._left_out: dict[str, str] = {}
        self._full_ms = self._asked_ms = 0

    async def events(self) -> tuple[EventListing, ...]:
        """Events with an open market, and, once each, those whose markets have resolved since the last call.

        `neg_risk` where the venue says that at most one market resolves YES, and every market could be read;
        `exhaustive` never: all may resolve NO. Raises VenueError.
        """
        now_ms = self._clock()
        changed, self._changed = self._changed, set()
        try:
            if now_ms - self._full_ms >= FULL_MS or len(changed) > FEW:
                await self._read_all(now_ms)
            else:
                await self._read_updates(now_ms, changed)
        except BaseException:
            self._changed |= changed
            raise
        return await self._listings(now_ms)

    async def listing(self, market: str) -> MarketListing:
        """One market by its ticker, open or resolved. Raises UnknownThing, VenueError.

        Where a finalized one names neither result nor value (a voided one may), the account's settlements are asked.
        """
        found, event, series = await self._asked(market)
        if found.status == FINAL and _decision(found) == (None, None):
            found = await self._settled(found)
        return self._listed(found, event, series, self._clock())

    async def question(self, market: str) -> Question:
        """What a market asks: both rule texts, the contract's terms, who decides. Raises UnknownThing, VenueError."""
        found, event, series = await self._asked(market)
        sources = event.sources or (series.sources if series else ())
        listed = self._listed(found, event, series, self._clock())
        return Question(
            venue=NAME,
            market=found.ticker,
            title=f"{event.title}: {found.title}" if found.title else event.title,
            rules="\n".join((*found.rules, series.terms_url if series else "", *sources)),
            status=found.status,
            open=listed.open,
            closes_ms=listed.closes_ms,
            resolves_ms=listed.resolves_ms,
        )

    async def rules_of(self, market: str) -> MarketRules:
        """A market's rules for orders. Raises UnknownFees (one line) for fees we cannot compute, else as `listing`."""
        found, event, series = await self._asked(market)
        fee_schedule(found, event, series, self._precision, self._clock())
        return self._listed(found, event, series, self._clock()).yes.rules

    async def categories(self, market: str) -> frozenset[str]:
        """What a market is about, in the venue's words and small letters. Raises as `listing`."""
        _, _, series = await self._asked(market)
        return series.categories if series else frozenset()

    def changed(self, market: str) -> None:
        """A stream says that something about this market has changed: the next `events` asks for it by name."""
        event = self._event_of.get(market)
        if event is not None:
            self._changed.add(event)
            self._events.pop(event, None)

    # --- reading ------------------------------------------------------------------------------------

    async def _read_all(self, now_ms: int) -> None:
        """Every open event, every series, and what became of the markets that are no longer among them."""
        series = await self._rest.listing("/series", "series")
        query: Params = {"status": "open", **_NESTED, "limit": EVENTS_PAGE}
        events = await self._rest.listing("/events", "events", query)
        for raw in series:
            self._take_series(raw, now_ms)
        listed = set()
        for raw in events:
            listed.add(self._take_event(raw, now_ms))
            await asyncio.sleep(0)  # thousands of events: books must not wait for them
        gone = [known for event, known in self._known.items() if event not in listed]
        await self._read_markets([one.ticker for known in gone for one in known.markets.values()])
        for known in self._known.values():
            known.listing = None  # a waiver of fees may have ended
        self._full_ms = self._asked_ms = now_ms

    async def _read_updates(self, now_ms: int, changed: Iterable[str]) -> None:
        """What was updated since the last asking; trading is no update, a change of status or rules is."""
        since = self._asked_ms // 1000 - OVERLAP_S
        query: Params = {"min_updated_ts": since, **_NESTED, "limit": EVENTS_PAGE}
        events = await self._rest.listing("/events", "events", query)
        query = {"min_updated_ts": since, "mve_filter": "exclude", "limit": PAGE}
        markets = await self._rest.listing("/markets", "markets", query)
        named = [await self._rest.get(f"/events/{quote(event, safe='')}", _NESTED) for event in changed]
        for raw in (*events, *(each["event"] for each in named if isinstance(each.get("event"), Mapping))):
            self._take_event(raw, now_ms)
            await asyncio.sleep(0)
        for raw in markets:
            self._take_market(raw)
        await self._learn_series()
        self._asked_ms = now_ms

    async def _learn_series(self) -> None:
        """Ask for the series of new events, a few at a time; until then their fees are unknown."""
        new = {known.event.series for known in self._known.values()} - self._series.keys()
        asked = sorted(new)[:FEW]
        for series in asked:
            await self._one_series(series)
        for known in self._known.values():
            if known.event.series in asked:
                known.listing = None

    async def _read_markets(self, tickers: list[str]) -> None:
        for first in range(0, len(tickers), TICKERS):
            query: Params = {"tickers": ",".join(tickers[first : first + TICKERS]), "limit": TICKERS}
            for raw in await self._rest.listing("/markets", "markets", query):
                self._take_market(raw)

    async def _asked(self, market: str) -> tuple[MarketSeen, EventSeen, SeriesSeen | None]:
        """A market as it is now, with its event and series, which may be a minute old."""
        try:
            answer = await self._rest.get(f"/markets/{quote(market, safe='')}")
        except RefusedRead as error:
            if not _unknown(error):
                raise
            raise UnknownThing(
                f"Kalshi has no market {market}: give its ticker, as in the address of its page"
            ) from error
        if not isinstance(raw := answer.get("market"), Mapping):
            raise BadMessage(f"/markets/{market}: an answer without market")
        found = read_market(raw)
        event = await self._event(found.event)
        return found, event, await self._one_series(event.series)

    async def _settled(self, market: MarketSeen) -> MarketSeen:
        """The market with what the account's own settlement of it says; as it was where there is none that says it."""
        listed = await self._rest.listing("/portfolio/settlements", "settlements", {"ticker": market.ticker})
        for raw in listed:
            if raw.get("ticker") == market.ticker:
                result, value = read_settlement(raw)
                return replace(market, result=result, value=value)
        return market

    async def _event(self, ticker: str) -> EventSeen:
        read_ms, event = self._events.get(ticker, (0, None))
        if event is None or self._clock() - read_ms > FULL_MS:
            answer = await self._rest.get(f"/events/{quote(ticker, safe='')}")
            if not isinstance(raw := answer.get("event"), Mapping):
                raise BadMessage(f"/events/{ticker}: an answer without event")
            event = read_event(raw)
            if len(self._events) >= KEPT:
                self._events.clear()
            self._events[ticker] = self._clock(), event
        return event

    async def _one_series(self, ticker: str) -> SeriesSeen | None:
        """A series, None where the venue has none of this name."""
        read_ms, series = self._series.get(ticker, (0, None))
        if series is None or self._clock() - read_ms > FULL_MS:
            try:
                raw = (await self._rest.get(f"/series/{quote(ticker, safe='')}")).get("series")
            except RefusedRead as error:
                if not _unknown(error):
                    raise
                return None
            if not isinstance(raw, Mapping):
                raise BadMessage(f"/series/{ticker}: an answer without series")
            series = read_series(raw)
            self._series[ticker] = self._clock(), series
        return series

    # --- what is known ------------------------------------------------------------------------------

    def _take_series(self, raw: Raw, now_ms: int) -> None:
        try:
            series = read_series(raw)
        except BadMessage as error:
            self._leave_out(str(raw.get("ticker")), str(error))
            return
        self._series[series.ticker] = now_ms, series

    def _take_event(self, raw: Raw, now_ms: int) -> str:
        """Take an event that is open or was. Returns its ticker, empty where it cannot be read."""
        try:
            event = read_event(raw)
        except BadMessage as error:
            self._leave_out(str(raw.get("event_ticker")), str(error))
            return ""
        for market, why in event.unread:
            self._leave_out(market, why)
        known = self._known.get(event.ticker)
        if known is None and not any(market.status == ACTIVE for market in event.markets):
            return event.ticker
        self._events[event.ticker] = now_ms, event
        markets = {market.ticker: market for market in event.markets}
        if known is None or known.event != event or known.markets != markets:
            self._known[event.ticker] = _Known(event, markets)
            self._event_of |= dict.fromkeys(markets, event.ticker)
        return event.ticker

    def _take_market(self, raw: Raw) -> None:
        """Take a market of an event that is known."""
        known = self._known.get(str(raw.get("event_ticker")))
        if known is None:
            return
        try:
            market = read_market(raw)
        except BadMessage as error:
            self._lose(known, str(raw.get("ticker")), str(error))
            return
        if known.markets.get(market.ticker) != market:
            known.markets[market.ticker], known.listing = market, None
            self._event_of[market.ticker] = known.event.ticker

    def _lose(self, known: _Known, market: str, why: str) -> None:
        """A market's record can no longer be read: its event is not whole until it can be."""
        self._leave_out(market, why)
        known.markets.pop(market, None)
        known.event, known.listing = replace(known.event, unread=((market, why),)), None

    def _leave_out(self, what: str, why: str) -> None:
        """Told once for each reason: the listing is read every few seconds."""
        if self._left_out.get(what) != why:
            self._left_out[what] = why
            log.info("left out", what=what, why=why)

    # --- telling ------------------------------------------------------------------------------------

    async def _listings(self, now_ms: int) -> tuple[EventListing, ...]:
        listings = []
        for known in list(self._known.values()):
            if known.listing is None:
                known.listing = self._of_event(known, now_ms)
                await asyncio.sleep(0)
            markets = known.listing.markets
            decided = {one.yes.market for one in markets if one.winner is not None or one.value is not None}
            if any(one.open for one in markets) or decided - self._told:
                listings.append(known.listing)
            self._told |= decided
            if known.is_over:
                self._forget(known)
        return tuple(listings)

    def _forget(self, known: _Known) -> None:
        del self._known[known.event.ticker]
        self._events.pop(known.event.ticker, None)
        self._told.difference_update(known.markets)
        for ticker in known.markets:
            self._event_of.pop(ticker, None)

    def _of_event(self, known: _Known, now_ms: int) -> EventListing:
        event = known.event
        _, series = self._series.get(event.series, (0, None))
        return EventListing(
            event=event.ticker,
            title=event.title,
            neg_risk=event.exclusive and not event.unread,
            exhaustive=False,
            markets=tuple(self._listed(market, event, series, now_ms) for market in known.markets.values()),
        )

    def _listed(self, market: MarketSeen, event: EventSeen, series: SeriesSeen | None, now_ms: int) -> MarketListing:
        """One market. It is open where it takes orders and we know what it pays and charges."""
        odd = market.odd
        try:
            fee = fee_schedule(market, event, series, self._precision, now_ms)
        except UnknownFees as error:
            fee, odd = forbidding(self._precision), str(error)
        if odd:
            self._leave_out(market.ticker, odd)
        rules = MarketRules(
            tick=min(band.tick for band in market.bands),
            min_size=Size(STEP),
            size_step=STEP,
            min_notional=NO_USD,
            fee=fee,
            bands=market.bands,
            nets=True,
            pocket=market.shard or event.shard or "0",
        )
        yes_token, no_token = token(market.ticker, Outcome.YES), token(market.ticker, Outcome.NO)
        title = market.title or market.ticker
        yes = Instrument(NAME, market.ticker, yes_token, no_token, Outcome.YES, title, rules)
        winner, value = _decision(market)
        return MarketListing(
            yes=yes,
            no=yes.other(),
            open=market.status == ACTIVE and not odd,
            winner=winner,
            value=value,
            closes_ms=market.closes_ms,
            resolves_ms=market.resolves_ms,
        )


def _unknown(error: RefusedRead) -> bool:
    """Whether the venue itself says that there is none such: a gateway's 404 says nothing about it."""
    return error.status == 404 and error.fault.own


def _decision(market: MarketSeen) -> tuple[Outcome | None, Decimal | None]:
    """(winner, or what one YES paid where nobody won), once it is paid out: until then it can be amended."""
    if market.status != FINAL:
        return None, None
    if market.result == "yes" or market.value == 1:
        return Outcome.YES, None
    if market.result == "no" or market.value == 0:
        return Outcome.NO, None
    return None, market.value
