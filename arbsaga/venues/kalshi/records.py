"""Series, events, markets and books as the venue's REST API tells them, and the tokens that name its outcomes.

Read leniently: a missing text or time is empty, an unknown status only means that nothing is traded. What decides money
(prices, grids, payouts) is never guessed: a record without it raises BadMessage, for that record alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from arbsaga.domain.instruments import Band, Outcome
from arbsaga.domain.money import Price, Size
from arbsaga.errors import BadMessage, UnknownThing
from arbsaga.venues.kalshi.wire import decimal, moment_ms

NAME: Final = "kalshi"
ACTIVE: Final = "active"
"""The one status that takes orders; the filter of a listing calls it `open`."""
FINAL: Final = "finalized"
"""The status of a market that has paid out: before it, a result can be disputed and amended."""
_ONE: Final = Decimal(1)

Raw = Mapping[str, Any]
Levels = dict[Price, Size]


@dataclass(frozen=True, slots=True)
class SeriesSeen:
    """A family of events. `fee_multiplier` is None where the venue names none; `sources` are who decides.

    `categories` are in small letters.
    """

    ticker: str
    fee_type: str
    fee_multiplier: Decimal | None
    terms_url: str
    sources: tuple[str, ...]
    categories: frozenset[str]


@dataclass(frozen=True, slots=True)
class MarketSeen:
    """One YES/NO question. `bands` is its price grid, lowest first.

    `odd` says why it must not be traded whatever its status, or is empty: it pays otherwise than 0 or 1 USD by its
    nature. `value` is USD per YES contract once decided, `shard` the exchange_index where the record has one.
    `waiver_ms` is until when it charges no fee. Times in ms since the epoch, 0 where the venue does not say.
    """

    ticker: str
    event: str
    title: str
    status: str
    odd: str
    bands: tuple[Band, ...]
    shard: str
    result: str
    value: Decimal | None
    closes_ms: int
    resolves_ms: int
    waiver_ms: int
    rules: tuple[str, str]


@dataclass(frozen=True, slots=True)
class EventSeen:
    """An event with its markets. `exclusive`: at most one of them resolves YES, perhaps none.

    `unread` are the markets whose record cannot be used, with the reason. `fee_type` and `fee_multiplier` override
    the series', where given.
    """

    ticker: str
    series: str
    title: str
    exclusive: bool
    fee_type: str
    fee_multiplier: Decimal | None
    shard: str
    sources: tuple[str, ...]
    markets: tuple[MarketSeen, ...]
    unread: tuple[tuple[str, str], ...]


def token(ticker: str, outcome: Outcome) -> str:
    """The token of a market's outcome."""
    return f"{NAME}:{ticker}:{outcome}"


def outcome_of(token: str) -> tuple[str, Outcome]:
    """(ticker, outcome) of a token. Raises UnknownThing for one that is not of this venue."""
    venue, _, rest = token.partition(":")
    ticker, _, outcome = rest.rpartition(":")
    if venue != NAME or not ticker or outcome not in (Outcome.YES, Outcome.NO):
        raise UnknownThing(f"{token} is no token of Kalshi: write {NAME}:TICKER:YES or {NAME}:TICKER:NO")
    return ticker, Outcome(outcome)


def read_series(raw: Raw) -> SeriesSeen:
    """A record of GET /series. Raises BadMessage."""
    with _reading("series"):
        return SeriesSeen(
            ticker=_name(raw["ticker"]),
            fee_type=_text(raw, "fee_type"),
            fee_multiplier=_optional(raw, "fee_multiplier"),
            terms_url=_text(raw, "contract_terms_url"),
            sources=_sources(raw),
            categories=frozenset(str(one).strip().casefold() for one in (raw.get("category"), *_names(raw)) if one),
        )


def read_event(raw: Raw, markets: Sequence[object] = ()) -> EventSeen:
    """A record of GET /events. `markets` are its markets where they are told beside it. Raises BadMessage."""
    with _reading("event"):
        ticker = _name(raw["event_ticker"])
        nested = raw.get("markets") or markets
        read, unread = _markets([item for item in nested if isinstance(item, Mapping)])
        return EventSeen(
            ticker=ticker,
            series=_name(raw["series_ticker"]),
            title=_text(raw, "title") or ticker,
            exclusive=raw.get("mutually_exclusive") is True,
            fee_type=_text(raw, "fee_type_override"),
            fee_multiplier=_optional(raw, "fee_multiplier_override"),
            shard=_shard(raw),
            sources=_sources(raw),
            markets=read,
            unread=unread,
        )


def read_market(raw: Raw) -> MarketSeen:
    """A record of GET /markets. Raises BadMessage."""
    with _reading("market"):
        closes_ms = _time(raw, "close_time")
        expires_ms = _time(raw, "expected_expiration_time") or _time(raw, "latest_expiration_time") or closes_ms
        return MarketSeen(
            ticker=_name(raw["ticker"]),
            event=_name(raw["event_ticker"]),
            title=_text(raw, "yes_sub_title"),
            status=_text(raw, "status"),
            odd=_odd(raw),
            bands=_bands(raw["price_ranges"]),
            shard=_shard(raw),
            result=_text(raw, "result"),
            value=_optional(raw, "settlement_value_dollars"),
            closes_ms=closes_ms,
            resolves_ms=expires_ms and expires_ms + int(decimal(raw.get("settlement_timer_seconds") or 0) * 1000),
            waiver_ms=_time(raw, "fee_waiver_expiration_time"),
            rules=(_text(raw, "rules_primary"), _text(raw, "rules_secondary")),
        )


def read_settlement(raw: Raw) -> tuple[str, Decimal | None]:
    """(result, USD per YES contract) of a record of GET /portfolio/settlements, as a market's own would tell them.

    `value` is in cents there; without one of the documented results nothing is told. Raises BadMessage.
    """
    with _reading("settlement"):
        result, cents = _text(raw, "market_result"), _optional(raw, "value")
        if result not in ("yes", "no", "scalar"):
            return "", None
        if cents is not None and not 0 <= cents <= 100:
            raise ValueError(f"no value of a contract of $1: {cents} cents")
        return result, cents / 100 if result == "scalar" and cents is not None else None


def read_book(raw: Raw) -> tuple[str, Levels, Levels]:
    """(ticker, YES bids, YES asks) of an item of GET /markets/orderbooks, by YES price.

    The venue tells bids only: a NO bid at 0.54 is a YES ask at 0.46. Raises BadMessage.
    """
    with _reading("book"):
        sides = raw["orderbook_fp"]
        bids, no_bids = _levels(sides.get("yes_dollars")), _levels(sides.get("no_dollars"))
        return _name(raw["ticker"]), bids, {Price(_ONE - price): size for price, size in no_bids.items()}


def _markets(found: Sequence[Raw]) -> tuple[tuple[MarketSeen, ...], tuple[tuple[str, str], ...]]:
    """Those that can be read, and of the others the ticker and the reason."""
    read, unread = [], []
    for raw in found:
        try:
            read.append(read_market(raw))
        except BadMessage as error:
            unread.append((str(raw.get("ticker")), str(error)))
    return tuple(read), tuple(unread)


@contextmanager
def _reading(what: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise BadMessage(f"a {what} that cannot be read: {error!r}") from error


def _odd(raw: Raw) -> str:
    """A scalar market, one that never pays less than a floor, or one whose contract is not $1."""
    kind, bounds = raw.get("market_type") or "binary", raw.get("settlement_bounds_type") or "default"
    if kind != "binary":
        return f"it is of the type {kind!r}, not binary"
    if bounds != "default":
        return f"its payout has the bounds {bounds!r}"
    if decimal(raw.get("notional_value_dollars") or _ONE) != 1:
        return f"its contract pays {raw['notional_value_dollars']} USD, not 1"
    return ""


def _bands(raw: Sequence[Raw]) -> tuple[Band, ...]:
    """`price_ranges`, which alone are authoritative: the name of the price structure is a label."""
    found = [Band(*(Price(decimal(each[name])) for name in ("start", "end", "step"))) for each in raw]
    found.sort(key=lambda band: band.start)
    edges = [found[0].start, *(band.end for band in found)] if found else []
    joined = [band.start for band in found] == edges[:-1]
    if not (found and joined and edges[0] == 0 and edges[-1] == 1 and all(band.tick > 0 for band in found)):
        raise ValueError(f"price_ranges that do not cover 0 to 1: {raw}")
    return tuple(found)


def _levels(raw: Sequence[Sequence[object]] | None) -> Levels:
    """An empty side is an empty list, nothing, or null (kalshi-python #2)."""
    levels: Levels = {}
    for price, size in raw or ():
        at, count = Price(decimal(price)), Size(decimal(size))
        if not (0 < at < 1 and count >= 0):
            raise ValueError(f"no level: {size} @ {price}")
        if count:
            levels[at] = count
    return levels


def _name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"no ticker: {value!r}")
    return value


def _text(raw: Raw, name: str) -> str:
    return str(raw.get(name) or "").strip()


def _optional(raw: Raw, name: str) -> Decimal | None:
    value = raw.get(name)
    return None if value in (None, "") else decimal(value)


def _time(raw: Raw, name: str) -> int:
    """Ms since the epoch; 0 for none, and for the zero of the venue's clock (year 1)."""
    value = raw.get(name)
    return max(moment_ms(value), 0) if value else 0


def _shard(raw: Raw) -> str:
    value = raw.get("exchange_index")
    return "" if value is None else str(int(decimal(value)))


def _names(raw: Raw) -> Sequence[object]:
    found = raw.get("categories")
    return found if isinstance(found, list) else ()


def _sources(raw: Raw) -> tuple[str, ...]:
    """Sorted: their order in the list means nothing."""
    found = [item for item in raw.get("settlement_sources") or () if isinstance(item, Mapping)]
    return tuple(sorted(f"{_text(item, 'name')} {_text(item, 'url')}".strip() for item in found))
