"""Which events and markets there are, read from Gamma, and what became of those we have seen.

Read item by item: the official client rejects a whole page for one market of an unknown version, and a
market that cannot be understood must cost us that market only. Source: docs.polymarket.com, Gamma
keyset pagination and Protocol V2 migration.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import structlog

from arbsaga.domain.fees import NO_FEE, FeeSchedule
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome
from arbsaga.domain.money import Size
from arbsaga.errors import BadMessage, UnknownThing, VenueError
from arbsaga.venues.polymarket.orders import TICKS, is_v2_token
from arbsaga.venues.polymarket.records import condition_id, decimal
from arbsaga.venues.polymarket.rest import MAX_PAGES, Query, RefusedRead, Rest
from arbsaga.venues.port import EventListing, MarketListing, Question

NAME = "polymarket"
MAX_EVENTS = 500
MAX_MARKETS = 100
"""Page sizes of Gamma's keyset listings."""
ASKED_AT_ONCE = 40
"""Condition ids in one request, each in both of its widths: the address stays short."""
_HALF = Decimal("0.5")
_VERSIONS = (("version", "v1"), ("version", "v2"))

Raw = Mapping[str, Any]

log = structlog.get_logger()


class Discovery:
    """Gamma's listings. Remembers the markets it has listed as open, to tell when they are resolved."""

    def __init__(self, rest: Rest, gamma_url: str, clob_url: str) -> None:
        self._rest, self._gamma, self._clob = rest, gamma_url, clob_url
        self._open: dict[str, EventListing] = {}
        self._left_out: set[str] = set()
        self.rules: dict[str, MarketRules] = {}
        """By token, of every market ever listed here."""

    async def events(self) -> tuple[EventListing, ...]:
        """Open events with an order book, and, once each, those whose markets have resolved since the last call.

        Raises VenueError.
        """
        raw = await self._pages("/events/keyset", "events", MAX_EVENTS, (("closed", "false"), *_VERSIONS))
        listings = []
        for event in raw:
            if (listing := await self._event(event)) is not None:
                listings.append(listing)
            await asyncio.sleep(0)  # thousands of events: books and orders must not wait for them
        listed = {market.yes.market for listing in listings for market in listing.markets}
        gone = {market: listing for market, listing in self._open.items() if market not in listed}
        for listing in listings:
            self._open |= {market.yes.market: listing for market in listing.markets if not _is_decided(market)}
        return (*listings, *await self._resolved(gone))

    async def listing(self, market: str) -> MarketListing:
        """One market by its condition id, open or resolved. Raises UnknownThing, VenueError."""
        for raw in await self._asked(market):
            if (found := await self._market(raw)) is not None:
                return found
        raise _unknown(market)

    async def question(self, market: str) -> Question:
        """What a market asks, tradable by us or not. Raises UnknownThing, VenueError."""
        for raw in await self._asked(market):
            return read_question(raw)
        raise _unknown(market)

    async def _asked(self, market: str) -> list[Raw]:
        """The records of the one market that is asked about."""
        try:
            found = await self._records([market])
        except RefusedRead as error:
            if error.status not in (400, 404, 422):
                raise
            return []
        return [raw for raw in found if condition_id(str(raw.get("conditionId"))) == condition_id(market)]

    async def _resolved(self, gone: Mapping[str, EventListing]) -> list[EventListing]:
        """Events, with only their markets that are decided. The others are asked for again next time."""
        found = await self._markets(list(gone)) if gone else {}
        decided = {key: market for key, market in found.items() if _is_decided(market)}
        events: dict[str, list[MarketListing]] = {}
        for key, market in decided.items():
            events.setdefault(gone[key].event, []).append(market)
            del self._open[key]
        titles = {listing.event: listing for listing in gone.values()}
        return [
            EventListing(event, titles[event].title, titles[event].neg_risk, exhaustive=False, markets=tuple(markets))
            for event, markets in events.items()
        ]

    async def _markets(self, conditions: Sequence[str]) -> dict[str, MarketListing]:
        """Markets by condition id, closed or not."""
        markets = [market for raw in await self._records(conditions) if (market := await self._market(raw))]
        return {market.yes.market: market for market in markets}

    async def _records(self, conditions: Sequence[str]) -> list[Raw]:
        """Gamma's records of markets, closed or not (its default leaves closed ones out)."""
        found: list[Raw] = []
        for first in range(0, len(conditions), ASKED_AT_ONCE):
            asked = [
                ("condition_ids", form) for one in conditions[first : first + ASKED_AT_ONCE] for form in _forms(one)
            ]
            for closed in ("false", "true"):
                found += await self._pages(
                    "/markets/keyset", "markets", MAX_MARKETS, (*asked, *_VERSIONS, ("closed", closed))
                )
        return found

    async def _pages(self, path: str, key: str, limit: int, query: Query) -> list[Raw]:
        items: list[Raw] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            after = (("after_cursor", cursor),) if cursor else ()
            page = await self._rest.get(self._gamma, path, (*query, ("limit", str(limit)), *after))
            found = page.get(key) if isinstance(page, dict) else None
            if not isinstance(found, list):
                raise BadMessage(f"{path}: a page without {key}")
            items += [item for item in found if isinstance(item, dict)]
            before, cursor = cursor, page.get("next_cursor")
            if not cursor or cursor == before:
                return items
        raise BadMessage(f"{path}: more than {MAX_PAGES} pages")

    async def _event(self, raw: Raw) -> EventListing | None:
        nested = raw["markets"] if isinstance(raw.get("markets"), list) else []
        markets = [market for item in nested if isinstance(item, dict) and (market := await self._market(item))]
        if not markets or not raw.get("id"):
            return None
        neg_risk = bool(raw.get("negRisk")) and all(market.yes.rules.neg_risk for market in markets)
        complete = len(markets) == len(nested) and all(market.open for market in markets)
        return EventListing(
            event=str(raw["id"]),
            title=str(raw.get("title") or raw.get("slug") or raw["id"]),
            neg_risk=neg_risk,
            exhaustive=neg_risk and complete and not raw.get("negRiskAugmented"),
            markets=tuple(markets),
        )

    async def _market(self, raw: Raw) -> MarketListing | None:
        """One market, or None (and a log line) where it cannot be traded by us."""
        try:
            if raw.get("feesEnabled") and not raw.get("feeSchedule"):
                raw = {**raw, "feeSchedule": await self._clob_fee(str(raw["conditionId"]))}
            market = read_market(raw)
        except (KeyError, ValueError, TypeError, VenueError) as error:
            self._leave_out(str(raw.get("slug") or raw.get("id")), str(error) or repr(error))
            return None
        for side in (market.yes, market.no):
            self.rules[side.token] = side.rules
        return market

    def _leave_out(self, market: str, why: str) -> None:
        """Told once: the listing is read every few seconds."""
        if market not in self._left_out:
            self._left_out.add(market)
            log.info("market left out", market=market, why=why)

    async def _clob_fee(self, condition: str) -> Raw | None:
        """The fee as the CLOB lists it (`fd`), where Gamma only says that there is one. None there: no fee."""
        record = await self._rest.get(self._clob, f"/clob-markets/{condition_id(condition)}")
        fee = record.get("fd") if isinstance(record, dict) else None
        return {"rate": fee["r"], "exponent": fee["e"], "takerOnly": fee["to"]} if fee else None


def _forms(condition: str) -> tuple[str, ...]:
    """A condition id as Gamma may know it: 32 bytes, and for Protocol V2 31, without the last."""
    whole = condition_id(condition)
    return (whole, whole[:-2]) if whole.endswith("00") else (whole,)


def _unknown(market: str) -> UnknownThing:
    return UnknownThing(f"Polymarket has no market {market}: give its condition id, 0x and 64 hex digits")


def read_market(raw: Raw) -> MarketListing:
    """Gamma's record of a market. Raises ValueError, KeyError or TypeError for one that we must not trade."""
    version = raw["version"] if raw.get("version") is not None else "v1"
    tokens = _tokens(raw, version)
    rules = _rules(raw, version)
    if any(is_v2_token(token) != (version == "v2") for token in tokens):
        raise ValueError(f"its token ids are not laid out as version {version}")
    condition = condition_id(str(raw["conditionId"]))
    title = str(raw.get("groupItemTitle") or raw.get("question") or raw.get("slug") or condition)
    yes = Instrument(NAME, condition, tokens[0], tokens[1], Outcome.YES, title, rules)
    ends_ms, (winner, value) = _ends_ms(raw), _decision(raw, version)
    return MarketListing(yes, yes.other(), _is_open(raw), winner, value, closes_ms=ends_ms, resolves_ms=ends_ms)


def read_question(raw: Raw) -> Question:
    """A market's question and rules from Gamma's record: description, then the source that decides, if it has one.

    `status` is the word of the resolution (`proposed`, `disputed`, ...) once there is one, before that whether the
    market is active, paused or closed. The venue names one time, `endDate`: trading can go on after it.
    """
    ends_ms, source = _ends_ms(raw), str(raw.get("resolutionSource") or "")
    texts = (str(raw.get("description") or ""), f"Resolution source: {source}" if source else "")
    return Question(
        venue=NAME,
        market=condition_id(str(raw["conditionId"])),
        title=str(raw.get("question") or raw.get("groupItemTitle") or ""),
        rules="\n\n".join(text for text in texts if text),
        status=_status(raw),
        open=_is_open(raw),
        closes_ms=ends_ms,
        resolves_ms=ends_ms,
    )


def _status(raw: Raw) -> str:
    resolution = str(raw.get("umaResolutionStatus") or raw.get("resolutionStatus") or "active")
    if resolution not in ("active", "inactive"):
        return resolution
    if raw.get("closed"):
        return "closed"
    return "active" if _is_open(raw) else "paused"


def _is_open(raw: Raw) -> bool:
    return bool(raw.get("active")) and not raw.get("closed") and bool(raw.get("acceptingOrders"))


def _ends_ms(raw: Raw) -> int:
    """Gamma's `endDate`, a time or only a date, in UTC; 0 where it is missing or cannot be read."""
    try:
        end = datetime.fromisoformat(str(raw.get("endDate") or ""))
    except ValueError:
        return 0
    return int(end.replace(tzinfo=end.tzinfo or UTC).timestamp() * 1000)


def _tokens(raw: Raw, version: object) -> list[str]:
    """(YES, NO) ids. The version says which field counts, even where both are there."""
    if version not in ("v1", "v2"):
        raise ValueError(f"unknown protocol version {version!r}")
    if raw.get("enableOrderBook") is False:
        raise ValueError("it has no order book")
    tokens = [str(token) for token in _list(raw["clobTokenIds" if version == "v1" else "positionIds"])]
    if len(tokens) != 2 or not all(token.isdecimal() for token in tokens):
        raise ValueError("it has no two token ids yet")  # new markets are on Gamma before the CLOB knows them
    return tokens


def _rules(raw: Raw, version: str) -> MarketRules:
    tick = decimal(raw["orderPriceMinTickSize"])
    if tick not in TICKS:
        raise ValueError(f"unknown tick size {tick}")
    return MarketRules(
        tick=tick,
        min_size=Size(decimal(raw["orderMinSize"])),
        fee=_fee(raw),
        version=version,
        neg_risk=raw["negRisk"] is True,
        delay_ms=int(decimal(raw.get("secondsDelay") or 0) * 1000),
    )


def _fee(raw: Raw) -> FeeSchedule:
    schedule = raw.get("feeSchedule")
    if not raw.get("feesEnabled") or not schedule:
        return NO_FEE
    exponent = decimal(schedule["exponent"])
    if schedule.get("takerOnly") is not True or exponent != int(exponent):
        raise ValueError(f"unknown kind of fee {schedule}")
    return FeeSchedule(decimal(schedule["rate"]), int(exponent))


def _is_decided(market: MarketListing) -> bool:
    return market.winner is not None or market.value is not None


def _decision(raw: Raw, version: str) -> tuple[Outcome | None, Decimal | None]:
    """(winner, what a YES pays where nobody won), once it is final: of a 50/50 decision each share pays a half.

    The oracle decides for YES, for NO or for both alike; any other prices are those of trading.
    """
    status = raw.get("umaResolutionStatus") if version == "v1" else raw.get("resolutionStatus")
    if status != "resolved" or not raw.get("closed"):
        return None, None
    yes, no = (decimal(price) for price in _list(raw["outcomePrices"]))
    if yes == no == _HALF:
        return None, _HALF
    if {yes, no} != {0, 1}:
        return None, None
    return Outcome.YES if yes else Outcome.NO, None


def _list(value: object) -> Iterable[Any]:
    """An array, or the text of one: Gamma sends some of its arrays as text."""
    found = orjson.loads(value) if isinstance(value, str) else value
    if not isinstance(found, list):
        raise ValueError(f"no array: {value!r}")  # noqa: TRY004  one kind of error for every bad value
    return found
