"""Pauses of a shard: by order, and every Thursday 03:00-05:00 New York time (docs: maintenance_and_pauses)."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from arbsaga.errors import Rejected
from arbsaga.exchange.kalshi.core import Core
from arbsaga.exchange.kalshi.model import Halts

_NEW_YORK: Final = ZoneInfo("America/New_York")
_THURSDAY: Final = 3


def in_thursday_pause(now_ms: int) -> bool:
    """Whether it is Thursday between 03:00 and 05:00 in New York."""
    there = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(_NEW_YORK)
    return there.weekday() == _THURSDAY and 3 <= there.hour < 5


def next_thursday_pause(now_ms: int) -> int:
    """When the next such pause begins, in ms; one that runs now does not count."""
    there = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(_NEW_YORK)
    day = there.replace(hour=3, minute=0, second=0, microsecond=0) + timedelta((_THURSDAY - there.weekday()) % 7)
    if day <= there:
        day += timedelta(7)
    return int(day.timestamp() * 1000)


def halts(core: Core, exchange_index: int) -> Halts:
    """What is halted now on a shard."""
    ordered = core.state.halts.get(exchange_index, Halts())
    thursday = core.settings.thursday_pause and in_thursday_pause(core.clock())
    return Halts(ordered.trading or ordered.exchange or thursday, ordered.exchange)


def check_exchange(core: Core, exchange_index: int) -> None:
    """Raises Rejected (409) while nothing at all is taken."""
    if halts(core, exchange_index).exchange:
        raise Rejected(409, "the exchange is paused", "exchange_is_paused")


def check_trading(core: Core, exchange_index: int) -> None:
    """Raises Rejected (409) while only cancels are taken."""
    if halts(core, exchange_index).trading:
        raise Rejected(409, "trading is paused", "trading_is_paused")
