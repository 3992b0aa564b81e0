"""Builders for the tests of the domain: what a test does not name has a plain value."""

from decimal import Decimal

from hypothesis import settings

from arbsaga.domain.books import Book, Level
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome, Side
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderTerms, OrderView, Purpose, TimeInForce

PROPERTY = settings(derandomize=True, deadline=None, max_examples=300, database=None)
"""Every run draws the same examples, on a slow machine too."""


def rules(tick="0.01", rate="0", min_size="5", size_step="0.01", min_notional="1", **more) -> MarketRules:
    return MarketRules(
        Decimal(tick),
        Size(Decimal(min_size)),
        Decimal(size_step),
        Usd(Decimal(min_notional)),
        FeeSchedule(Decimal(rate)),
        **more,
    )


def instrument(name="a", outcome=Outcome.YES, of: MarketRules | None = None) -> Instrument:
    yes = outcome is Outcome.YES
    token, other = (f"{name}-yes", f"{name}-no") if yes else (f"{name}-no", f"{name}-yes")
    return Instrument("venue", name, token, other, outcome, f"{outcome} of {name}", of or rules())


def levels(*pairs: tuple[str, str]) -> tuple[Level, ...]:
    return tuple(Level(Price(Decimal(price)), Size(Decimal(size))) for price, size in pairs)


def book(token: str, *asks: tuple[str, str], bids=(), generation=1, time_ms=1_000, read_ms=1_000) -> Book:
    return Book(token, levels(*bids), levels(*asks), generation, time_ms, read_ms)


def terms(trade_id="t1", leg=0, attempt=1, side=Side.BUY, size="10", limit="0.40") -> OrderTerms:
    return OrderTerms(
        trade_id,
        leg,
        attempt,
        Purpose.ENTER,
        instrument(),
        side,
        Size(Decimal(size)),
        Price(Decimal(limit)),
        TimeInForce.GTC,
        1_000,
        2_000,
    )


def fill(fill_id="f1", size="4", price="0.40", fee="0", status=FillStatus.MATCHED, time_ms=1_500) -> Fill:
    return Fill(fill_id, Size(Decimal(size)), Price(Decimal(price)), Usd(Decimal(fee)), status, time_ms)


def view(state=OrderState.UNKNOWN, *fills: Fill, **more) -> OrderView:
    return OrderView(more.pop("terms", terms()), "0xid", state, fills, **more)
