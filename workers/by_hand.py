"""One basket by hand: `arbsaga trade`, and the same as a Python call.

    from arbsaga.config import load
    from workers.by_hand import BasketOrder, HandLeg, trade

    order = BasketOrder(size=Decimal(10), legs=(HandLeg("713…"), HandLeg("905…")))
    record = asyncio.run(trade(load(), order))      # a TradeRecord: COMMITTED, FLAT, HELD or REFUSED

It is a trade like any other: durable, with capital from the desk, in the ledger. If this process dies, any trading
worker of the same task queue goes on with it.
"""

import asyncio
import sys
import time
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from temporalio.client import WorkflowHandle

from arbsaga.config import Config
from arbsaga.detect import Opportunity
from arbsaga.domain.baskets import Basket, Leg, complement, no_of_some, yes_of_all
from arbsaga.domain.books import Book, BookRef
from arbsaga.domain.instruments import Instrument, Outcome, Side
from arbsaga.domain.money import NO_USD, Price, Size, Usd
from arbsaga.domain.pricing import LegQuote, Quote, take
from arbsaga.errors import Unavailable, UnknownThing, UserError
from arbsaga.risk.desk import Limits
from arbsaga.saga.messages import TradeRecord
from arbsaga.venues.port import EventListing, Venue
from workers.desk_client import DeskClient, Taken
from workers.folder import DataFolder
from workers.planning import most_spent, plan_trade
from workers.start import start_trade
from workers.trader_process import Parts, connected
from workflows.arbitrage import ArbitrageWorkflow

CAPITAL_LIMIT_S = 30.0
CAPITAL_RETRY_S = 0.3


@dataclass(frozen=True, slots=True)
class HandLeg:
    """A token to buy, at `limit` USD a share or better (None: whatever the size costs in the book now)."""

    token: str
    limit: Price | None = None


@dataclass(frozen=True, slots=True)
class BasketOrder:
    """`size` units of the basket that these legs make, if it earns `min_edge` USD per $1 of payout after fees.

    `min_edge` None: what the configuration asks for.
    """

    size: Decimal
    legs: tuple[HandLeg, ...]
    min_edge: Decimal | None = None


async def trade(config: Config, order: BasketOrder) -> TradeRecord:
    """Trade one basket and return its record at the end. Raises UserError when it cannot or should not be traded."""
    folder = DataFolder(config.data_dir)
    async with connected(config, folder, console=lambda page: print(page, file=sys.stderr)) as parts:
        desk = DeskClient(parts.client, config.account, config.temporal.task_queue, want=config.per_trade)
        async with parts.worker(None):
            await desk.start(Limits(config.total, config.per_trade))
            try:
                handle = await _start(parts, desk, order)
            finally:
                await desk.close()
            return await handle.result()


async def _start(parts: Parts, desk: DeskClient, order: BasketOrder) -> WorkflowHandle[ArbitrageWorkflow, TradeRecord]:
    config = parts.config
    opportunity, taken = await _reserve(parts, desk, order)
    plan = plan_trade(
        opportunity,
        opportunity.quote,
        taken,
        account=config.account,
        patience=config.trade_patience(),
        undo=config.undo_limits(),
    )
    handle = await start_trade(parts.client, plan, config.temporal.task_queue)
    if handle is None:
        desk.give_back(taken)
        raise Unavailable(f"a trade on {plan.basket.key} is open already: `arbsaga trades --open` shows it")
    return handle


async def _reserve(parts: Parts, desk: DeskClient, order: BasketOrder) -> tuple[Opportunity, Taken]:
    """The basket at fresh prices and the capital for it; a running trader may have all of it for a while."""
    deadline = time.monotonic() + CAPITAL_LIMIT_S
    while True:
        opportunity = await quote(parts.venue, order, parts.config)
        most = most_spent(opportunity.quote)
        taken = desk.take(most, _now_ms(), live_ms=parts.config.patience.send_by_ms)
        if taken is not None:
            return opportunity, taken
        if time.monotonic() > deadline:
            raise Unavailable(
                f"no ${most} of capital came free in {CAPITAL_LIMIT_S:g} s: raise desk.total, or stop the trader"
            )
        await asyncio.sleep(CAPITAL_RETRY_S)


async def quote(venue: Venue, order: BasketOrder, config: Config) -> Opportunity:
    """The basket at the books as they are now. Raises UserError when it is none, or not worth it."""
    basket = find_basket([leg.token for leg in order.legs], await venue.events())
    books = await venue.books([leg.instrument.token for leg in basket.legs])
    limits = {leg.token: leg.limit for leg in order.legs}
    size = basket.legs[0].instrument.floor_size(order.size)
    legs = tuple(
        _quote_leg(leg, size, book, limits[leg.instrument.token]) for leg, book in zip(basket.legs, books, strict=True)
    )
    quoted = Quote(
        basket,
        size,
        legs,
        cost=Usd(sum((leg.cost for leg in legs), NO_USD)),
        fees=Usd(sum((leg.fee for leg in legs), NO_USD)),
        payout=Usd(size * basket.payout),
    )
    _check_worth(quoted, config.gates.min_edge if order.min_edge is None else order.min_edge, config.per_trade)
    refs = tuple(BookRef(book.token, book.generation, book.time_ms) for book in books)
    return Opportunity(quoted, refs, _now_ms(), time.monotonic_ns())


def find_basket(tokens: Sequence[str], events: Iterable[EventListing]) -> Basket:
    """The basket that buying one of each token makes. Raises UserError where nothing guarantees a payout."""
    for event in events:
        sides = {side.token: side for market in event.markets for side in (market.yes, market.no)}
        if tokens and tokens[0] in sides:
            missing = [token for token in tokens if token not in sides]
            if missing:
                raise UserError(f"{missing[0]} is not a token of the event {event.title!r}: legs must share an event")
            return _basket(event, [sides[token] for token in tokens])
    raise UnknownThing(f"no open market has the token {tokens[0] if tokens else ''!r}: is it closed or mistyped?")


def _basket(event: EventListing, legs: Sequence[Instrument]) -> Basket:
    outcomes = {leg.outcome for leg in legs}
    markets = {leg.market for leg in legs}
    if len(legs) == 2 and len(markets) == 1 and len(outcomes) == 2:
        if legs[0].rules.nets:
            raise UserError(
                f"YES and NO of {legs[0].market} cancel each other out at {legs[0].venue}: an account holds one "
                "of the two at most, so there is nothing to earn"
            )
        return complement(event.event, event.title, next(leg for leg in legs if leg.outcome is Outcome.YES))
    if len(markets) == len(legs) >= 2:
        if outcomes == {Outcome.YES} and event.exhaustive and len(legs) == len(event.markets):
            return yes_of_all(event.event, event.title, legs)
        if outcomes == {Outcome.NO} and event.neg_risk:
            return no_of_some(event.event, event.title, legs)
    raise UserError(
        "these legs guarantee no payout: take YES of every market of an exhaustive event, NO of two or more markets "
        "of a neg-risk event, or YES and NO of one market"
    )


def _quote_leg(leg: Leg, size: Size, book: Book, limit: Price | None) -> LegQuote:
    instrument = leg.instrument
    worst = limit if limit is not None else instrument.worst_limit(Side.BUY)
    levels = tuple(book.within(Side.BUY, worst))
    depth = book.depth(Side.BUY, worst)
    if not levels or depth < size:
        raise UserError(f"only {depth} shares of {instrument.title} are offered at {worst} or better, {size} wanted")
    cost, fee, reached = take(leg, size, levels)
    asked = instrument.limit_for(Side.BUY, reached if limit is None else limit)
    if not instrument.allows(size, asked):
        rules = instrument.rules
        raise UserError(
            f"the venue takes no order for {size} @ {asked} of {instrument.title}: at least {rules.min_size} shares "
            f"and ${rules.min_notional}, prices in steps of {rules.tick}"
        )
    return LegQuote(leg, size, asked, cost, fee)


def _check_worth(quoted: Quote, min_edge: Decimal, budget: Usd) -> None:
    per_dollar = quoted.edge / quoted.payout
    if per_dollar < min_edge:
        raise UserError(f"edge {per_dollar:.4f} per $1 is under {min_edge} after fees: wait, or give --min-edge")
    if (most := most_spent(quoted)) > budget:
        raise UserError(f"it can cost ${most}, more than desk.per_trade ${budget}: take fewer units, or raise it")


class _LegTable(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1)
    limit: Decimal | None = Field(None, gt=0, lt=1)


class _OrderFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: Decimal = Field(gt=0)
    min_edge: Decimal | None = None
    leg: list[_LegTable] = Field(min_length=2)


def read_order(file: Path) -> BasketOrder:
    """An order from a TOML file: `size`, `min_edge` (optional) and `[[leg]]` tables of `token` and `limit` (optional).

    Raises UnknownThing or UserError, one line for each mistake.
    """
    try:
        written = _OrderFile.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is not valid TOML: {error}") from None
    except OSError as error:
        raise UnknownThing(f"{file} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        lines = [f"{file}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise UserError("\n".join(lines)) from None
    legs = tuple(HandLeg(leg.token, None if leg.limit is None else Price(leg.limit)) for leg in written.leg)
    return BasketOrder(written.size, legs, written.min_edge)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
