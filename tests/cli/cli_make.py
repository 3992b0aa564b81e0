"""Trades to show and to book: a two-leg YES basket at 40 cents a leg, 20 units."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from arbsaga.domain.baskets import yes_of_all
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome
from arbsaga.domain.money import NO_USD, Price, Size, Usd
from arbsaga.domain.orders import Fill, FillStatus, OrderState, OrderView
from arbsaga.saga import judge
from arbsaga.saga.messages import Patience, Phase, PlannedLeg, TradePlan, TradeRecord, UndoLimits
from arbsaga.saga.trade import Trade

NOW = 1_790_000_000_000
RULES = MarketRules(tick=Decimal("0.01"), fee=FeeSchedule(Decimal("0.05")))


def instrument(name: str, outcome: Outcome = Outcome.YES) -> Instrument:
    """YES of the market `m<name>`, or its NO."""
    yes = Instrument("sim", f"m{name}", f"yes{name}", f"no{name}", Outcome.YES, f"Runner {name}", RULES)
    return yes if outcome is Outcome.YES else yes.other()


def plan(trade_id: str = "T1", legs: int = 2, size: str = "20", limit: str = "0.40", **changes: Any) -> TradePlan:
    """A plan decided at NOW."""
    yes = [instrument(str(at)) for at in range(legs)]
    shares, price = Size(Decimal(size)), Price(Decimal(limit))
    cost = Usd(shares * price * legs)
    made = TradePlan(
        trade_id=trade_id,
        account="main",
        basket=yes_of_all("race", "Who wins the race?", yes),
        units=shares,
        legs=tuple(PlannedLeg(shares, price) for _ in yes),
        cost=cost,
        fees=NO_USD,
        edge=Usd(shares - cost),
        reserved=cost,
        lease_id="lease-1",
        lease_expires_ms=NOW + 60_000,
        decided_ms=NOW,
        decided_ns=0,
        books=(),
        patience=Patience(),
        undo=UndoLimits(),
    )
    return replace(made, **changes)


def record(made: TradePlan, phase: Phase, *filled: str, status: FillStatus = FillStatus.CONFIRMED) -> TradeRecord:
    """The record of a trade whose entry orders filled this much each; without any, no order was sent."""
    views = []
    for terms, shares in zip(judge.entry_orders(made), filled, strict=False):
        size = Size(Decimal(shares))
        fills = (Fill(f"{terms.key}:1", size, terms.limit, Usd(Decimal("0.1")), status, NOW + 40),) if size else ()
        evidence = ("post: done, filled " + shares,)
        views.append(OrderView(terms, f"0x{terms.key}", OrderState.DONE, fills, size, evidence=evidence))
    return Trade(made).with_orders(views).record(phase, "" if phase is Phase.COMMITTED else "because", NOW + 500)
