"""The lines of Kalshi's truth journal: from the nouns to records, and back.

Their fields are listed in docs/truth-journal-kalshi.md.
Amounts are decimal strings in USD or contracts, times wall ms unless named otherwise. By kind:

    opened      the exchange started: format, seed, settings     fault           something was made to go wrong
    series, event, market, event_fees, price_ranges              the catalogue, and its changes
    lifecycle   a market's new status, with its result and value once determined
    paused, halted                                               one market, or one shard, stops or goes on
    account, deposit, transfer, netting                          as named
    order       accepted                   rests      (what remains of) it went to the book
    duplicate   a used client id again     refused    not accepted; `used` if its client id is taken nevertheless
    trade       a taker met a maker        fill       one order's part of it
    reduced, amended, ended                           an order was made smaller, changed, or is over, and why
    balance     cash of a shard moved      advance    collateral returned for an event, as it stands now
    payout      what a finalized market paid           group, group_deleted    order groups

Changes happen by these lines alone: recovery is applying them again. Resting orders of the house have no lines.
"""

from collections.abc import Mapping
from dataclasses import fields as fields_of
from decimal import Decimal
from typing import Any

from arbsaga.exchange.kalshi.model import Event, Group, Market, NewOrder, Series
from arbsaga.exchange.units import format_units, parse

Fields = Mapping[str, Any]


def series_fields(series: Series) -> dict[str, Any]:
    """All of a series."""
    return _plain(series) | {"fee_multiplier": str(series.fee_multiplier)}


def read_series(fields: Fields) -> Series:
    """The series of its record."""
    return Series(**_own(Series, fields) | {"fee_multiplier": Decimal(fields["fee_multiplier"])})


def event_fields(event: Event) -> dict[str, Any]:
    """All of an event."""
    return _plain(event) | {"fee_multiplier_override": decimal_text(event.fee_multiplier_override)}


def read_event(fields: Fields) -> Event:
    """The event of its record."""
    return Event(**_own(Event, fields) | {"fee_multiplier_override": read_decimal(fields["fee_multiplier_override"])})


def market_fields(market: Market) -> dict[str, Any]:
    """All of a market."""
    value = None if market.value is None else format_units(market.value)
    return _plain(market) | {"price_ranges": ranges_text(market.price_ranges), "value": value}


def read_market(fields: Fields) -> Market:
    """The market of its record."""
    value = None if fields["value"] is None else parse(fields["value"])
    return Market(**_own(Market, fields) | {"price_ranges": read_ranges(fields["price_ranges"]), "value": value})


def new_order_fields(new: NewOrder) -> dict[str, Any]:
    """An order as it arrived."""
    return _plain(new) | {"price": format_units(new.price), "count": format_units(new.count)}


def read_new_order(fields: Fields) -> NewOrder:
    """The arrival of its record."""
    return NewOrder(**_own(NewOrder, fields) | {"price": parse(fields["price"]), "count": parse(fields["count"])})


def group_fields(group: Group, kind: str) -> dict[str, Any]:
    """An order group as it is now; its fills and orders are told by other lines."""
    return {
        "group_id": group.group_id,
        "account_id": group.account_id,
        "exchange_index": group.exchange_index,
        "limit": format_units(group.limit),
        "triggered": group.triggered,
        "change": kind,
    }


def ranges_text(ranges: tuple[tuple[int, int, int], ...]) -> list[list[str]]:
    """price_ranges as decimal strings."""
    return [[format_units(part) for part in one] for one in ranges]


def read_ranges(text: list[list[str]]) -> tuple[tuple[int, int, int], ...]:
    """price_ranges of their strings."""
    return tuple((parse(start), parse(end), parse(step)) for start, end, step in text)


def decimal_text(number: Decimal | None) -> str | None:
    """A number that may be missing."""
    return None if number is None else str(number)


def read_decimal(text: str | None) -> Decimal | None:
    """A number that may be missing."""
    return None if text is None else Decimal(text)


def _plain(noun: Series | Event | Market | NewOrder) -> dict[str, Any]:
    values = {one.name: getattr(noun, one.name) for one in fields_of(noun)}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}


def _own(noun: type[Series | Event | Market | NewOrder], fields: Fields) -> dict[str, Any]:
    return {one.name: fields[one.name] for one in fields_of(noun)}
