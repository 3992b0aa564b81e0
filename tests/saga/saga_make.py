"""Small trades to judge: a two-leg YES basket at 40 cents a leg, 20 units."""

from dataclasses import replace
from decimal import Decimal

from arbsaga.domain.baskets import yes_of_all
from arbsaga.domain.books import Book, Level
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome
from arbsaga.domain.money import NO_USD, Price, Size, Usd
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderTerms, OrderView
from arbsaga.saga import judge
from arbsaga.saga.messages import Market, Patience, PlannedLeg, TradePlan, UndoLimits
from arbsaga.saga.trade import Trade

NOW = 1_790_000_000_000
RULES = MarketRules(tick=Decimal("0.01"))


def plan(legs: int = 2, size: str = "20", limit: str = "0.40", **changes: object) -> TradePlan:
    """A plan decided at NOW."""
    yes = [Instrument("sim", f"m{n}", f"yes{n}", f"no{n}", Outcome.YES, f"Runner {n}", RULES) for n in range(legs)]
    shares, price = Size(Decimal(size)), Price(Decimal(limit))
    cost = Usd(shares * price * legs)
    made = TradePlan(
        trade_id="T1",
        account="sim",
        basket=yes_of_all("race", "Who wins?", yes),
        units=shares,
        legs=tuple(PlannedLeg(shares, price) for _ in yes),
        cost=cost,
        fees=NO_USD,
        edge=Usd(shares - cost),
        reserved=cost,
        lease_id="lease",
        lease_expires_ms=NOW + 60_000,
        decided_ms=NOW,
        decided_ns=0,
        books=(),
        patience=Patience(),
        undo=UndoLimits(),
    )
    return replace(made, **changes)


def view(
    terms: OrderTerms, state: OrderState = OrderState.DONE, filled: str = "0", status: FillStatus = FillStatus.CONFIRMED
) -> OrderView:
    """What is known of an order that filled this much, in one fill of this status."""
    size = Size(Decimal(filled))
    fills = (Fill(f"{terms.key}:1", size, terms.limit, NO_USD, status, NOW),) if size else ()
    return OrderView(terms, terms.key, state, fills, matched=size)


def trade(*views: OrderView | tuple[OrderState, str], **changes: object) -> Trade:
    """A trade whose entries are as given, as views or as (state, filled)."""
    made = plan(legs=len(views), **changes)
    entries = judge.entry_orders(made)
    seen = [
        given if isinstance(given, OrderView) else view(terms, given[0], given[1])
        for terms, given in zip(entries, views, strict=True)
    ]
    return Trade(made).with_orders(seen)


def book(token: str, bid: str | None, ask: str | None, size: str = "100") -> Book:
    """A book of one level a side."""
    bids = (Level(Price(Decimal(bid)), Size(Decimal(size))),) if bid else ()
    asks = (Level(Price(Decimal(ask)), Size(Decimal(size))),) if ask else ()
    return Book(token, bids, asks, 1, NOW, NOW)


def market(*books: Book, **sellable: str) -> Market:
    """What a fresh read brings; nothing can be sold but what is named."""
    return Market("T1", books, tuple((token, Size(Decimal(shares))) for token, shares in sellable.items()), (), NOW)
