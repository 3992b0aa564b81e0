"""A trade as the live view and `--json` show it: a small JSON-able summary of its record."""

from decimal import Decimal
from enum import StrEnum
from typing import Any

from arbsaga.domain.baskets import Basket, BasketKind
from arbsaga.domain.money import ZERO
from arbsaga.domain.orders import OrderState, OrderView, Purpose
from arbsaga.saga.messages import ENDS, TradePlan, TradeRecord


class LegPhase(StrEnum):
    """Where one leg stands."""

    PLANNED = "planned"
    UNKNOWN = "unknown"
    RESTING = "resting"
    PARTLY = "partly filled"
    FILLED = "filled"
    SETTLED = "settled"
    MISSED = "missed"
    UNDONE = "undone"


def of_record(record: TradeRecord, days: Decimal | None = None) -> dict[str, Any]:
    """The event of a trade that moved. `days` until its markets are expected to have paid out, None where not known."""
    instruments = [leg.instrument for leg in record.plan.basket.legs]
    return _head(record.plan) | {
        "phase": record.phase,
        "legs": [
            {
                "title": one.title,
                "venue": one.venue,
                "phase": leg_phase([view for view in record.orders if view.terms.leg == index]),
            }
            for index, one in enumerate(instruments)
        ],
        "days": "" if days is None else f"{days:.1f}",
        "time_ms": record.time_ms,
        "profit": str(record.profit) if record.phase in ENDS and record.orders else "",
        "reason": record.reason,
        "orders": len(record.orders),
    }


def _head(plan: TradePlan) -> dict[str, Any]:
    return {
        "trade_id": plan.trade_id,
        "title": plan.basket.title,
        "basket": basket_name(plan.basket),
        "edge": str(round(plan.edge / (plan.units * plan.basket.payout) * 100, 2)) if plan.units else "0",
        "size": str(plan.units),
        "cost": str(plan.cost + plan.fees),
        "decided_ms": plan.decided_ms,
    }


_SHORT = {
    BasketKind.YES_OF_ALL: "YES",
    BasketKind.NO_OF_SOME: "NO",
    BasketKind.COMPLEMENT: "PAIR",
    BasketKind.IDENTITY: "SAME",
    BasketKind.NESTED: "NEST",
}


def basket_name(basket: Basket) -> str:
    """The kind of basket in a trader's shorthand, e.g. `YES×5`."""
    return f"{_SHORT[basket.kind]}×{len(basket.legs)}"


def leg_phase(orders: list[OrderView]) -> LegPhase:
    """Where a leg stands, from the evidence for its orders (first attempt first)."""
    if not orders:
        return LegPhase.PLANNED
    if any(view.state is OrderState.UNKNOWN for view in orders):
        return LegPhase.UNKNOWN
    bought = sum((view.known for view in orders if view.terms.purpose in (Purpose.ENTER, Purpose.COMPLETE)), ZERO)
    undone = sum((view.known for view in orders if view.terms.purpose in (Purpose.EXIT, Purpose.HEDGE)), ZERO)
    if bought and undone >= bought:
        return LegPhase.UNDONE
    if bought >= orders[0].terms.size:
        return LegPhase.SETTLED if _settled(orders, Decimal(bought)) else LegPhase.FILLED
    if any(not view.state.final for view in orders):
        return LegPhase.PARTLY if bought else LegPhase.RESTING
    return LegPhase.PARTLY if bought else LegPhase.MISSED


def _settled(orders: list[OrderView], bought: Decimal) -> bool:
    adding = (view for view in orders if view.terms.purpose in (Purpose.ENTER, Purpose.COMPLETE))
    return sum((view.confirmed for view in adding), ZERO) >= bought
