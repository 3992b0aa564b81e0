"""Requests and answers in words, for a trace: short, but nothing that can differ between two runs is left out."""

from functools import singledispatch

from arbsaga.domain.books import Book
from arbsaga.domain.orders import OrderTerms, OrderView
from arbsaga.saga.effects import First
from arbsaga.saga.messages import (
    CancelLeg,
    Market,
    Page,
    PlaceLegs,
    PollFills,
    ReadBooks,
    Seen,
    TradeRecord,
    ValidateDepth,
)
from arbsaga.saga.simulator.requests import All, Call, Race


@singledispatch
def in_words(thing: object) -> str:
    """The thing in one line."""
    return repr(thing)


@in_words.register
def _(call: Call) -> str:
    return f"{call.name} {in_words(call.ask)}"


@in_words.register
def _(calls: All) -> str:
    return in_words(calls.calls)


@in_words.register
def _(race: Race) -> str:
    return f"{in_words(race.call)} (until {race.deadline_ms}{', or an abort' if race.abort else ''})"


@in_words.register(list)
@in_words.register(tuple)
def _(things: list[object] | tuple[object, ...]) -> str:
    return " | ".join(map(in_words, things))


@in_words.register
def _(first: First) -> str:  # type: ignore[type-arg]  # singledispatch takes no parameters of a generic class
    return f"{first.name}: {in_words(first.answer)}" if first.answer is not None else first.name


@in_words.register
def _(ask: ValidateDepth) -> str:
    return ask.plan.basket.title


@in_words.register
def _(ask: PlaceLegs) -> str:
    return in_words(ask.orders)


@in_words.register
def _(ask: PollFills) -> str:
    return in_words(ask.known)


@in_words.register
def _(ask: CancelLeg) -> str:
    return in_words(ask.known)


@in_words.register
def _(ask: ReadBooks) -> str:
    return f"{', '.join(ask.tokens)}; orders {in_words(ask.known)}"


@in_words.register
def _(seen: Seen) -> str:
    return in_words(seen.orders)


@in_words.register
def _(market: Market) -> str:
    sellable = ", ".join(f"{size:f} {token}" for token, size in market.sellable)
    return f"{in_words(market.books)}; can sell {sellable or 'nothing'}; orders {in_words(market.orders)}"


@in_words.register
def _(book: Book) -> str:
    bid, ask = (f"{side[0].size:f} @ {side[0].price:f}" if side else "none" for side in (book.bids, book.asks))
    return f"{book.token} {bid} / {ask}"


@in_words.register
def _(terms: OrderTerms) -> str:
    return f"{terms.purpose} {terms.key} {terms.side} {terms.size:f} @ {terms.limit:f} by {terms.send_by_ms}"


@in_words.register
def _(view: OrderView) -> str:
    fills = ", ".join(f"{fill.size:f} @ {fill.price:f} fee {fill.fee:f} {fill.status}" for fill in view.fills)
    denied = f", denied at {view.denied_ms}" if view.denied_ms else ""
    reason = f" ({view.reason})" if view.reason else ""
    return f"{view.terms.key} {view.state}{reason}, filled {view.known:f} [{fills}]{denied}"


@in_words.register
def _(page: Page) -> str:
    return f"{page.key}: {page.headline}"


@in_words.register
def _(record: TradeRecord) -> str:
    return f"{record.phase}: {record.reason}; profit {record.profit:f} USD, fees {record.fees:f}"
