"""What a scenario's end is judged by: the exchange's truth journal, against the ledger's claims and the alert log."""

from collections.abc import Iterator
from decimal import Decimal

from arbsaga.domain.money import ZERO
from arbsaga.domain.orders import Purpose
from arbsaga.exchange.truth import TrueFill, Truth
from arbsaga.ledger import Intent
from arbsaga.notify import read_alerts
from arbsaga.saga.messages import Phase
from proof.mutations.stage import ACCOUNT, Stage
from workers.verdict import compare

LATE_MS = 1_500
"""How long after its send-by an order may be received: exchange and trader share one busy event loop here."""


def violations(stage: Stage, ends: frozenset[Phase], orders: int | None, duplicates: int) -> list[str]:
    """Breaches of the promise. `ends`: how this trade may end; `orders`: how many the exchange may have accepted.

    `duplicates`: posts that somebody else than us repeated.
    """
    truth = Truth.read(stage.truth, stage.venue.wallet)
    verdict = compare(truth, stage.ledger, ACCOUNT)
    found = list(verdict.differences)
    found += [f"{len(truth.duplicates)} orders were posted again"] if len(truth.duplicates) > duplicates else []
    found += [*verdict.exposures] if verdict.unhedged_shares else []
    if orders is not None and len(truth.orders) > orders:
        found.append(f"{len(truth.orders)} orders were sent, {orders} may be")
    return found + list(_ends(stage, ends)) + list(_orders(stage, truth))


def _ends(stage: Stage, ends: frozenset[Phase]) -> Iterator[str]:
    rows = stage.ledger.trades()
    if not rows:
        yield "the trade recorded no end"
    for row in rows:
        if row.phase not in ends:
            yield f"the trade ended {row.phase} ({row.reason}), expected {' or '.join(sorted(ends))}"
        held = row.phase is Phase.HELD
        if held and not any(alert.page.key.endswith("/held") for alert in read_alerts(stage.alerts, row.trade_id)):
            yield "held without a page on the alert log"


def _orders(stage: Stage, truth: Truth) -> Iterator[str]:
    """Every accepted order: in time, not resting after the end, and when it reduces, not more than was there."""
    for intent in stage.ledger.intents(ACCOUNT):
        order = truth.orders.get(intent.order_id)
        if order is None:
            continue
        name = f"order {intent.terms.key} ({intent.terms.purpose} {order.side} {order.size:f})"
        if order.open:
            yield f"{name} still rests"
        if (late := order.received_ms - intent.terms.send_by_ms) > LATE_MS:
            yield f"{name} was sent {late} ms after its last moment"
        if intent.terms.purpose in (Purpose.EXIT, Purpose.HEDGE):
            held = _held(stage, truth, intent, order.received_ms)
            if order.size > held:
                yield f"{name} reduces more than the {held:f} shares that were held"


def _held(stage: Stage, truth: Truth, reducing: Intent, before_ms: int) -> Decimal:
    """Shares of the leg at that moment, later failures not yet counted off."""
    held = ZERO
    for intent in stage.ledger.intents(ACCOUNT):
        if intent.terms.leg != reducing.terms.leg or intent.order_id == reducing.order_id:
            continue
        adds = intent.terms.purpose in (Purpose.ENTER, Purpose.COMPLETE)
        fills: list[TrueFill] = [fill for fill in truth.fills_of(intent.order_id) if fill.ms <= before_ms]
        size = sum((fill.size for fill in fills if adds or fill.alive), ZERO)
        held += size if adds else -size
    return held
