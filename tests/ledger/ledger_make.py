"""Small values for tests of the ledger and of what reads it."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal as D

from arbsaga.domain.baskets import Basket, yes_of_all
from arbsaga.domain.fees import FeeSchedule
from arbsaga.domain.instruments import Instrument, MarketRules, Outcome, Side
from arbsaga.domain.money import Price, Size, Usd
from arbsaga.domain.orders import (
    Fill,
    FillStatus,
    OrderState,
    OrderTerms,
    OrderView,
    Purpose,
    TimeInForce,
)
from arbsaga.saga.messages import LegResult, Phase, PlannedLeg, TradePlan, TradeRecord

ACCOUNT = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
START_MS = 1_800_000_000_000


def instrument(leg: int) -> Instrument:
    """YES of market number `leg`: token y0, complement n0."""
    rules = MarketRules(D("0.01"), fee=FeeSchedule(D("0.04")))
    return Instrument("polymarket", f"0xc{leg}", f"y{leg}", f"n{leg}", Outcome.YES, f"Will {leg} win?", rules)


def basket(legs: int = 2, event: str = "event") -> Basket:
    """One YES of each of `legs` markets."""
    return yes_of_all(event, "Who wins?", [instrument(leg) for leg in range(legs)])


def plan(trade_id: str = "t1", legs: int = 2, *, decided_ms: int = START_MS) -> TradePlan:
    """Ten units at 0.40 a leg."""
    return TradePlan(
        trade_id=trade_id,
        account=ACCOUNT,
        basket=basket(legs),
        units=Size(D(10)),
        legs=(PlannedLeg(Size(D(10)), Price(D("0.40"))),) * legs,
        cost=Usd(D(8)),
        fees=Usd(D("0.2")),
        edge=Usd(D("1.8")),
        reserved=Usd(D(9)),
        lease_id="lease",
        lease_expires_ms=decided_ms + 60_000,
        decided_ms=decided_ms,
        decided_ns=1,
        books=(),
    )


def terms(
    trade_id: str = "t1", leg: int = 0, attempt: int = 1, *, side: Side = Side.BUY, **other: object
) -> OrderTerms:
    """An order for ten shares at 0.40."""
    made = OrderTerms(
        trade_id=trade_id,
        leg=leg,
        attempt=attempt,
        purpose=Purpose.ENTER if side is Side.BUY else Purpose.EXIT,
        instrument=instrument(leg),
        side=side,
        size=Size(D(10)),
        limit=Price(D("0.40")),
        time_in_force=TimeInForce.GTC,
        created_ms=START_MS,
        send_by_ms=START_MS + 1_000,
    )
    return replace(made, **other)


def order_id(order: OrderTerms) -> str:
    """What stands for the venue's id of an order."""
    return f"0x{order.key}"


def fill(
    fill_id: str,
    size: str = "10",
    price: str = "0.40",
    *,
    fee: str = "0.096",
    status: FillStatus = FillStatus.CONFIRMED,
) -> Fill:
    """A fill of ten shares at 0.40 with its fee, CONFIRMED."""
    return Fill(fill_id, Size(D(size)), Price(D(price)), Usd(D(fee)), status, START_MS + 100)


def view(order: OrderTerms, *fills: Fill, state: OrderState = OrderState.DONE) -> OrderView:
    """The evidence for an order."""
    alive = [one.size for one in fills]
    return OrderView(order, order_id(order), state, fills, Size(sum(alive, D(0))), "", (f"post: {state}",))


def record(
    views: Sequence[OrderView],
    phase: Phase = Phase.COMMITTED,
    *,
    of: TradePlan | None = None,
    time_ms: int = START_MS + 500,
) -> TradeRecord:
    """A trade's record; the sums that the ledger only keeps are made up."""
    of = of or plan()
    legs = tuple(
        LegResult(leg.instrument.token, leg.instrument.title, Size(D(10)), Size(D(0)), Usd(D(4)))
        for leg in of.basket.legs
    )
    return TradeRecord(
        plan=of,
        phase=phase,
        orders=tuple(views),
        legs=legs,
        hedged=Size(D(10)),
        payout=Usd(D(10)),
        spent=Usd(D(8)),
        fees=Usd(D("0.192")),
        profit=Usd(D(2)),
        reason="every fill confirmed",
        time_ms=time_ms,
    )
