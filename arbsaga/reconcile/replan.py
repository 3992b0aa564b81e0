"""A trade's plan from the orders it intended: for a trade whose history is lost, and that recorded nothing.

The entries are written down with their terms, and the basket's kind is in its key. Patience and undo limits are not:
the plan gets the usual ones. It serves to run the trade again, which never enters anew. Of a trade that entered some
legs first and got no further, the others are written nowhere: it stays lost, and a person is told.
"""

from collections.abc import Sequence
from dataclasses import replace

from arbsaga.domain.baskets import Basket, BasketKind, complement, cross, no_of_some, yes_of_all
from arbsaga.domain.instruments import Side
from arbsaga.domain.money import NO_USD, Usd
from arbsaga.domain.orders import OrderTerms, Purpose
from arbsaga.ledger import Intent
from arbsaga.saga.messages import Patience, PlannedLeg, TradePlan

_BASKET = "basket/"


def plan_from(intents: Sequence[Intent]) -> TradePlan | None:
    """The plan behind a trade's intents; None where they do not tell it."""
    entries = [one for one in intents if one.terms.purpose is Purpose.ENTER]
    legs = [one.terms for one in sorted(entries, key=lambda one: one.terms.leg)]
    if [terms.leg for terms in legs] != list(range(len(legs))) or any(terms.side is not Side.BUY for terms in legs):
        return None
    basket = _basket(entries[0].workflow_id.removeprefix(_BASKET), legs) if len(legs) > 1 else None
    if basket is None:
        return None
    first, units = legs[0], min(terms.size for terms in legs)
    cost = Usd(sum((terms.size * terms.limit for terms in legs), NO_USD))
    fees = Usd(sum((one.instrument.rules.fee.taker_fee(one.size, one.limit) for one in legs), NO_USD))
    return TradePlan(
        trade_id=first.trade_id,
        account=entries[0].account,
        basket=basket,
        units=units,
        legs=tuple(PlannedLeg(terms.size, terms.limit) for terms in legs),
        cost=cost,
        fees=fees,
        edge=Usd(units * basket.payout - cost - fees),
        reserved=Usd(cost + fees),
        lease_id=entries[0].lease_id,
        lease_expires_ms=first.send_by_ms,
        decided_ms=first.created_ms,
        decided_ns=0,
        books=(),
        patience=replace(Patience(), send_by=first.send_by_ms - first.created_ms),
    )


def _basket(key: str, legs: Sequence[OrderTerms]) -> Basket | None:
    kind, _, name = key.partition(":")
    instruments = [terms.instrument for terms in legs]
    match kind:
        case "yes":
            return yes_of_all(name, name, instruments)
        case "no":
            return no_of_some(name, name, instruments)
        case "pair":
            return complement("", name, instruments[0])
        case "cross":  # nested questions pay the same, so the kind that the key leaves out changes nothing
            pair = name.rpartition(":")[0]
            return cross(pair, pair, BasketKind.IDENTITY, instruments[0], instruments[1])
        case _:
            return None
