"""Why the venue takes no order now: its status by shard, the hours it has announced, the status and end of each market.

Trading pauses every Thursday 03:00-05:00 New York time; any other pause is an outage or a halt of one market
(docs.kalshi.com, maintenance and pauses).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from arbsaga.domain.instruments import Instrument
from arbsaga.errors import BadMessage, VenueError
from arbsaga.venues.kalshi.pace import PROMPT_S, Pace
from arbsaga.venues.kalshi.records import ACTIVE
from arbsaga.venues.kalshi.rest import Params, RefusedRead, Rest
from arbsaga.venues.kalshi.wire import moment_ms

SCHEDULE_MS: Final = 600_000
"""How long an announced schedule is used before it is read again."""
AHEAD_MS: Final = 30_000
"""A pause that begins within this counts: what does not fill at once would rest into it."""
CLOSING_MS: Final = 30_000
"""A market that closes within this takes no entry: its life (5 s) and a way out of what fills must come before."""
_STATUS_CODES: Final = (500, 503, 504)
"""These can carry the status as well."""
_NEW_YORK: Final = ZoneInfo("America/New_York")
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Raw = Mapping[str, Any]


class Halts:
    """Asks whether orders are taken. `clock` is the wall clock in ms. Raises VenueError where that cannot be told.

    `pace`: the write bucket that the orders will be paid from.
    """

    def __init__(self, rest: Rest, clock: Callable[[], int], timeout_ms: int, pace: Pace) -> None:
        self._rest, self._clock, self._timeout_s, self._pace = rest, clock, timeout_ms / 1000, pace
        self._schedule: tuple[int, Raw] | None = None

    async def barred(self, instruments: Sequence[Instrument]) -> str:
        """See `Venue.barred`."""
        if not instruments:
            return ""
        if (wait_s := self._pace.entries_wait_s(len(instruments))) > PROMPT_S:
            return f"Kalshi's rate limit is used up by other orders: {len(instruments)} more could go in {wait_s:.1f} s"
        status, schedule, markets = await asyncio.gather(
            self.status(), self._hours(), self._listed(sorted({one.market for one in instruments}))
        )
        pockets = sorted({one.rules.pocket for one in instruments})
        reasons = [halted(status, pocket) for pocket in pockets]
        reasons += [pause(schedule, moment) for moment in (self._clock(), self._clock() + AHEAD_MS)]
        reasons += [over(ticker, market, self._clock()) for ticker, market in markets.items()]
        return next((reason for reason in reasons if reason), "")

    async def status(self) -> Raw:
        """The body of GET /exchange/status, whatever the answer's code."""
        answer = await self._rest.ask("GET", "/exchange/status", timeout_s=self._timeout_s)
        if answer.status >= 300 and answer.status not in _STATUS_CODES:
            raise RefusedRead("/exchange/status", answer.fault)
        body = answer.body()
        if not isinstance(body, Mapping) or "trading_active" not in body:
            raise BadMessage(f"/exchange/status: no status ({answer.fault})")
        return body

    async def _hours(self) -> Raw:
        """The announced schedule; one that cannot be read now is used as it was last."""
        now_ms = self._clock()
        if self._schedule is not None and now_ms - self._schedule[0] < SCHEDULE_MS:
            return self._schedule[1]
        try:
            found = (await self._rest.get("/exchange/schedule")).get("schedule")
        except VenueError:
            if self._schedule is None:
                raise
            return self._schedule[1]
        if not isinstance(found, Mapping):
            raise BadMessage("/exchange/schedule: an answer without the schedule")
        self._schedule = now_ms, found
        return found

    async def _listed(self, tickers: Sequence[str]) -> dict[str, Raw]:
        """Each market as it is listed; one that is not listed is not there."""
        asked: Params = {"tickers": ",".join(tickers), "limit": len(tickers)}
        listed = {str(one.get("ticker")): one for one in await self._rest.listing("/markets", "markets", asked)}
        return {ticker: listed.get(ticker, {"status": "not listed"}) for ticker in tickers}


def over(ticker: str, market: Raw, now_ms: int) -> str:
    """Why a market takes no entry: it is not active, or closes too soon (the venue cancels what rests then). Or empty.

    Raises BadMessage for a time that cannot be read.
    """
    if (word := market.get("status")) != ACTIVE:
        return f"{ticker} is {word}"
    try:
        closes_ms = moment_ms(market["close_time"]) if market.get("close_time") else None
    except (TypeError, ValueError, AttributeError) as error:
        raise BadMessage(f"{ticker}: a close_time that cannot be read: {error!r}") from error
    if closes_ms is None or closes_ms - now_ms > CLOSING_MS:
        return ""
    return f"{ticker} closes in {max(closes_ms - now_ms, 0) // 1000} s"


def halted(status: Raw, pocket: str) -> str:
    """Why a shard takes no orders by the exchange's status, or empty. The top level tells of shard 0."""
    shards = status.get("exchange_index_statuses")
    named = {str(one.get("exchange_index")): one for one in shards if isinstance(one, Mapping)} if shards else {}
    one = named.get(pocket, status)
    back = f", back by {when}" if (when := status.get("exchange_estimated_resume_time")) else ""
    if one.get("exchange_active") is not True:
        return f"the exchange is paused (exchange_index {pocket}){back}"
    if one.get("trading_active") is not True:
        return f"trading is paused (exchange_index {pocket}){back}"
    return ""


def pause(schedule: Raw, now_ms: int) -> str:
    """Why nothing is traded at this moment by the announced schedule, or empty. Raises BadMessage."""
    try:
        for window in schedule.get("maintenance_windows") or ():
            if moment_ms(window["start_datetime"]) <= now_ms < moment_ms(window["end_datetime"]):
                return f"the exchange has announced maintenance until {window['end_datetime']}"
        hours = schedule.get("standard_hours") or ()
        spans = [each for each in hours if moment_ms(each["start_time"]) <= now_ms < moment_ms(each["end_time"])]
        if not spans or any(_is_open(each, now_ms) for each in spans):
            return ""
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadMessage(f"a schedule that cannot be read: {error!r}") from error
    return "trading is paused by the announced hours (Thursdays 03:00-05:00 New York time)"


def _is_open(hours: Raw, now_ms: int) -> bool:
    """Whether one of the day's sessions is on, in New York time; a day without any is closed."""
    there = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(_NEW_YORK)
    at = timedelta(hours=there.hour, minutes=there.minute, seconds=there.second)
    sessions = hours.get(_DAYS[there.weekday()]) or ()
    return any(_since_midnight(each["open_time"]) <= at < _end(each["close_time"]) for each in sessions)


def _end(text: str) -> timedelta:
    """A session that closes at 00:00 lasts until the day is over."""
    return _since_midnight(text) or timedelta(days=1)


def _since_midnight(text: str) -> timedelta:
    if text.startswith("24:"):
        return timedelta(days=1)
    found = time.fromisoformat(text)
    return timedelta(hours=found.hour, minutes=found.minute, seconds=found.second)
